"""Segmentation: the label of each pixel, the labels of the whole image, prompt points, and caption tokens."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.applications.segmentation.chapter import area_chart, why_words
from core.applications.segmentation.multilabel import RECIPES
from core.applications.segmentation.points import draw_points
from core.applications.segmentation.record import (
    SegmentationRecord,
    area_table,
    empty_table,
    of_run,
    overlap_table,
    precision_table,
)
from core.applications.segmentation.rows import MapRow
from core.applications.segmentation.tables import (
    AREAS,
    BACKGROUND,
    MAPS,
    OVERLAP,
    RANKED,
    estimate_text,
    label_title,
    precision,
    ranked_rows,
)
from core.content.heat import fit
from core.content.words import percent, plural
from core.datasets import DatasetImage
from core.runs import Run
from core.runs.rows import typed
from core.statistics import Interval
from core.statistics.shares import share_of_images
from pages.parts import application_page, charts, image_choice, maps, state, tables
from pages.parts.words import coloured_words, figure, plain, tab

LEGEND = 8
SHOWN_LABELS = 3
LARGEST = 3


def page(run: Run, record: SegmentationRecord) -> None:
    """One image, all images, and the ranking of labels."""
    for sentence in found(run, record):
        st.markdown(plain(sentence))
    sentences = plural(record.about["templates"], "template")
    st.caption(plain(f"{why_words(record)} {len(record.labels)} labels, {sentences} each."))
    for failure in record.about["failures"]:
        st.warning(plain(f"{failure['image_name']} failed: {failure['message']}"))
    tabs = st.tabs([tab(label) for label in ("One image", "All images", "Recognition")])
    with tabs[0]:
        single(run, record)
    with tabs[1]:
        areas(run, record)
    with tabs[2]:
        recognition(run, record)


def found(run: Run, record: SegmentationRecord) -> list[str]:
    """What all images together show: which labels cover the most, and how often the first label is a true one."""
    shares = _tables(str(run.folder), application_page.written(SegmentationRecord, run))[0]
    largest = ", ".join(
        f"{label_title(row.label)} ({percent(row.value)}, first in {plural(row.won, 'image')})"
        for row in shares.head(LARGEST).itertuples()
    )
    lines = [f"The labels that cover the most of an image on average: {largest}."] if largest else []
    best = record.recognition[(record.recognition["rank"] == 1) & record.recognition["truth"].notna()]
    if len(best):
        right = share_of_images(best["truth"].to_numpy(float), best["image"].to_numpy())
        lines.append(
            f"The label that ranks first for the whole image is a true one in {percent(right.value)} "
            f"[{percent(right.low)}, {percent(right.high)}] of {plural(len(best), 'labelled image')}."
        )
    return lines


def single(run: Run, record: SegmentationRecord) -> None:
    """One image: its segmentation, the map and points of a label, the empty text, and the tokens of its captions."""
    entry = image_choice.choose(run, record.images, f"segmentation-image-{run.id}")
    if entry is None:
        return
    image = entry.id
    ranked = record.recognition[record.recognition.image == image].sort_values("rank")
    prompts = record.points(image)
    labels = [label for label in ranked.label if label in prompts]
    covered = record.areas[record.areas.image == image].set_index("label")["pixels"]
    most = max(range(len(labels)), key=lambda at: covered.get(labels[at], 0), default=0)
    label = st.selectbox("Label", labels, index=most)
    opened = maps.pixels(state.dataset_of(run), entry)
    first, second, third, fourth = st.columns(4)
    with first:
        st.markdown("**Segmentation**")
        painted = record.painted(fit(opened, maps.SIDE), image)
        st.image(maps.jpeg(painted), width="stretch", alt=f"Segmentation of {entry.name}")
        legend(record, image)
    with second:
        st.markdown(f"**Map of {plain(label)}**")
        show_map(run, record, entry, stored(record, image, "label", label))
    with third:
        st.markdown(f"**Points for {plain(label)}**")
        points = prompts[label]
        drawn = fit(draw_points(opened, points), maps.SIDE)
        st.image(maps.jpeg(drawn), width="stretch", alt=f"Prompt points for {label} on {entry.name}")
        cut = record.cut(fit(opened, maps.SIDE), image, label)
        if cut is not None:
            st.image(maps.jpeg(cut), width="stretch", alt=f"Result of Segment Anything on {entry.name}")
        st.caption(f"{len(points.positive)} positive (discs), {len(points.negative)} negative (rings)")
        if record.about["sam"]:
            st.caption(plain(_sentence(record.about["sam"])))
        data = json.dumps(points.as_dict())
        st.download_button("Points as JSON", data, f"points-{image}.json", "application/json")
    with fourth:
        st.markdown("**The empty text**")
        show_map(run, record, entry, stored(record, image, "empty", ""))
        st.caption("Regions highlighted for the empty text are evidence for no label.")
    captions(run, record, entry)


def legend(record: SegmentationRecord, image: str) -> None:
    """The colours of the labels with the largest areas in an image."""
    part = record.areas[(record.areas.image == image) & (record.areas.pixels > 0)]
    lines = []
    for row in part.sort_values("pixels", ascending=False).head(LEGEND).itertuples():
        tone = "rgb({}, {}, {})".format(*record.colours[row.label])
        box = f'<span style="background: {tone}; padding: 0 0.6em; margin-right: 0.5em"></span>'
        lines.append(f"<div>{box}{html.escape(row.label or BACKGROUND)} · {percent(row.share)}</div>")
    st.html("".join(lines))


def show_map(run: Run, record: SegmentationRecord, image: DatasetImage, row: MapRow) -> None:
    """One stored map with its scale and the score of the whole image."""
    values = np.asarray(row.map, np.float32).reshape(int(row.rows), int(row.columns))
    about = f"Map of {row.text or 'the empty text'} on {image.name}"
    maps.heat(run, image, values, signed=True, opacity=0.55, smooth=True, alt=about)
    maps.scale(values, signed=True, unit=MAPS[row.method])
    if row.kind == "label":
        explained = "not defined" if pd.isna(row.empty_before) else percent(row.empty_before)
        st.caption(
            plain(f"Cosine of the whole image {figure(row.cosine, '.3f')} · explained by the empty text: {explained}")
        )
    elif row.kind != "empty":
        st.caption(plain(f"Score of the whole image {figure(row.cosine, '.3f')}"))


def stored(record: SegmentationRecord, image: str, kind: str, text: str) -> Any:
    """The row of a stored map."""
    rows = record.maps[(record.maps.image == image) & (record.maps.kind == kind) & (record.maps.text == text)]
    return next(typed(rows, MapRow))


def captions(run: Run, record: SegmentationRecord, image: DatasetImage) -> None:
    """The tokens of the image's captions, shaded, and the maps of the best three."""
    part = record.tokens[record.tokens.image == image.id]
    if record.about["tokens"]:
        st.info(plain(_sentence(record.about["tokens"])))
    for caption, tokens in part.groupby("caption", sort=False):
        st.subheader("Caption tokens", anchor=False)
        coloured_words(tokens.token.tolist(), tokens.score.tolist(), signed=True)
        st.caption("Only the readout position was trained; the values at the other positions are a by-product.")
        columns = st.columns(4)
        with columns[0]:
            st.markdown("**The whole caption**")
            show_map(run, record, image, stored(record, image.id, "caption", str(caption)))
        chosen = record.maps[(record.maps.image == image.id) & (record.maps.caption == caption)]
        for column, row in zip(columns[1:], typed(chosen, MapRow), strict=False):
            with column:
                st.markdown(f"**{plain(row.text)}**")
                show_map(run, record, image, row)


def areas(run: Run, record: SegmentationRecord) -> None:
    """Mean areas, and overlap with drawn objects where there are any."""
    table, overlap, empty, _ = _tables(str(run.folder), application_page.written(SegmentationRecord, run))
    charts.show(area_chart(record, table), "Mean share of each label with its interval")
    tables.show(AREAS, table)
    st.subheader("Overlap with drawn objects", anchor=False)
    if overlap.empty:
        st.info("Overlap cannot be measured without annotations. Add them on the page Dataset, tab Labels.")
    else:
        tables.show(OVERLAP, overlap)
    st.caption(
        plain(f"Share of the map of the top-ranked label that the empty text explains: {estimate_text(empty)} images.")
    )


def recognition(run: Run, record: SegmentationRecord) -> None:
    """Rankings of labels, and their precision where true labels are given."""
    recipe = st.selectbox("Score", list(RECIPES), index=list(RECIPES).index(record.about["recipe"]))
    st.caption(plain(f"Score: {RECIPES[recipe]}. The authors published no formula."))
    table = _tables(str(run.folder), application_page.written(SegmentationRecord, run))[3]
    if table.empty:
        st.info("Precision cannot be measured without true labels of the images.")
    else:
        for metric, part in table.groupby("metric", sort=False):
            tables.show(precision(str(metric)), part)
    tables.show(RANKED, ranked_rows(record, recipe, SHOWN_LABELS))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def cached(run: Run) -> SegmentationRecord | None:
    """The run's record, read once until it changes."""
    return _record(str(run.folder), changed) if (changed := application_page.written(SegmentationRecord, run)) else None


@st.cache_resource(max_entries=3, show_spinner="Reading the segmentation …")
def _record(folder: str, changed: int) -> SegmentationRecord | None:
    return of_run(Run(Path(folder)))


@st.cache_resource(max_entries=3, show_spinner="Summing up …")
def _tables(folder: str, changed: int) -> tuple[pd.DataFrame, pd.DataFrame, Interval, pd.DataFrame]:
    """Areas, overlap, what the empty text explains, and precision, over all images."""
    record = _record(folder, changed)
    assert record is not None
    return area_table(record), overlap_table(record), empty_table(record)["before"], precision_table(record)


application_page.show("segmentation", cached, page)
