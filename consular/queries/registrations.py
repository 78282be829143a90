"""Finding a registration by the form it came with, and people by their phone."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session, scoped_session

from consular.models.people import Channel, ContactPoint, Person, Registration

AnySession = Session | scoped_session[Session]


def lock(session: AnySession, *subjects: str) -> None:
    """Let one transaction at a time work on each subject, in the order given; held until the transaction ends."""
    for subject in subjects:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(subject, 0))))


def by_submission(session: AnySession, submission_key: str) -> Registration | None:
    """The registration that came with this form."""
    return session.scalar(select(Registration).where(Registration.submission_key == submission_key))


def people_at(session: AnySession, phone_index: bytes) -> list[Person]:
    """Everybody on record with this phone, the longest known first."""
    owners = select(ContactPoint.person_id).where(
        ContactPoint.value_index == phone_index, ContactPoint.channel == Channel.SMS
    )
    return list(session.scalars(select(Person).where(Person.id.in_(owners)).order_by(Person.created_at, Person.id)))


def contact_points(session: AnySession, person_id: object, channel: Channel) -> list[ContactPoint]:
    """Every address of the person on the channel, also those that were replaced."""
    chosen = select(ContactPoint).where(ContactPoint.person_id == person_id, ContactPoint.channel == channel)
    return list(session.scalars(chosen))
