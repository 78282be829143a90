"""Lists page by page, and a record where the person's own word and the officers' assessment stand side by side."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, scoped_session

from consular.domain.delivery import MessageState, Reach
from consular.domain.triage import Assessment, Stated
from consular.models.audit import AuditEntry
from consular.models.officers import Role
from consular.queries import reach
from consular.queries.records import Moment
from consular.services.assessments import assess
from consular.web.officer import wording
from tests.crisis_world import World, at, csrf_of, signed_in


@pytest.fixture
def world(session: scoped_session[Session]) -> World:
    return World(session)


@pytest.fixture
def officer(world: World, client: FlaskClient) -> FlaskClient:
    return signed_in(world, client)


def names(page: str) -> list[str]:
    return re.findall(r'<bdi dir="auto">(Person \d+)</bdi>', page)


def record_url(world: World, person: UUID) -> str:
    return f"/officer/crises/{world.crisis_id}/people/{person}"


def test_the_oldest_word_comes_first_and_pages_miss_nobody(world: World, officer: FlaskClient) -> None:
    for number in range(120):
        world.says(world.person(name=f"Person {number}"), Stated.NEEDS_HELP, minutes=500 - number // 7)
    world.session.commit()
    url: str | None = f"/officer/crises/{world.crisis_id}/people/in/needs_help"
    seen: list[list[str]] = []
    while url:
        page = officer.get(url).text
        seen.append(names(page))
        following = re.search(r'href="([^"]+)">Next 50', page)
        url = following.group(1).replace("&amp;", "&") if following else None
    assert [len(page) for page in seen] == [50, 50, 20]
    everybody = [name for page in seen for name in page]
    assert len(set(everybody)) == 120
    weeks = [int(name.split()[1]) // 7 for name in everybody]
    assert weeks == sorted(weeks, reverse=True)


@pytest.mark.parametrize("listed", ["people", "silent", "reached", "assessed-missing"])
def test_lists_in_the_order_of_the_register(world: World, officer: FlaskClient, listed: str) -> None:
    for number in range(60):
        person = world.person(name=f"Person {number}")
        world.standing(person, Reach.DELIVERED)
        world.session.commit()
        assess(world.crisis_id, person, world.officer_id, "none", Assessment.MISSING, "Not at home.")
    first = officer.get(f"/officer/crises/{world.crisis_id}/people/in/{listed}").text
    following = re.search(r'href="([^"]+)">Next 50', first)
    assert following
    second = officer.get(following.group(1).replace("&amp;", "&")).text
    assert (len(names(first)), len(set(names(first) + names(second)))) == (50, 60)


def test_a_list_says_why_a_text_failed(world: World, officer: FlaskClient, session: scoped_session[Session]) -> None:
    person = world.person()
    world.standing(person)
    reach.apply(session, [world.message(world.event(), person, state=MessageState.REFUSED)])
    session.commit()
    page = officer.get(f"/officer/crises/{world.crisis_id}/people/in/not_delivered").text
    assert "Ravi Kumar" in page
    assert "Not delivered" in page


@pytest.mark.parametrize("listed", ["safe'--", "nobody", "assessed-", "assessed-x"])
def test_an_unknown_list_is_404(world: World, officer: FlaskClient, listed: str) -> None:
    assert officer.get(f"/officer/crises/{world.crisis_id}/people/in/{listed}").status_code == 404


@pytest.mark.parametrize("query", ["after=x", "after=1&at=2", f"after={uuid4()}&at=2011-02-20", "at=٢"])
def test_a_made_up_page_starts_at_the_beginning(world: World, officer: FlaskClient, query: str) -> None:
    assert officer.get(f"/officer/crises/{world.crisis_id}/people/in/safe?{query}").status_code == 200


def test_a_record_shows_words_messages_and_contacts(
    world: World, officer: FlaskClient, session: scoped_session[Session]
) -> None:
    person = world.person(name="<b>Ravi</b>", phone="+218912345678", heads=4)
    world.standing(person)
    world.message(world.event(), person, state=MessageState.QUEUED)
    inbound_id = world.text("نحن بخير", 5)
    world.says(person, Stated.UNCLEAR, 5, inbound_id=inbound_id)
    session.commit()
    page = officer.get(record_url(world, person)).text
    assert "&lt;b&gt;Ravi&lt;/b&gt;" in page
    assert '<bdi dir="ltr">+218912345678</bdi>' in page
    assert '<bdi class="said" dir="auto">نحن بخير</bdi>' in page
    assert "released, text waiting to be sent" in page
    assert "20 Feb 2011, 14:05:00 UTC" in page


def test_every_reading_of_a_record_is_written_down(
    world: World, officer: FlaskClient, session: scoped_session[Session]
) -> None:
    person = world.person()
    world.says(person, Stated.SAFE)
    session.commit()
    officer.get(record_url(world, person))
    officer.get(f"/officer/crises/{world.crisis_id}/people/in/safe")
    entries = session.scalars(select(AuditEntry).where(AuditEntry.officer_id == world.officer_id)).all()
    acts = {entry.action: entry for entry in entries}
    assert acts["person.read"].subject_id == str(person)
    assert acts["people.listed"].detail == {"list": "safe", "people": [str(person)]}


def test_an_assessment_stands_beside_the_persons_word(world: World, officer: FlaskClient) -> None:
    person = world.person()
    world.says(person, Stated.SAFE)
    world.session.commit()
    form = {"csrf_token": csrf_of(officer.get(record_url(world, person)).text), "seen": "none"}
    form |= {"assessment": "missing", "note": "The hotel says he left."}
    answer = officer.post(record_url(world, person) + "/assessment", data=form, follow_redirects=True)
    assert "Your assessment stands beside what the person said." in answer.text
    row = world.status(person)
    assert (row.stated, row.assessed) == (Stated.SAFE, Assessment.MISSING)
    page = officer.get(record_url(world, person)).text
    assert "<b>Safe</b>" in page
    assert "<b>Missing</b>" in page
    assert "The hotel says he left." in page


def test_the_second_assessment_from_an_old_page_is_refused(world: World, officer: FlaskClient) -> None:
    person = world.person()
    world.says(person, Stated.SAFE)
    world.session.commit()
    assess(world.crisis_id, person, world.officer(), "none", Assessment.SAFE, "Seen at the gate.")
    form = {"csrf_token": csrf_of(officer.get(record_url(world, person)).text), "seen": "none"}
    answer = officer.post(record_url(world, person) + "/assessment", data=form | {"assessment": "missing", "note": "x"})
    assert answer.status_code == 409
    assert "Another officer assessed this person" in answer.text
    assert world.status(person).assessed is Assessment.SAFE


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"assessment": "", "note": "x"}, "Choose an assessment."),
        ({"assessment": "alive", "note": "x"}, "Choose an assessment."),
        ({"assessment": "missing", "note": " "}, "Write what this rests on"),
        ({"assessment": "missing", "note": "x" * 2001}, "too long"),
        ({"assessment": "missing", "note": "\ufffd"}, "Write it again"),
    ],
    ids=["none", "unknown", "no note", "long note", "unreadable"],
)
def test_a_wrong_assessment_form_says_the_cure(
    world: World, officer: FlaskClient, values: dict[str, str], message: str
) -> None:
    person = world.person()
    world.says(person, Stated.SAFE)
    world.session.commit()
    form = {"csrf_token": csrf_of(officer.get(record_url(world, person)).text), "seen": "none"} | values
    answer = officer.post(record_url(world, person) + "/assessment", data=form)
    assert answer.status_code == 422
    assert message in answer.text


def test_a_note_goes_into_the_timeline(world: World, officer: FlaskClient) -> None:
    person = world.person()
    world.says(person, Stated.SAFE)
    world.session.commit()
    token = csrf_of(officer.get(record_url(world, person)).text)
    empty = officer.post(record_url(world, person) + "/note", data={"csrf_token": token, "note": " "})
    assert (empty.status_code, "Write what the next officer needs to know." in empty.text) == (422, True)
    officer.post(record_url(world, person) + "/note", data={"csrf_token": token, "note": "Sister rang."})
    assert "Sister rang." in officer.get(record_url(world, person)).text
    assert world.status(person).stated is Stated.SAFE


def test_somebody_who_is_not_part_of_the_crisis_is_404(world: World, officer: FlaskClient) -> None:
    person = world.person()
    world.session.commit()
    assert officer.get(record_url(world, person)).status_code == 404


def test_a_viewer_reads_and_cannot_assess(world: World, client: FlaskClient) -> None:
    person = world.person()
    world.says(person, Stated.SAFE)
    viewer = signed_in(world, client, Role.VIEWER)
    page = viewer.get(record_url(world, person)).text
    assert "Assess" not in re.findall(r"<button[^>]*>([^<]+)", page)
    form = {"csrf_token": csrf_of(page), "seen": "none", "assessment": "missing", "note": "x"}
    assert viewer.post(record_url(world, person) + "/assessment", data=form).status_code == 403


def moment(minutes: float, title: str, kind: str = "report") -> Moment:
    return Moment(at(minutes), kind, title)


def test_a_delivery_is_told_once() -> None:
    reported, delivered = "The network reported: delivered", "Text delivered to the phone"
    first = [moment(1, "The network reported: sent"), moment(2, reported), moment(2, delivered)]
    assert [m.title for m in wording.newest_first(first)] == [delivered, "The network reported: sent"]
    alone = [moment(1, delivered), moment(3, reported)]
    assert [m.title for m in wording.newest_first(alone)] == [reported, delivered]


@pytest.mark.parametrize(
    ("zone", "clock"),
    [
        ("Africa/Tripoli", "20 Feb 2011, 14:05:00 UTC, 16:05 there"),
        ("Not/A_Zone", "20 Feb 2011, 14:05:00 UTC"),
        (None, "20 Feb 2011, 14:05:00 UTC"),
    ],
    ids=["known", "unknown zone", "no zone"],
)
def test_both_clocks_are_one_list(zone: str | None, clock: str) -> None:
    assert wording.clocks(at(5), zone) == clock


def test_a_stopped_text_is_not_called_failed(world: World, officer: FlaskClient) -> None:
    page = officer.get(f"/officer/crises/{world.crisis_id}/people/in/not_delivered").text
    assert "failed, was refused, or was stopped before it left" in page
