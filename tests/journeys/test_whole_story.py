"""The main job from end to end, over HTTP and through every process: register, warn, ask, hear, help."""

from __future__ import annotations

import json
import re

import pytest
import requests

from consular.drill.pages import PageError, Visitor
from tests.journeys import board
from tests.journeys.practice import Mission, open_crisis, phone, register, release, write_alert
from tests.waiting import eventually

pytestmark = pytest.mark.slow

ANITA, FAMILY, SILENT, LEFT, ELSEWHERE = (phone(number) for number in (501, 502, 503, 504, 505))
OPEN = ["queued", "claimed", "sending", "unknown"]
LINK = re.compile(r"(http://\S+/s/\w+)")


def test_from_registration_to_a_closed_call(site: Mission) -> None:
    register(site, "Anita Rao", ANITA, people_with_me="1")
    register(site, "Ravi Kumar", FAMILY)
    register(site, "Meera Kumar", FAMILY, language="ar", place="Benghazi")
    register(site, "Silent Singh", SILENT)
    register(site, "Leela Left", LEFT, language="ar")
    register(site, "Somebody Elsewhere", ELSEWHERE, country="TN", place="Tunis")

    author, approver = site.officer("amina"), site.officer("boris")
    crisis = open_crisis(author, "Libya story", "LY")
    alert = write_alert(author, crisis, "Fighting in Tripoli", "LY")
    assert "somebody else must decide" in author.open(alert)
    with pytest.raises(PageError, match="no form"):
        author.form("/approve")
    assert texted(site) == []
    release(approver, alert)

    assert texted(site) == [ANITA, FAMILY, SILENT, LEFT]
    text = site.texts_to(ANITA)[0]
    assert text.startswith("EXERCISE\n")
    assert text.endswith("\nEXERCISE")
    assert re.search(r"\nRef [0-9A-Z]{6}\n", text)
    assert "ابقوا" in site.texts_to(LEFT)[0]
    viewer = site.officer("chen")
    board.wait_for(viewer, crisis, {"people": 5, "reached": 5, "silent": 5})

    site.says(ANITA, "perhaps fine, ask me tomorrow")
    site.says(FAMILY, "Please help us, we are trapped")
    answer_by_link(site, site.texts_to(LEFT)[0], "not_there")
    told = {"people": 5, "reached": 5, "silent": 1, "not_there": 1, "needs_help": 2}
    board.wait_for(viewer, crisis, told | {"unclear": 1})
    site.says(FAMILY, "1")
    board.wait_for(viewer, crisis, told | {"unclear": 1})

    read_as_safe(author, board.requests_with(author, crisis, "perhaps fine")[0])
    board.wait_for(viewer, crisis, told | {"safe": 1})
    close_call(approver, board.requests_with(approver, crisis, "trapped")[0])
    assert board.requests_with(approver, crisis, "trapped") == []
    site.says(FAMILY, "we are safe, 2 people")
    board.wait_for(viewer, crisis, {"people": 5, "reached": 5, "silent": 1, "not_there": 1, "safe": 3})

    assert site.wait_for_text(ANITA, 2).count("EXERCISE") == 2
    assert len(site.texts_to(LEFT)) == 1
    assert len(site.texts_to(SILENT)) == 1
    site.says(SILENT, "STOP")
    assert eventually(lambda: opted_out(site) == 1)
    assert "Meera Kumar" in person_page(viewer, crisis, "safe", "Meera Kumar")


def opted_out(site: Mission) -> int:
    """How many phones want no more texts."""
    return int(site.rows("select count(*) from opt_outs")[0][0])


def texted(site: Mission) -> list[str]:
    """The phones of this story for each text that the gateway accepted, once nothing waits any more; in order."""
    assert eventually(lambda: site.rows("select 1 from messages where state = any(%s)", OPEN) == [])
    log = requests.get(f"{site.world.gateway_url}/_sim/log", timeout=10).text.splitlines()
    phones = [json.loads(line)["to"] for line in log]
    return sorted(number for number in phones if number in {ANITA, FAMILY, SILENT, LEFT, ELSEWHERE})


def answer_by_link(site: Mission, text: str, button: str) -> None:
    """Follow the link of a text and press a button."""
    found = LINK.search(text)
    assert found
    citizen = Visitor(site.url)
    citizen.open(found[1])
    citizen.send(citizen.form("/s/"), answer=button)


def read_as_safe(officer: Visitor, request_path: str) -> None:
    """Say that an unclear text means "safe" for the one person it is from."""
    page = officer.open(request_path)
    assert "perhaps fine, ask me tomorrow" in page
    reading = re.search(r'name="(reading-[0-9a-f-]+)"', page)
    assert reading
    officer.send(officer.form("/read"), **{reading[1]: "SAFE", "note": "Called back: all well."})


def close_call(officer: Visitor, request_path: str) -> None:
    """Take a call for help and close it with what was done."""
    officer.open(request_path)
    officer.send(officer.form("/take"))
    assert "On it" in officer.html
    page = officer.send(officer.form("/close"), outcome="helped", note="Driven to the port.")
    assert "Driven to the port." in page


def person_page(officer: Visitor, crisis: str, part: str, name: str) -> str:
    """The page of a person found in the list behind a number."""
    page = officer.open(f"{crisis}/people/in/{part}")
    found = re.search(rf'href="([^"]+)"><bdi dir="auto">{name}', page)
    assert found
    return officer.open(found[1])
