"""Names that come from outside: made harmless, recognised as system files, told apart, resolved for tables."""

from __future__ import annotations

import re
import unicodedata

from core.characters import harmless, printable
from core.datasets.bounds import Refused

__all__ = ["clean_name", "is_system", "numbered", "printable", "row_name"]

_SYSTEM = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini"}
_PART_LENGTH = 200
_PARTS = 20


def clean_name(raw: str) -> str:
    """`raw` as a relative name: '/' separated, no drive, no root, no '..', nothing unprintable, never empty.

    It is only ever shown and compared, never used as a path to write to.
    """
    # Undecodable bytes of a file name reach us as lone surrogates, which no JSON or PDF can hold. NFC because
    # macOS stores names decomposed while tables are typed composed.
    text = unicodedata.normalize("NFC", harmless(raw, "_")).replace("\\", "/")
    text = re.sub(r"^[A-Za-z]:(?=/)", "", text)
    parts = [part[:_PART_LENGTH] for part in text.split("/") if part not in ("", ".", "..")]
    return "/".join(parts[-_PARTS:]) or "unnamed"


def is_system(name: str) -> bool:
    """Whether a clean name belongs to a hidden or system file that nobody meant to give."""
    return any(part.startswith(".") or part.lower() in _SYSTEM for part in name.split("/"))


def row_name(raw: str) -> str:
    """The clean name that a table means by the path `raw`; raises `Refused` if it is no path inside a folder."""
    text = raw.strip().replace("\\", "/")
    if re.match(r"^[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise Refused("is a web address; download the picture and name the file")
    if text.startswith(("/", "~")) or re.match(r"^[A-Za-z]:", text):
        raise Refused("is an absolute path; name the picture relative to its folder")
    parts: list[str] = []
    for part in text.split("/"):
        if part == ".." and not parts:
            raise Refused("leaves the folder of the pictures; name the picture relative to its folder")
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if not parts:
        raise Refused("names no file; fill in the picture's path")
    return clean_name("/".join(parts))


def numbered(name: str, number: int) -> str:
    """`name` with a number before its ending: `numbered("a/b.png", 2)` is `a/b (2).png`."""
    folder, slash, base = name.rpartition("/")
    stem, dot, ending = base.rpartition(".")
    if not stem:
        stem, dot, ending = base, "", ""
    return f"{folder}{slash}{stem} ({number}){dot}{ending}"
