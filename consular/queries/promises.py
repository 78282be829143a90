"""Promises that one query can check (catalogue I1 to I10): each names the rows that break it.

`:before` is the moment until which work may have arrived and must be finished: "infinity" when nothing is under way.
"""

from __future__ import annotations

_OF_ATTEMPT = "('x' || left(replace({}::text, '-', ''), 16))::bit(64)::bigint"

LEFT_AT = """
case when a.id = m.attempt_id then least(a.started_at, m.sending_at + interval '1 second') else a.started_at end
"""
"""When an attempt left. started_at is counted back from when its outcome was written, which a database that was away
delays; a row leaves within a second of being marked."""

CONSERVATION: dict[str, str] = {
    "recipients_without_message_or_reason": """
        select r.event_id || '/' || r.person_id from recipients r left join messages m on m.id = r.message_id
        where r.exclusion is null and m.id is null
    """,
    "messages_without_recipient": """
        select m.id::text from messages m where m.kind = 'alert'
        and not exists (select 1 from recipients r where r.message_id = m.id)
    """,
    "people_selected_without_standing": """
        select r.person_id::text from recipients r join alert_events e on e.id = r.event_id
        left join person_statuses s on s.crisis_id = e.crisis_id and s.person_id = r.person_id where s.person_id is null
    """,
    "standings_out_of_nowhere": """
        select s.person_id::text from person_statuses s where not exists (
            select 1 from recipients r join alert_events e on e.id = r.event_id
            where r.person_id = s.person_id and e.crisis_id = s.crisis_id)
        and not exists (select 1 from status_events t where t.person_id = s.person_id and t.crisis_id = s.crisis_id)
    """,
    "events_that_lost_people": """
        select e.id || ': ' || count(r.person_id) || ' of ' || e.people from alert_events e
        left join recipients r on r.event_id = e.id group by e.id having count(r.person_id) <> e.people
    """,
}

NOT_TWICE: dict[str, str] = {
    "texts_taken_twice_undeclared": """
        select m.id::text from messages m join message_attempts a on a.message_id = m.id and a.outcome = 'accepted'
        where not m.possible_duplicate group by m.id having count(*) > 1
    """,
    "duplicates_declared_without_doubt": """
        select m.id::text from messages m where m.possible_duplicate
        and not exists (select 1 from message_attempts a where a.message_id = m.id and a.outcome = 'unknown')
    """,
}

TRUTH: dict[str, str] = {
    "accepted_without_gateway_id": """
        select id::text from messages
        where state in ('accepted', 'sent', 'delivered', 'read') and provider_message_id is null
    """,
    "taken_by_the_gateway_and_not_marked": """
        select m.id || ':' || m.state from messages m
        where m.state in ('queued', 'claimed', 'sending', 'unknown', 'held', 'refused', 'cancelled', 'expired')
        and exists (select 1 from message_attempts a where a.message_id = m.id and a.outcome = 'accepted')
    """,
}

HEARD: dict[str, str] = {
    "texts_not_processed": "select id::text from inbound_messages where processed_at is null and received_at < :before",
    "texts_without_result": "select id::text from inbound_messages where processed_at is not null and kind is null",
    "receipts_not_processed": """
        select id::text from receipt_events where processed_at is null and received_at < :before
        and not ((result like 'wait%' or gateway = 'smpp' and attempt_id is null)
                 and received_at > now() - interval '5 minutes')
    """,  # services.receipts looks so long again for the text of a receipt that names none
    "receipts_without_result": "select id::text from receipt_events where processed_at is not null and result is null",
    "answers_without_statement": """
        select i.id::text from inbound_messages i
        where i.crisis_id is not null and i.kind in ('SAFE', 'NEEDS_HELP', 'NOT_THERE', 'UNCLEAR')
        and not exists (select 1 from status_events e where e.inbound_id = i.id)
    """,
    "calls_for_help_without_request": """
        select i.id::text from inbound_messages i where i.kind = 'NEEDS_HELP'
        and not exists (select 1 from assistance_requests a where a.inbound_id = i.id)
    """,
    "unclear_without_request": """
        select i.id::text from inbound_messages i where i.kind = 'UNCLEAR'
        and not exists (select 1 from assistance_requests a where a.inbound_id = i.id)
    """,
}

SAME_IN_ANY_ORDER: dict[str, str] = {
    "open_calls_not_shown": """
        select a.id::text from assistance_requests a
        join person_statuses s on s.crisis_id = a.crisis_id and s.person_id = a.person_id
        where a.kind = 'needs_help' and a.closed_at is null and s.stated is distinct from 'NEEDS_HELP'
    """,
    "assessments_not_shown": """
        select s.person_id::text from person_statuses s left join (
            select distinct on (crisis_id, person_id) crisis_id, person_id, assessed from status_events
            where source = 'officer_assessment' order by crisis_id, person_id, number desc
        ) last using (crisis_id, person_id)
        where s.assessed is distinct from last.assessed
    """,
    "delivered_and_not_shown": f"""
        select m.id || ':' || m.state from receipt_events r
        join messages m on m.gateway = r.gateway and m.id = {_OF_ATTEMPT.format("r.attempt_id")}
        where r.status in ('delivered', 'read') and r.processed_at is not null and m.state not in ('delivered', 'read')
    """,  # noqa: S608 - the inserted part is a constant of this module
}

AUDIT: dict[str, str] = {
    "decisions_without_audit_entry": """
        select d.id || ':' || d.action from alert_decisions d where not exists (
            select 1 from audit_entries a where a.subject_type = 'alert' and a.subject_id = d.alert_id::text
            and a.action = 'alert_' || d.action and a.officer_id = d.officer_id and a.at = d.decided_at)
    """,
    "events_without_decision": """
        select e.id::text from alert_events e where not exists (
            select 1 from alert_decisions d where d.alert_id = e.alert_id and d.action = 'approve'
            and d.officer_id = e.approved_by)
    """,
    "stops_without_decision": """
        select e.id::text from alert_events e where e.stopped_at is not null and not exists (
            select 1 from alert_decisions d where d.alert_id = e.alert_id and d.action in ('stop', 'cancel')
            and d.officer_id = e.stopped_by)
    """,
    "own_approval": "select id::text from alert_events where approved_by in (author_id, last_editor_id)",
}

STOP: dict[str, str] = {
    "sent_after_stop": f"""
        select distinct m.id::text from messages m join alert_events e on e.id = m.event_id
        left join message_attempts a on a.message_id = m.id and a.error_code is distinct from 'lease'
        where e.stopped_at is not null
        and greatest(m.sending_at, {LEFT_AT}) > e.stopped_at + interval '5 seconds'
    """,  # noqa: S608
}

_LIST = "case {}.gateway when 'exercise' then 'exercise' else 'actual' end"
_OPT_OUTS = f"""
select o.value_index as phone, o.gateway as list, coalesce(max(i.processed_at), o.opted_out_at) as since,
    coalesce(o.ended_at, 'infinity') as until
from opt_outs o left join inbound_messages i on i.received_at = o.opted_out_at and i.kind = 'OPT_OUT'
group by o.value_index, o.gateway
union
select i.sender_index, {_LIST.format("i")}, i.processed_at, coalesce((
    select min(n.received_at) from inbound_messages n where n.sender_index = i.sender_index
    and n.kind = 'OPT_IN' and n.received_at >= i.received_at and {_LIST.format("n")} = {_LIST.format("i")}), 'infinity')
from inbound_messages i where i.kind = 'OPT_OUT'
"""  # noqa: S608
"""From when until when a phone's opt-out stood. The table knows only the last STOP of a phone, so that one which was
said again, or taken back and said again, is looked up among the texts."""

ELIGIBILITY: dict[str, str] = {
    "sent_after_opt_out": f"""
        select distinct m.id::text from ({_OPT_OUTS}) o
        join messages m on m.endpoint_index = o.phone and m.kind = 'alert' and {_LIST.format("m")} = o.list
        left join message_attempts a on a.message_id = m.id and a.error_code is distinct from 'lease'
        where (m.sending_at > o.since + interval '5 seconds' and m.sending_at < o.until)
        or ({LEFT_AT} > o.since + interval '5 seconds' and {LEFT_AT} < o.until)
    """,  # noqa: S608
    "sent_to_an_unusable_phone": """
        select m.id::text from messages m join alert_events e on e.id = m.event_id
        join contact_points c on c.id = m.contact_point_id
        where c.unusable_since < e.approved_at and m.sending_at is not null
    """,
    "exercise_on_another_gateway": """
        select m.id::text from messages m join alert_events e on e.id = m.event_id
        where (e.status = 'Exercise') <> (m.gateway = 'exercise')
    """,
    "receipt_on_another_gateway": """
        select m.id::text from messages m join inbound_messages i on i.id = m.inbound_id
        where (i.gateway = 'exercise') <> (m.gateway = 'exercise')
    """,
}

PROMISES: dict[str, tuple[str, str]] = {
    name: (code, query)
    for code, queries in (
        ("I1", CONSERVATION),
        ("I2", NOT_TWICE),
        ("I3", TRUTH),
        ("I4", HEARD),
        ("I5", SAME_IN_ANY_ORDER),
        ("I6", AUDIT),
        ("I9", STOP),
        ("I10", ELIGIBILITY),
    )
    for name, query in queries.items()
}
"""By name: the code in the catalogue, and a query of one column of text that names the rows which break it."""

UNSETTLED = """
select m.id || ':' || m.state as row, case
    when m.state = 'queued' and s.paused_until > now() then 'sender paused'
    when m.state = 'queued' and p.paused_until > now() then 'country paused'
    when m.state = 'queued' and m.not_before > now() then 'to be tried again'
    when m.state = 'queued' and tried.last_at > now() - interval '60 seconds' then 'waiting their turn'
    when m.state = 'unknown' and e.message_class = 'normal'
        and now() < m.sending_at + (e.validity_seconds + 330) * interval '1 second' then 'may still arrive'
    when m.state = 'unknown' and m.gateway in ('smpp', 'http') and m.not_before > now() then 'a receipt may still come'
    end as reason
from messages m left join alert_events e on e.id = m.event_id
left join senders s on s.gateway = m.gateway
left join country_pauses p on p.gateway = m.gateway and p.country = m.country
left join (select gateway, max(recorded_at) as last_at from message_attempts group by gateway) tried
    on tried.gateway = m.gateway
where m.state in ('queued', 'claimed', 'sending', 'unknown') and m.updated_at < :before
"""
"""I1 and I8: rows that are neither terminal nor held, with the reason why they may wait, if there is one."""

_LEFT = f"""
select a.gateway, a.message_id, {LEFT_AT} as at, coalesce(a.parts, 1) as parts
from message_attempts a join messages m on m.id = a.message_id
where a.started_at is not null and a.error_code is distinct from 'lease'
"""  # noqa: S608

FASTEST = f"""
select distinct on (gateway) gateway, at, parts, longest from (
    select gateway, at, sum(parts) over (partition by gateway order by at
        range between interval '10 seconds' preceding and current row) as parts,
        max(parts) over (partition by gateway) as longest
    from ({_LEFT}) tries
) windows order by gateway, parts desc
"""  # noqa: S608
"""I11: the ten seconds of each sender in which most parts left. parts: how many; longest: of one text. The parts of a
try whose worker could not write them down are counted as one."""

LEFT_IN = f"""
select distinct message_id::text from ({_LEFT}) tries
where gateway = :gateway and at between cast(:at as timestamptz) - interval '10 seconds' and :at
"""  # noqa: S608
"""I11: the texts in such ten seconds."""
