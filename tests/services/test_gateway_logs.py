"""A gateway's log is held against its own texts of its own time, and what nobody can know yet is no broken promise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consular.clock import utc_now
from consular.extensions import db
from consular.services.gateway_logs import CLOCKS_APART, check_line, moment_of, period_of, read_list
from consular.services.verification import Invariant, Seen, check
from tests.factories import rows
from tests.verified_world import VerifiedWorld, break_it

FIRST, LAST = ("(select min(id) from messages)", "(select max(id) from messages)")


@pytest.fixture
def world(session) -> VerifiedWorld:
    """One text a minute, the first 20 minutes ago."""
    made = VerifiedWorld(session)
    break_it(
        f"""update messages set sending_at = now() - interval '20 minutes' + (id - {FIRST}) * interval '1 minute',
        accepted_at = now() - interval '20 minutes' + (id - {FIRST}) * interval '1 minute' + interval '1 second'""",
    )
    return made


def dated(world: VerifiedWorld) -> list[dict[str, object]]:
    taken = dict(rows(db.session, "select provider_message_id, extract(epoch from sending_at) from messages"))
    return [{**line, "created_at": float(taken[line["sid"]])} for line in world.log()]


def judged(log, *, is_busy=False, **options) -> dict[str, Invariant]:
    return {one.name: one for one in check(Seen(gateway_log=log, **options), is_busy=is_busy)}


def of_its_time(log) -> dict[str, Invariant]:
    return judged(log, log_period=period_of(log))


def test_what_another_gateway_took_is_not_missed(world):
    log = world.log()
    break_it(f"update messages set gateway = 'twilio' where id = {FIRST}")
    assert not judged(log[1:], log_of=["exercise", "twilio"])["accepted_here_is_accepted_there"].ok
    for found in (judged(log[1:]), judged(log[1:], log_of=["exercise"])):
        assert found["accepted_here_is_accepted_there"].ok
        assert found["accepted_here_is_accepted_there"].detail == f"{len(log) - 1} texts of exercise"
    assert judged(log[:1])["accepted_here_is_accepted_there"].detail == "1 texts of twilio"


def test_two_logs_in_one_are_two_gateways(world):
    break_it(f"update messages set gateway = 'twilio' where id = {FIRST}")
    found = judged(world.log())["accepted_here_is_accepted_there"]
    assert found.detail == f"{len(world.log())} texts of exercise, twilio"


def test_a_log_of_which_nothing_is_known_here_is_held_against_everything(world):
    found = judged([{"sid": "SMother", "attempt": world.log()[0]["attempt"]}])
    assert found["accepted_here_is_accepted_there"].detail.startswith(f"{len(world.log())} rows: ")


def test_only_the_time_of_a_part_of_the_log_is_compared(world):
    log = dated(world)
    part = log[3:9]
    whole = judged(part)["accepted_here_is_accepted_there"]
    assert whole.detail.startswith(f"{len(log) - len(part)} rows: ")
    found = of_its_time(part)["accepted_here_is_accepted_there"]
    begins = datetime.fromtimestamp(part[0]["created_at"], UTC) + CLOCKS_APART
    assert found.ok
    assert found.detail.startswith(f"4 texts of exercise, handed over from {begins:%Y-%m-%d %H:%M:%S} to "), (
        "all but the first and the last, which the clocks may put before and after it"
    )


def test_what_is_missing_in_the_middle_of_the_time_is_missed(world):
    log = dated(world)
    missing = rows(db.session, f"select id from messages where provider_message_id = '{log[5]['sid']}'")[0][0]
    found = of_its_time([*log[3:5], *log[6:9]])["accepted_here_is_accepted_there"]
    assert found.detail == f"1 rows: {missing}"


def test_what_a_list_proved_later_may_have_left_a_minute_after_it_was_marked(world):
    log = dated(world)
    break_it(f"update messages set accepted_at = sending_at where provider_message_id = '{log[-2]['sid']}'")
    assert of_its_time([*log[3:-2], log[-1]])["accepted_here_is_accepted_there"].ok


def test_a_log_without_times_is_whole(world):
    found = of_its_time(world.log()[1:])
    assert found["accepted_here_is_accepted_there"].detail.startswith("1 rows: ")


def test_a_log_of_a_moment_covers_nothing(world):
    found = of_its_time(dated(world)[:1])["accepted_here_is_accepted_there"]
    assert found.detail == "0 texts of exercise: the log covers too short a time"


def aged(world: VerifiedWorld) -> None:
    """The gateway's list shows the moments that our rows have."""
    taken = dict(rows(db.session, "select provider_message_id, sending_at from messages"))
    shown = [replace(one, created_at=taken[one.provider_message_id]) for one in world.gateway.list]
    world.gateway.list[:] = shown


def asked(world: VerifiedWorld, minutes: int) -> dict[str, Invariant]:
    period = (utc_now() - timedelta(minutes=minutes), utc_now())
    return judged(read_list(world.gateway, *period), log_of=["exercise"], log_period=period)


def test_a_gateways_own_list_is_a_log(world):
    aged(world)
    found = asked(world, 30)
    assert [one for one in found.values() if not one.ok] == []
    texts = f"{len(world.log())} texts"
    assert found["nobody_texted_twice"].detail.startswith(f"{texts}, "), "by the references in them"
    assert found["accepted_here_is_accepted_there"].detail.startswith(f"{texts} of exercise, ")


def test_what_the_list_lacks_or_has_twice_is_found(world):
    aged(world)
    world.gateway.list.append(replace(world.gateway.list[1], provider_message_id="SMagain"))
    number = rows(db.session, f"select {FIRST}")[0][0]
    gone = world.gateway.list.pop(0)
    found = asked(world, 30)
    assert found["accepted_here_is_accepted_there"].detail == f"1 rows: {number}", gone
    assert found["nobody_texted_twice"].detail == f"1 rows: {number + 1}"
    assert asked(world, 19)["accepted_here_is_accepted_there"].ok, "the text that the list lacks is older"


def test_an_empty_list_proves_that_nothing_was_taken(world):
    world.gateway.list.clear()
    assert asked(world, 30)["accepted_here_is_accepted_there"].detail.startswith(f"{len(world.gateway.taken)} rows: ")


UNDER_WAY = "update messages set state = '{}', provider_message_id = null, updated_at = now() - {} where id = {}"


@pytest.mark.parametrize(
    ("state", "since", "is_busy", "is_kept"),
    [
        ("sending", "interval '1 second'", True, True),
        ("unknown", "interval '1 minute'", True, True),
        ("sending", "interval '10 minutes'", True, False),
        ("failed", "interval '1 second'", True, False),
        ("sending", "interval '1 second'", False, False),
    ],
)
def test_what_the_gateway_took_a_moment_ago_may_not_be_written_yet(committing, state, since, is_busy, is_kept):
    world = VerifiedWorld(db.session)
    log = world.log()
    break_it(UNDER_WAY.format(state, since, FIRST))
    db.session.remove()
    assert judged(log, is_busy=is_busy)["accepted_there_is_accepted_here"].ok is is_kept


def test_moments_are_read_in_seconds_and_in_words():
    now = utc_now().replace(microsecond=0)
    for written in (
        now.timestamp(),
        now.isoformat(),
        now.replace(tzinfo=None).isoformat(),
        f"{now:%Y-%m-%dT%H:%M:%SZ}",
    ):
        assert moment_of({"created_at": written}) == now
    assert moment_of({"created_at": (now + timedelta(hours=2)).isoformat().replace("+00:00", "+02:00")}) == now
    assert moment_of({"sid": "SM1"}) is None


@pytest.mark.parametrize("line", [{}, {"sid": "SM1", "attempt": "7"}, {"sid": "SM1", "created_at": "soon"}, ["SM1"], 7])
def test_lines_that_cannot_be_read(line):
    with pytest.raises((ValueError, TypeError, KeyError)):
        check_line(line)
