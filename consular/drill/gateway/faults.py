"""Faults a client meets, chosen by seed, phone and try, so that the same run fails in the same places."""

from consular.drill.dice import dice
from consular.drill.gateway.http1 import response
from consular.drill.gateway.profiles import Fault
from consular.drill.gateway.rendering import error
from consular.drill.gateway.timing import After, Answer

_BACKOFF_SECONDS, _LONG_BACKOFF_SECONDS = 1, 20
_HALF = 0.5
_PLAIN: dict[Fault, bytes] = {
    Fault.TOO_MANY: error(429, 20429, f"Retry-After: {_BACKOFF_SECONDS}\r\n"),
    Fault.TOO_MANY_FOR_LONG: error(429, 20429, f"Retry-After: {_LONG_BACKOFF_SECONDS}\r\n"),
    Fault.ERROR_BEFORE: error(500, 20500),
    Fault.ERROR_AFTER: error(500, 20500),
    Fault.UNAVAILABLE: error(503, 20503),
    Fault.SUSPENDED: error(403, 20005),
    Fault.NO_ACCESS: error(401, 20003),
    Fault.NO_PERMISSION: error(400, 21408),
    Fault.HTML_AFTER: response(200, b"<html><body>It works!</body></html>", "text/html"),
    Fault.WRONG_SID_AFTER: response(201, b'{"sid": "not-a-sid", "status": "queued"}'),
    Fault.REDIRECT: response(302, b"", headers="Location: http://127.0.0.1:9/\r\n"),
}


class FaultSource:
    """Decides which create request meets which fault; the shares can be changed while the gateway runs."""

    def __init__(self, seed: int, shares: dict[Fault, float]) -> None:
        self._seed = seed
        self._struck: dict[str, int] = {}
        self.shares = shares
        self.struck = 0

    @property
    def is_active(self) -> bool:
        """Whether any fault can strike."""
        return any(self.shares.values())

    def strike(self, to: str, earlier_texts: int) -> Fault | None:
        """The fault for this try, None for most. Tries are counted per phone, whatever became of them."""
        tries = earlier_texts + self._struck.get(to, 0)
        roll = dice(self._seed, f"try {tries} of {to}")[0]
        for fault, share in self.shares.items():
            if roll < share:
                self.struck += 1
                if not fault.is_accepted:
                    self._struck[to] = self._struck.get(to, 0) + 1
                return fault
            roll -= share
        return None

    def answer(self, fault: Fault, created: bytes) -> Answer | None:
        """What the client sees; `created` is the 201 it would have got. None: nothing, ever."""
        if fault in {Fault.HANG_BEFORE, Fault.HANG_AFTER}:
            return None
        if fault in {Fault.RESET_BEFORE, Fault.RESET_AFTER}:
            return Answer(b"", After.ABORT)
        if fault is Fault.TRUNCATED_AFTER:
            return Answer(created[: int(len(created) * _HALF)], After.CLOSE)
        return Answer(_PLAIN[fault])
