"""The exact text of a message: the officer's words untouched, our frame around them, and the receipts to replies."""

import re
import unicodedata
from enum import StrEnum

from consular.domain import wordings
from consular.domain.routing import EVERY_WAY, Way
from consular.domain.segmentation import segment

LONGEST_OFFICER_TEXT = 1300
"""Characters (UTF-16 units) an officer may write: Twilio takes 1,600, the frame needs at most 300."""

_MOST_RECEIPT_PARTS = 2
_RECEIPTS_WITH_LINK = frozenset({"NEEDS_HELP", "UNCLEAR"})

_LINE_BREAKS = re.compile("\r\n|[\r\n\v\f\x85\u2028\u2029]")
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"]+|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}/[^\s<>\"]*", re.IGNORECASE)
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROLS = re.compile("[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_PLACEHOLDER = re.compile(r"\{[^{}\n]{0,40}\}|\[[A-Z_ ]{2,20}\]|%\(\w+\)s|<[A-Za-z_]{2,20}>")
_MOST_MARKS = 8
_KEPT_WORDS = "STOP|STOPALL|UNSUBSCRIBE|END|QUIT|CANCEL|REVOKE|OPTOUT|START|UNSTOP|YES|HELP|INFO"
_ASKING = "reply|answer|respond|text|send|write|répondez|envoyez|écrivez|أرسل|أجب|اكتب"
_KEPT_WORD_ASKED_FOR = re.compile(
    rf"\b(?i:{_ASKING})\b[^.!?\n]{{0,40}}?\b(?:{_KEPT_WORDS})\b|\b(?:{_KEPT_WORDS})\b\W{{0,3}}(?:भेजें|लिखें)"
)


class TextProblem(StrEnum):
    """What is wrong with an officer's text. PLACEHOLDER and KEPT_WORD are for a second look; the others forbid it."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    CONTROL_CHARACTER = "control_character"
    BIDI_CONTROL = "bidi_control"
    LONE_SURROGATE = "lone_surrogate"
    TOO_MANY_MARKS = "too_many_marks"
    PLACEHOLDER = "placeholder"
    KEPT_WORD = "kept_word"


def clean_text(text: str) -> str:
    """NFC, line feeds only, no control, bidi override or lone surrogate, no space at the ends of lines. Idempotent.

    Zero-width joiners stay: Hindi, Persian and emoji need them. Nothing visible is changed.
    """
    text = _LINE_BREAKS.sub("\n", _pair_surrogates(text)).replace("\t", " ")
    for unwanted in (_CONTROLS, _BIDI, _SURROGATES):
        text = unwanted.sub("", text)
    return "\n".join(line.rstrip() for line in unicodedata.normalize("NFC", text).split("\n")).strip()


def addresses_in(text: str) -> list[str]:
    """Everything in a text that a phone or a network would take for a web address, as it stands there."""
    return _ADDRESS.findall(text)


def text_problems(text: str) -> tuple[TextProblem, ...]:
    """Everything that is wrong with a text as given; run it on clean_text() of a form's field to see what remains."""
    text = _pair_surrogates(text)
    found = {
        TextProblem.EMPTY: not clean_text(text),
        TextProblem.TOO_LONG: len(text.encode("utf-16-le", "surrogatepass")) // 2 > LONGEST_OFFICER_TEXT,
        TextProblem.CONTROL_CHARACTER: bool(_CONTROLS.search(text)),
        TextProblem.BIDI_CONTROL: bool(_BIDI.search(text)),
        TextProblem.LONE_SURROGATE: bool(_SURROGATES.search(text)),
        TextProblem.TOO_MANY_MARKS: _longest_run_of_marks(text) > _MOST_MARKS,
        TextProblem.PLACEHOLDER: bool(_PLACEHOLDER.search(text)),
        TextProblem.KEPT_WORD: bool(_KEPT_WORD_ASKED_FOR.search(text)),
    }
    return tuple(problem for problem, is_there in found.items() if is_there)


def render_sms(
    body: str,
    *,
    language: str,
    is_exercise: bool,
    link: str | None,
    reference: str,
    asks_for_reply: bool,
    way: Way = EVERY_WAY,
) -> str:
    """The text as it leaves: officer's words, how to answer, "Ref" and the reference; in an exercise the word
    EXERCISE in the language first and last.

    body is taken literally (clean_text() apart); it is no template. language: BCP-47, its primary subtag one of ours.
    way: nobody is told to reply where no reply arrives, nor given a link where texts with links are lost. Raises
    ValueError for an empty body or another language.
    """
    text = clean_text(body)
    if not text:
        raise ValueError("an empty text cannot be sent")
    usable_link = link if way.carries_links else None
    lines = [text, *_answer_lines(language, usable_link, asks_for_reply and way.takes_replies)]
    return _frame(lines, language, is_exercise, reference)


def acknowledgement(
    kind: str, language: str, is_exercise: bool, link: str | None, reference: str, *, confirm_opt_out: bool = False
) -> str | None:
    """The receipt for a reply of this kind (ReplyKind value), in at most two parts.

    The personal link is added where more words help (NEEDS_HELP, UNCLEAR), unless it would make a third part.
    OPT_OUT gives None: the gateway itself confirms its own words (STOP, END, ...) and refuses whatever follows. Only
    for an opt-out in words the gateway does not know, ask with confirm_opt_out=True.
    Raises ValueError for an unknown kind or language.
    """
    if kind not in wordings.RECEIPTS:
        raise ValueError("no receipt for this kind of reply")
    if kind == "OPT_OUT" and not confirm_opt_out:
        return None
    sentence = wordings.in_language(wordings.RECEIPTS[kind], language)
    short = _frame([sentence], language, is_exercise, reference)
    if link is None or kind not in _RECEIPTS_WITH_LINK:
        return short
    full = _frame([sentence, link], language, is_exercise, reference)
    return full if segment(full).parts <= _MOST_RECEIPT_PARTS else short


def _answer_lines(language: str, link: str | None, asks_for_reply: bool) -> list[str]:
    if asks_for_reply:
        answers = wordings.in_language(wordings.ANSWERS, language)
        return [answers + (wordings.in_language(wordings.OR_LINK, language).replace("{link}", link) if link else "")]
    return [wordings.in_language(wordings.LINK_ALONE, language).replace("{link}", link)] if link else []


def _frame(lines: list[str], language: str, is_exercise: bool, reference: str) -> str:
    word = wordings.in_language(wordings.EXERCISE, language)
    framed = [*lines, f"Ref {reference}"]
    return "\n".join([word, *framed, word] if is_exercise else framed)


def _pair_surrogates(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _longest_run_of_marks(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        longest = max(longest, run)
    return longest
