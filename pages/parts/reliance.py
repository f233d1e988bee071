"""The profiles of classes and prompts by concept, as tables and marked images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from core.applications.reliance.declared import declared_table
from core.applications.reliance.profile import consensus_shares, examples, profile_rows, profile_table
from core.applications.reliance.record import RelianceRecord, of_run
from core.applications.reliance.rows import RegionRow
from core.applications.reliance.specs import DECLARED, NAMES, PROFILE, share_of_row
from core.applications.reliance.standing import UNNAMED, name_checks, standing
from core.content.words import percent, plural
from core.datasets import DatasetImage
from core.findings import consensus_methods
from core.rules import Context
from core.rules.writing import unbroken
from core.runs import Run
from core.runs.rows import typed
from pages.parts import maps, saved_views, state, tables
from pages.parts.application_page import recorded
from pages.parts.words import plain

EXPLAINED = (
    "Share: of the image's contribution to the score, what is lost when the regions of the concept are hidden, beyond "
    "the same shapes hidden elsewhere. Attribution: the share of the consensus map of the trusted methods inside these "
    "regions. Area: the share of the image that they cover. Every measured concept is listed, whether or not a check "
    "reports it."
)

ACROSS, MOST_UNNAMED = 6, 12


@dataclass(frozen=True)
class Profile:
    """What the tab of profiles shows; in `record` only confirmed names are names."""

    record: RelianceRecord
    table: pd.DataFrame
    rows: pd.DataFrame
    limit: float
    checks: pd.DataFrame
    declared: pd.DataFrame | None


def show(run: Run, profile: Profile) -> None:
    """The profile of a class or prompt with its samples, the declared concepts, and the names of concept regions."""
    _profiles(run, profile)
    _declared(profile.declared)
    _named(profile.checks)


def _profiles(run: Run, profile: Profile) -> None:
    record, table, limit = profile.record, profile.table, profile.limit
    topics = list(dict.fromkeys(table["topic"]))
    if not topics:
        st.text("No class or prompt was measured.")
        return
    topic = st.selectbox("Class or prompt", topics, key=f"reliance-topic-{run.id}")
    part = table[table["topic"] == topic].reset_index(drop=True)
    st.text(unbroken(_most(part)))
    tables.show(PROFILE, part)
    st.caption(EXPLAINED)
    if told := left_out(profile.rows):
        st.caption(told)
    unnamed(run, profile, topic, part)
    concept = st.selectbox("Concept", list(part["concept"]), key=f"reliance-concept-{run.id}-{topic}")
    titles = ("Samples: they lose most with the concept", f"Counter-samples: they lose at most {percent(limit)}")
    for title, group in zip(titles, examples(profile.rows, topic, str(concept), limit), strict=True):
        st.markdown(f"**{plain(title)}**")
        kept = set(saved_views.within(saved_views.chosen(run), [example.image for example in group]))
        if any(example.image not in kept for example in group):
            saved_views.note()
            group = [example for example in group if example.image in kept]
        if not group:
            st.text("none")
            continue
        for column, example in zip(st.columns(3), group, strict=False):
            image = maps.image_of(run, example.image)
            if image is None:
                continue
            with column:
                marked(run, record, image, str(concept))
                st.caption(plain(f"{example.name}: {percent(example.part)} of the score"))


def left_out(rows: pd.DataFrame) -> str:
    """How many measured images are in no profile, and why; empty where all of them are."""
    every, raised = rows["image"].nunique(), rows.loc[rows["total"] > 0, "image"].nunique()
    if every == raised:
        return ""
    return (
        f"Not in these profiles: {every - raised} of {plural(every, 'measured image')}. There the whole image adds "
        "nothing to the score of any measured class or prompt, so that nothing can be lost."
    )


def unnamed(run: Run, profile: Profile, topic: str, part: pd.DataFrame) -> None:
    """What the kinds of regions without a confirmed name look like: of each the image that loses most with it."""
    names = [name for name in part["concept"] if str(name).startswith(f"{UNNAMED} ")][:MOST_UNNAMED]
    if not names:
        return
    st.markdown("**What the unnamed kinds of regions look like**")
    st.caption(
        "No name separates these regions from others, so that they have numbers. Of each kind the image that loses "
        "most is shown, with its regions in colour."
    )
    for start in range(0, len(names), ACROSS):
        for column, name in zip(st.columns(ACROSS), names[start : start + ACROSS], strict=False):
            shown = next(iter(examples(profile.rows, topic, str(name), -math.inf, 1)[0]), None)
            image = None if shown is None else maps.image_of(run, shown.image)
            if shown is None or image is None:
                continue
            with column:
                marked(run, profile.record, image, str(name))
                st.caption(plain(f"{name}, in {shown.name}"))


def marked(run: Run, record: RelianceRecord, image: DatasetImage, concept: str) -> None:
    """The image with its regions of a concept in colour."""
    regions = record.regions[(record.regions["image"] == image.id) & (record.regions["concept"] == concept)]
    cells = [record.cells(row) for row in typed(regions.drop_duplicates("region"), RegionRow)]
    alt = f"Regions of {concept}, {image.name}"
    maps.heat(run, image, np.max(cells, axis=0), signed=False, opacity=0.5, smooth=False, alt=alt)


def _most(part: pd.DataFrame) -> str:
    """The largest share whose interval lies above zero, in a sentence."""
    clear = part[part["low"] > 0].sort_values("value", ascending=False, kind="stable")
    if clear.empty:
        return "No concept has a share whose interval lies above zero."
    first = next(clear.itertuples())
    return f"Largest share with an interval above zero: {first.concept}, {share_of_row(first)} images."


def _named(checks: pd.DataFrame) -> None:
    st.subheader("Names of concept regions")
    tables.show(NAMES, checks)
    st.caption("A name is confirmed if it separates the regions from others on images that had no part in its choice.")


def _declared(table: pd.DataFrame | None) -> None:
    if table is None:
        return
    st.subheader("Declared concepts")
    tables.show(DECLARED, table)


@st.cache_resource(max_entries=4, show_spinner="Comparing …")
def profile(folder: str, plan: str) -> Profile:
    """The profile of a run; `plan` is the digest of its plan, so that another run in the folder has its own."""
    run = Run(Path(folder))
    context = Context.of(run, state.summary_of(run))
    record = standing(context) or recorded(of_run, folder)
    thresholds = context.thresholds
    rows = profile_rows(record, consensus_shares(record, context, consensus_methods(context)))
    return Profile(
        record=record,
        table=profile_table(rows, most_related=float(thresholds["reliance.concept.most_related"]), look=record.look),
        rows=rows,
        limit=float(thresholds["reliance.concept.least_share"]),
        checks=name_checks(record, thresholds),
        declared=context.once(declared_table),
    )
