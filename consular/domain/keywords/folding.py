"""Fold any text a phone can send into plain tokens, in linear time and without ever raising.

Upper case, width, digit script, accents, harakat, tatweel, hamza seats, nukta, long or short Devanagari vowels, doubled
letters and apostrophes carry no meaning here: the word lists are folded by the same function as the texts.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 1600
"""Longer texts are read at both ends only; they can be recognised as a call for help, never as "safe"."""

_SPECIAL: Final[dict[str, str]] = {
    **dict.fromkeys("?\u061f\u00bf\u055e\u037e\u2047\u203d", " ? "),
    **dict.fromkeys("'’‘`´ʼʹ′ʾʿ", "'"),
    **dict.fromkeys('"“”«»„‟″「」『』', '"'),
    **dict.fromkeys("-‐‑‒–—―−", "-"),
    **dict.fromkeys("/⁄∕\\", "/"),
    **dict.fromkeys("\n\r\u2028\u2029\x0b\x0c", " , "),
    ".": ".", "…": "...", "‥": "..", "%": " % ", "٪": " % ", "&": " and ", "=": " , ", "@": " @ ", "#": " ",
    "_": " ", "*": " ", "+": " + ", "$": " ", "ة": "ه", "ى": "ي", "ٱ": "ا", "ک": "ك", "ی": "ي", "ھ": "ه", "ہ": "ه",
    "ە": "ه", "ۀ": "ه", "ـ": "", "ी": "ि", "ू": "ु", "ँ": "", "ं": "", "़": "", "ı": "i", "ł": "l", "ø": "o",
    "æ": "ae", "œ": "oe", "đ": "d", "ʻ": "",
}  # fmt: skip
_ELISIONS: Final = {"j": "je", "l": "le", "d": "de", "n": "ne", "s": "se", "m": "me", "t": "te", "c": "ce", "qu": "que",
                    "jusqu": "jusque", "puisqu": "puisque", "lorsqu": "lorsque", "quelqu": "quelqu"}  # fmt: skip
_ENGLISH_TAILS: Final = {"m": " am", "re": " are", "ve": " have", "ll": " will", "d": " would", "s": " is"}
_IRREGULAR: Final = {"can": "can not", "won": "will not", "shan": "shall not", "ain": "is not"}
_APOSTROPHE: Final = re.compile(r"(?<![a-z])([a-z]{0,14})'([a-z]{0,12})")
_DOUBLED: Final = re.compile(r"([^\W\d_])\1+")
_REFERENCE: Final = re.compile(r"\bref(?:erence)?[ ,.:#-]{0,6}(?=[a-z]{0,5}\d)[a-z0-9]{6}\b")
_NUMBER_RANGE: Final = re.compile(r"\d[./]\d|\d ?[-/] ?\d|(?:^|\s)- ?\d")
_SAD_FACE: Final = re.compile(r"[:;=]['’]?-?[(\[{|@/\\]|!=")
_STRUCK_OUT: Final = frozenset("\u0334\u0335\u0336\u0337\u0338\u20d2\u20d3\u20e0\u20e5\u20eb")
_GLUED_FRONT: Final = re.compile(r"(\d{1,3})([^\d]{2,12})")
_GLUED_BACK: Final = re.compile(r"([^\d]{2,14})(\d{1,3})")
_MARKS_KEPT_FROM, _MARKS_KEPT_TO = 0x0900, 0x1A00
_SYLLABIC: Final = ((0x2E80, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_PAUSES: Final = frozenset(",?")
_BROKEN: Final = " \ufffd "

REWRITES: Final[dict[str, tuple[str, ...]]] = {}
"""Short forms written without an apostrophe, filled below; keys and values are folded tokens."""


class _CharacterMap(dict[int, str]):
    """Folds each character once and remembers it, so that str.translate does the rest in C."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        self[code] = folded
        return folded


def _fold_character(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    if any(first <= ord(char) <= last for first, last in _SYLLABIC):
        compatible = unicodedata.normalize("NFKC", char)
        return f" {compatible} " if unicodedata.category(char)[0] == "L" else _fold_other(char)
    return "".join(_fold_part(part) for part in unicodedata.normalize("NFKD", char).casefold())


def _fold_part(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    return _fold_letter(char) if unicodedata.category(char)[0] in "LMN" else _fold_other(char)


def _fold_letter(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] == "M":
        kept = category == "Mc" or _MARKS_KEPT_FROM <= ord(char) < _MARKS_KEPT_TO
        return char if kept else ""
    if category[0] == "N":
        digit = unicodedata.digit(char, None)
        return f" {char} " if digit is None else str(digit)
    return char


def _fold_other(char: str) -> str:
    category = unicodedata.category(char)
    if category in ("Cs", "Co", "Cn") or char == "\ufffd":
        return _BROKEN
    if category in ("Cf", "Sk"):
        return " ^ " if char == "^" else ""
    if category[0] in "ZC":
        return " "
    if category[0] == "P":
        return " , "
    return f" {char} "


_CHARACTERS: Final = _CharacterMap()
_CLOSE: Final = str.maketrans({".": " , ", "-": " ", "/": " ", '"': " ", "'": ""})


@dataclass(frozen=True, slots=True)
class Folded:
    """Tokens without punctuation; `breaks` holds the indexes of tokens that begin a new clause."""

    tokens: tuple[str, ...]
    breaks: frozenset[int]
    is_doubtful: bool
    """A question mark, trailing dots, a sad face, struck-out or broken characters, a range of numbers, inner quotes."""
    is_cut: bool


def fold(text: str) -> Folded:
    """Never raises; two texts that differ in case, width, digit script, accents or doubled letters fold alike."""
    is_cut = len(text) > LONGEST
    kept = text if not is_cut else f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}"
    plain = (kept if kept.isascii() else unicodedata.normalize("NFC", kept)).translate(_CHARACTERS)
    if len(plain) > 2 * LONGEST:
        is_cut, plain = True, f"{plain[:LONGEST]} , {plain[-LONGEST:]}"
    is_doubtful = is_cut or _is_doubtful(kept, plain)
    if "ref" in plain:
        plain = _REFERENCE.sub(" , ", plain)
    if "'" in plain:
        plain = _APOSTROPHE.sub(_expand_apostrophe, plain)
    plain = _DOUBLED.sub(r"\1", plain.translate(_CLOSE))
    tokens, breaks = _split(plain)
    return Folded(tokens, breaks, is_doubtful or "?" in plain, is_cut)


def fold_phrase(phrase: str) -> tuple[str, ...]:
    """The tokens of a phrase from a word list, folded exactly as a text is."""
    return fold(phrase).tokens


def _is_doubtful(raw: str, plain: str) -> bool:
    if "..." in plain or _NUMBER_RANGE.search(plain) or _SAD_FACE.search(raw):
        return True
    if not raw.isascii() and not _STRUCK_OUT.isdisjoint(raw):
        return True
    return (
        '"'
        in plain.strip(
            ' "',
        ).strip(" ,.!")
        and plain.count('"') > 0
    )


def _expand_apostrophe(match: re.Match[str]) -> str:
    head, tail = match.group(1), match.group(2)
    if tail == "t" and head.endswith("n"):
        return _IRREGULAR.get(head, head[:-1] + " not")
    if head in _ELISIONS:
        return f"{_ELISIONS[head]} {tail}"
    if tail in _ENGLISH_TAILS and head:
        return head + _ENGLISH_TAILS[tail]
    return head + tail


def _split(plain: str) -> tuple[tuple[str, ...], frozenset[int]]:
    tokens: list[str] = []
    breaks: set[int] = set()
    for token in plain.split():
        if token in _PAUSES:
            breaks.add(len(tokens))
        elif token in REWRITES:
            tokens.extend(REWRITES[token])
        else:
            tokens.append(token)
    return tuple(tokens), frozenset(breaks)


def unglue(token: str) -> tuple[str, str] | None:
    """Split "4people" and "safe4" into number and word; None where there is nothing to split."""
    match = _GLUED_FRONT.fullmatch(token) or _GLUED_BACK.fullmatch(token)
    return (match.group(1), match.group(2)) if match else None


_SHORT_FORMS: Final = """
dont=do not; doesnt=does not; didnt=did not; cant=can not; cannot=can not; cnt=can not; wont=will not; isnt=is not;
arent=are not; wasnt=was not; werent=were not; havent=have not; hasnt=has not; hadnt=had not; couldnt=could not;
wouldnt=would not; aint=is not; im=i am; iam=i am; ive=i have; weve=we have; r=are; u=you; ur=your; m=am; n=and;
pls=please; plz=please; plzz=please; plse=please; pleas=please; plis=please; plez=please; pliz=please; thx=thanks;
thnx=thanks; thnks=thanks; tnx=thanks; thankyou=thank you; thanku=thank you; tq=thanks; jai=je ai; jsuis=je suis;
chuis=je suis; chui=je suis; jvais=je vais; cest=ce est; nest=ne est; j=je; d=de; ns=nous; svp=please; stp=please;
vs=vous; qqn=quelqu un; qqun=quelqu un; pb=probleme; abt=about; hv=have; hav=have; frm=from; wid=with; wit=with;
wth=with
"""


def _load_short_forms() -> None:
    for pair in _SHORT_FORMS.replace("\n", " ").split(";"):
        short, _, long = pair.strip().partition("=")
        REWRITES[_DOUBLED.sub(r"\1", short)] = tuple(_DOUBLED.sub(r"\1", long).split())


_load_short_forms()
