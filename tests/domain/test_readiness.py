"""Gaps are told in words: whom a text does not reach, why, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from consular.domain.canaries import canary_text
from consular.domain.readiness import CountryReadiness, LastTest, Path, Phones, Proof, Standing, worst_first
from consular.domain.readiness_words import age, gaps, used_as, whose
from consular.domain.segmentation import segment

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = {"LY": "Libya", "IN": "India"}


def path(gateway: str = "twilio", reason: str | None = None, **facts: object) -> Path:
    values = {"is_right": True, "is_open": True, "proof": Proof(), "takes_replies": True, "has_handset": False}
    return Path(gateway=gateway, reason=reason, **{**values, **facts})


def country(*phones: Phones, code: str = "LY", **parts: int) -> CountryReadiness:
    return CountryReadiness(code, phones, **{"no_phone": 0, "unusable_phone": 0, "opted_out": 0, **parts})


def told(one: CountryReadiness) -> list[tuple[int, str, str]]:
    return [(gap.people, gap.why, gap.act) for gap in gaps(one, NAMES.__getitem__, NOW)]


def test_a_delivery_that_can_be_believed_or_a_reply_is_a_proof():
    assert Proof(accepted_at=NOW).proven_at is None
    assert Proof(accepted_at=NOW, delivered_at=NOW - DAY).proven_at == NOW - DAY
    assert Proof(delivered_at=NOW - DAY, heard_at=NOW).proven_at == NOW


def test_where_receipts_are_worth_nothing_that_it_was_taken_must_do():
    assert Proof(accepted_at=NOW, receipts_believable=False).proven_at == NOW


def test_a_ready_country_has_no_gaps():
    fresh = path(proof=Proof(delivered_at=NOW - timedelta(hours=36)))
    one = country(Phones("LY", 5, [fresh]))
    assert (one.standing(NOW), told(one)) == (Standing.READY, [])
    assert one.standing(NOW + timedelta(seconds=1)) is Standing.UNPROVEN


def test_gaps_say_how_many_why_and_what_to_do():
    stopped = path(is_open=False, reason="it refuses our account")
    unfit = path("smpp", is_right=False, is_open=False, reason="texts to this country do not go by it")
    one = country(Phones("LY", 5, [stopped]), Phones("IN", 2, [unfit]), no_phone=3, unusable_phone=4, opted_out=1)
    found = told(one)
    assert [gap[0] for gap in found] == [5, 2, 3, 4, 1]
    assert found[0][1] == "Texts to numbers of Libya would wait at twilio: it refuses our account"
    assert found[1][1] == "No gateway reaches numbers of India (smpp: texts to this country do not go by it)"
    assert all(gap[2].endswith(".") for gap in found)
    assert one.standing(NOW) is Standing.NOBODY_REACHABLE


def test_an_unproven_path_asks_for_a_test_or_for_a_handset():
    with_handset = country(Phones("LY", 5, [path(has_handset=True, proof=Proof(delivered_at=NOW - 3 * DAY))]))
    assert told(with_handset)[0][1] == "Texts to numbers of Libya leave by twilio, last proven 3 days ago"
    assert "test text now" in told(with_handset)[0][2]
    without = country(Phones("LY", 5, [path()]))
    assert "never proven" in told(without)[0][1]
    assert "CANARY_PHONES" in told(without)[0][2]
    assert "satellite phone of the mission" in told(country(Phones("001", 5, [path()])))[0][2]


def test_each_path_says_what_it_is_used_for():
    best, next_best = path(takes_replies=False), path("smpp", "it costs more")
    phones = Phones("LY", 1, [best, next_best, path("http", "it is broken", is_right=False, is_open=False)])
    assert [used_as(one, phones) for one in phones.paths] == [
        "Texts go by it; people cannot reply to it",
        "In reserve: it costs more",
        "Not used: it is broken",
    ]
    stopped = Phones("LY", 1, [path(is_open=False, reason="it refuses our account")])
    assert used_as(stopped.paths[0], stopped) == "Texts would wait here: it refuses our account"


def test_the_worst_country_comes_first():
    fresh = path(proof=Proof(delivered_at=NOW))
    ready, unproven = country(Phones("LY", 9, [fresh]), code="A"), country(Phones("LY", 5, [path()]), code="B")
    partly, nobody = country(Phones("LY", 9, [fresh]), code="C", no_phone=2), country(code="D", no_phone=1)
    bigger = country(Phones("LY", 8, [path()]), code="E")
    order = worst_first([ready, unproven, partly, nobody, bigger], NOW, timedelta(hours=36))
    assert [one.country for one in order] == ["D", "E", "B", "C", "A"]


def test_numbers_without_a_country_have_words():
    assert whose("", NAMES.__getitem__) == "numbers of which we do not know the country"
    assert whose("001", NAMES.__getitem__) == "satellite and other numbers of no country"


def test_ages_are_short():
    spans = [timedelta(seconds=20), timedelta(minutes=89), timedelta(hours=47), timedelta(days=3), -DAY]
    assert [age(NOW - span, NOW) for span in spans] == ["under a minute", "89 min", "47 h", "3 days", "under a minute"]


def test_a_test_text_fits_into_one_part():
    words = canary_text("Embassy of Testland in Tripoli", NOW.date(), "twilio", "ABC123", can_reply=True)
    assert segment(words).parts == 1
    assert "1 Mar 2026" in words


def test_a_test_that_failed_since_takes_a_proof_away_until_something_gets_through():
    failed = LastTest("failed: 30005", NOW - DAY / 2, NOW - DAY / 4)
    before, since = (Proof(delivered_at=NOW - DAY / part) for part in (2, 8))
    assert not path(proof=before, test=failed).is_proven(NOW)
    assert path(proof=since, test=failed).is_proven(NOW)
    assert path(proof=before, test=LastTest("waiting", NOW)).is_proven(NOW)
    one = country(Phones("LY", 5, [path(proof=before, test=failed)]))
    assert (one.proven(NOW), one.standing(NOW)) == (0, Standing.UNPROVEN)
    ((people, why, _),) = told(one)
    assert (people, why) == (
        5,
        "Texts to numbers of Libya leave by twilio, last proven 12 h ago, and its last test text failed 6 h ago",
    )
