"""User study: two maps of one image and text side by side, without the names of their methods."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import streamlit as st

from core.content.words import measured, plural
from core.evaluation.user_preference import PREFERENCE, agreement, preferences
from core.evaluation.user_study import (
    CHOICES,
    QUESTION,
    STUDY,
    Study,
    add_votes,
    counted,
    load_study,
    load_votes,
    start_study,
)
from core.methods import METHODS
from core.rules.writing import unbroken
from core.runs import Run, read_results
from core.runs.results import ResultRow
from core.runs.rows import typed
from core.settings import study_folder
from core.studying import IMAGES, result_lines, study_of
from pages.parts import entry, identity, maps, saved_views, state
from pages.parts.words import empty, plain, problems_shown

KEYS = {"left": "1", "right": "2", "neither": "0"}

PAGE_QUESTION = "Which of two maps do people find more convincing, when they do not know which method made it?"


def page() -> None:
    """Start a study of the current audit, or rate its pairs."""
    run = state.current_run()
    if run is None:
        empty(
            "People can compare the maps of an audit here once it has run.", "pages/audit.py", "Plan an audit", QUESTION
        )
        return
    if not (study_folder(run.id) / STUDY).exists():
        start(run)
        return
    saved_views.whole(run)
    study = load_study(study_folder(run.id))
    rater = rater_of_session(run)
    if rater:
        rate(run, study, rater)


def start(run: Run) -> None:
    """The form that draws the pairs."""
    st.text(
        "People see two maps of one image and text, without the names of the methods, and choose the better one. The "
        "study states how far they agree and which methods they prefer."
    )
    ran = methods_with_maps(str(run.folder), state.version_of(run))
    with st.form("study-start", border=False):
        methods = st.multiselect("Methods", ran, format_func=lambda name: METHODS[name].title, key="study-methods")
        images = st.number_input("Images", 1, 200, IMAGES, key="study-images")
        if identity.button("Draw the pairs", identity.STUDY, form=True, type="primary", icon=":material/casino:"):
            start_study(study_folder(run.id), study_of(run, methods, int(images), run.plan.seed))
            st.rerun()


@st.cache_data(max_entries=8, show_spinner=False)
def methods_with_maps(folder: str, version: tuple[int, int]) -> list[str]:
    """The methods that made a map, by name; no map is read for it. Read once for each state of the results."""
    run = Run(Path(folder))
    # A count of cells stands beside each map.
    mapped = (pc.field("kind") == "method") & (pc.field("status") == "ok") & pc.field("rows").is_valid()
    found: set[str] = set()
    for unit in run.done():
        found |= set(read_results(run.folder, ["kind", "method", "status", "rows"], [unit], mapped)["method"])
    return sorted(found)


def rater_of_session(run: Run) -> str:
    """The name under which this session rates; empty until one is given."""
    key = f"study-as-{run.id}"
    who = identity.actor()
    rater = who.name if who.verified else str(st.session_state.get(key, ""))
    if not rater:
        with st.form("study-name", border=False):
            typed_name = st.text_input("Your name", key="study-rater", max_chars=100)
            if identity.button("Start rating", identity.STUDY, form=True, type="primary") and typed_name.strip():
                st.session_state[key] = " ".join(typed_name.split())
                st.rerun()
    return rater


def rate(run: Run, study: Study, rater: str) -> None:
    """The first pair of the rater's order without a vote; at the end what all votes show."""
    folder = study_folder(run.id)
    votes = load_votes(folder, study)
    given = next((mine for name, mine in counted(votes).items() if name.casefold() == rater.casefold()), {})
    waiting = [at for at in study.order(rater) if at not in given]
    st.progress(len(given) / len(study.pairs), text=f"{len(given)} of {len(study.pairs)} rated by you")
    if not waiting:
        # Only now: what others prefer could influence who still rates.
        results(study, run)
        return
    pair = study.pairs[waiting[0]]
    image = maps.image_of(run, pair.image)
    if image is None:
        st.error("This image is missing from the dataset.")
        return
    st.subheader(plain(f"“{pair.text}”"), anchor=False)
    st.caption(plain(QUESTION))
    found = state.rows_of(run, pair.image)
    found = found[(found.text == pair.text) & (found.kind == "method")]
    values = {row.method: maps.native(row) for row in typed(found, ResultRow)}
    first, *others = st.columns(3)
    with first:
        maps.original(run, image, alt="The image")
    for column, side, method in zip(others, ("left", "right"), (pair.left, pair.right), strict=True):
        with column:
            drawn = values.get(method)
            if drawn is None:
                st.error("This map is missing from the audit.")
                continue
            # All maps on one scale: colours for signs would give some methods away.
            maps.heat(run, image, drawn, signed=False, opacity=0.55, smooth=True, alt=f"The {side} map")
    for column, choice in zip(st.columns(3), CHOICES, strict=True):
        with column:
            chosen = identity.button(
                choice.capitalize(), identity.STUDY, key=f"study-{choice}", shortcut=KEYS[choice], width="stretch"
            )
        if chosen:
            add_votes(folder, rater, {waiting[0]: choice})
            st.rerun()


def results(study: Study, run: Run) -> None:
    """Agreement and preference, with their intervals."""
    votes = load_votes(study_folder(run.id), study)
    alpha = agreement(study, votes)
    st.success("You have rated every pair.")
    value = measured(alpha.value, alpha.low, alpha.high, alpha.n)
    st.text(unbroken(f"{plural(len(counted(votes)), 'rater')}; Krippendorff's alpha {value} images."))
    for line in result_lines(study, preferences(study, votes)):
        st.text(unbroken(line))
    st.caption(plain(f"One half means that neither is preferred; p by flipping signs over images, {PREFERENCE.over}."))


entry.through_app("pages/user_study.py")
st.title("User study")
with problems_shown():
    page()
