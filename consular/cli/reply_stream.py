"""Read replies as JSON lines and write what they say: the body of `consular replies classify`."""

import json
import sys
from typing import TextIO

from consular.domain.replies import Classification, ReplyKind, classify


def classify_stream(stdin: TextIO, stdout: TextIO) -> None:
    """Write one line "id<TAB>kind<TAB>count<TAB>matched" for each line {"id", "text", "language"} read.

    Needs no database. Blank lines are skipped. A line that cannot be read gives UNCLEAR under its id, or "line N" where
    it has none, and a sentence on standard error. Tabs, line ends and broken characters in an id are replaced.
    """
    _use_utf8(stdin, stdout)
    for number, line in enumerate(stdin, start=1):
        if line.strip("\ufeff \t\r\n"):
            stdout.write(_row(line.lstrip("\ufeff"), number))
    stdout.flush()


def _use_utf8(stdin: TextIO, stdout: TextIO) -> None:
    for stream in (stdin, stdout):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")


def _row(line: str, number: int) -> str:
    identifier = f"line {number}"
    try:
        record = json.loads(line)
        if not isinstance(record, dict):
            raise TypeError("not a JSON object")
        if isinstance(record.get("id"), str | int):
            identifier = _one_line(str(record["id"]))
        result = _read(record)
    except (ValueError, TypeError, RecursionError) as error:
        sys.stderr.write(f"line {number}: {error}\n")
        result = Classification(ReplyKind.UNCLEAR)
    count = "" if result.count is None else str(result.count)
    return f"{identifier}\t{result.kind}\t{count}\t{'; '.join(result.matched)}\n"


def _read(record: dict[str, object]) -> Classification:
    text, language = record.get("text"), record.get("language")
    if not isinstance(text, str):
        raise TypeError('"text" is missing or not a string')
    return classify(text, language if isinstance(language, str) else None)


def _one_line(identifier: str) -> str:
    return " ".join(identifier.encode("utf-8", "replace").decode("utf-8").split())
