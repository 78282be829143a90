"""Signed webhooks as the gateway would send them: replies of people, and receipts for texts it accepted."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit

from sqlalchemy import text
from twilio.request_validator import RequestValidator

from bench.open_loop import Call
from consular.drill import world
from consular.drill.gateway.client import Address
from consular.drill.gateway.webhooks import form_post, target
from consular.extensions import cipher, db
from consular.providers.twilio.signatures import callback_key

TEXTS = ("1", "2", "3", "I am safe", "मैं ठीक हूँ", "need help", "safe 4", "who is this", "أنا بخير", "pas en sécurité")
STATUSES = ("sending", "sent", "delivered")


def address(running: world.World) -> Address:
    """Where webhooks are taken."""
    parts = urlsplit(running.env["WEBHOOK_BASE_URL"])
    return str(parts.hostname), int(parts.port or 80)


def replies(
    running: world.World, phones: Sequence[str], number: int, duplicates: float = 0.0, first: int = 0
) -> list[Call]:
    """`number` texts from these phones in turn, and a share of them once more, in any order. first: of their ids."""
    url = f"{running.env['WEBHOOK_BASE_URL']}/webhooks/twilio/inbound"
    dice = random.Random(7 + first)
    made = []
    for one in range(number):
        sid = f"SM{first + one:032x}"
        form = {
            "MessageSid": sid,
            "SmsSid": sid,
            "From": phones[one % len(phones)],
            "To": running.env["EXERCISE_GATEWAY_FROM"],
            "Body": dice.choice(TEXTS),
            "NumMedia": "0",
            "NumSegments": "1",
        }
        made.append(_call(running, url, form, sid))
    made += dice.sample(made, int(number * duplicates))
    dice.shuffle(made)
    return made


def receipts(running: world.World, number: int, statuses: Sequence[str] = STATUSES) -> list[Call]:
    """Every status for `number` accepted texts, in any order."""
    rows = db.session.execute(
        text("""
        select m.attempt_id, m.provider_message_id, c.id, c.value_sealed from messages m
        join contact_points c on c.id = m.contact_point_id
        where m.state = 'accepted' and m.event_id is not null order by m.id limit :number
        """),
        {"number": number},
    ).all()
    db.session.rollback()
    secret, made = running.env["SECRET_KEY"].encode(), []
    for row in rows:
        path = f"/webhooks/twilio/status/{row.attempt_id}?k={callback_key(secret, row.attempt_id)}"
        phone = cipher.open(row.value_sealed, "contact_points.value", row.id)
        for status in statuses:
            form = {"MessageSid": row.provider_message_id, "SmsSid": row.provider_message_id, "To": phone}
            form |= {"MessageStatus": status, "SmsStatus": status, "From": running.env["EXERCISE_GATEWAY_FROM"]}
            made.append(_call(running, running.env["WEBHOOK_BASE_URL"] + path, form, f"{row.attempt_id}/{status}"))
    random.Random(7).shuffle(made)
    return made


def _call(running: world.World, url: str, form: Mapping[str, str], key: str) -> Call:
    env = running.env
    whole = {**form, "AccountSid": env["EXERCISE_GATEWAY_ACCOUNT_SID"], "ApiVersion": "2010-04-01"}
    signature = RequestValidator(env["EXERCISE_GATEWAY_AUTH_TOKEN"]).compute_signature(url, whole)
    head = f"X-Twilio-Signature: {signature}\r\n"
    return Call(form_post(target(url), urlencode(whole).encode(), head), key)
