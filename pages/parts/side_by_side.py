"""The current audit beside one of another model on the same images: trust, maps and scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import streamlit as st

from core.content.words import plural
from core.errors import LoupeError
from core.evaluation.comparison import Comparison, compare
from core.findings.comparison_rules import difference_of
from core.reporting.comparison import tables_of
from core.rules import Thresholds, thresholds_of
from core.runs import Run
from core.runs.shelf import shelf, shelf_id
from pages.parts import state, tables, two_models
from pages.parts.words import empty, plain

MOST_RUNS = 20


def show(current: Run) -> None:
    """A choice of audits and the tables; nothing if no other model was audited on this dataset."""
    others = {shelf_id(run): run for run in audits_of_others(current)}
    if not others:
        empty("Audit another model on this dataset to compare the two.", "pages/audit.py", "Plan an audit")
        return
    st.subheader("The same methods on two models", anchor=False)
    chosen = st.selectbox(
        f"{plain(state.model_title(current))} beside",
        list(others),
        format_func=lambda id: f"{state.model_title(others[id])} · {state.run_label(others[id])}",
    )
    try:
        told = compare(current, others[chosen])
    except LoupeError as error:
        st.warning(plain(str(error)))
        return
    st.markdown(plain(verdict(told, thresholds_of(current))))
    st.caption(plain(f"{told.own}, here, beside {told.other}, the other model."))
    st.caption(
        f"{plural(told.images, 'image')}, paired by image and text; 95 % intervals. Agreement of the maps of two "
        "models does not establish their correctness."
    )
    st.subheader("All images", anchor=False)
    for title, (spec, rows) in tables_of(told, thresholds_of(current)).items():
        if len(rows):
            st.markdown(f"**{plain(title)}**")
            tables.show(spec, rows)
    two_models.show(current, others[chosen])


def verdict(told: Comparison, thresholds: Thresholds) -> str:
    """On which of the two models the maps of the same methods are shown to be more faithful, in one sentence."""
    if told.trust.empty:
        return "No method was tested on the same images of both models, so that their maps cannot be compared."
    decided = Counter(difference_of(row, thresholds) for row in told.trust.itertuples())
    if not decided["holds"] + decided["fails"]:
        return (
            f"For {plural(len(told.trust), 'method')} on both models, no difference in faithfulness between "
            f"{told.own} and {told.other} is shown."
        )
    open_ones = decided["undecided"] + decided["too few"]
    return (
        f"Of {plural(len(told.trust), 'method')} on both models, {decided['holds']} explain {told.own} more faithfully "
        f"and {decided['fails']} explain {told.other} more faithfully; for {open_ones} no difference is shown."
    )


def audits_of_others(current: Run) -> list[Run]:
    """Audits of other models on the dataset of `current` that have results, newest first."""
    own = current.manifest.get("model", {}).get("digest")

    def another(run: Run) -> bool:
        return run.manifest.get("model", {}).get("digest") not in (None, own) and run.progress().done > 0

    return audits_on(current, another)


def audits_on(current: Run, wanted: Callable[[Run], bool]) -> list[Run]:
    """The wanted audits on the dataset of `current`, newest first; a warning names each one that cannot be read."""
    runs = []
    for run in shelf().values():
        try:
            if run.plan.dataset == current.plan.dataset and wanted(run):
                runs.append(run)
        except LoupeError as error:
            st.warning(f"{plain(run.id)} is left out: {plain(error)}")
    return runs[:MOST_RUNS]
