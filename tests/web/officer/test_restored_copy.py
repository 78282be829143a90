"""While a restored copy sends nothing, officers see it where they would wait for texts to leave."""

from __future__ import annotations

import pytest

from consular.permissions import Role
from consular.services import operations, restoring
from tests.alert_world import AlertWorld, browser, officer
from tests.web.officer.conftest import text_of


@pytest.mark.parametrize("path", ["", "/progress"])
def test_the_alert_says_that_nothing_leaves(app, session, path) -> None:
    alert_id = AlertWorld(session).issued()
    author = browser(app, "author")
    page = f"/officer/alerts/{alert_id}{path}"
    assert "Nothing is sent now" not in author.get(page).text
    restoring.mark()
    assert "This database was restored from a backup, so nothing leaves since" in text_of(author.get(page).text)
    restoring.release()
    assert "Nothing is sent now" not in author.get(page).text


def test_the_service_page_says_what_to_do(app, session, monkeypatch) -> None:
    monkeypatch.setattr(operations, "alive_workers", lambda url: {})
    officer(Role.ADMINISTRATOR)
    restoring.mark()
    page = browser(app, "administrator").get("/officer/operations").text
    assert "This database is a restored copy: nothing is sent" in page
    assert "/officer/operations/runbooks/restored" in page
