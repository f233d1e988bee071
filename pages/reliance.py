"""What the scores rest on: image regions, unrelated concepts, regions of one image, and words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from core.applications.reliance.record import RelianceRecord, of_run
from core.applications.reliance.specs import (
    CHECKS,
    CONCEPT_SHARES,
    IMAGE_REGIONS,
    LEAST_WORDS,
    PREVALENCE,
    REGION_SHARES,
    WORDS,
)
from core.applications.reliance.standing import standing
from core.applications.reliance.tables import (
    concept_prevalence,
    concept_shares,
    least_words,
    region_map,
    region_shares,
    word_measures,
)
from core.applications.sampling import images_of
from core.content.words import shorten
from core.findings import load_findings
from core.rules import Context
from core.runs import Run
from pages.parts import application_page, image_choice, maps, state, tables
from pages.parts.application_page import recorded
from pages.parts.reliance import profile as profile_of
from pages.parts.reliance import show as show_profile
from pages.parts.words import figure, plain, tab

RULES = ("reliance.", "prompts.templates", "words.")
MOST_WORDS = 20
COLUMNS = {"fall": "Loss when hidden", "control": "Loss with the same shape hidden elsewhere", "only": "Shown alone"}


def page(run: Run, record: RelianceRecord) -> None:
    """Profiles, regions, concepts, single images, words and the rules that were applied."""
    about = record.about
    st.caption(plain(f"{images_of(about)}; {about['regions']} regions; {about['model']}."))
    titles = ("Profiles", "Image regions", "Concepts", "Images", "Words", "Checks")
    tabs = st.tabs([tab(title) for title in titles])
    regions, concepts, prevalence, measures = _compared(str(run.folder), run.plan.digest)
    profile = profile_of(str(run.folder), run.plan.digest)
    with tabs[0]:
        show_profile(run, profile)
    with tabs[1]:
        _regions(regions, record)
    with tabs[2]:
        _concepts(concepts, prevalence)
    with tabs[3]:
        images(run, profile.record)
    with tabs[4]:
        _words(measures, record)
    with tabs[5]:
        _judged(run)


def _regions(table: pd.DataFrame, record: RelianceRecord) -> None:
    st.text(
        "The loss of score when an image region is hidden, as a share of what the whole image adds to the score, and "
        "by how much it exceeds the loss when the same shape is hidden elsewhere. Adjusted p: that this excess is "
        "above the threshold of the check that tests it, if one does."
    )
    if not record.about["foreground"]:
        st.text("The model has no features per patch, so that the background cannot be determined.")
    tables.show(REGION_SHARES, table)


def _concepts(table: pd.DataFrame, prevalence: pd.DataFrame) -> None:
    surprises = table[table["surprise"]]
    st.subheader("Unexpected dependencies")
    if surprises.empty:
        st.text("No region was assigned a concept that is unrelated to its text.")
    else:
        st.text("Concepts that are unrelated to their texts, largest loss first.")
        tables.show(CONCEPT_SHARES, surprises)
    st.subheader("Related concepts")
    tables.show(CONCEPT_SHARES, table[~table["surprise"]])
    st.subheader("Concepts of the regions")
    tables.show(PREVALENCE, prevalence)
    st.caption("The names are assigned by the model itself and may be wrong; the tab “Images” shows the regions.")


def images(run: Run, record: RelianceRecord) -> None:
    """One image: its regions by the loss that each removal causes, and their names."""
    left, right = st.columns((2, 3), vertical_alignment="bottom")
    entry = image_choice.choose(run, record.image_names, f"reliance-image-{run.id}", left)
    if entry is None:
        return
    image = entry.id
    rows = record.regions[record.regions["image"] == image]
    pairs = list(dict.fromkeys(zip(rows["text"], rows["text_kind"], strict=True)))
    text, kind = right.selectbox(
        "Text", pairs, format_func=lambda pair: shorten(pair[0], 90), key=f"reliance-text-{run.id}-{image}"
    )
    part = rows[(rows["text"] == text) & (rows["text_kind"] == kind)].sort_values("fall", ascending=False)
    across = st.columns(1 + len(COLUMNS), gap="small")
    with across[0]:
        st.markdown("**Image**")
        maps.original(run, entry)
    for panel, (column, title) in zip(across[1:], COLUMNS.items(), strict=True):
        with panel:
            st.markdown(f"**{plain(title)}**")
            values = np.nan_to_num(region_map(part, column))
            maps.heat(run, entry, values, signed=True, opacity=0.6, smooth=False, alt=f"{title}, {entry.name}")
            maps.scale(values, signed=True, unit="cosine")
    tables.show(IMAGE_REGIONS, part)
    st.caption(plain(f"The whole image adds {figure(float(part['total'].iloc[0]), '.4f')} to the score."))


def _words(measures: pd.DataFrame, record: RelianceRecord) -> None:
    tables.show(WORDS, measures)
    words = least_words(record, MOST_WORDS)
    if len(words):
        st.subheader("Words with the smallest effect")
        tables.show(LEAST_WORDS, words)
    st.caption("Text that is already visible in an image is not considered here.")


def _judged(run: Run) -> None:
    findings = [finding for finding in load_findings(run) if finding.rule.startswith(RULES)]
    if not findings:
        st.text("The audit has not been judged yet.")
        return
    tables.show(CHECKS, findings)


@st.cache_resource(max_entries=4, show_spinner="Comparing …")
def _compared(folder: str, plan: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    run = Run(Path(folder))
    context = Context.of(run, state.summary_of(run))
    record = standing(context) or recorded(of_run, folder)
    return (
        region_shares(record, context),
        concept_shares(record, context),
        concept_prevalence(record),
        word_measures(record, context),
    )


application_page.show("reliance", of_run, page)
