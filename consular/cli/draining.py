"""Doing the workers' work in this process: for the day when Redis does not come back."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from consular.domain.gateways import EXERCISE, HTTP, SMPP, TWILIO
from consular.domain.ports import SmsGateway
from consular.errors import InvalidInputError
from consular.providers.receipt_words import read_reason, read_status
from consular.providers.registry import Adapters
from consular.queueing import wakeups
from consular.services import delivery, inbound, receipts, routing, smsc_receipts, social, sweeping
from consular.services.routing import Quiet
from consular.services.texts import TextBook
from consular.services.ways import Ways

if TYPE_CHECKING:
    from flask import Flask

_SECONDS = 25.0
_VARIABLES = {
    TWILIO: "TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM",
    SMPP: "SMPP_HOST, SMPP_SYSTEM_ID, SMPP_PASSWORD and SMPP_FROM",
    HTTP: "HTTP_GATEWAY_PROFILE, HTTP_GATEWAY_URL and an HTTP_GATEWAY_SECRET_* for each secret of the profile",
    EXERCISE: "EXERCISE_GATEWAY_BASE_URL, _ACCOUNT_SID, _AUTH_TOKEN and _FROM",
}


@dataclass(frozen=True, slots=True)
class _Line:
    """One gateway that this process sends by, and its pace."""

    adapter: SmsGateway
    pace: delivery.Pace


def drain_here(app: Flask, gateway: str | None, *, watch: bool) -> int:
    """Sweep, reroute, reconcile, apply receipts, read texts and send until nothing is left (or, watching, until
    interrupted).

    gateway: send by this one alone; None: by every one that is set up, in turn, but SMPP's, which has a process of its
    own. Raises InvalidInputError, with what to set, when there is none.
    """
    adapters: Adapters = app.extensions["consular"]
    problems = adapters.problems()
    if problems:
        raise InvalidInputError(" ".join(problems))
    lines = _lines(adapters, gateway)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    senders = {name: configured.sender for name, configured in adapters.config.gateways.items()}
    book = TextBook(adapters.config.public_url, Ways(senders).of)
    total, quiet = 0, Quiet()
    while not stop.is_set():
        sweeping.sweep()
        routing.reroute(senders, wakeups, quiet)
        while receipts.process(read_status, read_reason) or inbound.process() or smsc_receipts.match():
            pass
        social.drain(adapters.publishers, _SECONDS, stop.is_set)
        sent = sum(_send(line, book, _SECONDS / len(lines), stop.is_set) for line in lines)
        total += sent
        if sent:
            click.echo(f"{total:,} so far")
        elif not watch:
            break
        else:
            stop.wait(1.0)
    return total


def _lines(adapters: Adapters, wanted: str | None) -> list[_Line]:
    configured = adapters.config.gateways
    if not configured:
        raise InvalidInputError("No gateway is configured: `consular check-config` says which variables to set.")
    if wanted is not None and wanted not in configured:
        raise InvalidInputError(f"The {wanted} gateway is not configured: set {_VARIABLES[wanted]}.")
    if wanted == SMPP:
        raise InvalidInputError(
            "The smpp gateway sends by one process alone, which needs no Redis: start worker-smpp of the Procfile. "
            "`consular drain` without --gateway does everything else."
        )
    lines = []
    for name in [wanted] if wanted else configured:
        adapter = adapters.gateway(name)
        if adapter is not None:
            lines.append(_Line(adapter, delivery.Pace(configured[name].rate, adapters.config.lease_seconds)))
    return lines


def _send(line: _Line, book: TextBook, seconds: float, should_stop: Callable[[], bool]) -> int:
    sweeping.reconcile(line.adapter, book)
    return delivery.drain(line.adapter, book, line.pace, f"drain-{os.getpid()}", seconds, should_stop)
