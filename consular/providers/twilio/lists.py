"""Twilio's own list of messages: to resolve what is unknown, and to fill gaps in what we heard."""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from consular.domain.ports import GatewayError, RemoteMessage
from consular.providers.exchange import Answer, Exchange
from consular.providers.twilio.answers import MESSAGE_SID
from consular.providers.twilio.settings import TwilioSettings

MAX_PAGES = 100
MAX_SENT_PAGES = 10_000
MAX_PAGE_BYTES = 4 * 1024 * 1024


class MessageLists:
    """Reads pages of Messages.json, newest first, within one total time. Raises GatewayError without personal data."""

    def __init__(self, settings: TwilioSettings) -> None:
        self._settings = settings

    def find(self, to: str, since: datetime) -> Sequence[RemoteMessage]:
        """Outbound messages to a number created at or after `since` (aware).

        DateSent is not asked, it is null while queued. The number is compared by the gateway alone, which may write
        it in another way than we do (Mexico, Argentina).
        """
        messages = self._read({"To": to, "PageSize": "50"}, since)
        return [message for message in messages if not message.is_inbound]

    def list_inbound(self, since: datetime) -> Sequence[RemoteMessage]:
        """Texts from people to our numbers created at or after `since` (aware)."""
        day = since.astimezone(UTC).date().isoformat()
        query = {"DateSent>": day, "PageSize": "1000"}
        filters = [{"To": number, **query} for number in self._settings.listening_numbers] or [query]
        ends_at = time.monotonic() + self._settings.list_timeout_seconds
        found = [message for one in filters for message in self._read(one, since, ends_at) if message.is_inbound]
        return list({message.provider_message_id: message for message in found}.values())

    def list_sent(self, since: datetime) -> Iterator[RemoteMessage]:
        """Outbound messages created at or after `since` (aware), newest first, a page at a time while it is iterated.

        DateSent is not asked, it is null while queued. Our own sender is not asked either: it may be a pool of numbers.
        """
        path: str | None = f"{self._settings.messages_path}?{urlencode({'PageSize': '1000'})}"
        for _ in range(MAX_SENT_PAGES):
            page, path = self._page(path or "", time.monotonic() + self._settings.list_timeout_seconds)
            recent = [message for message in page if message.created_at >= since]
            yield from (message for message in recent if not message.is_inbound)
            if not path or (page and not recent):
                return
        raise GatewayError("The gateway's list has more pages than can be read.")

    def _read(self, query: dict[str, str], since: datetime, ends_at: float | None = None) -> list[RemoteMessage]:
        ends_at = ends_at or time.monotonic() + self._settings.list_timeout_seconds
        path: str | None = f"{self._settings.messages_path}?{urlencode(query)}"
        found: list[RemoteMessage] = []
        for _ in range(MAX_PAGES):
            page, path = self._page(path or "", ends_at)
            recent = [message for message in page if message.created_at >= since]
            found += recent
            if not path or (page and not recent):
                return found
        raise GatewayError("The gateway's list has more pages than can be read.")

    def _page(self, path: str, ends_at: float) -> tuple[list[RemoteMessage], str | None]:
        remaining = ends_at - time.monotonic()
        if remaining <= 0:
            raise GatewayError("The gateway's list took too long.")
        exchange = Exchange(self._settings.route(path, remaining, MAX_PAGE_BYTES))
        try:
            answer = exchange.run(None)
        finally:
            exchange.curl.close()
        fields = _fields(answer)
        messages = fields.get("messages")
        if not isinstance(messages, list):
            raise GatewayError("The gateway's list has no messages in it.")
        return [_message(item) for item in messages], self._next_path(fields.get("next_page_uri"))

    def _next_path(self, uri: object) -> str | None:
        if uri is None or uri == "":
            return None
        is_plain = isinstance(uri, str) and uri.isascii() and uri.isprintable() and " " not in uri
        if is_plain and isinstance(uri, str) and uri.startswith(f"{self._settings.messages_path}?"):
            return uri
        raise GatewayError("The gateway's list leads to a page outside the list.")


def _fields(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        known = f"HTTP {answer.status}" if answer.status else f"transport {answer.transport_error}"
        raise GatewayError(f"The gateway's list gave no answer ({known}).")
    try:
        fields = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise GatewayError("The gateway's list cannot be read.") from None
    if not isinstance(fields, dict):
        raise GatewayError("The gateway's list cannot be read.")
    return fields


def _message(item: Any) -> RemoteMessage:
    try:
        created_at = parsedate_to_datetime(item["date_created"])
        sid, code = item["sid"], item.get("error_code")
        texts = (item["to"], item.get("from") or "", item["body"], item["status"])
        direction = item["direction"]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise GatewayError("The gateway's list holds an entry that cannot be read.") from None
    is_typed = all(isinstance(text, str) for text in (sid, direction, *texts)) and created_at.tzinfo is not None
    if not is_typed or not MESSAGE_SID.fullmatch(sid):
        raise GatewayError("The gateway's list holds an entry that cannot be read.")
    to, sender, body, status = texts
    return RemoteMessage(
        provider_message_id=sid,
        to=to,
        sender=sender,
        body=body,
        status=status,
        error_code=None if code is None else str(code),
        created_at=created_at.astimezone(UTC),
        is_inbound=direction == "inbound",
    )
