"""Errors at the edge: pages in the reader's language, problems for programs, never details."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from config import Config
from consular import create_app
from consular.domain.audience import rule_from_dict
from consular.errors import ConflictError, InvalidInputError, NotAllowedError, NotFoundError
from consular.locales import LANGUAGES
from consular.permissions import ACCESS, PUBLIC

SECRET = "SECRETCANARY +99955501234"


def fail(kind: str) -> str:
    match kind:
        case "crash":
            raise RuntimeError(SECRET)
        case "missing":
            raise NotFoundError("There is no such crisis.")
        case "forbidden":
            raise NotAllowedError("Your role does not include this.")
        case "conflict":
            raise ConflictError("Somebody changed it.")
        case "audience":
            return str(rule_from_dict({SECRET: 1}))
        case "invalid":
            raise InvalidInputError("Check the dates.", {"until": "Give a later day."})
        case _:
            abort(503, SECRET)


@pytest.fixture(scope="module")
def failing(config: Config) -> Iterator[Flask]:
    """The application with addresses that fail, at the doors of citizens, officers and gateways."""
    app = create_app(config)
    endpoints = {f"fail{number}": prefix for number, prefix in enumerate(("", "/officer", "/webhooks"))}
    for endpoint, prefix in endpoints.items():
        ACCESS[endpoint] = PUBLIC
        app.add_url_rule(f"{prefix}/fail/<kind>", endpoint, fail)
    yield app
    for endpoint in endpoints:
        del ACCESS[endpoint]


@pytest.fixture
def broken(failing: Flask) -> FlaskClient:
    return failing.test_client()


@pytest.mark.parametrize(
    ("kind", "status"),
    [("crash", 500), ("missing", 404), ("forbidden", 403), ("conflict", 409), ("invalid", 422), ("down", 503)],
)
@pytest.mark.parametrize("prefix", ["", "/officer", "/webhooks"])
def test_status_without_details(broken: FlaskClient, prefix: str, kind: str, status: int) -> None:
    answer = broken.get(f"{prefix}/fail/{kind}")
    assert answer.status_code == status
    assert "SECRETCANARY" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.mimetype == ("application/problem+json" if prefix == "/webhooks" else "text/html")


def test_officers_read_what_to_do(broken: FlaskClient) -> None:
    assert "There is no such crisis." in broken.get("/officer/fail/missing").text
    assert "Give a later day." in broken.get("/officer/fail/invalid").text


@pytest.mark.parametrize("kind", ["missing", "forbidden", "conflict", "audience", "crash"])
def test_officers_come_back_to_their_own_pages(broken: FlaskClient, kind: str) -> None:
    page = broken.get(f"/officer/fail/{kind}").text
    assert re.findall(r'<a class="mission" href="([^"]+)"', page) == ["/officer/"]
    assert '<a href="/officer/">Back' in page
    assert 'href="/"' not in page
    assert "/officer/" not in broken.get(f"/fail/{kind}").text


def test_an_audience_that_cannot_be_read_is_said_and_logged(
    broken: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    page = broken.get("/officer/fail/audience")
    assert page.status_code == 500
    assert "The countries and places stored here cannot be read" in page.text
    printed = capsys.readouterr()
    assert "AudienceError" in printed.out + printed.err
    assert "SECRETCANARY" not in page.text + printed.out + printed.err


def test_an_officers_wrong_address_speaks_of_no_text_message(broken: FlaskClient) -> None:
    assert "text message" not in broken.get("/officer/nowhere").text
    assert "text message" in broken.get("/nowhere").text


def test_programs_get_a_problem(broken: FlaskClient) -> None:
    problem = broken.get("/fail/invalid", headers={"Accept": "application/json"}).get_json()
    assert problem == {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "code": "invalid_input",
        "detail": "Check the dates.",
        "fields": {"until": "Give a later day."},
    }


def test_a_failure_is_logged_by_kind_and_place_only(broken: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    broken.get("/fail/crash")
    printed = capsys.readouterr()
    logged = printed.out + printed.err
    assert "request_failed" in logged
    assert "RuntimeError" in logged
    assert "test_errors.py" in logged
    assert "SECRETCANARY" not in logged


def test_pages_speak_the_readers_language(client: FlaskClient) -> None:
    titles = set()
    for language in LANGUAGES:
        page = client.get("/nowhere", headers={"Accept-Language": language})
        assert page.status_code == 404
        assert f'<html lang="{language}"' in page.text
        titles.add(page.text.split("<h1>")[1].split("</h1>")[0])
    assert len(titles) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("method", "address"), [("put", "/"), ("delete", "/s/x"), ("patch", "/register"), ("trace", "/")]
)
def test_405_says_what_is_allowed(client: FlaskClient, method: str, address: str) -> None:
    answer = client.open(address, method=method.upper())
    assert answer.status_code == 405
    assert {"GET", "POST", "HEAD"} <= {verb.strip() for verb in answer.headers["Allow"].split(",")}


def test_too_large_a_body(client: FlaskClient) -> None:
    answer = client.post("/?lang=fr", data=b"a=" + b"x" * 10_000_000, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 413
    assert "trop volumineux" in answer.text


def test_an_officers_form_without_a_token_is_refused(client: FlaskClient) -> None:
    answer = client.post("/officer/sign-in", data={"username": "x", "password": "y"})
    if answer.status_code != 403:
        pytest.fail(f"{answer.status_code}: {json.dumps(answer.text[:200])}")
