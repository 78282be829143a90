"""When each path was last proven is read from real texts and test texts alike, and a path without proof raises an
alarm."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from consular.domain.cap import AlertStatus
from consular.domain.delivery import MessageState
from consular.domain.readiness import LastTest, Proof
from consular.extensions import db
from consular.queries import capabilities
from consular.services import canaries, operations, proofs
from consular.services.operations import Installation
from tests.factories import alert_everybody, phone, rows
from tests.fakes import FakeGateway, refused
from tests.services.canary_world import LIBYAN, NOW, ONE, handed_over, hear, later, report, send_all
from tests.services.test_canaries import capability

TESTED = Installation(frozenset({"twilio"}), None, frozenset({("twilio", "LY")}))


def path(gateway: str = "twilio", country: str = "LY") -> Proof | None:
    return proofs.all_proofs().get((gateway, country))


def alarms(now: datetime = NOW) -> dict[tuple[str, str], datetime]:
    found = operations.look(TESTED, now).alarms
    return {one.subject: one.since for one in found if one.alarm.name == "path_unproven"}


def delivered(at: datetime, gateway: str = "twilio") -> None:
    db.session.execute(
        text("insert into path_proofs (gateway, country, accepted_at, delivered_at) values (:g, 'LY', :at, :at)"),
        {"g": gateway, "at": at},
    )
    db.session.commit()


def test_what_a_gateway_took_is_noted_by_country(session):
    alert_everybody(session, 3, status=AlertStatus.ACTUAL)
    send_all(FakeGateway("twilio"))
    assert proofs.update(NOW)
    (recorded_at,) = {row.recorded_at for row in rows(session, "select recorded_at from message_attempts")}
    assert path() == Proof(accepted_at=recorded_at)
    assert path(country="IN") is None


def test_a_refusal_proves_nothing(session):
    alert_everybody(session, 3, status=AlertStatus.ACTUAL)
    send_all(FakeGateway("twilio", answer=refused("21211")))
    proofs.update(NOW)
    assert path() is None


def test_a_receipt_and_a_reply_are_noted(session):
    alert_everybody(session, [phone(1)], status=AlertStatus.ACTUAL)
    gateway = FakeGateway("twilio")
    send_all(gateway)
    report(gateway, MessageState.DELIVERED)
    hear("1", sender=phone(1), at=later(minutes=3))
    proofs.update(NOW)
    found = path()
    assert found is not None
    assert (found.delivered_at, found.heard_at) == (NOW, later(minutes=3))


def test_a_receipt_without_our_attempt_is_found_by_the_gateways_id(session):
    alert_everybody(session, 1, status=AlertStatus.ACTUAL)
    gateway = FakeGateway("http")
    session.execute(text("update messages set gateway = 'http'"))
    session.commit()
    send_all(gateway)
    from consular.services import receipts

    receipts.store("http", gateway.list[0].provider_message_id, None, "delivered", None, [], NOW)
    receipts.process(MessageState, lambda code: None)
    proofs.update(NOW)
    assert path("http") is not None
    assert path("http").delivered_at == NOW


def test_an_answered_test_text_proves_both_directions(session):
    handed_over()
    hear("1")
    proofs.update(NOW)
    found = path()
    assert found is not None
    assert found.heard_at == later(minutes=2)
    assert found.proven_at is not None


def test_a_stranger_who_writes_proves_no_way_there(session):
    alert_everybody(session, [phone(1)], status=AlertStatus.ACTUAL)
    hear("hello", sender=phone(9))
    proofs.update(NOW)
    assert path() is None


def test_only_what_is_new_is_read_and_a_late_commit_is_not_missed(session):
    handed_over()
    assert proofs.update(NOW)
    assert not proofs.update(later(seconds=20)), "not due"
    session.execute(text("update path_proofs set accepted_at = 'epoch'"))
    session.execute(text("update message_attempts set recorded_at = :at"), {"at": NOW - timedelta(seconds=20)})
    session.commit()
    assert proofs.update(later(seconds=30))
    assert path() == Proof(accepted_at=NOW - timedelta(seconds=20)), "within the overlap"
    session.execute(text("update path_proofs set accepted_at = 'epoch'"))
    session.execute(text("update message_attempts set recorded_at = :at"), {"at": NOW - timedelta(seconds=10)})
    session.commit()
    assert proofs.update(later(seconds=60))
    assert path().accepted_at.year == 1970


def test_an_older_proof_never_replaces_a_newer_one(session):
    delivered(later(hours=5))
    alert_everybody(session, [phone(1)], status=AlertStatus.ACTUAL)
    gateway = FakeGateway("twilio")
    send_all(gateway)
    report(gateway, MessageState.DELIVERED)
    proofs.update(NOW)
    assert path().delivered_at == later(hours=5)


@pytest.mark.parametrize(("own", "believed"), [(None, False), (True, True), (False, False)])
def test_a_delivery_counts_only_where_receipts_can_be_believed(session, own, believed):
    capability("twilio", "*", receipts_believable=False)
    if own is not None:
        capability("twilio", "LY", receipts_believable=own)
    delivered(NOW)
    found = path()
    assert (found.delivered_at is not None, found.receipts_believable) == (believed, believed)
    assert found.accepted_at == NOW


def test_a_tested_path_without_any_proof_raises_the_alarm(session):
    assert list(alarms()) == ["LY by twilio"]
    delivered(NOW - timedelta(hours=35))
    assert alarms() == {}


def test_a_proof_that_is_too_old_raises_the_alarm_since_then(session):
    delivered(NOW - timedelta(hours=37))
    assert alarms() == {"LY by twilio": NOW - timedelta(hours=37)}


def test_a_failed_test_text_raises_the_alarm_at_once_and_a_good_one_ends_it(session):
    delivered(NOW - timedelta(hours=1))
    handed_over(FakeGateway("twilio", answer=refused("30005")))
    (failed_at,) = {row.updated_at for row in rows(session, "select updated_at from messages")}
    session.execute(text("update path_proofs set delivered_at = :at"), {"at": failed_at - timedelta(seconds=20)})
    session.commit()
    assert alarms() == {"LY by twilio": failed_at}
    session.execute(text("update path_proofs set delivered_at = :at"), {"at": failed_at + timedelta(seconds=20)})
    session.commit()
    assert alarms() == {}, "real texts were delivered since"


def test_untested_paths_raise_nothing(session):
    installation = Installation(frozenset({"twilio"}), None)
    found = operations.look(installation, NOW).alarms
    assert "path_unproven" not in {one.alarm.name for one in found}


def test_the_paths_of_an_installation_are_its_handsets_by_its_real_gateways(session):
    assert ONE.paths == {("twilio", "LY")}
    assert canaries.country_of(LIBYAN) == "LY"
    assert canaries.country_of("+881612345678") == "001"


def by_row(session) -> dict[tuple[str, str], list[tuple[str, datetime | None, LastTest | None]]]:
    found = proofs.seen_by_row(capabilities.all_rows(session))
    return {key: [(one.country, one.proof.proven_at, one.test) for one in paths] for key, paths in found.items()}


def test_the_row_for_everywhere_else_knows_the_paths_it_holds_for(session):
    for country in ("*", "TN"):
        capability("twilio", country)
    delivered(NOW - timedelta(hours=3))
    session.execute(text("insert into path_proofs select gateway, 'TN', accepted_at, delivered_at from path_proofs"))
    handed_over()
    session.execute(text("update canaries set created_at = :at, day = :at"), {"at": NOW - timedelta(days=9)})
    session.commit()
    at = NOW - timedelta(hours=3)
    tested = LastTest("accepted", NOW - timedelta(days=9))
    assert by_row(session) == {("twilio", "*"): [("LY", at, tested)], ("twilio", "TN"): [("TN", at, None)]}


def test_the_newest_path_of_a_row_comes_first(session):
    capability("smpp", "*", receipts_believable=False)
    for country, hours in (("CD", 5), ("LY", 1), ("TD", 9)):
        values = {"c": country, "at": NOW - timedelta(hours=hours)}
        session.execute(
            text("insert into path_proofs (gateway, country, accepted_at) values ('smpp', :c, :at)"), values
        )
    session.commit()
    assert [country for country, _, _ in by_row(session)["smpp", "*"]] == ["LY", "CD", "TD"]


def test_a_test_that_was_noted_outlives_its_text(session):
    capability("twilio", "LY", last_tested_at=NOW - timedelta(days=200), last_test_result="delivered")
    assert by_row(session) == {
        ("twilio", "LY"): [("LY", None, LastTest("delivered", NOW - timedelta(days=200)))],
    }


def test_what_proved_a_path_is_told_by_its_strongest_fact():
    taken = Proof(accepted_at=NOW)
    assert (taken.proven_by, Proof(NOW, receipts_believable=False).proven_by) == (None, "taken")
    assert Proof(NOW, NOW).proven_by == "delivered"
    assert Proof(NOW, NOW, later(minutes=2)).proven_by == "answered"
