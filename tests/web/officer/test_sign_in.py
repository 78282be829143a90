"""Signing in through the browser: cookies, where one lands, what a stranger learns."""

from __future__ import annotations

import pytest

from consular import create_app
from consular.permissions import Role
from consular.services import officers
from consular.web.guards import safe_next
from tests.alert_world import NOW, PASSWORD, browser, csrf, officer, stranger


def sign_in(client, username: str = "author", password: str = PASSWORD, path: str = "/officer/sign-in"):
    form = {"username": username, "password": password, "csrf_token": csrf(client, path)}
    return client.post(path, data=form)


def test_a_stranger_is_sent_to_sign_in_and_back(app) -> None:
    officer(Role.AUTHOR)
    client = stranger(app)
    answer = client.get("/officer/crises/new?a=1")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/officer/sign-in?next=/officer/crises/new?a%3D1"
    answer = sign_in(client, path=answer.headers["Location"])
    assert answer.headers["Location"] == "/officer/crises/new?a=1"
    assert client.get(answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/officer",
        "//evil.example/officer",
        "/\\evil.example",
        "/officer\\..\\evil",
        "javascript:alert(1)",
        "/officer/\r\nSet-Cookie: a=b",
        "\t//evil.example",
        "/s/token",
        "",
        None,
    ],
)
def test_next_never_leaves_the_officers_pages(app, target) -> None:
    with app.test_request_context():
        assert safe_next(target) == "/officer/"


def test_scripts_get_401_instead_of_a_page(app) -> None:
    for headers in ({"X-Requested-With": "fetch"}, {"Accept": "application/json"}):
        assert stranger(app).get("/officer/", headers=headers).status_code == 401


def test_wrong_password_and_unknown_name_get_the_same_page(app) -> None:
    officer(Role.AUTHOR)
    pages = []
    for username in ("author", "nobody"):
        answer = sign_in(stranger(app), username, "wrong horse battery")
        assert answer.status_code == 401
        pages.append(answer.text.replace(username, "NAME"))
    assert strip_token(pages[0]) == strip_token(pages[1])
    assert "wrong horse battery" not in pages[0]


def strip_token(page: str) -> str:
    return "\n".join(line for line in page.splitlines() if "csrf_token" not in line)


def test_cookies_over_http_are_plain_and_hidden_from_scripts(app) -> None:
    officer(Role.AUTHOR)
    cookies = sign_in(stranger(app)).headers.getlist("Set-Cookie")
    session_cookie = next(c for c in cookies if c.startswith("consular-officer="))
    assert "HttpOnly" in session_cookie
    assert "SameSite=Lax" in session_cookie
    assert "Path=/" in session_cookie
    assert "Secure" not in session_cookie


def test_cookies_over_https_are_bound_to_the_host(app, https_config) -> None:
    officer(Role.AUTHOR)
    secure = create_app(https_config, testing=True)
    with secure.app_context():
        client = stranger(secure)
        base = {"base_url": "https://consular.test"}
        page = client.get("/officer/sign-in", **base).text
        token = page.split('name="csrf_token" value="')[1].split('"')[0]
        form = {"username": "author", "password": PASSWORD, "csrf_token": token}
        cookies = client.post("/officer/sign-in", data=form, **base).headers.getlist("Set-Cookie")
    for name in ("__Host-consular-officer=", "__Host-consular-device="):
        cookie = next(c for c in cookies if c.startswith(name))
        assert "Secure" in cookie
        assert "HttpOnly" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie


def test_signing_in_renews_the_csrf_token(app) -> None:
    officer(Role.AUTHOR)
    client = stranger(app)
    before = csrf(client, "/officer/sign-in")
    sign_in(client)
    answer = client.post("/officer/sign-out", data={"csrf_token": before})
    assert answer.status_code in (400, 403)
    assert client.get("/officer/").status_code == 200


def test_signing_out_kills_the_session_on_the_server(app) -> None:
    officer(Role.AUTHOR)
    client = browser(app, "author")
    cookie = client.get_cookie("consular-officer", domain="localhost")
    client.post("/officer/sign-out", data={"csrf_token": csrf(client, "/officer/")})
    thief = stranger(app)
    thief.set_cookie("consular-officer", cookie.value, domain="localhost")
    assert thief.get("/officer/").status_code == 303


def test_a_disabled_officer_sees_nothing_more(app) -> None:
    officer_id = officer(Role.AUTHOR)
    client = browser(app, "author")
    assert client.get("/officer/").status_code == 200
    officers.disable_officer(officer_id, NOW)
    assert client.get("/officer/").status_code == 303


@pytest.mark.parametrize("token", ["", "x", "\u00fc", "a" * 3000])
def test_a_made_up_cookie_is_nobody(app, token) -> None:
    client = stranger(app)
    client.set_cookie("consular-officer", token, domain="localhost")
    client.set_cookie("consular-device", token, domain="localhost")
    assert client.get("/officer/").status_code == 303
    officer(Role.AUTHOR)
    assert sign_in(client).status_code == 303


def test_officers_pages_are_never_stored(app) -> None:
    officer(Role.AUTHOR)
    assert "no-store" in browser(app, "author").get("/officer/").headers["Cache-Control"]


def test_an_administrator_makes_and_closes_accounts(app) -> None:
    officer(Role.ADMINISTRATOR)
    client = browser(app, "administrator")
    page = client.get("/officer/officers")
    assert page.status_code == 200
    form = {"username": "neu", "full_name": "<b>New</b>", "role": "viewer", "password": PASSWORD}
    token = csrf(client, "/officer/officers")
    assert client.post("/officer/officers", data={**form, "csrf_token": token}).status_code == 303
    page = client.get("/officer/officers").text
    assert "&lt;b&gt;New&lt;/b&gt;" in page
    again = client.post("/officer/officers", data={**form, "csrf_token": token})
    assert again.status_code == 409
    assert "already an officer called neu" in again.text
    for field, value in (("role", "emperor"), ("password", "short"), ("username", "ä ö")):
        broken = client.post("/officer/officers", data={**form, "csrf_token": token, field: value})
        assert broken.status_code == 422
        assert f'id="{field}-error"' in broken.text
