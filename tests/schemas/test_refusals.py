"""What a schema refuses becomes one whole sentence for each field, whatever shape the refusal has."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask_babel import lazy_gettext
from marshmallow import ValidationError

from consular.schemas.refusals import first_messages

LATE = lazy_gettext("Write it again.")


@pytest.mark.parametrize(
    ("messages", "sentences"),
    [
        ({"a": ["One.", "Two."]}, {"a": "One."}),
        ({"a": "One."}, {"a": "One."}),
        ({"a": [LATE]}, {"a": "Write it again."}),
        ({"a": LATE}, {"a": "Write it again."}),
        ({"a": {0: {"value": [LATE]}}}, {"a": "Write it again."}),
        ({"a": []}, {"a": "Check this answer."}),
        (["One."], {"": "One."}),
    ],
    ids=["list", "text", "late in a list", "late", "nested", "none", "of no field"],
)
def test_one_sentence_for_each_field(app: Flask, messages: Any, sentences: dict[str, str]) -> None:
    with app.test_request_context():
        assert first_messages(ValidationError(messages)) == sentences
