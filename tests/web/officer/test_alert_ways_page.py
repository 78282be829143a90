"""The preview and release pages say which gateway each country has, and refuse what nobody could answer."""

from __future__ import annotations

from sqlalchemy import text

from tests.alert_world import hidden, view
from tests.services.test_routing import know
from tests.web.officer.conftest import FORM, id_in, text_of


def test_the_page_shows_what_people_of_each_country_can_answer(author, session) -> None:
    know(session, "exercise", "LY", is_two_way=False, cost_cents=5, currency="EUR")
    alert_id = id_in(author.write())
    page = text_of(author.page(alert_id))
    assert "Libya 4 exercise by link" in page
    assert "Nobody with a phone of Libya can reply" in page
    assert "Tell us how you are: http://consular.test/s/" in page
    assert "Reply 1 safe" not in page
    assert "EUR" in page


def test_other_ways_stand_beside_the_first(author, session) -> None:
    know(session, "exercise", "TN", is_two_way=False)
    session.execute(
        text("update contact_points set country = 'TN' where id = (select min(id::text)::uuid from contact_points)")
    )
    session.commit()
    page = text_of(author.page(id_in(author.write())))
    assert "The same where people can answer in fewer ways" in page
    assert "Tunisia 1 exercise by link" in page
    assert "Libya 3 exercise by reply or link" in page


def test_what_nobody_could_answer_is_refused_with_the_cure(author, session) -> None:
    know(session, "exercise", "LY", is_two_way=False, allows_links=False)
    alert_id = id_in(author.write())
    answer = author.act(alert_id, "submit")
    assert answer.status_code == 409
    assert "phone of Libya could answer" in text_of(answer.text)
    assert "without asking for a reply" in text_of(answer.text)
    assert "4 people on 4 phones cannot answer on this way (Libya: 4)" in text_of(answer.text)


def choose(author, alert_id, **changes):
    page = author.page(alert_id)
    seen = {name: hidden(page, name) for name in ("revision", "countries")}
    return author.act(alert_id, "without-asking", **{**seen, **changes})


def test_one_click_sends_to_them_without_asking_and_every_page_says_so(author, approver, session) -> None:
    know(session, "exercise", "LY", is_two_way=False, allows_links=False)
    alert_id = id_in(author.write())
    assert "Send to these 4 people without asking (Libya: 4)" in text_of(author.page(alert_id))
    assert choose(author, alert_id).status_code == 303
    page = text_of(author.page(alert_id))
    assert "Send to these" not in page
    assert "(4 people on 4 phones): they get the text without the question" in page
    assert "officers must reach them by other means" in page
    assert author.act(alert_id, "submit").status_code == 303
    assert "officers must reach them by other means" in text_of(approver.page(alert_id))
    assert approver.release(alert_id).status_code == 303
    released = text_of(author.page(alert_id))
    assert "Texts to phones of Libya ask nothing and hold no link where nobody can answer" in released
    assert "but not phones of Libya if nobody there can answer" in released
    board = text_of(author.client.get(f"/officer/crises/{author.world.crisis}/board").text)
    assert "An alert went to phones of Libya without its question" in board


def test_the_choice_of_a_stale_or_tampered_page_is_refused(author, approver, session) -> None:
    know(session, "exercise", "LY", is_two_way=False, allows_links=False)
    alert_id = id_in(author.write())
    assert "Look at them again" in text_of(choose(author, alert_id, countries="TN").text)
    for revision in ("0", "x", ""):
        assert choose(author, alert_id, revision=revision).status_code == 409
    assert choose(author, alert_id).status_code == 303
    assert author.act(alert_id, "edit", **{**FORM, "revision": str(view(alert_id).revision)}).status_code == 303
    assert "Send to these 4 people" in text_of(author.page(alert_id))


def test_an_approver_is_told_where_the_choice_is_made(author, approver, session) -> None:
    alert_id = id_in(author.write())
    assert author.act(alert_id, "submit").status_code == 303
    know(session, "exercise", "LY", is_two_way=False, allows_links=False)
    page = text_of(approver.page(alert_id))
    assert "take the alert back and choose it here" in page
    assert "Send to these" not in page
    assert "without its question" not in author.client.get(f"/officer/crises/{author.world.crisis}/board").text
