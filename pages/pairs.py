"""Captions and images: how many captions do not fit, which ones, and how often each finds the other."""

from __future__ import annotations

import streamlit as st

from core.applications.pairs.chapter import estimate_sentence, how, naming_sentences
from core.applications.pairs.measures import named_classes, retrieval, suspects
from core.applications.pairs.record import CaptionRow, PairsRecord
from core.applications.pairs.tables import NAMES, RANKS, SUSPECTS
from core.content.words import plural
from core.rules.writing import unbroken
from core.runs import Run
from core.runs.rows import typed
from pages.parts import application_page, gallery, tables
from pages.parts.words import plain, tab

ACROSS, SHOWN = 3, 12


def page(run: Run, record: PairsRecord) -> None:
    """The suspect captions with their images, then the ranks."""
    about = record.about
    st.caption(
        plain(f"{plural(about['captions'], 'caption')} of {plural(about['images'], 'image')}; {about['model']}.")
    )
    st.text(unbroken(estimate_sentence(record)))
    tabs = st.tabs([tab("Suspect captions"), tab("Ranks"), tab("Captions that name a class")])
    with tabs[0]:
        worst(run, record)
    with tabs[1]:
        tables.show(RANKS, retrieval(record))
    with tabs[2]:
        sentences = naming_sentences(record)
        for sentence in sentences or ("The plan has no classes.",):
            st.text(unbroken(sentence))
        if len(rows := named_classes(record)):
            tables.show(NAMES, rows)
    for sentence in how():
        st.caption(plain(sentence))


def worst(run: Run, record: PairsRecord) -> None:
    """The table of suspect captions and the images of the worst."""
    listed = suspects(record)
    if listed.empty:
        st.text("No caption is suspect.")
        return
    tables.show(SUSPECTS, listed)
    entries = [(row.image, f"{row.image_name}: {row.caption}") for row in typed(listed, CaptionRow)]
    gallery.show(run, entries, across=ACROSS, most=SHOWN, key="suspects")


application_page.show("pairs", PairsRecord.of_run, page)
