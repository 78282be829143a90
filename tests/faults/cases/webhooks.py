"""What comes in wrongly: receipts in any order, the same text many times at once, forgeries (F16-F18)."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import requests

from consular.domain.replies import ReplyKind
from consular.providers.twilio.signatures import callback_key
from tests.faults.play import Play
from tests.faults.posting import INBOUND, Posted, Stream
from tests.faults.story import Case
from tests.waiting import eventually

_FAIL = """create function faults_poison() returns trigger language plpgsql
           as $$ begin raise exception 'poison'; end $$"""
_FAIL_OVER = """create trigger faults_poison before update on inbound_messages for each row
                when (new.classifier_version is not null and new.provider_message_id = '{sid}')
                execute function faults_poison()"""
_COUNTED = 'consular_webhooks_refused_total{door="twilio"}'
THREADS = 32
TEXTS = 12


def unruly_receipts(play: Play) -> None:
    """Twice, early, reordered, contradicting; late ones and ones for texts that never were."""
    unruly = {"doubled_callback": 1.0, "reordered": 0.5, "early_callback": 0.5, "contradicting": 0.5}
    play.simulator.network(**unruly)
    alert = play.send()
    play.must(play.wait_until_gone(alert, 60), "not all texts left")
    play.simulator.network()
    play.fault_is_over()
    for number in range(20):
        _strange_receipt(play, number)
    play.verdict.injected = 3 * alert.people + 20


def as_the_gateway_says(play: Play) -> None:
    """Every text stands as the gateway's last word has it: delivered is never hidden by an earlier failure."""
    alert = play.alerts[0]

    def is_delivered() -> bool:
        return play.states(alert).get("delivered", 0) == alert.people

    play.must(eventually(is_delivered, 20), f"all were delivered, but they stand as {play.states(alert)}")


def same_text_at_once(play: Play) -> None:
    """Each text from 32 threads at the same moment, to both web processes."""
    poster, results = play.stage.poster, list[Posted]()
    for number in range(TEXTS):
        fields = poster.text(f"+21896{9_600_000 + number:07d}", "1")
        barrier = threading.Barrier(THREADS)
        threads = [
            threading.Thread(target=_post_together, args=(play, fields, barrier, base, results))
            for base in (play.site.url, play.site.hooks_url) * (THREADS // 2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    play.fault_is_over()
    play.verdict.injected = len(results)
    play.taken = sorted({one.sid for one in results if one.is_taken})
    answers = Counter(one.status for one in results)
    play.must(set(answers) == {200}, f"the answers were {dict(answers)}")
    stored = play.site.rows("select count(*) from inbound_messages where provider_message_id = any(%s)", play.taken)
    play.must(stored[0][0] == TEXTS, f"{stored[0][0]} rows for {TEXTS} texts")


def forge(play: Play) -> None:
    """Everything a forger may try: refused, and nothing is stored."""
    sids = [f"SM{secrets.token_hex(16)}" for _ in range(3)]
    counted, forged = play.metric(_COUNTED), 0
    for name, attempt, expected in _forgeries(play, *sids[:2]):
        status = attempt().status
        play.verdict.injected += 1
        forged += status == 403
        play.must(status in expected, f"{name} was answered {status}")
    play.must(_stored(play, sids) == 0, f"{_stored(play, sids)} rows came of forgeries")
    told = eventually(lambda: play.metric(_COUNTED) - counted == forged, 20)
    play.must(told, f"{play.metric(_COUNTED) - counted:.0f} of {forged} forged calls are counted")
    play.must_alarm("webhooks_forged", "twilio")
    fields = play.stage.poster.text("+218969700001", "1", sids[2])
    for _ in range(3):
        play.must(play.stage.poster.post(fields).is_taken, "a genuine text was refused")
    play.must(_stored(play, sids) == 1, "a replayed text came twice")
    play.taken = [fields["MessageSid"]]
    play.fault_is_over()


def poison(play: Play) -> None:
    """A text that makes every reader of it fail, among good ones."""
    bad = play.stage.poster.text("+218969750000", "1")
    sid = bad["MessageSid"]
    play.site.rows(_FAIL)
    play.site.rows(_FAIL_OVER.format(sid=sid))
    try:
        with Stream(play.site, rate=40.0, first_phone=9_760_000) as stream:
            play.wait(1.0)
            play.must(play.stage.poster.post(bad).is_taken, "the text was refused")
            play.verdict.injected = 1
            play.must(eventually(lambda: _reading(play, sid)[0] is not None, 60), "nobody was told of the text")
        play.fault_is_over()
        play.taken = [*stream.taken, sid]
        unread = "select count(*) from inbound_messages where provider_message_id = any(%s) and processed_at is null"
        are_read = eventually(lambda: play.site.rows(unread, stream.taken)[0][0] == 0, 20)
        play.must(are_read, f"{play.site.rows(unread, stream.taken)[0][0]} of the others were not read")
        _, kind, tries, requests_ = _reading(play, sid)
        play.must((kind, tries) == (ReplyKind.UNCLEAR.value, 3), f"the text stands as {kind} after {tries} tries")
        play.must(requests_ == 1, f"{requests_} officers' requests came of it")
    finally:
        play.site.rows("drop trigger faults_poison on inbound_messages")
        play.site.rows("drop function faults_poison")


def _reading(play: Play, sid: str) -> tuple[Any, ...]:
    """When a text was done with, as what, after how many tries, and the requests to officers that came of it."""
    query = """select i.processed_at, i.kind, i.tries,
                      (select count(*) from assistance_requests a where a.inbound_id = i.id)
               from inbound_messages i where i.provider_message_id = %s"""
    return play.site.rows(query, sid)[0]


def _forgeries(play: Play, text_sid: str, receipt_sid: str) -> list[tuple[str, Callable[[], Posted], set[int]]]:
    poster = play.stage.poster
    genuine = poster.text("+218969700000", "1", text_sid)
    good = poster.sign(INBOUND, genuine)
    receipt, attempt = poster.receipt(receipt_sid, "delivered", "+218969700000"), uuid4()
    path = f"/webhooks/twilio/status/{attempt}"
    wrong_to = {**genuine, "To": "+15005550099"}
    others = {**genuine, "AccountSid": "AC" + "0" * 32}
    return [
        ("an altered text", partial(poster.post, {**genuine, "Body": "help"}, signed=good), {403}),
        ("a moved border", partial(poster.post, {**genuine, "Bod": "y1", "Body": ""}, signed=good), {400, 403}),
        ("no signature", partial(poster.post, genuine, signed=""), {403}),
        ("a random signature", partial(poster.post, genuine, signed=secrets.token_urlsafe(20)), {403}),
        ("another account", partial(poster.post, others), {403}),
        ("another receiver", partial(poster.post, wrong_to), {400}),
        ("a receipt without key", partial(poster.post, receipt, path), {403}),
        ("a receipt with a wrong key", partial(poster.post, receipt, f"{path}?k=abc"), {403}),
        ("a receipt as text", partial(poster.post, receipt), {400}),
        ("a field twice", partial(_raw, play, genuine, "twice"), {400, 403}),
        ("JSON", partial(_raw, play, genuine, "json"), {400, 403, 415}),
        ("GET", partial(_raw, play, genuine, "get"), {405}),
        ("a megabyte", partial(poster.post, {**genuine, "Body": "x" * 1_000_000}), {413}),
    ]


def _raw(play: Play, fields: dict[str, str], kind: str) -> Posted:
    address = play.site.hooks_url + INBOUND
    headers = {"X-Twilio-Signature": play.stage.poster.sign(INBOUND, fields)}
    if kind == "twice":
        answer = requests.post(address, data=[*fields.items(), ("Body", "1")], headers=headers, timeout=15)
    elif kind == "json":
        answer = requests.post(address, json=fields, headers=headers, timeout=15)
    else:
        answer = requests.get(address, params=fields, headers=headers, timeout=15)
    return Posted(fields["MessageSid"], answer.status_code, 0.0, time.time())


def _stored(play: Play, sids: list[str]) -> int:
    query = """select (select count(*) from inbound_messages where provider_message_id = any(%s))
                    + (select count(*) from receipt_events where provider_message_id = any(%s))"""
    return int(play.site.rows(query, sids, sids)[0][0])


def _post_together(
    play: Play, fields: dict[str, str], barrier: threading.Barrier, base: str, results: list[Posted]
) -> None:
    barrier.wait()
    results.append(play.stage.poster.post(fields, base=base))


def _strange_receipt(play: Play, number: int) -> None:
    """A signed receipt with a good key, for an attempt that never was or long after the last one."""
    query = (
        "select attempt_id, provider_message_id from messages where event_id = %s and attempt_id is not null limit 1"
    )
    attempt, sid = play.site.rows(query, play.alerts[0].event_id)[0]
    if number % 2:
        attempt, sid = uuid4(), f"SM{secrets.token_hex(16)}"
    key = callback_key(play.site.env["SECRET_KEY"].encode(), attempt)
    fields = play.stage.poster.receipt(sid or f"SM{secrets.token_hex(16)}", "failed", "+218960000001", "30008")
    posted = play.stage.poster.post(fields, f"/webhooks/twilio/status/{attempt}?k={key}")
    play.must(posted.is_taken, f"a strange receipt was answered {posted.status}")


CASES = [
    Case(
        "F16",
        "receipts twice, early, reordered, late",
        "P7",
        "what was delivered stands as delivered",
        unruly_receipts,
        as_the_gateway_says,
        is_ci=True,
    ),
    Case(
        "F17", "one text from 32 threads at once", "P8", "one row each, all answered 200", same_text_at_once, is_ci=True
    ),
    Case("F22b", "poison text", "P9", "an officer's after 3 tries; the others are read", poison),
    Case("F18", "forged webhooks", "P7, P8", "403 or 400, no row, an alarm; a replay is one row", forge, is_ci=True),
]
