"""The queue: calls first, the words as they came, acts that say what they do, a clear page for the second officer."""

from __future__ import annotations

import re
from itertools import pairwise
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, scoped_session

from consular.domain.triage import Outcome, Stated, StatementSource
from consular.models.assistance import AssistanceRequest, RequestKind
from consular.services.assistance import NewRequest, close_request, open_requests, read_text
from tests.crisis_world import World, at, csrf_of, signed_in


@pytest.fixture
def world(session: scoped_session[Session]) -> World:
    return World(session)


@pytest.fixture
def officer(world: World, client: FlaskClient) -> FlaskClient:
    return signed_in(world, client)


def asks(
    world: World, kind: RequestKind, minutes: float = 1, body: str = "help us", person: UUID | None = None
) -> UUID:
    inbound_id = world.text(body, minutes)
    stated = {RequestKind.NEEDS_HELP: Stated.NEEDS_HELP, RequestKind.UNCLEAR: Stated.UNCLEAR}.get(kind)
    if person and stated:
        world.says(person, stated, minutes, inbound_id=inbound_id)
    new = NewRequest(
        source_key=str(inbound_id),
        kind=kind,
        crisis_id=world.crisis_id if person else None,
        person_id=person,
        inbound_id=inbound_id,
        opened_at=at(minutes),
        is_exercise=True,
    )
    open_requests(world.session, [new])
    world.session.commit()
    return world.session.scalars(
        select(AssistanceRequest.id).where(AssistanceRequest.source_key == str(inbound_id))
    ).one()


def queue(officer: FlaskClient, world: World, query: str = "") -> str:
    answer = officer.get(f"/officer/crises/{world.crisis_id}/requests{query}")
    assert answer.status_code == 200
    return answer.text


def post(officer: FlaskClient, request_id: UUID, act: str, **values: str):
    page = officer.get(f"/officer/requests/{request_id}").text
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen
    form = {"csrf_token": csrf_of(page), "seen": seen.group(1)} | values
    return officer.post(f"/officer/requests/{request_id}/{act}", data=form)


def test_calls_come_before_older_doubts_and_unknown_senders_are_there_too(world: World, officer: FlaskClient) -> None:
    asks(world, RequestKind.UNKNOWN_SENDER, 1, "third")
    asks(world, RequestKind.UNCLEAR, 2, "second", world.person())
    asks(world, RequestKind.NEEDS_HELP, 9, "first", world.person())
    page = queue(officer, world)
    assert re.findall(r'<bdi class="said" dir="auto">(\w+)</bdi>', page) == ["first", "second", "third"]
    assert "It belongs to no crisis" in page


def test_filters_and_pages(world: World, officer: FlaskClient) -> None:
    person = world.person()
    for number in range(60):
        asks(world, RequestKind.UNCLEAR, number, f"text {number}", person)
    asks(world, RequestKind.NEEDS_HELP, 1, "call", person)
    first = queue(officer, world)
    following = re.search(r'href="[^"?]+\?([^"]+)">Next 50', first)
    assert following
    second = queue(officer, world, "?" + following.group(1).replace("&amp;", "&"))
    texts = re.findall(r'dir="auto">(text \d+|call)</bdi>', first + second)
    assert texts == ["call", *(f"text {number}" for number in range(60))]
    assert "text 1" not in queue(officer, world, "?kind=needs_help")
    assert officer.get(f"/officer/crises/{world.crisis_id}/requests?kind=x").status_code == 404


def test_an_unclear_text_is_read_and_the_reading_can_be_changed(world: World, officer: FlaskClient) -> None:
    person = world.person()
    request_id = asks(world, RequestKind.UNCLEAR, 1, "sb thik hai", person)
    assert "sb thik hai" in officer.get(f"/officer/requests/{request_id}").text
    field = f"reading-{person}"
    assert post(officer, request_id, "read", **{field: "SAFE", "count": "٤"}).status_code == 303
    assert (world.status(person).stated, world.status(person).stated_count) == (Stated.SAFE, 4)
    assert post(officer, request_id, "read", **{field: "nothing"}).status_code == 303
    assert world.status(person).stated is None


@pytest.mark.parametrize("value", ["UNCLEAR", "", "safe", "x"])
def test_a_reading_must_be_one_of_the_choices(world: World, officer: FlaskClient, value: str) -> None:
    person = world.person()
    request_id = asks(world, RequestKind.UNCLEAR, 1, "hm", person)
    answer = post(officer, request_id, "read", **{f"reading-{person}": value})
    assert (answer.status_code, "Say for each person" in answer.text) == (422, True)
    assert world.status(person).stated is Stated.UNCLEAR


def test_a_call_is_closed_only_with_outcome_and_note(world: World, officer: FlaskClient) -> None:
    person = world.person()
    request_id = asks(world, RequestKind.NEEDS_HELP, 1, "help", person)
    missing = post(officer, request_id, "close", note="Done.")
    assert (missing.status_code, "Choose how this request ended." in missing.text) == (422, True)
    silent = post(officer, request_id, "close", outcome="helped", note="")
    assert (silent.status_code, "Write what was done and by whom" in silent.text) == (422, True)
    assert post(officer, request_id, "close", outcome="helped", note="Ambulance.").status_code == 303
    assert "Help was given" in queue(officer, world, "?kind=closed")


def test_the_second_officer_gets_a_clear_page(world: World, officer: FlaskClient) -> None:
    person = world.person()
    request_id = asks(world, RequestKind.UNCLEAR, 1, "hm", person)
    page = officer.get(f"/officer/requests/{request_id}").text
    read_text(request_id, world.officer(), "unclear:open", {person: Stated.SAFE})
    form = {"csrf_token": csrf_of(page), "seen": "unclear:open", f"reading-{person}": "NOT_THERE"}
    answer = officer.post(f"/officer/requests/{request_id}/read", data=form)
    assert answer.status_code == 409
    assert "Amina Duty changed this request" in answer.text
    assert "Change the reading" in answer.text
    assert world.status(person).stated is Stated.SAFE


def test_who_is_on_it_is_shown(world: World, officer: FlaskClient) -> None:
    request_id = asks(world, RequestKind.NEEDS_HELP, 1, "help", world.person())
    assert "Nobody is on it yet." in queue(officer, world)
    assert post(officer, request_id, "take").status_code == 303
    assert "Amina Duty is on it." in queue(officer, world)


@pytest.mark.parametrize("sharing", [1, 3], ids=["a phone of one", "a phone of three"])
def test_the_note_of_a_link_answer_is_shown_as_its_words(world: World, officer: FlaskClient, sharing: int) -> None:
    """Behind a shared phone the request names nobody: the words must be found all the same."""
    from dataclasses import replace

    from consular.services.statuses import record_statements

    people = [world.person() for _ in range(sharing)]
    said = [
        replace(
            world.statement(person, Stated.NEEDS_HELP, source=StatementSource.LINK, text_key="link:1"),
            note="The bridge is down",
        )
        for person in people
    ]
    record_statements(world.session, said)
    person_id = people[0] if sharing == 1 else None
    request = NewRequest("link:1", RequestKind.NEEDS_HELP, world.crisis_id, person_id, None, at(1))
    open_requests(world.session, [request])
    world.session.commit()
    request_id = world.session.scalars(select(AssistanceRequest.id)).one()
    for page in (queue(officer, world), officer.get(f"/officer/requests/{request_id}").text):
        assert "The bridge is down" in page
        assert "without words" not in page


def test_a_hostile_text_is_only_text(world: World, officer: FlaskClient) -> None:
    request_id = asks(world, RequestKind.UNCLEAR, 1, "<script>alert(1)</script>\u202etxt", world.person())
    for page in (queue(officer, world), officer.get(f"/officer/requests/{request_id}").text):
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_an_unknown_sender_is_closed_from_any_crisis(world: World, officer: FlaskClient) -> None:
    request_id = asks(world, RequestKind.UNKNOWN_SENDER, 1, "who are you")
    assert officer.get(f"/officer/requests/{request_id}").status_code == 404
    url = f"/officer/requests/{request_id}?crisis={world.crisis_id}"
    page = officer.get(url).text
    form = {"csrf_token": csrf_of(page), "seen": "unknown_sender:open", "crisis": str(world.crisis_id)}
    answer = officer.post(f"/officer/requests/{request_id}/close", data=form | {"outcome": "no_action", "note": ""})
    assert answer.status_code == 303
    assert officer.get(answer.headers["Location"]).status_code == 200


def test_a_closed_request_cannot_be_closed_again(world: World, officer: FlaskClient) -> None:
    request_id = asks(world, RequestKind.NEEDS_HELP, 1, "help", world.person())
    page = officer.get(f"/officer/requests/{request_id}").text
    close_request(request_id, world.officer(), "needs_help:open", Outcome.HELPED, "Done.")
    form = {"csrf_token": csrf_of(page), "seen": "needs_help:open", "outcome": "helped", "note": "Me too."}
    assert officer.post(f"/officer/requests/{request_id}/close", data=form).status_code == 409


READING, CLOSING = "It is not a call for help: read it differently", "Close the request"


def is_open(page: str) -> bool:
    """Whether the fold with the form that reads a call differently is open."""
    found = re.search(rf"<details( open)?><summary>{READING}", page)
    assert found
    return found.group(1) is not None


def with_note_error(page: str) -> set[str]:
    """The note fields that an error points at."""
    return {name for name in ("note", "closing-note") if re.search(rf'id="{name}"[^>]*aria-invalid', page)}


def test_errors_of_one_form_never_touch_the_other(world: World, officer: FlaskClient) -> None:
    person = world.person()
    request_id = asks(world, RequestKind.NEEDS_HELP, 1, "help", person)
    closed = post(officer, request_id, "close", note="Typed here.").text
    assert "Choose how this request ended." in closed
    assert not is_open(closed)
    assert re.search(r'<textarea id="closing-note"[^>]*>Typed here\.</textarea>', closed)
    assert closed.count("Typed here.") == 1
    unsaid = post(officer, request_id, "close", outcome="helped", note="").text
    assert (with_note_error(unsaid), is_open(unsaid)) == ({"closing-note"}, False)
    assert 'href="#closing-note"' in unsaid
    read = post(officer, request_id, "read", **{f"reading-{person}": "SAFE"}, note="").text
    assert (with_note_error(read), is_open(read)) == ({"note"}, True)
    assert 'href="#note"' in read


def test_the_queue_has_no_gap_in_its_headings(world: World, officer: FlaskClient) -> None:
    asks(world, RequestKind.NEEDS_HELP, 1, "help", world.person())
    levels = [int(level) for level in re.findall(r"<h([1-6])", queue(officer, world))]
    assert levels[:2] == [1, 2]
    assert all(after - before <= 1 for before, after in pairwise(levels))
