"""Runs: every audit with its date, state and tags; name, copy, delete, restore, and open one made elsewhere."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.characters import brief
from core.errors import RunError
from core.runs import FINISHED, Run
from core.runs.opened import READ_ONLY, is_opened
from core.runs.shelf import Label, labels, shelf
from pages.parts import entry, run_actions, state
from pages.parts.words import of_error, problems_shown

COLUMNS = ["Title", "State", "Done", "Model", "Dataset", "Images", "Tags", "Requested", "Run"]


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
    """The audits whose title, tags, model or dataset contain what was typed; a selected row is shown on every page."""
    names = {dataset.id: state.dataset_name(dataset) for dataset in state.stored_datasets()}
    known = labels()
    rows = [row(key, run, known.get(key, Label()), names) for key, run in runs.items()]
    wanted = st.text_input("Search", placeholder="part of a title, tag, model or dataset").casefold().strip()
    rows = [each for each in rows if wanted in " ".join(str(cell) for cell in each).casefold()]
    if not rows:
        st.text("No audit contains this text.")
        return
    chosen = st.dataframe(
        pd.DataFrame(rows, columns=COLUMNS),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={"Done": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%d %%")},
        alt="Audits with their state",
    ).selection.rows
    st.caption("Select a row to show that audit on every page.")
    if chosen and chosen[0] < len(rows) and rows[chosen[0]][-1] != st.session_state.get("run_id"):
        state.show_run(str(rows[chosen[0]][-1]))
        st.rerun()


def row(key: str, run: Run, label: Label, datasets: dict[str, str]) -> tuple[object, ...]:
    """The cells of one audit; a damaged one is listed as such."""
    try:
        now, plan = state.progress_of(run), run.plan
        title = label.name or brief(plan.declared.title, 120)
        done = 100 if now.state in FINISHED else min(int(100 * now.share), 99)
        dataset = datasets.get(plan.dataset) or plan.dataset[:8]
        cells = (
            title,
            READ_ONLY if is_opened(run) else state.state_of(now)[0],
            done,
            plan.model.title,
            dataset,
            len(plan.images),
        )
    except Exception:  # noqa: BLE001 - a stranger's run may fail in any way, and must not hide the others
        cells = (label.name or "damaged run", "damaged", 0, "", "", 0)
    return (*cells, ", ".join(label.tags), state.started(run), key)


entry.through_app("pages/runs.py")
st.title("Runs")
st.markdown("Every audit of this machine, those opened from other folders or bundles, and further models beside one.")
with problems_shown():
    page()
