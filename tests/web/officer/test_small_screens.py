"""What a telephone shows of a wide table without scrolling: the first two columns carry what officers act on."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient

from consular.permissions import Role
from tests.alert_world import browser, officer
from tests.crisis_world import World, signed_in


def second_cells(page: str) -> list[str]:
    body = re.search(r"<tbody>(.*?)</tbody>", page, re.S)
    assert body
    rows = re.findall(r"<tr>(.*?)</tr>", body.group(1), re.S)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)[1] for row in rows]


def test_the_board_comes_right_after_the_crisis(session, client: FlaskClient) -> None:
    world = World(session)
    page = signed_in(world, client).get("/officer/").text
    assert [f"/officer/crises/{world.crisis_id}/board" in cell for cell in second_cells(page)] == [True]


def test_acts_come_right_after_the_account(app: Flask) -> None:
    for role in (Role.ADMINISTRATOR, Role.AUTHOR):
        officer(role)
    cells = second_cells(browser(app, "administrator").get("/officer/officers").text)
    assert sorted("Disable" in cell for cell in cells) == [False, True]


def test_refused_officers_keep_their_navigation(app: Flask) -> None:
    officer(Role.VIEWER)
    viewer = browser(app, "viewer")
    for address, status in (("/officer/officers", 403), ("/officer/crises/00000000-0000-0000-0000-000000000000", 404)):
        answer = viewer.get(address)
        assert answer.status_code == status
        assert '<nav aria-label="Officers">' in answer.text
        assert "Sign out" in answer.text
