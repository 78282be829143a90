"""The way this is usually done, to measure against: one RQ job per recipient, each sending with twilio's own client."""

from __future__ import annotations

import os
from functools import cache

import psycopg
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

BASE = "https://api.twilio.com"


class _ToGateway(TwilioHttpClient):
    def request(self, method, url, **options):  # type: ignore[no-untyped-def]
        return super().request(method, url.replace(BASE, os.environ["NAIVE_GATEWAY"]), **options)


@cache
def _client() -> Client:
    return Client(os.environ["NAIVE_SID"], os.environ["NAIVE_TOKEN"], http_client=_ToGateway(timeout=15))


@cache
def _database() -> psycopg.Connection:
    return psycopg.connect(os.environ["NAIVE_DATABASE"], autocommit=True)


def send(number: int) -> None:
    """Read one row, send it, write what became of it."""
    row = _database().execute("select phone, body from naive_messages where id = %s", (number,)).fetchone()
    message = _client().messages.create(to=row[0], from_="+15005550006", body=row[1])
    _database().execute("update naive_messages set sid = %s, sent_at = now() where id = %s", (message.sid, number))
