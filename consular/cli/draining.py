"""Doing the workers' work in this process: for the day when Redis does not come back."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import click

from consular.errors import InvalidInputError
from consular.providers.receipt_words import read_reason, read_status
from consular.providers.registry import Adapters
from consular.services import delivery, inbound, receipts, social, sweeping
from consular.services.texts import TextBook

if TYPE_CHECKING:
    from flask import Flask

_SECONDS = 25.0


def drain_here(app: Flask, gateway: str, *, watch: bool) -> int:
    """Sweep, reconcile, apply receipts, read texts and send until nothing is left (or, watching, until interrupted)."""
    adapters: Adapters = app.extensions["consular"]
    problems = adapters.problems()
    if problems:
        raise InvalidInputError(" ".join(problems))
    settings, adapter = adapters.gateway_config(gateway), adapters.gateway(gateway)
    if settings is None or adapter is None:
        prefix = "TWILIO" if gateway == "twilio" else "EXERCISE_GATEWAY"
        raise InvalidInputError(
            f"The {gateway} gateway is not configured: set {prefix}_ACCOUNT_SID, _AUTH_TOKEN and _FROM."
        )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    book = TextBook(adapters.config.public_url)
    pace = delivery.Pace(settings.rate, adapters.config.lease_seconds)
    total = 0
    while not stop.is_set():
        sweeping.sweep()
        sweeping.reconcile(adapter, book)
        while receipts.process(read_status, read_reason) or inbound.process():
            pass
        social.drain(adapters.publishers, _SECONDS, stop.is_set)
        sent = delivery.drain(adapter, book, pace, f"drain-{os.getpid()}", _SECONDS, stop.is_set)
        total += sent
        if sent:
            click.echo(f"{total:,} so far")
        elif not watch:
            break
        else:
            stop.wait(1.0)
    return total
