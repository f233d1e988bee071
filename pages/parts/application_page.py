"""The frame that the pages of applications share: title, choice of run, empty states, and what failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st

from core.applications.absent import absent
from core.applications.record import Record as StoredRecord
from core.applications.registry import application
from core.characters import brief
from core.content.conclusions import conclusions
from core.content.tables import TableSpec
from core.content.words import plural
from core.errors import RunError
from core.findings import load_findings
from core.rules.writing import unbroken
from core.runs import STOPPED, Run
from pages.parts import again, entry, review, saved_views, state, tables
from pages.parts.words import LONGEST, empty, plain, problems_shown

Record = TypeVar("Record")
COLOURS: dict[str, Any] = {"high": "red", "medium": "orange", "low": "blue", "note": "gray"}
ORDER, MOST = tuple(COLOURS), 6
OTHERS = {"passed": ":green-badge[passed]", "cannot_conclude": ":gray-badge[inconclusive]"}
INCONCLUSIVE = "Inconclusive: "
_NOTE = re.compile(r" \([^()]*\)$")
PLAN = ("pages/audit.py", "Plan an audit")


def show(name: str, of_run: Callable[[Run], Record | None], body: Callable[[Run, Record], None]) -> None:
    """The page `pages/<name>.py`: `body` with the current run and its record, or why there is none and what to do."""
    entry.through_app(f"pages/{name}.py")
    info = application(name)
    st.title(info.page.title if info.page else info.card.title)
    st.markdown(plain(info.card.question))
    with problems_shown():
        run = state.current_run()
        if run is None:
            empty(f"“{info.card.title}” appears here once an audit has run.", *PLAN)
            return
        record = of_run(run)
        if record is None:
            nothing(run, name)
            return
        answer(run, name)
        above = st.container()
        body(run, record)
        with above:
            saved_views.told(run)


def answer(run: Run, name: str) -> None:
    """What the rules of the application concluded when the run was last judged; nothing if it was not."""
    rules = {rule.id for rule in application(name).rules()}
    judged = [item for item in load_findings(run) if item.rule in rules]
    if not judged:
        return
    findings = sorted(
        (item for item in judged if item.status == "finding"), key=lambda item: ORDER.index(item.severity)
    )
    badges = review.decided(run, findings)
    for item in findings[:MOST]:
        told = f":{COLOURS[item.severity]}-badge[{item.severity}] {plain(item.title)} {badges.get(item.id, '')}"
        st.markdown(told.rstrip())
    for status, badge in OTHERS.items():
        titles = told_once([item.title for item in judged if item.status == status])
        if titles:
            more = f" · and {len(titles) - MOST} more" if len(titles) > MOST else ""
            st.markdown(f"{badge} {plain(' · '.join(titles[:MOST]) + more)}")
    count = {status: sum(item.status == status for item in judged) for status in OTHERS}
    st.caption(
        f"Checks on this page: {plural(len(findings), 'finding')}, {count['passed']} passed, "
        f"{count['cannot_conclude']} without a conclusion."
    )


def told_once(titles: Sequence[str]) -> list[str]:
    """The titles without the word that the badge says; those that only differ in a note at their end are one."""
    alike: dict[str, list[str]] = {}
    for title in titles:
        title = title.removeprefix(INCONCLUSIVE)
        alike.setdefault(_NOTE.sub("", title), []).append(title[:1].upper() + title[1:])
    return [each[0] if len(each) == 1 else f"{_NOTE.sub('', each[0])} ({len(each)} checks)" for each in alike.values()]


def in_words(run: Run, name: str) -> None:
    """What every check of the application measured, folded: the first lines of the page say how it ended."""
    sentences = conclusions(state.findings_of(run), name)
    if sentences:
        with st.expander("The checks in full, with what would have decided them"):
            for sentence in sentences:
                st.text(unbroken(sentence))


def written(kind: type[StoredRecord], run: Run) -> int:
    """When the record of this kind was written in a run, by which readings of it are cached; 0 if there is none."""
    file = kind.folder_of(run) / kind.ABOUT
    return file.stat().st_mtime_ns if file.exists() else 0


def recorded(of_run: Callable[[Run], Record | None], folder: str) -> Record:
    """The record in a run directory, for a cached table. Raises `RunError` if there is none."""
    record = of_run(Run(Path(folder)))
    if record is None:
        raise RunError(f"{folder} has no such record any more; reload the page")
    return record


def nothing(run: Run, name: str) -> None:
    """Why the run has no record of the application, and the way to an audit that has one."""
    planned = name in {part.name for part in run.plan.applications}
    over = state.progress_of(run).state in STOPPED
    if planned or not over:
        empty(missing(run, name), *PLAN, head="Not computed." if over else "Nothing to show yet.")
        return
    with st.container(border=True):
        st.markdown(f"**Not part of this audit.** {plain(missing(run, name))}")
        if st.button("Plan this audit again with it", icon=":material/arrow_forward:", key="plan-with-it"):
            again.edit(run, adding=name)


def missing(run: Run, name: str) -> str:
    """Why the run has no record of the application, in one sentence that a person can act on."""
    title = f"“{application(name).card.title}”"
    if name not in {part.name for part in run.plan.applications}:
        if state.progress_of(run).state in STOPPED:
            return f"This audit does not include {title}, and an audit that is over gains no analysis."
        return f"This audit does not include {title}. Select it when you plan an audit."
    reason = absent(run).get(name)
    if reason is not None:
        return brief(f"{title}: {reason}.", LONGEST)
    if state.progress_of(run).state in STOPPED:
        return f"{title} was planned, but this audit stopped before it was computed."
    return f"{title} is computed after the maps; this audit is still at work."


def failures(spec: TableSpec, rows: Sequence[Sequence[Any]]) -> None:
    """What could not be computed, a row each."""
    if not rows:
        st.text("Everything that was requested was computed.")
        return
    tables.show(spec, rows)
