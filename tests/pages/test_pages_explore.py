"""Explore: one large map with its values and files, the next image, and an address that names the view."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from core.findings import Sample, apply_rules
from core.rules import Context
from core.runs import Run
from core.settings import runs_folder
from pages.parts import image_filter, large_map, maps, state
from pages.parts.address import NOTE
from pages.parts.image_values import IN, of_finding, values_by_name
from pages.parts.words import figure
from tests.pages.test_address import all_of
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


def map_of(app: AppTest) -> str:
    return str(next(field for field in app.selectbox if field.label == "Map").value)


@pytest.mark.parametrize("name", ["raw", "consensus", "disagreement"])
def test_a_link_shows_the_same_large_map(run: Run, name: str) -> None:
    app = opened("explore", run, view="one")
    assert map_of(app) != name
    app.selectbox(key=f"map-{run.id}").set_value(name).run()
    assert all_of(app, "map") == [name]
    linked = opened("explore", run, view="one", map=name)
    assert map_of(linked) == name and NOTE not in words(linked)
    # The map is kept for the next image, and is no part of an address that shows all maps.
    app.button(key="Next image").click().run()
    assert map_of(app) == name
    app.button_group(key=f"view-{run.id}").set_value("all").run()
    assert all_of(app, "map") == []
    wrong = opened("explore", run, view="one", map="no such map")
    assert map_of(wrong) == map_of(opened("explore", run, view="one")) and NOTE in words(wrong)


def test_the_link_to_copy_is_the_whole_address(run: Run) -> None:
    app = opened("explore", run, view="one", map="consensus")
    app.context["url"] = "http://127.0.0.1:8501/explore"
    app.run()
    link = urlsplit(next(code.value for code in app.code if code.value.startswith("http")))
    told = parse_qs(link.query)
    assert link.path == "/explore" and told["map"] == ["consensus"] and told["view"] == ["one"]
    assert told["run"] == [run.id] and told["image"] == [image_of(app, run)] and len(told["text"]) == 1


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


def offered_images(app: AppTest, run: Run) -> list[str]:
    return [name.split(" · ")[0] for name in app.selectbox(key=f"image-{run.id}").options]


def test_images_are_filtered_and_ordered_by_what_is_known_of_them(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Run] = []
    read = image_filter.values_by_name
    monkeypatch.setattr(image_filter, "values_by_name", lambda *given: (asked.append(given[0]), read(*given))[1])
    app = opened("explore", run)
    every = offered_images(app, run)
    # What there is to filter by is not read before it is looked at.
    assert not asked and f"by-{run.id}" not in app.session_state
    app.session_state[f"filter-{run.id}"] = True
    app.run()
    assert asked and offered_images(app, run) == every
    scores = next(name for name in app.selectbox(key=f"by-{run.id}").options if name.startswith("score of the"))
    app.selectbox(key=f"by-{run.id}").set_value(scores).run()
    app.selectbox(key=f"order-{run.id}").set_value("high").run()
    values = values_by_name(run, run.plan.images)[scores]()
    names = {image.id: image.name for image in run.dataset.images}
    ranked = [names[image] for image in sorted(values, key=lambda image: -values[image])]
    assert not app.exception and offered_images(app, run)[: len(ranked)] == ranked and len(ranked) > 1
    assert all_of(app, "by") == [scores] and all_of(app, "order") == ["high"]
    slider = next(one for one in app.slider if one.label == "Range")
    slider.set_value((sorted(values.values())[1], slider.value[1])).run()
    assert offered_images(app, run) == ranked[:-1] and f"**{len(ranked) - 1} of {len(every)} images**" in words(app)
    app.button(key="remove-filter").click().run()
    assert offered_images(app, run) == every and all_of(app, "by") == []


def test_the_images_of_a_finding_are_one_link_away(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    item = next(one for one in apply_rules(Context(run)) if one.status == "finding")
    image = run.dataset.images[1]
    listed = item.model_copy(update={"samples": (Sample(image=image.id, image_name=image.name),)})
    monkeypatch.setattr("pages.parts.state.findings_of", lambda _: (listed,))
    app = opened("explore", run, by=of_finding(listed), value=IN)
    assert not app.exception and offered_images(app, run) == [image.name]
    assert f"**1 of {len(run.plan.images)} images**" in words(app)
    # What the address names and the page does not offer is left out in one line.
    assert NOTE in words(opened("explore", run, by="finding: none such"))


def test_another_image_keeps_the_texts_that_it_has_and_needs_no_note(run: Run) -> None:
    app = opened("explore", run)
    first, second = app.session_state[f"image-{run.id}"], run.plan.images[2]
    assert first != second and all_of(app, "text")
    app.selectbox(key=f"image-{run.id}").set_value(second).run()
    assert all_of(app, "image") == [second] and NOTE not in words(app) and not app.exception
    # The companion: a text that an address names for this image and that it has not.
    assert NOTE in words(opened("explore", run, image=second, text="0" * 12))


def test_methods_that_are_folded_keep_what_was_chosen(run: Run) -> None:
    app = opened("explore", run)
    methods = app.multiselect(key=f"methods-{run.id}")
    # What the browser makes the field with, should it make it only later.
    assert methods.proto.default and not methods.proto.set_value
    methods.set_value(["raw"]).run()
    app.selectbox(key=f"image-{run.id}").set_value(run.plan.images[1]).run()
    again = app.multiselect(key=f"methods-{run.id}")
    assert again.value == ["raw"] and list(again.proto.default) == [again.options.index("Raw similarity")]


@pytest.mark.parametrize(
    ("value", "form", "said"),
    [(-0.324, ".3g", "\u22120.324"), (-0.03, "+.2f", "\u22120.03"), (0.03, "+.2f", "+0.03"), (-0.001, "+.2f", "0.00")],
)
def test_a_number_of_a_caption_has_a_true_minus_sign(value: float, form: str, said: str) -> None:
    assert figure(value, form) == said


def test_no_caption_of_explore_has_a_hyphen_for_a_minus(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    negative = re.compile(r"(?<![\w.\u2212-])-(?=\.?\d)")

    def told() -> str:
        return words(opened("explore", run)).replace("\\", "")

    said = told()
    assert "\u2212" in said and not negative.search(said)
    # Where numbers are printed as Python writes them, the same search finds the hyphen.
    monkeypatch.setattr(maps, "figure", lambda value, form=".3g": f"{value:{form}}")
    assert negative.search(told())


@pytest.mark.parametrize("page", ["explore", "findings", "requirements"])
def test_a_page_says_at_once_that_it_reads_an_audit_the_first_time_only(
    run: Run, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    shown: list[str] = []
    caption = DeltaGenerator.caption

    def noted(self: DeltaGenerator, body: str, *given: Any, **options: Any) -> DeltaGenerator:
        shown.append(body)
        return caption(self, body, *given, **options)

    monkeypatch.setattr(DeltaGenerator, "caption", noted)
    app = opened(page, run)
    assert len([line for line in shown if "is being read" in line]) == 1 and "is being read" not in words(app)
    shown.clear()
    app.run()
    assert not [line for line in shown if "is being read" in line]
