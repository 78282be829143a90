"""The phone a text came from, in the one form that we compare: +, country code, number."""

import re

from consular.providers.http_gateway.profile import InboundRules

_INTERNATIONAL = re.compile(r"[1-9][0-9]{7,14}")


def sender_number(given: str, rules: InboundRules) -> str:
    """E.164 where the number can be told, else as it came (short code, name).

    A leading space is a "+" that the operator forgot to encode. 00 is "+". A number with the trunk prefix is national
    when the profile names the country code. Eight digits or more that begin like a country code are international.
    """
    number = "+" + given[1:] if given[:1] == " " else given
    digits = re.sub(r"[ ()./-]", "", number)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    is_national = rules.country_code and rules.trunk_prefix and digits.startswith(rules.trunk_prefix)
    if is_national and digits.isdecimal():
        digits = f"+{rules.country_code}{digits.removeprefix(rules.trunk_prefix)}"
    bare = digits.removeprefix("+")
    return f"+{bare}" if bare.isascii() and _INTERNATIONAL.fullmatch(bare) else given
