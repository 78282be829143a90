"""`consular replies classify`: JSON lines in, tab-separated lines out, never a crash."""

import io
import json

import pytest

from consular.cli.reply_stream import classify_stream


def run(*lines: str) -> list[list[str]]:
    out = io.StringIO()
    classify_stream(io.StringIO("\n".join(lines) + "\n"), out)
    return [row.split("\t") for row in out.getvalue().splitlines()]


def test_one_row_for_each_line_in_order() -> None:
    rows = run(
        json.dumps({"id": "a", "text": "safe 4", "language": "en"}),
        json.dumps({"id": 7, "text": "مساعدة", "language": "ar"}),
        json.dumps({"id": "c", "text": "STOP"}),
    )
    assert rows == [["a", "SAFE", "4", "safe"], ["7", "NEEDS_HELP", "", "مساعده"], ["c", "OPT_OUT", "", "stop"]]


BAD = {
    "not JSON": ("{", "line 1"),
    "a list": ("[1]", "line 1"),
    "no text": ('{"id": "x"}', "x"),
    "text is a number": ('{"id": "x", "text": 1}', "x"),
    "very deep": ("[" * 100_000, "line 1"),
    "a number too long": ('{"id": ' + "9" * 5000 + ', "text": "help"}', "line 1"),
}


@pytest.mark.parametrize(("line", "identifier"), BAD.values(), ids=BAD.keys())
def test_a_bad_line_is_unclear_and_said_so(line: str, identifier: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(line, '{"id": "good", "text": "1"}')
    assert rows == [[identifier, "UNCLEAR", "", ""], ["good", "SAFE", "", "1"]]
    assert "line 1" in capsys.readouterr().err


def test_an_id_cannot_break_the_table() -> None:
    rows = run(json.dumps({"id": "a\tb\nc\ud800", "text": "help"}))
    assert rows == [["a b c?", "NEEDS_HELP", "", "help"]]


def test_blank_lines_and_a_byte_order_mark_are_passed_over() -> None:
    assert run('\ufeff{"id": 1, "text": "2"}', "", "  ") == [["1", "NEEDS_HELP", "", "2"]]
