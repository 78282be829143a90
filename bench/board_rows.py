"""A crisis of any size straight into the tables: people, one alert, its messages, what people said, the queue."""

from __future__ import annotations

import time
from uuid import UUID, uuid4

from sqlalchemy import text

from consular.clock import utc_now
from consular.extensions import cipher, db
from consular.queries import counters

BATCH = 50_000
NAMES = (
    "Ravi Kumar",
    "Amira Haddad",
    "Jean Dupont",
    "सुनीता शर्मा",
    "محمد علي",
    "Maria Gonzalez",
    "Chen Wei",
    "Fatima Noor",
)
PLACES = ("Tripoli", "Benghazi", "Misrata", "Sabha", "Tobruk", "Al Bayda")
TEXTS = (
    "we are 4 at the embassy gate, no water since yesterday",
    "نحن محاصرون في الفندق",
    "pas de réseau, mon fils est malade",
    "यहाँ गोलीबारी हो रही है",
    "ok but not sure, will tell you",
    "who is this?",
)

_ROWS = """
insert into registrations (id, person_id, submission_key, source, people_count, consent_version, consented_at,
                           created_at)
select gen_random_uuid(), id, id::text, 'import', 1 + (hashtext(id::text) & 3), '1', created_at, created_at from people;

insert into stays (id, person_id, country, place_name, is_resident, created_at)
select gen_random_uuid(), id, 'LY', (array['Tripoli','Benghazi','Misrata','Sabha','Tobruk','Al Bayda'])
       [1 + (hashtext(id::text) & 7) % 6], true, created_at from people;

insert into messages (kind, event_id, crisis_id, channel, endpoint_index, language, gateway, priority, state,
                      expires_at, created_at, accepted_at, delivered_at, updated_at, provider_message_id,
                      failure_reason)
select 'alert', '{event}', '{crisis}', 'sms', sha256(id::text::bytea), language, 'exercise', 5,
       case when d < 80 then 'delivered' when d < 88 then 'accepted' when d < 92 then 'queued' else 'undelivered' end,
       now() + interval '6 hours', now() - interval '2 hours',
       case when d < 88 then now() - interval '110 minutes' end,
       case when d < 80 then now() - interval '100 minutes' end,
       now() - interval '90 minutes', 'SM' || replace(id::text, '-', ''), case when d >= 92 then 'unreachable' end
from (select *, abs(hashtext('d' || id::text)) % 100 as d from people) p where d < 97;

insert into recipients (event_id, person_id, message_id, exclusion)
select '{event}', p.id, m.id, case when m.id is null then 'no_phone' end
from people p left join messages m on m.event_id = '{event}' and m.endpoint_index = sha256(p.id::text::bytea);

insert into person_statuses (crisis_id, person_id, reach, stated, stated_count, stated_at, assessed, assessed_at,
                             assessed_by)
select '{crisis}', r.person_id,
       case m.state when 'delivered' then 'delivered' when 'accepted' then 'handed_over' when 'queued' then 'waiting'
                    when 'undelivered' then 'not_delivered' else 'no_phone' end,
       w.said, case when w.said is not null and a % 5 = 0 then 1 + a % 4 end,
       case when w.said is not null then now() - a % 5400 * interval '1 second' end,
       case when a % 1000 = 7 then 'missing' when a % 1000 = 8 then 'safe' end,
       case when a % 1000 in (7, 8) then now() end, case when a % 1000 in (7, 8) then '{officer}'::uuid end
from recipients r left join messages m on m.id = r.message_id
cross join lateral (select abs(hashtext('a' || r.person_id::text)) as a) h
cross join lateral (select case when m.state is distinct from 'delivered' then null
       when a % 100 < 52 then 'SAFE' when a % 100 < 55 then 'NEEDS_HELP' when a % 100 < 62 then 'NOT_THERE'
       when a % 100 < 65 then 'UNCLEAR' end as said) w;

insert into status_events (id, crisis_id, person_id, source, stated, count, text_key, said_at)
select gen_random_uuid(), crisis_id, person_id, 'sms', stated, stated_count, 'bench:' || person_id, stated_at
from person_statuses where stated is not null;

insert into assistance_requests (id, source_key, crisis_id, kind, person_id, opened_at)
select gen_random_uuid(), 'bench:' || person_id, crisis_id, lower(stated), person_id, stated_at
from person_statuses where stated in ('NEEDS_HELP', 'UNCLEAR');
"""


def fill(people: int, title: str, officer_id: UUID, status: str = "Exercise") -> tuple[UUID, UUID, float]:
    """(crisis, event, seconds it took). Commits. The texts of the oldest requests are written out, for the eye."""
    started = time.monotonic()
    _copy_people(people)
    crisis_id, event_id = _frame(title, officer_id, status, people)
    script = _ROWS.replace("{crisis}", str(crisis_id)).replace("{event}", str(event_id))
    for statement in script.replace("{officer}", str(officer_id)).split(";\n"):
        if statement.strip():
            db.session.execute(text(statement))
    _write_texts(crisis_id)
    counted = counters.recount_crisis(crisis_id)
    counters.add(db.session, {(crisis_id, key): value for key, value in counted.items()})
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
    return crisis_id, event_id, time.monotonic() - started


def _copy_people(people: int) -> None:
    connection = db.session.connection().connection.driver_connection
    languages = ("en", "fr", "ar", "hi")
    for start in range(0, people, BATCH):
        with connection.cursor().copy(
            "copy people (id, name_sealed, home_country, language, created_at) from stdin (format binary)"
        ) as copy:
            copy.set_types(["uuid", "bytea", "varchar", "varchar", "timestamptz"])
            now = utc_now()
            for number in range(start, min(people, start + BATCH)):
                person_id = uuid4()
                name = cipher.seal(NAMES[number % len(NAMES)], "people.name", person_id)
                copy.write_row((person_id, name, "IN", languages[number % 4], now))


def _frame(title: str, officer_id: UUID, status: str, people: int) -> tuple[UUID, UUID]:
    crisis_id, alert_id, event_id, approver_id = uuid4(), uuid4(), uuid4(), uuid4()
    values = {"crisis": crisis_id, "alert": alert_id, "event": event_id, "officer": officer_id}
    values |= {
        "approver": approver_id,
        "title": title,
        "status": status,
        "people": people,
        "name": approver_id.hex[:12],
    }
    for statement in _FRAME.split(";\n"):
        db.session.execute(text(statement), values)
    return crisis_id, event_id


_FRAME = """
insert into officers (id, username, full_name, password_hash, role, created_at, failed_sign_ins)
values (:approver, :name, 'Second Officer', 'x', 'approver', now(), 0);
insert into crises (id, title, status, audience, opened_at, opened_by)
values (:crisis, :title, :status, '{}', now() - interval '3 hours', :officer);
insert into alerts (id, crisis_id, state, category, urgency, severity, certainty, response_type, event, message_class,
                    asks_for_reply, validity_minutes, audience, author_id, last_editor_id, created_at, edited_at,
                    revision)
values (:alert, :crisis, 'issued', 'Security', 'Immediate', 'Extreme', 'Observed', 'Shelter', 'Fighting', 'life_safety',
        true, 360, '{}', :officer, :officer, now(), now(), 1);
insert into alert_events (id, alert_id, crisis_id, msg_type, status, message_class, asks_for_reply, validity_seconds,
                          default_language, content_sealed, content_hash, audience, people, author_id, last_editor_id,
                          approved_by, approved_at, expires_at)
values (:event, :alert, :crisis, 'Alert', :status, 'life_safety', true, 21600, 'en', 'x', sha256('x'), '{}', :people,
        :officer, :officer, :approver, now() - interval '2 hours', now() + interval '4 hours')
"""

_TEXT = text("""
insert into inbound_messages (id, gateway, provider_message_id, path, sender_sealed, sender_index, body_sealed,
                              raw_sealed, received_at, processed_at, kind, crisis_id, people_matched)
values (:id, 'exercise', :sid, 'webhook', 'x', :index, :body, 'x', :at, :at, :kind, :crisis, 1)
""")


def _write_texts(crisis_id: UUID) -> None:
    oldest = db.session.execute(
        text(
            "select id, kind, opened_at from assistance_requests where crisis_id = :crisis order by opened_at limit 300"
        ),
        {"crisis": crisis_id},
    ).all()
    for number, row in enumerate(oldest):
        inbound_id = uuid4()
        values = {
            "id": inbound_id,
            "sid": inbound_id.hex,
            "at": row.opened_at,
            "kind": row.kind.upper(),
            "crisis": crisis_id,
        }
        words = TEXTS[number % 4 if row.kind == "needs_help" else 4 + number % 2]
        sealed = cipher.seal(words, "inbound_messages.body", inbound_id)
        db.session.execute(_TEXT, values | {"body": sealed, "index": bytes(32)})
        db.session.execute(
            text("update assistance_requests set inbound_id = :inbound where id = :id"),
            {"inbound": inbound_id, "id": row.id},
        )
