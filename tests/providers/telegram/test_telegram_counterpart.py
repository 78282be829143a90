"""Against a server other people wrote: telegram-test-api, as its own process."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from consular.domain.ports import PostRequest, SendOutcome
from consular.providers.telegram.publisher import TelegramPublisher

pytestmark = pytest.mark.node

MODULES = Path(os.environ.get("CONSULAR_NPM", Path(sys.prefix) / "npm"))
SCRIPT = Path(__file__).parent / "counterpart" / "serve.js"
TOKEN = "123456:test"


@pytest.fixture(scope="module")
def telegram_url():
    node = shutil.which("node")
    if node is None or not (MODULES / "node_modules" / "telegram-test-api").is_dir():
        words = "needs Node.js and telegram-test-api (make install puts it into .venv/npm where npm is there)"
        if os.environ.get("CONSULAR_REQUIRE_NODE") == "1":
            pytest.fail(words)
        pytest.skip(words)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [node, str(SCRIPT), str(MODULES), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout.readline() == "ready\n"
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def test_post_reaches_the_channel_word_for_word(telegram_url):
    text = "تنبيه: leave <now> & *call* 😀\nRef K7Q2XM"
    publisher = TelegramPublisher(telegram_url, TOKEN, "@mission", is_exercise=True)

    results = [publisher.publish(PostRequest(text, "ar", "key")) for _ in range(2)]

    history = requests.post(f"{telegram_url}/getUpdatesHistory", json={"token": TOKEN}, timeout=5).json()["result"]
    assert [(update["message"]["chat_id"], update["message"]["text"]) for update in history] == [("@mission", text)] * 2
    assert {result.outcome for result in results} == {SendOutcome.ACCEPTED}
    ids = [str(update["messageId"]) for update in history]
    assert [result.permalink for result in results] == [f"https://t.me/mission/{number}" for number in ids]
    assert not publisher.is_idempotent
