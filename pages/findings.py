"""Findings: the register, passed and inconclusive checks, and how far the maps can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.content.charts import agreement_chart, trust_chart
from core.evaluation.metrics import BY_NAME
from core.evaluation.summary import Summary
from core.findings import (
    Finding,
    failing_methods,
    not_drawn,
    reliability_of,
    standings,
    trusted_summary,
)
from core.findings.control_rules import TABLE as STANDINGS_TITLE
from core.findings.control_rules import Standing
from core.findings.opinion import dismissed_sentence, opinion
from core.glossary import definition
from core.reporting.agreement import incomparable_sentences
from core.reporting.assurance import dismissed
from core.reporting.measures import further_table
from core.reporting.tables import FAILURES, NOT_RUN, STANDINGS, pairs_of_methods
from core.reporting.trust import main_table, versus_table
from core.rules import Context, Thresholds
from core.rules.finding import SUBJECTS
from core.runs import FINISHED, Progress, Run
from core.runs.review import Review, finding_review
from pages.parts import address, charts, entry, finding_card, maps, review, saved_views, state, tables
from pages.parts.application_page import COLOURS
from pages.parts.words import empty, plain, problems_shown, tab

PASSED = "Checks whose criterion is shown to hold: the whole 95 % interval lies within the limit."
UNSURE = "Checks that this data could not settle, and what would settle each."

QUESTION = "What is wrong with the model, the images or the texts, how serious is it, and on what evidence?"


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("Findings appear here once an audit has run.", "pages/audit.py", "Plan an audit", QUESTION)
        return
    with state.reading(run):
        summary = state.summary_of(run)
        register = state.findings_of(run) if summary.images else ()
    progress = state.progress_of(run)
    if progress.state not in FINISHED:
        st.warning(
            f"This audit is {state.state_of(progress)[0]}: {progress.images_done} of {progress.images_total} "
            "images are completed, so that the findings are provisional."
        )
    if not summary.images:
        empty("No image of this audit has been processed yet.", "pages/audit.py", "See its progress")
        return
    findings = [item for item in register if item.status == "finding"]
    unsure = [item for item in register if item.status == "cannot_conclude"]
    passed = [item for item in register if item.status == "passed"]
    top = st.container()
    log = review.report_state(run)
    gone = [] if log is None else dismissed(findings, log)
    with top:
        verdict(progress, register, gone)
    labels = (
        f"Findings ({len(findings)}, {len(gone)} dismissed)" if gone else f"Findings ({len(findings)})",
        f"Passed ({len(passed)})",
        f"Cannot conclude ({len(unsure)})",
        "Trust",
        "Not run",
    )
    above = st.container()
    tabs = st.tabs([tab(label) for label in labels])
    with tabs[0]:
        shown = filtered(run, findings, log) if findings else []
        finding_card.enter(run, findings)
        for item in shown:
            finding_card.card(run, item, log)
        finding_card.tell(run)
        if findings and not shown:
            st.text("No finding matches the filters.")
        if not findings:
            st.info("No rule reported a finding. The other tabs list passed and inconclusive checks.")
    for view, items, about in ((tabs[1], passed, PASSED), (tabs[2], unsure, UNSURE)):
        with view:
            st.caption(about)
            for item in items:
                check(item)
            if not items:
                st.text("None.")
    with tabs[3]:
        trust(run, summary)
    with tabs[4]:
        not_run(summary)
    with above:
        saved_views.told(run)


def verdict(progress: Progress, register: Sequence[Finding], gone: Sequence[Finding]) -> None:
    """The opinion of the audit with its reason, how many findings there are of each severity, and which are `gone`."""
    word, reason = opinion(progress, register)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(plain(word), anchor=False, help=plain(definition("Opinion")))
            for severity in COLOURS:
                count = sum(item.severity == severity for item in register if item.status == "finding")
                if count:
                    st.badge(f"{count} {severity}", color=COLOURS[severity])
        st.markdown(plain(reason))
        if gone:
            st.markdown(plain(dismissed_sentence(register, gone)))
        if word == "Cannot conclude" and any(item.needed for item in register):
            st.caption("What would decide each open check stands under \u201cCannot conclude\u201d.")


def filtered(run: Run, findings: list[Finding], log: Review | None) -> list[Finding]:
    """The findings of the chosen severities, subjects and decisions; the choice is part of the address."""
    decisions = {item.id: "open" if log is None else finding_review(log, item.id).decision for item in findings}
    present = [word for word in review.COLOURS if word in decisions.values()]
    severities = [word for word in COLOURS if any(item.severity == word for item in findings)]
    subjects = [name for name in SUBJECTS if any(item.subject == name for item in findings)]
    address.enter_all(f"severity-{run.id}", "severity", severities, [], str)
    address.enter_all(f"subject-{run.id}", "subject", subjects, [], str)
    address.enter_all(f"decision-{run.id}", "decision", present, [], str)
    with st.container(horizontal=True):
        graded = st.pills("Severity", severities, selection_mode="multi", format_func=tab, key=f"severity-{run.id}")
        about = st.pills(
            "About",
            subjects,
            selection_mode="multi",
            format_func=lambda name: tab(SUBJECTS[name]),
            key=f"subject-{run.id}",
        )
        decided = st.pills("Decision", present, selection_mode="multi", format_func=tab, key=f"decision-{run.id}")
    address.tell("severity", graded)
    address.tell("subject", about)
    address.tell("decision", decided)
    return [
        item
        for item in findings
        if item.severity in (graded or severities)
        and item.subject in (about or subjects)
        and decisions[item.id] in (decided or present)
    ]


def check(item: Finding) -> None:
    """A check that passed or could not be concluded, in short."""
    with st.expander(plain(item.title)):
        st.markdown(f"**Result.** {plain(item.condition)}")
        st.markdown(f"**Criterion.** {plain(item.criterion)} {plain(item.threshold)}")
        finding_card.evidence(item.evidence)
        if item.recommendation:
            st.markdown(f"**Recommendation.** {plain(item.recommendation)}")


def trust(run: Run, summary: Summary) -> None:
    """How far the maps can be trusted: against controls, and against each other."""
    tested = _tested(str(run.folder), state.version_of(run))
    drawn, failing = tested.drawn, tested.failing
    if failing:
        st.caption(plain(f"Charts.{tested.not_drawn}"))
    if summary.trust[summary.trust.metric == "faithfulness"].empty:
        st.info("No map was tested by deletion and insertion; how far the maps can be trusted is unknown.")
    else:
        st.subheader("Do the maps show what the score depends on?", anchor=False)
        charts.show(trust_chart(drawn), "Faithfulness of each method with its interval, beside the controls")
        tables.show(*main_table(summary, failing))
        further, rows = further_table(summary)
        if rows:
            with st.expander("Other measures: means over images"):
                tables.show(further, rows)
        with st.expander("What the metrics mean"):
            for name in dict.fromkeys(summary.trust["metric"]):
                if name in BY_NAME:
                    st.markdown(plain(BY_NAME[name].help))
        with st.expander(STANDINGS_TITLE):
            tables.show(STANDINGS, tested.standings)
        with st.expander("Paired differences from the controls"):
            tables.show(*versus_table(summary, tested.thresholds, failing))
    st.subheader("Do the methods agree?", anchor=False)
    for sentence in incomparable_sentences(summary):
        st.caption(plain(sentence))
    if drawn.agreement.empty:
        st.info("Fewer than two methods computed maps that can be compared, so that agreement is not defined.")
    else:
        charts.show(agreement_chart(drawn), "Mean rank correlation of each pair of methods")
        with st.expander("As a table"):
            methods = sorted({*summary.agreement.a, *summary.agreement.b})
            pairs = pairs_of_methods(reliability_of(run, methods), failing)
            tables.show(pairs, summary.agreement)


@dataclass(frozen=True)
class Tested:
    """What the tests of the maps show: the summary that charts are drawn of, the methods that fail, the standings."""

    drawn: Summary
    failing: dict[str, str]
    not_drawn: str
    standings: tuple[Standing, ...]
    thresholds: Thresholds


@st.cache_resource(max_entries=3, show_spinner="Reading the tests of the maps …")
def _tested(folder: str, version: tuple[int, int]) -> Tested:
    run = Run(Path(folder))
    context = Context.of(run, state.summary_of(run))
    return Tested(
        drawn=trusted_summary(context),
        failing=failing_methods(context),
        not_drawn=not_drawn(context),
        standings=standings(context),
        thresholds=context.thresholds,
    )


def not_run(summary: Summary) -> None:
    """Methods that were not run, and failures."""
    st.subheader("Methods that were not run", anchor=False)
    if summary.not_run:
        tables.show(NOT_RUN, [(maps.title(method), side, reason) for method, side, reason in summary.not_run])
    else:
        st.text("Every planned method was run.")
    st.subheader("Failures", anchor=False)
    if summary.failures.empty:
        st.text("Nothing failed.")
    else:
        tables.show(FAILURES, summary.failures)


entry.through_app("pages/findings.py")
st.title("Findings")
with problems_shown():
    page()
