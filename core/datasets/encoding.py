"""The text in bytes whose encoding nobody states: certain for Unicode, else recognised or refused.

A wrong guess turns captions into other words, which a model scores as readily. So a guess is made only where the text
itself supports it, and whoever reads a table is told which encoding was taken.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from core.errors import InputError

_BINARY = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What systems have written by default. The detector knows more, and takes rare ones for these.
_CODE_PAGES = ("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874", "gb18030", "big5", "cp932", "euc_jp", "cp949")
EAST_ASIAN = ("gb18030", "big5", "cp932", "euc_jp", "cp949")
_LATIN = ("cp1252", "cp1250")
_TITLES = {
    "cp1250": "Windows-1250 (Central European)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1252": "Windows-1252 (Western European)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1255": "Windows-1255 (Hebrew)",
    "cp1256": "Windows-1256 (Arabic)",
    "cp874": "Windows-874 (Thai)",
    "koi8_r": "KOI8-R (Cyrillic)",
    "gb18030": "GB 18030 (Chinese)",
    "big5": "Big5 (Chinese)",
    "cp932": "Shift JIS (Japanese)",
    "euc_jp": "EUC-JP (Japanese)",
    "cp949": "EUC-KR (Korean)",
}
_COHERENCE = 0.1  # of the detector: how well letters fit a language; 0 where it knows none
_WITHIN = 0.01  # of two measures of disorder that count as equal
_MOST = 2**16  # bytes that the detector looks at
_SHARE = 0.15  # of the characters outside ASCII that are Hiragana in any Japanese sentence
_HANGUL = 0.9

_WORDS = re.compile(r"[^\W\d_]*[^\x00-\x7f][^\W\d_]*")
# A symbol inside a word, or a capital after a small letter: what wrong code pages leave.
_BROKEN = re.compile(r"[^\W\d_][¡-¿×÷][^\W\d_]|\b[¹³][^\W\d_]|[a-zß-öø-ÿ][A-ZÀ-ÖØ-ÞŠŽŸŒ]")
# Letters that are common where another code page was meant (Turkish), and rare in the languages of this one.
_UNUSUAL = {"cp1252": re.compile("[ÝýÞþÐð]"), "cp1250": re.compile("[ÞţŢđĐ]")}


@dataclass(frozen=True)
class Decoding:
    """A text, and the title of its encoding if that was recognised rather than certain, with the first words."""

    text: str
    guess: str = ""
    words: tuple[str, ...] = ()

    @property
    def remark(self) -> str:
        """What a person is told of a guess; empty without one. It continues the name of the file."""
        if not self.guess:
            return ""
        shown = ", ".join(f"“{word}”" for word in self.words)
        return f"is not in UTF-8 and was read as {self.guess}; if {shown} is not right, save the file as UTF-8"


def decode(data: bytes) -> Decoding:
    """The text in `data`: UTF-8 with or without a mark, UTF-16 and UTF-32 with one, or a recognised code page.

    Raises `InputError`, whose line continues the name of the file, for bytes that are not text and for text whose
    encoding cannot be recognised with confidence.
    """
    marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    text = _decoded(data, marked)
    if text is None and _MARKS[0][0] != data[:3] and marked == "utf-8":
        return _recognised(data)
    if text is None:
        raise InputError("is not a text file; save it as plain text in UTF-8")
    return Decoding(text)


def code_page_of_names(names: bytes) -> str | None:
    """The East Asian code page that file names, one per line, are written in; None if it is not recognised.

    Others look like the code page that ZIP files name where they state nothing, and cannot be told from it.
    """
    possible = [encoding for encoding in EAST_ASIAN if _decoded(names, encoding) is not None]
    encoding = _asian(names, possible) or (_detected(names, possible) if possible else None)
    return encoding if encoding in EAST_ASIAN and not _mixed(str(_decoded(names, encoding))) else None


def is_legible(text: str) -> bool:
    """Whether a text is free of control characters and of half surrogates."""
    return _BINARY.search(text) is None


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text if is_legible(text) else None


def _recognised(data: bytes) -> Decoding:
    possible = [encoding for encoding in (*_LATIN, *_CODE_PAGES) if _decoded(data, encoding) is not None]
    if not possible:
        raise InputError("is not a text file; save it as plain text in UTF-8")
    encoding = _asian(data, possible) or _detected(data, possible)
    text = "" if encoding is None else str(_decoded(data, encoding))
    if encoding in _CODE_PAGES and _mixed(text):
        encoding = None
    elif encoding in _LATIN:
        # Where several give the same text, the commonest is named.
        encoding = next(each for each in _LATIN if _decoded(data, each) == text)
    if encoding is None:
        raise InputError(
            "is not in UTF-8, and its encoding cannot be recognised with confidence; save it as UTF-8 "
            "(in a spreadsheet: “CSV UTF-8”)"
        )
    words = tuple(dict.fromkeys(match[0] for match in _WORDS.finditer(text[: 100 * _MOST])))[:3]
    return Decoding(text, _TITLES[encoding], tuple(word[:30] for word in words))


def _mixed(text: str) -> bool:
    """Whether many words have letters of the Latin alphabet beside others: no language is written like this."""
    words = [match[0] for match in _WORDS.finditer(text[:_MOST])]
    return 5 * sum(re.search("[A-Za-z]", word) is not None for word in words) > len(words)


def _asian(data: bytes, possible: list[str]) -> str | None:
    """Japanese by its Hiragana and Korean by its Hangul, which the detector does not recognise in short texts."""
    for encoding in ("cp932", "euc_jp", "cp949"):
        if encoding not in possible:
            continue
        outside = [character for character in str(_decoded(data, encoding)) if character > "\x7f"]
        hiragana = sum("\u3041" <= character <= "\u309f" for character in outside)
        narrow = sum("\uff61" <= character <= "\uff9f" for character in outside)
        hangul = sum("\uac00" <= character <= "\ud7a3" for character in outside)
        japanese = encoding != "cp949" and hiragana >= _SHARE * len(outside) and not narrow
        if japanese or (encoding == "cp949" and hangul >= _HANGUL * len(outside)):
            return encoding
    return None


def _detected(data: bytes, possible: list[str]) -> str | None:
    # Here, because most processes never meet such a file.
    from charset_normalizer import from_bytes

    # A file may begin with its ASCII part: what is judged are the lines that need an encoding.
    lines = b"\n".join(line for line in re.split(rb"[\r\n]+", data) if not line.isascii())[:_MOST]
    names = {codecs.lookup(encoding).name: encoding for encoding in possible}
    matches = from_bytes(lines, cp_isolation=[*possible], threshold=0.3)
    disorder = {names[codecs.lookup(match.encoding).name]: match.chaos for match in matches}
    best = matches.best()
    if best is None:
        return None
    encoding = names[codecs.lookup(best.encoding).name]
    if encoding in _CODE_PAGES:
        return encoding if best.coherence >= _COHERENCE else _latin(data, disorder)
    return _latin(data, disorder)


def _latin(data: bytes, disorder: dict[str, float]) -> str | None:
    """The first Latin code page in which every word looks like one, if none is in better order."""
    for encoding in _LATIN:
        text = _decoded(data, encoding)
        if text is None or encoding not in disorder or disorder[encoding] > min(disorder.values()) + _WITHIN:
            continue
        if _BROKEN.search(text) is None and _UNUSUAL[encoding].search(text) is None:
            return encoding
    return None
