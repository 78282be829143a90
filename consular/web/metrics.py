"""The figures of the service in Prometheus' text format 0.0.4. No label holds personal data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime

from consular.domain.alarms import ALARMS
from consular.services.operations import Line, Report, State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[str, Mapping[str, str], float]

_HELP = {
    "database_up": "1 while the database answers.",
    "redis_up": "1 while Redis answers; absent without Redis.",
    "alarm": "Value of an alarm that stands (consular/domain/alarms.py).",
    "alarm_since_seconds": "Unix time since when the alarm stands.",
    "alarm_threshold": "Value above which the alarm is raised, of every alarm that there is.",
    "clock_tick_seconds": "Unix time of the clock's last tick.",
    "workers": "Living workers of a queue.",
    "messages": "Texts of all alerts by state; queued includes what workers have in hand.",
    "messages_due_seconds": "Unix time since when the oldest text that may leave now is due.",
    "messages_unknown": "Texts of which nobody knows whether they left.",
    "messages_held": "Texts held for an officer.",
    "messages_stalled": "Texts whose worker's lease is over.",
    "sender_paused": "Seconds until the sender may send again.",
    "country_paused": "Seconds until a country is tried again.",
    "texts_waiting": "Texts from people that are not read yet.",
    "texts_oldest_seconds": "Unix time when the oldest of them came.",
    "texts_gap_filled": "Texts found in the gateway's list that no webhook brought.",
    "list_read_seconds": "Unix time when the gateway's list of texts from people was last read.",
    "smpp_bound": "1 while the connection to the operator's SMSC stands.",
    "webhooks_refused_total": "Calls at our webhooks that were refused as forged, by door.",
    "receipts_waiting": "Receipts that are not applied yet.",
    "receipts_oldest_seconds": "Unix time when the oldest of them came.",
}


def exposition(report: Report) -> str:
    """What a scraper reads."""
    return render(_samples(report))


def render(samples: Iterator[Sample]) -> str:
    """The exposition format: HELP and TYPE once a metric, its samples together."""
    lines: dict[str, list[str]] = {}
    for name, labels, value in samples:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        number = "+Inf" if math.isinf(value) else f"{value:.15g}"
        lines.setdefault(name, []).append(
            f"consular_{name}{{{inner}}} {number}" if inner else f"consular_{name} {number}"
        )
    parts = (
        f"# HELP consular_{name} {_HELP[name]}\n# TYPE consular_{name} {_type(name)}\n" + "\n".join(found)
        for name, found in lines.items()
    )
    return "\n".join(parts) + "\n"


def _type(name: str) -> str:
    return "counter" if name.endswith("_total") else "gauge"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _samples(report: Report) -> Iterator[Sample]:
    state = report.state
    yield "database_up", {}, 1 if state else 0
    if state is not None:
        yield from _service(state)
        for line in state.lines:
            yield from _line(line, state.at)
    for one in report.alarms:
        labels = {"alarm": one.alarm.name, "subject": one.subject}
        yield "alarm", labels, one.value
        yield "alarm_since_seconds", labels, one.since.timestamp()
    for alarm in ALARMS.values():
        yield "alarm_threshold", {"alarm": alarm.name, "unit": alarm.unit}, alarm.threshold


def _service(state: State) -> Iterator[Sample]:
    if state.has_redis:
        yield "redis_up", {}, 0 if state.workers is None else 1
    for queue, number in (state.workers or {}).items():
        yield "workers", {"queue": queue}, number
    yield from _moment("clock_tick_seconds", state.clock_at)
    for name, number in state.messages.items():
        yield "messages", {"state": name}, number
    yield "texts_waiting", {}, state.texts.number
    yield from _moment("texts_oldest_seconds", state.texts.since)
    yield "receipts_waiting", {}, state.receipts.number
    yield from _moment("receipts_oldest_seconds", state.receipts.since)
    for door, refused in state.refused_calls.items():
        yield "webhooks_refused_total", {"door": door}, refused.total
    for pause in state.countries:
        labels = {"gateway": pause.gateway, "country": pause.country, "error": pause.error_code}
        yield "country_paused", labels, (pause.paused_until - state.at).total_seconds()


def _line(line: Line, now: datetime) -> Iterator[Sample]:
    labels = {"gateway": line.gateway}
    yield from _moment("messages_due_seconds", line.due_since, labels)
    yield "messages_unknown", labels, line.unknown.number
    yield "messages_held", labels, line.held.number
    yield "messages_stalled", labels, line.stalled.number
    yield "texts_gap_filled", labels, line.gap_filled
    yield from _moment("list_read_seconds", line.list_read_at, labels)
    if line.bind is not None:
        yield "smpp_bound", labels, line.bind.stands(now)
    seconds = max(0.0, (line.paused_until - now).total_seconds()) if line.paused_until else 0.0
    yield "sender_paused", labels | {"reason": line.pause_reason or ""}, seconds


def _moment(name: str, moment: datetime | None, labels: Mapping[str, str] | None = None) -> Iterator[Sample]:
    if moment is not None:
        yield name, labels or {}, moment.timestamp()
