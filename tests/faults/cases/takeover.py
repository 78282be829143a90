"""Two real gateways, of which the first refuses in the middle of a real alert: the second one takes over (F15)."""

from __future__ import annotations

from consular.domain.gateways import HTTP, TWILIO
from tests.faults.cases.gateways import MOST_REFUSALS, count_refused
from tests.faults.play import Play
from tests.faults.story import Case

LONGEST_TAKEOVER = 60.0


def country_taken_over(play: Play) -> None:
    """The first refuses the country (21408)."""
    _take_over(play, "EG", "21408", "country_refused", "EG by twilio")


def account_taken_over(play: Play) -> None:
    """The first refuses the account (20003)."""
    _take_over(play, "LY", "20003", "account_refused", "twilio")


def _take_over(play: Play, country: str, fault: str, alarm: str, subject: str) -> None:
    """What the first one did not take leaves by the second while the first still refuses: time counts from then."""
    alert = play.send(country)
    play.wait_until_moving(alert)
    play.simulator.faults({fault: 1.0})
    play.fault_is_over()
    play.must(play.wait_until_gone(alert, LONGEST_TAKEOVER), f"the second one did not take over: {play.states(alert)}")
    play.verdict.injected = count_refused(play, alert, fault)
    play.must(0 < play.verdict.injected <= MOST_REFUSALS, f"the breaker opened after {play.verdict.injected} requests")
    play.must_alarm(alarm, subject)
    query = "select gateway, count(*) from messages where event_id = %s group by gateway"
    taken = {str(name): int(number) for name, number in play.site.rows(query, alert.event_id)}
    play.must(set(taken) == {TWILIO, HTTP}, f"the texts went by {taken}")
    play.note(f"{taken.get(TWILIO, 0)} texts left by the first gateway, {taken.get(HTTP, 0)} by the second")
    play.simulator.faults()


CASES = [
    Case("F15d", "country refused, a second gateway", "P5", "the rest goes out once by the second", country_taken_over),
    Case("F15e", "account refused, a second gateway", "P5", "the rest goes out once by the second", account_taken_over),
]
"""First the country: after its account was refused, a gateway is not the first for a while."""
