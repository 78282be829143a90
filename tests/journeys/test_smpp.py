"""A real alert by a national operator's SMSC, which other people wrote: out, delivered, answered, through storms."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text as sql

from config import Config
from consular.domain.alerts import AlertAction
from consular.domain.cap import AlertStatus
from consular.extensions import db
from consular.models.statuses import Bucket
from consular.queries import board
from consular.queueing import connect
from consular.services.verification import check_invariants
from tests.factories import issue, make_crisis, make_people, phone, rows, set_messages
from tests.journeys.operator import Operator
from tests.providers.smpp.node_smsc import node_with_smpp
from tests.verified_world import decide
from tests.waiting import eventually
from tests.workers.processes import CLOCK, environment, process, worker

pytestmark = [pytest.mark.slow, pytest.mark.node, pytest.mark.timeout(240)]

PHONES = [phone(number * 100 + 1) for number in range(1, 51)]  # by their last digits the SMSC refuses none of them
ENGLISH, ARABIC = PHONES[:25], PHONES[25:]
TEXTS = {
    "en": "Fighting in Tripoli. Stay indoors, away from windows, and keep your papers with you.",
    "ar": "اشتباكات في طرابلس. ابقوا في بيوتكم بعيداً عن النوافذ واحتفظوا بأوراقكم معكم حتى إشعار آخر.",
}
HELP = ("نحن محاصرون في حي سوق الجمعة، ", "نحتاج مساعدة، معنا طفلان ومريض، ", "الرجاء الاتصال بنا بسرعة 😀")
BIND = [sys.executable, "-m", "workers.smpp"]

Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def node() -> str:
    return node_with_smpp()


@pytest.fixture
def operator(node: str) -> Iterator[Operator]:
    made = Operator(node)
    yield made
    made.smsc.stop()


@pytest.fixture
def mission(committing: Flask, config: Config) -> UUID:
    """An Actual crisis, an alert to fifty phones approved and not yet sent; the crisis's id."""
    assert config.redis_url is not None
    with connect(config.redis_url) as connection:
        connection.flushall()
    make_people(db.session, ENGLISH)
    make_people(db.session, ARABIC, language="ar")
    crisis_id = make_crisis(db.session, AlertStatus.ACTUAL)
    event_id = issue(db.session, crisis_id, status=AlertStatus.ACTUAL, texts=TEXTS)
    decide(db.session, event_id, AlertAction.APPROVE)
    set_messages(db.session, "gateway = 'smpp'")
    db.session.remove()
    return crisis_id


@pytest.fixture
def run(config: Config, operator: Operator, tmp_path: Path) -> Iterator[Run]:
    """run(command, **settings): one process of the product, stopped with the test; its log is named after it."""
    with ExitStack() as stack:
        number = 0

        def start(command: list[str], **changes: str) -> subprocess.Popen[str]:
            nonlocal number
            number += 1
            env = {**environment(config), **operator.settings(**changes)}
            entered: AbstractContextManager[Any] = process(command, env, tmp_path / f"{number}.log")
            return stack.enter_context(entered)

        yield start


def hear(run: Run) -> None:
    """Everything beside the bind itself."""
    for command in (worker("receipts"), worker("inbound"), CLOCK):
        run(command)


def count(statement: str, **values: Any) -> int:
    ((number,),) = rows(db.session, statement, **values)
    db.session.remove()
    return int(number)


def states() -> dict[str, int]:
    found = {str(state): int(n) for state, n in rows(db.session, "select state, count(*) from messages group by 1")}
    db.session.remove()
    return found


def bucket(crisis_id: UUID, part: Bucket) -> int:
    head = board.find_crisis(crisis_id)
    assert head is not None
    shown = board.look(head).bucket(part)
    db.session.remove()
    return shown


def assert_promises(operator: Operator) -> None:
    stored = {row.sid for row in rows(db.session, "select provider_message_id as sid from messages")}
    db.session.remove()
    broken = [f"{one.name}: {one.detail}" for one in check_invariants(operator.log(stored)) if not one.ok]
    assert broken == []


def logs(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.glob("*.log")))


def test_an_alert_goes_out_once_is_delivered_and_answered(
    mission: UUID, operator: Operator, run: Run, tmp_path: Path
) -> None:
    hear(run)
    run(BIND)
    assert eventually(lambda: states() == {"delivered": 50}, 40), (states(), logs(tmp_path))
    sent = operator.sent()
    assert sorted(one.to for one in sent) == sorted(PHONES)
    assert {len(one.text) > 70 for one in sent if one.to in ARABIC} == {True}
    for language, phones in (("en", ENGLISH), ("ar", ARABIC)):
        assert all(TEXTS[language] in one.text for one in sent if one.to in phones)
    assert {one["data_coding"] for one in operator.heard("submit")} == {0, 8}

    operator.says(ENGLISH[0], "1")
    operator.says(ARABIC[0], "أنا بخير")
    operator.says(ARABIC[1], *HELP, reference=77)
    assert eventually(lambda: bucket(mission, Bucket.SAFE) == 2 and bucket(mission, Bucket.NEEDS_HELP) == 1), logs(
        tmp_path
    )
    assert count("select count(*) from assistance_requests where kind = 'needs_help'") == 1
    assert count("select count(*) from inbound_messages") == 3
    assert eventually(lambda: states() == {"delivered": 53}), states()
    assert len(operator.sent()) == 53
    assert {one["status"] for one in operator.heard("receipt_answer") + operator.heard("text_answer")} == {0}
    assert_promises(operator)
    assert not any(number.removeprefix("+") in logs(tmp_path) for number in PHONES)


def test_storms_lose_nothing_and_double_nothing_unsaid(
    mission: UUID, operator: Operator, run: Run, tmp_path: Path
) -> None:
    operator.smsc.order(answers_after=300, receipts_after=1500)
    hear(run)
    owner = run(BIND, RATE="60")
    taken(operator, 5)
    operator.smsc.order(throttle=True)
    assert eventually(lambda: count("select count(*) from senders where pause_reason = 'throttled'") == 1)
    operator.smsc.order(throttle=False)
    taken(operator, 12)

    operator.kill()
    operator.revive(answers_after=300, receipts_after=1500)
    assert eventually(lambda: bool(operator.smsc.of("bind"))), logs(tmp_path)
    taken(operator, 25)

    run(BIND, RATE="60")
    assert eventually(lambda: "another process has the bind" in logs(tmp_path))
    assert len(operator.smsc.of("bind")) == 1
    owner.kill()
    set_messages(db.session, "lease_until = now() - interval '1 second'", "state in ('claimed', 'sending')")
    db.session.remove()
    operator.says(ENGLISH[3], "1")
    assert eventually(lambda: len(operator.smsc.of("bind")) == 2), logs(tmp_path)

    assert eventually(lambda: time_passes() and states().keys() <= {"accepted", "sent", "delivered"}, 60), (
        states(),
        logs(tmp_path),
    )
    assert eventually(lambda: bucket(mission, Bucket.SAFE) == 1)
    assert eventually(lambda: time_passes() and waiting_receipts() == 0)
    alerts = [one for one in operator.sent() if any(words in one.text for words in TEXTS.values())]
    assert {one.to for one in alerts} == set(PHONES)
    assert count("select count(*) from inbound_messages") == 1
    assert count("select count(*) from messages where possible_duplicate") <= 20
    assert count("select count(*) from messages where state = 'delivered'") > 20
    assert_promises(operator)


def taken(operator: Operator, texts: int) -> None:
    """Wait until the SMSC took so many texts whole."""
    assert eventually(lambda: len(operator.sent()) >= texts, 30), (states(), operator.smsc.heard[-5:])


def time_passes() -> bool:
    """Silence lasts long enough, and nobody waits any more for the text that a receipt is about."""
    moves = ", ".join(f"{column} = {column} - interval '4 minutes'" for column in ("not_before", "sending_at"))
    set_messages(db.session, moves, "state = 'unknown' and not_before > now()")
    db.session.execute(
        sql("""
        update receipt_events set result = 'wait4 0'
        where processed_at is null and attempt_id is null and received_at < now() - interval '10 seconds'
        """)
    )
    db.session.commit()
    db.session.remove()
    return True


def waiting_receipts() -> int:
    return count("select count(*) from receipt_events where processed_at is null")
