"""Explore: one large map with its values and files, the next image, and an address that names the view."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.runs import Run
from core.settings import runs_folder
from pages.parts import large_map, maps, state
from tests.pages.test_pages import opened, words
from tests.support.made_run import made_run


@pytest.fixture
def run(workspace: Path) -> Run:
    return made_run(runs_folder() / "20260115-093000-abcdef", images=3)


def image_of(app: AppTest, run: Run) -> str:
    return str(app.selectbox(key=f"image-{run.id}").value)


def test_the_next_and_the_previous_image(run: Run) -> None:
    app = opened("explore", run)
    offered = [image_of(app, run)]
    assert app.button(key="Previous image").disabled
    while not app.button(key="Next image").disabled:
        app.button(key="Next image").click().run()
        offered.append(image_of(app, run))
        assert app.query_params["image"] in (offered[-1], [offered[-1]])
    assert sorted(offered) == sorted(run.plan.images)
    app.button(key="Previous image").click().run()
    assert image_of(app, run) == offered[-2]


def test_one_large_map_shows_its_scale_and_is_in_the_address(run: Run) -> None:
    app = opened("explore", run)
    app.button_group(key=f"view-{run.id}").set_value("one").run()
    assert not app.exception and app.query_params["view"] in ("one", ["one"])
    chosen = next(field for field in app.selectbox if field.label == "Map")
    assert {"Raw similarity", "Grad-CAM", "RISE", "Consensus", "Disagreement"} <= set(chosen.options)
    said = words(app)
    assert "raw " in said and "**Consensus**" not in said
    linked = opened("explore", run, view="one")
    assert any(field.label == "Map" for field in linked.selectbox)


def drawn_for(run: Run) -> dict[str, large_map.DrawnMap]:
    entry = maps.image_of(run, run.plan.images[0])
    assert entry is not None
    part = state.rows_of(run, entry.id)
    part = part[(part["kind"] == "method") & (part["text"] == part.loc[part["kind"] == "method", "text"].iloc[0])]
    return large_map.drawn_maps(run, entry, "a text", part, opacity=0.5, smooth=True)


def test_the_chart_outlines_the_cell_under_the_pointer_with_its_raw_value(run: Run) -> None:
    drawn = drawn_for(run)["gradcam"]
    spec = large_map.spec(drawn)
    assert spec["width"] <= large_map.WIDTH and spec["height"] <= large_map.HEIGHT
    image, cells = spec["layer"]
    assert image["data"]["values"][0]["url"].startswith("data:image/jpeg;base64,")
    values = {(cell["row"], cell["column"]): cell["value"] for cell in cells["data"]["values"]}
    assert len(values) == drawn.values.size
    assert all(value == pytest.approx(float(drawn.values[at])) for at, value in values.items())
    assert cells["encoding"]["tooltip"][0]["field"] == "value"


def test_every_form_of_a_map_is_a_file(run: Run) -> None:
    drawn = drawn_for(run)["raw"]
    made = {form: make(drawn) for form, (_, make) in large_map.FORMS.items()}
    assert made["PNG"].startswith(b"\x89PNG") and made["SVG"].startswith(b"<svg")
    assert np.array_equal(np.load(io.BytesIO(made["NPY"])), drawn.values)
    table = pd.read_csv(io.BytesIO(made["CSV"]))
    assert table.columns.tolist() == ["row", "column", "value", "x", "y", "x2", "y2"]
    assert len(table) == drawn.values.size
