"""Signatures: Twilio's own example, and everything a forger may try."""

import base64
import hmac
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from consular.providers.twilio.signatures import callback_key, is_callback_key, verify

TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
PARAMS = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
]
TWILIOS_OWN = "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def sign(url=URL, params=PARAMS, token=TOKEN, digest="sha1"):
    text = url + "".join(name + value for name, value in sorted(params))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), digest)).decode()


def test_example_of_twilios_documentation():
    assert verify(TOKEN, URL, PARAMS, TWILIOS_OWN)
    assert sign() == TWILIOS_OWN


def test_order_of_the_form_does_not_matter():
    assert verify(TOKEN, URL, PARAMS[::-1], TWILIOS_OWN)


@pytest.mark.parametrize("port", ["", ":443"])
def test_default_port_may_be_signed_or_not(port):
    url = URL.replace(".com/", f".com{port}/")
    assert verify(TOKEN, URL, PARAMS, sign(url))


@given(
    params=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
        max_size=6,
    )
)
def test_agrees_with_twilios_library(params):
    signature = RequestValidator(TOKEN).compute_signature(URL, params)
    assert verify(TOKEN, URL, list(params.items()), signature)


@pytest.mark.parametrize(
    ("url", "params", "signature"),
    [
        (URL, PARAMS, None),
        (URL, PARAMS, ""),
        (URL, PARAMS, "x"),
        (URL, PARAMS, TWILIOS_OWN[:-1]),
        (URL, PARAMS, TWILIOS_OWN + "="),
        (URL, PARAMS, TWILIOS_OWN.lower()),
        (URL, PARAMS, " " + TWILIOS_OWN),
        (URL, PARAMS, TWILIOS_OWN.replace("R", "Ŗ")),
        (URL, PARAMS, "\ud800"),
        (URL, PARAMS, sign(digest="sha256")),
        (URL, PARAMS, sign(token="other")),
        (URL.replace("https", "http"), PARAMS, TWILIOS_OWN),
        (URL + "3", PARAMS, TWILIOS_OWN),
        (URL, [("CallSid", "CA1234567890ABCDF"), *PARAMS[1:]], TWILIOS_OWN),
        (URL, PARAMS[:-1], TWILIOS_OWN),
        (URL, [*PARAMS, ("X", "")], TWILIOS_OWN),
        (URL, [*PARAMS, PARAMS[0]], TWILIOS_OWN),
        (URL, [*PARAMS, ("Digits", "1234")], TWILIOS_OWN),
        (URL, [("Digits", "1234 "), *(p for p in PARAMS if p[0] != "Digits")], TWILIOS_OWN),
        (URL, [*PARAMS, ("Body", "\ud800")], TWILIOS_OWN),
        (URL, [], TWILIOS_OWN),
    ],
)
def test_anything_else_is_refused_and_nothing_raises(url, params, signature):
    assert verify(TOKEN, url, params, signature) is False


def test_repeated_parameter_that_twilio_would_fold_is_refused():
    folded = [("Body", "safe"), ("From", "+1")]
    assert RequestValidator(TOKEN).validate(URL, dict(folded), sign(params=folded))
    assert verify(TOKEN, URL, folded, sign(params=folded))
    assert not verify(TOKEN, URL, [*folded, ("Body", "safe")], sign(params=folded))


class TestCallbackKey:
    secret = b"0123456789abcdef"
    attempt = UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2")

    def test_fits_its_attempt_and_secret_alone(self):
        key = callback_key(self.secret, self.attempt)
        assert len(key) == 32
        assert is_callback_key(self.secret, self.attempt, key)
        assert not is_callback_key(self.secret, uuid4(), key)
        assert not is_callback_key(b"another secret, 16+", self.attempt, key)

    @pytest.mark.parametrize("key", [None, "", "x", "ключ", "\ud800", "A" * 32, "A" * 31])
    def test_anything_else_is_refused(self, key):
        assert not is_callback_key(self.secret, self.attempt, key)

    def test_needs_no_quoting_in_an_address(self):
        keys = "".join(callback_key(self.secret, UUID(int=number)) for number in range(200))
        assert keys.isascii()
        assert not set(keys) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

    def test_secret_too_short_to_be_one_is_refused(self):
        with pytest.raises(ValueError, match="16 bytes"):
            callback_key(b"short", self.attempt)
