"""What the scores rest on: places, surprising concepts, regions of a picture, and words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.applications.reliance_record import FOLDER, PLACES, RelianceRecord, load, of_run
from core.findings import load_findings
from core.reporting.reliance_tables import (
    checks_shown,
    concepts_shown,
    fall_map,
    kinds_shown,
    least_words,
    places_shown,
)
from core.runs import Run
from pages.parts import entry, maps, state
from pages.parts.words import empty, number, plain, problems_shown, short, tab

HOW = "It runs after an audit if the stage `reliance` is planned."
RULES = ("reliance.", "prompts.templates", "words.", "groups.difference", "data.outliers")
STATUS = {"finding": "finding", "passed": "passed", "cannot_conclude": "can't be concluded"}
MOST_WORDS = 20
COLUMNS = {"fall": "Lost when hidden", "control": "Lost with its shape elsewhere", "only": "Alone"}


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("What scores rest on appears here once an audit has run.", "pages/audit.py", "Plan an audit")
        return
    record = of_run(run)
    if record is None:
        empty(f"This audit did not measure what scores rest on. {HOW}", "pages/audit.py", "Plan an audit with it")
        return
    about = record.about
    left_out = f", {about['pictures_left_out']} of the audit left out" if about["pictures_left_out"] else ""
    st.caption(plain(f"{about['pictures']} pictures{left_out}; {about['regions']} regions; {about['model']}."))
    tabs = st.tabs([tab("Places"), tab("Concepts"), tab("Pictures"), tab("Words"), tab("Checks")])
    places, concepts, kinds, checks = _tables(str(run.folder), run.plan.digest)
    with tabs[0]:
        _places(places, record)
    with tabs[1]:
        _concepts(concepts, kinds)
    with tabs[2]:
        pictures(run, record)
    with tabs[3]:
        _words(checks, record)
    with tabs[4]:
        _judged(run)


def _places(table: pd.DataFrame, record: RelianceRecord) -> None:
    st.text(
        "What the score loses when a place is hidden, as a share of what the whole picture adds to it, and how much of "
        "that is beyond hiding the same shape elsewhere."
    )
    if not record.about["foreground"]:
        st.text("The model doesn't show its features at places, so no background is known.")
    st.dataframe(
        pd.DataFrame(
            {
                "Texts": table["topic"],
                "Place": table["place"].map(PLACES),
                "Score lost": table["fall"].map("{:.0%}".format),
                "Beyond the control (95 % interval)": _intervals(table),
                "Pictures where it costs more": table["pictures"].map("{:.0%}".format),
                "Adjusted p": table["p_adjusted"].round(4),
                "n": table["n"],
            }
        ),
        hide_index=True,
    )


def _concepts(table: pd.DataFrame, kinds: pd.DataFrame) -> None:
    surprises = table[table["surprise"]]
    st.subheader("Surprise list")
    if surprises.empty:
        st.text("No region bears the name of a concept that is unrelated to its text.")
    else:
        st.text("Concepts that have nothing to do with their texts, the one whose removal costs most first.")
        st.dataframe(_concept_frame(surprises), hide_index=True)
    st.subheader("Related concepts")
    st.dataframe(_concept_frame(table[~table["surprise"]]), hide_index=True)
    st.subheader("Concepts of the regions")
    st.dataframe(
        pd.DataFrame(
            {
                "Concept": kinds["concept"],
                "Share of pictures (95 % interval)": _intervals(kinds),
                "Area where it is": kinds["area"].map("{:.0%}".format),
                "Most often beside": kinds["beside"],
                "n": kinds["n"],
            }
        ),
        hide_index=True,
    )
    st.caption("The names are the model's own and may be wrong; the tab Pictures shows the regions.")


def _concept_frame(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Texts": table["topic"],
            "Concept": table["concept"],
            "Related": table["related"].round(2),
            "Score lost": table["fall"].map("{:.0%}".format),
            "Beyond the control (95 % interval)": _intervals(table),
            "Attribution": table["share"].map("{:.0%}".format),
            "Area": table["area"].map("{:.0%}".format),
            "Adjusted p": table["p_adjusted"].round(4),
            "n": table["n"],
        }
    )


def pictures(run: Run, record: RelianceRecord) -> None:
    """One picture: its regions by what each removal costs, and their names."""
    left, right = st.columns((2, 3), vertical_alignment="bottom")
    image = left.selectbox(
        "Picture", list(record.images), format_func=record.images.__getitem__, key=f"reliance-picture-{run.id}"
    )
    rows = record.regions[record.regions["image"] == image]
    pairs = list(dict.fromkeys(zip(rows["text"], rows["text_kind"], strict=True)))
    text, kind = right.selectbox(
        "Text", pairs, format_func=lambda pair: short(pair[0], 90), key=f"reliance-text-{run.id}-{image}"
    )
    picture = maps.picture_of(run, image)
    if picture is None:
        st.error("This picture is no longer in the data set.")
        return
    part = rows[(rows["text"] == text) & (rows["text_kind"] == kind)].sort_values("fall", ascending=False)
    across = st.columns(1 + len(COLUMNS), gap="small")
    with across[0]:
        st.markdown("**Picture**")
        maps.original(run, picture)
    for place, (column, title) in zip(across[1:], COLUMNS.items(), strict=True):
        with place:
            st.markdown(f"**{plain(title)}**")
            values = np.nan_to_num(fall_map(part, column))
            maps.heat(run, picture, values, signed=True, opacity=0.6, smooth=False, alt=f"{title}, {picture.name}")
            maps.scale(values, signed=True, unit="cosine")
    st.dataframe(
        pd.DataFrame(
            {
                "Concept": part["concept"],
                "Nearest by itself": part["nearest"],
                "Related": part["related"].round(2),
                "Lost when hidden": part["fall"].round(4),
                "Control": part["control"].round(4),
                "Alone": part["only"].round(4),
                "Attribution": part["share"].astype(float).map("{:.0%}".format),
                "Area": part["area"].map("{:.0%}".format),
            }
        ),
        hide_index=True,
    )
    st.caption(plain(f"The whole picture adds {float(part['total'].iloc[0]):.4f} to the score."))


def _words(checks: pd.DataFrame, record: RelianceRecord) -> None:
    st.dataframe(
        pd.DataFrame(
            {
                "Number": checks["name"],
                "Value (95 % interval)": _intervals(checks),
                "n": [f"{row.n} {row.of}" for row in checks.itertuples()],
            }
        ),
        hide_index=True,
    )
    words = least_words(record, MOST_WORDS)
    if len(words):
        st.subheader("Words that change least")
        st.dataframe(
            pd.DataFrame(
                {
                    "Word": words["word"],
                    "Change beside the typical word": words["value"].map("{:.0%}".format),
                    "Smallest to largest": [f"{row.low:.0%} to {row.high:.0%}" for row in words.itertuples()],
                    "Sentences": words["n"],
                }
            ),
            hide_index=True,
        )
    st.caption("Text that is in a picture already is not read here.")


def _judged(run: Run) -> None:
    found = [finding for finding in load_findings(run) if finding.rule.startswith(RULES)]
    if not found:
        st.text("The run has not been judged yet.")
        return
    st.dataframe(
        pd.DataFrame(
            {
                "Check": [finding.id for finding in found],
                "Outcome": [STATUS[finding.status] for finding in found],
                "What": [finding.title for finding in found],
                "Why": [finding.condition for finding in found],
            }
        ),
        hide_index=True,
    )


def _intervals(table: Any) -> list[str]:
    return [number(row.value, row.low, row.high) for row in table.itertuples()]


@st.cache_resource(max_entries=4, show_spinner="Comparing …")
def _tables(folder: str, plan: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    run = Run(Path(folder))
    record = load(run.folder / FOLDER)
    return places_shown(run, record), concepts_shown(run, record), kinds_shown(run, record), checks_shown(run, record)


entry.through_app("pages/reliance.py")
st.title("Reliance")
with problems_shown():
    page()
