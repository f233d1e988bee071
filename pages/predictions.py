"""Predictions: which are implausible and why, and a spot check in which people mark a random sample."""

from __future__ import annotations

import streamlit as st

from core.applications.columns import column_values
from core.applications.predictions.chapter import HOW, label_sentence, share_sentence
from core.applications.predictions.labels import Labelled, by_label, confusions, labelled, wrong_first
from core.applications.predictions.measures import by_class, listed
from core.applications.predictions.record import PredictionsRecord
from core.applications.predictions.tables import BY_LABEL, CLASSES, CONFUSIONS, LISTED
from core.content.words import plural
from core.rules.writing import unbroken
from core.runs import Run
from core.runs.shelf import shelf_id
from pages.parts import address, application_page, gallery, spot_check, tables
from pages.parts.words import plain, tab

ACROSS, SHOWN = 3, 12
VIEWS = {"implausible": "Implausible predictions", "classes": "Classes", "spot-check": "Spot check"}


def page(run: Run, record: PredictionsRecord) -> None:
    """The implausible predictions, all by class, or the spot check."""
    about = record.about
    st.caption(plain(f"{plural(about['images'], 'image')}, {len(about['classes'])} {about['kind']}; {about['model']}."))
    # Not tabs: a shortcut of the spot check must not act while another view is open.
    view = chosen_view()
    if view == "spot-check":
        spot_check.show(run)
        return
    st.text(unbroken(share_sentence(record)))
    if view == "classes":
        classes(run, record)
    else:
        implausible(run, record)
    for sentence in HOW:
        st.caption(plain(sentence))


def chosen_view() -> str:
    """The view, which is part of the address, so that a reload shows the same."""
    key, asked = "predictions-view", st.query_params.get("view", "")
    st.session_state.setdefault(key, asked if asked in VIEWS else next(iter(VIEWS)))
    view = st.segmented_control(
        "View",
        list(VIEWS),
        required=True,
        format_func=lambda name: tab(VIEWS[name]),
        key=key,
        label_visibility="collapsed",
    )
    st.query_params["view"] = view = view or next(iter(VIEWS))
    return view


def implausible(run: Run, record: PredictionsRecord) -> None:
    """The table of implausible predictions and the images of the first."""
    found = listed(record)
    if found.empty:
        st.text("No prediction is implausible.")
        return
    tables.show(LISTED, found)
    entries = [(row.image, f"{row.image_name}: predicted {row.predicted}; {row.why}") for row in found.itertuples()]
    gallery.show(run, entries, across=ACROSS, most=SHOWN, key="implausible")


def classes(run: Run, record: PredictionsRecord) -> None:
    """The agreement by label, the errors and the wrong predictions where there are labels; then all by class."""
    known = labelled(run, record)
    if known is not None:
        st.text(unbroken(label_sentence(known)))
        st.subheader(plain(f"By label, least agreement first (metadata column {known.column})"), anchor=False)
        tables.show(BY_LABEL, by_label(known))
        if pairs := confusions(known):
            st.subheader("Errors, the most frequent first", anchor=False)
            tables.show(CONFUSIONS, pairs)
            st.subheader("Wrong predictions, the label with the least agreement first", anchor=False)
            wrong_predictions(run, known)
    st.subheader("By predicted class", anchor=False)
    tables.show(CLASSES, by_class(record))


def wrong_predictions(run: Run, known: Labelled) -> None:
    """The images with a wrong prediction, of all labels or of those that are chosen; the choice is in the address."""
    wrong, key = wrong_first(known), f"predictions-labels-{run.id}"
    names = list(dict.fromkeys(wrong["label"]))
    address.enter_all(key, "label", names, [], str)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect("Labels", names, key=key, placeholder="All labels", width=420)
        shown = wrong[wrong["label"].isin(chosen or names)]
        # A column with many labels makes no groups that Explore could filter by.
        values = column_values(run.dataset.images).get(known.column)
        if values is not None:
            st.page_link(
                "pages/explore.py", label="Maps of the images with these labels", icon=":material/search:",
                query_params={
                    "run": shelf_id(run), "by": f"label: {known.column}",
                    "value": sorted({values[image] for image in shown["image"]}) if chosen else [],
                },
            )  # fmt: skip
    address.tell("label", chosen)
    entries = [
        (row.image, f"{row.image_name}: {row.label}, predicted as {row.predicted}") for row in shown.itertuples()
    ]
    gallery.show(run, entries, across=ACROSS, most=SHOWN, key="wrong")


application_page.show("predictions", PredictionsRecord.of_run, page)
