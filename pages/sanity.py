"""Sanity checks of the methods: which pass, and all that was measured of one of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.applications.sanity_record import FOLDER, SanityRecord, load, of_run
from core.findings import load_thresholds, run_thresholds
from core.findings.sanity_verdicts import JUDGED, verdicts
from core.reporting.charts import method_title
from core.reporting.sanity_tables import FAILS, PASSES, TITLES, cascade_chart, overview, panel, word_of
from core.runs import Run
from pages.parts import charts, entry, state
from pages.parts.words import empty, plain, problems_shown, tab

HOW = "It runs after an audit if the stage `sanity` is planned."


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("Sanity checks appear here once an audit has run.", "pages/audit.py", "Plan an audit")
        return
    record = of_run(run)
    if record is None:
        empty(f"This audit did not check its methods. {HOW}", "pages/audit.py", "Plan an audit with it")
        return
    about = record.about
    left_out = f", {about['pictures_left_out']} of the audit left out" if about["pictures_left_out"] else ""
    effort = about["options"]["effort"]
    st.caption(plain(f"{about['pictures']} pictures{left_out}; {about['model']}; methods with {effort} settings."))
    tabs = st.tabs([tab("Methods and checks"), tab("One method"), tab("What failed")])
    with tabs[0]:
        every(run, record)
    with tabs[1]:
        one(run, record)
    with tabs[2]:
        problems(record)


def every(run: Run, record: SanityRecord) -> None:
    """The word of every method and check, why methods fail, and the cascade of weights."""
    thresholds = load_thresholds(run_thresholds(run))
    judged = verdicts(run, thresholds, record)
    st.dataframe(overview(record, judged), hide_index=True)
    failed = [verdict for verdict in judged if verdict.word == "fails"]
    for verdict in failed:
        st.text(f"{method_title(verdict.method)} fails: {verdict.reason}.")
    if failed:
        st.caption("Methods that fail are left out of the report's conclusions.")
    else:
        st.text("No method fails.")
    st.caption(
        "A pass says that maps change with the weights and the text and with nothing else. It doesn't say that they "
        "point at the right places: a map with its sign turned passes. The comparison with controls is for that."
    )
    if not record.of_check("model", "last_block").empty:
        charts.show(cascade_chart(record), "Rank correlation of maps while weights are drawn anew")


def one(run: Run, record: SanityRecord) -> None:
    """All that was measured of one method, in words, as means and picture by picture."""
    method = st.selectbox("Method", record.methods, format_func=method_title, key=f"sanity-method-{run.id}")
    judged = verdicts(run, load_thresholds(run_thresholds(run)), record)
    for place, check in zip(st.columns(len(JUDGED)), JUDGED, strict=True):
        word = word_of(judged, method, check)
        sign = {FAILS: ":material/close:", PASSES: ":material/check:"}.get(word, "")
        place.markdown(f"**{TITLES[check]}**  \n{sign} {plain(word)}")
    told = record.about["methods"][method]
    checks = "all checks" if told["all"] else "judged checks only, the others are too dear"
    options = ", ".join(f"{name} = {value}" for name, value in told["options"].items()) or "the defaults"
    st.caption(plain(f"{told['pictures']} pictures, {checks}; options: {options}."))
    st.dataframe(_panel(str(run.folder), run.plan.digest, method), hide_index=True)
    rows = record.checks[record.checks["method"] == method]
    with st.expander("Picture by picture"):
        wide = rows.assign(what=rows["check"] + rows["variant"].map(lambda name: f" ({name})" if name else ""))
        st.dataframe(wide.pivot_table(index="image_name", columns="what", values="value", sort=False).round(3))


def problems(record: SanityRecord) -> None:
    """Explanations that gave nothing."""
    found = record.about["problems"]
    if not found:
        st.text("Every explanation that was asked for was made.")
        return
    frame = pd.DataFrame(found, columns=["Method", "Picture", "State", "Reason"])
    st.dataframe(frame.assign(Method=frame["Method"].map(method_title)), hide_index=True)


@st.cache_resource(max_entries=40, show_spinner="Reading …")
def _panel(folder: str, plan: str, method: str) -> pd.DataFrame:
    run = Run(Path(folder))
    return panel(load(run.folder / FOLDER), method)


entry.through_app("pages/sanity.py")
st.title("Sanity checks")
with problems_shown():
    page()
