"""Where things stand on the alert pages: errors in the order of the fields, acts where they are looked for."""

from __future__ import annotations

import re

from consular.queries import alerts as queries
from consular.queries import counters
from tests.web.officer.conftest import text_of


def test_the_error_summary_is_in_the_order_of_the_page(author) -> None:
    wrong = dict.fromkeys(["event", "category", "urgency", "validity_minutes", "headline_en", "message_class"], "")
    page = author.write(**wrong, text_ar="ابقوا", countries=[""]).text
    linked = re.findall(r'<a href="#([^"]+)">', page.split('class="summary"')[1].split("</ul>")[0])
    assert len(linked) == len(wrong) + 2
    places = [page.index(f'id="{field}"') for field in linked]
    assert places == sorted(places)


def test_taking_back_is_the_authors_act_and_folded_away_for_an_approver(author, approver, world) -> None:
    alert_id = world.submitted()
    fold = re.search(
        r"<details><summary>Return, reject or edit it</summary>.*?</details>", approver.page(alert_id), re.S
    )
    assert fold
    assert "Take it back to edit" in fold.group()
    assert approver.page(alert_id).count("Take it back to edit") == 1
    assert "Take it back to edit" in re.sub(r"<details.*?</details>", "", author.page(alert_id), flags=re.S)


def test_held_texts_are_shown_with_what_happens_to_them(author, world, session) -> None:
    alert_id = world.issued()
    event = queries.find_event(session, alert_id)
    assert "without an officer" not in text_of(author.page(alert_id))
    counters.add(session, {(event.id, "message:held"): 4, (event.id, "message:queued"): -4})
    session.commit()
    page = text_of(author.page(alert_id))
    assert "4 Held for an officer" in page
    assert "4 texts are held" in page
    assert "Nothing held is sent again without an officer." in page
    assert "Nothing waits any more" not in page
