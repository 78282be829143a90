"""Profiles as TOML files: the operator's on disk, ready ones in profiles/."""

import re
import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason, RefusalScope, SendOutcome
from consular.providers.http_gateway.profile import (
    AnswerRule,
    HttpProfile,
    InboundRules,
    ProfileError,
    ReceiptRules,
    RequestShape,
    require,
)

READY = ("kannel", "kannel-get")
_STATUSES = re.compile("[2-5]xx")

T = TypeVar("T")


def ready_profile(name: str) -> HttpProfile:
    """The profile that comes with Consular: one of READY. Raises ProfileError."""
    return read_profile(_ready_text(name))


def open_profile(name_or_path: str) -> HttpProfile:
    """A ready profile by its name, or the one in a file. Raises ProfileError."""
    if name_or_path in READY:
        return ready_profile(name_or_path)
    try:
        return read_profile(Path(name_or_path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        raise ProfileError(
            f"The profile cannot be read: give one of {', '.join(READY)}, or the path of a file."
        ) from None


def read_profile(toml: str) -> HttpProfile:
    """The profile in a TOML text (docs/http-gateways.md); like = "kannel" takes what is missing from that one.

    Raises ProfileError with a sentence for the operator.
    """
    try:
        table = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"The profile is no TOML: {error}.") from None
    top = _only(_completed(table), "the profile", {"name", "url", "like", "request", "answers", "receipts", "inbound"})
    answers = top.get("answers", [])
    require(isinstance(answers, list), "The profile's answers must be written as [[answers]].")
    return HttpProfile(
        name=_text(top, "name"),
        url=_text(top, "url", ""),
        request=_request(_table(top, "request")),
        answers=tuple(_answer(rule) for rule in answers),
        receipts=_receipts(_table(top, "receipts")) if "receipts" in top else None,
        inbound=_inbound(_table(top, "inbound")) if "inbound" in top else None,
    )


def _ready_text(name: str) -> str:
    require(name in READY, f"There is no ready profile of that name; there are {', '.join(READY)}.")
    return files(__package__).joinpath("profiles", f"{name}.toml").read_text("utf-8")


def _completed(table: dict[str, Any]) -> dict[str, Any]:
    """The table with whatever it does not say itself taken from the ready profile it is `like`."""
    return {**tomllib.loads(_ready_text(_text(table, "like"))), **table} if "like" in table else table


def _request(table: dict[str, Any]) -> RequestShape:
    known = {"method", "query", "headers", "form", "json", "body", "basic", "charset", "coding"}
    _only(table, "[request]", known)
    coding = _fields(table, "coding") or {}
    _only(coding, "[request.coding]", {"gsm", "unicode"})
    return RequestShape(
        method=_text(table, "method").upper(),
        query=_fields(table, "query") or {},
        headers=_fields(table, "headers") or {},
        form=_fields(table, "form"),
        json=_table(table, "json") if "json" in table else None,
        body=_text(table, "body") if "body" in table else None,
        basic=_text(table, "basic", ""),
        charset=_text(table, "charset", "utf-8"),
        codings=(coding.get("gsm", "0"), coding.get("unicode", "2")),
    )


def _answer(rule: Any) -> AnswerRule:
    require(isinstance(rule, dict), "Each answer must be a table: [[answers]].")
    _only(rule, "[[answers]]", {"status", "body", "means", "reason", "scope", "wait_seconds"})
    wait = rule.get("wait_seconds")
    is_wait = wait is None or (isinstance(wait, int | float) and not isinstance(wait, bool) and 0 < wait <= 120)
    require(is_wait, "wait_seconds must be above 0 and at most 120.")
    return AnswerRule(
        statuses=_statuses(rule.get("status")),
        means=_word(SendOutcome, _text(rule, "means")),
        body=_pattern(rule["body"]) if "body" in rule else None,
        reason=_word(FailureReason, _text(rule, "reason", FailureReason.PROVIDER_ERROR)),
        scope=_word(RefusalScope, _text(rule, "scope", RefusalScope.NUMBER)),
        wait_seconds=None if wait is None else float(wait),
    )


def _statuses(value: Any) -> frozenset[int]:
    named: set[int] = set()
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and _STATUSES.fullmatch(one):
            named |= set(range(int(one[0]) * 100, int(one[0]) * 100 + 100))
        else:
            require(isinstance(one, int) and not isinstance(one, bool), 'A status is a number such as 202, or "4xx".')
            named.add(one)
    return frozenset(named)


def _receipts(table: dict[str, Any]) -> ReceiptRules:
    _only(table, "[receipts]", {"status", "states", "id", "detail", "failures"})
    failures = table.get("failures", [])
    is_list = isinstance(failures, list) and all(isinstance(one, dict) for one in failures)
    require(is_list, "Reasons of failures must be written as [[receipts.failures]].")
    for one in failures:
        _only(one, "[[receipts.failures]]", {"detail", "reason"})
    return ReceiptRules(
        status=_text(table, "status"),
        states={theirs: _word(MessageState, ours) for theirs, ours in (_fields(table, "states") or {}).items()},
        id=_optional(table, "id"),
        detail=_optional(table, "detail"),
        failures=tuple((_pattern(one.get("detail")), _word(FailureReason, _text(one, "reason"))) for one in failures),
    )


def _inbound(table: dict[str, Any]) -> InboundRules:
    names = {"sender", "text", "id", "time", "to", "charset", "default_charset", "country_code", "trunk_prefix"}
    _only(table, "[inbound]", names)
    return InboundRules(
        sender=_text(table, "sender"),
        text=_text(table, "text"),
        id=_optional(table, "id"),
        time=_optional(table, "time"),
        to=_optional(table, "to"),
        charset=_optional(table, "charset"),
        default_charset=_text(table, "default_charset", "utf-8"),
        country_code=_text(table, "country_code", ""),
        trunk_prefix=_text(table, "trunk_prefix", "0"),
    )


def _only(table: dict[str, Any], where: str, known: set[str]) -> dict[str, Any]:
    unknown = sorted(set(table) - known)
    require(not unknown, f"Unknown word in {where}: {', '.join(unknown)}. Known: {', '.join(sorted(known))}.")
    return table


def _table(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = table.get(key)
    if not isinstance(value, dict):
        raise ProfileError(f"The profile needs a table [{key}].")
    return value


def _fields(table: Mapping[str, Any], key: str) -> dict[str, str] | None:
    if key not in table:
        return None
    value = _table(table, key)
    require(all(isinstance(one, str) for one in value.values()), f"Every value in {key} must be in quotation marks.")
    return value


def _text(table: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str):
        raise ProfileError(f"The profile needs {key}, in quotation marks.")
    return value


def _optional(table: Mapping[str, Any], key: str) -> str | None:
    return _text(table, key) if key in table else None


def _pattern(value: Any) -> re.Pattern[str]:
    try:
        return re.compile(value)
    except (re.error, TypeError):
        raise ProfileError("A pattern in the profile is no regular expression.") from None


def _word(kind: Callable[[str], T], word: str) -> T:
    try:
        return kind(word)
    except ValueError:
        words = ", ".join(getattr(kind, "__members__", {})).lower()
        raise ProfileError(f"{word} is not among {words}.") from None
