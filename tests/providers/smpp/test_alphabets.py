"""The GSM default alphabet, octet by octet, and what other codings a phone's text may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.segmentation import GSM_7, segment
from consular.providers.smpp import alphabets

GSM_SIGNS = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)


@given(st.text(st.sampled_from(GSM_SIGNS)))
def test_gsm_text_comes_back(text):
    assert alphabets.decode_gsm(alphabets.encode_gsm(text)) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_ucs2_text_comes_back(text):
    assert alphabets.decode(alphabets.encode_ucs2(text), 8) == text


@given(st.binary(max_size=200), st.integers(0, 255), st.booleans())
def test_any_octets_in_any_coding_are_some_text(octets, data_coding, is_latin):
    assert isinstance(alphabets.decode(octets, data_coding, default_is_latin_1=is_latin), str)


@given(st.text(st.sampled_from(GSM_SIGNS + "اç😀")))
def test_what_counts_as_gsm_can_be_written_as_gsm_and_nothing_else(text):
    if segment(text).encoding == GSM_7:
        assert len(alphabets.encode_gsm(text)) == segment(text).units
    else:
        with pytest.raises(UnicodeEncodeError):
            alphabets.encode_gsm(text)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\x00\x02\x11\x10\x1e", "@$_Δß"),
        (b"\x1b\x0a\x1b\x14\x1b\x28\x1b\x29\x1b\x2f\x1b\x3c\x1b\x3d\x1b\x3e\x1b\x40\x1b\x65", "\f^{}\\[~]|€"),
        (b"\x1b\x41", "A"),
        (b"a\x1b", "a "),
        (b"\x1b\x1ba", " a"),
        (b"\x80\xff", "\ufffd\ufffd"),
    ],
    ids=["basic", "extension", "unknown extension", "cut escape", "escape of escape", "eighth bit"],
)
def test_octets_of_the_standard(octets, text):
    assert alphabets.decode_gsm(octets) == text


@pytest.mark.parametrize(
    ("data_coding", "octets", "text"),
    [
        (0x00, b"\x00", "@"),
        (0x01, b"@", "@"),
        (0x03, b"\xe9", "é"),
        (0x04, b"\xe9\x00", "é\x00"),
        (0x06, b"\xbf", "П"),
        (0x07, b"\xe9", "י"),
        (0x08, b"\x06\x27", "ا"),
        (0x08, b"\x06\x27\xd8", "ا\ufffd"),
        (0x0A, b"a", "a"),
        (0x10, b"\x00", "@"),
        (0x18, b"\x06\x27", "ا"),
        (0x14, b"\xe9", "é"),
        (0xC8, b"\x00", "@"),
        (0xE0, b"\x06\x27", "ا"),
        (0xF0, b"\x00", "@"),
        (0xF5, b"\xe9", "é"),
    ],
)
def test_data_coding(data_coding, octets, text):
    assert alphabets.decode(octets, data_coding) == text
