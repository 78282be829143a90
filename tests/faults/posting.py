"""Webhooks as the gateway posts them, and as forgers do; in a stream while something else breaks."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import requests

from consular.drill.gateway.webhooks import signature
from consular.drill.world import SENDER
from tests.faults.world import Site

INBOUND = "/webhooks/twilio/inbound"
TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Posted:
    """One webhook and its answer. status 0: none came."""

    sid: str
    status: int
    seconds: float
    at: float

    @property
    def is_taken(self) -> bool:
        """Whether the gateway was told that it is stored."""
        return 200 <= self.status < 300


class Poster:
    """Posts to the webhooks' process, or to any other address of the site; signs as the gateway does."""

    def __init__(self, site: Site) -> None:
        self._env = site.env
        self._token = site.env["EXERCISE_GATEWAY_AUTH_TOKEN"].encode()
        self.account = site.env["EXERCISE_GATEWAY_ACCOUNT_SID"]

    def text(self, sender: str, body: str, sid: str | None = None) -> dict[str, str]:
        """The form of one text from a person."""
        sid = sid or f"SM{secrets.token_hex(16)}"
        number = {"From": sender, "To": SENDER, "Body": body, "NumMedia": "0", "NumSegments": "1"}
        return {"MessageSid": sid, "SmsSid": sid, "SmsMessageSid": sid, "AccountSid": self.account, **number}

    def receipt(self, sid: str, status: str, to: str, code: str = "") -> dict[str, str]:
        """The form of one receipt."""
        error = {"ErrorCode": code} if code else {}
        names = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "SmsStatus": status}
        return {**names, "AccountSid": self.account, "To": to, "From": SENDER, **error}

    def sign(self, path: str, fields: Mapping[str, str]) -> str:
        """The gateway's signature."""
        return signature(self._token, self._env["WEBHOOK_BASE_URL"] + path, fields)

    def post(
        self,
        fields: Mapping[str, str],
        path: str = INBOUND,
        *,
        base: str | None = None,
        signed: str | None = None,
        session: requests.Session | None = None,
    ) -> Posted:
        """Post a form; never raises. signed: a signature of one's own."""
        headers = {"X-Twilio-Signature": self.sign(path, fields) if signed is None else signed}
        began = time.monotonic()
        address = (base or self._env["WEBHOOK_BASE_URL"]) + path
        try:
            poster = session or requests
            status = poster.post(address, data=fields, headers=headers, timeout=TIMEOUT_SECONDS).status_code
        except requests.RequestException:
            status = 0
        return Posted(fields.get("MessageSid", ""), status, time.monotonic() - began, time.time())


class Stream:
    """Texts from strangers, `rate` a second from two threads, for as long as the `with` block lasts."""

    def __init__(self, site: Site, rate: float = 20.0, first_phone: int = 9_000_000) -> None:
        self._poster = Poster(site)
        self._pause = 2 / rate
        self._phone = first_phone
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(2)]
        self.posted: list[Posted] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def taken(self) -> list[str]:
        """The ids of all texts that were answered with 2xx."""
        return [one.sid for one in self.posted if one.is_taken]

    def slowest(self, share: float = 0.99) -> float:
        """The seconds within which this share of the posts was answered."""
        seconds = sorted(one.seconds for one in self.posted)
        return seconds[min(len(seconds) - 1, int(len(seconds) * share))] if seconds else 0.0

    def _run(self, number: int) -> None:
        while not self._over.wait(self._pause):
            fields = self._poster.text(f"+21896{self._phone + len(self.posted) * 2 + number:07d}", "1")
            self.posted.append(self._poster.post(fields))
