"""How many parts a text has, as the gateway bills it."""

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")


def segments(text: str) -> int:
    """Parts of a text (GSM 03.38: 160 or 153 septets a part; UCS-2: 70 or 67); pairs are never split between parts."""
    characters = set(text)
    if characters <= _GSM:
        sizes: list[int] | None = None
        length, single, part = len(text), 160, 153
    elif characters <= _GSM | _EXTENSION:
        sizes = [2 if character in _EXTENSION else 1 for character in text]
        length, single, part = sum(sizes), 160, 153
    else:
        sizes = [2 if ord(character) > 0xFFFF else 1 for character in text]
        length, single, part = sum(sizes), 70, 67
    if length <= single:
        return 1
    return -(-length // part) if sizes is None else _split(sizes, part)


def _split(sizes: list[int], part: int) -> int:
    parts, used = 1, 0
    for size in sizes:
        if used + size > part:
            parts, used = parts + 1, 0
        used += size
    return parts
