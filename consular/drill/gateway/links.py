"""The signed link as a citizen uses it: open the page, press one of its buttons."""

from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

from consular.drill.gateway.client import Address, Pool
from consular.drill.gateway.reading import Reading
from consular.drill.gateway.webhooks import ForbiddenTarget, form_post, target


class AnswerForm(HTMLParser):
    """The first form of a page that posts: where to, and its hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.action = ""
        self.hidden: dict[str, str] = {}
        self.is_found = False
        self._is_inside = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.is_found and attributes.get("method", "").lower() == "post":
            self.is_found = self._is_inside = True
            self.action = attributes.get("action", "")
        elif tag == "input" and self._is_inside and attributes.get("type", "").lower() == "hidden":
            self.hidden[attributes.get("name", "")] = attributes.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False


class Links:
    """Answers through the page behind a link; counts what became of it."""

    def __init__(self, pool: Pool, connect_to: Address | None = None) -> None:
        self._pool = pool
        self._connect_to = connect_to
        self.opened = 0
        self.answered = 0
        self.failed = 0

    @property
    def pending(self) -> int:
        return self._pool.pending

    def answer(self, url: str, fields: dict[str, str], on_done: Callable[[bool], None]) -> None:
        """Open the page and post its form with `fields`; on_done learns whether the answer was taken."""
        try:
            where = target(url, self._connect_to)
        except ForbiddenTarget:
            self._finish(False, on_done)
            return
        self.opened += 1
        get = f"GET {where.path} HTTP/1.1\r\nHost: {where.host}\r\nUser-Agent: drill\r\nAccept: text/html\r\n\r\n"

        def page_came(reading: Reading) -> None:
            form = AnswerForm(reading.body.decode("utf-8", "replace"))
            if reading.status != 200 or not form.is_found:
                self._finish(False, on_done)
                return
            self._post(urljoin(url, form.action), form.hidden | fields, reading, on_done)

        self._pool.submit(where.address, get.encode("latin-1"), page_came)

    def _post(self, url: str, fields: dict[str, str], page: Reading, on_done: Callable[[bool], None]) -> None:
        cookies = "; ".join(value.partition(";")[0] for name, value in page.headers if name == "set-cookie")
        headers = f"Cookie: {cookies}\r\n" if cookies else ""
        try:
            where = target(url, self._connect_to)
        except ForbiddenTarget:
            self._finish(False, on_done)
            return
        request = form_post(where, urlencode(fields).encode(), headers)
        self._pool.submit(where.address, request, lambda reading: self._finish(200 <= reading.status < 400, on_done))

    def _finish(self, is_ok: bool, on_done: Callable[[bool], None]) -> None:
        self.answered += is_ok
        self.failed += not is_ok
        on_done(is_ok)
