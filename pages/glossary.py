"""The glossary: the terms of reports and pages, as `core.glossary` defines them."""

from __future__ import annotations

import streamlit as st

from core.glossary import GLOSSARY, Entry
from pages.parts import entry
from pages.parts.words import plain


def page() -> None:
    """All terms, or those that contain what was typed."""
    typed = st.text_input("Filter", placeholder="part of a term or definition")
    entries = matching(typed or "")
    if not entries:
        st.text("No term matches the filter.")
    for shown in entries:
        see = f" See also: {', '.join(shown.see)}." if shown.see else ""
        st.markdown(f"**{plain(shown.term)}.** {plain(shown.definition + see)}")


def matching(typed: str) -> list[Entry]:
    """The entries whose term or definition contains the text, without regard to case."""
    wanted = typed.strip().casefold()
    return [found for found in GLOSSARY.values() if wanted in f"{found.term} {found.definition}".casefold()]


entry.through_app("pages/glossary.py")
st.title("Glossary")
page()
