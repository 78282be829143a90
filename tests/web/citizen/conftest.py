"""A small gazetteer, and forms filled in as a browser would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, scoped_session
from werkzeug.test import TestResponse

from consular.queries import places

FILLED = {
    "full_name": "Asha Rao",
    "phone": "+218 91 234 5678",
    "email": "",
    "home_country": "IN",
    "country": "LY",
    "place": "Benghazi",
    "address": "",
    "stay": "resident",
    "people_with_me": "2",
    "language": "hi",
    "consent": "yes",
}


@pytest.fixture(autouse=True)
def _gazetteer(session: scoped_session[Session]) -> None:
    rows = [(1, "Benghazi", 650_000), (2, "Az Zāwīyah", 200_000), (3, "Az Zāwīyah", 150_000)]
    places.copy_places(session, [(key, name, "LY", 32.0 + key, 20.0, people, "UTC") for key, name, people in rows])
    places.copy_names(session, [(1, "benghazi", "LY"), (2, "az zawiyah", "LY"), (3, "az zawiyah", "LY")])
    session.commit()


class Browser:
    """Opens a form, keeps its hidden fields, sends it."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.hidden: dict[str, str] = {}

    def open(self, address: str = "/", **headers: str) -> TestResponse:
        return self._keep(self.client.get(address, headers=headers))

    def send(self, values: Mapping[str, object] = FILLED, to: str = "/", **changes: object) -> TestResponse:
        return self._keep(self.client.post(to, data={**self.hidden, **values, **changes}))

    def _keep(self, response: TestResponse) -> TestResponse:
        if response.mimetype == "text/html":
            self.hidden = {
                unescape(name): unescape(value)
                for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', response.text)
            }
        return response


@pytest.fixture
def browser(client: FlaskClient) -> Browser:
    """A browser on the registration form."""
    opened = Browser(client)
    opened.open()
    return opened
