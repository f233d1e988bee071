"""Mutual knowledge: the visual concepts that the two towers share, of one model or of several on the same images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from core.applications.knowledge import measures
from core.applications.knowledge.measures import SMALLEST_RANK_CORRELATION
from core.applications.knowledge.record import PROXIES, KnowledgeRecord, PartitionRow, of_run
from core.applications.knowledge.tables import (
    CORRELATIONS,
    EDIT_MEASURES,
    EDITS,
    OVERLAP,
    OVERLAP_MEASURES,
    SHARES,
    correlation_rows,
    decision_rows,
    measure_rows,
    proxy_title,
)
from core.runs import Run
from core.runs.rows import typed
from pages.parts import application_page, charts, image_choice, maps, side_by_side, state, tables
from pages.parts.words import figure, plain

FIRST_CONCEPTS = 5
FEWEST_MODELS = 2  # for a chart of models by two of their measures


def page(run: Run, record: KnowledgeRecord) -> None:
    """A choice of audits of the same dataset, curves, tables and single images."""
    runs = {run.id: run} | {
        other.id: other for other in side_by_side.audits_on(run, lambda one: of_run(one) is not None)
    }
    chosen = st.multiselect(
        "Audits of this dataset",
        list(runs),
        default=list(runs),
        format_func=lambda id: f"{state.model_title(runs[id])} · {state.run_label(runs[id])}",
    )
    if not chosen:
        st.info("Choose at least one audit.")
        return
    records = named({id: runs[id] for id in chosen})
    differences(records)
    curves(records)
    measured(records)
    against_proxies(measures.model_table(records))
    single(run, {name: runs[id] for name, id in zip(records, chosen, strict=True)}, records)


def named(runs: Mapping[str, Run]) -> dict[str, KnowledgeRecord]:
    """The records under the names of their models; the id of the run distinguishes equal names."""
    titles = [state.model_title(run) for run in runs.values()]
    records = {}
    for title, (id, run) in zip(titles, runs.items(), strict=True):
        record = of_run(run)
        assert record is not None
        records[title if titles.count(title) == 1 else f"{title} ({id})"] = record
    return records


def differences(records: Mapping[str, KnowledgeRecord]) -> None:
    """What limits the comparison of the chosen records, and how images were assigned to classes."""
    first, *others = records.items()
    for name, record in others:
        differing = first[1].comparable(record)
        if differing:
            names = f"{plain(name)} and {plain(first[0])}"
            st.warning(f"{names} differ in {' and '.join(differing)}, which limits their comparison.")
    for name, record in records.items():
        st.caption(plain(f"{name}: each image is grouped by {measures.assignment(record)}."))


def curves(records: Mapping[str, KnowledgeRecord]) -> None:
    """The removal curves of all records."""
    st.subheader("Score while shared concepts are removed", anchor=False)
    charts.show(measures.removal_chart(records), "Mean mutual-knowledge score of each model while concepts are removed")
    st.caption(
        "Mean score while the most relevant visual concepts are removed one by one. Dashed: the same for classes that "
        "the model did not predict. Only the distance between the two curves concerns the class."
    )


def measured(records: Mapping[str, KnowledgeRecord]) -> None:
    """Every measure of every model with its interval, and the difference to the control."""
    st.subheader("Overlap of visual and class concepts", anchor=False)
    tables.show(OVERLAP, measure_rows(records, OVERLAP_MEASURES))
    for name, record in records.items():
        for of, told in (("k-means", measures.seeds_told(record)), ("component signs", measures.signs_told(record))):
            if told:
                st.caption(plain(f"{name}, variability of {of}: {told}."))
    st.subheader("Deleting and inserting concepts", anchor=False)
    tables.show(EDITS, measure_rows(records, EDIT_MEASURES))
    st.subheader("Predictions with and without concepts", anchor=False)
    tables.show(SHARES, decision_rows(records))
    if not any(record.labelled for record in records.values()):
        st.caption(
            "This analysis used no labels, so it states no accuracy. Where the images have labels, the "
            "page Predictions compares the predictions with them."
        )


def against_proxies(table: pd.DataFrame) -> None:
    """The area under the curve against measures that need no labels, and against accuracy."""
    st.subheader("Correlation with other measures of the models", anchor=False)
    if len(table) < FEWEST_MODELS:
        st.caption(
            "One model has nothing to correlate with. Audit others on this dataset and choose their audits above; a "
            f"correlation needs {SMALLEST_RANK_CORRELATION} models."
        )
        return
    choices = [*PROXIES, "modality_gap", "class_balance", *(["correct"] if table["correct"].notna().any() else [])]
    column = st.selectbox("Compare the area under the removal curve with", choices, format_func=proxy_title)
    charts.show(measures.proxy_chart(table, column), f"Area under the removal curve against {proxy_title(column)}")
    tables.show(CORRELATIONS, correlation_rows(measures.rank_correlations(table)))
    st.caption(
        f"A rank correlation needs {SMALLEST_RANK_CORRELATION} models, and with few of them it is indicative only."
    )


def single(current: Run, runs: Mapping[str, Run], records: Mapping[str, KnowledgeRecord]) -> None:
    """One image: its parts, visual concepts and shared concepts in every chosen run."""
    st.subheader("One image", anchor=False)
    frame = next(iter(records.values())).images
    names = dict(zip(frame["image"], frame["image_name"], strict=True))
    shown = image_choice.choose(current, names, f"knowledge-image-{current.id}")
    if shown is None:
        return
    image = shown.id
    for name, record in records.items():
        run = runs[name]
        rows = record.partitions[record.partitions["image"] == image]
        entry = maps.image_of(run, image)
        st.markdown(f"**{plain(name)}**")
        if rows.empty or entry is None:
            st.text("This image is not part of that audit.")
            continue
        for row, column in zip(typed(rows, PartitionRow), st.columns(max(len(rows), 2)), strict=False):
            with column:
                opened = maps.pixels(state.dataset_of(run), entry)
                parts = measures.part_image(run, entry, row, opened)
                st.image(np.asarray(parts), width="stretch", alt=f"Parts of {entry.name} by {row.variant}")
                concepts = record.concepts[
                    (record.concepts["image"] == image) & (record.concepts["variant"] == row.variant)
                ].sort_values("rank")
                hits = concepts[concepts["class_rank"] >= 0]["descriptor"].tolist()
                st.caption(
                    plain(
                        f"Parts by {row.variant}; class {row.predicted}; score {figure(row.score, '.2f')}, "
                        f"area {row.auc:.2f}, {row.shared} of {row.visual} concepts shared."
                    )
                )
                st.markdown(f"**Visual concepts.** {plain(', '.join(concepts['descriptor'].head(FIRST_CONCEPTS)))}")
                st.markdown(f"**Shared with the class.** {plain(', '.join(hits) or 'none')}")


application_page.show("knowledge", of_run, page)
