"""Phone numbers as people write them: what is taken, what is refused, and which spellings mean one subscriber."""

from time import perf_counter

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.phone import (
    PhoneKind,
    PhoneProblem,
    PhoneRefused,
    PhoneWarning,
    match_variants,
    read_phone,
    region_of,
)

STAY_AND_HOME = ("LY", "IN")


@pytest.mark.parametrize(
    ("raw", "countries", "e164"),
    [
        pytest.param("+44 7911 123456", (), "+447911123456", id="plus"),
        pytest.param("00447911123456", (), "+447911123456", id="00 without a country"),
        pytest.param("+00447911123456", (), "+447911123456", id="plus and 00"),
        pytest.param("+44 (0) 7911 123456", (), "+447911123456", id="bracketed zero"),
        pytest.param("+49 (0)151 23456789", (), "+4915123456789", id="bracketed zero without space"),
        pytest.param("(+44) 7911-123.456", (), "+447911123456", id="bracketed code"),
        pytest.param("+٩٦٦٥٠١٢٣٤٥٦٧", (), "+966501234567", id="Arabic-Indic digits"),
        pytest.param("۰۹۱۲۳۴۵۶۷۸۹", ("IR",), "+989123456789", id="Persian digits"),
        pytest.param("९८७६५ ४३२१०", STAY_AND_HOME, "+919876543210", id="Devanagari digits"),
        pytest.param("＋８１９０１２３４５６７８", (), "+819012345678", id="full width"),
        pytest.param("+44\u200b7911\u200f123456\u202c", (), "+447911123456", id="zero-width and bidi marks"),
        pytest.param("06 12 34 56 78\0", ("FR",), "+33612345678", id="NUL"),
        pytest.param("06\u00a012\u00a034\u00a056\u00a078", ("FR",), "+33612345678", id="no-break spaces"),
        pytest.param("+44–7911—123456", (), "+447911123456", id="typographic dashes"),
        pytest.param("966501234567+", (), "+966501234567", id="plus typed last, right to left"),
        pytest.param("tel:+44-7911-123456", (), "+447911123456", id="tel URI"),
        pytest.param("tel:7911-123456;phone-context=+44", (), "+447911123456", id="tel URI with context"),
        pytest.param("WhatsApp: +91 98765 43210", (), "+919876543210", id="label"),
        pytest.param("फोन: ९८७६५४३२१०", ("IN",), "+919876543210", id="Hindi label"),
        pytest.param("091 234 5678", STAY_AND_HOME, "+218912345678", id="country of stay first"),
        pytest.param("98765 43210", STAY_AND_HOME, "+919876543210", id="then home country"),
        pytest.param("0612345678", ("AQ", "FR"), "+33612345678", id="a country without numbers is passed over"),
        pytest.param("+383 44 123 456", (), "+38344123456", id="Kosovo"),
        pytest.param("+52 1 55 1234 5678", (), "+525512345678", id="Mexico, old mobile 1"),
        pytest.param("+225 07 12 34 56", (), "+2250707123456", id="Ivory Coast, eight digits"),
        pytest.param("+229 95 12 34 56", (), "+2290195123456", id="Benin, eight digits"),
        pytest.param("+54 11 15 1234 5678", (), "+5491112345678", id="Argentina, 15"),
    ],
)
def test_reads(raw, countries, e164):
    got = read_phone(raw, countries)
    assert (got.e164, got.is_valid) == (e164, True)


@pytest.mark.parametrize(
    ("raw", "countries", "problem"),
    [
        pytest.param("", (), PhoneProblem.EMPTY, id="empty"),
        pytest.param(" \u200f\t", (), PhoneProblem.EMPTY, id="only invisible"),
        pytest.param("none", ("FR",), PhoneProblem.NOT_A_NUMBER, id="words"),
        pytest.param("1-800-FLOWERS", ("US",), PhoneProblem.NOT_A_NUMBER, id="letters"),
        pytest.param("O612345678", ("FR",), PhoneProblem.NOT_A_NUMBER, id="letter O for zero"),
        pytest.param("²34567890", ("FR",), PhoneProblem.NOT_A_NUMBER, id="superscript"),
        pytest.param("*#06#", ("FR",), PhoneProblem.NOT_A_NUMBER, id="service code"),
        pytest.param("+", (), PhoneProblem.NOT_A_NUMBER, id="plus alone"),
        pytest.param("06+12345678", ("FR",), PhoneProblem.NOT_A_NUMBER, id="plus inside"),
        pytest.param("+44 79", (), PhoneProblem.TOO_SHORT, id="too short"),
        pytest.param("555 1234", ("US",), PhoneProblem.TOO_SHORT, id="local number without area"),
        pytest.param("+44 7911 1234567890", (), PhoneProblem.TOO_LONG, id="too long"),
        pytest.param("0612345678 / 0712345678", ("FR",), PhoneProblem.TOO_LONG, id="two numbers"),
        pytest.param("9" * 10_000, ("FR",), PhoneProblem.TOO_LONG, id="ten thousand digits"),
        pytest.param("+999 123456789", (), PhoneProblem.UNKNOWN_COUNTRY_CODE, id="no such country code"),
        pytest.param("0612345678", (), PhoneProblem.NO_COUNTRY, id="national form, no country"),
        pytest.param("+44 909 879 0123", (), PhoneProblem.PREMIUM_RATE, id="British premium rate"),
        pytest.param("+1-900-555-1234", (), PhoneProblem.PREMIUM_RATE, id="American premium rate"),
        pytest.param("+979 123 456 789", (), PhoneProblem.PREMIUM_RATE, id="international premium rate"),
        pytest.param("0843 123 4567", ("GB",), PhoneProblem.PREMIUM_RATE, id="British shared cost"),
        pytest.param("112", ("LY",), PhoneProblem.EMERGENCY, id="emergency anywhere"),
        pytest.param("100", STAY_AND_HOME, PhoneProblem.EMERGENCY, id="emergency at home"),
        pytest.param("81085", ("US",), PhoneProblem.SHORT_CODE, id="short code"),
    ],
)
def test_refuses(raw, countries, problem):
    with pytest.raises(PhoneRefused) as refused:
        read_phone(raw, countries)
    assert refused.value.problem is problem
    assert raw.strip() == "" or raw not in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "countries", "warning"),
    [
        pytest.param("+44 7911 123456", (), None, id="nothing to say"),
        pytest.param("+972 50-123-4567", (), PhoneWarning.NOT_VALID, id="possible but not in the plan"),
        pytest.param("+55 11 8765 4321", (), PhoneWarning.NOT_VALID, id="Brazil without the ninth digit"),
        pytest.param("+44 7911 123456 ext. 5", (), PhoneWarning.EXTENSION_DROPPED, id="extension"),
        pytest.param("tel:+44-7911-123456;ext=5", (), PhoneWarning.EXTENSION_DROPPED, id="extension in a URI"),
        pytest.param("01 23 45 67 89 poste 12", ("FR",), PhoneWarning.EXTENSION_DROPPED, id="French extension"),
        pytest.param("971501234567", STAY_AND_HOME, PhoneWarning.COUNTRY_ASSUMED, id="plus forgotten"),
        pytest.param("0612345678", ("FR", "MA"), PhoneWarning.COUNTRY_ASSUMED, id="valid in both countries"),
        pytest.param("020 7946 0000", ("GB",), PhoneWarning.FIXED_LINE, id="landline"),
    ],
)
def test_warns(raw, countries, warning):
    assert read_phone(raw, countries).warning is warning


def test_the_country_of_stay_wins_when_both_would_do():
    assert read_phone("0612345678", ("FR", "MA")).e164 == "+33612345678"
    assert read_phone("0612345678", ("MA", "FR")).e164 == "+212612345678"


@pytest.mark.parametrize("raw", ["+8816 1234 5678", "+88216 5550 1234", "+870 773 123 456"])
def test_satellite_phones_are_taken_and_belong_to_no_country(raw):
    got = read_phone(raw, STAY_AND_HOME)
    assert (got.region, got.kind, got.is_valid, got.warning) == ("001", PhoneKind.SATELLITE, True, None)


@pytest.mark.parametrize(
    ("raw", "region"),
    [
        ("+218912345678", "LY"),
        ("+919812345678", "IN"),
        ("+447400123456", "GB"),
        ("+881612345678", "001"),
        ("0912345678", None),
        ("+9991234567", None),
        ("+21891", None),
        ("SHOP", None),
        ("", None),
    ],
)
def test_the_country_of_a_number_is_that_of_its_code(raw, region):
    assert region_of(raw) == region
    if region is not None:
        assert read_phone(raw, ()).region == region


def test_the_number_is_shown_back_in_both_forms():
    got = read_phone("+447400123456", ())
    assert (got.national, got.international, got.region, got.kind) == (
        "07400 123456",
        "+44 7400 123456",
        "GB",
        PhoneKind.MOBILE,
    )


@pytest.mark.parametrize(
    "spellings",
    [
        pytest.param(("+525512345678", "+5215512345678"), id="Mexico"),
        pytest.param(("+5491112345678", "+541112345678", "+54111512345678"), id="Argentina, Buenos Aires"),
        pytest.param(("+5493514567890", "+543514567890", "+54351154567890"), id="Argentina, three-digit area"),
        pytest.param(("+5492966456789", "+542966456789", "+54296615456789"), id="Argentina, four-digit area"),
        pytest.param(("+5511987654321", "+551187654321"), id="Brazil"),
        pytest.param(("+2250707123456", "+22507123456"), id="Ivory Coast, Orange"),
        pytest.param(("+2250545123456", "+22545123456"), id="Ivory Coast, MTN"),
        pytest.param(("+2250141123456", "+22541123456"), id="Ivory Coast, Moov"),
        pytest.param(("+2290195123456", "+22995123456"), id="Benin"),
    ],
)
def test_a_reply_is_matched_from_every_spelling_to_every_other(spellings):
    for spelling in spellings:
        assert match_variants(spelling)[0] == spelling
        assert set(match_variants(spelling)) == set(spellings)


@pytest.mark.parametrize(
    "address",
    [
        "+447911123456",
        "+88216555501234",
        "+551123456789",
        "+2252720312345",
        "+2250507123456",
        "+52",
        "81085",
        "MOFA",
        "",
        "+52abc",
        "+52٥٥١٢٣٤٥٦٧٨",
    ],
)
def test_other_addresses_stand_for_themselves(address):
    assert match_variants(address) == (address,)


@given(
    st.sampled_from(["+52", "+521", "+54", "+549", "+541115", "+5435115", "+55", "+55119", "+225", "+22507", "+22901"]),
    st.integers(6, 12).flatmap(lambda size: st.text("0123456789", min_size=size, max_size=size)),
)
def test_variants_are_symmetric_and_distinct(code, rest):
    variants = match_variants(code + rest)
    assert len(set(variants)) == len(variants)
    assert all(set(match_variants(other)) == set(variants) for other in variants)


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
def test_an_example_mobile_of_every_country_reads_the_same_in_both_forms(region):
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if example is None:
        return
    expected = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    national = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)
    assert read_phone(expected, ()).e164 == expected
    assert read_phone(national, (region,)).e164 == expected
    assert expected in match_variants(expected)


@given(st.text(max_size=200), st.lists(st.sampled_from(["LY", "IN", "FR", "", "zz", "001"]), max_size=3))
def test_any_text_is_read_or_refused_with_a_reason(raw, countries):
    try:
        got = read_phone(raw, countries)
    except PhoneRefused as refused:
        assert refused.problem in PhoneProblem
    else:
        assert got.e164[0] == "+" and got.e164[1:].isascii() and got.e164[1:].isdecimal() and len(got.e164) <= 16


def test_numbers_of_many_countries_are_read_quickly():
    numbers = [
        phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        if (example := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE))
    ]
    durations = []
    for _ in range(3):
        started = perf_counter()
        for number in numbers:
            read_phone(number, ())
        durations.append(perf_counter() - started)
    assert min(durations) / len(numbers) < 300e-6
