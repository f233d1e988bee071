"""Groups of images: every group against the other images, by every measure."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.applications.subgroups.association import associations
from core.applications.subgroups.chapter import HOW, by_size, family, words_told
from core.applications.subgroups.comparisons import Effect, effects
from core.applications.subgroups.record import GroupsRecord
from core.applications.subgroups.tables import ASSOCIATED, EFFECTS
from core.content.words import plural
from core.rules import Context
from core.runs import Run
from pages.parts import application_page, state, tables
from pages.parts.words import plain


def page(run: Run, record: GroupsRecord) -> None:
    """The effects, the largest first; one column and one measure can be chosen."""
    standing = state.version_of(run), state.progress_of(run).state
    every = _effects(str(run.folder), *standing, application_page.written(GroupsRecord, run))
    st.caption(plain(f"{plural(len(record.about['columns']), 'column')}; {record.about['model']}."))
    if not every:
        st.text("No group is large enough to be compared.")
        return
    left, right = st.columns(2)
    columns = left.multiselect("Columns", sorted({effect.group.column for effect in every}))
    measures = right.multiselect("Measures", sorted({effect.measure.title for effect in every}))
    chosen = [
        effect
        for effect in every
        if (not columns or effect.group.column in columns) and (not measures or effect.measure.title in measures)
    ]
    # What an effect is, before the numbers; what else was done, below them.
    st.caption(plain(HOW[0]))
    tables.show(EFFECTS, chosen)
    for sentence in (*HOW[1:], family(every)):
        st.caption(plain(sentence))
    rows = associations(Context.of(run))
    if rows:
        st.subheader("Association with words", anchor=False)
        tables.show(ASSOCIATED, rows)
        for sentence in words_told(record, rows):
            st.caption(plain(sentence))


@st.cache_resource(max_entries=3, show_spinner="Comparing …")
def _effects(folder: str, version: tuple[int, int], standing: str, changed: int) -> list[Effect]:
    """The comparisons of a run, read once for each state of its results and of the record."""
    return by_size(effects(Context.of(Run(Path(folder)))))


application_page.show("subgroups", GroupsRecord.of_run, page)
