"""The network between the gateway and the phones: how far each text gets, and the status callbacks about it."""

from collections.abc import Callable

from consular.drill.behaviour import Line, behaviour
from consular.drill.dice import dice
from consular.drill.gateway.profiles import Network
from consular.drill.gateway.store import STATUS_NAMES, Status
from consular.drill.gateway.webhooks import Webhooks
from consular.drill.gateway.world import API_VERSION, World

REFUSALS = {Line.INVALID: 21211, Line.NOT_MOBILE: 21614}
FAILURES = {
    Line.UNKNOWN_NUMBER: (Status.UNDELIVERED, 30005),
    Line.UNREACHABLE: (Status.UNDELIVERED, 30003),
    Line.LANDLINE: (Status.UNDELIVERED, 30006),
    Line.UNEXPLAINED: (Status.FAILED, 30008),
}
SETTLING_SECONDS = 0.02


class PhoneNetwork:
    """Moves accepted texts on. `arrived(number)` is called when a text is on its phone.

    `network` may be replaced while the gateway runs; texts that are under way keep what was rolled for them.
    """

    def __init__(self, world: World, network: Network, callbacks: Webhooks, arrived: Callable[[int], None]) -> None:
        self._world = world
        self._store = world.store
        self._schedule = world.schedule
        self._rates = world.rates
        self.network = network
        self._callbacks = callbacks
        self._arrived = arrived

    def refusal(self, to: str) -> int:
        """Twilio's code when the number is refused at once, 0 when not."""
        if self._rates is None:
            return 0
        return REFUSALS.get(behaviour(to, self._world.seed, self._rates).line, 0)

    def accepted(self, number: int) -> None:
        """Plan what happens to a text that was just accepted."""
        if self._rates is None:
            return
        to = self._store.phone(number)
        rolls = self._rolls(number)
        line = behaviour(to, self._world.seed, self._rates).line
        base = 0.0 if rolls[2] < self.network.early_callback else self._world.latency_seconds + SETTLING_SECONDS
        sent = base + self._between(self.network.sent_seconds, rolls[0])
        is_reordered = rolls[3] < self.network.reordered
        self._schedule.after(sent, self._move, number, Status.SENT, 0, is_reordered)
        if line in FAILURES:
            status, code = FAILURES[line]
            final = sent + self._between(self.network.failed_seconds, rolls[1])
            self._schedule.after(final, self._move, number, status, code, False)
            return
        final = sent + self._between(self.network.delivered_seconds, rolls[1])
        if line is Line.REACHED:
            if rolls[4] < self.network.contradicting:
                self._schedule.after(final, self._move, number, Status.UNDELIVERED, 30008, False)
                final += self._between(self.network.delivered_seconds, rolls[1])
            self._schedule.after(final, self._move, number, Status.DELIVERED, 0, False)
        self._schedule.after(final, self._arrived, number)

    def _rolls(self, number: int) -> tuple[float, ...]:
        """Chance of one text: the seed, the phone, and how many texts that phone had before."""
        to = self._store.phone(number)
        return dice(self._world.seed, f"text {self._store.numbers(to).index(number)} to {to}")

    def _between(self, bounds: tuple[float, float], roll: float) -> float:
        low, high = bounds
        return self._world.wall(low + (high - low) * roll * roll)

    def _move(self, number: int, status: Status, code: int, is_reordered: bool) -> None:
        self._store.set_status(number, status, code, self._world.clock())
        rolls = self._rolls(number)
        if rolls[5 + status] < self.network.lost_callback:
            return
        delay = 0.0
        if is_reordered:
            delay = self._between(self.network.delivered_seconds, rolls[1]) + 0.1
        self._schedule.after(delay, self._call_back, number, status, code)
        if rolls[10] < self.network.doubled_callback:
            self._schedule.after(delay + 0.2 + rolls[11], self._call_back, number, status, code)

    def _call_back(self, number: int, status: Status, code: int) -> None:
        record = self._store.record(number)
        if not record.callback:
            return
        sid, name = self._store.sid(number), STATUS_NAMES[status]
        fields = {
            "SmsSid": sid,
            "SmsStatus": name,
            "MessageStatus": name,
            "To": record.to,
            "MessageSid": sid,
            "AccountSid": self._world.account_sid,
            "From": record.sender or self._world.sender,
            "ApiVersion": API_VERSION,
        }
        if record.service:
            fields["MessagingServiceSid"] = record.service
        if code:
            fields["ErrorCode"] = str(code)

        def done(is_ok: bool) -> None:
            if is_ok:
                self._store.note_acknowledged(number, status)

        self._callbacks.post(record.callback, fields, done)
