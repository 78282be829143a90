"""Public posts: within the network's limit as the network counts, marked, and with nobody's own link."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.rendering import clean_text
from consular.domain.social import MASTODON, TELEGRAM, compose_post, post_length
from consular.locales import LANGUAGES

LINK = "https://www.mfa.example/alerts/2026/libya-evacuation-by-sea"


def post(headline="Leave Benghazi", body="Go to the port.", **changes):
    settings = {"link": LINK, "is_exercise": False, "limit": 500, "language": "en"} | changes
    return compose_post(headline, body, **settings)


class TestPostLength:
    @pytest.mark.parametrize(
        ("text", "mastodon", "telegram"),
        [
            pytest.param("abc", 3, 3, id="plain"),
            pytest.param(LINK, 23, len(LINK), id="long address"),
            pytest.param("https://a.io", 23, 12, id="short address counts 23 all the same"),
            pytest.param(f"See {LINK}.", 4 + 23 + 1, len(LINK) + 5, id="full stop is no part of it"),
            pytest.param("http://localhost/" + "x" * 30, 47, 47, id="no public host: counted in full"),
            pytest.param("👨‍👩‍👧‍👦", 1, 11, id="family"),
            pytest.param("क्षि", 2, 4, id="Hindi syllable"),
        ],
    )
    def test_counts_as_the_network(self, text, mastodon, telegram):
        assert post_length(text, MASTODON) == mastodon
        assert post_length(text, TELEGRAM) == telegram


def test_headline_text_and_link():
    assert post() == f"Leave Benghazi\n\nGo to the port.\n\n{LINK}"


@pytest.mark.parametrize(
    ("language", "word"), [("en", "EXERCISE"), ("fr", "EXERCICE"), ("ar", "تمرين"), ("hi", "अभ्यास")]
)
def test_an_exercise_is_marked_first_and_last(language, word):
    parts = post(is_exercise=True, language=language).split("\n\n")
    assert parts[0] == word == parts[-1]
    assert word not in post(language=language)


def test_a_long_text_is_cut_between_words_and_keeps_the_link():
    text = post(body="alpha beta gamma delta", limit=len("Leave Benghazi") + 2 + len("alpha beta…") + 2 + 23)
    assert text == f"Leave Benghazi\n\nalpha beta…\n\n{LINK}"


def test_no_comma_before_the_ellipsis():
    assert "\n\nalpha…\n\n" in post(body="alpha, beta gamma", limit=14 + 2 + 8 + 2 + 23)


def test_a_script_without_spaces_is_cut_between_characters():
    text = post(headline="避難", body="港" * 600, link=None, limit=20)
    assert text == "避難\n\n" + "港" * 15 + "…"


def test_an_address_is_never_cut():
    text = post(body="https://www.mfa.example/" + "x" * 300, network=TELEGRAM, limit=120)
    assert text == f"Leave Benghazi\n\n…\n\n{LINK}"


def test_the_text_is_literal():
    assert "{{config}} {link} @all #x" in post(body="{{config}} {link} @all #x")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"headline": " ", "body": "\n"}, "empty", id="nothing to say"),
        pytest.param({"link": "https://help.mfa.example/s/Zk3Qv9xT2m"}, "personal", id="a person's own link"),
        pytest.param({"headline": "x" * 480}, "longer", id="headline alone too long"),
        pytest.param({"is_exercise": True, "language": "de"}, "language", id="unknown language"),
    ],
)
def test_refuses(changes, reason):
    with pytest.raises(ValueError, match=reason):
        post(**changes)


@given(
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.lists(st.sampled_from(["word", LINK, "नमस्ते", "港港港", "😀", "\n", ",", "\ud800", "e\u0301"]), max_size=120).map(
        " ".join
    ),
    st.sampled_from([MASTODON, TELEGRAM]),
    st.integers(200, 700),
    st.booleans(),
    st.sampled_from(LANGUAGES),
)
def test_always_within_the_limit_with_link_and_headline(headline, body, network, limit, is_exercise, language):
    if not clean_text(headline):
        headline = "Headline"
    text = post(headline, body, network=network, limit=limit, is_exercise=is_exercise, language=language)
    assert post_length(text, network) <= limit
    assert LINK in text.split("\n\n")
    assert clean_text(headline) in text
    text.encode("utf-8")
