"""Answers by link: a call for help is never refused for its other fields."""

from __future__ import annotations

import pytest
from flask import Flask
from marshmallow import ValidationError

from consular.domain.triage import Stated
from consular.schemas.answer import AnswerForm, AnswerSchema


@pytest.mark.parametrize(
    ("values", "form"),
    [
        pytest.param({"answer": "safe"}, AnswerForm(Stated.SAFE, None, None), id="button alone"),
        pytest.param({"answer": "safe", "count": "٤"}, AnswerForm(Stated.SAFE, 4, None), id="Arabic digits"),
        pytest.param({"answer": "not_there", "note": " x\x00 "}, AnswerForm(Stated.NOT_THERE, None, "x"), id="NUL"),
        pytest.param(
            {"answer": "needs_help", "count": "4, one hurt", "note": "roof"},
            AnswerForm(Stated.NEEDS_HELP, None, "4, one hurt\nroof"),
            id="count in words goes to a human",
        ),
        pytest.param(
            {"answer": "safe", "count": "0"}, AnswerForm(Stated.SAFE, None, "0"), id="impossible count goes to a human"
        ),
        pytest.param(
            {"answer": "needs_help", "note": "x" * 9000},
            AnswerForm(Stated.NEEDS_HELP, None, "x" * 2000),
            id="long note is cut",
        ),
    ],
)
def test_read(values: dict[str, str], form: AnswerForm) -> None:
    assert AnswerSchema().load(values) == form


@pytest.mark.parametrize("answer", ["", "SAFE", "dead", "safe needs_help"])
def test_anything_but_the_three_buttons_is_refused(application: Flask, answer: str) -> None:
    with application.test_request_context("/"), pytest.raises(ValidationError) as refused:
        AnswerSchema().load({"answer": answer})
    assert list(refused.value.messages_dict) == ["answer"]
