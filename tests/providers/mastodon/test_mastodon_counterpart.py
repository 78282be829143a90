"""Against a server other people wrote: mastodon-mock, as its own process."""

import pytest
import requests

from consular.domain.ports import PostRequest, SendOutcome
from consular.providers.mastodon.publisher import MastodonPublisher
from tests.counterparts import mastodon_mock


@pytest.fixture(scope="module")
def mastodon_url(tmp_path_factory):
    with mastodon_mock(tmp_path_factory.mktemp("mastodon")) as url:
        yield url


def publish(url, text, key, language="ar", token="ada_token"):
    return MastodonPublisher(url, token, "@ada", is_exercise=True).publish(PostRequest(text, language, key))


def read(url, post_id):
    return requests.get(f"{url}/api/v1/statuses/{post_id}", timeout=5).json()


def test_post_stands_there_in_public_with_its_language(mastodon_url):
    result = publish(mastodon_url, "تنبيه: leave <now> & call", "key-1")
    assert result.outcome is SendOutcome.ACCEPTED
    status = read(mastodon_url, result.provider_post_id)
    assert (status["visibility"], status["language"], status["url"]) == ("public", "ar", result.permalink)
    assert "تنبيه: leave &lt;now&gt; &amp; call" in status["content"]


def test_same_key_makes_no_second_post(mastodon_url):
    first, again = (publish(mastodon_url, "once", "key-2") for _ in range(2))
    other = publish(mastodon_url, "once", "key-3")
    assert first.provider_post_id == again.provider_post_id != other.provider_post_id


def test_too_long_a_text_is_refused_in_the_servers_words(mastodon_url):
    result = publish(mastodon_url, "x" * 501, "key-4")
    assert (result.outcome, result.http_status) == (SendOutcome.REFUSED, 422)
    assert len(result.error) > len("The network refused the post: ")


def test_wrong_token_is_refused(mastodon_url):
    result = publish(mastodon_url, "hello", "key-5", token="nobody")
    assert (result.outcome, result.http_status) == (SendOutcome.REFUSED, 401)
