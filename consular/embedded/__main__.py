"""python -m consular.embedded -- COMMAND ...: runs a command with DATABASE_URL and REDIS_URL set to fresh servers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from consular import guardian
from consular.embedded import EmbeddedError, EmbeddedServers
from consular.processes import exit_on_signals


def main(arguments: Sequence[str]) -> int:
    """The command's exit code (128 + n when signal n ended it), 2 when the servers or the command cannot start."""
    command = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
    if not command:
        sys.stderr.write("Usage: python -m consular.embedded -- COMMAND [ARGUMENT ...]\n")
        return 2
    try:
        with exit_on_signals(), EmbeddedServers.temporary() as servers:
            return _run(command, servers)
    except (EmbeddedError, FileNotFoundError, PermissionError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def _run(command: Sequence[str], servers: EmbeddedServers) -> int:
    child = subprocess.Popen(command, env={**os.environ, **servers.environment()})
    own = guardian.identity(child.pid)
    target = guardian.Target(child.pid, own, leads_group=False) if own else None
    if target is not None:
        servers.stop_with_us(target)
    try:
        code = child.wait()
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired):
            child.wait(10.0)
        raise
    finally:
        if target is not None:
            guardian.stop(target)
        child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
