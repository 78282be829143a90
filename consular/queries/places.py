"""Reading and filling the offline gazetteer."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session, scoped_session

from consular.models.places import Place, PlaceName

AnySession = Session | scoped_session[Session]
PlaceRow = tuple[int, str, str, float, float, int, str]
NameRow = tuple[int, str, str]

_COPY_PLACES = "copy places (id, name, country, latitude, longitude, population, timezone) from stdin"
_COPY_NAMES = "copy place_names (place_id, key, country) from stdin"
_BIG = 100_000


def is_empty(session: AnySession) -> bool:
    """Whether no place has been loaded."""
    return not session.scalar(select(exists(select(Place.id))))


def lock_for_loading(session: AnySession) -> None:
    """Wait for another loading process; the lock ends with the transaction."""
    session.execute(text("select pg_advisory_xact_lock(hashtext('consular gazetteer'))"))


def copy_places(session: AnySession, rows: Iterable[PlaceRow]) -> None:
    """Insert places in bulk; each id once."""
    _copy(session, _COPY_PLACES, rows)


def copy_names(session: AnySession, rows: Iterable[NameRow]) -> None:
    """Insert spellings in bulk; each (place, key) once."""
    _copy(session, _COPY_NAMES, rows)


def analyse(session: AnySession) -> None:
    """Tell the planner about the rows just loaded."""
    session.execute(text("analyze places"))
    session.execute(text("analyze place_names"))


def by_key(session: AnySession, country: str, key: str, limit: int) -> list[Place]:
    """Places of the country that have exactly this folded name, biggest first."""
    names = select(PlaceName.place_id).where(PlaceName.country == country, PlaceName.key == key)
    return _biggest(session, names, limit)


def by_prefix(session: AnySession, country: str, key: str, limit: int) -> list[Place]:
    """Places of the country with a folded name that begins so, biggest first."""
    starts = func.starts_with(PlaceName.key, key)
    names = select(PlaceName.place_id).where(PlaceName.country == country, starts)
    return _biggest(session, names, limit)


def by_part(session: AnySession, country: str, key: str, limit: int) -> list[Place]:
    """Places of the country with a folded name that contains this anywhere, biggest first."""
    contains = func.strpos(PlaceName.key, key) > 0
    names = select(PlaceName.place_id).where(PlaceName.country == country, contains)
    return _biggest(session, names, limit)


def keys_like(session: AnySession, country: str, start: str, shortest: int, longest: int, limit: int) -> list[str]:
    """Folded names in the country that begin with `start`, of a length within bounds: what a misspelling may mean."""
    length = func.length(PlaceName.key)
    rows = session.scalars(
        select(PlaceName.key)
        .where(PlaceName.country == country, func.starts_with(PlaceName.key, start), length.between(shortest, longest))
        .distinct()
        .limit(limit)
    )
    return list(rows)


def one(session: AnySession, place_id: int, country: str) -> Place | None:
    """The place with this GeoNames id when it lies in the country."""
    return session.scalar(select(Place).where(Place.id == place_id, Place.country == country))


def biggest_near(session: AnySession, place: Place) -> tuple[str, float, float] | None:
    """Name and position of the nearest big town of the same country, other than the place itself."""
    flat = func.cos(func.radians(place.latitude))
    height, width = Place.latitude - place.latitude, (Place.longitude - place.longitude) * flat
    distance = height * height + width * width
    row = session.execute(
        select(Place.name, Place.latitude, Place.longitude)
        .where(Place.country == place.country, Place.population >= _BIG, Place.id != place.id)
        .order_by(distance)
        .limit(1)
    ).first()
    return None if row is None else (row.name, row.latitude, row.longitude)


def _biggest(session: AnySession, ids: object, limit: int) -> list[Place]:
    chosen = select(Place).where(Place.id.in_(ids)).order_by(Place.population.desc(), Place.id)  # type: ignore[arg-type]
    return list(session.scalars(chosen.limit(limit)))


def _copy(session: AnySession, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    connection = session.connection().connection
    with connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[attr-defined]
        for row in rows:
            copy.write_row(row)
