"""What is drawn for one seed before it begins."""

from __future__ import annotations

import random
from dataclasses import dataclass

from consular.domain.alerts import MessageClass
from tests.simulation.operator import LISTS


@dataclass(slots=True)
class Plan:
    """What is drawn for one seed before it begins; a test may set any of it."""

    messages: int
    workers: int
    rate: float
    validity: int
    classes: tuple[MessageClass, ...]
    list_mode: str
    faults_end: float
    share_bad: float
    share_fault: float
    skew: float
    poisoned: int | None
    has_reply: bool

    @classmethod
    def draw(cls, rng: random.Random) -> Plan:
        count, list_mode = rng.randint(2, 6), rng.choice(LISTS)
        classes = (MessageClass.LIFE_SAFETY, MessageClass.LIFE_SAFETY, MessageClass.NORMAL, MessageClass.SENSITIVE)
        return cls(
            messages=count,
            workers=rng.randint(1, 3),
            rate=rng.choice((0.4, 2.0, 20.0, 200.0)),
            validity=600 if list_mode == "never" else rng.choice((600, 3600, 6 * 3600)),
            classes=(rng.choice(classes), rng.choice(classes)),
            list_mode=list_mode,
            faults_end=rng.choice((5.0, 20.0, 60.0)),
            share_bad=rng.choice((0.0, 0.2, 0.6)),
            share_fault=rng.choice((0.0, 0.01, 0.05, 0.15)),
            skew=rng.choice((0.0, 0.0, -30.0, 30.0, -1800.0, 1800.0)),
            poisoned=rng.randint(1, count) if rng.random() < 0.05 else None,
            has_reply=rng.random() < 0.3,
        )
