"""Who could be reached now is told as the fan-out would choose, with a reason for each who is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert, text

from consular.clock import utc_now
from consular.domain.audience import AudienceRule
from consular.domain.cap import AlertStatus
from consular.domain.readiness import CountryReadiness, PublicAccount, Standing
from consular.extensions import db
from consular.models.people import ContactPoint, Stay
from consular.providers.registry import Adapters
from consular.queries import audience
from consular.services import readiness
from consular.services.readiness import Means
from tests.factories import contact, make_people, phone
from tests.services.canary_world import NOW
from tests.services.test_canaries import capability
from tests.social_world import accounts, approved

MEANS = Means({"twilio": "+15005550006", "smpp": "+218900000"}, {("twilio", "LY")})
INDIAN = "+919800000001"


def look(country: str = "LY", means: Means = MEANS, now: datetime = NOW) -> CountryReadiness:
    readiness.refresh(now, timedelta(0))
    (found,) = readiness.look(means, now, country).countries
    return found


def proven(gateway: str, country: str, at: datetime = NOW) -> None:
    db.session.execute(
        text("insert into path_proofs (gateway, country, accepted_at, delivered_at) values (:g, :c, :at, :at)"),
        {"g": gateway, "c": country, "at": at},
    )
    db.session.commit()


def bind(failure: str | None = None, at: datetime = NOW) -> None:
    """The one connection to the SMSC stands, or not."""
    statement = """
        insert into heartbeats (task, ran_at, done_at, failure) values ('smpp', :now, :now, :failure)
        on conflict (task) do update set failure = excluded.failure
    """
    db.session.execute(text(statement), {"now": at, "failure": failure})
    db.session.commit()


@pytest.fixture
def crowd(session):
    """In Libya: five Libyan phones (one dead, one stopped), one Indian, one person without a phone."""
    make_people(session, 5)
    make_people(session, [INDIAN], phone_country="IN")
    make_people(session, [None])
    session.execute(
        text("update contact_points set unusable_since = now() where value_index = :i"), {"i": index(phone(1))}
    )
    session.execute(
        text("insert into opt_outs (value_index, gateway, opted_out_at) values (:i, 'actual', now())"),
        {"i": index(phone(2))},
    )
    session.commit()
    return session


def index(number: str) -> bytes:
    from consular.extensions import cipher

    return cipher.index(number, "phone")


def test_everybody_is_in_exactly_one_part(crowd):
    found = look()
    assert [(one.country, one.people) for one in found.phones] == [("LY", 3), ("IN", 1)]
    assert (found.no_phone, found.unusable_phone, found.opted_out) == (1, 1, 1)
    assert (found.people, found.reachable, found.no_gateway, found.waiting) == (7, 4, 0, 0)


def test_the_counts_are_those_of_an_audience(crowd):
    """As the preview of an alert to the country would show them: with stays that are over or not begun, a dead newer
    phone beside a usable older one, and a STOP that was taken back."""
    for days in ((-9, -1), (-1, 0), (0, 3), (2, 5)):
        (person,) = make_people(crowd, [None])
        crowd.execute(text("delete from stays where person_id = :p"), {"p": person})
        start, end = (NOW.date() + timedelta(days=one) for one in days)
        stay = {"id": uuid4(), "person_id": person, "country": "LY", "is_resident": False, "created_at": NOW}
        crowd.execute(insert(Stay), [{**stay, "from_date": start, "until_date": end}])
    (several,) = make_people(crowd, [phone(60)])
    newer = {**contact(several, phone(61)), "created_at": NOW + timedelta(days=9), "unusable_since": NOW}
    crowd.execute(insert(ContactPoint), [newer])
    stopped = "insert into opt_outs (value_index, gateway, opted_out_at, ended_at) values (:i, 'actual', now(), now())"
    crowd.execute(text(stopped), {"i": index(phone(3))})
    crowd.commit()
    found, same = look(), audience.count_audience(db.session, AudienceRule(("LY",)), NOW.date(), "twilio")
    assert found.people == same.people == 10
    assert found.reachable == same.with_phone
    assert (found.no_phone, found.unusable_phone) == (same.no_phone, same.unusable_phone)
    assert found.opted_out == same.opted_out


def test_somebody_with_two_stays_counts_once_in_each_country(session):
    (person,) = make_people(session, 1)
    for country in ("LY", "TN"):
        values = {"id": uuid4(), "person_id": person, "country": country, "is_resident": True, "created_at": NOW}
        session.execute(insert(Stay), [values])
    session.commit()
    assert (look("LY").people, look("TN").people) == (1, 1)


def test_the_gateway_is_chosen_by_the_country_of_the_number(crowd):
    capability("twilio", "IN", is_usable=False)
    capability("twilio", "LY")
    bind(at=utc_now())
    found = look(now=utc_now())
    ways = {one.country: one.way.gateway for one in found.phones}
    assert ways == {"LY": "twilio", "IN": "smpp"}
    libyan = found.phones[0]
    assert (libyan.paths[0].gateway, libyan.paths[0].reason) == ("twilio", None)
    indian = {path.gateway: path.reason for path in found.phones[1].paths}
    assert indian["twilio"] == "texts to this country do not go by it"


def test_whose_number_no_gateway_reaches_is_not_reachable(crowd):
    capability("twilio", "IN", is_usable=False)
    capability("smpp", "IN", is_usable=False)
    found = look()
    assert (found.reachable, found.no_gateway) == (3, 1)
    assert found.phones[1].best is None
    assert all(path.reason for path in found.phones[1].paths)


def test_texts_that_would_wait_are_not_reached_now(crowd):
    only = replace(MEANS, senders={"twilio": "+15005550006"})
    crowd.execute(text("insert into country_pauses values ('twilio', 'LY', '21408', 9, now() + interval '5 minutes')"))
    crowd.commit()
    found = look(means=only)
    assert (found.reachable, found.waiting) == (1, 3)
    assert "it refuses this country" in found.phones[0].best.reason


def test_an_smsc_without_a_connection_reaches_nobody_now(crowd):
    only = replace(MEANS, senders={"smpp": "+218900000"})
    now = utc_now()
    bind("refused", now)
    found = look(means=only, now=now)
    assert (found.reachable, found.waiting) == (0, 4)
    assert found.phones[0].best.reason == "there is no connection to the operator"
    bind()
    assert look(means=only, now=now).reachable == 4
    assert look(means=only, now=now + timedelta(minutes=1)).reachable == 0, "its process says nothing any more"


def test_without_a_real_gateway_nobody_is_reachable(crowd):
    found = look(means=Means({}, set()))
    assert (found.reachable, found.no_gateway) == (0, 4)
    assert found.standing(NOW) is Standing.NOBODY_REACHABLE


def test_a_country_whose_people_cannot_answer_is_reachable_all_the_same(crowd):
    for gateway in ("twilio", "smpp"):
        capability(gateway, "LY", is_two_way=False, allows_links=False)
    found = look()
    assert found.reachable == 4
    assert not found.phones[0].way.takes_replies


def test_proofs_belong_to_gateway_and_country_of_the_number(crowd):
    capability("twilio", "*")
    capability("smpp", "*", is_usable=False)
    assert look().standing(NOW) is Standing.UNPROVEN
    proven("twilio", "LY")
    found = look()
    assert (found.proven(NOW), found.standing(NOW)) == (3, Standing.PARTLY)
    assert found.proven(NOW + timedelta(hours=37)) == 0
    assert found.phones[0].paths[0].has_handset
    assert not found.phones[1].paths[0].has_handset


def test_an_empty_country_is_told_as_empty(session):
    found = look("AQ")
    assert found.people == 0
    assert [(one.country, one.people, one.way.gateway) for one in found.phones] == [("AQ", 0, "twilio")]


def test_all_countries_are_there_once(crowd):
    make_people(crowd, [phone(77)], country="TN")
    crowd.commit()
    readiness.refresh(NOW, timedelta(0))
    assert [(one.country, one.people) for one in readiness.look(MEANS, NOW).countries] == [("LY", 7), ("TN", 1)]


def test_people_are_counted_again_only_when_it_is_time(session):
    make_people(session, 1)
    session.commit()
    assert readiness.refresh(NOW)
    make_people(session, [phone(50)])
    session.commit()
    assert not readiness.refresh(NOW + timedelta(minutes=9))
    assert readiness.look(MEANS, NOW, "LY").countries[0].people == 1
    assert readiness.refresh(NOW + timedelta(minutes=11))
    counted = readiness.look(MEANS, NOW, "LY")
    assert (counted.countries[0].people, counted.counted_at) == (2, NOW + timedelta(minutes=11))


def test_a_trip_that_ended_counts_no_more_the_next_day(session):
    (person,) = make_people(session, 1)
    values = {"today": date(2026, 3, 1), "p": person}
    session.execute(text("update stays set is_resident = false, until_date = :today where person_id = :p"), values)
    session.commit()
    assert look(now=datetime(2026, 3, 1, 23, tzinfo=NOW.tzinfo)).people == 1
    assert look(now=datetime(2026, 3, 2, 1, tzinfo=NOW.tzinfo)).people == 0


def public(config) -> list[PublicAccount]:
    return readiness.public_accounts(Adapters(config).publishers)


def settle(state: str, hours: int, **facts: object) -> None:
    """The newest post ends so, `hours` ago."""
    values = {"state": state, "at": NOW - timedelta(hours=hours), "error": None, "published": None, **facts}
    statement = """
        update social_posts set state = :state, created_at = :at, error = :error, published_at = :published
        where id = (select id from social_posts where state = 'queued')
    """
    db.session.execute(text(statement), values)
    db.session.commit()


def test_without_a_public_account_there_is_none(session, config):
    assert public(config) == []
    practice = accounts(config, "https://social.example", prefix="exercise_")
    assert public(practice) == [], "what only exercises are posted to reaches nobody"


def test_public_accounts_tell_when_posts_went_out_and_failed(session, config):
    ready = accounts(config, "https://social.example", "https://api.telegram.org")
    for hours in (9, 5):
        approved(accounts(config, "https://social.example"))
        settle("published", hours, published=NOW - timedelta(hours=hours))
    for hours, error in ((4, "Too long."), (3, "HTTP 401")):
        approved(accounts(config, "https://social.example"))
        settle("failed", hours, error=error)
    approved(ready)
    told = {one.network: one for one in public(ready)}
    mastodon = told["mastodon"]
    assert (mastodon.account, mastodon.published_at) == ("@ada", NOW - timedelta(hours=5))
    assert (mastodon.failed_at, mastodon.failure, mastodon.waiting) == (NOW - timedelta(hours=3), "HTTP 401", 1)
    assert told["telegram"] == PublicAccount("telegram", "@mission", waiting=1)


def test_posts_of_exercises_prove_nothing(session, config):
    both = accounts(accounts(config, "https://social.example"), "https://social.example", prefix="exercise_")
    approved(both, status=AlertStatus.EXERCISE)
    settle("published", 1, published=NOW)
    assert public(both) == [PublicAccount("mastodon", "@ada")]
