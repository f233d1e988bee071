"""The options of commands about language and house style, and what they change in a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.content.house_style import HouseStyle, house_style, in_language, keep_house_style
from core.languages import offered
from core.reporting.style_folder import read_style
from core.runs import Run


def style_arguments(parser: argparse.ArgumentParser) -> None:
    """What `audit` and `report` take."""
    parser.add_argument("--language", help=f"language: {', '.join(offered())}, or that of the house style")
    parser.add_argument("--house-style", type=Path, metavar="DIR", help="folder with the house style of the report")


def style_of(language: str | None, folder: Path | None) -> HouseStyle | None:
    """The style that the options ask for; None if they ask for nothing. Raises `InputError` in one line."""
    if folder is None:
        return None if language is None else in_language(language)
    style = read_style(folder)
    return style if language is None else in_language(language, style)


def restyle(run: Run, language: str | None, folder: Path | None) -> None:
    """Keep the style that the options ask for with a run; a language alone changes the language of the kept one."""
    if folder is None and language is not None:
        keep_house_style(run, in_language(language, house_style(run)))
    else:
        keep_house_style(run, style_of(language, folder))
