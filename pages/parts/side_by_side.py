"""The current audit beside one of another model on the same pictures: trust, maps and scores."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from core.errors import LoupeError
from core.evaluation.comparison import Comparison, compare
from core.reporting.charts import method_title
from core.reporting.comparison import KINDS
from core.runs import Run, list_runs
from core.settings import runs_folder
from pages.parts import state
from pages.parts.words import number, plain, short

MOST_RUNS = 20
LONGEST_NAME = 26


def show(current: Run) -> None:
    """A choice of audits and the tables; nothing if no other model was audited on this data set."""
    others = {run.id: run for run in audits_of_others(current)}
    if not others:
        st.caption("Audit another model on this data set, and the explanations of both are compared here.")
        return
    st.subheader("The same methods on two models", anchor=False)
    chosen = st.selectbox(
        f"{plain(current.plan.model.title)} beside",
        list(others),
        format_func=lambda id: f"{others[id].plan.model.title} · {state.run_label(others[id])}",
    )
    try:
        told = compare(current, others[chosen])
    except LoupeError as error:
        st.warning(plain(str(error)))
        return
    st.caption(plain(f"{told.own} beside {told.other}."))
    st.caption(
        f"{told.pictures} pictures, paired by picture and text; 95 % intervals. That two models' maps agree does not "
        "make them right."
    )
    for title, table in tables(told).items():
        if len(table):
            st.markdown(f"**{title}**")
            st.dataframe(table, hide_index=True)


def audits_of_others(current: Run) -> list[Run]:
    """Audits of other models on the data set of `current` that have results, newest first."""
    own = current.manifest.get("model", {}).get("digest")

    def another(run: Run) -> bool:
        return run.manifest.get("model", {}).get("digest") not in (None, own) and run.progress().done > 0

    return audits_on(current, another)


def audits_on(current: Run, wanted: Callable[[Run], bool]) -> list[Run]:
    """The wanted audits on the data set of `current`, newest first; one that can't be read is told and left out."""
    found = []
    for run in list_runs(runs_folder()):
        try:
            if run.plan.dataset == current.plan.dataset and wanted(run):
                found.append(run)
        except LoupeError as error:
            st.warning(f"{plain(run.id)} is left out: {plain(error)}")
    return found[:MOST_RUNS]


def tables(told: Comparison) -> dict[str, pd.DataFrame]:
    """The three tables as they are shown: every heading in words, every value with its 95 % interval."""
    here, other = names(told)
    trust, maps, scores = told.trust, told.maps, told.scores
    return {
        "Faithfulness": pd.DataFrame(
            {
                "Method": [method_title(name) for name in trust["method"]],
                here: trust["own"].round(2),
                other: trust["theirs"].round(2),
                "Difference (95 % interval)": _values(trust),
                "Pictures": trust["n"].astype(int),
            }
        ),
        "Rank correlation of their maps": pd.DataFrame(
            {
                "Method": [method_title(name) for name in maps["method"]],
                "Rank correlation (95 % interval)": _values(maps),
                "Overlap of the best fifth": [f"{value:.0%}" for value in maps["overlap"]],
                "Pictures": maps["n"].astype(int),
            }
        ),
        "Rank correlation of their scores": pd.DataFrame(
            {
                "Texts": [KINDS.get(kind, kind) for kind in scores["text_kind"]],
                "Different texts": scores["texts"].astype(int),
                "Rank correlation (95 % interval)": _values(scores),
                "Same best text": [f"{value:.0%}" for value in scores["same_best"]],
                "Pictures": scores["n"].astype(int),
            }
        ),
    }


def names(told: Comparison) -> tuple[str, str]:
    """The two models as headings of columns: cut to what fits, and told apart where that makes them equal."""
    here, other = short(told.own, LONGEST_NAME), short(told.other, LONGEST_NAME)
    return (here, other) if here != other else (f"{here} (this)", f"{other} (other)")


def _values(table: pd.DataFrame) -> list[str]:
    return [number(row.value, row.low, row.high) for row in table.itertuples()]
