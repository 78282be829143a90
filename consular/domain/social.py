"""The public post of an alert: what fits the network, marked as an exercise where it is one, naming nobody."""

import re
from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from urllib.parse import urlsplit

from consular.domain import wordings
from consular.domain.graphemes import split_graphemes
from consular.domain.rendering import clean_text

MASTODON = "mastodon"
TELEGRAM = "telegram"

_URL = re.compile(r"https?://[^\s<>\"'…]*[^\s<>\"'….,;:!?)\]]")
_PUBLIC_HOST = re.compile(r"(?:[^\s./:@]+\.)+[^\W\d_]{2,}(?::\d+)?")
_MASTODON_URL_LENGTH = 23
_PERSONAL_PATH = "/s/"
_ELLIPSIS = "…"


def post_length(text: str, network: str) -> int:
    """What the network counts. Mastodon: visible characters, a web address as 23. Others: UTF-16 units, as Telegram.

    An address Mastodon may not recognise (no public host) counts in full, so that the count is never too low.
    """
    if network != MASTODON:
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(split_graphemes(_URL.sub(lambda found: "x" * _mastodon_url_length(found[0]), text)))


def compose_post(
    headline: str,
    body: str,
    *,
    link: str | None,
    is_exercise: bool,
    limit: int,
    language: str,
    network: str = MASTODON,
) -> str:
    """Headline, text and link for everybody to read, within the limit as the network counts it.

    Too long a text is cut between words and ends in "…"; headline, link and the EXERCISE marks are always whole.
    Raises ValueError when they alone do not fit, when there is nothing to say, or when the link is a person's own.
    """
    if link is not None and urlsplit(link).path.startswith(_PERSONAL_PATH):
        raise ValueError("a personal link must not be published")
    headline, body = clean_text(headline), clean_text(body)
    if not headline and not body:
        raise ValueError("an empty post cannot be published")
    mark = wordings.in_language(wordings.EXERCISE, language) if is_exercise else None

    def assemble(excerpt: str) -> str:
        return "\n\n".join(part for part in (mark, headline, excerpt, link, mark) if part)

    def fits(excerpt: str) -> bool:
        return post_length(assemble(excerpt), network) <= limit

    if fits(body):
        return assemble(body)
    excerpt = _excerpt(body, fits)
    if not fits(excerpt):
        raise ValueError("headline and link alone are longer than the network allows")
    return assemble(excerpt)


def _excerpt(body: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning that fits: whole words, or where the script has none, whole characters."""
    ends = [found.start() for found in re.finditer(r"\s+", body)]
    if not ends or not fits(_cut(body, ends[0])):
        ends = _ends_of_characters(body)
    count = bisect_left(ends, True, key=lambda end: not fits(_cut(body, end)))
    return _cut(body, ends[count - 1] if count else 0)


def _ends_of_characters(body: str) -> list[int]:
    addresses = [found.span() for found in _URL.finditer(body)]
    ends = accumulate(map(len, split_graphemes(body)))
    return [end for end in ends if not any(first < end < last for first, last in addresses)]


def _cut(body: str, end: int) -> str:
    return body[:end].rstrip(" \n,;:-–—،؛") + _ELLIPSIS


def _mastodon_url_length(url: str) -> int:
    host = urlsplit(url).netloc
    return _MASTODON_URL_LENGTH if _PUBLIC_HOST.fullmatch(host) else max(_MASTODON_URL_LENGTH, len(url))
