"""The settings in `.env`. Only lines that every program reads alike are taken: honcho, systemd's EnvironmentFile, a
shell. A password that one of them cuts off at a # would be found out when the gateway is needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

FILE = ".env"
NAME_OF_FILE = "CONSULAR_ENV_FILE"
"""Variable with the path of another file; empty: read none."""

_SET_BY = "DATABASE_URL"
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*?)[ \t]*")
_PLAIN = re.compile(r"[A-Za-z0-9_.,/:@%+=-]*")
_SINGLE = re.compile(r"'[^'\\]*'")
_DOUBLE = re.compile(r'"[^"\\$`]*"')


class EnvFileError(Exception):
    """The file cannot be read for certain; the text names each line, and no value."""


def with_env_file(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ`, and beneath it what `.env` of the working directory sets, or the file that CONSULAR_ENV_FILE names.

    An environment with a DATABASE_URL is whole: honcho, systemd or a drill made it, and nothing is mixed into it.
    Raises EnvFileError.
    """
    path = environ.get(NAME_OF_FILE, FILE)
    if environ.get(_SET_BY) or not path:
        return dict(environ)
    try:
        content = Path(path).read_text("utf-8")
    except FileNotFoundError:
        if NAME_OF_FILE in environ:
            raise EnvFileError(f"{path}, which {NAME_OF_FILE} names, is not there") from None
        return dict(environ)
    except (OSError, UnicodeDecodeError) as error:
        raise EnvFileError(f"{path} cannot be read: {type(error).__name__}") from None
    return {**parse(content, path), **environ}


def unread(environ: Mapping[str, str]) -> str | None:
    """What to tell when settings are missing that may stand in a file which was not read."""
    path = environ.get(NAME_OF_FILE, FILE)
    if environ.get(_SET_BY) and path and Path(path).exists():
        return f"{path} was not read, because {_SET_BY} is set in the environment: `unset {_SET_BY}` to use the file"
    return None


def parse(content: str, path: str = FILE) -> dict[str, str]:
    """The values by name; the last one of a name counts. Raises EnvFileError with one line per problem."""
    values, problems = {}, []
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip(" \t") or line.lstrip(" \t").startswith("#"):
            continue
        found = _ASSIGNMENT.fullmatch(line)
        if found is None:
            problems.append(f"{path}, line {number}: write NAME='value', nothing before it and no spaces around the =")
            continue
        name, written = found.groups()
        if _PLAIN.fullmatch(written):
            values[name] = written
        elif _SINGLE.fullmatch(written) or _DOUBLE.fullmatch(written):
            values[name] = written[1:-1]
        else:
            problems.append(f"{path}, line {number}: {name} {_cure(written)}")
    if problems:
        raise EnvFileError("\n".join(problems))
    return values


def _cure(written: str) -> str:
    inner = written[1:-1] if len(written) > 1 and written[0] == written[-1] and written[0] in "'\"" else written
    if "\r" in written:
        return "ends as lines do on Windows: save the file with Unix line ends"
    if "\\" in inner or ("'" in inner and any(sign in inner for sign in '"$`')):
        return (
            "holds what programs read differently (a backslash, or an apostrophe beside a double quote, $ or `): "
            "choose another value"
        )
    quote = '"' if "'" in inner else "'"
    return f"is read differently by different programs: put {quote} around the value, and comments on their own line"
