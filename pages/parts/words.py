"""Words on a page: people's text made safe for Markdown, numbers and times in one form everywhere."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from core.characters import brief
from core.content.heat import shade_words
from core.errors import LoupeError
from core.languages.numbers import typeset
from core.rules.writing import unbroken
from core.storage import storage_error, without_folders
from pages.parts import examples

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&\"'^=/@])")
_JOINER = "\u2060"
_LOG = logging.getLogger("loupe")
LONGEST = 600  # characters of a message
FAILED = (
    "This part cannot be displayed: the audit or the dataset is damaged, or Loupe has a defect. `verify` lists damaged "
    "files; the log of the server has the details."
)


def plain(text: object) -> str:
    """`text` as it is, for a place that renders Markdown: no emphasis, link, image, icon or formula comes of it."""
    # Icons and addresses are found after the backslashes are gone, so the colon is parted from what follows.
    parted = re.sub(r"(?<=:)(?=\S)|(?<=www)(?=\.)|(?=@)", _JOINER, str(text).replace("\r", " ").replace("\n", " "))
    return _PUNCTUATION.sub(r"\\\1", unbroken(parted))


def tab(label: str) -> str:
    """A label of our own for a choice whose picked part Streamlit prints in the accent colour.

    White on the accent and the accent on a dark page can't both be read well; the grey of the theme can.
    """
    return f":gray[{label}]"


def number(value: float | None, low: float | None = None, high: float | None = None, unit: str = "") -> str:
    """A value with its interval: `0.31 (0.25 to 0.40)`."""
    if value is None or value != value:
        return "not defined"
    tail = f" {unit}" if unit else ""
    if low is None or high is None or low != low or high != high:
        return f"{figure(value)}{tail}"
    return f"{figure(value)}{tail} ({figure(low)} to {figure(high)})"


def figure(value: float, form: str = ".3g") -> str:
    """A number as Python writes it in this form, with a true minus sign and without an "e"."""
    return typeset(f"{value:{form}}")


def coloured_words(tokens: Sequence[str], values: Sequence[float], *, signed: bool = False) -> None:
    """The tokens of a text on backgrounds whose strength is their attribution; a tooltip gives the value."""
    parts = [
        f'<span style="background: {word.background}; color: {word.foreground}; padding: 0.1em 0.35em;'
        f' border-radius: 0.25em; display: inline-block; margin: 0.1em 0.08em" title="{figure(word.value, ".4g")}">'
        f"{html.escape(word.text)}</span>"
        for word in shade_words(tokens, values, signed=signed)
    ]
    st.html(f'<div style="line-height: 1.9">{"".join(parts)}</div>')


@contextmanager
def problems_shown() -> Iterator[None]:
    """Show any error as one line: an error of the user as it is, any other without its details.

    Runs and datasets may come from outside, and a page may fail on them in any way; the traceback goes to the log
    of the server.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever a damaged run does to a part of a page, the rest of it must still be shown
        if not isinstance(error, LoupeError):
            _LOG.exception("a part of a page failed")
        st.error(of_error(error), icon=":material/error:")


def of_error(error: Exception) -> str:
    """An error as a page shows it: what a person can act on as it is, with its own line for the disk; else `FAILED`."""
    told = storage_error(error) if isinstance(error, OSError) else error
    if not isinstance(told, LoupeError):
        return FAILED
    line = without_folders(str(told)).replace("run the command again", "try again")
    return plain(brief(line, LONGEST))


def empty(what: str, page: str, label: str, question: str = "", *, head: str = "Nothing to show yet.") -> None:
    """An empty state: the question that the page answers, what is missing, the page that leads to it, an example."""
    if question:
        st.markdown(plain(question))
    with st.container(border=True):
        st.markdown(f"**{head}** {plain(what)}")
        with st.container(horizontal=True):
            st.page_link(page, label=label, icon=":material/arrow_forward:")
            if not st.session_state.get("run_id"):
                st.page_link("pages/home.py", label="Or try the demo", icon=":material/home:")
        examples.picture(st.session_state.get("page_shown", ""))
