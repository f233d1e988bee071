"""Segmentation: which label the model sees where, which labels a picture holds, points, and caption tokens."""

from __future__ import annotations

import html
import json
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.applications.multilabel import RECIPES
from core.applications.points import draw_points
from core.applications.segmentation_record import (
    SegmentationRecord,
    area_table,
    empty_table,
    of_run,
    overlap_table,
    precision_table,
)
from core.datasets import Picture
from core.reporting.heat import fit
from core.reporting.segmentation import BACKGROUND, MAPS, area_chart, why_words
from core.runs import Run
from pages.parts import charts, entry, maps, state
from pages.parts.words import coloured_words, empty, number, plain, problems_shown, tab

LEGEND = 8


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("Segmentations appear here once an audit has run.", "pages/audit.py", "Plan an audit")
        return
    record = of_run(run)
    if record is None:
        empty(
            "This audit has not segmented its pictures. Plan one with classes or prompts as labels and the application "
            "'Open-vocabulary segmentation' switched on.",
            "pages/audit.py",
            "Plan an audit",
        )
        return
    each = "one sentence" if record.about["templates"] == 1 else f"{record.about['templates']} sentences"
    st.caption(plain(f"{why_words(record)} {len(record.labels)} labels, {each} each."))
    for failure in record.about["failures"]:
        st.warning(plain(f"{failure['image_name']} failed: {failure['message']}"))
    tabs = st.tabs([tab(label) for label in ("One picture", "All pictures", "Recognition")])
    with tabs[0]:
        single(run, record)
    with tabs[1]:
        areas(run, record)
    with tabs[2]:
        recognition(run, record)


def single(run: Run, record: SegmentationRecord) -> None:
    """One picture: its segmentation, a label's map and points, the empty text, its captions' tokens."""
    image = st.selectbox("Picture", list(record.images), format_func=lambda id: record.images[id])
    picture = maps.picture_of(run, image)
    if picture is None:
        st.info("This picture is no longer in the data set.")
        return
    ranked = record.recognition[record.recognition.image == image].sort_values("rank")
    kept = [label for label in ranked.label if label in record.points.get(image, {})]
    label = st.selectbox("Label", kept)
    opened = state.dataset_of(run).open(picture)
    first, second, third, fourth = st.columns(4)
    with first:
        st.markdown("**Segmentation**")
        painted = record.painted(fit(opened, maps.SIDE), image)
        st.image(maps.jpeg(painted), width="stretch", alt=f"Segmentation of {picture.name}")
        legend(record, image)
    with second:
        st.markdown(f"**Map of {plain(label)}**")
        show_map(run, record, picture, stored(record, image, "label", label))
    with third:
        st.markdown(f"**Points for {plain(label)}**")
        points = record.points[image][label]
        drawn = fit(draw_points(opened, points), maps.SIDE)
        st.image(maps.jpeg(drawn), width="stretch", alt=f"Prompt points for {label} on {picture.name}")
        cut = record.cut(fit(opened, maps.SIDE), image, label)
        if cut is not None:
            st.image(maps.jpeg(cut), width="stretch", alt=f"What Segment Anything makes of them on {picture.name}")
        st.caption(f"{len(points.positive)} on it (discs), {len(points.negative)} off it (rings)")
        if record.about["sam"]:
            st.caption(plain(_sentence(record.about["sam"])))
        told = json.dumps(points.as_dict())
        st.download_button("Points as JSON", told, f"points-{image}.json", "application/json")
    with fourth:
        st.markdown("**The empty text**")
        show_map(run, record, picture, stored(record, image, "empty", ""))
        st.caption("What lights up for no text at all says nothing about any label.")
    captions(run, record, picture)


def legend(record: SegmentationRecord, image: str) -> None:
    """The colours of the labels that cover the most of a picture."""
    part = record.areas[(record.areas.image == image) & (record.areas.pixels > 0)]
    lines = []
    for row in part.sort_values("pixels", ascending=False).head(LEGEND).itertuples():
        tone = "rgb({}, {}, {})".format(*record.colours[row.label])
        box = f'<span style="background: {tone}; padding: 0 0.6em; margin-right: 0.5em"></span>'
        lines.append(f"<div>{box}{html.escape(row.label or BACKGROUND)} · {row.share:.0%}</div>")
    st.html("".join(lines))


def show_map(run: Run, record: SegmentationRecord, picture: Picture, row: Any) -> None:
    """One stored map with its scale and the score of the whole picture."""
    values = np.asarray(row.map, np.float32).reshape(int(row.rows), int(row.columns))
    about = f"Map of {row.text or 'the empty text'} on {picture.name}"
    maps.heat(run, picture, values, signed=True, opacity=0.55, smooth=True, alt=about)
    maps.scale(values, signed=True, unit=MAPS[row.method])
    if row.kind == "label":
        explained = "not defined" if pd.isna(row.empty_before) else f"{row.empty_before:.0%}"
        st.caption(plain(f"Cosine of the whole picture {row.cosine:.3f} · the empty text explains {explained}"))
    elif row.kind != "empty":
        st.caption(plain(f"Score of the whole picture {row.cosine:.3f}"))


def stored(record: SegmentationRecord, image: str, kind: str, text: str) -> Any:
    """The row of a stored map."""
    rows = record.maps[(record.maps.image == image) & (record.maps.kind == kind) & (record.maps.text == text)]
    return next(rows.itertuples())


def captions(run: Run, record: SegmentationRecord, picture: Picture) -> None:
    """The tokens of the picture's captions, shaded, and the maps of the best three."""
    part = record.tokens[record.tokens.image == picture.id]
    if record.about["tokens"]:
        st.info(plain(_sentence(record.about["tokens"])))
    for caption, tokens in part.groupby("caption", sort=False):
        st.subheader("Caption tokens", anchor=False)
        coloured_words(tokens.token.tolist(), tokens.score.tolist(), signed=True)
        st.caption("Only the readout position was trained: what other positions hold is a by-product.")
        columns = st.columns(4)
        with columns[0]:
            st.markdown("**The whole caption**")
            show_map(run, record, picture, stored(record, picture.id, "caption", str(caption)))
        chosen = record.maps[(record.maps.image == picture.id) & (record.maps.caption == caption)]
        for column, row in zip(columns[1:], chosen.itertuples(), strict=False):
            with column:
                st.markdown(f"**{plain(row.text)}**")
                show_map(run, record, picture, row)


def areas(run: Run, record: SegmentationRecord) -> None:
    """Mean areas, and overlap with drawn objects where there are any."""
    table = area_table(record)
    charts.show(area_chart(record, table), "Mean share of each label with its interval")
    shown = pd.DataFrame(
        {
            "Label": [label or BACKGROUND for label in table.label],
            "Mean share (95 % interval)": [number(row.value, row.low, row.high) for row in table.itertuples()],
            "n": table.n,
            "Largest in": table.won,
        }
    )
    st.dataframe(shown, hide_index=True)
    overlap = overlap_table(record)
    st.subheader("Overlap with drawn objects", anchor=False)
    if overlap.empty:
        st.info(
            "No annotations were given, so overlap can't be concluded. Bring them on the Data set page, tab Labels."
        )
    else:
        values = [number(row.value, row.low, row.high) for row in overlap.itertuples()]
        st.dataframe(
            pd.DataFrame(
                {
                    "Map": overlap["map"].map(MAPS),
                    "mIoU (95 % interval)": values,
                    "n": overlap.n,
                    "Labels": overlap.labels,
                }
            ),
            hide_index=True,
        )
    found = empty_table(record)
    st.caption(
        plain(
            "The empty text explains "
            f"{number(found['before'].value, found['before'].low, found['before'].high)} of the best label's map "
            f"(n = {found['before'].n})."
        )
    )


def recognition(run: Run, record: SegmentationRecord) -> None:
    """Rankings of labels, and their precision where labels are known."""
    recipe = st.selectbox("Recipe", list(RECIPES), index=list(RECIPES).index(record.about["recipe"]))
    st.caption(plain(f"Score: {RECIPES[recipe]}. The authors published no recipe."))
    table = precision_table(record)
    if table.empty:
        st.info("The pictures carry no labels, so precision can't be concluded.")
    else:
        values = [number(row.value, row.low, row.high) for row in table.itertuples()]
        wide = table.assign(text=values)[["recipe", "metric", "text", "n"]]
        st.dataframe(wide, hide_index=True)
    ranked = record.recognition.sort_values(["image_name", recipe], ascending=[True, False])
    best = ranked.groupby("image", sort=False).head(3)
    st.dataframe(best[["image_name", "label", recipe, "cosine", "truth"]], hide_index=True)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


entry.through_app("pages/segmentation.py")
st.title("Segmentation")
with problems_shown():
    page()
