"""The figure of the embedding map: every point once, few groups, a scale, WebGL and no names for many points."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.content.charts import PALETTE
from pages.parts.layout_figure import MOST_ELEMENTS, MOST_NAMES, figure


def points(count: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    names = [f"photo {at}.jpg" for at in range(count)]
    ids = [f"{at:016x}" for at in range(count)]
    return pd.DataFrame({"image": ids, "image_name": names, "x": random.random(count), "y": random.random(count)})


def rows(made: dict[str, Any]) -> list[int]:
    return sorted(int(row) for trace in made["data"] for row in trace["customdata"])


def grouped(found: pd.DataFrame, groups: int, known: int) -> dict[str, Any]:
    values = {image: f"class {at % groups:02}" for at, image in enumerate(found["image"][:known])}
    return figure(found, values, "class", np.full(len(found), True))


def test_fourteen_groups_have_a_mark_each_and_what_shares_one_is_said() -> None:
    found = points(90)
    made = grouped(found, 14, 90)
    assert rows(made) == list(range(90)) and len(made["data"]) == 14
    assert made["data"][0]["name"] == "class 00 (7)"
    assert len({(trace["marker"]["symbol"], trace["marker"]["color"]) for trace in made["data"]}) == 14
    # One more, and the two rarest share the grey one; so do images without a value.
    made = grouped(found, 15, 90)
    assert rows(made) == list(range(90)) and made["data"][-1]["name"] == "2 rarer groups (12)"
    assert grouped(found, 15, 80)["data"][-1]["name"] == "2 rarer groups or no value (20)"
    assert grouped(found, 3, 80)["data"][-1]["name"] == "no value (10)"
    assert [trace["marker"]["color"] for trace in made["data"][:7]] == list(PALETTE[:7])
    go.Figure(made)


def test_numbers_lie_on_a_scale_and_missing_ones_are_grey() -> None:
    found = points(5)
    values = dict(zip(found["image"], [0.5, float("nan"), 1.5, 2.5, None], strict=True))
    made = figure(found, values, "score", np.full(5, True))
    scale, grey = made["data"]
    assert scale["customdata"].tolist() == [0, 2, 3] and scale["marker"]["color"].tolist() == [0.5, 1.5, 2.5]
    assert (scale["marker"]["cmin"], scale["marker"]["cmax"]) == (0.5, 2.5) and scale["marker"]["showscale"]
    assert grey["customdata"].tolist() == [1, 4]
    go.Figure(made)


def test_points_that_are_not_shown_are_faint_and_keep_their_positions() -> None:
    found = points(6)
    shown = np.array([True, False, True, True, False, True])
    made = figure(found, dict.fromkeys(found["image"], "a"), "class", shown)
    faint, group = made["data"]
    assert faint["customdata"].tolist() == [1, 4] and faint["hoverinfo"] == "skip"
    assert group["customdata"].tolist() == [0, 2, 3, 5]
    assert np.allclose(group["x"], found["x"].to_numpy()[[0, 2, 3, 5]])


def test_many_points_are_drawn_by_webgl_and_very_many_without_names() -> None:
    for count, kind, named in (
        (MOST_ELEMENTS, "scatter", True),
        (MOST_ELEMENTS + 1, "scattergl", True),
        (MOST_NAMES + 1, "scattergl", False),
    ):
        (trace,) = figure(points(count), {}, "nothing", np.full(count, True))["data"]
        assert trace["type"] == kind and ("hovertext" in trace) == named


def test_fifty_thousand_points_take_little_more_than_a_megabyte() -> None:
    found = points(50_000)
    made = figure(found, {image: at / 7 for at, image in enumerate(found["image"])}, "score", np.full(50_000, True))
    assert len(go.Figure(made).to_json()) < 1_500_000
    # As plain numbers they would take more.
    assert len(json.dumps([trace[name].tolist() for trace in made["data"] for name in ("x", "y")])) > 1_500_000
