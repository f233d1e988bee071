"""Which characters of a text no font on this machine can draw, and the package that brings one.

Fontconfig is asked, which the PDF renderer asks as well; the product's own fonts count besides. No torch.
"""

from __future__ import annotations

import ctypes
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ctypes import byref, c_char_p, c_int, c_uint32, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fontTools import unicodedata as scripts  # type: ignore[import-untyped]
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

from core.languages import say
from core.settings import ROOT

FONTS = ROOT / "templates" / "fonts"
CJK, EMOJI, CORE = "fonts-noto-cjk", "fonts-noto-color-emoji", "fonts-noto-core"

_LIBRARIES = ("libfontconfig.so.1", "libfontconfig.1.dylib", "libfontconfig.dylib")
_CJK = {"Hani", "Hira", "Kana", "Hang", "Bopo"}
# What stands for itself in no script: signs of East Asian typography, and pictures.
_CJK_SIGNS = ((0x2E80, 0x30FF), (0x31C0, 0x33FF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF))
_PICTURES = ((0x2600, 0x27BF), (0x2B00, 0x2BFF), (0x1F000, 0x1FAFF))
# Drawn as nothing although they are letters or marks: fillers, joiners and the choice between two forms.
_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
_SHOWN = 8


@dataclass(frozen=True)
class Unreadable:
    """Characters of one script that no font has, in the order of their numbers. `package` is Debian's, or empty."""

    script: str
    characters: str
    package: str


def unreadable(text: str, files: Sequence[Path] | None = None) -> tuple[Unreadable, ...]:
    """The characters of `text` that are drawn as boxes, by script, the most characters first.

    `files` are the fonts to be looked at in place of those that Fontconfig finds on this machine. Without Fontconfig,
    which the renderer needs too, nothing is known and nothing is returned.
    """
    asked = {ord(character) for character in set(text) if not character.isascii() and _is_drawn(character)}
    asked -= own_characters()
    if not asked:
        return ()
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for code in sorted(asked - _covered(asked, files)):
        found[_origin(chr(code))].append(chr(code))
    parts = [Unreadable(script, "".join(those), package) for (script, package), those in found.items()]
    return tuple(sorted(parts, key=lambda part: (-len(part.characters), part.script)))


def warning(parts: Iterable[Unreadable]) -> str:
    """One or two sentences on what cannot be read and what to install; empty if everything can.

    The characters themselves stand in it as their numbers: as such they can be read.
    """
    parts = list(parts)
    if not parts:
        return ""
    count = sum(len(part.characters) for part in parts)
    each = "; ".join(f"{part.script}: {_numbers(part.characters)}" for part in parts)
    packages = sorted({part.package for part in parts if part.package})
    line = (
        say(
            "In the PDF 1 character appears as a box, because no font on the machine that makes it contains it "
            "({scripts}).",
            scripts=each,
        )
        if count == 1
        else say(
            "In the PDF {count:,} characters appear as boxes, because no font on the machine that makes it contains "
            "them ({scripts}).",
            count=count,
            scripts=each,
        )
    )
    if not packages:
        return line
    named = ", ".join(f"{name} ({_GENERIC[name]})" for name in packages)
    remedy = (
        say("Install the Debian package {names} and generate the report again.", names=named)
        if len(packages) == 1
        else say("Install the Debian packages {names} and generate the report again.", names=named)
    )
    return f"{line} {remedy}"


_GENERIC = {CJK: "Noto Sans CJK", EMOJI: "Noto Color Emoji", CORE: "Noto Sans"}


@cache
def own_characters() -> frozenset[int]:
    """The code points that the report's own fonts draw."""
    found: set[int] = set()
    for path in sorted(FONTS.glob("*.woff2")):
        with TTFont(path, lazy=True) as font:
            found |= set(font.getBestCmap())
    return frozenset(found)


def _is_drawn(character: str) -> bool:
    # Controls, joiners, lone surrogates and every kind of space have no ink of their own.
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp") and (
        ord(character) not in _INVISIBLE
    )


def _origin(character: str) -> tuple[str, str]:
    """The name of a character's script, and the package whose fonts draw it."""
    code, category = ord(character), unicodedata.category(character)
    if category in ("Co", "Cn"):
        return ("private use" if category == "Co" else "unassigned"), ""
    script = scripts.script(character)
    if script in _CJK or (script in ("Zyyy", "Zinh") and _within(code, _CJK_SIGNS)):
        return ("East Asian signs" if script in ("Zyyy", "Zinh") else scripts.script_name(script)), CJK
    if script in ("Zyyy", "Zinh"):
        return ("emoji and pictographs", EMOJI) if _within(code, _PICTURES) else ("symbols", CORE)
    return scripts.script_name(script).replace("_", " "), CORE


def _within(code: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(first <= code <= last for first, last in ranges)


def _numbers(characters: str) -> str:
    shown = [f"U+{ord(character):04X}" for character in characters[:_SHOWN]]
    more = len(characters) - _SHOWN
    return " ".join(shown) + (say(" and {count:,} more", count=more) if more > 0 else "")


def _covered(asked: set[int], files: Sequence[Path] | None) -> set[int]:
    """Those of the code points that at least one font has."""
    library = _fontconfig()
    if library is None:
        return asked
    config = c_void_p(library.FcInitLoadConfigAndFonts() if files is None else library.FcConfigCreate())
    pattern, wanted = c_void_p(library.FcPatternCreate()), c_void_p(library.FcObjectSetCreate())
    fonts = c_void_p()
    try:
        for path in files or ():
            if not library.FcConfigAppFontAddFile(config, str(path).encode()):
                raise ValueError(f"{path} is not a font that Fontconfig can read")
        library.FcObjectSetAdd(wanted, b"charset")
        fonts = c_void_p(library.FcFontList(config, pattern, wanted))
        found: set[int] = set()
        for entry in _patterns(fonts):
            characters = c_void_p()
            if library.FcPatternGetCharSet(entry, b"charset", 0, byref(characters)) == 0:
                found |= {code for code in asked - found if library.FcCharSetHasChar(characters, code)}
        return found
    finally:
        if fonts:
            library.FcFontSetDestroy(fonts)
        library.FcObjectSetDestroy(wanted)
        library.FcPatternDestroy(pattern)
        library.FcConfigDestroy(config)


class _FontSet(ctypes.Structure):
    _fields_ = (("count", c_int), ("room", c_int), ("fonts", ctypes.POINTER(c_void_p)))


def _patterns(fonts: c_void_p) -> list[c_void_p]:
    if not fonts:
        return []
    listed = ctypes.cast(fonts, ctypes.POINTER(_FontSet)).contents
    return [c_void_p(listed.fonts[at]) for at in range(listed.count)]


@cache
def _fontconfig() -> ctypes.CDLL | None:
    for name in _LIBRARIES:
        with suppress(OSError):
            library = ctypes.CDLL(name)
            break
    else:
        return None
    signatures = {
        "FcInitLoadConfigAndFonts": (c_void_p,), "FcConfigCreate": (c_void_p,), "FcPatternCreate": (c_void_p,),
        "FcObjectSetCreate": (c_void_p,), "FcConfigAppFontAddFile": (c_int, c_void_p, c_char_p),
        "FcObjectSetAdd": (c_int, c_void_p, c_char_p), "FcFontList": (c_void_p, c_void_p, c_void_p, c_void_p),
        "FcPatternGetCharSet": (c_int, c_void_p, c_char_p, c_int, c_void_p),
        "FcCharSetHasChar": (c_int, c_void_p, c_uint32), "FcFontSetDestroy": (None, c_void_p),
        "FcObjectSetDestroy": (None, c_void_p), "FcPatternDestroy": (None, c_void_p),
        "FcConfigDestroy": (None, c_void_p),
    }  # fmt: skip
    for function, (result, *arguments) in signatures.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library
