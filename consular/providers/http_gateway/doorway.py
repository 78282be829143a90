"""The checks every call of an operator passes before anything is stored: which gateway, which key, which form."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason
from consular.providers.http_gateway.calls import (
    CallFields,
    ForgedCallError,
    MalformedCallError,
    Pairs,
    WebhookCall,
    read_fields,
    read_key,
)
from consular.providers.http_gateway.keys import is_key, receipt_key, standing_key
from consular.providers.http_gateway.numbers import sender_number
from consular.providers.http_gateway.profile import InboundRules, ReceiptRules
from consular.providers.http_gateway.settings import HttpSettings

LONGEST_TEXT = 20_000
LONGEST_DETAIL = 1_000

_ID = re.compile(r"[A-Za-z0-9._:@+-]{1,64}")
_STATUS = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_SENDER = re.compile(r"[ +]?[0-9() ./-]{3,20}|[A-Za-z0-9 +&._-]{1,15}")
CHARSETS = {"utf-8": "utf-8", "utf-16be": "utf-16-be", "8-bit": "latin-1", "iso-8859-1": "latin-1"}
CHARSETS |= {name: name for name in ("us-ascii", "windows-1252", "windows-1256", "iso-8859-6", "iso-8859-15")}
CHARSETS |= {"ucs-2": "utf-16-be", "utf-16": "utf-16-be", "utf8": "utf-8", "latin1": "latin-1", "gsm": "utf-8"}


@dataclass(frozen=True, slots=True)
class HttpReceipt:
    """A receipt. status: the operator's word. state: ours, None for a word that the profile does not list.

    attempt_id: None when the operator has one address for all. provider_message_id: the operator's, else the attempt's
    id in 32 hexadecimal signs, as in SmsResult. reason: why it failed, None when it did not or nobody says.
    """

    provider_message_id: str
    attempt_id: UUID | None
    status: str
    state: MessageState | None
    reason: FailureReason | None
    pairs: Pairs = field(repr=False)

    @property
    def shared_status(self) -> str:
        """The word to store: our state's name, the same for every gateway, or "other:" and the operator's word."""
        return self.state.value if self.state else f"other:{self.status}"

    @property
    def shared_code(self) -> str | None:
        """The code to store: the shared reason's name."""
        return self.reason.value if self.reason else None


@dataclass(frozen=True, slots=True)
class HttpText:
    """A text from a person. sender: E.164 where it can be told. body: may be empty or hold any sign, even NUL."""

    message_id: str
    sender: str = field(repr=False)
    to: str
    body: str = field(repr=False)
    pairs: Pairs = field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpDoorway:
    """gateways: settings by our name of the gateway. secret: of the keys in our addresses."""

    gateways: Mapping[str, HttpSettings]
    secret: bytes = field(repr=False)

    def receipt(self, name: str, call: WebhookCall, attempt_id: UUID | None = None) -> HttpReceipt:
        """The receipt of the attempt in the address, or of whichever the operator's id names.

        Raises ForgedCallError (answer 403), MalformedCallError (answer 400).
        """
        settings = self._settings(name)
        if attempt_id is None:
            expected = standing_key(self.secret, settings, "receipts")
        else:
            expected = receipt_key(self.secret, settings, attempt_id)
        if settings.profile.receipts is None or not is_key(expected, read_key(call)):
            raise ForgedCallError
        return _receipt(read_fields(call), settings.profile.receipts, attempt_id)

    def inbound(self, name: str, call: WebhookCall) -> HttpText:
        """A text from a person. Raises as receipt()."""
        settings = self._settings(name)
        is_ours = is_key(standing_key(self.secret, settings, "inbound"), read_key(call))
        if settings.profile.inbound is None or not is_ours:
            raise ForgedCallError
        return _text(read_fields(call), settings.profile.inbound, self.secret)

    def _settings(self, name: str) -> HttpSettings:
        settings = self.gateways.get(name)
        if settings is None:
            raise ForgedCallError
        return settings


def _receipt(fields: CallFields, rules: ReceiptRules, attempt_id: UUID | None) -> HttpReceipt:
    status = _matching(fields, rules.status, _STATUS, "status")
    if rules.id and fields.values.get(rules.id):
        message_id = _matching(fields, rules.id, _ID, "id")
    elif attempt_id:
        message_id = attempt_id.hex
    else:
        raise MalformedCallError("id")
    state = rules.states.get(status)
    has_failed = state in (MessageState.FAILED, MessageState.UNDELIVERED)
    reason = _reason(fields, rules) if has_failed else None
    return HttpReceipt(message_id, attempt_id, status, state, reason, fields.pairs)


def _reason(fields: CallFields, rules: ReceiptRules) -> FailureReason | None:
    if rules.detail is None:
        return None
    detail = fields.values.get(rules.detail, b"")[:LONGEST_DETAIL].decode("utf-8", "replace")
    return next((reason for pattern, reason in rules.failures if pattern.search(detail)), None)


def _text(fields: CallFields, rules: InboundRules, secret: bytes) -> HttpText:
    if rules.text not in fields.values:
        raise MalformedCallError("text")
    named = fields.text(rules.charset).lower() if rules.charset else ""
    body = fields.values[rules.text].decode(CHARSETS.get(named, rules.default_charset), "replace")
    if len(body) > LONGEST_TEXT:
        raise MalformedCallError("text")
    return HttpText(
        message_id=_message_id(fields, rules, secret),
        sender=sender_number(_matching(fields, rules.sender, _SENDER, "sender"), rules),
        to=fields.text(rules.to)[:64] if rules.to else "",
        body=body,
        pairs=fields.pairs,
    )


def _message_id(fields: CallFields, rules: InboundRules, secret: bytes) -> str:
    """The operator's id, else one made of the call: keyed, for it is stored in clear and numbers can be guessed."""
    if rules.id:
        return _matching(fields, rules.id, _ID, "id")
    if rules.time and fields.values.get(rules.time):
        whole = "&".join(f"{name}={value}" for name, value in sorted(fields.pairs))
        return "h" + hmac.digest(secret, b"consular/http-gateway/text/" + whole.encode(), hashlib.sha256).hex()[:40]
    return uuid4().hex


def _matching(fields: CallFields, name: str, form: re.Pattern[str], code: str) -> str:
    value = fields.text(name)
    if not form.fullmatch(value):
        raise MalformedCallError(code)
    return value


def shared_reason(code: str) -> FailureReason | None:
    """The reason that a stored receipt's code names; None for a code of another kind of gateway."""
    return FailureReason(code) if code in set(FailureReason) else None
