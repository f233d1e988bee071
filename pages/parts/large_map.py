"""The maps of one image and text: one large, with the raw value of the cell under the pointer, and their files."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.content import map_files
from core.content.heat import geometry_of
from core.content.map_files import DrawnMap
from core.datasets import DatasetImage
from core.evaluation.agreement import consensus
from core.methods import METHODS
from core.reporting.csv_table import table_csv
from core.runs import Run
from pages.parts import maps, state

WIDTH, HEIGHT = 640, 380  # pixels at most, so that the map is seen whole on a screen of 900
FORMS: dict[str, tuple[str, Callable[[DrawnMap], bytes]]] = {
    "PNG": ("image/png", map_files.png),
    "SVG": ("image/svg+xml", map_files.svg),
    "NPY": ("application/octet-stream", map_files.npy),
    "CSV": ("text/csv", lambda drawn: table_csv(map_files.cells(drawn))),
}


def drawn_maps(
    run: Run, entry: DatasetImage, text: str, explained: pd.DataFrame, *, opacity: float, smooth: bool
) -> dict[str, DrawnMap]:
    """Each map of one image and text by its method, then consensus and disagreement of those that are not constant."""
    pixels = partial(maps.pixels, state.dataset_of(run), entry)
    geometry = geometry_of(run, entry.width, entry.height)
    about = f"{entry.name}, text: {text}"

    def drawn(title: str, values: NDArray[Any], unit: str, signed: bool) -> DrawnMap:
        return DrawnMap(values, pixels, geometry, signed, title, about, unit, opacity, smooth)

    made: dict[str, DrawnMap] = {}
    for row in explained.itertuples():
        values = maps.native(row)
        if row.status == "ok" and values is not None:
            unit = METHODS[row.method].unit if row.method in METHODS else ""
            made[row.method] = drawn(maps.title(row.method), values, unit, maps.is_signed(row.method))
    good = [one.values.astype(float) for one in made.values() if np.ptp(one.values) > 0]
    if len(good) > 1:
        mean, spread = consensus(good)
        made["consensus"] = drawn("Consensus", mean, f"mean rank, 0 to 1, {len(good)} methods", False)
        made["disagreement"] = drawn("Disagreement", spread, f"standard deviation of ranks, {len(good)} methods", False)
    return made


def large_map(drawn: DrawnMap) -> None:
    """The map over its image; the cell under the pointer shows its raw value."""
    # A container of a given height scrolls sideways where a screen is narrower than the map.
    with st.container(height=HEIGHT + 24, border=False):
        st.vega_lite_chart(spec=spec(drawn), theme=None, width="content", alt=f"{drawn.title}. {drawn.about}")


def spec(drawn: DrawnMap) -> dict[str, Any]:
    """The Vega-Lite chart of `large_map`: the painted image, and a cell that is outlined where the pointer is."""
    across_pixels, down_pixels = drawn.geometry.width, drawn.geometry.height
    share = min(WIDTH / across_pixels, HEIGHT / down_pixels)
    width, height = (max(1, round(share * side)) for side in (across_pixels, down_pixels))
    data = base64.b64encode(maps.jpeg(drawn.painted(max(width, height)))).decode()
    across, down = (
        {"type": "quantitative", "axis": None, "scale": {"domain": domain, "nice": False}}
        for domain in ([0, across_pixels], [down_pixels, 0])
    )
    tips = [
        {"field": "value", "type": "quantitative", "format": ".4g", "title": drawn.unit or "value"},
        {"field": "row", "type": "quantitative"},
        {"field": "column", "type": "quantitative"},
    ]
    return {
        "width": width,
        "height": height,
        "config": {"view": {"stroke": None}, "background": None},
        "layer": [
            {
                "data": {"values": [{"url": f"data:image/jpeg;base64,{data}"}]},
                "mark": {"type": "image", "width": width, "height": height, "aspect": False},
                "encoding": {"url": {"field": "url"}, "x": {"value": width / 2}, "y": {"value": height / 2}},
            },
            {
                "data": {"values": map_files.cells(drawn).to_dict("records")},
                "params": [{"name": "cell", "select": {"type": "point", "on": "pointerover", "clear": "pointerout"}}],
                "mark": {"type": "rect", "fill": "white", "fillOpacity": 0, "strokeWidth": 2},
                "encoding": {
                    "x": {"field": "x", **across},
                    "x2": {"field": "x2"},
                    "y": {"field": "y", **down},
                    "y2": {"field": "y2"},
                    "stroke": {"condition": {"param": "cell", "empty": False, "value": "white"}, "value": None},
                    "tooltip": tips,
                },
            },
        ],
    }


def map_downloads(drawn: DrawnMap, *, key: str) -> None:
    """Buttons for the map as a picture, and for its raw values; a file is made when it is asked for."""
    row = st.container(horizontal=True)
    for form, (kind, make) in FORMS.items():
        row.download_button(
            form,
            partial(make, drawn),
            map_files.file_name(drawn.title, drawn.about, ending=form.lower()),
            kind,
            key=f"{key}-{form}",
            on_click="ignore",
        )


def rows_downloads(rows: pd.DataFrame, name: str, *, key: str) -> None:
    """Buttons for the rows of one image and text: the plain columns as CSV, all of them as Parquet."""
    one, two, _ = st.columns((2, 2, 6))
    flat = [column for column in rows.columns if not rows[column].map(_is_list).any()]
    one.download_button(
        "Table as CSV", lambda: table_csv(rows[flat]), map_files.file_name(name, ending="csv"), "text/csv",
        key=f"{key}-csv", on_click="ignore", width="stretch",
    )  # fmt: skip
    two.download_button(
        "Table as Parquet", lambda: rows.to_parquet(index=False), map_files.file_name(name, ending="parquet"),
        "application/vnd.apache.parquet", key=f"{key}-parquet", on_click="ignore", width="stretch",
    )  # fmt: skip


def _is_list(cell: object) -> bool:
    return hasattr(cell, "__len__") and not isinstance(cell, str)
