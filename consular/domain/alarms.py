"""Alarms as data: what is measured, from which value on somebody must act, and what they do first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from consular.domain.canaries import UNPROVEN_AFTER


@dataclass(frozen=True, slots=True)
class Alarm:
    """One rule. It is raised by a value above `threshold`, in `unit`. act: the first thing to do, one sentence.

    name is also that of its page in docs/runbooks. is_urgent: people are not warned or not heard while it stands.
    """

    name: str
    title: str
    threshold: float
    unit: str
    act: str
    is_urgent: bool = True

    @property
    def limit(self) -> str:
        """The threshold as people read it: "above 60 s", "above 36 h", and "at once" for none."""
        if self.threshold == 0:
            return "at once"
        hours, rest = divmod(self.threshold, 3600)
        in_hours = self.unit == "s" and hours and not rest
        return f"above {hours:,.0f} h" if in_hours else f"above {self.threshold:,.0f} {self.unit}"


@dataclass(frozen=True, slots=True)
class Reading:
    """A measured value. subject: the gateway, country or queue it is about. since: its beginning, where known."""

    alarm: str
    value: float
    since: datetime | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm that stands."""

    alarm: Alarm
    subject: str
    value: float
    since: datetime


_ALL = (
    Alarm(
        "database_unreachable",
        "The database does not answer",
        0,
        "failures",
        "Start PostgreSQL again; nothing is lost meanwhile, because gateways keep what we do not acknowledge.",
    ),
    Alarm(
        "restored",
        "This database is a restored copy: nothing is sent",
        0,
        "copies",
        "Switch the old system off, then run `consular restored compare` and `consular restored release`.",
    ),
    Alarm(
        "clock_silent",
        "The clock has stopped",
        15,
        "s",
        "Start the clock process: without it dead workers' texts are not taken up again.",
    ),
    Alarm(
        "no_worker",
        "No worker is alive",
        0,
        "queues",
        "Start the worker of this queue; until then `consular drain` does its work.",
    ),
    Alarm(
        "messages_waiting",
        "Texts are due and none leaves",
        60,
        "s",
        "Look whether a worker of this gateway runs, and send with `consular drain` if none can be started.",
    ),
    Alarm(
        "smpp_not_bound",
        "There is no connection to the operator's SMSC",
        30,
        "s",
        "Look whether worker-smpp runs and why the operator does not let it in; texts take another gateway, or wait.",
    ),
    Alarm(
        "account_refused",
        "The gateway refuses our account",
        0,
        "refusals",
        "Check the account at the gateway: password, balance, suspension; texts go by another gateway or wait.",
    ),
    Alarm(
        "gateway_silent",
        "The gateway does not answer",
        0,
        "failures",
        "Look whether this machine reaches it, and its status page; texts go by another gateway or wait.",
    ),
    Alarm(
        "country_refused",
        "The gateway refuses a whole country",
        0,
        "refusals",
        "Have the country permitted at the gateway. Its texts go by another gateway, if there is one, or wait.",
    ),
    Alarm(
        "texts_stranded",
        "Texts wait where they are refused, and no other gateway can take them",
        0,
        "queues",
        "Reach these people another way; put the gateway right, or set up one that may take these texts.",
    ),
    Alarm(
        "alert_unreadable",
        "The text of an alert cannot be read: nothing of it is sent",
        0,
        "texts",
        "Stop this alert and write it again now; its texts wait, and those of all other alerts leave.",
    ),
    Alarm(
        "texts_unread",
        "Texts from people wait to be read",
        30,
        "s",
        "Look whether the inbound worker runs: a call for help may be among them.",
    ),
    Alarm(
        "gaps_not_read",
        "The gateway's list of inbound texts cannot be read",
        180,
        "s",
        "Texts that webhooks missed stay unknown: check that the gateway's list answers, then read it by hand.",
    ),
    Alarm(
        "leases_stalled",
        "Work of dead workers is not taken up",
        0,
        "texts",
        "Look whether the clock runs and the database takes writes: the sweep gives leases up within seconds.",
    ),
    Alarm(
        "messages_held",
        "Texts are held for an officer",
        0,
        "texts",
        "Tell an approver: nobody knows whether these texts left, and only a person may decide to send again.",
        is_urgent=False,
    ),
    Alarm(
        "webhooks_forged",
        "Our webhooks refuse calls as forged",
        5,
        "calls in an hour",
        "Look whether they are the gateway's real calls: its token and WEBHOOK_BASE_URL must be as in our settings.",
    ),
    Alarm(
        "texts_gap_filled",
        "Webhooks missed texts from people",
        0,
        "texts in an hour",
        "Nothing is lost, but late: find out why the gateway did not reach our webhooks.",
        is_urgent=False,
    ),
    Alarm(
        "redis_unreachable",
        "Redis does not answer",
        0,
        "failures",
        "Start Redis again; until then keep `consular drain --watch` running.",
    ),
    Alarm(
        "fate_unknown",
        "Nobody knows whether texts left",
        300,
        "s",
        "Wait for the gateway's list or receipts to settle them; do not send again by hand.",
        is_urgent=False,
    ),
    Alarm(
        "receipts_waiting",
        "Receipts wait to be applied",
        300,
        "s",
        "Look whether the receipts worker runs; the board shows less than is known.",
        is_urgent=False,
    ),
    Alarm(
        "path_unproven",
        "Nothing proves that texts still get through",
        UNPROVEN_AFTER.total_seconds(),
        "s",
        "Look what became of the last test text, then send another with `consular canary send`.",
        is_urgent=False,
    ),
    Alarm(
        "sender_throttled",
        "The gateway slows us down",
        5,
        "s pause",
        "Compare the configured rate with what the gateway grants; lower it or ask for more.",
        is_urgent=False,
    ),
)

ALARMS: dict[str, Alarm] = {alarm.name: alarm for alarm in _ALL}


def evaluate(readings: Iterable[Reading], standing: Mapping[tuple[str, str], datetime], now: datetime) -> list[Raised]:
    """The alarms that stand, urgent ones first, then the oldest.

    standing: since when (alarm, subject) was seen raised before; used where a reading does not know its beginning.
    """
    raised = [
        Raised(ALARMS[one.alarm], one.subject, one.value, one.since or standing.get((one.alarm, one.subject), now))
        for one in readings
        if one.value > ALARMS[one.alarm].threshold
    ]
    return sorted(raised, key=lambda one: (not one.alarm.is_urgent, one.since, one.alarm.name, one.subject))
