"""How one operator wants its texts and how it answers, as data; wrong profiles are refused when they are read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason, RefusalScope, SendOutcome

REPORTABLE = frozenset(
    {
        MessageState.ACCEPTED,
        MessageState.SENT,
        MessageState.DELIVERED,
        MessageState.READ,
        MessageState.UNDELIVERED,
        MessageState.FAILED,
    }
)
"""What a receipt can say."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_COUNTRY_CODE = re.compile(r"[1-9][0-9]{0,2}")

Fields = Mapping[str, str]


class ProfileError(ValueError):
    """A profile that cannot be used; the text is for the operator and holds no secret."""


@dataclass(frozen=True, slots=True)
class RequestShape:
    """One request: templates by name. form, json and body exclude each other and need POST.

    json may nest. basic: "user:password" for HTTP Basic. codings: the operator's words for a GSM-7 and a UCS-2 text.
    charset: of query, form and body.
    """

    method: str
    query: Fields = field(default_factory=dict)
    headers: Fields = field(default_factory=dict)
    form: Fields | None = None
    json: Mapping[str, Any] | None = None
    body: str | None = None
    basic: str = ""
    charset: str = "utf-8"
    codings: tuple[str, str] = ("0", "2")

    def __post_init__(self) -> None:
        bodies = sum(one is not None for one in (self.form, self.json, self.body))
        is_right = (self.method == "GET" and bodies == 0) or (self.method == "POST" and bodies == 1)
        require(is_right, "A request is GET with [request.query], or POST with one of form, json and body.")
        require(all(map(_HEADER.fullmatch, self.headers)), "The name of a header has signs that no header has.")
        require_charset(self.charset)


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """What an answer means when its status is listed and its body holds the pattern. The first rule that fits decides.

    The group "id" of an accepted answer is the operator's message id; the group "code" of another its error code.
    Only a 4xx status may speak for itself: a 200 or 503 may come from a machine on the way (captive portal, proxy).
    """

    statuses: frozenset[int]
    means: SendOutcome
    body: re.Pattern[str] | None = None
    reason: FailureReason = FailureReason.PROVIDER_ERROR
    scope: RefusalScope = RefusalScope.NUMBER
    wait_seconds: float | None = None

    def __post_init__(self) -> None:
        known = all(200 <= status <= 299 or 400 <= status <= 599 for status in self.statuses)
        require(self.statuses and known, "An answer's rule needs statuses of 200-299 or 400-599.")
        is_plain = self.means is SendOutcome.UNKNOWN or (
            self.means is not SendOutcome.ACCEPTED and all(400 <= status <= 499 for status in self.statuses)
        )
        require(
            self.body or is_plain,
            "Such an answer may come from a proxy on the way: its rule needs words of the body, too.",
        )


@dataclass(frozen=True, slots=True)
class ReceiptRules:
    """Where a receipt keeps its words. states: ours by theirs. failures: why, by a pattern in the detail, in order."""

    status: str
    states: Mapping[str, MessageState]
    id: str | None = None
    detail: str | None = None
    failures: tuple[tuple[re.Pattern[str], FailureReason], ...] = ()

    def __post_init__(self) -> None:
        words = ", ".join(sorted(REPORTABLE))
        require(self.states and set(self.states.values()) <= REPORTABLE, f"A receipt's states must be among {words}.")


@dataclass(frozen=True, slots=True)
class InboundRules:
    """Where a text from a person keeps its words.

    id or time tell two equal texts from one repeated by the operator; with neither every call is a text of its own.
    charset: the field that names the text's charset; default_charset where there is none. country_code and
    trunk_prefix turn 0912... into +218912...
    """

    sender: str
    text: str
    id: str | None = None
    time: str | None = None
    to: str | None = None
    charset: str | None = None
    default_charset: str = "utf-8"
    country_code: str = ""
    trunk_prefix: str = "0"

    def __post_init__(self) -> None:
        require_charset(self.default_charset)
        is_code = not self.country_code or _COUNTRY_CODE.fullmatch(self.country_code)
        require(is_code, "The country code must be its digits alone, such as 218.")


@dataclass(frozen=True, slots=True)
class HttpProfile:
    """One operator. name: for people and logs. url: where requests go, unless the settings name another address."""

    name: str
    request: RequestShape
    answers: tuple[AnswerRule, ...]
    url: str = ""
    receipts: ReceiptRules | None = None
    inbound: InboundRules | None = None

    def __post_init__(self) -> None:
        require(_NAME.fullmatch(self.name), "A profile's name is small letters, digits, - and _.")
        is_answered = any(rule.means is SendOutcome.ACCEPTED for rule in self.answers)
        require(is_answered, "A profile needs at least one [[answers]] that means accepted.")


def require(is_right: object, message: str) -> None:
    """Raise ProfileError(message) unless is_right."""
    if not is_right:
        raise ProfileError(message)


def require_charset(name: str) -> None:
    """Raise ProfileError unless Python can read and write the charset."""
    try:
        "1".encode(name).decode(name)
    except (LookupError, ValueError):
        raise ProfileError("The profile names a charset that nobody knows, or that is none.") from None
