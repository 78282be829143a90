"""Pages as a visitor without JavaScript uses them: read a form, fill it in, send it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

TIMEOUT_SECONDS = 60


class PageError(Exception):
    """A page did not answer as the drill expects; the text names the page and the status, no contents."""


@dataclass(slots=True)
class Form:
    """One form of a page with the values it came with."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._current: Form | None = None
        self._select: str | None = None
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._current = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._current)
        if self._current is None:
            return
        name = given.get("name", "")
        if tag == "input" and name and given.get("type") not in ("radio", "checkbox", "submit"):
            self._current.values[name] = given.get("value", "")
        elif tag == "input" and name and "checked" in given:
            self._current.values[name] = given.get("value", "on")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self._current.values[self._select] = given.get("value", "")
        elif tag == "textarea":
            self._area = name
            self._current.values[name] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._current = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area and self._current is not None:
            self._current.values[self._area] += data


class Visitor:
    """One browser: keeps cookies, knows the page it is on."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._session = requests.Session()
        self.url = base_url
        self.html = ""

    def open(self, path: str) -> str:
        """Go to a page; its HTML. Raises PageError unless it answers 200."""
        return self._keep(self._session.get(urljoin(self._base_url, path), timeout=TIMEOUT_SECONDS), path)

    def form(self, action_part: str) -> Form:
        """The first POST form of the page whose address contains `action_part`. Raises PageError."""
        reader = _Reader()
        reader.feed(self.html)
        for form in reader.forms:
            if form.method == "post" and action_part in (form.action or self.url):
                return form
        raise PageError(f"{self.url} has no form for {action_part}.")

    def send(self, form: Form, **values: str) -> str:
        """Send a form with these values changed or added; the HTML of the page it leads to. Raises PageError unless
        200."""
        target = urljoin(self.url, form.action)
        answer = self._session.post(target, data={**form.values, **values}, timeout=TIMEOUT_SECONDS)
        return self._keep(answer, form.action or target)

    def _keep(self, answer: requests.Response, path: str) -> str:
        if answer.status_code != 200:
            raise PageError(f"{path} answered {answer.status_code}.")
        self.url, self.html = answer.url, answer.text
        return self.html
