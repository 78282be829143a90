"""What a drill showed: figures for people and for programs, with what is documented and what is assumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consular.drill.scenario import Scenario, provenance
from consular.models.statuses import Bucket
from consular.queries import drills
from consular.services.verification import Invariant

BOARD_REFRESH_SECONDS = 2.0
_PERSONS = {
    "safe": (Bucket.SAFE,),
    "needs_help": (Bucket.NEEDS_HELP,),
    "not_there": (Bucket.NOT_THERE,),
    "unclear": (Bucket.UNCLEAR,),
    "no_answer": (Bucket.SILENT,),
    "not_reached": (Bucket.HANDED_OVER, Bucket.WAITING, Bucket.NOT_DELIVERED, Bucket.NO_PHONE),
}
_WORDS = {
    "safe": "safe",
    "needs_help": "need help",
    "not_there": "not there",
    "unclear": "unclear, to be read by an officer",
    "no_answer": "delivered, no answer yet",
    "not_reached": "not known to be reached",
}


@dataclass(frozen=True, slots=True)
class Run:
    """What was run. forms: registrations through the web form. approval_seconds: seen from the approver's browser."""

    scenario: Scenario
    seed: int
    forms: int
    approval_seconds: float
    seconds: float


def compose(
    run: Run, stats: Mapping[str, Any], understood: Mapping[str, Any], invariants: Sequence[Invariant]
) -> dict[str, Any]:
    """The report as one JSON document; needs an application context."""
    event = drills.latest_event()
    assert event is not None
    times, heard = drills.handover_times(event.id), drills.replies()
    buckets = drills.buckets(event.crisis_id)
    last = float(times.last or 0)
    return {
        "scenario": run.scenario.name,
        "seed": run.seed,
        "people": int(event.people),
        "messages": drills.message_states(event.id),
        "gateway": dict(stats),
        "persons": {name: sum(buckets.get(bucket, 0) for bucket in group) for name, group in _PERSONS.items()},
        "not_reached": {bucket.value: buckets.get(bucket, 0) for bucket in _PERSONS["not_reached"]},
        "replies": {"received": int(heard.received), "processed": int(heard.processed)},
        "understood": understood,
        "registered_by_form": run.forms,
        "timings": {
            "approval_s": round(run.approval_seconds, 3),
            "first_handover_s": round(float(times.first), 3),
            "all_accepted_s": round(last, 3),
            "all_settled_s": round(float(times.settled), 3),
            "messages_per_s": round(times.number / last, 1) if last else 0.0,
            "reply_to_board_p99_s": round(float(heard.p99) + BOARD_REFRESH_SECONDS, 3),
            "drill_s": round(run.seconds, 1),
        },
        "invariants": {invariant.name: {"ok": invariant.ok, "detail": invariant.detail} for invariant in invariants},
        "provenance": [{"fact": fact, "value": value, "mark": mark} for fact, value, mark in provenance(run.scenario)],
        "ok": all(invariant.ok for invariant in invariants) and heard.received == heard.processed,
    }


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The report for a person to read."""
    yield f"\n{report['scenario']}, seed {report['seed']}: {report['people']:,} people selected\n"
    for name, number in report["persons"].items():
        yield f"  {number:>9,}  {_WORDS[name]}"
    yield f"  {sum(report['persons'].values()):>9,}  together\n"
    yield "  not known to be reached: " + ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in report["not_reached"].items()
    )
    yield "  messages: " + ", ".join(f"{count:,} {state}" for state, count in sorted(report["messages"].items()))
    gateway, replies, timings = report["gateway"], report["replies"], report["timings"]
    yield f"  gateway: {gateway['accepted']:,} texts accepted, {gateway['duplicates']:,} twice"
    yield f"  replies: {replies['received']:,} received, {replies['processed']:,} processed"
    yield "  meant, and read as:"
    for kind, read in report["understood"].items():
        yield f"    {kind.replace('_', ' '):>14}  " + ", ".join(f"{number:,} {name}" for name, number in read.items())
    yield f"  registered through the form: {report['registered_by_form']:,}; the others came as lists\n"
    yield f"  approval {timings['approval_s']:.2f} s, first hand-over {timings['first_handover_s']:.2f} s after it"
    yield f"  all accepted after {timings['all_accepted_s']:.2f} s: {timings['messages_per_s']:,.0f} messages/s"
    yield f"  texts without a clear answer from the gateway: all settled after {timings['all_settled_s']:.2f} s"
    yield f"  reply on the board within {timings['reply_to_board_p99_s']:.2f} s (99 of 100; refresh of 2 s included)\n"
    for name, result in report["invariants"].items():
        yield f"  {'✓' if result['ok'] else '✗'} {name.replace('_', ' ')}: {result['detail']}"
    yield "\n  Documented, disputed (X), not found (N) and assumed (A) figures:"
    for row in report["provenance"]:
        yield f"    {row['mark']}  {row['fact']}: {row['value']}"
    yield f"\n{'All promises kept.' if report['ok'] else 'A promise was broken: see the lines marked ✗.'}"
