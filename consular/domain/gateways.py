"""The names of the ways a text can leave by: one Twilio account, one SMPP bind, one HTTP interface, the practice one.

A ministry with several operators puts a multiplexer such as Kannel behind the HTTP interface.
"""

from __future__ import annotations

from consular.domain.cap import AlertStatus

TWILIO = "twilio"
SMPP = "smpp"
HTTP = "http"
EXERCISE = "exercise"

ACTUAL_GATEWAYS = (TWILIO, SMPP, HTTP)
"""For real alerts; in the order of choice when nothing else decides."""

GATEWAYS = (*ACTUAL_GATEWAYS, EXERCISE)

GATEWAYS_WITH_A_LIST = (TWILIO, EXERCISE)
"""Can be asked which texts they took and which came in; at the others only receipts and time settle a doubt."""

GATEWAYS_WITH_A_BIND = (SMPP,)
"""Are one lasting connection: while it does not stand, nothing leaves by them."""


def gateways_for(status: AlertStatus) -> tuple[str, ...]:
    """The gateways that may carry an alert of this status: an exercise never leaves by a real one."""
    return (EXERCISE,) if status is AlertStatus.EXERCISE else ACTUAL_GATEWAYS


def opt_out_list(gateway: str) -> str:
    """Whose list a STOP goes on: who said it to one real gateway said it to all of them; practice has its own list."""
    return EXERCISE if gateway == EXERCISE else "actual"


def status_of(gateway: str) -> AlertStatus:
    """Whether what comes from `gateway` is practice. Raises ValueError for a name that is none of GATEWAYS."""
    if gateway not in GATEWAYS:
        raise ValueError("There is no gateway of this name.")
    return AlertStatus.EXERCISE if gateway == EXERCISE else AlertStatus.ACTUAL
