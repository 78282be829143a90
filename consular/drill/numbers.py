"""Made-up phone numbers: possible and valid by the numbering plans, built from an index and readable back.

No country of the drill reserves mobile numbers for fiction, so any of these may belong to a real subscriber; what keeps
the drill from disturbing anyone is that an Exercise can only ever use the exercise gateway. The first digit of a Libyan
subscriber number says in which place its holder stays; that coding is staging, real networks have no such blocks.
"""

from enum import StrEnum

from consular.drill.dice import spread

STRANGERS = "+21896"
LIBYAN_NETWORKS = ("91", "92", "94", "95")
_BLOCK = 1_000_000
_LIBYAN_MOBILE_LENGTH = 13


class Network(StrEnum):
    """Whose subscriber a made-up phone is."""

    LIBYAN = "libyan"
    INDIAN = "indian"
    THURAYA = "thuraya"
    IRIDIUM = "iridium"


def mobile(network: Network, place_digit: int, index: int, seed: int) -> str:
    """E.164 number number `index` of a network; different indexes give different numbers.

    place_digit (0-9) is used by Libyan numbers only. Raises ValueError when a network has no number left.
    """
    block, offset = divmod(index, _BLOCK)
    serial = spread(_BLOCK, offset, seed)
    if network is Network.LIBYAN:
        if block >= len(LIBYAN_NETWORKS):
            raise ValueError("No made-up Libyan numbers are left: at most 4,000,000 people")
        return f"+218{LIBYAN_NETWORKS[block]}{place_digit}{serial:06d}"
    if block >= 10:
        raise ValueError("No made-up numbers are left: at most 10,000,000 people")
    if network is Network.INDIAN:
        return f"+9190{block:02d}{serial:06d}"
    if network is Network.THURAYA:
        return f"+882161{block}{serial:06d}"
    return f"+88162{block:02d}{serial:06d}"


def is_libyan(phone: str) -> bool:
    """Whether the number is on a Libyan network."""
    return phone.startswith("+218")


def place_digit(phone: str) -> int | None:
    """The digit that says where the holder of a made-up Libyan number stays; None for every other number."""
    if not is_libyan(phone) or len(phone) != _LIBYAN_MOBILE_LENGTH:
        return None
    return int(phone[6])


def stranger(roll: float) -> str:
    """A number that no made-up citizen has: somebody else's phone, on a Libyan network that mobile() never uses."""
    return f"{STRANGERS}{int(roll * 10_000_000):07d}"


def is_stranger(phone: str) -> bool:
    """Whether the number is one of stranger()'s: its holder lends a phone and is not part of the drill."""
    return phone.startswith(STRANGERS)
