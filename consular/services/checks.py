"""Whether this installation could do its work now, in sentences an operator can act on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis.exceptions import RedisError
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from consular.domain.gateways import EXERCISE
from consular.queueing import connect
from consular.security.fields import FieldCipher, KeyUnavailableError
from consular.services.canaries import country_of
from consular.services.keys import keys_problem

if TYPE_CHECKING:
    from config import Config


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. is_fatal: Consular cannot run while it is not ok; otherwise something is merely not
    available."""

    is_ok: bool
    is_fatal: bool
    sentence: str


def check(config: Config) -> list[Finding]:
    """Look at everything the settings name."""
    return [
        *_keys(config),
        *_database(config),
        *_redis(config),
        *_addresses(config),
        *_gateways(config),
        *_handsets(config),
        *_social(config),
    ]


def _keys(config: Config) -> Iterator[Finding]:
    try:
        FieldCipher().configure(config.keys)
    except KeyUnavailableError as error:
        yield Finding(False, True, str(error))
    else:
        yield Finding(True, True, "The encryption keys are well formed.")


def _database(config: Config) -> Iterator[Finding]:
    try:
        engine = create_engine(config.database_url, poolclass=NullPool, connect_args={"connect_timeout": 5})
        with engine.connect() as connection:
            yield Finding(True, True, "PostgreSQL answers.")
            if connection.execute(text("select to_regclass('alembic_version')")).scalar() is None:
                yield Finding(False, True, "No schema yet: run `consular migrate`.")
                return
            yield Finding(True, True, "The schema is there.")
            yield from _keys_of_database(config, connection)
            yield from _contents(config, connection)
    except SQLAlchemyError:
        yield Finding(False, True, "PostgreSQL does not answer: check DATABASE_URL and that the server runs.")


def _keys_of_database(config: Config, connection: Connection) -> Iterator[Finding]:
    rows = connection.execute(text("select id, sealed, index_sample from key_checks where retired_at is null")).all()
    keys = FieldCipher()
    try:
        keys.configure(config.keys)
    except KeyUnavailableError:
        return
    if not rows:
        yield Finding(False, True, "The database does not know its keys yet: run `consular migrate`.")
        return
    problem = keys_problem(keys, ((row.id, bytes(row.sealed), bytes(row.index_sample)) for row in rows))
    yield Finding(problem is None, True, problem or "The encryption keys are those of this database.")


def _contents(config: Config, connection: Connection) -> Iterator[Finding]:
    has_places = connection.execute(text("select exists (select 1 from places)")).scalar()
    sentence = "The gazetteer is loaded." if has_places else "No places yet: run `consular gazetteer load`."
    yield Finding(bool(has_places), False, sentence)
    officers = connection.execute(text("select count(*) from officers where disabled_at is null")).scalar_one()
    enough = f"{officers} officers may sign in."
    few = f"{officers} officers may sign in, two are needed for an alert: run `consular officer add`."
    yield Finding(officers >= 2, False, enough if officers >= 2 else few)
    made_up = text("select exists (select 1 from registrations where consent_version = 'drill')")
    if set(config.gateways) - {EXERCISE} and connection.execute(made_up).scalar():
        yield Finding(
            False, True, "The database holds the made-up people of a drill: real texts would go to strangers' phones."
        )


def _redis(config: Config) -> Iterator[Finding]:
    if config.redis_url is None:
        yield Finding(False, False, "REDIS_URL is not set: workers cannot be woken; only `consular drain` sends.")
        return
    try:
        policy = connect(config.redis_url).config_get("maxmemory-policy").get("maxmemory-policy")
        yield Finding(True, True, "Redis answers.")
        if policy != "noeviction":
            yield Finding(False, False, "Redis may throw keys away: set maxmemory-policy noeviction.")
    except RedisError:
        yield Finding(
            False, False, "Redis does not answer: check REDIS_URL. Until it does, only `consular drain` sends."
        )


def _addresses(config: Config) -> Iterator[Finding]:
    if config.is_https:
        yield Finding(True, False, "The public address is https.")
    else:
        yield Finding(False, False, "PUBLIC_URL is not https: fine on this machine alone, never for real people.")
    length = len(config.public_url) + 20
    if length > 50:
        yield Finding(
            False, False, f"Each text ends with a link of {length} characters; a shorter PUBLIC_URL makes fewer parts."
        )


def _gateways(config: Config) -> Iterator[Finding]:
    actual = {name: gateway for name, gateway in config.gateways.items() if name != EXERCISE}
    if not actual:
        yield Finding(False, False, "No real gateway: set TWILIO_*, SMPP_* or HTTP_GATEWAY_* to reach people.")
    for name, gateway in actual.items():
        yield Finding(True, False, f"The {name} gateway sends {gateway.rate:g} parts a second.")
    if config.exercise_gateway is None:
        yield Finding(False, False, "No practice gateway: exercises cannot be sent. Set EXERCISE_GATEWAY_*.")
    else:
        yield Finding(True, False, "The practice gateway is set.")


def _handsets(config: Config) -> Iterator[Finding]:
    if not config.canary_phones:
        sentence = "No handset is tested daily: name the mission's own ones in CANARY_PHONES to prove the gateways."
        yield Finding(False, False, sentence)
        return
    unread = sum(1 for phone in config.canary_phones if not country_of(phone))
    if unread:
        yield Finding(
            False, False, f"CANARY_PHONES: {unread} of them no network could reach; check their country codes."
        )
    else:
        yield Finding(True, False, f"{len(config.canary_phones)} handsets get a test text every day.")


def _social(config: Config) -> Iterator[Finding]:
    if not config.mastodon_token and not config.telegram_token:
        yield Finding(False, False, "No social account: alerts are not posted in public. Set MASTODON_* or TELEGRAM_*.")
    else:
        yield Finding(True, False, "Alerts are posted in public, too.")
