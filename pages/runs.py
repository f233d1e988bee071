"""All audits: every one with its date, state and tags; name, copy, delete, restore, and open one made elsewhere."""

from __future__ import annotations

import hashlib
from functools import partial

import pandas as pd
import streamlit as st

from core.characters import brief
from core.errors import RunError
from core.runs import FINISHED, Run
from core.runs.opened import READ_ONLY, is_opened
from core.runs.shelf import Label, labels, shelf
from pages.parts import entry, run_actions, state
from pages.parts.words import of_error, problems_shown

COLUMNS = ["Name", "State", "Done", "Model", "Dataset", "Images", "Tags", "Requested", "Run"]


def page() -> None:
    """The list, what can be done with the selected audit, opening, and the trash."""
    runs = shelf()
    if not runs:
        st.info("Nothing to show yet. An audit appears here once it has been planned, or opened from a folder.")
        st.page_link("pages/audit.py", label="Plan an audit", icon=":material/arrow_forward:")
    else:
        table(runs)
        selected(runs)
    run_actions.opening()
    run_actions.opening_bundle()
    run_actions.trash_can()


def selected(runs: dict[str, Run]) -> None:
    """What can be done with the selected audit; one whose plan this version cannot read can be planned again."""
    try:
        run = state.current_run()
    except RunError as error:
        st.error(of_error(error), icon=":material/error:")
        run_actions.replan(runs[st.session_state["run_id"]])
        return
    if run is not None:
        run_actions.show(run)


def table(runs: dict[str, Run]) -> None:
    """The audits whose name, tags, model or dataset contain what was typed; the one of a clicked row is selected."""
    names = {dataset.id: state.dataset_name(dataset) for dataset in state.stored_datasets()}
    known = labels()
    rows = [row(key, run, known.get(key, Label()), names) for key, run in runs.items()]
    wanted = st.text_input("Search", placeholder="part of a name, tag, model or dataset").casefold().strip()
    rows = [each for each in rows if wanted in " ".join(str(cell) for cell in each).casefold()]
    if not rows:
        st.text("No audit contains this text.")
        return
    ids = [str(each[-1]) for each in rows]
    # A key by the listed audits: what changes in a row, its progress above all, leaves the selection as it is.
    key = f"runs-{hashlib.sha256(repr(ids).encode()).hexdigest()[:16]}"
    shown = [at for at, id in enumerate(ids) if id == st.session_state.get("run_id")]
    # Set where it differs alone: the selector of the sidebar may have changed the audit, or a click have named a cell.
    if key not in st.session_state or st.session_state[key]["selection"] != _selection(shown):
        st.session_state[key] = {"selection": _selection(shown)}
    st.caption("Click a row to select its audit; every page then shows it.")
    st.dataframe(
        pd.DataFrame(rows, columns=COLUMNS),
        hide_index=True,
        key=key,
        on_select=partial(_select, key, ids),
        selection_mode=["single-row", "single-cell"],
        # Narrow enough that the last column, the run, is not cut off at 1440 pixels.
        column_config={
            "Done": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%d %%", width=100),
            "Model": st.column_config.TextColumn(width=190),
        },
        alt="Audits with their state",
    )


def _selection(rows: list[int]) -> dict[str, list[int]]:
    """A selection of whole rows."""
    return {"rows": rows, "columns": [], "cells": []}


def _select(key: str, ids: list[str]) -> None:
    """Show the audit whose row was ticked, or in whose row a cell was clicked."""
    chosen = st.session_state[key]["selection"]
    rows = [row for row, _ in chosen["cells"]] or chosen["rows"]
    if rows:
        state.show_run(ids[rows[0]])


def row(key: str, run: Run, label: Label, datasets: dict[str, str]) -> tuple[object, ...]:
    """The cells of one audit; a damaged one is listed as such."""
    try:
        now, plan = state.progress_of(run), run.plan
        title = label.name or brief(plan.declared.title, 120)
        done = 100 if now.state in FINISHED else min(int(100 * now.share), 99)
        dataset = datasets.get(plan.dataset) or state.dataset_of_run(run)
        cells = (
            title,
            READ_ONLY if is_opened(run) else state.state_of(now)[0],
            done,
            state.model_title(run),
            dataset,
            len(plan.images),
        )
    except Exception:  # noqa: BLE001 - a stranger's run may fail in any way, and must not hide the others
        cells = (label.name or "damaged audit", "damaged", 0, "", "", 0)
    return (*cells, ", ".join(label.tags), state.started(run), key)


entry.through_app("pages/runs.py")
st.title("All audits")
st.markdown(
    "Audits on this machine, also those opened from other folders or bundles. A further model that was audited on "
    "the same images has a row of its own. The column Run has the name under which the command line knows an audit."
)
with problems_shown():
    page()
