"""The citizens behind the phones: they read an alert once and answer it as their behaviour says."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from consular.drill.behaviour import AnswerPath, Behaviour, Intent, SecondText, behaviour
from consular.drill.dice import dice
from consular.drill.gateway.links import Links
from consular.drill.gateway.segments import segments
from consular.drill.gateway.store import digest, link, reference
from consular.drill.gateway.webhooks import Webhooks
from consular.drill.gateway.world import API_VERSION, World
from consular.drill.numbers import is_stranger, stranger
from consular.drill.phrases import phrase

BORROWED_PHONE_ROLL = 0.4
STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "YES", "UNSTOP"})


@dataclass(slots=True)
class Answer:
    """One answer for the log: who meant what, by which way, and when it was taken (seconds since the epoch)."""

    about: str
    kind: Intent
    count: int | None
    path: AnswerPath
    sender: str
    sent_at: float
    sid: str | None = None
    text: str | None = None
    acked_at: float | None = None
    is_failed: bool = False

    def row(self) -> dict[str, Any]:
        """The answer as the log shows it; the text only as a fingerprint."""
        return {
            "sid": self.sid,
            "from": self.sender,
            "about": self.about,
            "kind": self.kind.value,
            "count": self.count,
            "path": self.path.value,
            "text_hash": None if self.text is None else digest(self.text),
            "sent_at": self.sent_at,
            "acked_at": self.acked_at,
            "failed": self.is_failed,
        }


@dataclass(slots=True)
class Inbox:
    """How many answers are meant, sent and taken."""

    planned: int = 0
    sent: int = 0
    acked: int = 0
    doubled: int = 0
    answers: list[Answer] = field(default_factory=list)


class People:
    """Everybody with a phone. `speak` puts a text of anyone, for trainers and tests."""

    def __init__(self, world: World, inbound: Webhooks, links: Links, inbound_url: str) -> None:
        self.inbox = Inbox()
        self.opted_out: set[str] = set()
        self._world = world
        self._schedule = world.schedule
        self._inbound = inbound
        self._links = links
        self._inbound_url = inbound_url
        self._answered: set[tuple[str, str]] = set()
        self._borrowed = stranger(dice(world.seed, "borrowed phone")[0])

    def expected(self, phone: str) -> Behaviour | None:
        """What the holder of a phone will do, None when nobody lives behind this gateway."""
        return None if self._world.rates is None else behaviour(phone, self._world.seed, self._world.rates)

    def read(self, number: int) -> None:
        """A text is on its phone. Only the first with the same personal link or reference is answered, no receipt."""
        record = self._world.store.record(number)
        url = link(record.body)
        holder = self.expected(record.to)
        if url is None or holder is None or holder.intent is Intent.NO_ANSWER or is_stranger(record.to):
            return
        ref = reference(record.body)
        known = {(record.to, url), (record.to, ref or url)}
        if known & self._answered:
            return
        self._answered |= known
        sender = record.sender or self._world.sender
        delay = self._world.wall(holder.reply_delay_seconds)
        self.inbox.planned += 1
        if holder.path is AnswerPath.LINK:
            self._schedule.after(delay, self._use_link, holder, url)
            return
        for later, intent, text in self._texts(holder, ref):
            self._schedule.after(delay + self._world.wall(later), self._send, holder, intent, text, sender)

    def speak(self, sender: str, to: str, text: str) -> str:
        """Send one text from any phone now; its sid."""
        answer = Answer(sender, Intent.UNCLEAR, None, AnswerPath.OWN_PHONE, sender, self._world.clock(), text=text)
        self._deliver(answer, to, 0.0)
        return answer.sid or ""

    def _texts(self, holder: Behaviour, ref: str | None) -> Iterator[tuple[float, Intent, str]]:
        """What a holder writes: seconds after the first text, what it means, the words."""
        first = phrase(holder.intent, holder.language, holder.wording, holder.count)
        is_away = holder.path is not AnswerPath.OWN_PHONE
        yield 0.0, holder.intent, f"{ref} {first}" if is_away and ref and holder.wording < 0.6 else first
        if holder.second is SecondText.NONE:
            return
        self.inbox.planned += 1
        intent = Intent.NEEDS_HELP if holder.second is SecondText.CORRECTION else holder.intent
        yield (
            60.0 + 600.0 * holder.wording,
            intent,
            phrase(intent, holder.language, 1.0 - holder.wording * 0.99 - 0.001),
        )

    def _send(self, holder: Behaviour, intent: Intent, text: str, to: str) -> None:
        sender = self._sender(holder)
        answer = Answer(holder.phone, intent, holder.count, holder.path, sender, self._world.clock(), text=text)
        double = 0.3 + holder.wording if holder.is_webhook_doubled else 0.0
        self._deliver(answer, to, double)

    def _sender(self, holder: Behaviour) -> str:
        if holder.path is AnswerPath.BORROWED_PHONE:
            return self._borrowed
        if holder.path is AnswerPath.OTHER_PHONE:
            return stranger(dice(self._world.seed, f"other phone of {holder.phone}")[0])
        return holder.phone

    def _deliver(self, answer: Answer, to: str, double_after: float) -> None:
        text = answer.text or ""
        self._note_opt_out(answer.sender, text)
        fields = self._fields(answer.sender, to, text)
        number = self._world.store.add_incoming(answer.sender, urlencode(fields).encode(), self._world.clock())
        answer.sid = fields["MessageSid"] = fields["SmsSid"] = fields["SmsMessageSid"] = self._world.store.sid(number)
        self.inbox.answers.append(answer)
        self.inbox.sent += 1

        def done(is_ok: bool) -> None:
            self._taken(answer, is_ok)

        self._inbound.post(self._inbound_url, fields, done)
        if double_after:
            self.inbox.doubled += 1
            self._schedule.after(double_after, self._inbound.post, self._inbound_url, fields)

    def _use_link(self, holder: Behaviour, url: str) -> None:
        answer = Answer(holder.phone, holder.intent, holder.count, AnswerPath.LINK, holder.phone, self._world.clock())
        self.inbox.answers.append(answer)
        self.inbox.sent += 1
        fields = {"answer": holder.intent.value, "count": str(holder.count or ""), "note": ""}
        if holder.intent is Intent.NEEDS_HELP:
            fields["note"] = phrase(holder.intent, holder.language, 0.99)
        self._links.answer(url, fields, lambda is_ok: self._taken(answer, is_ok))

    def _taken(self, answer: Answer, is_ok: bool) -> None:
        if is_ok:
            answer.acked_at = self._world.clock()
            self.inbox.acked += 1
        else:
            answer.is_failed = True

    def _note_opt_out(self, sender: str, text: str) -> None:
        """What the gateway itself does with STOP and START, as Twilio does on long numbers."""
        word = text.strip().upper()
        if word in STOP_WORDS:
            self.opted_out.add(sender)
        elif word in START_WORDS:
            self.opted_out.discard(sender)

    def _fields(self, sender: str, to: str, text: str) -> dict[str, str]:
        """The form of an inbound webhook; the sids are filled in once the text is stored."""
        places = {f"{end}{part}": "" for end in ("From", "To") for part in ("City", "State", "Zip", "Country")}
        return places | {
            "SmsStatus": "received",
            "NumMedia": "0",
            "NumSegments": str(segments(text)),
            "AccountSid": self._world.account_sid,
            "ApiVersion": API_VERSION,
            "From": sender,
            "To": to,
            "Body": text,
        }
