"""The list of texts with Twilio's filters and pages, newest first; new texts may stay out of it for a while."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from urllib.parse import urlencode

from consular.drill.gateway.http1 import response
from consular.drill.gateway.rendering import Renderer, error
from consular.drill.gateway.store import Record, Status, Store

MAX_PAGE = 1000
DEFAULT_PAGE = 50
_SECONDS_A_DAY = 86_400
Test = Callable[[Record], bool]


class Listing:
    """Reads the store as GET /Messages does. lag_seconds: how long a new text stays out, math.inf for ever.

    Both attributes may be changed while the gateway runs.
    """

    def __init__(self, store: Store, renderer: Renderer, lag_seconds: float) -> None:
        self._store = store
        self._renderer = renderer
        self.lag_seconds = lag_seconds
        self.is_failing = False

    def is_visible(self, number: int, now: float) -> bool:
        """Whether a text shows up yet."""
        return self._store.created_at(number) + self.lag_seconds <= now

    def single(self, number: int) -> bytes:
        """One text as a whole response."""
        document = self._renderer.message(self._store.record(number), self._store.sid(number))
        return response(200, json.dumps(document).encode("ascii"))

    def page(self, query: dict[str, str], now: float) -> bytes:
        """One page, 500 while the list is failing.

        Filters: To, From, DateSent, DateSent>, DateSent< (a day or an ISO 8601 time; all inclusive).
        """
        if self.is_failing:
            return error(500, 20500)
        size = min(MAX_PAGE, max(1, _whole(query.get("PageSize", ""), DEFAULT_PAGE)))
        page = _whole(query.get("Page", ""), 0)
        found: list[Record] = []
        rest = None
        for record in self._matching(query, now):
            if len(found) == size:
                rest = record
                break
            found.append(record)
        messages = [self._renderer.message(record, self._store.sid(record.number)) for record in found]
        return self._renderer.page(messages, page, size, self._links(query, page, size, rest))

    def _links(self, query: dict[str, str], page: int, size: int, rest: Record | None) -> dict[str, str | None]:
        kept = {name: value for name, value in query.items() if name not in {"Page", "PageSize", "PageToken"}}
        kept["PageSize"] = str(size)
        base = f"{self._renderer.base}.json?"
        after = None
        if rest is not None:
            after = base + urlencode(kept | {"Page": str(page + 1), "PageToken": f"PA{self._store.sid(rest.number)}"})
        first = base + urlencode(kept | {"Page": "0"})
        return {"first_page_uri": first, "next_page_uri": after, "previous_page_uri": None}

    def _matching(self, query: dict[str, str], now: float) -> Iterator[Record]:
        last = self._store.number(query.get("PageToken", "")[2:])
        tests = _tests(query)
        for number in self._candidates(query):
            if (last is not None and number > last) or not self.is_visible(number, now):
                continue
            record = self._store.record(number)
            if all(test(record) for test in tests):
                yield record

    def _candidates(self, query: dict[str, str]) -> Iterator[int]:
        """Numbers newest first; nothing but replies goes to a number that no citizen has."""
        for name in ("To", "From"):
            numbers = self._store.numbers(query.get(name, ""))
            if numbers:
                return reversed(numbers)
        if query.get("To"):
            return self._store.numbers_with(Status.RECEIVED)
        return iter(range(len(self._store) - 1, -1, -1))


def _tests(query: dict[str, str]) -> list[Test]:
    tests: list[Test] = []
    if query.get("To"):
        tests.append(lambda record: record.to == query["To"])
    if query.get("From"):
        tests.append(lambda record: record.sender == query["From"])
    least, most = _sent_bounds(query)
    if (least, most) != (None, None):
        tests.append(lambda record: _is_sent_between(record, least, most))
    return tests


def _is_sent_between(record: Record, least: float | None, most: float | None) -> bool:
    if not record.sent_at:
        return False
    return (least is None or record.sent_at >= least) and (most is None or record.sent_at <= most)


def _sent_bounds(query: dict[str, str]) -> tuple[float | None, float | None]:
    """First and last second asked for. A text that is still queued has no date and matches no bound."""
    least = most = None
    for name in ("DateSent", "DateSent>"):
        if query.get(name):
            least = _seconds(query[name])
    for name in ("DateSent", "DateSent<"):
        if query.get(name):
            most = _seconds(query[name]) + (_SECONDS_A_DAY - 1 if len(query[name]) <= len("2011-02-24") else 0)
    return least, most


def _seconds(text: str) -> float:
    """A day or a time in ISO 8601, without a zone taken as UTC; the beginning of time for anything else."""
    try:
        if len(text) <= len("2011-02-24"):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else otherwise
