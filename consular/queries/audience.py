"""Who an AudienceRule selects: domain.audience.matches() as set-based SQL, and what the selection amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    any_,
    bindparam,
    cast,
    distinct,
    exists,
    false,
    func,
    lateral,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.types import BigInteger, Date, NullType

from consular.domain.audience import EARTH_RADIUS_KM, AudienceRule, Box, Circle, bounding_box
from consular.domain.cap import AlertStatus
from consular.domain.gateways import gateways_for, opt_out_list
from consular.models.people import Channel, ContactPoint, OptOut, Person, Registration, Stay
from consular.models.places import Place

AnySession = Session | scoped_session[Any]


@dataclass(frozen=True, slots=True)
class LanguageCount:
    """People who speak a language, and their distinct usable phones (one shared across languages counts in each)."""

    people: int
    phones: int


@dataclass(frozen=True, slots=True)
class AudienceCount:
    """What a rule selects on a day.

    people: records. heads: people in those records, as they told us. with_phone: records that a text reaches.
    phones: distinct usable phones that did not opt out: one text each. no_phone, unusable_phone, opted_out: records
    that no text reaches, by the reason. languages: by language of the record. phones_in: by country of the phone
    (None: unknown) and language. people_in: records that a text reaches, by country of the phone.
    """

    people: int
    heads: int
    with_phone: int
    phones: int
    no_phone: int
    unusable_phone: int
    opted_out: int
    languages: dict[str, LanguageCount]
    phones_in: dict[tuple[str | None, str], int]
    people_in: dict[str | None, int]


@dataclass(frozen=True, slots=True)
class SamplePerson:
    """A record of the audience without anything that says who it is."""

    language: str
    country: str
    place_name: str | None
    has_phone: bool


def select_people(rule: AudienceRule, today: date) -> Select[UUID]:
    """The ids of the people with a stay that the rule selects on that day, each once. No country selects nobody."""
    return select(Stay.person_id).where(stay_matches(rule, today)).distinct()


def count_people(session: AnySession, rule: AudienceRule, today: date) -> int:
    """How many people the rule selects on that day."""
    return session.scalar(select(func.count(distinct(Stay.person_id))).where(stay_matches(rule, today))) or 0


def count_audience(session: AnySession, rule: AudienceRule, today: date, status: AlertStatus) -> AudienceCount:
    """People, heads and phones that an alert with this rule and status reaches on that day, phones as the fan-out
    chooses."""
    chosen = select_people(rule, today).subquery("chosen")
    phone = _best_phone(chosen.c.person_id)
    usable = and_(phone.c.value_index.is_not(None), phone.c.unusable_since.is_(None), OptOut.value_index.is_(None))
    rows = session.execute(
        select(
            Person.language,
            phone.c.country,
            func.grouping(Person.language).label("is_total"),
            func.count().label("people"),
            func.coalesce(func.sum(func.coalesce(_heads(chosen.c.person_id), 1)), 0).label("heads"),
            func.count().filter(usable).label("with_phone"),
            func.count(distinct(phone.c.value_index)).filter(usable).label("phones"),
            func.count().filter(phone.c.value_index.is_(None)).label("no_phone"),
            func.count().filter(phone.c.unusable_since.is_not(None)).label("unusable_phone"),
            func.count().filter(phone.c.unusable_since.is_(None), OptOut.value_index.is_not(None)).label("opted_out"),
        )
        .select_from(chosen)
        .join(Person, Person.id == chosen.c.person_id)
        .outerjoin(phone, true())
        .outerjoin(
            OptOut,
            and_(
                OptOut.value_index == phone.c.value_index,
                OptOut.gateway == opt_out_list(gateways_for(status)[0]),
                OptOut.ended_at.is_(None),
            ),
        )
        .group_by(func.grouping_sets(tuple_(Person.language, phone.c.country), tuple_()))
    ).all()
    totals = next(row for row in rows if row.is_total)
    parts = [row for row in rows if not row.is_total]
    return AudienceCount(
        people=totals.people,
        heads=int(totals.heads),
        with_phone=totals.with_phone,
        phones=totals.phones,
        no_phone=totals.no_phone,
        unusable_phone=totals.unusable_phone,
        opted_out=totals.opted_out,
        languages=_by_language(parts),
        phones_in={(row.country, row.language): row.phones for row in parts if row.phones},
        people_in=_by_country(parts),
    )


def _by_language(rows: Sequence[Any]) -> dict[str, LanguageCount]:
    found: dict[str, LanguageCount] = {}
    for row in rows:
        before = found.get(row.language, LanguageCount(0, 0))
        found[row.language] = LanguageCount(before.people + row.people, before.phones + row.phones)
    return found


def _by_country(rows: Sequence[Any]) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for row in rows:
        if row.with_phone:
            found[row.country] = found.get(row.country, 0) + row.with_phone
    return found


def phone_countries(session: AnySession, rule: AudienceRule, today: date, status: AlertStatus) -> list[str | None]:
    """The countries (None: unknown) of the phones that an alert with this rule and status goes to on that day."""
    chosen = select_people(rule, today).subquery("chosen")
    phone = _best_phone(chosen.c.person_id)
    statement = select(phone.c.country).distinct().select_from(chosen).join(phone, true())
    is_usable = and_(phone.c.unusable_since.is_(None), ~_opted_out(phone, status))
    return list(session.scalars(statement.where(is_usable)))


def sample_people(session: AnySession, rule: AudienceRule, today: date, limit: int = 10) -> list[SamplePerson]:
    """Some of the people a rule selects: any ones, because ids are random, and the same ones each time."""
    stays = (
        select(Stay.person_id, Stay.country, Stay.place_name)
        .where(stay_matches(rule, today))
        .ext(distinct_on(Stay.person_id))
        .order_by(Stay.person_id, Stay.id)
        .limit(limit)
        .subquery()
    )
    phone = _best_phone(stays.c.person_id)
    rows = session.execute(
        select(Person.language, stays.c.country, stays.c.place_name, phone.c.value_index)
        .select_from(stays)
        .join(Person, Person.id == stays.c.person_id)
        .outerjoin(phone, true())
        .order_by(stays.c.person_id)
    )
    return [SamplePerson(row.language, row.country, row.place_name, row.value_index is not None) for row in rows]


def place_names(session: AnySession, rule: AudienceRule) -> dict[int, str]:
    """Names of the places in a rule, by id."""
    rows = session.execute(select(Place.id, Place.name).where(Place.id.in_(rule.place_ids)))
    return {row.id: row.name for row in rows}


def stay_matches(rule: AudienceRule, today: date) -> ColumnElement[bool]:
    """domain.audience.matches() as a condition on Stay.

    Every parameter is a plain text or float without a cast by `::`, so that its SQL can be put into other SQL as text.
    """
    if not rule.countries:
        return false()
    countries = func.string_to_array(_text(",".join(rule.countries)), _text(","))
    return and_(Stay.country == any_(countries), _is_current(today), *_areas(rule))


def _is_current(on: date) -> ColumnElement[bool]:
    today = cast(_text(on.isoformat()), Date)
    return or_(
        Stay.is_resident,
        and_(
            or_(Stay.from_date.is_(None), Stay.from_date <= today),
            or_(Stay.until_date.is_(None), Stay.until_date >= today),
        ),
    )


def _areas(rule: AudienceRule) -> list[ColumnElement[bool]]:
    if not rule.circles and not rule.place_ids:
        return []
    areas = [_in_circle(circle) for circle in rule.circles]
    if rule.place_ids:
        places = func.string_to_array(_text(",".join(map(str, rule.place_ids))), _text(","))
        areas.append(Stay.place_id == any_(cast(places, ARRAY(BigInteger))))
    return [or_(*areas)]


def _text(value: str) -> ColumnElement[Any]:
    return bindparam(None, value, type_=NullType(), unique=True)


def _in_circle(circle: Circle) -> ColumnElement[bool]:
    """The cheap boxes first, then the haversine distance, written as domain.audience.distance_km() writes it."""
    phi, other = func.radians(Stay.latitude), func.radians(circle.latitude)
    half_chord = func.power(func.sin((other - phi) * 0.5), 2.0) + func.cos(phi) * func.cos(other) * func.power(
        func.sin(func.radians(circle.longitude - Stay.longitude) * 0.5), 2.0
    )
    distance = 2 * EARTH_RADIUS_KM * func.asin(func.sqrt(func.least(1.0, half_chord)))
    return and_(or_(*map(_in_box, bounding_box(circle))), distance <= circle.radius_km)


def _in_box(box: Box) -> ColumnElement[bool]:
    return and_(Stay.latitude.between(box.south, box.north), Stay.longitude.between(box.west, box.east))


def _opted_out(phone: Any, status: AlertStatus) -> ColumnElement[bool]:
    same_list = OptOut.gateway == opt_out_list(gateways_for(status)[0])
    return exists().where(OptOut.value_index == phone.c.value_index, same_list, OptOut.ended_at.is_(None))


def _best_phone(person_id: ColumnElement[UUID]) -> Any:
    """The phone that a text to this person goes to: usable before unusable, then the newest."""
    return lateral(
        select(ContactPoint.value_index, ContactPoint.unusable_since, ContactPoint.country)
        .where(ContactPoint.person_id == person_id, ContactPoint.channel == Channel.SMS)
        .order_by(ContactPoint.unusable_since.is_not(None), ContactPoint.created_at.desc(), ContactPoint.id)
        .limit(1)
    ).alias("phone")


def _heads(person_id: ColumnElement[UUID]) -> Any:
    return (
        select(Registration.people_count)
        .where(Registration.person_id == person_id)
        .order_by(Registration.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
