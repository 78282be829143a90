"""Who may call which endpoint: one table for every route of the application.

Roles are job titles, not ranks; nobody has everything:

- viewer: reads crises, alerts, the board and people's records; changes nothing.
- author: reads; opens crises; writes, submits, withdraws and cancels alerts; stops a running send; answers requests.
- approver: what an author may, and returns, rejects or approves alerts; closes crises. That nobody approves what they
  wrote or last edited is decided per alert (domain.alerts.next_state, and a CHECK in the database), not here.
- administrator: officers' accounts and their sessions, the state of the service, what gateways can do and what proves
  their paths, nothing else. Whoever can make accounts must not also release alerts, and has no need to read citizens'
  records or how many there are where: readiness is for readers, test texts and gateways are for operators.

Stopping a send needs one person only, because a wrong text must be stopped within seconds.
An endpoint without a row is refused while running and fails the build (tests/architecture/test_permissions.py).
"""

from __future__ import annotations

from consular.models.officers import Role

__all__ = ["ACCESS", "APPROVERS", "AUTHORS", "EVERY_OFFICER", "PUBLIC", "READERS", "Public", "Role", "access_to"]


class Public:
    """Open to everybody: pages without an account, and webhooks, which check a signature or key themselves."""

    def __repr__(self) -> str:
        return "PUBLIC"


PUBLIC = Public()
EVERY_OFFICER = frozenset(Role)
READERS = frozenset({Role.VIEWER, Role.AUTHOR, Role.APPROVER})
AUTHORS = frozenset({Role.AUTHOR, Role.APPROVER})
APPROVERS = frozenset({Role.APPROVER})
ADMINISTRATORS = frozenset({Role.ADMINISTRATOR})
OPERATORS = AUTHORS | ADMINISTRATORS

Access = frozenset[Role] | Public

ACCESS: dict[str, Access] = {
    "static": PUBLIC,
    "health.alive": PUBLIC,
    "health.ready": PUBLIC,
    "health.metrics": PUBLIC,  # asks by itself where the request comes from
    # citizens, and gateways, which sign what they send or know our key
    "citizen.register": PUBLIC,
    "citizen.answer": PUBLIC,
    "webhooks.twilio_inbound": PUBLIC,
    "webhooks.twilio_status": PUBLIC,
    "webhooks.http_inbound": PUBLIC,
    "webhooks.http_receipt": PUBLIC,
    # signing in and out
    "officer.sign_in": PUBLIC,
    "officer.sign_out": EVERY_OFFICER,
    "officer.home": EVERY_OFFICER,
    # crises
    "officer.crisis": READERS,
    "officer.open_crisis": AUTHORS,
    "officer.close_crisis": APPROVERS,
    # alerts
    "officer.alert": READERS,
    "officer.alert_progress": READERS,
    "officer.write_alert": AUTHORS,
    "officer.edit_alert": AUTHORS,
    "officer.send_without_asking": AUTHORS,
    "officer.submit_alert": AUTHORS,
    "officer.withdraw_alert": AUTHORS,
    "officer.cancel_alert": AUTHORS,
    "officer.stop_alert": AUTHORS,
    "officer.return_alert": APPROVERS,
    "officer.reject_alert": APPROVERS,
    "officer.approve_alert": APPROVERS,
    "officer.retry_post": AUTHORS,
    "officer.confirm_post": AUTHORS,
    # texts held for an officer: sending again is a release, closing is a stop
    "officer.held_alerts": READERS,
    "officer.held_texts": READERS,
    "officer.send_held": APPROVERS,
    "officer.end_held": AUTHORS,
    # accounts
    "officer.officers": ADMINISTRATORS,
    "officer.add_officer": ADMINISTRATORS,
    "officer.disable_officer": ADMINISTRATORS,
    "officer.enable_officer": ADMINISTRATORS,
    "officer.unlock_officer": ADMINISTRATORS,
    "officer.revoke_officer_sessions": ADMINISTRATORS,
    # the state of the service, without anything about people
    "officer.operations": OPERATORS,
    "officer.operations_fragment": OPERATORS,
    "officer.runbook": OPERATORS,
    # gateways and what proves their paths, without anything about people
    "officer.canaries": OPERATORS,
    "officer.send_canaries": OPERATORS,
    "officer.gateways": OPERATORS,
    "officer.add_gateway_row": ADMINISTRATORS,
    "officer.edit_gateway_row": ADMINISTRATORS,
    "officer.remove_gateway_row": ADMINISTRATORS,
    # how many people could be reached where
    "officer.readiness": READERS,
    # the board, people and requests
    "officer.board": READERS,
    "officer.board_fragment": READERS,
    "officer.people_in_bucket": READERS,
    "officer.person": READERS,
    "officer.assess_person": AUTHORS,
    "officer.note_person": AUTHORS,
    "officer.requests": READERS,
    "officer.request": READERS,
    "officer.take_request": AUTHORS,
    "officer.read_request": AUTHORS,
    "officer.close_request": AUTHORS,
}


def access_to(endpoint: str) -> Access | None:
    """Who may call `endpoint`; None when it has no row."""
    return ACCESS.get(endpoint)
