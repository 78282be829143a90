"""Against a server other people wrote: telegram-test-api, as its own process."""

import pytest
import requests

from consular.domain.ports import PostRequest, SendOutcome
from consular.providers.telegram.publisher import TelegramPublisher
from tests.counterparts import telegram_test_api

pytestmark = pytest.mark.node

TOKEN = "123456:test"


@pytest.fixture(scope="module")
def telegram_url():
    with telegram_test_api() as url:
        yield url


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
