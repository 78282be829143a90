"""Officers' accounts, signing in and out, and the sessions in between."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.exc import IntegrityError

from consular.errors import ConflictError, InvalidInputError, NotFoundError
from consular.extensions import db
from consular.models.officers import Officer, OfficerSession, Role
from consular.queries import officers as queries
from consular.security import passwords
from consular.services import audit
from consular.services.audit import AnySession
from consular.services.transactions import unit_of_work

FREE_GUESSES = 4
_LONGEST_LOCK = timedelta(minutes=15)
_DEVICE_GUESSES = 10
_DEVICE_PERIOD = timedelta(hours=1)
_SEEN_EVERY = timedelta(minutes=1)
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,79}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignedInOfficer:
    """Who is asking: the officer behind a good session."""

    id: UUID
    username: str
    full_name: str
    role: Role
    session_id: UUID


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A browser from which this officer signed in before (a signed cookie of ours proves it)."""

    officer_id: UUID
    device_id: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """A new session. token: for the cookie, stored nowhere. device: what this browser is to remember."""

    token: str
    officer: SignedInOfficer
    device: KnownDevice


def add_officer(
    username: str, full_name: str, role: Role, password: str, now: datetime, *, by: UUID | None = None
) -> UUID:
    """Make an account and return its id. by: the administrator, None for the command line.

    Raises InvalidInputError (fields username, full_name, password) or ConflictError when the name is taken.
    """
    username, full_name = username.strip().lower(), " ".join(full_name.split())
    _check_account(username, full_name, password)
    officer_id = uuid4()
    with unit_of_work() as session:
        session.add(
            Officer(
                id=officer_id,
                username=username,
                full_name=full_name,
                password_hash=passwords.hash_password(password),
                role=role,
                created_at=now,
            )
        )
        try:
            session.flush()
        except IntegrityError:
            raise ConflictError(f"There is already an officer called {username}: choose another user name.") from None
        audit.record(session, now, "officer_added", "officer", officer_id, officer_id=by, detail={"role": role.value})
    return officer_id


def sign_in(
    username: str, password: str, now: datetime, *, session_hours: int, device: KnownDevice | None = None
) -> SignIn | None:
    """A new session, or None: unknown name, wrong password, disabled, or too many guesses, in similar time.

    A guess is charged before it is checked, so that guesses in parallel gain nothing. After FREE_GUESSES the account is
    closed to strangers for 1, 2, 4 ... 15 minutes. A device from which the officer signed in before has its own
    allowance: nobody can lock officers out of the browsers they use.
    """
    username = username.strip().lower()[:80]
    officer_id, password_hash = _charge(username, now, device)
    if not passwords.is_password(password, password_hash) or officer_id is None:
        _record_failure(username, officer_id, device, now)
        return None
    return _open_session(officer_id, password, now, session_hours, device)


def identify(token: str, now: datetime, *, idle_minutes: int, is_activity: bool = True) -> SignedInOfficer | None:
    """The officer behind a cookie's token; None when it is unknown, revoked, expired, idle, or the account disabled.

    is_activity False: a page that asks by itself does not keep a session alive.
    """
    found = queries.find_session(db.session, _digest(token))
    if found is None or found.revoked_at is not None or found.officer.disabled_at is not None:
        return None
    if found.expires_at <= now or found.last_seen_at <= now - timedelta(minutes=idle_minutes):
        return None
    identity = _identity(found.officer, found.id)
    if is_activity and found.last_seen_at <= now - _SEEN_EVERY:
        with unit_of_work():
            found.last_seen_at = now
    return identity


def sign_out(officer: SignedInOfficer, now: datetime) -> None:
    """End this session."""
    with unit_of_work() as session:
        found = session.get(OfficerSession, officer.session_id)
        if found is not None and found.revoked_at is None:
            found.revoked_at = now
        audit.record(session, now, "signed_out", "officer", officer.id, officer_id=officer.id)


def revoke_sessions(officer_id: UUID, now: datetime, *, by: UUID | None = None) -> int:
    """End every session of an officer at once; the number of them."""
    with unit_of_work() as session:
        _get(session, officer_id)
        count = queries.revoke_all(session, officer_id, now)
        audit.record(session, now, "sessions_revoked", "officer", officer_id, officer_id=by, detail={"sessions": count})
    return count


def disable_officer(officer_id: UUID, now: datetime, *, by: UUID | None = None) -> None:
    """Close an account and end all its sessions at once. Nobody can close their own."""
    if officer_id == by:
        raise ConflictError("You cannot disable your own account: ask another administrator.")
    with unit_of_work() as session:
        officer = _get(session, officer_id)
        officer.disabled_at = officer.disabled_at or now
        queries.revoke_all(session, officer_id, now)
        audit.record(session, now, "officer_disabled", "officer", officer_id, officer_id=by)


def enable_officer(officer_id: UUID, now: datetime, *, by: UUID | None = None) -> None:
    """Open a disabled account again."""
    with unit_of_work() as session:
        _get(session, officer_id).disabled_at = None
        audit.record(session, now, "officer_enabled", "officer", officer_id, officer_id=by)


def unlock_officer(officer_id: UUID, now: datetime, *, by: UUID | None = None) -> None:
    """Forget wrong guesses, so that the officer need not wait."""
    with unit_of_work() as session:
        officer = _get(session, officer_id)
        officer.failed_sign_ins, officer.locked_until = 0, None
        audit.record(session, now, "officer_unlocked", "officer", officer_id, officer_id=by)


def set_password(username: str, password: str, now: datetime, *, by: UUID | None = None) -> None:
    """Give an account a new password and end its sessions. Raises InvalidInputError, NotFoundError."""
    username = username.strip().lower()
    problem = passwords.password_problem(password, username)
    if problem:
        raise InvalidInputError(problem, {"password": problem})
    with unit_of_work() as session:
        officer = queries.find_by_username(session, username)
        if officer is None:
            raise NotFoundError(f"There is no officer called {username}.")
        officer.password_hash = passwords.hash_password(password)
        officer.failed_sign_ins, officer.locked_until = 0, None
        queries.revoke_all(session, officer.id, now)
        audit.record(session, now, "password_set", "officer", officer.id, officer_id=by)


def _check_account(username: str, full_name: str, password: str) -> None:
    problems = {}
    if not _USERNAME.fullmatch(username):
        problems["username"] = "Use 2 to 80 of a-z, 0-9, dot, hyphen and underscore, beginning with a letter or digit."
    if not 1 <= len(full_name) <= 120 or not full_name.isprintable():
        problems["full_name"] = "Give the officer's name, at most 120 characters."
    weakness = passwords.password_problem(password, username)
    if weakness:
        problems["password"] = weakness
    if problems:
        raise InvalidInputError(" ".join(problems.values()), problems)


def _charge(username: str, now: datetime, device: KnownDevice | None) -> tuple[UUID | None, str | None]:
    """Take one guess from the account or the device: its id and hash; hash None when no guess is left."""
    with unit_of_work() as session:
        is_name = _USERNAME.fullmatch(username) is not None
        officer = queries.find_by_username(session, username, lock=True) if is_name else None
        if officer is None:
            return None, None
        known = device is not None and device.officer_id == officer.id
        if device is not None and known:
            wrong = queries.count_wrong_guesses(session, device.device_id, now - _DEVICE_PERIOD)
            known = wrong < _DEVICE_GUESSES
        is_open = known or officer.locked_until is None or officer.locked_until <= now
        if not known and is_open:
            officer.failed_sign_ins += 1
            officer.locked_until = _locked_until(officer.failed_sign_ins, now)
        return officer.id, officer.password_hash if is_open and officer.disabled_at is None else None


def _locked_until(failures: int, now: datetime) -> datetime | None:
    if failures < FREE_GUESSES:
        return None
    doublings = min(failures - FREE_GUESSES, 10)
    return now + min(timedelta(minutes=2**doublings), _LONGEST_LOCK)


def _record_failure(username: str, officer_id: UUID | None, device: KnownDevice | None, now: datetime) -> None:
    with unit_of_work() as session:
        name_digest = hashlib.sha256(username.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        subject = ("officer", str(officer_id)) if officer_id else ("username", name_digest)
        if officer_id and device is not None and device.officer_id == officer_id:
            subject = ("device", device.device_id)
        audit.record(session, now, "sign_in_failed", *subject, officer_id=officer_id)


def _open_session(
    officer_id: UUID, password: str, now: datetime, session_hours: int, device: KnownDevice | None
) -> SignIn:
    token, session_id = secrets.token_urlsafe(32), uuid4()
    if device is None or device.officer_id != officer_id:
        device = KnownDevice(officer_id, secrets.token_urlsafe(16))
    with unit_of_work() as session:
        officer = _get(session, officer_id)
        officer.failed_sign_ins, officer.locked_until = 0, None
        if passwords.needs_rehash(officer.password_hash):
            officer.password_hash = passwords.hash_password(password)
        session.add(
            OfficerSession(
                id=session_id,
                officer_id=officer_id,
                token_digest=_digest(token),
                created_at=now,
                last_seen_at=now,
                expires_at=now + timedelta(hours=session_hours),
            )
        )
        audit.record(session, now, "signed_in", "officer", officer_id, officer_id=officer_id)
        return SignIn(token, _identity(officer, session_id), device)


def _get(session: AnySession, officer_id: UUID) -> Officer:
    officer = session.get(Officer, officer_id)
    if officer is None:
        raise NotFoundError("There is no such officer.")
    return officer


def _identity(officer: Officer, session_id: UUID) -> SignedInOfficer:
    return SignedInOfficer(officer.id, officer.username, officer.full_name, officer.role, session_id)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
