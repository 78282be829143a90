"""A gateway that refuses, hangs, breaks off, lies or cannot be found (F10-F15, F27)."""

from __future__ import annotations

from collections.abc import Callable

from consular.loopback import free_port
from tests.faults.desk import Alert
from tests.faults.play import Play
from tests.faults.proxy import Door, Trouble
from tests.faults.story import Case
from tests.faults.world import SENDERS
from tests.waiting import eventually

MOST_REFUSALS = 20
TOTAL_TIMEOUT = 15.0
_ATTEMPTS = """select count(*) from message_attempts a join messages m on m.id = a.message_id
               where m.event_id = %s and a.outcome = %s"""


def too_many(play: Play) -> None:
    """A storm of 429, then one that asks for 20 s of silence."""
    alert = play.send()
    play.wait_until_moving(alert)
    play.simulator.faults({"429": 1.0})
    play.wait(5.0)
    settled = _struck(play)
    play.wait(4.0)
    pace = (_struck(play) - settled) / 4.0
    play.must(pace <= play.site.settings.rate / 10, f"{pace:.0f} requests a second after 5 s of 429")
    before = _struck(play)
    play.simulator.faults({"429_long": 1.0})
    eventually(lambda: _struck(play) > before, 20)
    play.wait(1.5)
    heard = _struck(play)
    play.wait(12.0)
    asked = _struck(play) - heard
    play.must(asked == 0, f"{asked} requests in 12 s although 20 s were asked for")
    play.simulator.faults()
    play.fault_is_over()
    play.verdict.injected = _struck(play)


def server_errors(play: Play) -> None:
    """5xx before and after the text was accepted."""
    began = _struck(play)
    play.simulator.faults({"500_before": 0.03, "500_after": 0.05, "503_before": 0.02})
    alert = play.send()
    _until_tried(play, alert)
    play.simulator.faults()
    play.fault_is_over()
    play.verdict.injected = _struck(play) - began


def hang(play: Play) -> None:
    """It hangs at every point of an exchange; then it is not there, then nobody takes the call."""
    kinds = (Trouble.HANG_BEFORE, Trouble.HANG_HEADERS, Trouble.HANG_BODY, Trouble.DRIP)
    alert = play.send()
    play.wait_until_moving(alert)
    before = play.site.proxy.struck.total()
    play.site.proxy.trouble(dict.fromkeys(kinds, 0.02))
    play.wait(2.0)
    for door in (Door.REFUSING, Door.HANGING):
        play.site.proxy.door(door)
        play.wait(3.0)
        play.site.proxy.door(Door.OPEN)
    play.wait(1.0)
    play.site.proxy.trouble()
    play.fault_is_over()
    play.verdict.injected = play.site.proxy.struck.total() - before


def nothing_hung(play: Play) -> None:
    """No request took longer than its limit."""
    query = """select max(a.latency_seconds) from message_attempts a join messages m on m.id = a.message_id
               where m.event_id = %s"""
    slowest = float(play.site.rows(query, play.alerts[0].event_id)[0][0] or 0.0)
    play.must(slowest <= TOTAL_TIMEOUT + 3.0, f"a request took {slowest:.1f} s")


def broken_answers(play: Play) -> None:
    """Reset, cut off, not what was asked for, pointing elsewhere."""
    before, at_proxy = _struck(play), play.site.proxy.struck.total()
    trap = free_port()
    play.site.proxy.redirect_to = f"http://127.0.0.1:{trap}/"
    kinds = ("reset_before", "reset_after", "truncated_after", "html_after", "wrong_sid_after", "redirect")
    play.simulator.faults(dict.fromkeys(kinds, 0.01))
    troubles = (Trouble.RESET_BEFORE, Trouble.RESET_AFTER, Trouble.TRUNCATED, Trouble.HTML, Trouble.REDIRECT)
    play.site.proxy.trouble(dict.fromkeys(troubles, 0.01))
    with _Trap(trap) as caught:
        alert = play.send()
        _until_tried(play, alert)
        play.simulator.faults()
        play.site.proxy.trouble()
    play.fault_is_over()
    play.must(caught.calls == 0, f"a redirect was followed {caught.calls} times")
    play.verdict.injected = _struck(play) - before + play.site.proxy.struck.total() - at_proxy


def silent_list(play: Play) -> None:
    """Texts in doubt, no receipts, and a list that is late, fails, and then never shows them."""
    play.simulator.network(lost_callback=1.0)
    play.simulator.faults({"500_after": 0.2})
    play.simulator.listing(is_failing=True)
    late = play.send()
    _until_tried(play, late)
    play.wait(4.0)
    play.simulator.listing(lag_seconds=5.0)
    play.must(eventually(lambda: play.states(late).get("unknown", 0) == 0, 80), "the late list settled nothing")
    play.simulator.listing(lag_seconds=None)
    for message_class in ("life_safety", "normal", "sensitive"):
        alert = play.send("TN", message_class)
        alert.leaves = message_class == "life_safety"
        _until_tried(play, alert)
    play.simulator.faults()
    play.fault_is_over()
    play.verdict.injected = sum(_count(play, alert, "unknown") for alert in play.alerts)


def by_its_class(play: Play) -> None:
    """Without proof the class decides: declared and sent again, kept waiting, held."""
    late, safety, normal, sensitive = play.alerts
    repeated = play.site.rows(
        "select count(*) from messages where event_id = any(%s) and possible_duplicate",
        [late.event_id, normal.event_id, sensitive.event_id],
    )[0][0]
    play.must(repeated == 0, f"{repeated} texts were sent again without need or leave")
    play.must(play.states(normal).get("unknown", 0) > 0, "no doubtful text of the normal class is kept waiting")
    eventually(lambda: play.states(sensitive).get("unknown", 0) == 0, 60)
    play.must(play.states(sensitive).get("held", 0) > 0, "no doubtful text of the sensitive class is held")
    declared = "select count(*) from messages where event_id = %s and possible_duplicate"
    play.note(f"{play.site.rows(declared, safety.event_id)[0][0]} texts sent again and declared")
    play.simulator.listing()
    play.simulator.network()
    play.must(
        eventually(lambda: "unknown" not in play.states(normal), 60), "the list shows them again, and nobody looks"
    )
    held = play.site.rows("select id from messages where event_id = %s and state = 'held'", sensitive.event_id)
    sensitive.exempt = {int(row[0]) for row in held}


def country_refused(play: Play) -> None:
    """21408 for everybody there: the line stops, the rows stay; after the repair all leave once."""
    before = _struck(play)
    play.simulator.faults({"21408": 1.0})
    alert = play.send("EG")
    _until_country_waits(play)
    play.wait(5.0)
    play.verdict.injected = _struck(play) - before
    play.must(play.verdict.injected <= MOST_REFUSALS, f"the breaker opened after {play.verdict.injected} requests")
    play.must(play.states(alert) == {"queued": alert.people}, f"the rows are {play.states(alert)}, not queued")
    play.must_alarm("country_refused", "EG by exercise")
    _mend_country(play, alert)


def country_refused_midway(play: Play) -> None:
    """The same on a line and into a country that have taken texts already."""
    alert = play.send("EG")
    play.wait_until_moving(alert)
    refused = _refuse_midway(play, alert, "21408", _until_country_waits)
    waiting = play.states(alert).get("queued", 0)
    play.must(waiting > MOST_REFUSALS, f"only {waiting} texts were left to be refused: the case proves nothing")
    play.must(waiting + play.gone(alert) == alert.people, f"the rows are {play.states(alert)}, not queued")
    play.must_alarm("country_refused", "EG by exercise")
    play.note(f"{refused} requests were refused before {waiting} texts waited")
    _mend_country(play, alert)


def account_refused(play: Play) -> None:
    """20003 in the middle of an alert: the whole line stops, and goes on by itself a minute later."""
    alert = play.send()
    play.wait_until_moving(alert)
    _refuse_midway(play, alert, "20003", _until_line_waits)
    play.must_alarm("account_refused", "exercise")
    play.simulator.faults()
    play.fault_is_over()
    play.must(play.wait_until_gone(alert, 120), "not all texts left after the repair")


def _refuse_midway(play: Play, alert: Alert, fault: str, wait: Callable[[Play], None]) -> int:
    """From now on all is refused: the number of requests that were, when the breaker is open."""
    play.simulator.faults({fault: 1.0})
    wait(play)
    play.wait(3.0)
    refused = count_refused(play, alert, fault)
    play.wait(5.0)
    play.verdict.injected = count_refused(play, alert, fault)
    play.must(refused == play.verdict.injected, "requests went on after the refusal")
    play.must(0 < refused <= MOST_REFUSALS, f"the breaker opened after {refused} requests")
    return refused


def count_refused(play: Play, alert: Alert, error: str) -> int:
    """Requests with a text of this alert that were refused so. The people of other alerts get their answers, too."""
    query = f"{_ATTEMPTS} and a.error_code = %s"
    return int(play.site.rows(query, alert.event_id, "refused", error)[0][0])


def _until_country_waits(play: Play) -> None:
    query = "select 1 from country_pauses where country = 'EG' and paused_until > now()"
    eventually(lambda: bool(play.site.rows(query)), 30)


def _until_line_waits(play: Play) -> None:
    query = "select 1 from senders where pause_reason like 'account%%' and paused_until > now()"
    eventually(lambda: bool(play.site.rows(query)), 20)


def _mend_country(play: Play, alert: Alert) -> None:
    play.simulator.faults()
    play.site.rows("update country_pauses set paused_until = now() where country = 'EG'")
    play.fault_is_over()
    play.must(play.wait_until_gone(alert, 120), "not all texts left after the repair")


def no_names(play: Play) -> None:
    """The gateway's name cannot be found: certainly not sent."""
    for name in SENDERS:
        play.site.stop(name)
        play.site.start(name, EXERCISE_GATEWAY_BASE_URL="http://gateway-is-away.test:8099")
    alert = play.send()
    eventually(lambda: _count(play, alert, "not_sent") > 0, 30)
    play.wait(4.0)
    play.verdict.injected = _count(play, alert, "not_sent")
    play.must(play.verdict.injected > 0, "no attempt was recorded as not sent")
    play.must(_count(play, alert, "unknown") == 0, f"{_count(play, alert, 'unknown')} texts in doubt though none left")
    for name in SENDERS:
        play.site.stop(name)
        play.site.start(name)
    play.fault_is_over()


class _Trap:
    """Where a redirect leads: counts who comes."""

    def __init__(self, port: int) -> None:
        import socket

        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.setblocking(False)
        self.calls = 0

    def __enter__(self) -> _Trap:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            while True:
                self._listener.accept()[0].close()
                self.calls += 1
        except BlockingIOError:
            self._listener.close()


def _struck(play: Play) -> int:
    return int(play.simulator.stats()["faults"])


def _count(play: Play, alert: object, outcome: str) -> int:
    return int(play.site.rows(_ATTEMPTS, alert.event_id, outcome)[0][0])  # type: ignore[attr-defined]


def _until_tried(play: Play, alert: object, seconds: float = 60.0) -> None:
    """Wait until every row was tried once: none is queued for the first time."""
    query = "select count(*) from messages where event_id = %s and state in ('queued', 'claimed', 'sending')"
    eventually(lambda: play.site.rows(query, alert.event_id)[0][0] == 0, seconds)  # type: ignore[attr-defined]


CASES = [
    Case("F15", "country refused (21408)", "P5", "<= 20 requests; all leave once after", country_refused, is_ci=True),
    Case("F15b", "account refused (20003)", "P5", "<= 20 requests; all leave once after", account_refused),
    Case(
        "F15c",
        "country refused in mid-alert",
        "P5",
        "<= 20 requests; all leave once after",
        country_refused_midway,
    ),
    Case("F27", "the gateway's name is not found", "P5", "not sent, nothing in doubt", no_names),
    Case("F10", "429, 429 with Retry-After 20", "P5", "rate falls within 5 s, the wait is kept", too_many),
    Case(
        "F11",
        "5xx before and after acceptance",
        "P5",
        "found by receipt or list; nothing twice",
        server_errors,
        is_ci=True,
    ),
    Case("F12", "hangs of six kinds", "P5", "no request above its limit", hang, nothing_hung),
    Case("F13", "reset, cut off, HTML, wrong id, redirect", "P5", "no redirect followed", broken_answers),
]
"""First those whose refusals would also strike what earlier cases left in doubt."""

LAST = [
    Case(
        "F14",
        "list late, failing, silent for ever",
        "reconcile",
        "the class decides",
        silent_list,
        by_its_class,
        waits=True,
    )
]
"""Its gateway stays as it is until everything has come to rest."""
