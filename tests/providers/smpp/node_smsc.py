"""node-smpp, an SMSC other people wrote, as its own process. What it heard is what its own decoder read."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.counterparts import MODULES

SCRIPT = Path(__file__).parent / "counterpart" / "serve.js"
PLACE = MODULES.parent / "smpp"


class NodeSmsc:
    """node-smpp on loopback; heard: what it said, in order."""

    def __init__(self, node: str, port: int) -> None:
        self.port = port
        self.heard: list[dict[str, Any]] = []
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        command = [node, str(SCRIPT), str(PLACE), str(port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, daemon=True).start()
        assert self._said.get(timeout=20) == {"heard": "ready"}

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            self._said.put(said)
            self.heard.append(said)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in list(self.heard) if one["heard"] == kind]

    def order(self, **order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def node_with_smpp() -> str:
    """Path of Node.js when node-smpp is there, too. Skips the test otherwise; fails it where CI demands both."""
    found = shutil.which("node")
    if found is None or not (PLACE / "node_modules" / "smpp").is_dir():
        words = "needs Node.js and node-smpp (make dev puts it into .venv/npm where npm is there)"
        if os.environ.get("CONSULAR_REQUIRE_NODE") == "1":
            pytest.fail(words)
        pytest.skip(words)
    return found
