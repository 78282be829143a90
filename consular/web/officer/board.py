"""The board of a crisis: one page, and the part of it that is fetched again and again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from consular.clock import utc_now
from consular.domain import triage
from consular.queries import board as queries
from consular.queries.board import Board, CrisisHead
from consular.queries.requests import KINDS, RequestKind
from consular.services.alert_refusals import phone_country
from consular.web.officer import blueprint, wording
from consular.web.officer.wording import ASSESSMENTS, BUCKETS, REQUESTS

_BAR_WIDTH = 1000
_ALWAYS_SHOWN = (RequestKind.NEEDS_HELP, RequestKind.UNCLEAR)


@dataclass(frozen=True, slots=True)
class Part:
    """One number of the board, with the list behind it and its stretch of the bar (of _BAR_WIDTH)."""

    key: str
    words: wording.Words
    people: int
    heads: int
    url: str
    start: float
    width: float


@blueprint.get("/crises/<uuid:crisis_id>/board")
def board(crisis_id: UUID) -> ResponseReturnValue:
    """The whole page, complete without JavaScript."""
    now = utc_now()
    crisis = _crisis(crisis_id)
    return render_template("officer/board.html", loaded_at=now, **_figures(crisis, now))


@blueprint.get("/crises/<uuid:crisis_id>/board/fragment")
def board_fragment(crisis_id: UUID) -> ResponseReturnValue:
    """The figures alone; 304 when they are those that the page shows already."""
    figures = _figures(_crisis(crisis_id), utc_now())
    body = render_template("officer/board_fragment.html", **figures).encode()
    version = hashlib.sha256(body).hexdigest()[:20]
    seen = [tag.partition(":")[0] for tag in request.if_none_match.as_set()]
    response = Response(status=304) if version in seen else Response(body, mimetype="text/html")
    response.set_etag(version)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _crisis(crisis_id: UUID) -> CrisisHead:
    return queries.find_crisis(crisis_id) or abort(404)


def _figures(crisis: CrisisHead, now: datetime) -> dict[str, Any]:
    look = queries.look(crisis)
    told = list(_parts(look, queries.ANSWERED, 0))
    quiet = list(_parts(look, queries.UNANSWERED, sum(part.width for part in told)))
    return {
        "crisis": crisis,
        "look": look,
        "told": told,
        "quiet": quiet,
        "assessed": _assessed(look),
        "waiting": _waiting(look, now),
        "queue": [(row, REQUESTS[row.kind], wording.age_of(row, now)) for row in look.queue],
        "now": now.replace(second=0, microsecond=0),
        "age_rule": wording.AGE_RULE,
        "unasked": [phone_country(code or None) for code in look.unasked],
    }


def _parts(look: Board, buckets: Sequence[queries.Bucket], start: float) -> Iterator[Part]:
    for bucket in buckets:
        people = look.bucket(bucket)
        width = people / look.people * _BAR_WIDTH if look.people else 0.0
        url = url_for("officer.people_in_bucket", crisis_id=look.crisis.id, listed=bucket.value)
        yield Part(bucket.value, BUCKETS[bucket], people, look.heads(bucket), url, round(start, 2), round(width, 2))
        start += width


def _assessed(look: Board) -> list[tuple[str, int, str]]:
    return [
        (
            label,
            look.assessed(value),
            url_for("officer.people_in_bucket", crisis_id=look.crisis.id, listed=f"assessed-{value}"),
        )
        for value, label in ASSESSMENTS.items()
        if look.assessed(value)
    ]


def _waiting(look: Board, now: datetime) -> list[tuple[wording.Words, int, datetime | None, triage.Age | None, str]]:
    return [
        (
            REQUESTS[kind],
            look.open_requests[kind],
            look.oldest.get(kind),
            wording.age(kind, look.oldest[kind], now) if kind in look.oldest else None,
            url_for("officer.requests", crisis_id=look.crisis.id, kind=kind.value),
        )
        for kind in KINDS
        if look.open_requests[kind] or kind in _ALWAYS_SHOWN
    ]
