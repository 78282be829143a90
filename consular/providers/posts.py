"""What the answer to a public post means, the same for every network; all doubt is UNKNOWN."""

import json
import re
from collections.abc import Callable
from typing import Any

from consular.domain.ports import PostResult, SendOutcome
from consular.providers.exchange import Answer, Exchange, Route

SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 120.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]+")


def post_once(route: Route, body: bytes) -> Answer:
    """Write one POST at most once over a connection of its own."""
    exchange = Exchange(route)
    try:
        return exchange.run(body)
    finally:
        exchange.curl.close()


def judge_post(
    answer: Answer,
    read_success: Callable[[dict[str, Any]], tuple[str, str | None] | None],
    read_error: Callable[[dict[str, Any]], tuple[object, object]],
) -> PostResult:
    """The class of a post's exchange.

    read_success gives (post id, permalink) of a 2xx answer, None when it proves nothing. read_error gives (error text,
    seconds to wait) of another answer. Both get the parsed JSON object, empty when there is none.
    """
    if not answer.is_written:
        return PostResult(SendOutcome.NOT_SENT, error="The network could not be reached.")
    if answer.status is None:
        return PostResult(SendOutcome.UNKNOWN, error="The network did not answer; the post may be there.")
    fields = json_object(answer.body)
    if 200 <= answer.status < 300:
        return _judge_success(answer.status, read_success(fields))
    text, wait = read_error(fields)
    if answer.status == 429:
        seconds = _seconds(wait, answer.retry_after_seconds)
        return PostResult(SendOutcome.NOT_SENT, None, None, 429, "The network asks us to wait.", seconds)
    if answer.status == 408 or not 400 <= answer.status < 500:
        words = f"The network answered with HTTP {answer.status}; the post may be there."
        return PostResult(SendOutcome.UNKNOWN, None, None, answer.status, words)
    return PostResult(SendOutcome.REFUSED, None, None, answer.status, _refusal(answer.status, text))


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in the body, empty when there is none."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def header_value(secret: str) -> str:
    """The secret as part of a header; raises ValueError, without showing it, when it could break out of it."""
    if not re.fullmatch(r"[A-Za-z0-9._~:+/=-]{1,500}", secret):
        raise ValueError("The access token is missing or has signs that no token has.")
    return secret


def _judge_success(status: int, success: tuple[str, str | None] | None) -> PostResult:
    if success is None:
        words = "The network's answer cannot be read; the post may be there."
        return PostResult(SendOutcome.UNKNOWN, None, None, status, words)
    post_id, permalink = success
    return PostResult(SendOutcome.ACCEPTED, post_id, permalink, status)


def _refusal(status: int, text: object) -> str:
    if status in {401, 403}:
        return "The network refused our sign-in; the access token must be renewed."
    words = _CONTROL.sub(" ", text).strip()[:200] if isinstance(text, str) else ""
    return f"The network refused the post: {words}" if words else f"The network refused the post (HTTP {status})."


def _seconds(named: object, from_header: float | None) -> float | None:
    is_number = isinstance(named, int | float) and not isinstance(named, bool)
    seconds = float(named) if is_number and isinstance(named, int | float) else from_header
    return None if seconds is None else min(max(seconds, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
