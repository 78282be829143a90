"""Writing, previewing, releasing and stopping an alert through the pages two officers use."""

from __future__ import annotations

import html

import pytest
from sqlalchemy import func, select, update

from consular.domain.alerts import AlertState
from consular.domain.cap import AlertStatus
from consular.models.alerts import AlertDecision, AlertEvent, AlertInfo
from consular.models.messages import Message
from consular.models.social import PostState, SocialPost
from consular.permissions import Role
from consular.queries import alerts as queries
from consular.queries import counters
from consular.queries.alerts import Words
from consular.security.fields import KeyUnavailableError
from consular.services import alerts
from tests.alert_world import NOW, AlertWorld, hidden, officer, people, view
from tests.web.officer.conftest import FORM, Pages, id_in, text_of


def test_from_the_form_to_stop(author, approver, session) -> None:
    alert_id = id_in(author.write())
    preview = text_of(author.page(alert_id))
    assert "4 people on record" in preview
    assert "4 texts, one to each phone" in preview
    assert author.act(alert_id, "submit").status_code == 303
    assert "You wrote or last edited it" in author.page(alert_id)
    answer = approver.release(alert_id)
    assert answer.status_code == 303
    page = approver.client.get(answer.headers["Location"]).text
    assert "STOP sending" in page
    assert "4 of 4 texts have not left" in text_of(page)
    assert author.act(alert_id, "stop").status_code == 303
    assert "Stopped by Author One" in text_of(author.page(alert_id))
    assert "0 handed over, 4 not sent" in text_of(author.page(alert_id))
    assert "STOP sending" not in author.page(alert_id)


def test_stop_shows_exactly_what_had_left(author, world, session) -> None:
    alert_id = world.issued()
    event = queries.find_event(session, alert_id)
    first = session.scalars(select(Message).limit(1)).one()
    first.state = "accepted"
    counters.add(session, {(event.id, "message:accepted"): 1, (event.id, "message:queued"): -1})
    session.commit()
    author.act(alert_id, "stop")
    assert "1 handed over, 3 not sent" in text_of(author.page(alert_id))


def test_a_second_click_comes_to_the_same_page_and_sends_nothing_twice(author, approver, session, world) -> None:
    alert_id = world.submitted()
    page = approver.page(alert_id)
    seen = {name: hidden(page, name) for name in ("seen_hash", "seen_count")}
    first, second = (approver.act(alert_id, "approve", **seen) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert "Already issued by Approver One" in text_of(approver.page(alert_id))
    assert session.scalar(select(func.count()).select_from(Message)) == 4


def test_a_tampered_or_stale_release_is_refused_with_the_page_as_it_is_now(approver, world, session) -> None:
    alert_id = world.submitted()
    for form in ({"seen_hash": "00" * 32}, {"seen_hash": "zz"}, {"seen_count": "3"}, {"seen_count": "x"}):
        answer = approver.release(alert_id, **form)
        assert answer.status_code == 409
        assert "Read it again" in answer.text
    old = approver.page(alert_id)
    people(session, ["en", "fr"])
    seen = {name: hidden(old, name) for name in ("seen_hash", "seen_count")}
    answer = approver.act(alert_id, "approve", **seen)
    assert answer.status_code == 409
    assert "number of people changed" in answer.text
    assert hidden(answer.text, "seen_count") == "6"
    assert approver.release(alert_id).status_code == 303


def test_the_author_cannot_release_by_hand_made_request(app, world) -> None:
    officer(Role.APPROVER, "both")
    both = Pages(app, world, "both")
    alert_id = id_in(both.write())
    both.act(alert_id, "submit")
    assert 'name="seen_hash"' not in both.page(alert_id)
    answer = both.act(alert_id, "approve", seen_hash="00" * 32, seen_count="4")
    assert answer.status_code == 403
    assert view(alert_id).state is AlertState.AWAITING_APPROVAL


def test_without_a_real_gateway_an_actual_alert_says_what_to_do(app, session) -> None:
    world = AlertWorld(session, AlertStatus.ACTUAL)
    author = Pages(app, world, "author")
    alert_id = id_in(author.write())
    assert "No gateway for Actual alerts" in author.page(alert_id)
    answer = author.act(alert_id, "submit")
    assert answer.status_code == 409
    assert "TWILIO_" in answer.text


def test_an_actual_release_asks_for_the_number(app, session, world_actual) -> None:
    alert_id = world_actual.submitted()
    approver = Pages(app, world_actual, "approver")
    wrong = approver.release(alert_id, typed_count="5")
    assert wrong.status_code == 422
    assert 'href="#typed_count"' in wrong.text
    assert approver.release(alert_id, typed_count=" 4 ").status_code == 303
    assert session.scalars(select(Message.gateway).distinct()).all() == ["twilio"]


@pytest.fixture
def world_actual(app, session, config, monkeypatch) -> AlertWorld:
    """A mission with a real gateway as well."""
    import dataclasses

    both = dataclasses.replace(config, twilio_gateway=dataclasses.replace(config.exercise_gateway, name="twilio"))
    monkeypatch.setitem(app.config, "CONSULAR", both)
    return AlertWorld(session, AlertStatus.ACTUAL)


def test_two_editors_the_second_keeps_the_own_words_and_sees_the_others(author, approver, world) -> None:
    alert_id = world.drafted()
    opened = hidden(author.client.get(f"/officer/alerts/{alert_id}/edit").text, "revision")
    assert approver.act(alert_id, "edit", **{**FORM, "revision": opened, "text_en": "Theirs."}).status_code == 303
    answer = author.act(alert_id, "edit", **{**FORM, "revision": opened, "text_en": "Mine."})
    assert answer.status_code == 409
    assert "Approver One saved this alert" in text_of(answer.text)
    assert "Mine." in answer.text
    assert "Theirs." in answer.text
    merged = {**FORM, "revision": hidden(answer.text, "revision"), "text_en": "Both."}
    assert author.act(alert_id, "edit", **merged).status_code == 303
    assert view(alert_id).words == {"en": Words("Stay inside", "Both.")}


@pytest.mark.parametrize(
    ("changes", "field", "cure"),
    [
        ({"event": ""}, "event", "3 to 200 characters"),
        ({"category": "War"}, "category", "Choose a category"),
        ({"urgency": ""}, "urgency", "Choose how soon"),
        ({"message_class": ""}, "message_class", "Choose what happens"),
        ({"validity_minutes": "0"}, "validity_minutes", "1 to 600"),
        ({"validity_minutes": "601"}, "validity_minutes", "1 to 600"),
        ({"validity_minutes": "²"}, "validity_minutes", "1 to 600"),
        ({"validity_minutes": "1e2"}, "validity_minutes", "1 to 600"),
        ({"text_en": "", "headline_en": ""}, "text_en", "at least one language"),
        ({"text_en": "", "text_fr": "Restez", "headline_fr": "Restez"}, "text_en", "write the text message"),
        ({"headline_en": ""}, "headline_en", "write a headline"),
        ({"headline_en": "x" * 161}, "headline_en", "160 characters"),
        ({"text_en": "x" * 1301}, "text_en", "1,300 characters"),
        ({"text_en": "\u202e\0\u2066"}, "text_en", "write the text message"),
        ({"text_en": "e" + "\u0301" * 50}, "text_en", "too many accents"),
        ({"countries": [""]}, "countries-1", "at least one country"),
    ],
)
def test_errors_name_the_field_and_the_cure(author, changes, field, cure) -> None:
    answer = author.write(**changes)
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert f'id="{field}"' in answer.text
    assert cure in html.unescape(answer.text)
    if "event" not in changes:
        assert 'value="Fighting in Tripoli"' in answer.text


@pytest.mark.parametrize(
    "field", ["event", "text_en", "headline_en", "text_ar", "validity_minutes", "revision", "category"]
)
def test_no_input_is_a_failure_of_ours(author, field) -> None:
    for text in (
        "\0",
        "\ud800",
        "\u202eabc",
        "{{ config }}",
        "{% x",
        "a" * 90_000,
        "٣",
        "<script>x</script>",
        "\x85\u2028",
    ):
        answer = author.write(**{field: f"Fight{text}ing".encode("utf-8", "surrogatepass")})
        assert answer.status_code in (303, 400, 413, 422), text[:20]
        page = author.client.get(answer.headers["Location"]).text if answer.status_code == 303 else answer.text
        assert "SECRET_KEY" not in page
        assert "<script>x" not in page


def test_notes_take_anything(approver, world) -> None:
    for note in ("a\0b", "a\ud800", "\u202eabc", "x" * 2000):
        alert_id = world.submitted()
        assert approver.act(alert_id, "return", note=note.encode("utf-8", "surrogatepass")).status_code == 303
        assert approver.client.get(f"/officer/alerts/{alert_id}").status_code == 200


def test_digits_of_any_script_are_numbers(author) -> None:
    assert view(id_in(author.write(validity_minutes="٩٠"))).validity_minutes == 90


def test_words_are_sent_literally_and_never_as_a_template(author, approver, world) -> None:
    alert_id = id_in(author.write(text_en="Bring {name} and {{config}} 100%"))
    page = html.unescape(author.page(alert_id))
    assert "Bring {name} and {{config}} 100%" in page
    assert "placeholder seems to be left" in page


def test_the_preview_counts_parts_languages_and_fallbacks(author) -> None:
    page = text_of(author.page(id_in(author.write(headline_ar="ابقوا", text_ar="ابقوا في الداخل."))))
    assert "No text in French (1 people): they get the English one." in page
    assert "GSM-7" in page
    assert "UCS-2" in page
    assert "EXERCISE Fighting in Tripoli. Stay inside. Reply 1 safe, 2 need help, 3 not there" in page
    assert "4 of these texts, as they leave" in page


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("See https://evil.example/help now", "address that is not ours (https://evil.example/help)"),
        ("See http://consular.test.evil.example/x", "address that is not ours"),
        ("See http://consular.test/news", None),
        ("Stay inside – wait", "the characters – make each part hold 67"),
        ("x" * 400, "parts for each phone"),
        ("Reply STOP to us", "a word that networks keep"),
    ],
)
def test_the_preview_warns(author, text, warning) -> None:
    page = text_of(author.page(id_in(author.write(text_en=text))))
    assert (warning in page) if warning else ("Look at this again" not in page)


def test_returning_needs_a_note_and_shows_it_to_the_author(author, approver, world) -> None:
    alert_id = world.submitted()
    answer = approver.act(alert_id, "return", note=" ")
    assert answer.status_code == 422
    assert 'href="#note"' in answer.text
    approver.act(alert_id, "return", note="Which part of <Tripoli>?")
    assert "Which part of &lt;Tripoli&gt;?" in author.page(alert_id)
    assert "Submit for approval" in author.page(alert_id)


def test_a_viewer_sees_and_touches_nothing(app, world) -> None:
    officer(Role.VIEWER)
    viewer = Pages(app, world, "viewer")
    page = viewer.page(world.submitted())
    for act in ("Release", "Take it back", "Return"):
        assert act not in text_of(page)
    issued = world.issued()
    assert "STOP sending" not in viewer.page(issued)
    assert viewer.act(issued, "stop").status_code == 403


def test_an_unknown_or_malformed_alert_is_not_found(author) -> None:
    for path in (f"/officer/alerts/{author.world.crisis}", "/officer/alerts/1", "/officer/alerts/../x"):
        assert author.client.get(path).status_code == 404


def test_progress_is_a_fragment_and_stops_asking_when_nothing_waits(author, world) -> None:
    alert_id = world.issued()
    path = f"/officer/alerts/{alert_id}/progress"
    fragment = author.client.get(path, headers={"X-Requested-With": "fetch"})
    assert fragment.status_code == 200
    assert "<html" not in fragment.text
    assert f'data-poll="{path}"' in fragment.text
    assert '<meta http-equiv="refresh"' in author.page(alert_id)
    author.act(alert_id, "stop")
    assert 'data-poll=""' in author.client.get(path).text
    assert '<meta http-equiv="refresh"' not in author.page(alert_id)


@pytest.mark.parametrize("content", [b"\x00", b"\x01\x02k9" + bytes(60)], ids=["damaged", "another key"])
def test_an_alert_whose_text_cannot_be_read_can_be_looked_at_and_stopped(author, approver, session, content) -> None:
    alert_id = id_in(author.write())
    author.act(alert_id, "submit")
    approver.release(alert_id)
    session.execute(update(AlertEvent).values(content_sealed=content))
    session.commit()
    page = text_of(author.page(alert_id))
    assert "nothing of this alert leaves. Stop it and write it again" in page
    assert "It was approved in these words: English Stay inside Fighting in Tripoli. Stay inside." in page
    assert "The text cannot be read" in author.client.get(f"/officer/alerts/{alert_id}/progress").text
    assert author.client.get(f"/officer/alerts/{alert_id}/held").status_code == 200
    assert author.act(alert_id, "stop").status_code == 303
    assert "0 handed over, 4 not sent" in text_of(author.page(alert_id))
    assert "nothing of this alert leaves" not in text_of(author.page(alert_id))


def test_an_alert_that_this_process_has_no_key_for_can_be_stopped_from_its_page(author, approver, session) -> None:
    alert_id = id_in(author.write())
    author.act(alert_id, "submit")
    approver.release(alert_id)
    another_keys = b"\x01\x02k9" + bytes(60)
    session.execute(update(AlertEvent).values(content_sealed=another_keys))
    session.execute(update(AlertInfo).values(headline_sealed=another_keys, text_sealed=another_keys))
    session.execute(update(AlertDecision).values(note_sealed=another_keys))
    session.commit()
    shown = author.page(alert_id)
    assert "Stop it and write it again" in text_of(shown)
    assert "Nor can the words that were approved." in text_of(shown)
    assert queries.UNREADABLE_NOTE in text_of(shown)
    assert f'action="/officer/alerts/{alert_id}/stop"' in shown
    for part in ("progress", "held"):
        assert author.client.get(f"/officer/alerts/{alert_id}/{part}").status_code == 200
    assert author.act(alert_id, "stop").status_code == 303
    assert "0 handed over, 4 not sent" in text_of(author.page(alert_id))


def test_a_draft_whose_words_cannot_be_read_is_not_shown_as_empty(author, session) -> None:
    alert_id = id_in(author.write())
    session.execute(update(AlertInfo).values(text_sealed=b"\x00"))
    session.commit()
    with pytest.raises(KeyUnavailableError):
        queries.find_alert(session, alert_id)


def test_a_failed_post_is_shown_and_tried_again(author, world, session) -> None:
    alert_id = world.issued()
    event = queries.find_event(session, alert_id)
    post = SocialPost(
        event_id=event.id,
        network="mastodon",
        account="@mission",
        language="en",
        text="Stay inside",
        state=PostState.FAILED,
        not_before=NOW,
        created_at=NOW,
        error="The network refused it.",
    )
    session.add(post)
    session.commit()
    post_id = post.id
    page = author.page(alert_id)
    assert "The network refused it." in page
    assert f"/officer/posts/{post_id}/retry" in page


def test_nobody_writes_into_a_form_that_cannot_be_saved(approver, world) -> None:
    """An old tab or a link to the form of an alert that waits: told at once, not after the words are written."""
    alert_id = world.submitted()
    answer = approver.client.get(f"/officer/alerts/{alert_id}/edit")
    assert answer.status_code == 303
    assert "take it back first" in approver.client.get(answer.headers["Location"]).text


def test_withdrawn_alerts_can_be_edited_again(author, world) -> None:
    alert_id = world.submitted()
    assert author.act(alert_id, "withdraw").status_code == 303
    assert author.client.get(f"/officer/alerts/{alert_id}/edit").status_code == 200
    assert author.act(alert_id, "withdraw").status_code == 409


def test_cancelling_an_issued_alert_says_nobody_is_told(author, world) -> None:
    alert_id = world.issued()
    author.act(alert_id, "cancel")
    page = text_of(author.page(alert_id))
    assert "Nobody is told by this" in page
    assert "4 not sent" in page


def test_waiting_alerts_stand_on_the_first_page(approver, world) -> None:
    world.submitted()
    page = text_of(approver.client.get("/officer/").text)
    assert "Alerts that wait for approval Fighting in Tripoli EXERCISE" in page


def test_services_and_pages_hash_the_same(world) -> None:
    alert_id = world.drafted()
    stored = alerts.content_of(view(alert_id))
    assert stored["texts"]["en"] == {"headline": "Stay inside", "text": "Fighting in Tripoli. Stay inside."}
