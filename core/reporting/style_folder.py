"""A folder of a house style: read once, as data of a stranger, into what a run keeps of it.

style.toml      name, language, and the names of the other files
logo.png        PNG or JPEG; it is decoded in a child with limits and kept as PNG
note.txt        a text of Jinja for one of the places of PLACES, rendered in a sandbox and escaped
fr.po           a catalogue in gettext's format of a language that does not come with the product
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from PIL import Image, UnidentifiedImageError
from pydantic import ValidationError

from core.characters import brief
from core.content.house_style import HouseStyle, in_language
from core.errors import InputError, Refused
from core.languages import SOURCE, offered
from core.languages.catalogue import fault, faults, known, read_catalogue
from core.runs.plan import first_problem
from core.sandbox import Allowance, Failure, call
from core.sandbox.files import read_file
from core.sandbox.toml import read_toml

STYLE = "style.toml"
MOST_STYLE, MOST_LOGO, MOST_CATALOGUE, MOST_BLOCK = 2**16, 2**20, 2 * 2**20, 4_000
# The longer side of a logo in pixels as it is kept.
LOGO_SIDE = 800
# Where a block of text may stand, and what it may name.
PLACES = ("cover", "opinion", "closing")
NAMES = frozenset({"run", "title", "date", "model", "dataset", "opinion"})
MOST_FAULTS = 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,80}")
_KEYS = {"name", "language", "logo", "catalogue", "colours", "wording", "blocks"}
_ALLOWANCE = Allowance(seconds=10.0, wall=30.0, memory=1_000_000_000, answer=8 * 2**20)


def read_style(folder: Path) -> HouseStyle:
    """The style of a folder. Raises `InputError` in one line that names the first thing wrong and how many more."""
    title = f"the house style {brief(str(folder))}"
    if not folder.is_dir():
        raise InputError(f"{title} is not a folder; name one that holds {STYLE}")
    try:
        told = read_toml(read_file(folder / STYLE, MOST_STYLE, links=False))
    except Refused as refused:
        raise InputError(f"{title}: {STYLE} {refused}") from refused
    found: list[str] = []
    parts = dict(_parts(folder, told, found))
    try:
        style = HouseStyle(**parts) if not found else HouseStyle()
    except ValidationError as error:
        found.append(f"{STYLE}: {first_problem(error)}")
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise InputError(f"{title}: {brief(found[0], 300)}{more}")
    return in_language(style.language, style)


def problems(folder: Path) -> list[str]:
    """Everything wrong with a folder, one line each, at most `MOST_FAULTS`; empty for a folder that can be used.

    Raises `InputError` if there is no folder with a readable style.
    """
    try:
        told = read_toml(read_file(folder / STYLE, MOST_STYLE, links=False))
    except Refused as refused:
        raise InputError(f"the house style {brief(str(folder))}: {STYLE} {refused}") from refused
    found: list[str] = []
    dict(_parts(folder, told, found))
    return found[:MOST_FAULTS]


def _parts(folder: Path, told: dict[str, Any], found: list[str]) -> Iterator[tuple[str, Any]]:
    """The parts of a style; what cannot be used goes to `found`, one line each."""
    found += [f"{STYLE}: {brief(name, 40)!r} is unknown; known are {', '.join(sorted(_KEYS))}" for name in told
              if name not in _KEYS]  # fmt: skip
    language = told.get("language", SOURCE)
    yield from ((name, told[name]) for name in ("name", "language", "colours") if name in told)
    if "logo" in told and (logo := _read(folder, told["logo"], MOST_LOGO, found)):
        try:
            yield "logo", base64.b64encode(call(drawn, data=logo, allowance=_ALLOWANCE).data).decode()
            yield "media", "image/png"
        except (Refused, Failure) as refused:
            found.append(f"{told['logo']} {refused}")
    if "catalogue" in told and (data := _read(folder, told["catalogue"], MOST_CATALOGUE, found)):
        try:
            own = read_catalogue(data, str(language))
            found += [f"{told['catalogue']}: {line}" for line in faults(own, known())]
            yield "catalogue", data.decode()
        except ValueError as error:
            found.append(f"{told['catalogue']} {error}")
    elif language not in offered():
        found.append(f"{STYLE}: there is no catalogue of {brief(str(language), 20)!r}; name one as `catalogue`")
    wording = told.get("wording", {})
    if not isinstance(wording, dict):
        found.append(f"{STYLE}: wording must be a table of texts")
    else:
        found += list(_wording_faults(wording))
        yield "wording", wording
    yield "blocks", dict(_blocks(folder, told.get("blocks", {}), found))


def _wording_faults(wording: dict[str, Any]) -> Iterator[str]:
    messages = known()
    for english, told in wording.items():
        if english not in messages:
            yield f"{STYLE}: wording: {brief(english, 60)!r} is not a text of this version"
        elif not isinstance(told, str) or not told.strip():
            yield f"{STYLE}: wording: {brief(english, 60)!r} must be a text"
        elif why := fault(english, told):
            yield f"{STYLE}: wording: {brief(english, 60)!r} {why}"


def _blocks(folder: Path, told: Any, found: list[str]) -> Iterator[tuple[str, str]]:
    if not isinstance(told, dict):
        found.append(f"{STYLE}: blocks must be a table of files by place")
        return
    for place, file in told.items():
        if place not in PLACES:
            found.append(f"{STYLE}: blocks: {brief(place, 40)!r} is unknown; known are {', '.join(PLACES)}")
            continue
        data = _read(folder, file, MOST_BLOCK, found)
        try:
            text = data.decode("utf-8")
            unknown = meta.find_undeclared_variables(ImmutableSandboxedEnvironment().parse(text)) - NAMES
        except (TemplateSyntaxError, UnicodeDecodeError, RecursionError) as error:
            found.append(f"{file} is not a template: {brief(str(error), 120)}")
            continue
        if unknown:
            found.append(f"{file} names {min(unknown)}; known are {', '.join(sorted(NAMES))}")
        elif text:
            yield place, text


def _read(folder: Path, name: Any, most: int, found: list[str]) -> bytes:
    """A file of the folder itself; empty for one that cannot be used, which goes to `found`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        found.append(f"{STYLE}: {brief(str(name), 60)!r} must be the name of a file in the folder")
        return b""
    try:
        return read_file(folder / name, most, links=False)
    except Refused as refused:
        found.append(f"{name} {refused}")
        return b""


def drawn(data: bytes) -> tuple[Any, bytes]:
    """Task: a logo as PNG without anything but its pixels, on white, at most `LOGO_SIDE` pixels on a side."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            image.thumbnail((LOGO_SIDE, LOGO_SIDE))
            shown = image.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise Refused(f"is not a PNG or JPEG image that can be read ({brief(str(error), 80)})") from error
    plain = Image.new("RGB", shown.size, "white")
    plain.paste(shown, mask=shown.getchannel("A"))
    stream = io.BytesIO()
    plain.save(stream, "PNG")
    return None, stream.getvalue()
