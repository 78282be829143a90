"""The two servers: how they are configured, started, and stopped."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from consular import guardian
from consular.embedded import programs
from consular.embedded.errors import explain_os, explain_output
from consular.embedded.folder import RunFolder
from consular.loopback import NoFreePort, free_port
from consular.processes import Child, ChildDied, ProcessError, ProcessGroup, Program

_USER = "consular"
_ATTEMPTS = 5
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "enable_parallel_hash": "off",  # containers often give 64 MB of shared memory, which one parallel hash can exceed
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_DISK = ("fsync", "synchronous_commit", "full_page_writes")
_CLUSTER = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
_VALKEY = """\
bind 127.0.0.1
protected-mode yes
port {port}
requirepass {password}
save ""
appendonly no
maxmemory 256mb
maxmemory-policy noeviction
dir {folder}
daemonize no
"""


class EmbeddedServers:
    """Fresh embedded servers with their files and logs in `directory`.

    PostgreSQL listens on a Unix socket in a private folder, Valkey on a loopback port with a password. They stop and
    their data go when the `with` block ends or stop() is called, and also when this process is killed. What an earlier
    run left in the directory when it died is cleared first. Two runs share a machine if their directories differ.

    durable=False does not wait for the disk: for tests that measure nothing. valkey=False starts PostgreSQL alone.
    """

    def __init__(self, directory: Path, *, valkey: bool = True, durable: bool = True) -> None:
        self.directory = directory.absolute()
        self.database_url = ""
        self.redis_url = ""
        self._with_valkey = valkey
        self._settings = _SETTINGS | dict.fromkeys(_DISK, "on" if durable else "off")
        self._folder = RunFolder(directory)
        self._group = ProcessGroup(self.directory / "log")
        self._is_temporary = False
        self._password = secrets.token_urlsafe(24)
        self._port = 0

    @classmethod
    def temporary(cls, *, valkey: bool = True, durable: bool = True) -> Self:
        """The same in a new folder that goes with them."""
        servers = cls(Path(tempfile.mkdtemp(prefix="consular-")), valkey=valkey, durable=durable)
        servers._is_temporary = True
        return servers

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def environment(self) -> dict[str, str]:
        """DATABASE_URL and, unless there is no Valkey, REDIS_URL."""
        urls = {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        return {name: url for name, url in urls.items() if url}

    def start(self) -> None:
        """Starts both and returns when they answer. Raises EmbeddedError, one clear sentence, when that cannot be."""
        try:
            self._folder.take()
            self._lay_out()
            self.start_postgres()
            self.database_url = self.create_database("consular")
            if self._with_valkey:
                self.start_valkey()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                raise explain_os(error, self.directory) from error
            if isinstance(error, ProcessError | NoFreePort | psycopg.Error):
                raise explain_output(str(error), self.directory) from error
            raise

    def stop(self) -> None:
        """Stops both for certain and removes their data; logs stay unless the folder is temporary. Harmless twice."""
        self._group.stop()
        self._folder.release()
        if self._is_temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def stop_with_us(self, target: guardian.Target) -> None:
        """A process started elsewhere that must not outlive this one."""
        self._group.watch.add(target)

    def start_postgres(self) -> None:
        """Starts PostgreSQL again after stop_postgres(), on the same data and address."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        argv: list[str | Path] = [self._programs.postgres, "-D", self._data, "-k", self._sockets, *options]
        self._launch("postgres", argv, stop_signals=(signal.SIGINT, signal.SIGQUIT))
        self._group.wait_ready("postgres", self._postgres_answers, 60.0)

    def stop_postgres(self) -> None:
        """Stops PostgreSQL and keeps its data."""
        self._group.stop_child("postgres")

    def start_valkey(self) -> None:
        """Starts an empty Valkey, after stop_valkey() at the same address."""
        if self._port:
            return self._try_valkey()
        for _ in range(_ATTEMPTS):
            self._port = free_port()
            try:
                return self._try_valkey()
            except ChildDied as error:
                if "in use" not in str(error):
                    raise
        raise NoFreePort("Other programs keep taking the ports meant for Valkey: try again.")

    def stop_valkey(self) -> None:
        """Stops Valkey; everything in it is lost."""
        self._group.stop_child("valkey")

    def create_database(self, name: str, template: str = "template1") -> str:
        """Creates an empty database, or a copy of `template`, and returns its SQLAlchemy address."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        self._execute(statement)
        return self._url("postgresql+psycopg", name)

    def drop_database(self, name: str) -> None:
        """Drops a database whoever is connected to it; harmless when there is none."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._url("postgresql", "postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _url(self, scheme: str, database: str) -> str:
        return f"{scheme}://{_USER}@/{database}?host={self._sockets}"

    def _lay_out(self) -> None:
        self._programs = programs.find()
        self._account = programs.service_account()
        outside = self._folder.temporary()
        for folder in [outside, *([self.directory] if self._is_temporary else [])]:
            self._group.watch.remove_folder(folder)
        self._data = self.directory / "postgres"
        if self._account is not None:
            outside.chmod(0o711)
            if self._is_temporary:
                self.directory.chmod(0o711)
            if not programs.can_reach(self._data, self._account):
                self._data = outside / "postgres"
            if not all(
                programs.can_reach(path, self._account) for path in (self._programs.postgres, self._programs.valkey)
            ):
                self._programs = programs.copy(self._programs, outside)
        self._sockets = self._private(outside / "s")
        self._private(self._data)
        self._make_cluster()

    def _private(self, folder: Path) -> Path:
        folder.mkdir(mode=0o700)
        if self._account is not None:
            os.chown(folder, *self._account)
        return folder

    def _make_cluster(self) -> None:
        options = ["-U", _USER, *_CLUSTER, "--no-sync", "--no-instructions"]
        child = self._launch("initdb", [self._programs.initdb, *options, "-D", self._data])
        if child.popen.wait():
            self._group.check()
        self._group.stop_child("initdb")

    def _launch(
        self,
        name: str,
        argv: Sequence[str | Path],
        stop_signals: tuple[int, ...] = (signal.SIGTERM,),
        stdin_text: str | None = None,
    ) -> Child:
        environ = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        child = self._group.start(
            Program(
                name,
                argv,
                env=environ,
                inherit_env=False,
                cwd=Path("/"),
                run_as=self._account,
                stdin_text=stdin_text,
                stop_signals=stop_signals,
            )
        )
        self._folder.note(name, child.target)
        return child

    def _try_valkey(self) -> None:
        text = _VALKEY.format(port=self._port, password=self._password, folder=self._sockets)
        self._launch("valkey", [self._programs.valkey, "-"], stdin_text=text)
        self._group.wait_ready("valkey", self._valkey_answers)
        self.redis_url = f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def _postgres_answers(self) -> bool:
        try:
            psycopg.connect(self._url("postgresql", "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _valkey_answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1.0) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = connection.recv(64)
                return b"+PONG" in (answer if b"PONG" in answer else answer + connection.recv(64))
        except OSError:
            return False
