"""Whoever supervises the service learns how it is; strangers learn nothing; nobody learns a name."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from consular import create_app
from consular.clock import utc_now
from consular.domain.alarms import ALARMS, Raised
from consular.extensions import db
from consular.services import operations
from consular.services.operations import Report
from consular.web.metrics import exposition
from tests.factories import alert_everybody, phone

SAMPLE = re.compile(r'consular_[a-z_]+(\{([a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (-?[0-9.e+-]+|\+Inf)')
TOKEN = "scraper-token-scraper-token-0000"


def samples(page: str) -> dict[str, str]:
    found = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            assert SAMPLE.fullmatch(line), line
            name, _, value = line.rpartition(" ")
            assert name not in found
            found[name] = value
    return found


@pytest.fixture
def busy(session):
    """Three texts: one unknown, one held, one accepted; a text that nobody has read; a paused sender and country."""
    alert_everybody(session, 3)
    for statement in (
        "update messages set state = 'accepted'",
        """update messages set state = 'unknown', sending_at = now() - interval '20 minutes'
        where id = (select min(id) from messages)""",
        "update messages set state = 'held' where id = (select max(id) from messages)",
        """insert into senders (gateway, next_free_at, paused_until, pause_reason)
        values ('exercise', now(), now() + interval '1 minute', 'account_refused:20003')""",
        """insert into country_pauses (gateway, country, error_code, refusals, paused_until)
        values ('exercise', 'LY', '21408', 3, now() + interval '1 minute')""",
    ):
        session.execute(text(statement))
    session.commit()
    operations.beat("clock", utc_now())


def test_metrics_tell_the_figures_in_prometheus_format(busy, client: FlaskClient) -> None:
    answer = client.get("/metrics")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = samples(answer.text)
    assert found["consular_database_up"] == "1"
    assert found["consular_redis_up"] == "1"
    assert found['consular_workers{queue="inbound"}'] == "0"
    assert found['consular_messages{state="queued"}'] == "3", "the counters, which this test did not move"
    assert found['consular_messages_unknown{gateway="exercise"}'] == "1"
    assert found['consular_messages_held{gateway="exercise"}'] == "1"
    assert float(found['consular_sender_paused{gateway="exercise",reason="account_refused:20003"}']) > 50
    assert float(found['consular_country_paused{gateway="exercise",country="LY",error="21408"}']) > 50
    assert found['consular_alarm{alarm="messages_held",subject="exercise"}'] == "1"
    assert abs(float(found["consular_clock_tick_seconds"]) - utc_now().timestamp()) < 60


def test_metrics_tell_the_threshold_of_every_alarm(busy, client: FlaskClient) -> None:
    found = samples(client.get("/metrics").text)
    told = {name: value for name, value in found.items() if name.startswith("consular_alarm_threshold")}
    assert told['consular_alarm_threshold{alarm="messages_waiting",unit="s"}'] == "60"
    assert sorted(re.findall(r'alarm="([a-z_]+)"', " ".join(told))) == sorted(ALARMS)
    assert [float(value) for value in told.values()] == [alarm.threshold for alarm in ALARMS.values()]


def test_every_metric_has_its_help_and_type_once_and_its_samples_together(busy, client: FlaskClient) -> None:
    page = client.get("/metrics").text
    names = [line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert names == [line.split()[2] for line in page.splitlines() if line.startswith("# HELP")]
    order = [re.split(r"[{ ]", line)[0] for line in page.splitlines() if not line.startswith("#")]
    assert list(dict.fromkeys(order)) == names
    assert order == sorted(order, key=names.index)
    assert page.endswith("\n")


def test_no_metric_holds_a_phone_a_name_or_an_id(busy, client: FlaskClient) -> None:
    page = client.get("/metrics").text
    assert phone(1)[1:] not in page
    assert "Ravi" not in page
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", page)


def test_odd_values_are_escaped() -> None:
    odd = Raised(ALARMS["no_worker"], 'a"b\\c\nd', float("inf"), datetime.fromisoformat("2026-03-01T00:00:00+00:00"))
    assert 'consular_alarm{alarm="no_worker",subject="a\\"b\\\\c\\nd"} +Inf\n' in exposition(Report(None, [odd]))


def test_a_database_that_is_away_is_told(app, client: FlaskClient, monkeypatch) -> None:
    from sqlalchemy.exc import OperationalError

    def gone(*_):
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(db.session, "execute", gone)
    found = samples(client.get("/metrics").text)
    assert found["consular_database_up"] == "0"
    assert found['consular_alarm{alarm="database_unreachable",subject=""}'] == "1"
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(("revision", "status"), [("0001", 503), ("9999", 200)], ids=["behind", "ahead"])
def test_a_schema_that_is_behind_is_told(session, client: FlaskClient, revision: str, status: int) -> None:
    session.execute(text("update alembic_version set version_num = :revision"), {"revision": revision})
    answer = client.get("/readyz")
    assert answer.status_code == status
    assert status == 200 or "run `consular migrate`" in answer.json["reason"]


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.1.2.3", {}, 200),
        ("192.168.1.9", {}, 200),
        ("203.0.114.9", {}, 404),
        ("8.8.8.8", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.1"}, 404),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.1"}, 404),
        ("127.0.0.1", {"Via": "1.1 proxy"}, 404),
        ("8.8.8.8", {"Authorization": f"Bearer {TOKEN}"}, 200),
        ("127.0.0.1", {"X-Forwarded-For": "8.8.8.8", "Authorization": f"Bearer {TOKEN}"}, 200),
        ("8.8.8.8", {"Authorization": "Bearer wrong"}, 404),
        ("8.8.8.8", {"Authorization": "Bearer "}, 404),
        ("8.8.8.8", {"Authorization": "Bearer törichter"}, 404),
        ("", {}, 404),
    ],
)
def test_who_may_read_metrics(app, config, address, headers, status) -> None:
    ours = dataclasses.replace(config, metrics_token=TOKEN)
    app.config["CONSULAR"] = ours
    try:
        answer = app.test_client().get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": address})
        assert answer.status_code == status
        readiness = app.test_client().get("/readyz", headers=headers, environ_base={"REMOTE_ADDR": address})
        assert readiness.status_code == 200
        assert ("workers" in readiness.json) is (status == 200)
    finally:
        app.config["CONSULAR"] = config


def test_without_a_token_no_token_is_right(app) -> None:
    for value in ("Bearer ", "Bearer None", "None"):
        headers = {"Authorization": value}
        assert (
            app.test_client().get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": "8.8.8.8"}).status_code
            == 404
        )


@pytest.mark.parametrize(("client_address", "status"), [("10.0.0.5", 200), ("8.8.8.8", 404)])
def test_behind_a_known_proxy_its_word_counts(config, client_address, status) -> None:
    behind = create_app(dataclasses.replace(config, trusted_proxies=1), testing=True)
    with behind.app_context():
        try:
            answer = behind.test_client().get("/metrics", headers={"X-Forwarded-For": client_address})
            assert answer.status_code == status
        finally:
            db.session.remove()
            db.engine.dispose()


def test_readiness_tells_us_the_details(busy, client: FlaskClient) -> None:
    found = client.get("/readyz").json
    assert (found["status"], found["redis"]) == ("ok", "ok")
    assert found["workers"]["inbound"] == 0
    assert {"alarm": "messages_held", "subject": "exercise"} in found["alarms"]
    assert datetime.fromisoformat(found["clock"])


def test_readiness_tells_others_nothing_more(busy, client: FlaskClient) -> None:
    answer = client.get("/readyz", environ_base={"REMOTE_ADDR": "8.8.8.8"})
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
