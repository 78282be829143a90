"""Every route, every method, every role, generated from the application: no page slips in without a decision."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from flask import Flask
from werkzeug.routing import Rule

from consular import create_app, permissions
from consular.permissions import ACCESS, PUBLIC, Role
from tests.alert_world import browser, csrf, officer, stranger

ANONYMOUS = "anonymous"
WHO = (ANONYMOUS, *Role)


def path_of(rule: Rule) -> str:
    """An address of the rule with made-up ids that belong to nothing."""
    made_up = {"UUIDConverter": lambda: str(uuid4()), "IntegerConverter": lambda: "4"}
    path = rule.rule
    for name, converter in rule._converters.items():
        value = made_up.get(type(converter).__name__, lambda: "nothing")()
        path = re.sub(rf"<(?:[^<>:]*:)?{name}>", value, path)
    assert "<" not in path, path
    return path


def cells(app: Flask) -> list[tuple[str, str, str]]:
    """(endpoint, method, path) for every route, with the methods the framework adds."""
    return [
        (rule.endpoint, method, path_of(rule)) for rule in app.url_map.iter_rules() for method in sorted(rule.methods)
    ]


def test_every_route_has_a_row_and_every_row_a_route(application) -> None:
    endpoints = {rule.endpoint for rule in application.url_map.iter_rules()}
    assert endpoints - set(ACCESS) == set(), "add these endpoints to consular/permissions.py"
    assert set(ACCESS) - endpoints == set(), "these rows of consular/permissions.py have no route"


def test_only_pages_without_an_account_are_public() -> None:
    allowed = re.compile(r"static|health\.\w+|citizen\.\w+|webhooks\.\w+|officer\.sign_in")
    assert [name for name, access in ACCESS.items() if access is PUBLIC and not allowed.fullmatch(name)] == []


def test_an_endpoint_without_a_row_is_refused(config) -> None:
    app = create_app(config, testing=True)
    app.add_url_rule("/officer/forgotten", "officer.forgotten", lambda: "open to all")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert app.test_client().get("/officer/forgotten").status_code == 500


@pytest.mark.parametrize("who", WHO, ids=str)
def test_every_cell_of_the_table(app, who) -> None:
    """Whoever is not allowed is refused before the view runs; whoever is allowed is never refused for their role."""
    app.config["WTF_CSRF_ENABLED"] = False
    try:
        if who is ANONYMOUS:
            client = stranger(app)
        else:
            officer(who)
            app.config["WTF_CSRF_ENABLED"] = True
            client = browser(app, who.value)
            app.config["WTF_CSRF_ENABLED"] = False
        wrong = []
        for endpoint, method, path in cells(app):
            access = permissions.access_to(endpoint)
            if endpoint == "officer.sign_out" or access is PUBLIC:
                continue
            answer = client.open(path, method=method, headers={"Accept": "text/html"})
            if not is_right(answer, who, access):
                wrong.append((endpoint, method, answer.status_code))
        assert wrong == []
    finally:
        app.config["WTF_CSRF_ENABLED"] = True


def is_right(answer, who, access) -> bool:
    if who is ANONYMOUS:
        return answer.status_code == 303 and answer.headers["Location"].startswith("/officer/sign-in")
    if who in access:
        return answer.status_code not in (401, 403, 500) and not answer.headers.get("Location", "").startswith(
            "/officer/sign-in"
        )
    return answer.status_code == 403


@pytest.mark.parametrize("role", list(Role), ids=str)
def test_everybody_signs_out(app, role) -> None:
    officer(role)
    client = browser(app, role.value)
    app.config["WTF_CSRF_ENABLED"] = False
    try:
        assert client.post("/officer/sign-out").status_code == 303
    finally:
        app.config["WTF_CSRF_ENABLED"] = True
    assert client.get("/officer/").status_code == 303


def changing(app: Flask) -> list[str]:
    """Addresses that officers change something with."""
    return [path for endpoint, method, path in cells(app) if method == "POST" and endpoint.startswith("officer.")]


@pytest.mark.parametrize("attack", ["no token", "rubbish", "another session's token"])
def test_no_change_without_the_sessions_own_token(app, attack) -> None:
    for role in Role:
        officer(role)
    foreign = csrf(browser(app, "author"), "/officer/")
    token = {"no token": None, "rubbish": "rubbish", "another session's token": foreign}[attack]
    for role in Role:
        client = browser(app, role.value)
        for path in changing(app):
            answer = client.post(path, data={} if token is None else {"csrf_token": token})
            assert answer.status_code in (400, 403), (role, path, answer.status_code)
        assert client.get("/officer/").status_code in (200, 302)
