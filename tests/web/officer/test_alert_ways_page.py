"""The preview and release pages say which gateway each country has, and refuse what nobody could answer."""

from __future__ import annotations

from sqlalchemy import text

from tests.services.test_routing import know
from tests.web.officer.conftest import id_in, text_of


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
