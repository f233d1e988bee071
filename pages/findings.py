"""Findings: the register, what passed, what can't be concluded, and how far the maps can be trusted."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core.evaluation.summary import Summary
from core.findings import Finding, Number, Sample
from core.reporting.charts import agreement_chart, trust_chart
from core.runs import FINISHED, Run
from pages.parts import charts, entry, maps, state
from pages.parts.words import empty, number, plain, problems_shown, short, tab

COLOURS: dict[str, Any] = {"high": "red", "medium": "orange", "low": "blue", "note": "gray"}
PER_SAMPLE = 3
ACROSS = 6


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("Findings appear here once an audit has run.", "pages/audit.py", "Plan an audit")
        return
    summary = state.summary_of(run)
    progress = state.progress_of(run)
    if progress.state not in FINISHED:
        st.warning(
            f"This audit is {state.state_of(progress)[0]}: {progress.images_done} of {progress.images_total} "
            "pictures are done, so nothing here is final."
        )
    if not summary.images:
        empty("No picture of this audit is done yet.", "pages/audit.py", "See its progress")
        return
    register = state.findings_of(run)
    found = [item for item in register if item.status == "finding"]
    unsure = [item for item in register if item.status == "cannot_conclude"]
    passed = [item for item in register if item.status == "passed"]
    with st.container(horizontal=True):
        for severity in ("high", "medium", "low", "note"):
            count = sum(item.severity == severity for item in found)
            st.metric(severity.capitalize(), count, border=True)
        st.metric("Passed", len(passed), border=True)
        st.metric("Cannot conclude", len(unsure), border=True)
    labels = (
        f"Findings ({len(found)})",
        f"Passed ({len(passed)})",
        f"Cannot conclude ({len(unsure)})",
        "Trust",
        "Not run",
    )
    tabs = st.tabs([tab(label) for label in labels])
    with tabs[0]:
        for item in found:
            finding(run, item)
        if not found:
            st.info("No rule found anything to report. See what passed and what could not be concluded.")
    for place, items in ((tabs[1], passed), (tabs[2], unsure)):
        with place:
            for item in items:
                check(item)
            if not items:
                st.text("None.")
    with tabs[3]:
        trust(summary)
    with tabs[4]:
        not_run(summary)


def finding(run: Run, item: Finding) -> None:
    """One line of the register."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(item.severity, color=COLOURS[item.severity])
            st.subheader(plain(item.title), anchor=False)
        st.caption(f"{plain(item.id)} · rule {plain(item.rule)}")
        left, right = st.columns((4, 3), gap="large")
        with left:
            for label, text in (
                ("Condition", item.condition),
                ("Criterion", f"{item.criterion} ({item.threshold})" if item.threshold else item.criterion),
                ("Likely cause", item.cause),
                ("Effect", item.effect),
                ("Recommendation", item.recommendation),
            ):
                if text:
                    st.markdown(f"**{label}.** {plain(text)}")
        with right:
            evidence(item.evidence)
            if item.grade:
                grade = item.grade
                st.caption(
                    f"Severity {grade.value:.2f} = impact {grade.impact:.2f} × likelihood {grade.likelihood:.2f} × "
                    f"confidence {grade.confidence:.2f}"
                )
        if item.samples:
            st.markdown("**Samples that show it**")
            samples(run, item.samples)
            st.caption(plain(item.rule_of_samples))
        if item.counter or item.counter_note:
            st.markdown("**Counter-evidence**")
            samples(run, item.counter)
            st.caption(plain(item.counter_note))
        if item.reproduce:
            with st.expander("Reproduce"):
                st.code(item.reproduce, language="bash")


def evidence(numbers: tuple[Number, ...]) -> None:
    """Values with interval and n."""
    rows = [(plain(item.name), plain(number(item.value, item.low, item.high, item.unit)), item.n) for item in numbers]
    if rows:
        table = pd.DataFrame(rows, columns=["Measure", "Value (95 % interval)", "n"])
        st.table(table, border="horizontal", hide_index=True)


def samples(run: Run, chosen: tuple[Sample, ...]) -> None:
    """Pictures with the maps that the finding is about, several samples a row."""
    shown = [(sample, picture) for sample in chosen if (picture := maps.picture_of(run, sample.image)) is not None]
    cells = 1 + max((min(len(sample.methods), PER_SAMPLE) for sample, _ in shown), default=0)
    each = max(1, ACROSS // cells)
    for start in range(0, len(shown), each):
        columns = iter(st.columns(each * cells))
        for sample, picture in shown[start : start + each]:
            rows = sample_rows(run, sample)
            for at in range(cells):
                with next(columns):
                    if at == 0:
                        st.markdown(f"**{plain(short(sample.image_name, 24))}**")
                        maps.original(run, picture)
                        st.caption(plain(" · ".join(part for part in (sample.text, sample.note) if part)))
                    elif at <= len(rows):
                        row = next(rows.iloc[[at - 1]].itertuples())
                        maps.method_card(run, picture, row, opacity=0.55, smooth=True)


def sample_rows(run: Run, sample: Sample) -> pd.DataFrame:
    """The result rows of the maps to show for a sample."""
    rows = state.rows_of(run, sample.image)
    rows = rows[(rows["kind"] == "method") & rows["method"].isin(sample.methods)]
    if sample.text is not None:
        rows = rows[rows["text"] == sample.text]
    return rows.drop_duplicates("method").head(PER_SAMPLE)


def check(item: Finding) -> None:
    """A check that passed or could not be concluded, in short."""
    with st.expander(plain(item.title)):
        st.markdown(f"**What was seen.** {plain(item.condition)}")
        st.markdown(f"**Criterion.** {plain(item.criterion)} {plain(item.threshold)}")
        evidence(item.evidence)
        if item.recommendation:
            st.markdown(f"**Recommendation.** {plain(item.recommendation)}")


def trust(summary: Summary) -> None:
    """How far the maps can be trusted: against controls, and against each other."""
    if summary.trust.empty:
        st.info("No map was tested by deletion and insertion, so trust can't be concluded.")
    else:
        st.subheader("Do maps find what the score depends on?", anchor=False)
        charts.show(trust_chart(summary), "Faithfulness of each method with interval, beside controls")
        wide = {"method": st.column_config.TextColumn(width="medium")}
        st.dataframe(_table(summary.trust, ["method", "kind", "metric"]), hide_index=True, column_config=wide)
        with st.expander("Paired differences to the controls"):
            st.dataframe(_table(summary.versus, ["method", "control"], ["p_adjusted"]), hide_index=True)
    st.subheader("Do methods agree?", anchor=False)
    if summary.agreement.empty:
        st.info("Fewer than two methods gave maps, so their agreement can't be concluded.")
    else:
        charts.show(agreement_chart(summary), "Mean rank correlation of each pair of methods")
        with st.expander("As a table"):
            st.dataframe(_table(summary.agreement, ["a", "b"], ["overlap"]), hide_index=True)


def _table(frame: pd.DataFrame, names: list[str], more: list[str] | None = None) -> pd.DataFrame:
    shown = frame[names].copy()
    for name in ("method", "a", "b"):
        if name in shown:
            shown[name] = shown[name].map(maps.title)
    shown["value (95 % interval)"] = [number(row.value, row.low, row.high) for row in frame.itertuples()]
    shown["n"] = frame["n"]
    for name in more or []:
        shown[name.replace("_", " ")] = frame[name].round(3)
    return shown


def not_run(summary: Summary) -> None:
    """Skipped methods and failed parts."""
    skipped = pd.DataFrame(
        [(maps.title(method), side, reason) for method, side, reason in summary.not_run],
        columns=["Method", "Side", "Why"],
    )
    st.subheader("Methods that could not be run", anchor=False)
    if skipped.empty:
        st.text("Every planned method was run.")
    else:
        st.dataframe(skipped, hide_index=True)
    st.subheader("Parts that failed", anchor=False)
    if summary.failures.empty:
        st.text("No part failed.")
    else:
        st.dataframe(summary.failures.drop(columns="image"), hide_index=True)


entry.through_app("pages/findings.py")
st.title("Findings")
with problems_shown():
    page()
