"""Sanity checks of the methods: the outcome of each check, and all values measured for one method."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.applications.sampling import images_of
from core.applications.sanity.record import SanityRecord, of_run
from core.applications.sanity.tables import (
    FAILS,
    PANEL,
    PASSES,
    PROBLEMS,
    TITLES,
    cascade_chart,
    image_values,
    outcome_of,
    outcomes,
    panel,
)
from core.applications.sanity.verdicts import JUDGED, verdicts
from core.content.words import plural
from core.findings import thresholds_of
from core.rules.parts import title_of
from core.rules.writing import unbroken
from core.runs import Run
from pages.parts import application_page, charts, tables
from pages.parts.application_page import recorded
from pages.parts.words import plain, tab


def page(run: Run, record: SanityRecord) -> None:
    """All methods, one of them, and what failed."""
    about = record.about
    effort = about["options"]["effort"]
    st.caption(plain(f"{images_of(about)}; {about['model']}; methods with {effort} settings."))
    tabs = st.tabs([tab("Methods and checks"), tab("One method"), tab("Failures")])
    with tabs[0]:
        every(run, record)
    with tabs[1]:
        one(run, record)
    with tabs[2]:
        application_page.failures(PROBLEMS, about["problems"])


def every(run: Run, record: SanityRecord) -> None:
    """The outcome of every method and check, why methods fail, and the cascade of weights."""
    thresholds = thresholds_of(run)
    judged = verdicts(run, thresholds, record)
    tables.show(outcomes(record, judged), record.methods)
    failing = [verdict for verdict in judged if verdict.outcome == "fails"]
    for verdict in failing:
        st.text(unbroken(f"{title_of(verdict.method)} fails: {verdict.reason}."))
    if failing:
        st.caption("Methods that fail are excluded from the conclusions of the report.")
    else:
        st.text("No method fails.")
    st.caption(
        "A method passes if its maps are shown to depend on the weights and the text, and only on these; it is "
        "undecided if the interval contains the limit. Passing does not show that maps mark the right regions: a map "
        "with inverted sign passes too. The comparison with controls tests that."
    )
    if not record.of_check("model", "last_block").empty:
        charts.show(cascade_chart(record), "Rank correlation of maps under cascading randomisation of the weights")


def one(run: Run, record: SanityRecord) -> None:
    """All values measured for one method: outcomes, means and the value of each image."""
    method = st.selectbox("Method", record.methods, format_func=title_of, key=f"sanity-method-{run.id}")
    judged = verdicts(run, thresholds_of(run), record)
    for column, check in zip(st.columns(len(JUDGED)), JUDGED, strict=True):
        outcome = outcome_of(judged, method, check)
        sign = {FAILS: ":material/close:", PASSES: ":material/check:"}.get(outcome, "")
        column.markdown(f"**{TITLES[check]}**  \n{sign} {plain(outcome)}")
    used = record.about["methods"][method]
    checks = "all checks" if used["all"] else "only the checks that are judged; the remaining ones exceed the budget"
    options = ", ".join(f"{name} = {value}" for name, value in used["options"].items()) or "defaults"
    st.caption(plain(f"{plural(used['images'], 'image')}, {checks}; options: {options}."))
    tables.show(PANEL, _panel(str(run.folder), run.plan.digest, method))
    with st.expander("Values of each image"):
        tables.show(*image_values(record, method))


@st.cache_resource(max_entries=40, show_spinner="Reading …")
def _panel(folder: str, plan: str, method: str) -> pd.DataFrame:
    return panel(recorded(of_run, folder), method)


application_page.show("sanity", of_run, page)
