"""Twilio's own list: pages, dates and directions; an answer that cannot be trusted raises without personal data."""

import json
import logging
import time
import traceback
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest

from consular.domain.ports import GatewayError

PHONE = "+218912345678"
SINCE = datetime(2011, 2, 20, 12, 0, tzinfo=UTC)
PATH = "/2010-04-01/Accounts/AC" + "1" * 32 + "/Messages.json"


def entry(number=1, **changes):
    return {
        "sid": f"SM{number:032x}",
        "to": PHONE,
        "from": "+15557122661",
        "body": "text Ref K7Q2XM",
        "status": "delivered",
        "error_code": None,
        "date_created": "Sun, 20 Feb 2011 12:00:00 +0000",
        "date_sent": None,
        "direction": "outbound-api",
        **changes,
    }


def page(*entries, following=None):
    return json.dumps({"messages": entries, "next_page_uri": following, "page": 0}).encode()


def query(request):
    return parse_qs(urlsplit(request.path).query)


def test_find_asks_for_the_number_and_reads_what_is_there(serve, gateway):
    server = serve(lambda talk: talk.answer(200, page(entry(status="undelivered", error_code=30003))))
    (found,) = gateway(server.url).find(PHONE, SINCE)

    (request,) = server.received
    assert (request.method, urlsplit(request.path).path) == ("GET", PATH)
    assert query(request)["To"] == [PHONE]
    assert "DateSent" not in request.path
    assert request.headers["authorization"].startswith("Basic ")
    assert (found.provider_message_id, found.to, found.sender) == (f"SM{1:032x}", PHONE, "+15557122661")
    assert (found.body, found.status, found.error_code) == ("text Ref K7Q2XM", "undelivered", "30003")
    assert (found.created_at, found.is_inbound) == (SINCE, False)


def test_find_leaves_out_the_older_and_the_inbound(serve, gateway):
    entries = [
        entry(1),
        entry(2, date_created="Sun, 20 Feb 2011 11:59:59 +0000"),
        entry(3, date_created="Sun, 20 Feb 2011 14:00:00 +0200"),
        entry(4, direction="inbound"),
        entry(5, direction="outbound-reply", **{"from": None}),
    ]
    server = serve(lambda talk: talk.answer(200, page(*entries)))
    found = gateway(server.url).find(PHONE, SINCE.astimezone(timezone(timedelta(hours=2))))
    assert [int(message.provider_message_id[2:], 16) for message in found] == [1, 3, 5]


def test_number_written_in_another_way_by_the_gateway_is_found(serve, gateway):
    server = serve(lambda talk: talk.answer(200, page(entry(to="+525512345678"))))
    assert len(gateway(server.url).find("+5215512345678", SINCE)) == 1


def test_all_pages_are_read_until_one_is_too_old(serve, gateway):
    old = entry(9, date_created="Sat, 19 Feb 2011 12:00:00 +0000")
    pages = {1: page(entry(1), following=f"{PATH}?Page=1"), 2: page(following=f"{PATH}?Page=2")}
    pages |= {3: page(entry(2), old, following=f"{PATH}?Page=3"), 4: page(old, following=f"{PATH}?Page=4")}
    server = serve(lambda talk: talk.answer(200, pages[talk.number]))
    found = gateway(server.url).find(PHONE, SINCE)
    assert [message.provider_message_id[-1] for message in found] == ["1", "2"]
    assert len(server.received) == 4


def test_all_that_was_sent_is_read_page_by_page_while_it_is_asked_for(serve, gateway):
    old = entry(9, date_created="Sat, 19 Feb 2011 12:00:00 +0000")
    pages = {1: page(entry(1), entry(2, direction="inbound"), following=f"{PATH}?Page=1")}
    pages |= {2: page(entry(3), old, following=f"{PATH}?Page=2"), 3: page(old, following=f"{PATH}?Page=3")}
    server = serve(lambda talk: talk.answer(200, pages[talk.number]))
    listed = iter(gateway(server.url).list_sent(SINCE))
    assert server.received == []
    assert next(listed).provider_message_id[-1] == "1"
    assert len(server.received) == 1
    assert [message.provider_message_id[-1] for message in listed] == ["3"]
    assert len(server.received) == 3
    assert query(server.received[0]) == {"PageSize": ["1000"]}


def test_a_page_of_what_was_sent_that_cannot_be_trusted_raises(serve, gateway):
    first = page(entry(1), following=f"{PATH}?Page=1")
    server = serve(lambda talk: talk.answer(200, first) if talk.number == 1 else talk.answer(500))
    listed = iter(gateway(server.url).list_sent(SINCE))
    next(listed)
    with pytest.raises(GatewayError):
        next(listed)


def test_inbound_texts_of_every_number_once(serve, gateway):
    texts = [entry(1, direction="inbound", body="1"), entry(2), entry(3, direction="inbound", body="2")]
    server = serve(lambda talk: talk.answer(200, page(*texts)))
    one = gateway(server.url, numbers=("+15557122661", "+15557122662"))
    found = one.list_inbound(SINCE)
    assert [message.body for message in found] == ["1", "2"]
    assert [query(request)["To"] for request in server.received] == [["+15557122661"], ["+15557122662"]]
    assert {query(request)["DateSent>"][0] for request in server.received} == {"2011-02-20"}


def test_messaging_service_without_numbers_lists_everything(serve, gateway):
    server = serve(lambda talk: talk.answer(200, page(entry(1, direction="inbound"), entry(2))))
    found = gateway(server.url, sender="MG" + "a" * 32).list_inbound(SINCE)
    assert len(found) == 1
    assert "To" not in query(server.received[0])


NO_TRUST = {
    "500": lambda talk: talk.answer(500),
    "401": lambda talk: talk.answer(401, json.dumps({"code": 20003, "message": PHONE}).encode()),
    "redirect": lambda talk: talk.answer(302, b"", "Location: /elsewhere"),
    "HTML": lambda talk: talk.answer(200, b"<html>+218912345678"),
    "a list": lambda talk: talk.answer(200, b"[]"),
    "no messages": lambda talk: talk.answer(200, b"{}"),
    "truncated": lambda talk: talk.answer(200, page(entry())[:-5]),
    "closed mid body": lambda talk: talk.answer(200, page(entry()), length=9999) and False,
    "hang": lambda talk: talk.hang(),
    "one byte at a time": lambda talk: talk.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", 0.05),
    "too large": lambda talk: talk.answer(200, page(entry()) + b" " * 5_000_000),
    "without a date": lambda talk: talk.answer(200, page(entry(date_created=None))),
    "date without a zone": lambda talk: talk.answer(200, page(entry(date_created="Sun, 20 Feb 2011 12:00:00 -0000"))),
    "absurd date": lambda talk: talk.answer(200, page(entry(date_created="Sun, 99 Feb 99999 99:00:00 +0000"))),
    "wrong sid": lambda talk: talk.answer(200, page(entry(sid="XX1"))),
    "body not a text": lambda talk: talk.answer(200, page(entry(body=None))),
    "entry not an object": lambda talk: talk.answer(200, page("x")),
    "next page elsewhere": lambda talk: talk.answer(200, page(entry(), following="http://evil.example/")),
    "next page of another account": lambda talk: talk.answer(
        200, page(entry(), following=PATH.replace("1" * 32, "2" * 32) + "?Page=1")
    ),
    "next page a host": lambda talk: talk.answer(200, page(entry(), following="@evil.example/?")),
    "endless pages": lambda talk: talk.answer(200, page(entry(), following=f"{PATH}?Page=1")),
}


@pytest.mark.parametrize("call", ["find", "list_inbound"])
@pytest.mark.parametrize("behaviour", NO_TRUST.values(), ids=NO_TRUST)
def test_answer_that_cannot_be_trusted_raises_in_time_and_says_nothing_personal(
    serve, gateway, behaviour, call, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    one = gateway(serve(behaviour).url)
    started_at = time.monotonic()
    with pytest.raises(GatewayError) as caught:
        one.find(PHONE, SINCE) if call == "find" else one.list_inbound(SINCE)
    assert time.monotonic() - started_at < 3
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + "".join(capfd.readouterr())
    assert "218912345678" not in shown.replace("one.find(PHONE", "")
    assert "secret-token" not in shown


def test_gateway_that_is_not_there_raises(gateway, closed_port):
    with pytest.raises(GatewayError, match="transport 7"):
        gateway(f"http://127.0.0.1:{closed_port}").find(PHONE, SINCE)
