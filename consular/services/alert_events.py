"""What is frozen of an alert at its release."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from consular.domain.cap import MsgType
from consular.extensions import cipher
from consular.locales import LANGUAGES
from consular.models.alerts import Alert, AlertEvent


def default_language(languages: Collection[str]) -> str:
    """The language for people in whose own there is no text: the first of LANGUAGES that has one."""
    return next(language for language in LANGUAGES if language in languages)


def freeze_event(
    alert: Alert, texts: Mapping[str, Any], approver_id: UUID, seen_hash: bytes, now: datetime
) -> AlertEvent:
    """The event that transmits an alert as it stands. texts: by language, as services.alerts.content_of() has them."""
    event_id = uuid4()
    validity = timedelta(minutes=alert.validity_minutes)
    return AlertEvent(
        id=event_id,
        alert_id=alert.id,
        crisis_id=alert.crisis_id,
        msg_type=MsgType.ALERT,
        status=alert.crisis.status,
        message_class=alert.message_class,
        asks_for_reply=alert.asks_for_reply,
        accepts_no_answer_from=alert.accepts_no_answer_from,
        validity_seconds=int(validity.total_seconds()),
        default_language=default_language(texts),
        content_sealed=cipher.seal(json.dumps({"texts": texts}), "alert_events.content", event_id),
        content_hash=seen_hash,
        audience=alert.audience,
        people=0,
        author_id=alert.author_id,
        last_editor_id=alert.last_editor_id,
        approved_by=approver_id,
        approved_at=now,
        expires_at=now + validity,
    )
