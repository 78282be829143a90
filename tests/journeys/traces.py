"""Looking for words where nobody may find them: in rows, on the database's disk, in Redis, in logs."""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.journeys.practice import Mission

_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)")
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


class Words:
    """Words to look for, in any case and in the encodings that text takes on its way."""

    def __init__(self, *words: str) -> None:
        forms = {form for word in words for form in (word, word.replace(" ", "+"), word.replace(" ", "%20"))}
        self._bytes = [form.lower().encode() for form in forms]

    def found_in(self, data: bytes) -> list[str]:
        """Those that are in the data."""
        lowered = data.lower()
        return sorted({word.decode() for word in self._bytes if word in lowered})


def in_rows(site: Mission, words: Words) -> list[str]:
    """Every table with one of the words in a row, whatever the type of the column; blobs are searched as they are."""
    tables = site.rows("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")
    assert len(tables) > 20
    return [f"{name}: {found}" for (name,) in tables if (found := words.found_in(_contents(site, name)))]


def _contents(site: Mission, table: str) -> bytes:
    parts = []
    for (row,) in site.rows(f'select t::text from "{table}" t'):
        parts += [row.encode(), *(bytes.fromhex(blob) for blob in re.findall(r"\\x((?:[0-9a-f]{2})+)", row))]
    return b"\n".join(parts)


def on_disk(site: Mission, words: Words) -> list[str]:
    """Every file of the database's own folder (tables, indexes, log of changes) with one of the words."""
    site.rows("select pg_switch_wal()")
    folder = Path(str(site.rows("show data_directory")[0][0]))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 500
    return [f"{path.name}: {found}" for path in files if (found := words.found_in(path.read_bytes()))]


def in_logs(site: Mission, words: Words) -> list[str]:
    """Every log of a process or server with one of the words."""
    logs = [*site.logs.glob("*.log"), *(site.servers.directory / "log").glob("*.log")]
    assert {"web.log", "hooks.log", "worker-inbound.log", "postgres.log"} <= {path.name for path in logs}
    return [f"{path.name}: {found}" for path in logs if (found := words.found_in(path.read_bytes()))]


@contextmanager
def redis_overheard(site: Mission) -> Iterator[list[bytes]]:
    """Everything that any process says to Redis meanwhile: the arguments of all commands, unpacked."""
    heard: list[bytes] = []
    connection = Redis.from_url(site.world.env["REDIS_URL"])
    with connection.monitor() as monitor:  # type: ignore[no-untyped-call]
        listener = threading.Thread(target=_listen, args=(monitor, heard))
        listener.start()
        try:
            yield heard
        finally:
            connection.echo("enough")
            listener.join(10)
    connection.close()


def _listen(monitor: object, heard: list[bytes]) -> None:
    while True:
        try:
            line = monitor.connection.read_response(disable_decoding=True)  # type: ignore[attr-defined]
        except RedisError:
            return
        arguments = [_ESCAPE.sub(_unescape, quoted) for quoted in _QUOTED.findall(line)]
        if arguments == [b"ECHO", b"enough"]:
            return
        heard += [_unpacked(argument) for argument in arguments]


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes.fromhex(code[1:].decode()) if len(code) == 3 else _CONTROLS.get(code, code)


def _unpacked(argument: bytes) -> bytes:
    try:
        return zlib.decompress(argument)
    except zlib.error:
        return argument
