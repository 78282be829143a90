"""The pages of held texts: what an officer is told before deciding, who may decide, and what a second click does."""

from __future__ import annotations

import html
import re
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from consular.clock import utc_now
from consular.extensions import cipher
from consular.models.alerts import AlertInfo
from consular.permissions import Role
from consular.queries.holding import PAGE
from consular.services import alerts, operations
from tests.alert_world import Browser, browser, csrf, officer
from tests.factories import TEXTS, make_people, message_ids, rows, set_messages, states
from tests.services.test_holding import an_alert, hold
from tests.web.officer.conftest import text_of

PHONE = re.compile(r"\+?21891\d+")


@pytest.fixture
def held(session) -> tuple[UUID, UUID]:
    """A released alert to four phones, of which every text is held, one of unknown fate: (alert, event)."""
    alert_id, event_id, _ = an_alert(session)
    for language, words in TEXTS.items():
        info_id = uuid4()
        sealed = [cipher.seal(words, f"alert_infos.{part}", info_id) for part in ("headline", "text")]
        names = {"language": language, "headline_sealed": sealed[0], "text_sealed": sealed[1]}
        session.add(AlertInfo(id=info_id, alert_id=alert_id, **names))
    session.commit()
    first, *_ = message_ids(session)
    hold(f"id <> {first}")
    hold(f"id = {first}", unknowns=3, error="transport-28", deaths=0)
    for role in Role:
        officer(role)
    return alert_id, event_id


@pytest.fixture
def approver(app, held) -> Browser:
    return browser(app, "approver")


def page_of(alert_id: UUID) -> str:
    return f"/officer/alerts/{alert_id}/held"


def decide(client: Browser, alert_id: UUID, act: str, **values: str):
    given = {"seen": "4", "note": "They must hear of it.", "knows_of_twice": "yes"} | values
    given["csrf_token"] = csrf(client, "/officer/")
    return client.post(f"{page_of(alert_id)}/{act}", data=given)


def test_the_page_says_how_many_why_since_when_and_for_whom_without_a_phone(session, held, approver) -> None:
    alert_id, _ = held
    set_messages(session, "updated_at = now() - interval '3 hours 1 minute'")
    answer = approver.get(page_of(alert_id))
    page = text_of(answer.text)
    assert "3: Three processes ended with it in hand." in page
    assert "1: Not known whether it left, again and again." in page
    assert "(3 h 01 min)" in page
    assert "1 of 4 may have arrived already" in page
    assert page.count("Ravi Kumar") >= 4
    assert not PHONE.search(answer.text)
    [listed] = rows(session, "select detail from audit_entries where action = 'people.listed'")
    assert (listed.detail["list"], len(listed.detail["people"])) == ("held", 4)
    record = re.search(r'href="(/officer/crises/[^"]+/people/[^"]+)"', answer.text)
    assert record
    assert approver.get(record[1]).status_code == 200


def test_everything_sent_again_with_one_click_and_a_second_one_changes_nothing(session, held, approver) -> None:
    alert_id, event_id = held
    answer = decide(approver, alert_id, "send")
    assert answer.status_code == 303
    assert "Sent again: 4 texts are on the way" in text_of(approver.get(answer.headers["Location"]).text)
    assert states(session, event_id) == {"queued": 4}
    again = decide(approver, alert_id, "send")
    assert again.status_code == 303
    page = text_of(approver.get(again.headers["Location"]).text)
    assert "another click or another officer was faster" in page
    assert "No text of this alert is held" in page
    assert len(rows(session, "select 1 from messages where possible_duplicate")) == 1


def test_closed_texts_are_shown_for_what_they_are(session, held, approver) -> None:
    alert_id, event_id = held
    answer = decide(approver, alert_id, "end", note="All four were called.")
    assert "Now closed: 4 texts are not sent again" in text_of(approver.get(answer.headers["Location"]).text)
    assert states(session, event_id) == {"cancelled": 3, "failed": 1}
    history = text_of(approver.get(f"/officer/alerts/{alert_id}").text)
    assert "Held texts closed by Approver One" in history
    assert "All four were called." in history


@pytest.mark.parametrize(
    ("act", "values", "sentence"),
    [
        ("send", {"note": " "}, "Say in a few words why"),
        ("end", {"note": ""}, "Say in a few words why"),
        ("send", {"knows_of_twice": ""}, "Confirm that some people may get this text twice"),
        ("send", {"message": "all"}, "There is no such text"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_done(session, held, approver, act, values, sentence) -> None:
    alert_id, event_id = held
    answer = decide(approver, alert_id, act, **values)
    assert answer.status_code == 422
    assert sentence in text_of(answer.text)
    assert states(session, event_id) == {"held": 4}
    assert ("They must hear of it." in answer.text) == ("note" not in values), "what was typed is still there"


@pytest.mark.parametrize("seen", ["3", "", "rubbish"])
def test_more_than_was_seen_is_shown_first(session, held, approver, seen) -> None:
    alert_id, event_id = held
    answer = decide(approver, alert_id, "send", seen=seen)
    assert answer.status_code == 409
    assert "4 texts are held now, more than you saw" in text_of(answer.text)
    assert states(session, event_id) == {"held": 4}


def test_one_text_alone(session, held, approver) -> None:
    alert_id, event_id = held
    number = message_ids(session)[1]
    link = f"{page_of(alert_id)}?message={number}"
    assert link in approver.get(page_of(alert_id)).text
    page = approver.get(link).text
    assert "One held text" in page
    assert "certainly not left" in text_of(page)
    assert f'name="message" value="{number}"' in page
    decide(approver, alert_id, "send", seen="1", message=str(number))
    assert states(session, event_id) == {"held": 3, "queued": 1}
    assert "This text is not held any more" in text_of(approver.get(link).text)


def test_authors_close_but_do_not_send_and_viewers_only_look(app, session, held) -> None:
    alert_id, event_id = held
    author, viewer = browser(app, "author"), browser(app, "viewer")
    assert "An approver can send these 4 texts again" in text_of(author.get(page_of(alert_id)).text)
    assert decide(author, alert_id, "send").status_code == 403
    assert decide(viewer, alert_id, "send").status_code == decide(viewer, alert_id, "end").status_code == 403
    assert 'action="' + page_of(alert_id) not in viewer.get(page_of(alert_id)).text
    assert states(session, event_id) == {"held": 4}
    assert decide(author, alert_id, "end").status_code == 303
    assert states(session, event_id) == {"cancelled": 3, "failed": 1}


def test_nothing_of_a_stopped_alert_is_offered_for_sending(session, held, approver) -> None:
    alert_id, event_id = held
    alerts.stop(event_id, rows(session, "select id from officers where username = 'author'")[0].id, utc_now())
    page = text_of(approver.get(page_of(alert_id)).text)
    assert "This alert was stopped, so nothing of it is sent again" in page
    assert "Do not send this text" in page
    assert decide(approver, alert_id, "send").status_code == 409
    set_messages(session, "expires_at = now()")
    assert decide(approver, alert_id, "end", seen="1").status_code == 303


def test_the_alert_the_service_page_and_the_runbook_lead_there(app, session, held, approver, monkeypatch) -> None:
    alert_id, _ = held
    monkeypatch.setattr(operations, "alive_workers", lambda url: {})
    assert page_of(alert_id) in approver.get(f"/officer/alerts/{alert_id}").text
    assert 'href="/officer/held"' in approver.get("/officer/operations").text
    assert page_of(alert_id) in approver.get("/officer/held").text
    assert 'href="/officer/held"' not in browser(app, "administrator").get("/officer/operations").text
    assert "/officer/held" in approver.get("/officer/operations/runbooks/messages_held").text


def test_a_calm_list(app, session) -> None:
    officer(Role.VIEWER)
    assert "No text is held" in text_of(browser(app, "viewer").get("/officer/held").text)


def test_pages_of_people(session, approver, held) -> None:
    alert_id, _ = held
    _, _, third, _ = message_ids(session)
    crowd = "select event_id, :person, message_id from recipients where message_id = :message limit 1"
    for person in make_people(session, [None] * PAGE):
        values = {"person": person, "message": third}
        session.execute(text(f"insert into recipients (event_id, person_id, message_id) {crowd}"), values)
    session.commit()
    page = approver.get(page_of(alert_id)).text
    assert text_of(page).count("this one alone") == PAGE
    following = re.search(r'href="([^"]+after=[^"]+)"', page)
    assert following
    assert text_of(approver.get(html.unescape(following[1])).text).count("this one alone") == 4


def test_what_is_not_there_is_not_found(approver, held) -> None:
    assert approver.get(page_of(uuid4())).status_code == 404
    assert approver.get(f"{page_of(held[0])}?message=rubbish").status_code == 404
    assert approver.get(f"{page_of(held[0])}?after=1&person=rubbish").status_code == 200
