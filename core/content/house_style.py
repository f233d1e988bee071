"""The language and the house style of a run's report, as one file of the run: all that a rebuilt report needs.

A folder of a house style is read once, when it is named (`core.reporting.style_folder`). What was understood of it is
kept in `house_style.json`; without the file a report is in English and in the product's own style.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from core.errors import InputError, Refused, RunError
from core.languages import SOURCE, Catalogue, Voice, load_catalogue, offered
from core.languages.catalogue import read_catalogue
from core.runs import Run, break_seal
from core.runs.parts import Part
from core.runs.plan import first_problem
from core.sandbox.files import read_file

HOUSE_STYLE = "house_style.json"
MOST_BYTES = 4 * 2**20
Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]


class HouseStyle(Part):
    """What a house style says.

    logo: a PNG or JPEG file in base64, with its media type. colours: of the accent, of headings and of the rule beside
    the opinion. wording: texts in place of messages, by their English text. catalogue: a catalogue of a language that
    does not come with the product. blocks: parts of templates by the name of the block, rendered in a sandbox.
    """

    version: Literal[1] = 1
    language: Annotated[str, Field(max_length=8)] = SOURCE
    name: Annotated[str, Field(max_length=80)] = ""
    logo: Annotated[str, Field(max_length=2 * 2**20)] = ""
    media: Literal["", "image/png", "image/jpeg"] = ""
    colours: dict[Literal["accent", "heading", "muted"], Colour] = Field(default_factory=dict)
    wording: dict[str, str] = Field(default_factory=dict)
    catalogue: Annotated[str, Field(max_length=2 * 2**20)] = ""
    blocks: dict[str, str] = Field(default_factory=dict)

    @property
    def plain(self) -> bool:
        """Whether it changes nothing."""
        return self == HouseStyle()

    @property
    def voice(self) -> Voice:
        """Its catalogue and wording. Raises `ValueError` in one line where there is no catalogue of its language."""
        return Voice(self._catalogue(), self.wording)

    def encoded(self) -> bytes:
        """The file of a run, the same bytes for the same style."""
        told = self.model_dump(mode="json", exclude_defaults=True) | {"version": self.version}
        return (json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    def _catalogue(self) -> Catalogue:
        if self.catalogue:
            return read_catalogue(self.catalogue.encode(), self.language)
        return load_catalogue(self.language)


def in_language(language: str, style: HouseStyle | None = None) -> HouseStyle:
    """A style, or the product's own, in a language. Raises `InputError` for one without a catalogue."""
    made = (style or HouseStyle()).model_copy(update={"language": language})
    if not made.catalogue and language not in offered():
        raise InputError(
            f"--language {language[:40]!r} has no catalogue; there are {', '.join(offered())}, and a house style can "
            "bring its own"
        )
    return made


def house_style(run: Run) -> HouseStyle:
    """The style of a run; the product's own if none is kept. Raises `RunError` in one line if the file is damaged."""
    return run.once(_kept)


def keep_house_style(run: Run, style: HouseStyle | None) -> None:
    """Keep a style with a run, and its SHA-256 in the manifest; the product's own leaves neither, None all as it is."""
    if style is None:
        return
    data = b"" if style.plain else style.encoded()
    path = run.folder / HOUSE_STYLE
    if (path.read_bytes() if path.exists() else b"") == data:
        return
    break_seal(run)
    if data:
        path.write_bytes(data)
    else:
        path.unlink()
    run.update_manifest(house_style=hashlib.sha256(data).hexdigest() if data else "")


def _kept(run: Run) -> HouseStyle:
    path = run.folder / HOUSE_STYLE
    if not os.path.lexists(path):
        return HouseStyle()
    try:
        style = HouseStyle.model_validate(json.loads(read_file(path, MOST_BYTES, links=False)))
        style.voice  # noqa: B018 - a catalogue that cannot be read is named here
        return style
    except ValidationError as error:
        raise RunError(f"{HOUSE_STYLE} is damaged ({first_problem(error)}); give the house style again") from error
    except (Refused, ValueError, RecursionError) as error:
        raise RunError(f"{HOUSE_STYLE} is damaged ({error}); give the house style again") from error
