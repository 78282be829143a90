"""Accounts, signing in, guessing, and sessions that end at once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from consular.errors import ConflictError, InvalidInputError, NotFoundError
from consular.extensions import db
from consular.models.audit import AuditEntry
from consular.models.officers import Officer, OfficerSession
from consular.permissions import Role
from consular.security import passwords
from consular.services import officers
from consular.services.officers import KnownDevice
from tests.alert_world import NOW, PASSWORD, officer

MINUTE = timedelta(minutes=1)


def sign_in(username: str = "author", password: str = PASSWORD, after: timedelta = timedelta(), device=None):
    return officers.sign_in(username, password, NOW + after, session_hours=12, device=device)


def is_good(token: str, after: timedelta = timedelta()) -> bool:
    return officers.identify(token, NOW + after, idle_minutes=60) is not None


@pytest.fixture
def author(session):
    return officer(Role.AUTHOR)


def test_the_right_password_opens_a_session_and_only_its_digest_is_kept(author, session) -> None:
    signed_in = sign_in("  AUTHOR ")
    assert signed_in is not None
    identity = officers.identify(signed_in.token, NOW, idle_minutes=60)
    assert identity == signed_in.officer
    assert (identity.id, identity.role) == (author, Role.AUTHOR)
    stored = session.scalars(select(OfficerSession)).one()
    assert signed_in.token.encode() not in stored.token_digest
    assert len(stored.token_digest) == 32


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("author", "wrong horse battery"),
        ("nobody", PASSWORD),
        ("author", ""),
        ("", ""),
        ("author\0", PASSWORD),
        ("author", "\ud800" * 20),
        ("a" * 5000, "b" * 100_000),
    ],
    ids=["wrong", "unknown", "empty password", "empty", "NUL", "lone surrogates", "huge"],
)
def test_anything_else_is_refused_without_a_word(author, username, password) -> None:
    assert sign_in(username, password) is None


def test_a_disabled_officer_is_out_at_once_everywhere(author) -> None:
    first, second = sign_in(), sign_in()
    assert first is not None
    assert second is not None
    officers.disable_officer(author, NOW)
    assert not is_good(first.token)
    assert not is_good(second.token)
    assert sign_in() is None
    officers.enable_officer(author, NOW)
    assert not is_good(first.token)
    assert sign_in() is not None


def test_nobody_disables_their_own_account(author) -> None:
    with pytest.raises(ConflictError):
        officers.disable_officer(author, NOW, by=author)


def test_signing_out_ends_this_session_only(author) -> None:
    first, second = sign_in(), sign_in()
    officers.sign_out(first.officer, NOW)
    assert not is_good(first.token)
    assert is_good(second.token)
    assert officers.revoke_sessions(author, NOW) == 1
    assert not is_good(second.token)


@pytest.mark.parametrize(
    ("visits", "then", "good"),
    [
        ([], 59, True),
        ([], 60, False),
        ([50, 100], 159, True),
        ([50, 100], 160, False),
        (list(range(30, 720, 30)), 719, True),
        (list(range(30, 720, 30)), 720, False),
    ],
    ids=["active", "idle", "kept by visits", "idle after visits", "last minute", "absolute end"],
)
def test_sessions_end_when_idle_and_after_their_hours(author, visits, then, good) -> None:
    token = sign_in().token
    assert all(is_good(token, MINUTE * minute) for minute in visits)
    assert is_good(token, MINUTE * then) is good


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(author) -> None:
    token = sign_in().token
    for minute in range(5, 60, 5):
        officers.identify(token, NOW + MINUTE * minute, idle_minutes=60, is_activity=False)
    assert not is_good(token, MINUTE * 60)


def test_the_last_visit_is_written_once_a_minute(author, session) -> None:
    token = sign_in().token
    is_good(token, timedelta(seconds=59))
    assert session.scalar(select(OfficerSession.last_seen_at)) == NOW
    is_good(token, timedelta(seconds=60))
    assert session.scalar(select(OfficerSession.last_seen_at)) == NOW + MINUTE


def test_guessing_is_slowed_down_but_ends(author) -> None:
    guesses = 0
    for second in range(0, 3600, 10):
        locked = db.session.scalar(select(Officer.locked_until))
        if locked is None or locked <= NOW + timedelta(seconds=second):
            guesses += 1
            assert sign_in(password="wrong horse battery", after=timedelta(seconds=second)) is None
            assert guesses <= 10
    assert guesses == 10
    assert sign_in(after=timedelta(seconds=3590)) is None
    assert sign_in(after=timedelta(hours=1, minutes=15)) is not None
    assert sign_in(after=timedelta(hours=1, minutes=15)) is not None


def test_a_known_device_is_not_locked_out_by_strangers(author) -> None:
    device = sign_in().device
    for _ in range(6):
        sign_in(password="wrong horse battery")
    assert sign_in() is None
    assert sign_in(device=KnownDevice(officer(Role.VIEWER), device.device_id)) is None
    assert sign_in(device=device) is not None


def test_a_stolen_device_cookie_gives_ten_guesses_an_hour(author) -> None:
    device = sign_in().device
    for _ in range(10):
        assert sign_in(password="wrong horse battery", device=device) is None
    for _ in range(4):
        sign_in(password="wrong horse battery", device=device)
    assert sign_in(device=device) is None
    assert sign_in(device=device, after=timedelta(minutes=61)) is not None


def test_an_administrator_unlocks(author) -> None:
    for _ in range(4):
        sign_in(password="wrong horse battery")
    assert sign_in() is None
    officers.unlock_officer(author, NOW)
    assert sign_in() is not None


def test_parallel_guesses_gain_nothing(committing) -> None:
    officer(Role.AUTHOR)
    barrier, results = threading.Barrier(8), []

    def guess(number: int) -> None:
        with committing.app_context():
            barrier.wait()
            results.append(sign_in(password=f"wrong horse battery {number}"))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [None] * 8
    row = db.session.scalars(select(Officer)).one()
    assert row.failed_sign_ins == officers.FREE_GUESSES
    assert row.locked_until == NOW + MINUTE


@pytest.mark.parametrize(
    ("username", "full_name", "password", "field"),
    [
        ("a b", "A", PASSWORD, "username"),
        ("ä", "A", PASSWORD, "username"),
        ("", "A", PASSWORD, "username"),
        ("x" * 81, "A", PASSWORD, "username"),
        ("anna", "", PASSWORD, "full_name"),
        ("anna", "A\0B", PASSWORD, "full_name"),
        ("anna", "A\u202eB", PASSWORD, "full_name"),
        ("anna", "A" * 121, PASSWORD, "full_name"),
        ("anna", "A", "elevenchars", "password"),
        ("anna", "A", "a" * 12, "password"),
        ("anna", "A", "b" * 200 + "acdef" * 20, "password"),
        ("annaannaanna", "A", "AnnaAnnaAnna", "password"),
    ],
)
def test_an_account_that_cannot_be_names_the_field(session, username, full_name, password, field) -> None:
    with pytest.raises(InvalidInputError) as error:
        officers.add_officer(username, full_name, Role.VIEWER, password, NOW)
    assert field in error.value.fields


def test_a_user_name_is_taken_in_any_case(author) -> None:
    with pytest.raises(ConflictError, match="author"):
        officers.add_officer("AUTHOR", "Another", Role.VIEWER, PASSWORD, NOW)


def test_a_new_password_ends_the_old_sessions(author) -> None:
    token = sign_in().token
    officers.set_password("author", "another horse battery", NOW)
    assert not is_good(token)
    assert sign_in() is None
    assert sign_in(password="another horse battery") is not None
    with pytest.raises(NotFoundError):
        officers.set_password("nobody", "another horse battery", NOW)


def test_an_old_hash_is_renewed_at_sign_in(author, session) -> None:
    row = session.get(Officer, author)
    row.password_hash = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    session.commit()
    assert sign_in() is not None
    assert "m=32768,t=3" in session.scalar(select(Officer.password_hash))


def test_the_audit_tells_who_and_never_the_name_typed(author, session) -> None:
    sign_in()
    sign_in(password="wrong horse battery")
    sign_in("my secret mistyped", "wrong horse battery")
    entries = session.scalars(select(AuditEntry).where(AuditEntry.action.in_(["signed_in", "sign_in_failed"]))).all()
    assert [(e.action, e.subject_type) for e in entries] == [
        ("signed_in", "officer"),
        ("sign_in_failed", "officer"),
        ("sign_in_failed", "username"),
    ]
    assert "mistyped" not in str([(e.subject_id, e.detail) for e in entries])


def test_the_same_password_in_another_unicode_form_is_the_same() -> None:
    assert passwords.is_password("cafe\u0301 du port", passwords.hash_password("caf\u00e9 du port"))


def test_a_broken_hash_opens_nothing() -> None:
    assert not passwords.is_password(PASSWORD, "not a hash")
