"""Images and texts: issues, copies, images of another kind, languages."""

from __future__ import annotations

import streamlit as st

from core.applications.data_checks.chapter import HOW, language_rows
from core.applications.data_checks.measures import copy_groups, issues
from core.applications.data_checks.record import DataRecord
from core.applications.data_checks.tables import COPIES, KINDS, LANGUAGES, issue_table
from core.content.words import percent, plural
from core.rules import thresholds_of
from core.runs import Run
from pages.parts import application_page, gallery, tables
from pages.parts.words import plain, tab

ACROSS, SHOWN = 4, 24


def page(run: Run, record: DataRecord) -> None:
    """The issues with their images, copies, images of another kind, and languages."""
    about, thresholds = record.about, thresholds_of(run)
    st.caption(plain(f"{plural(about['images'], 'image')}, {plural(about['texts'], 'text')}; {about['model']}."))
    tabs = st.tabs([tab("Issues"), tab("Copies"), tab("Images of another kind"), tab("Languages")])
    with tabs[0]:
        every = issues(record)
        tables.show(issue_table(thresholds), every)
        for issue in every:
            if issue.count:
                with st.expander(plain(f"{issue.name}: {plural(issue.count, 'image')}")):
                    rows = issue.images.itertuples()
                    gallery.show(
                        run, [(row.image, row.image_name) for row in rows], across=ACROSS, most=SHOWN, key=issue.name
                    )
    with tabs[1]:
        groups = copy_groups(record)
        if groups:
            tables.show(COPIES, groups)
            entries = [
                (image, f"Group {number}: {name}")
                for number, group in enumerate(groups, 1)
                for image, name in zip(group.images, group.names, strict=True)
            ]
            gallery.show(run, entries, across=ACROSS, most=SHOWN, key="copies")
        else:
            st.text("No image repeats another one.")
        most = percent(float(thresholds["data.duplicates.most_share"]))
        st.caption(plain(f"A finding is reported where more than {most} of the images repeat another one."))
    with tabs[2]:
        if len(record.kinds):
            tables.show(KINDS, record.kinds)
            rows = record.kinds.itertuples()
            gallery.show(run, [(row.image, row.image_name) for row in rows], across=ACROSS, most=SHOWN, key="kinds")
        else:
            st.text("No image is of another kind than the rest.")
    with tabs[3]:
        languages = language_rows(record)
        if languages:
            tables.show(LANGUAGES, languages)
        else:
            st.text("The audit has no texts.")
    for sentence in HOW:
        st.caption(plain(sentence))


application_page.show("data_checks", DataRecord.of_run, page)
