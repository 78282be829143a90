"""Which gateway carries a text: every rule of the choice, one line each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from consular.domain.alerts import AlertRefusedError, Refusal, check_ways
from consular.domain.gateways import EXERCISE, GATEWAYS
from consular.domain.routing import (
    DEFAULTS,
    EVERYWHERE,
    Candidate,
    Capability,
    CapabilityTable,
    Health,
    Needs,
    SenderKind,
    Way,
    choose,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SOON, BEFORE = NOW + timedelta(minutes=5), NOW - timedelta(minutes=5)
REPLY = Needs(asks_for_reply=True)


def candidate(gateway: str, health: Health | None = None, *, configured: bool = True, **facts: object) -> Candidate:
    return Candidate(Capability(gateway, **facts), health or Health(), configured)  # type: ignore[arg-type]


def euros(cents: str) -> dict[str, object]:
    return {"cost_cents": Decimal(cents), "currency": "EUR"}


T, S, H = "twilio", "smpp", "http"
ONE_WAY = {"is_two_way": False}
NO_LINKS = {"allows_links": False}
MUTE = ONE_WAY | NO_LINKS
UNPROVEN = {"receipts_believable": False}
STOPPED, REFUSED, FAILING = Health(SOON), Health(country_refused_until=SOON), Health(is_failing=True)
CUT_OFF = Health(is_cut_off=True)


@pytest.mark.parametrize(
    ("candidates", "needs", "opened", "stopped"),
    [
        ([candidate(H), candidate(S), candidate(T)], Needs(), [T, S, H], []),
        ([candidate(T, configured=False), candidate(S)], Needs(), [S], []),
        ([candidate(T, is_usable=False), candidate(S)], Needs(), [S], []),
        ([candidate(T, is_usable=False)], Needs(), [], []),
        ([], Needs(), [], []),
        ([candidate(T, **MUTE), candidate(S)], REPLY, [S], []),
        ([candidate(T, **MUTE), candidate(S, **UNPROVEN)], Needs(), [T, S], []),
        ([candidate(T, **ONE_WAY), candidate(S, **UNPROVEN)], REPLY, [S, T], []),
        ([candidate(T, **ONE_WAY), candidate(S, **UNPROVEN)], Needs(), [T, S], []),
        ([candidate(T, **NO_LINKS), candidate(S)], Needs(has_link=True), [S], []),
        ([candidate(T, **NO_LINKS), candidate(S)], REPLY, [T, S], []),
        ([candidate(T, **ONE_WAY), candidate(S)], Needs(by_reply_only=True), [S], []),
        ([candidate(T, STOPPED), candidate(S, **UNPROVEN)], Needs(), [S], [T]),
        ([candidate(T, REFUSED), candidate(S, **UNPROVEN)], Needs(), [S], [T]),
        ([candidate(T, Health(BEFORE)), candidate(S)], Needs(), [T, S], []),
        ([candidate(S, CUT_OFF), candidate(H, **UNPROVEN)], Needs(), [H], [S]),
        ([candidate(T, STOPPED), candidate(S, REFUSED)], Needs(), [], [T, S]),
        ([candidate(T, FAILING), candidate(S)], Needs(), [S, T], []),
        ([candidate(T), candidate(S, FAILING, **euros("1"))], Needs(), [T, S], []),
        ([candidate(T, **euros("7")), candidate(S, **euros("2"))], Needs(), [S, T], []),
        ([candidate(T), candidate(S, **euros("2"))], Needs(), [S, T], []),
        ([candidate(T, **UNPROVEN), candidate(S, **euros("9"))], Needs(), [S, T], []),
        (
            [candidate(T, cost_cents=Decimal(7), currency="USD"), candidate(S, **euros("2"))],
            Needs(),
            [T, S],
            [],
        ),
    ],
    ids=[
        "nothing decides: the order of gateways",
        "not set up",
        "not usable",
        "the only one is not usable",
        "none",
        "nobody could answer",
        "nobody has to answer",
        "a reply before a link",
        "no reply is asked for: receipts decide",
        "an address in the text",
        "our own link is left out instead",
        "a receipt for a reply needs replies",
        "refuses our account",
        "refuses the country",
        "a pause that is over",
        "no connection",
        "all stand still",
        "failed lately",
        "failing is worse than dear",
        "the cheaper",
        "a known cost before an unknown",
        "receipts before cost",
        "two currencies are not compared",
    ],
)
def test_the_choice(candidates, needs, opened, stopped):
    for given in permutations(candidates):
        choice = choose(given, needs, NOW)
        assert (list(choice.open), list(choice.stopped)) == (opened, stopped)
        assert choice.best == next(iter(opened + stopped), None)
        others = {one.gateway for one in given} - ({choice.best} - {*stopped})
        assert set(choice.reasons) == others, "whatever is not taken has a reason"
        assert all(choice.reasons.values())


@pytest.mark.parametrize(
    ("candidate_", "needs", "reason"),
    [
        (candidate(S, configured=False), Needs(), "it is not set up"),
        (candidate(S, is_usable=False), Needs(), "texts to this country do not go by it"),
        (candidate(S, **MUTE), REPLY, "people can neither reply to it nor get a link by it"),
        (candidate(S, **NO_LINKS), Needs(has_link=True), "texts with an address are filtered out"),
        (candidate(S, STOPPED), Needs(), "it refuses our account or does not answer (tried again at 12:05:00 UTC)"),
        (candidate(S, REFUSED), Needs(), "it refuses this country (tried again at 12:05:00 UTC)"),
        (candidate(S, **ONE_WAY), REPLY, "people cannot reply to it"),
        (candidate(S, **UNPROVEN), Needs(), "its receipts are not believable"),
        (candidate(S, FAILING), Needs(), "it failed lately"),
        (candidate(S, **euros("99")), Needs(), "it costs more, or its cost is not known"),
        (candidate(S, **euros("2")), Needs(), "all else being equal, the other comes first"),
    ],
)
def test_why_another_gateway_is_passed_over(candidate_, needs, reason):
    assert choose([candidate(T, **euros("2")), candidate_], needs, NOW).reasons == {S: reason}


@pytest.mark.parametrize(
    ("candidates", "needs", "refusal"),
    [
        ([candidate(T, **MUTE)], REPLY, Refusal.NO_ANSWER),
        ([candidate(T, **MUTE), candidate(S, configured=False)], REPLY, Refusal.NO_ANSWER),
        ([candidate(T, **NO_LINKS)], Needs(has_link=True), Refusal.LINK_LOST),
        ([candidate(T, **MUTE), candidate(S)], REPLY, None),
        ([candidate(T, **MUTE), candidate(S, STOPPED)], REPLY, None),
        ([candidate(T, **MUTE, is_usable=False)], REPLY, None),
        ([candidate(T, **MUTE, configured=False)], REPLY, None),
        ([candidate(T, **MUTE)], Needs(), None),
    ],
    ids=[
        "neither reply nor link",
        "the other is not set up",
        "the address would be lost",
        "another can",
        "another can, when it runs again",
        "no text goes there anyway",
        "no gateway at all",
        "nobody is asked",
    ],
)
def test_a_text_that_nobody_could_answer_is_refused_where_it_could_go(candidates, needs, refusal):
    choices = {"LY": choose([candidate(T)], needs, NOW), "TN": choose(candidates, needs, NOW)}
    if refusal is None:
        check_ways(choices)
        return
    with pytest.raises(AlertRefusedError) as caught:
        check_ways(choices)
    assert (caught.value.refusal, list(caught.value.countries)) == (refusal, ["TN"])


@pytest.mark.parametrize(
    ("candidates", "needs", "open_", "stopped"),
    [
        ([candidate(T, **MUTE)], REPLY, [T], []),
        ([candidate(T, **MUTE, **UNPROVEN), candidate(S, **MUTE)], REPLY, [S, T], []),
        ([candidate(T, **MUTE), candidate(S, **ONE_WAY)], REPLY, [S], []),
        ([candidate(T, **MUTE), candidate(S, STOPPED)], REPLY, [], [S]),
        ([candidate(T, **MUTE), candidate(S, configured=False)], REPLY, [T], []),
        ([candidate(T, **MUTE, is_usable=False)], REPLY, [], []),
        ([candidate(T, **MUTE)], Needs(asks_for_reply=True, has_link=True), [], []),
        ([candidate(T, **ONE_WAY)], Needs(by_reply_only=True), [], []),
    ],
    ids=[
        "rather without the question than not at all",
        "the better of two",
        "whoever can answer by the link is asked",
        "an answer is waited for",
        "the other is not set up",
        "no text goes there anyway",
        "the address would be lost all the same",
        "receipts for replies are another matter",
    ],
)
def test_only_where_nobody_could_answer_a_text_goes_without_its_question(candidates, needs, open_, stopped):
    found = choose(candidates, needs, NOW, accepts_no_answer=True)
    assert (list(found.open), list(found.stopped)) == (open_, stopped)
    if found.best is not None:
        check_ways({"AE": found})
    elif needs.has_link:
        with pytest.raises(AlertRefusedError) as caught:
            check_ways({"AE": found})
        assert caught.value.refusal is Refusal.LINK_LOST


@pytest.mark.parametrize(
    ("sender", "country", "two_way", "kind"),
    [
        ("+15005550006", EVERYWHERE, True, SenderKind.NUMBER),
        ("MG" + "0" * 32, EVERYWHERE, True, SenderKind.NUMBER),
        ("", EVERYWHERE, True, SenderKind.NUMBER),
        ("Embassy", EVERYWHERE, False, SenderKind.ALPHANUMERIC),
        ("Embassy", "LY", False, SenderKind.ALPHANUMERIC),
        ("12345", EVERYWHERE, False, SenderKind.SHORT_CODE),
        ("12345", "LY", True, SenderKind.NUMBER),
    ],
)
def test_what_the_configured_sender_does_to_replies(sender, country, two_way, kind):
    found = Capability(S, country).sent_from(sender)
    assert (found.is_two_way, found.sender_kind) == (two_way, kind)


def test_a_country_has_its_own_row_else_that_for_everywhere_else_what_we_take_for_granted():
    own, everywhere = Capability(T, "LY", is_two_way=False), Capability(T, allows_links=False)
    table = CapabilityTable({(T, "LY"): own, (T, EVERYWHERE): everywhere})
    assert table.of(T, "LY") is own
    assert table.of(T, "TN") is table.of(T, None) is everywhere
    assert table.of(S, "LY") is DEFAULTS[S]
    assert table.countries == {"LY"}
    assert own.way == Way(takes_replies=False, carries_links=True)
    assert set(DEFAULTS) == set(GATEWAYS)
    assert DEFAULTS[EXERCISE].way == Way()
