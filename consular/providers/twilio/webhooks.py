"""Twilio's form fields as frozen values. Strict: the signature has no separators, so names and formats must be."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from consular.providers.twilio.answers import MESSAGE_SID

LONGEST_BODY = 20_000
MOST_FIELDS = 200

_PHONE = re.compile(r"\+[1-9][0-9]{5,14}")
_SENDER = re.compile(r"\+?[0-9]{3,15}|[A-Za-z0-9 +&._-]{1,15}")
_STATUS = re.compile(r"[a-z][a-z_-]{0,31}")
_CODE = re.compile(r"[0-9]{1,6}")
_COUNT = re.compile(r"[0-9]{1,3}")


class WebhookRefused(Exception):
    """A webhook whose form is not what the gateway sends (answer 400). code says what, without personal data."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Webhook refused: {code}.")
        self.code = code


@dataclass(frozen=True, slots=True)
class InboundText:
    """A text from a person. body is exact, may be empty or hold any sign, even NUL; sender is the network's word."""

    message_sid: str
    sender: str = field(repr=False)
    to: str
    body: str = field(repr=False)
    media_count: int
    segment_count: int


@dataclass(frozen=True, slots=True)
class StatusReport:
    """A receipt. status is Twilio's verb as sent, known or not (see codes.map_status); error_code digits or None."""

    message_sid: str
    status: str
    error_code: str | None
    to: str = field(repr=False)


def parse_inbound(pairs: Sequence[tuple[str, str]], account_sid: str, our_numbers: Collection[str]) -> InboundText:
    """An inbound text from the raw form, in order and untrimmed. Raises WebhookRefused.

    our_numbers: the numbers this gateway's texts are sent from; empty when only its messaging service knows them,
    then To needs to have the form of a number.
    """
    fields = _fields(pairs, account_sid)
    to = fields.get("To", "")
    if to not in our_numbers if our_numbers else not _SENDER.fullmatch(to):
        raise WebhookRefused("to")
    if "MessageStatus" in fields:
        raise WebhookRefused("kind")
    body = fields.get("Body")
    if body is None or len(body) > LONGEST_BODY or not _is_text(body):
        raise WebhookRefused("body")
    return InboundText(
        message_sid=fields["MessageSid"],
        sender=_matching(fields, "From", _SENDER),
        to=to,
        body=body,
        media_count=_count(fields, "NumMedia", default=0),
        segment_count=_count(fields, "NumSegments", default=1),
    )


def parse_status(pairs: Sequence[tuple[str, str]], account_sid: str) -> StatusReport:
    """A receipt from the raw form. Early ones, unknown sids and unknown verbs are fine. Raises WebhookRefused."""
    fields = _fields(pairs, account_sid)
    if "Body" in fields:
        raise WebhookRefused("kind")
    return StatusReport(
        message_sid=fields["MessageSid"],
        status=_matching(fields, "MessageStatus", _STATUS),
        error_code=_matching(fields, "ErrorCode", _CODE) if fields.get("ErrorCode") else None,
        to=_matching(fields, "To", _PHONE),
    )


def _fields(pairs: Sequence[tuple[str, str]], account_sid: str) -> dict[str, str]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise WebhookRefused("duplicate")
    if len(fields) > MOST_FIELDS:
        raise WebhookRefused("fields")
    if fields.get("AccountSid") != account_sid:
        raise WebhookRefused("account_sid")
    sid = _matching(fields, "MessageSid", MESSAGE_SID)
    if fields.get("SmsSid", sid) != sid:
        raise WebhookRefused("sms_sid")
    return fields


def _matching(fields: dict[str, str], name: str, form: re.Pattern[str]) -> str:
    value = fields.get(name, "")
    if not form.fullmatch(value):
        raise WebhookRefused(re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())
    return value


def _count(fields: dict[str, str], name: str, default: int) -> int:
    return int(_matching(fields, name, _COUNT)) if name in fields else default


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
