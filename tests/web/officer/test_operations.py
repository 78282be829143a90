"""The state of the service: calm when it is, else what is wrong, since when, what to do, and the runbook behind it."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session

from consular.clock import utc_now
from consular.domain.alarms import ALARMS
from consular.models.alerts import AlertEvent
from consular.permissions import Role
from consular.queueing import QUEUES
from consular.services import operations
from consular.web.officer.plain_text import Block, blocks
from tests.crisis_world import World, signed_in
from tests.factories import alert_everybody

PAGE = "/officer/operations"


@pytest.fixture
def officer(session: scoped_session[Session], client: FlaskClient) -> FlaskClient:
    return signed_in(World(session), client, Role.ADMINISTRATOR)


@pytest.fixture
def staffed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis answers, and every queue has a worker."""
    monkeypatch.setattr(operations, "alive_workers", lambda url: dict.fromkeys(QUEUES, 1) | {"twilio": 0})


def break_line(session) -> None:
    alert_everybody(session, 2)
    for statement in (
        "update messages set state = 'held', updated_at = now() - interval '3 hours 1 minute'",
        """insert into senders (gateway, next_free_at, paused_until, pause_reason)
        values ('exercise', now(), now() + interval '1 minute', 'account_refused:20003')""",
    ):
        session.execute(text(statement))
    session.commit()
    operations.beat("clock", utc_now())


def test_a_calm_page(officer, staffed) -> None:
    page = officer.get(PAGE).text
    assert "Nothing needs anybody" in page
    assert "every process that is needed runs" in page
    assert 'class="alarms"' not in page
    assert re.search(r"<dt>Redis</dt><dd>answers</dd>", page)
    assert "inbound 1" in page


def test_a_gateway_without_a_list_shows_none(session, officer, staffed) -> None:
    session.execute(text("insert into senders (gateway, next_free_at) values ('http', now())"))
    session.commit()
    page = officer.get(PAGE).text
    practice, _, http = page.partition("Gateway <bdi>http</bdi>")
    assert "list of texts from people" in practice
    assert "list of texts from people" not in http
    assert "twilio" not in page, "no worker is missed for what is not set up"


def test_alarms_come_first_with_since_when_what_to_do_and_the_runbook(session, officer, staffed) -> None:
    break_line(session)
    page = officer.get(PAGE).text
    assert "Needs somebody: 2" in page
    refused, held = (page.index(ALARMS[name].title) for name in ("account_refused", "messages_held"))
    assert refused < held < page.index("Sending and hearing")
    assert ALARMS["messages_held"].act in page
    assert "Seen just now" in page, "a pause does not say when it began, and no clock has seen it"
    assert re.search(r"3 h 0[01] min\), 2 texts; raised at once\.", page)
    assert "account refused, code 20003" in page
    assert "2, oldest <time" in page
    addresses = re.findall(r'id="runbook-\d" href="(/officer/operations/runbooks/[a-z_]+)"', page)
    assert [address.rpartition("/")[2] for address in addresses] == ["account_refused", "messages_held"]
    for address in addresses:
        assert officer.get(address).status_code == 200


def test_an_alert_that_cannot_be_read_is_one_click_away(session, client, staffed) -> None:
    officer = signed_in(World(session), client, Role.APPROVER)
    event_id = alert_everybody(session, 3)
    session.execute(text("update alert_events set content_sealed = decode('00', 'hex')"))
    session.commit()
    operations.beat("clock", utc_now())
    page = officer.get(PAGE).text
    alert_id = session.get_one(AlertEvent, event_id).alert_id
    assert ALARMS["alert_unreadable"].title in page
    assert ALARMS["alert_unreadable"].act in page
    assert f'href="/officer/alerts/{alert_id}">Open the alert<' in page
    assert "3 texts" in page


def test_the_page_tells_above_which_value_each_alarm_is_raised(officer, staffed) -> None:
    page = officer.get(PAGE).text
    listed = page[page.index('id="all-alarms"') :]
    for name, limit in (
        ("messages_waiting", "above 60 s"),
        ("path_unproven", "above 36 h; not urgent"),
        ("no_worker", "at once"),
    ):
        assert re.search(rf'runbooks/{name}">{ALARMS[name].title}</a>: {limit}</li>', listed), name
    assert set(re.findall(r"runbooks/([a-z_]+)", listed)) == set(ALARMS)
    assert "Raised above 60 s." in officer.get(f"{PAGE}/runbooks/messages_waiting").text


def test_a_poll_that_finds_nothing_new_costs_nothing(session, officer, staffed) -> None:
    first = officer.get(f"{PAGE}/fragment")
    assert (first.status_code, "Nothing needs anybody" in first.text) == (200, True)
    headers = {"If-None-Match": first.headers["ETag"]}
    assert officer.get(f"{PAGE}/fragment", headers=headers).status_code == 304
    break_line(session)
    again = officer.get(f"{PAGE}/fragment", headers=headers)
    assert (again.status_code, "Needs somebody: 2" in again.text) == (200, True)


def test_the_page_updates_itself_like_the_board(officer, staffed) -> None:
    page = officer.get(PAGE).text
    assert re.search(r'id="board" data-url="/officer/operations/fragment" data-now="[^"]+"', page)
    assert re.search(r'<script src="/static/board.js', page)
    for name in ("freshness-text", "lost", "spoken", "summary"):
        assert f'id="{name}"' in page


@pytest.mark.parametrize(
    ("role", "status"), [(Role.VIEWER, 403), (Role.AUTHOR, 200), (Role.APPROVER, 200), (Role.ADMINISTRATOR, 200)]
)
def test_who_may_see_it_finds_the_link(session, client, staffed, role, status) -> None:
    browser = signed_in(World(session), client, role)
    assert browser.get(PAGE).status_code == status
    home = browser.get("/officer/", follow_redirects=True).text
    assert (f'href="{PAGE}"' in home) is (status == 200)


@pytest.mark.parametrize("name", ALARMS)
def test_every_runbook_is_shown(officer, name) -> None:
    page = officer.get(f"{PAGE}/runbooks/{name}").text
    assert f"<h1>{escape(ALARMS[name].title)}</h1>" in page
    assert page.count("<h2>") == 3
    assert "<pre><code>" in page
    assert "`" not in page
    assert "## " not in page


@pytest.mark.parametrize("name", ["nothing", "README", "..%2FREADME", "../0001-layers"])
def test_nothing_else_is_shown_as_a_runbook(officer, name) -> None:
    assert officer.get(f"{PAGE}/runbooks/{name}").status_code == 404


def test_the_little_markdown_of_runbooks() -> None:
    source = (
        "# Title\n\nTwo\nlines, `code` in it.\n\n- one\n  goes on\n- two <b>\n\n```sh\na `b`\n\nc\n```\n\n## Next\n"
    )
    assert list(blocks(source)) == [
        Block("h1", ("Title",)),
        Block("p", ("Two lines, `code` in it.",)),
        Block("list", ("one goes on", "two <b>")),
        Block("code", ("a `b`", "", "c")),
        Block("h2", ("Next",)),
    ]
    assert Block("p", ("Two lines, `code` in it.",)).spans == [
        [(False, "Two lines, "), (True, "code"), (False, " in it.")]
    ]
