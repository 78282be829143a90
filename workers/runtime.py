"""What a worker process holds for its whole life: the application, its adapters, its name, and whether it should
stop."""

from __future__ import annotations

import os
import signal
import socket
import threading
from functools import cache

from flask import Flask

from consular.providers.registry import Adapters
from consular.services.delivery import Pace
from consular.services.lag import Lag
from consular.services.texts import TextBook
from consular.services.ways import Ways
from consular.startup import start

stopping = threading.Event()
WORKER_NAME = f"{socket.gethostname()[:40]}-{os.getpid()}"


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def heed_signals() -> None:
    """Stop when told to. A second signal changes nothing."""
    for number in _SIGNALS:
        signal.signal(number, note_stop)


def note_stop(*_: object) -> None:
    """In a signal's handler: stop. Another signal must not even come while this one is being noted, since an Event
    that is set from within its own set() waits for itself for ever."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    stopping.set()


@cache
def application() -> Flask:
    """The application of this process, made once."""
    return start()


def adapters() -> Adapters:
    """The adapters of this process."""
    found: Adapters = application().extensions["consular"]
    return found


@cache
def book() -> TextBook:
    """The texts of this process's events."""
    return TextBook(adapters().config.public_url, Ways(senders()).of)


def senders() -> dict[str, str]:
    """The gateways of this installation, and the sender of each."""
    return {name: gateway.sender for name, gateway in adapters().config.gateways.items()}


def pace(gateway: str) -> Pace:
    """The pace that the settings allow for a gateway."""
    settings = adapters().gateway_config(gateway)
    assert settings is not None
    return Pace(rate=settings.rate, lease_seconds=adapters().config.lease_seconds, lag=_lag(gateway))


@cache
def _lag(gateway: str) -> Lag:
    return Lag()
