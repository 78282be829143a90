"""A crisis is real or practice from its first moment."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from consular.domain.cap import AlertStatus
from consular.errors import ConflictError, InvalidInputError, NotFoundError
from consular.models.audit import AuditEntry
from consular.permissions import Role
from consular.queries import alerts as queries
from consular.services import crises
from tests.alert_world import LIBYA, NOW, officer


@pytest.fixture
def author(session):
    return officer(Role.AUTHOR)


@pytest.mark.parametrize("typed", ["", "yes", "THIS IS A DRILL"])
def test_a_real_crisis_needs_the_words(author, typed) -> None:
    with pytest.raises(InvalidInputError) as error:
        crises.open_crisis("Libya", AlertStatus.ACTUAL, LIBYA, author, NOW, confirmation=typed)
    assert "confirmation" in error.value.fields
    assert crises.open_crisis("Libya", AlertStatus.ACTUAL, LIBYA, author, NOW, confirmation=" this is real ")


@pytest.mark.parametrize("title", ["", "  ", "ab", "x" * 201])
def test_a_title_is_needed(author, title) -> None:
    with pytest.raises(InvalidInputError) as error:
        crises.open_crisis(title, AlertStatus.EXERCISE, LIBYA, author, NOW)
    assert "title" in error.value.fields


def test_opening_and_closing_are_recorded(author, session) -> None:
    crisis_id = crises.open_crisis("  Libya  2011 ", AlertStatus.EXERCISE, LIBYA, author, NOW)
    found = queries.find_crisis(session, crisis_id)
    assert found is not None
    assert (found.title, found.status, found.opened_by) == ("Libya 2011", AlertStatus.EXERCISE, "Author One")
    crises.close_crisis(crisis_id, author, NOW)
    with pytest.raises(ConflictError):
        crises.close_crisis(crisis_id, author, NOW)
    actions = session.scalars(select(AuditEntry.action).where(AuditEntry.subject_type == "crisis")).all()
    assert actions == ["crisis_opened", "crisis_closed"]


def test_an_unknown_crisis_is_not_found(author) -> None:
    with pytest.raises(NotFoundError):
        crises.close_crisis(author, author, NOW)
