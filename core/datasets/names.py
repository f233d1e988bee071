"""Names that come from outside: made harmless, recognised as system files, told apart, resolved for tables."""

from __future__ import annotations

import re
import unicodedata

from core.characters import harmless, printable
from core.datasets.bounds import Refused

__all__ = ["clean_name", "is_system", "numbered", "printable", "row_name"]

_SYSTEM = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini"}
_DRIVE = re.compile("[A-Za-z]:")
_PART_LENGTH = 200
_PARTS = 20


def clean_name(raw: str) -> str:
    """`raw` as a relative name: '/' separated, no drive, no root, no '..', nothing unprintable, never empty.

    It is only ever shown and compared, never used as a path to write to.
    """
    # Undecodable bytes of a file name reach us as lone surrogates, which no JSON or PDF can hold. NFC because
    # macOS stores names decomposed while tables are typed composed.
    text = unicodedata.normalize("NFC", harmless(raw, "_")).replace("\\", "/")
    parts = [part[:_PART_LENGTH] for part in text.split("/") if part not in ("", ".", "..")][-_PARTS:]
    # Also behind a root, another drive, or parts that were left off: what begins a clean name is never a drive.
    while len(parts) > 1 and _DRIVE.fullmatch(parts[0]):
        del parts[0]
    return "/".join(parts) or "unnamed"


def is_system(name: str) -> bool:
    """Whether a clean name belongs to a hidden or system file that nobody meant to give."""
    return any(part.startswith(".") or part.lower() in _SYSTEM for part in name.split("/"))


def row_name(raw: str) -> str:
    """The clean name that a table means by the path `raw`, relative wherever the table was made.

    A drive, a root, a home folder and the steps that lead out of a folder are left off: what remains is compared with
    the names of images, and is not used to open a file outside the table's own folder. Raises `Refused` for a web
    address and for a path that names no file.
    """
    text = raw.strip().replace("\\", "/")
    if re.match(r"^[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise Refused("is a web address; download the image and enter the file name")
    text = re.sub(r"^([A-Za-z]:|~[^/]*(?=/))", "", text)
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    if not parts:
        raise Refused("does not name a file; fill in the path of the image")
    return clean_name("/".join(parts))


def numbered(name: str, number: int) -> str:
    """`name` with a number before its ending: `numbered("a/b.png", 2)` is `a/b (2).png`."""
    folder, slash, base = name.rpartition("/")
    stem, dot, ending = base.rpartition(".")
    if not stem:
        stem, dot, ending = base, "", ""
    return f"{folder}{slash}{stem} ({number}){dot}{ending}"
