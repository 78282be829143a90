"""What leaves the house: literal officer's text, one frame, honest receipts, no character the wire chokes on."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain import wordings
from consular.domain.rendering import (
    LONGEST_OFFICER_TEXT,
    TextProblem,
    acknowledgement,
    addresses_in,
    clean_text,
    render_sms,
    text_problems,
)
from consular.domain.routing import EVERY_WAY, Way
from consular.domain.segmentation import GSM_7, UCS_2, segment
from consular.locales import LANGUAGES

LINK = "https://help.mfa.example/s/Zk3Qv9xT2mWc8RbY5nLdHg"
REFERENCE = "K7Q2XM"
KINDS = ("SAFE", "NEEDS_HELP", "NOT_THERE", "UNCLEAR", "OPT_OUT", "OPT_IN", "WRONG_PERSON")
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)


def sms(body, *, language="en", is_exercise=False, link=LINK, asks_for_reply=True, way=EVERY_WAY):
    return render_sms(
        body,
        language=language,
        is_exercise=is_exercise,
        link=link,
        reference=REFERENCE,
        asks_for_reply=asks_for_reply,
        way=way,
    )


def receipt(kind, language="en", *, is_exercise=False, link=LINK):
    return acknowledgement(kind, language, is_exercise, link, REFERENCE, confirm_opt_out=True)


class TestRenderSms:
    def test_officers_text_then_answers_then_reference(self):
        assert sms("Go to the port by 6.").split("\n") == [
            "Go to the port by 6.",
            f"Reply 1 safe, 2 need help, 3 not there, or {LINK}",
            "Ref K7Q2XM",
        ]

    def test_without_a_reply_number_the_link_is_the_way_to_answer(self):
        assert sms("Stay in.", asks_for_reply=False).split("\n")[1] == f"Tell us how you are: {LINK}"

    def test_without_link_the_digits_stay(self):
        assert sms("Stay in.", link=None).split("\n")[1] == "Reply 1 safe, 2 need help, 3 not there"

    def test_without_link_and_reply_only_text_and_reference(self):
        assert sms("Stay in.", link=None, asks_for_reply=False) == "Stay in.\nRef K7Q2XM"

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("asks_for_reply", [True, False])
    @pytest.mark.parametrize("takes_replies", [True, False])
    @pytest.mark.parametrize("carries_links", [True, False])
    def test_nobody_is_asked_for_what_the_way_does_not_carry(
        self, language, asks_for_reply, takes_replies, carries_links
    ):
        text = sms("x", language=language, asks_for_reply=asks_for_reply, way=Way(takes_replies, carries_links))
        assert (wordings.ANSWERS[language] in text) == (asks_for_reply and takes_replies)
        assert (LINK in text) == carries_links
        is_link_alone = carries_links and not (asks_for_reply and takes_replies)
        assert (wordings.LINK_ALONE[language].partition("{")[0] in text) == is_link_alone
        assert text.endswith(f"Ref {REFERENCE}")

    @pytest.mark.parametrize(
        ("language", "word"), [("en", "EXERCISE"), ("fr", "EXERCICE"), ("ar", "تمرين"), ("hi", "अभ्यास")]
    )
    def test_an_exercise_says_so_first_and_last(self, language, word):
        text = sms("x", language=language, is_exercise=True)
        assert text.split()[0] == word == text.split()[-1]
        assert word not in sms("x", language=language)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_each_language_offers_the_three_digits_and_the_link(self, language):
        answers = sms("x", language=language).split("\n")[1]
        assert re.findall(r"\d", answers.replace(LINK, "")) == ["1", "2", "3"]
        assert LINK in answers

    def test_a_regional_tag_takes_its_language(self):
        assert sms("x", language="fr-CA") == sms("x", language="fr")

    @pytest.mark.parametrize("language", ["de", "", "e"])
    def test_another_language_is_an_error(self, language):
        with pytest.raises(ValueError, match="language"):
            sms("x", language=language)

    @pytest.mark.parametrize("body", ["", " \n\u202e\0 "])
    def test_an_empty_text_is_an_error(self, body):
        with pytest.raises(ValueError, match="empty"):
            sms(body)

    @pytest.mark.parametrize(
        "body", ["{{config}}", "{link} {0} {}", "%s %(link)s", "$link ${x}", "{% raw %}", "\\1 \\g<0>"]
    )
    def test_no_part_of_the_text_is_a_template(self, body):
        assert sms(body).startswith(body + "\n")

    @pytest.mark.parametrize("language", ["en", "fr"])
    @pytest.mark.parametrize("is_exercise", [False, True])
    def test_our_own_words_keep_to_gsm_7(self, language, is_exercise):
        assert segment(sms("x", language=language, is_exercise=is_exercise)).encoding == GSM_7
        assert segment(sms("x", language=language, is_exercise=is_exercise, asks_for_reply=False)).encoding == GSM_7

    @given(ANY_TEXT, st.sampled_from(LANGUAGES), st.booleans(), st.booleans())
    def test_any_text_renders_to_something_the_wire_takes(self, body, language, is_exercise, asks):
        if not clean_text(body):
            return
        text = sms(body, language=language, is_exercise=is_exercise, asks_for_reply=asks)
        text.encode("utf-8")
        assert "\0" not in text
        assert clean_text(body) in text
        assert clean_text(text) == unicodedata.normalize("NFC", text)


class TestCleanText:
    @pytest.mark.parametrize(
        ("given_text", "cleaned"),
        [
            pytest.param("  a \t\r\n b  \n", "a\n b", id="spaces at ends of lines"),
            pytest.param("a\r\nb\rc\u2028d\u2029e\x85f\vg", "a\nb\nc\nd\ne\nf\ng", id="line breaks"),
            pytest.param("e\u0301", "é", id="NFC"),
            pytest.param("\ufeffa\0b\x1bc\x7f", "abc", id="NUL, BOM, escape, delete"),
            pytest.param("abc\u202etxt.exe\u202c \u2066x\u2069", "abctxt.exe x", id="bidi overrides and isolates"),
            pytest.param("a\ud800b\udfffc", "abc", id="lone surrogates"),
            pytest.param("\ud83d\ude00", "😀", id="paired surrogates"),
            pytest.param("क्\u200dष 👨‍👩‍👧", "क्\u200dष 👨‍👩‍👧", id="joiners stay"),
            pytest.param("Ça coûte 5 € {ok}", "Ça coûte 5 € {ok}", id="ordinary text stays"),
        ],
    )
    def test_cleans(self, given_text, cleaned):
        assert clean_text(given_text) == cleaned

    @given(ANY_TEXT)
    def test_is_idempotent_and_leaves_nothing_forbidden(self, text):
        cleaned = clean_text(text)
        assert clean_text(cleaned) == cleaned
        assert not {
            TextProblem.CONTROL_CHARACTER,
            TextProblem.BIDI_CONTROL,
            TextProblem.LONE_SURROGATE,
        } & set(text_problems(cleaned))

    def test_a_megabyte_of_spaces_takes_no_time_to_speak_of(self):
        assert clean_text(" " * 1_000_000 + "x") == "x"


class TestTextProblems:
    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            pytest.param("Go to the port. We will send help.", (), id="none"),
            pytest.param("", (TextProblem.EMPTY,), id="empty"),
            pytest.param("\u202e", (TextProblem.EMPTY, TextProblem.BIDI_CONTROL), id="only a bidi override"),
            pytest.param("x" * LONGEST_OFFICER_TEXT, (), id="longest"),
            pytest.param("x" * (LONGEST_OFFICER_TEXT + 1), (TextProblem.TOO_LONG,), id="too long"),
            pytest.param("😀" * 651, (TextProblem.TOO_LONG,), id="too long in UTF-16 units"),
            pytest.param("a\0", (TextProblem.CONTROL_CHARACTER,), id="NUL"),
            pytest.param("a\ud800", (TextProblem.LONE_SURROGATE,), id="lone surrogate"),
            pytest.param("a" + "\u0301" * 9, (TextProblem.TOO_MANY_MARKS,), id="heap of marks"),
            pytest.param("मैं त्रिपोली में हूँ। شَدَّةٌ", (), id="ordinary marks"),
            pytest.param("Dear {name}", (TextProblem.PLACEHOLDER,), id="placeholder"),
            pytest.param("Go to [PLACE]", (TextProblem.PLACEHOLDER,), id="bracketed placeholder"),
            pytest.param("Reply SAFE or HELP", (TextProblem.KEPT_WORD,), id="asks for HELP"),
            pytest.param("Répondez par « YES »", (TextProblem.KEPT_WORD,), id="asks for YES in French"),
            pytest.param("HELP भेजें", (TextProblem.KEPT_WORD,), id="asks for HELP in Hindi"),
            pytest.param("Fighting will not STOP. Reply 1.", (), id="kept word not asked for"),
        ],
    )
    def test_names_every_problem(self, text, problems):
        assert text_problems(text) == problems


class TestAcknowledgement:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("is_exercise", [False, True])
    def test_is_short_and_carries_the_reference(self, kind, language, is_exercise):
        text = receipt(kind, language, is_exercise=is_exercise)
        counted = segment(text)
        assert counted.parts <= 2
        assert counted.encoding == (GSM_7 if language in ("en", "fr") else UCS_2)
        assert f"Ref {REFERENCE}" in text.split("\n")
        word = wordings.EXERCISE[language]
        assert (text.startswith(word) and text.endswith(word)) == is_exercise

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_never_a_third_part_for_the_sake_of_the_link(self, kind, language):
        assert segment(receipt(kind, language, is_exercise=True, link=LINK + "x" * 200)).parts <= 2

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_link_goes_only_where_more_words_help_and_never_to_a_stranger(self, kind):
        assert (LINK in receipt(kind)) == (kind in ("NEEDS_HELP", "UNCLEAR"))

    def test_an_opt_out_is_confirmed_by_the_gateway_unless_we_must(self):
        assert acknowledgement("OPT_OUT", "en", False, LINK, REFERENCE) is None
        assert "START" in receipt("OPT_OUT")

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_no_kept_word_is_asked_for_but_start_after_an_opt_out(self, language):
        for kind in KINDS:
            asked = TextProblem.KEPT_WORD in text_problems(receipt(kind, language))
            assert asked == (kind == "OPT_OUT")

    def test_an_unknown_kind_is_an_error(self):
        with pytest.raises(ValueError, match="kind"):
            acknowledgement("MAYBE", "en", False, None, REFERENCE)

    @pytest.mark.parametrize("texts", wordings.RECEIPTS.values(), ids=wordings.RECEIPTS)
    def test_every_language_has_its_own_words(self, texts):
        assert set(texts) == set(LANGUAGES)
        assert len(set(texts.values())) == len(LANGUAGES)


@pytest.mark.parametrize("name", ["EXERCISE", "ANSWERS", "OR_LINK", "LINK_ALONE"])
def test_the_frame_is_complete(name):
    assert set(getattr(wordings, name)) == set(LANGUAGES)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Stay inside. Call +218 21 123 4567.", []),
        ("Read https://embassy.example/exit now", ["https://embassy.example/exit"]),
        ("See www.embassy.example", ["www.embassy.example"]),
        ("embassy.example/exit", ["embassy.example/exit"]),
        ("Leave at 6.30/7.30, 24/7", []),
        ("اقرأ https://embassy.example", ["https://embassy.example"]),
    ],
)
def test_what_a_network_would_take_for_an_address(text, found):
    assert addresses_in(text) == found
