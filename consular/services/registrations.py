"""Registering: who somebody is, how to reach them, where they are. One form makes one record, however often it arrives.

- The same form again (double click, back button) changes nothing; with other answers it corrects its own record.
- The same form with the name of somebody else (a family or a camp at one telephone, going back for each) makes a record
  of its own: nobody is lost because the page was not loaded anew.
- A new form with a phone and a name that are on record adds a registration and a stay to that person. It does not end
  what was there, because a form proves nothing: whoever knows a number and a name could move somebody away.
- The answer is the same in each case, so that nobody learns from it who is registered.

Rows that a registration brought have ids derived from its own; that is how a correction finds them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID, uuid4, uuid5

from consular.domain.phone import PhoneReading
from consular.extensions import cipher
from consular.models.people import Channel, ContactPoint, Person, Registration, RegistrationSource, Stay
from consular.queries import registrations as queries
from consular.services.names import may_be_one_person
from consular.services.places import PlaceMatch, fold
from consular.services.transactions import unit_of_work

_REFERENCE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_REPLACED = "replaced"
_MOST_BY_ONE_FORM = 200


@dataclass(frozen=True, slots=True)
class RegistrationData:
    """Everything one form says, already read and checked.

    submission_key: stands for the form shown. country, home_country: ISO 3166-1 alpha-2. place: from the gazetteer, or
    None with place_name as it was written. people_count: the person and everybody with them.
    """

    submission_key: str
    full_name: str
    phone: PhoneReading | None
    email: str | None
    home_country: str
    country: str
    place: PlaceMatch | None
    place_name: str | None
    address: str | None
    is_resident: bool
    from_date: date | None
    until_date: date | None
    language: str
    people_count: int
    consent_version: str
    source: RegistrationSource = RegistrationSource.WEB_FORM


@dataclass(frozen=True, slots=True)
class RegistrationResult:
    """What was recorded. reference: eight characters that people can read out; not a secret."""

    registration_id: UUID
    person_id: UUID
    reference: str


def register(data: RegistrationData, now: datetime) -> RegistrationResult:
    """Record one form in one transaction. Safe to call any number of times, also at the same instant."""
    phone_index = None if data.phone is None else cipher.index(data.phone.e164, "phone")
    with unit_of_work() as session:
        queries.lock(session, f"form {data.submission_key}", *([f"phone {phone_index.hex()}"] if phone_index else []))
        known, key = _own_record(session, data, phone_index)
        data = replace(data, submission_key=key)
        registration_id = known.id if known else uuid4()
        person = _person(session, registration_id, known, data, phone_index, now)
        session.flush()
        _keep_registration(session, registration_id, known, person, data, now)
        _keep_stay(session, registration_id, person, data, now)
        _keep_phone(session, registration_id, person, data.phone, phone_index, now)
        _keep_email(session, person, data.email, now)
        return RegistrationResult(registration_id, person.id, reference_of(registration_id))


def _own_record(
    session: queries.AnySession, data: RegistrationData, phone_index: bytes | None
) -> tuple[Registration | None, str]:
    """What this form brought before for the same person, if anything, and the key that stands for the two of them."""
    for number in range(1, _MOST_BY_ONE_FORM + 1):
        key = data.submission_key if number == 1 else f"{data.submission_key}/{number}"
        known = queries.by_submission(session, key)
        if known is None or _is_theirs(session, known, data, phone_index):
            return known, key
    return None, uuid4().hex


def _is_theirs(
    session: queries.AnySession, known: Registration, data: RegistrationData, phone_index: bytes | None
) -> bool:
    person = session.get_one(Person, known.person_id)
    phones = {point.value_index for point in queries.contact_points(session, person.id, Channel.SMS)}
    name = cipher.open(person.name_sealed, "people.name", person.id)
    return may_be_one_person(name, data.full_name, has_same_phone=phone_index in phones)


def reference_of(registration_id: UUID) -> str:
    """The first 40 bits of the id in Crockford's base 32, as "K7Q2-XM4D"."""
    value = registration_id.int >> 88
    signs = "".join(_REFERENCE_ALPHABET[value >> shift & 31] for shift in range(35, -5, -5))
    return f"{signs[:4]}-{signs[4:]}"


def _person(
    session: queries.AnySession,
    registration_id: UUID,
    known: Registration | None,
    data: RegistrationData,
    phone_index: bytes | None,
    now: datetime,
) -> Person:
    """The person this registration brought, corrected; or somebody on record with that phone and name; or a new one."""
    own_id = uuid5(registration_id, "person")
    own = session.get(Person, own_id)
    if own is not None and known is not None and known.person_id == own_id:
        own.home_country, own.language = data.home_country, data.language
        if cipher.open(own.name_sealed, "people.name", own.id) != data.full_name:
            own.name_sealed = cipher.seal(data.full_name, "people.name", own.id)
        return own
    match = _namesake(session, data.full_name, phone_index)
    if match is not None:
        return match
    sealed = cipher.seal(data.full_name, "people.name", own_id)
    person = Person(
        id=own_id, name_sealed=sealed, home_country=data.home_country, language=data.language, created_at=now
    )
    session.add(person)
    return person


def _namesake(session: queries.AnySession, full_name: str, phone_index: bytes | None) -> Person | None:
    if phone_index is None:
        return None
    wanted = fold(full_name)
    for person in queries.people_at(session, phone_index):
        if fold(cipher.open(person.name_sealed, "people.name", person.id)) == wanted:
            return person
    return None


def _keep_registration(
    session: queries.AnySession,
    registration_id: UUID,
    known: Registration | None,
    person: Person,
    data: RegistrationData,
    now: datetime,
) -> None:
    if known is not None:
        known.person_id, known.people_count = person.id, data.people_count
        return
    session.add(
        Registration(
            id=registration_id,
            person_id=person.id,
            submission_key=data.submission_key,
            source=data.source,
            people_count=data.people_count,
            consent_version=data.consent_version,
            consented_at=now,
            created_at=now,
        )
    )


def _keep_stay(
    session: queries.AnySession, registration_id: UUID, person: Person, data: RegistrationData, now: datetime
) -> None:
    stay_id = uuid5(registration_id, "stay")
    stay = session.get(Stay, stay_id)
    if stay is None:
        stay = Stay(id=stay_id, created_at=now)
        session.add(stay)
    stay.person_id = person.id
    stay.country = data.country
    stay.place_id = data.place.id if data.place else None
    stay.place_name = data.place.name if data.place else data.place_name
    stay.latitude = data.place.latitude if data.place else None
    stay.longitude = data.place.longitude if data.place else None
    stay.is_resident = data.is_resident
    stay.from_date, stay.until_date = data.from_date, data.until_date
    stay.address_sealed = cipher.seal(data.address, "stays.address", stay_id) if data.address else None


def _keep_phone(
    session: queries.AnySession,
    registration_id: UUID,
    person: Person,
    phone: PhoneReading | None,
    phone_index: bytes | None,
    now: datetime,
) -> None:
    """The person can be reached at this phone; another that the same registration gave before is replaced."""
    if phone is None or phone_index is None:
        return
    is_own = person.id == uuid5(registration_id, "person")
    is_there = False
    for point in queries.contact_points(session, person.id, Channel.SMS):
        if point.value_index == phone_index:
            is_there = True
            if point.unusable_reason == _REPLACED:
                point.unusable_since = point.unusable_reason = None
        elif is_own and point.unusable_since is None:
            point.unusable_since, point.unusable_reason = now, _REPLACED
    if not is_there:
        session.add(_point(person, Channel.SMS, phone.e164, phone_index, now, phone.region, phone.is_valid))


def _keep_email(session: queries.AnySession, person: Person, email: str | None, now: datetime) -> None:
    if email is None:
        return
    index = cipher.index(email.lower(), "email")
    if all(point.value_index != index for point in queries.contact_points(session, person.id, Channel.EMAIL)):
        session.add(_point(person, Channel.EMAIL, email, index, now))


def _point(
    person: Person,
    channel: Channel,
    value: str,
    index: bytes,
    now: datetime,
    country: str | None = None,
    is_valid: bool = True,
) -> ContactPoint:
    point_id = uuid4()
    return ContactPoint(
        id=point_id,
        person_id=person.id,
        channel=channel,
        value_sealed=cipher.seal(value, "contact_points.value", point_id),
        value_index=index,
        country=country,
        is_valid=is_valid,
        created_at=now,
    )
