"""Nobody who sees a dump, the disk, Redis, a log, an address or an error page learns a name, a phone or a message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from consular.drill.pages import PageError, Visitor
from consular.loopback import http_ok
from tests.journeys import board, traces
from tests.journeys.practice import PASSWORD, Mission, open_crisis, phone, register, release, write_alert
from tests.journeys.test_whole_story import LINK
from tests.waiting import eventually

pytestmark = pytest.mark.slow

NAME, EMAIL, ADDRESS = "Zebulonia Quarkwood", "zq.platypus@example.org", "17 Bandicoot Mews"
CALL, NOTE, ALERT, DONE = "help us quokka", "cellar of the wombat", "Numbat in the streets", "Echidna drove them"
PHONE, STRANGER = phone(8675309), phone(4142135)
CANARIES = traces.Words(
    *("Zebulonia", "Quarkwood", "zq.platypus", "Bandicoot", "quokka", "wombat", "numbat", "echidna"),
    *("8675309", "867 5309", "867-5309", "4142135", PASSWORD),
)


def test_the_canaries_leave_no_trace(site: Mission) -> None:
    with traces.redis_overheard(site) as heard:
        addresses = live_through_it(site)
        pages = fail(site)
    assert traces.in_rows(site, CANARIES) == []
    assert traces.on_disk(site, CANARIES) == []
    assert traces.in_logs(site, CANARIES) == []
    assert any(b"workers.jobs.inbound.drain" in argument for argument in heard)
    assert CANARIES.found_in(b"\n".join(heard)) == []
    assert CANARIES.found_in("\n".join(addresses).encode()) == []
    assert CANARIES.found_in("\n".join(pages).encode()) == []


def test_the_search_finds_what_is_there(site: Mission) -> None:
    author = site.officer("amina")
    with traces.redis_overheard(site) as heard:
        open_crisis(author, "Findable Wallaroo", "DZ")
        site.says(STRANGER, "1")
        assert eventually(lambda: any(b"workers.jobs.inbound.drain" in argument for argument in heard))
    words = traces.Words("findable wallaroo")
    assert [line.partition(":")[0] for line in traces.in_rows(site, words)] == ["crises"]
    assert traces.on_disk(site, words) != []
    assert traces.in_logs(site, traces.Words("database system is ready")) != []


def live_through_it(site: Mission) -> list[str]:
    """Register, be alerted, call for help by text and by link, be helped; the addresses that were visited."""
    register(site, NAME, PHONE, "SY", "Damascus", email=EMAIL, address=ADDRESS)
    author = site.officer("amina")
    crisis = open_crisis(author, "Syria", "SY")
    alert = write_alert(author, crisis, "Fighting", "SY", en=f"{ALERT}. Stay indoors.")
    addresses = [author.url]
    release(site.officer("boris"), alert)
    text = site.wait_for_text(PHONE)
    assert ALERT in text
    site.says(PHONE, CALL)
    site.says(STRANGER, f"{CALL} {PHONE}")
    found = LINK.search(text)
    assert found
    citizen = Visitor(site.url)
    citizen.open(found[1])
    citizen.send(citizen.form("/s/"), answer="needs_help", note=NOTE, count="3")
    board.wait_for(author, crisis, {"people": 1, "reached": 1, "needs_help": 1})
    assert eventually(lambda: len(board.requests_with(author, crisis, CALL)) == 2)
    assert NOTE in author.html
    author.open(board.requests_with(author, crisis, NOTE)[0])
    assert NAME in author.html
    addresses += [citizen.url, author.url]
    author.send(author.form("/close"), outcome="helped", note=DONE)
    return [*addresses, author.url]


def fail(site: Mission) -> list[str]:
    """Everything that can go wrong while canaries are on their way; the error pages."""
    fields = {"full_name": NAME, "phone": PHONE, "email": EMAIL, "address": ADDRESS, "note": NOTE}
    pages = [
        post(site, "/officer/sign-in", 403, {"username": NAME, "password": NOTE}),
        post(site, "/officer/crises/new", 403, {"title": ALERT}),
        post(site, "/s/abcdefghijklmnopqr", 404, fields),
        post(site, "/", 413, fields | {"address": CALL * 50_000}),
        post(site, "/nowhere", 404, fields),
        post(site, "/webhooks/twilio/inbound", 403, {"From": PHONE, "Body": CALL}),
        post(site, f"/webhooks/http/http/inbound?from={PHONE}&text={CALL}", 403, {}),
    ]
    stranger = Visitor(site.url)
    stranger.open("/officer/sign-in")
    with pytest.raises(PageError, match="401"):
        stranger.send(stranger.form("sign-in"), username=NAME, password=NOTE)
    form = registration_form(site)
    with without_database(site):
        pages.append(post(site, "/", 500, form))
        site.says(PHONE, CALL)
        assert eventually(lambda: "request_failed" in (site.logs / "hooks.log").read_text())
        assert traces.in_logs(site, CANARIES) == []
    return pages


def registration_form(site: Mission) -> dict[str, str]:
    """A form that would be taken, if there were a database."""
    visitor = Visitor(site.url)
    visitor.open("/?lang=en")
    answers = {"home_country": "IN", "country": "SY", "place": "Homs", "stay": "resident", "consent": "yes"}
    canaries = {"full_name": NAME, "phone": PHONE, "email": EMAIL, "address": ADDRESS}
    return {**visitor.form("lang=").values, **answers, **canaries}


@contextmanager
def without_database(site: Mission) -> Iterator[None]:
    """The database is away meanwhile; its log begins anew when it is back."""
    site.servers.stop_postgres()
    try:
        yield
    finally:
        site.servers.start_postgres()
        assert eventually(http_ok(f"{site.url}/readyz"))


def post(site: Mission, path: str, status: int, fields: dict[str, str]) -> str:
    """Send a form; the body of the answer, with its headers."""
    answer = requests.post(f"{site.url}{path}", data=fields, timeout=30, allow_redirects=False)
    assert answer.status_code == status, f"{path} answered {answer.status_code}"
    return f"{answer.headers}\n{answer.text}"
