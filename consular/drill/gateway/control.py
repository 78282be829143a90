"""What trainers, the drill's runner and tests ask the practice gateway itself (under /_sim, loopback only)."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

from consular.drill.gateway.faults import FaultSource
from consular.drill.gateway.http1 import Head, form_fields, response
from consular.drill.gateway.listing import Listing
from consular.drill.gateway.network import PhoneNetwork
from consular.drill.gateway.people import People
from consular.drill.gateway.profiles import Fault, Network
from consular.drill.gateway.store import STATUS_NAMES, Status, Store, digest, link, reference
from consular.drill.gateway.timing import Answer

PREFIX = "/_sim/"
Stats = Callable[[], dict[str, Any]]


class Control:
    """GET stats, log, answers, expected, quiet; POST faults (JSON: fault -> share), texts (form: From, To, Body),

    network (JSON: names of Network -> values), list (JSON: lag_seconds, null for ever; is_failing).
    """

    def __init__(
        self,
        store: Store,
        people: People,
        faults: FaultSource,
        network: PhoneNetwork,
        listing: Listing,
        stats: Stats,
    ) -> None:
        self._store = store
        self._people = people
        self._faults = faults
        self._network = network
        self._listing = listing
        self._stats = stats

    def answer(self, head: Head, body: bytes) -> Answer:
        """The answer to one request; 404 with the list of what there is for anything unknown."""
        query = form_fields(head.query)
        route = head.method, head.path.removeprefix(PREFIX)
        if route == ("GET", "stats"):
            return _json(self._stats())
        if route == ("GET", "quiet"):
            return _json({"quiet": self._stats()["pending"] == 0})
        if route == ("GET", "log"):
            return _lines(self.log(_bound(query, "offset", 0), _bound(query, "limit", len(self._store))))
        if route == ("GET", "answers"):
            return _lines(answer.row() for answer in self._people.inbox.answers)
        if route == ("GET", "expected"):
            return _lines(self.expected(query.get("to")))
        if route in {("POST", "faults"), ("POST", "network"), ("POST", "list")}:
            return self._set_faults(body) if route[1] == "faults" else self._change(route[1], body)
        if route == ("POST", "texts"):
            fields = form_fields(body.decode("ascii", "replace"))
            return _json({"sid": self._people.speak(fields["From"], fields["To"], fields["Body"])})
        return Answer(response(404, (Control.__doc__ or "").encode(), "text/plain"))

    def log(self, offset: int = 0, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Accepted texts from number `offset` on: no text in them, only a fingerprint, reference and callback path."""
        stop = len(self._store) if limit is None else min(len(self._store), offset + limit)
        for number in range(offset, stop):
            if self._store.status(number) is Status.RECEIVED:
                continue
            record = self._store.record(number)
            yield {
                "number": number,
                "sid": self._store.sid(number),
                "to": record.to,
                "attempt": record.callback.partition("?")[0].rpartition("/")[2] or None,
                "reference": reference(record.body),
                "has_link": link(record.body) is not None,
                "body_hash": digest(record.body),
                "status": STATUS_NAMES[record.status],
                "error_code": record.error_code or None,
                "created_at": record.created_at,
                "sent_at": record.sent_at or None,
                "acknowledged": self._store.acknowledged(number),
            }

    def expected(self, to: str | None) -> Iterator[dict[str, Any]]:
        """What the holder of each texted phone means to answer, or of the one phone asked for."""
        phones = [to] if to else self._store.texted_phones()
        for phone in phones:
            holder = self._people.expected(phone)
            if holder is not None:
                yield {
                    "to": phone,
                    "line": holder.line.value,
                    "language": holder.language,
                    "meant": holder.meant.value,
                    "first": holder.intent.value if holder.is_heard else None,
                    "count": holder.count,
                    "path": holder.path.value,
                    "second": holder.second.value,
                    "delay_seconds": holder.reply_delay_seconds,
                }

    def _set_faults(self, body: bytes) -> Answer:
        try:
            shares = {Fault(name): float(share) for name, share in json.loads(body).items()}
        except (ValueError, AttributeError, TypeError):
            known = ", ".join(fault.value for fault in Fault)
            return Answer(response(400, f"A JSON object of fault and share; faults: {known}".encode(), "text/plain"))
        self._faults.shares = shares
        return _json({fault.value: share for fault, share in shares.items()})

    def _change(self, what: str, body: bytes) -> Answer:
        """How the network or the list behaves from now on; what is not named is as it was at the start."""
        try:
            values = json.loads(body)
            if what == "network":
                self._network.network = Network(**values)
            else:
                lag = values.get("lag_seconds", 0.0)
                self._listing.lag_seconds = math.inf if lag is None else float(lag)
                self._listing.is_failing = bool(values.get("is_failing", False))
        except (ValueError, AttributeError, TypeError):
            return Answer(response(400, (Control.__doc__ or "").encode(), "text/plain"))
        return _json(values)


def _bound(query: dict[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() else otherwise


def _json(document: object) -> Answer:
    return Answer(response(200, json.dumps(document).encode()))


def _lines(rows: Iterator[dict[str, Any]]) -> Answer:
    lines = "".join([json.dumps(row) + "\n" for row in rows])
    return Answer(response(200, lines.encode(), "application/x-ndjson"))
