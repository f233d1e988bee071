"""The figure of the embedding map: a point for each image, in groups or on a scale. Plain values for Plotly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.content.charts import PALETTE, RAMP
from core.content.groups import MOST_COLOURS, frequent
from core.content.words import plural, shorten

# Up to so many points are drawn as elements of the page, which every browser can; more of them by WebGL.
MOST_ELEMENTS = 1000
# Names for the pointer are sent up to so many points: they are most of the figure.
MOST_NAMES = 10_000
GREY = RAMP[1]
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "star", "pentagon", "x")
HEIGHT = 620
NO_VALUE = "no value"


def figure(
    points: pd.DataFrame,
    values: Mapping[str, str] | Mapping[str, float],
    title: str,
    shown: NDArray[np.bool_],
    selected: Collection[int] = (),
) -> dict[str, Any]:
    """The figure of `points` (image, image_name, x, y), coloured by the values of the images.

    Texts are groups, numbers lie on a scale. Points that are not `shown` are
    faint. The `customdata` of a point is its position; `selected` are the positions
    of the points that are selected from the start.
    """
    rows = np.arange(len(points))
    known = {image: value for image, value in values.items() if not _missing(value)}
    numeric = bool(known) and not isinstance(next(iter(known.values())), str)
    parts = _on_scale(points, known, title) if numeric else _in_groups(points, known)
    kind = "scatter" if len(points) <= MOST_ELEMENTS else "scattergl"
    traces = []
    if not shown.all():
        traces.append(
            _trace(points, rows[~shown], kind, "not shown", {"color": GREY, "opacity": 0.18, "size": 5})
            | {"hoverinfo": "skip", "showlegend": False}
        )
    for name, members, marker in parts:
        inside = members[shown[members]]
        if len(inside):
            traces.append(_trace(points, inside, kind, name, marker))
    if selected:
        for trace in traces:
            trace["selectedpoints"] = np.flatnonzero(np.isin(trace["customdata"], list(selected))).tolist()
    return {"data": traces, "layout": _frame(title, legend=not numeric and bool(known))}


def _in_groups(points: pd.DataFrame, values: Mapping[str, Any]) -> list[tuple[str, NDArray[Any], dict[str, Any]]]:
    images = points["image"].tolist()
    names = frequent(str(value) for value in values.values())
    place = {name: at for at, name in enumerate(names)}
    group = np.array([place.get(str(values[image]), -1) if image in values else -1 for image in images])
    size = _size(len(points))
    parts = [
        (
            f"{shorten(name, 32)} ({int((group == at).sum()):,})",
            np.flatnonzero(group == at),
            # Of eight symbols and seven colours no pair occurs twice.
            {"symbol": SYMBOLS[at % len(SYMBOLS)], "color": PALETTE[at % MOST_COLOURS], "size": size},
        )
        for at, name in enumerate(names)
    ]
    rest = np.flatnonzero(group < 0)
    rarer = len({str(value) for value in values.values()}) - len(names)
    told = [*([plural(rarer, "rarer group")] if rarer else []), *([NO_VALUE] if len(images) > len(values) else [])]
    label = f"{' or '.join(told)} ({len(rest):,})" if names else ""
    grey = {"color": GREY, "opacity": 0.6} if names else {"color": PALETTE[0]}
    return [*parts, (label, rest, {"symbol": "circle", "size": size, **grey})]


def _on_scale(
    points: pd.DataFrame, values: Mapping[str, Any], title: str
) -> list[tuple[str, NDArray[Any], dict[str, Any]]]:
    numbers = np.array([float(values.get(image, np.nan)) for image in points["image"]])
    there = np.flatnonzero(np.isfinite(numbers))
    rest = np.flatnonzero(~np.isfinite(numbers))
    size = _size(len(points))
    low, high = (float(numbers[there].min()), float(numbers[there].max())) if len(there) else (0.0, 1.0)
    scale = [[at / (len(RAMP) - 1), colour] for at, colour in enumerate(RAMP)]
    marker = {"size": size, "cmin": low, "cmax": high if high > low else low + 1, "colorscale": scale}
    marker |= {"showscale": True, "colorbar": {"title": {"text": shorten(title, 40), "side": "right"}, "thickness": 12}}
    # The colours of shown points are taken by position when the trace is made.
    return [(title, there, marker | {"color": numbers}), (NO_VALUE, rest, {"color": GREY, "size": size})]


def _trace(points: pd.DataFrame, rows: NDArray[Any], kind: str, name: str, marker: Mapping[str, Any]) -> dict[str, Any]:
    colour = marker.get("color")
    trace = {
        "type": kind,
        "mode": "markers",
        "name": name,
        "x": points["x"].to_numpy(np.float32)[rows],
        "y": points["y"].to_numpy(np.float32)[rows],
        "customdata": rows.astype(np.int32),
        "marker": {**marker, "color": colour[rows].astype(np.float32)}
        if isinstance(colour, np.ndarray)
        else {**marker},
        "unselected": {"marker": {"opacity": 0.2}},
        "hoverinfo": "none",
    }
    if len(points) <= MOST_NAMES:
        names = points["image_name"].to_numpy()[rows]
        trace |= {"hovertext": [shorten(str(one), 60) for one in names], "hoverinfo": "text"}
    return trace


def _frame(title: str, *, legend: bool) -> dict[str, Any]:
    axis = {"visible": False, "range": [-1.08, 1.08]}
    return {
        "height": HEIGHT,
        "margin": {"l": 0, "r": 0, "t": 32, "b": 0},
        "dragmode": "lasso",
        "hovermode": "closest",
        "showlegend": legend,
        # Below the points: above them is the toolbar.
        "legend": {"title": {"text": shorten(title, 40)}, "itemsizing": "constant", "orientation": "h", "y": -0.02},
        "xaxis": axis,
        # One unit of both axes: a distance across is as long as one down.
        "yaxis": {**axis, "scaleanchor": "x"},
    }


def _size(count: int) -> int:
    return 9 if count <= 500 else 7 if count <= 2000 else 5 if count <= 10_000 else 3


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and not np.isfinite(value))
