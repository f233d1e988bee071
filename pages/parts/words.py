"""Words on a page: people's text made safe for Markdown, numbers and times in one form everywhere."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from core.characters import brief
from core.errors import LoupeError
from core.reporting.heat import shade_words
from core.storage import without_folders

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&\"'^=/@])")
_JOINER = "\u2060"
_LOG = logging.getLogger("loupe")
LONGEST = 600  # characters of a message
FAILED = (
    "This could not be shown: the run or the data set is damaged, or Loupe has a defect. `verify` tells what is "
    "damaged; the server's log tells where it failed."
)


def plain(text: object) -> str:
    """`text` as it is, for a place that renders Markdown: no emphasis, link, picture, icon or formula comes of it."""
    # Icons and addresses are found after the backslashes are gone, so the colon is parted from what follows.
    parted = re.sub(r"(?<=:)(?=\S)|(?<=www)(?=\.)|(?=@)", _JOINER, str(text).replace("\r", " ").replace("\n", " "))
    return _PUNCTUATION.sub(r"\\\1", parted)


def tab(label: str) -> str:
    """A label of our own for a choice whose picked part Streamlit prints in the accent colour.

    White on the accent and the accent on a dark page can't both be read well; the grey of the theme can.
    """
    return f":gray[{label}]"


def short(text: str, characters: int = 60) -> str:
    """The text, cut with an ellipsis if it is longer."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + "…"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return "not known yet"
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Bytes in the unit that reads best."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def number(value: float | None, low: float | None = None, high: float | None = None, unit: str = "") -> str:
    """A value with its interval: `0.31 (0.25 to 0.40)`."""
    if value is None or value != value:
        return "not defined"
    tail = f" {unit}" if unit else ""
    if low is None or high is None or low != low or high != high:
        return f"{value:.3g}{tail}"
    return f"{value:.3g}{tail} ({low:.3g} to {high:.3g})"


def coloured_words(tokens: Sequence[str], values: Sequence[float], *, signed: bool = False) -> None:
    """The tokens of a text on backgrounds whose strength is their attribution; the value is told by a tooltip."""
    parts = [
        f'<span style="background: {word.background}; color: {word.foreground}; padding: 0.1em 0.35em;'
        f' border-radius: 0.25em; display: inline-block; margin: 0.1em 0.08em" title="{word.value:.4g}">'
        f"{html.escape(word.text)}</span>"
        for word in shade_words(tokens, values, signed=signed)
    ]
    st.html(f'<div style="line-height: 1.9">{"".join(parts)}</div>')


@contextmanager
def problems_shown() -> Iterator[None]:
    """Show any error as one line: what a person can act on as it is, anything else without its details.

    Runs and data sets come from strangers, and a page may fail on them in any way; the traceback goes to the server's
    log.
    """
    try:
        yield
    except LoupeError as error:
        st.error(plain(brief(without_folders(str(error)), LONGEST)), icon=":material/error:")
    except Exception:  # noqa: BLE001 - whatever a damaged run does to a part of a page, the rest of it must still be shown
        _LOG.exception("a part of a page failed")
        st.error(FAILED, icon=":material/error:")


def empty(what: str, page: str, label: str) -> None:
    """Say that there is nothing here yet, and where to go."""
    with st.container(border=True):
        st.markdown(f"**Nothing to show yet.** {what}")
        st.page_link(page, label=label, icon=":material/arrow_forward:")
