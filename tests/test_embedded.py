"""The embedded servers: they work, they are private, and nothing of them stays."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from consular import guardian
from consular.embedded import EmbeddedError, EmbeddedServers
from consular.embedded.errors import explain_os, explain_output
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent


def run(url: str, statement: str) -> None:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute(statement.encode())


def ask(url: str, query: str) -> str:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return str(row[0])


def socket_folder(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def pids_in(directory: Path) -> list[int]:
    return [row[0] for row in json.loads((directory / "embedded.json").read_text())["processes"]]


def all_gone(pids: list[int]) -> bool:
    return all(guardian.identity(pid) is None for pid in pids)


@contextmanager
def started_elsewhere(directory: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    code = f"""
        import signal
        from pathlib import Path
        from consular.embedded import EmbeddedServers
        with EmbeddedServers(Path({str(directory)!r})) as servers:
            print(servers.database_url, flush=True)
            signal.pause()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert parent.stdout is not None
    try:
        yield parent, parent.stdout.readline().strip()
    finally:
        parent.kill()
        parent.communicate(timeout=30)


def guardian_of(pid: int) -> int:
    command = ["ps", "-axww", "-o", "pid=,ppid=,args="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    return next(int(row[0]) for row in rows if row[1] == str(pid) and "guardian" in row[2])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    with EmbeddedServers(tmp_path_factory.mktemp("embedded")) as servers:
        yield servers


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_a_commit_waits_for_the_disk(running: EmbeddedServers, setting: str) -> None:
    assert ask(running.database_url, f"SHOW {setting}") == "on"


def test_postgres_listens_on_a_private_socket_alone(running: EmbeddedServers) -> None:
    assert ask(running.database_url, "SHOW listen_addresses") == ""
    assert socket_folder(running.database_url).stat().st_mode & 0o077 == 0


def test_valkey_wants_its_password_and_never_evicts(running: EmbeddedServers) -> None:
    client = redis.Redis.from_url(running.redis_url, decode_responses=True)
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    parts = urlsplit(running.redis_url)
    assert parts.hostname == "127.0.0.1"
    stranger = redis.Redis(host="127.0.0.1", port=parts.port or 0, retry=Retry(NoBackoff(), 0))
    with pytest.raises(redis.AuthenticationError):
        stranger.ping()
    stranger.close()
    client.close()


def test_the_password_is_on_no_command_line(running: EmbeddedServers) -> None:
    password = urlsplit(running.redis_url).password
    assert password
    listing = subprocess.run(["ps", "-axww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    assert password not in listing


def test_servers_come_back_at_the_same_address(running: EmbeddedServers) -> None:
    run(running.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
    running.stop_postgres()
    with pytest.raises(psycopg.OperationalError):
        ask(running.database_url, "SELECT 1")
    running.start_postgres()
    assert ask(running.database_url, "SELECT n FROM kept") == "7"
    client = redis.Redis.from_url(running.redis_url)
    client.set("queued", 1)
    running.stop_valkey()
    running.start_valkey()
    assert client.get("queued") is None
    client.close()


def test_databases_can_be_copied_and_dropped(running: EmbeddedServers) -> None:
    source = running.create_database("source")
    run(source, "CREATE TABLE t AS SELECT 5 AS n")
    copied = running.create_database("copied", template="source")
    assert ask(copied, "SELECT n FROM t") == "5"
    running.drop_database("copied")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        ask(copied, "SELECT 1")


def test_a_second_run_beside_the_first_is_apart(running: EmbeddedServers, tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path, valkey=False) as second:
        run(second.database_url, "CREATE TABLE only_here AS SELECT 1 AS n")
        assert second.environment().keys() == {"DATABASE_URL"}
        assert ask(running.database_url, "SELECT to_regclass('only_here') IS NULL") == "True"


def test_a_second_run_in_the_same_folder_is_refused(running: EmbeddedServers) -> None:
    with pytest.raises(EmbeddedError, match="is in use by another run"):
        EmbeddedServers(running.directory).start()
    assert ask(running.database_url, "SELECT 1") == "1"


def test_nothing_but_logs_stays_after_stop(tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path, durable=False) as servers:
        pids, sockets = pids_in(tmp_path), socket_folder(servers.database_url)
    assert all_gone(pids)
    assert not sockets.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["embedded.lock", "log"]
    servers.stop()


def test_temporary_servers_leave_nothing() -> None:
    with EmbeddedServers.temporary(durable=False, valkey=False) as servers:
        directory = servers.directory
        assert directory.exists()
    assert not directory.exists()


def test_an_error_inside_stops_them(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), EmbeddedServers(tmp_path, durable=False):
        pids = pids_in(tmp_path)
        _ = 1 / 0
    assert all_gone(pids)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_they_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    with started_elsewhere(tmp_path) as (parent, url):
        pids, sockets = pids_in(tmp_path), socket_folder(url)
        parent.send_signal(number)
        parent.communicate(timeout=30)
    assert eventually(lambda: all_gone(pids) and not sockets.exists())


def test_what_a_dead_run_left_is_cleared(tmp_path: Path) -> None:
    with started_elsewhere(tmp_path) as (parent, url):
        pids = pids_in(tmp_path)
        os.kill(guardian_of(parent.pid), signal.SIGKILL)
    assert not all_gone(pids)
    with EmbeddedServers(tmp_path, durable=False) as servers:
        assert all_gone(pids)
        assert not socket_folder(url).exists()
        assert ask(servers.database_url, "SELECT 1") == "1"


def test_a_folder_with_other_data_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("15")
    with pytest.raises(EmbeddedError, match="something else"):
        EmbeddedServers(tmp_path).start()
    assert (tmp_path / "postgres" / "PG_VERSION").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match=r"file/servers cannot be written: give another folder"):
        EmbeddedServers(tmp_path / "file" / "servers").start()


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    sentence = f"The disk that holds {tmp_path} is full: free 300 MB or give a folder elsewhere."
    assert str(explain_os(OSError(errno.ENOSPC, "No space left on device"), tmp_path)) == sentence
    assert str(explain_output("initdb: could not write: No space left on device", tmp_path)) == sentence


def run_module(*command: str) -> subprocess.CompletedProcess[str]:
    module = [sys.executable, "-m", "consular.embedded", *command]
    return subprocess.run(module, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)


def test_a_command_gets_both_addresses_and_its_exit_code_is_kept() -> None:
    done = run_module("--", "sh", "-c", "echo $DATABASE_URL $REDIS_URL; exit 7")
    assert done.returncode == 7
    database_url, redis_url = done.stdout.split()
    assert database_url.startswith("postgresql+psycopg://")
    assert redis_url.startswith("redis://")
    assert not socket_folder(database_url).exists()


@pytest.mark.parametrize(
    ("command", "words"), [((), "Usage"), (("--", "/no/such/program"), "No such file")], ids=["none", "missing"]
)
def test_a_command_that_cannot_be_run_is_code_2(command: tuple[str, ...], words: str) -> None:
    done = run_module(*command)
    assert (done.returncode, words in done.stderr) == (2, True)
