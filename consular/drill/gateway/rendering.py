"""Twilio's JSON: messages, pages and errors."""

import json
from email.utils import formatdate
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from consular.drill.gateway.http1 import response
from consular.drill.gateway.segments import segments
from consular.drill.gateway.store import STATUS_NAMES, Record, Status
from consular.drill.gateway.world import API_VERSION

MESSAGES = {
    20003: "Authenticate",
    20005: "Account not active",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    20503: "Service Unavailable",
    21211: "The 'To' number is not a valid phone number.",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number.",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21610: "Attempt to send to unsubscribed recipient",
    21614: "'To' number is not a valid mobile number",
    21617: "The concatenated message body exceeds the 1600 character limit.",
}


@lru_cache(maxsize=256)
def error(status: int, code: int, headers: str = "") -> bytes:
    """A whole response with an error as Twilio words it."""
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    document = {"code": code, "message": MESSAGES[code], "more_info": more_info, "status": status}
    return response(status, json.dumps(document).encode(), headers=headers)


@lru_cache(maxsize=64)
def rfc_2822(second: int) -> str:
    """A time as Twilio writes it: "Thu, 24 Feb 2011 10:00:00 +0000"."""
    return formatdate(second, localtime=False, usegmt=False).replace("-0000", "+0000")


class Renderer:
    """Messages of one account."""

    def __init__(self, account_sid: str) -> None:
        self.account_sid = account_sid
        self.base = f"/{API_VERSION}/Accounts/{account_sid}/Messages"

    def created(self, sid: str, to: str, sender: str, service: str, body: str | None, now: float) -> bytes:
        """The 201 for an accepted text. body None (lean profile) is shown as null, to save the decoding."""
        date = rfc_2822(int(now))
        is_pooled = bool(service) and not sender
        document = (
            f'{{"body": {"null" if body is None else encode_basestring_ascii(body)}, '
            f'"num_segments": "{0 if is_pooled else 1 if body is None else segments(body)}", '
            f'"direction": "outbound-api", "from": {_text(sender)}, "date_updated": "{date}", "price": null, '
            f'"error_message": null, "uri": "{self.base}/{sid}.json", "account_sid": "{self.account_sid}", '
            f'"num_media": "0", "to": {_text(to)}, "date_created": "{date}", '
            f'"status": "{"accepted" if is_pooled else "queued"}", "sid": "{sid}", "date_sent": null, '
            f'"messaging_service_sid": {_text(service)}, "error_code": null, "price_unit": "USD", '
            f'"api_version": "{API_VERSION}", '
            f'"subresource_uris": {{"media": "{self.base}/{sid}/Media.json"}}}}'
        )
        return response(201, document.encode("ascii"))

    def message(self, record: Record, sid: str) -> dict[str, Any]:
        """One text as the list and the single resource show it."""
        created = rfc_2822(int(record.created_at))
        sent = rfc_2822(int(record.sent_at)) if record.sent_at else None
        return {
            "body": record.body,
            "num_segments": str(segments(record.body)),
            "direction": "inbound" if record.status is Status.RECEIVED else "outbound-api",
            "from": record.sender or None,
            "date_updated": sent or created,
            "price": None,
            "error_message": None,
            "uri": f"{self.base}/{sid}.json",
            "account_sid": self.account_sid,
            "num_media": "0",
            "to": record.to,
            "date_created": created,
            "status": STATUS_NAMES[record.status],
            "sid": sid,
            "date_sent": sent,
            "messaging_service_sid": record.service or None,
            "error_code": record.error_code or None,
            "price_unit": "USD",
            "api_version": API_VERSION,
            "subresource_uris": {"media": f"{self.base}/{sid}/Media.json"},
        }

    def page(self, messages: list[dict[str, Any]], page: int, size: int, links: dict[str, str | None]) -> bytes:
        """One page of the list. links: first_page_uri, next_page_uri and previous_page_uri."""
        document = {"messages": messages, "page": page, "page_size": size, "uri": links["first_page_uri"], **links}
        document |= {"start": page * size, "end": page * size + max(0, len(messages) - 1)}
        return response(200, json.dumps(document).encode("ascii"))


def _text(value: str) -> str:
    return encode_basestring_ascii(value) if value else "null"
