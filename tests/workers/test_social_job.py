"""The whole way of a public post against servers other people wrote, also when the worker is killed on it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.extensions import db
from consular.models.officers import Officer
from consular.models.social import PostState
from consular.services import social
from tests.counterparts import mastodon_mock, telegram_test_api
from tests.social_world import (
    LINK,
    MASTODON_TOKEN,
    TELEGRAM_TOKEN,
    TEXTS,
    accounts,
    approved,
    drain,
    only_post,
    pass_time,
    posts,
)

pytestmark = pytest.mark.usefixtures("committing")
ROOT = Path(__file__).resolve().parent.parent.parent
JOB = """
from workers import runtime
from workers.jobs import social
with runtime.application().app_context():
    print("tried", social.drain())
"""


@pytest.fixture(scope="module")
def mastodon(tmp_path_factory):
    with mastodon_mock(tmp_path_factory.mktemp("mastodon")) as url:
        yield url


@pytest.fixture(scope="module")
def telegram():
    with telegram_test_api() as url:
        yield url


@pytest.fixture
def alert():
    """Words that no other test has."""
    headline = f"Fighting in Tripoli {os.urandom(4).hex()}"
    return {"en": {"headline": headline, "text": "Stay inside."}, "ar": {**TEXTS["ar"], "headline": headline}}


@pytest.fixture
def start_job(config):
    """start_job(config) runs the job once in a process of its own, as a worker does."""
    started = []

    def start(settings):
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", JOB], cwd=ROOT, env=environment(settings), stdout=subprocess.PIPE, text=True
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def environment(config):
    """The settings as a process reads them."""
    wanted = {"DATABASE_URL": config.database_url, "REDIS_URL": config.redis_url, "SECRET_KEY": config.secret_key}
    wanted |= {"CONSULAR_KEYS": config.keys, "PUBLIC_URL": config.public_url, "PYTHONPATH": str(ROOT)}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if re.match("(exercise_)?(mastodon|telegram)_", field.name) and value:
            wanted[field.name.upper()] = value
    return {"PATH": os.environ["PATH"], **wanted}


def on_mastodon(url, alert):
    """What stands on the account of this alert, oldest first."""
    headers = {"Authorization": f"Bearer {MASTODON_TOKEN}"}
    mine = requests.get(f"{url}/api/v1/accounts/verify_credentials", headers=headers, timeout=5).json()["id"]
    found = requests.get(f"{url}/api/v1/accounts/{mine}/statuses", params={"limit": 40}, timeout=5).json()
    return [status for status in reversed(found) if alert["en"]["headline"] in status["content"]]


def on_telegram(url, alert):
    """The texts in the channel of this alert."""
    history = requests.post(f"{url}/getUpdatesHistory", json={"token": TELEGRAM_TOKEN}, timeout=5).json()["result"]
    texts = [update["message"]["text"] for update in history]
    return [text for text in texts if alert["en"]["headline"] in text]


def test_alert_stands_on_mastodon_once_for_each_language(config, mastodon, alert, start_job):
    one = accounts(config, mastodon)
    event_id = approved(one, alert)
    for tried in ("tried 2\n", "tried 0\n"):
        assert start_job(one).communicate(timeout=60)[0].endswith(tried)
    standing = on_mastodon(mastodon, alert)
    assert {status["language"]: status["url"] for status in standing} == {
        row.language: row.permalink for row in posts(event_id)
    }
    assert [status["visibility"] for status in standing] == ["public"] * 2
    assert all(LINK in status["content"] for status in standing)


@pytest.mark.node
def test_alert_stands_in_the_telegram_channel_once_for_each_language(config, telegram, alert, start_job):
    one = accounts(config, telegram=telegram)
    event_id = approved(one, alert)
    for tried in ("tried 2\n", "tried 0\n"):
        assert start_job(one).communicate(timeout=60)[0].endswith(tried)
    rows = posts(event_id)
    assert sorted(on_telegram(telegram, alert)) == sorted(row.text for row in rows)
    assert all(re.fullmatch(r"https://t\.me/mission/\d+", row.permalink) for row in rows)


def test_exercise_stands_on_the_practice_account_only_and_says_so(config, mastodon, alert, serve):
    real = serve(lambda talk: talk.answer(500))
    both = accounts(accounts(config, real.url, real.url), mastodon, prefix="exercise_")
    approved(both, alert, AlertStatus.EXERCISE)
    drain(both)
    standing = on_mastodon(mastodon, alert)
    assert (len(standing), real.received) == (2, [])
    assert "EXERCISE" in standing[0]["content"] + standing[1]["content"]


def test_worker_killed_after_mastodon_took_the_post_leaves_exactly_one(config, mastodon, alert, serve, start_job):
    taken = threading.Event()

    def take_and_say_nothing(talk):
        headers = {name: talk.request.headers[name] for name in ("authorization", "idempotency-key", "content-type")}
        requests.post(f"{mastodon}{talk.request.path}", talk.request.body, headers=headers, timeout=10)
        taken.set()
        return talk.hang()

    event_id = approved(accounts(config, mastodon), {"en": alert["en"]})
    worker = start_job(accounts(config, serve(take_and_say_nothing).url))
    assert taken.wait(60)
    worker.kill()
    worker.wait(20)
    assert only_post(event_id).state is PostState.SENDING
    assert drain(accounts(config, mastodon)) == 0

    pass_time(2)
    assert drain(accounts(config, mastodon)) == 1

    (standing,) = on_mastodon(mastodon, alert)
    row = only_post(event_id)
    assert (row.state, row.permalink, row.provider_post_id) == (PostState.PUBLISHED, standing["url"], standing["id"])


@pytest.mark.node
def test_worker_killed_after_telegram_took_the_post_leaves_one_and_a_question(
    config, telegram, alert, serve, start_job
):
    taken = threading.Event()

    def take_and_say_nothing(talk):
        requests.post(f"{telegram}{talk.request.path}", json=json.loads(talk.request.body), timeout=10)
        taken.set()
        return talk.hang()

    event_id = approved(accounts(config, telegram=telegram), {"en": alert["en"]})
    worker = start_job(accounts(config, telegram=serve(take_and_say_nothing).url))
    assert taken.wait(60)
    worker.kill()
    worker.wait(20)
    for _ in range(2):
        pass_time(5)
        assert drain(accounts(config, telegram=telegram)) == 0
    assert len(on_telegram(telegram, alert)) == 1
    assert only_post(event_id).state is PostState.UNKNOWN

    officer_id = db.session.query(Officer.id).limit(1).scalar()
    social.confirm(only_post(event_id).id, officer_id, utc_now())
    assert only_post(event_id).state is PostState.PUBLISHED


def test_two_workers_at_once_post_once(config, mastodon, alert, start_job):
    one = accounts(config, mastodon)
    event_id = approved(one, alert)
    workers = [start_job(one) for _ in range(2)]
    tried = [int(worker.communicate(timeout=60)[0].split()[-1]) for worker in workers]
    assert (sum(tried), len(on_mastodon(mastodon, alert))) == (2, 2)
    assert {row.tries for row in posts(event_id)} == {1}
