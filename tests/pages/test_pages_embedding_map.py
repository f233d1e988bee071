"""The page of the embedding map: points, colours, searches, selections and saved views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.applications.embedding_map.record import LayoutRecord
from core.datasets import load_dataset
from core.runs import Run
from core.runs.saved_views import save_view, saved_views
from core.settings import datasets_folder, runs_folder
from pages.parts import layout_figure
from tests.pages.test_pages import HOSTILE, opened, words
from tests.support.made_layout import write_layout
from tests.support.made_run import CLASSES, made_run


@pytest.fixture
def run(workspace: Path) -> Run:
    """A finished run with a record; a caption holds markup."""
    run = made_run(runs_folder() / "20260115-093000-abcdef", images=6, note=f" {HOSTILE}")
    write_layout(run)
    return run


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The figures that are drawn, and as many selections as a test puts in front of them."""
    made: list[dict[str, Any]] = []
    whole = layout_figure.figure

    def noted(*arguments: Any, **named: Any) -> dict[str, Any]:
        made.append(whole(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(layout_figure, "figure", noted)
    return made


def select(monkeypatch: pytest.MonkeyPatch, *rows: object) -> None:
    """Answer for the browser that these points are selected."""
    points = [{"customdata": row} for row in rows]

    def drawn(*_: Any, key: str, on_select: Any, **__: Any) -> None:
        st.session_state[key] = {"selection": {"points": points}}
        on_select()

    monkeypatch.setattr("streamlit.plotly_chart", drawn)


def pictures(app: AppTest) -> int:
    """The number of names that lead to an image."""
    return sum(str(button.key).startswith("open-") for button in app.button)


def shown_points(figure: dict[str, Any]) -> list[int]:
    return sorted(int(row) for trace in figure["data"] if trace["name"] != "not shown" for row in trace["customdata"])


def test_an_audit_without_it_says_how_to_get_it(workspace: Path) -> None:
    bare = made_run(runs_folder() / "20260115-093000-abcdef")
    app = opened("embedding_map", bare)
    assert not app.error and "does not include" in words(app)


def test_the_map_has_every_image_once_and_states_its_faithfulness(run: Run, figures: list[dict[str, Any]]) -> None:
    app = opened("embedding_map", run)
    assert not app.error
    said = words(app)
    assert "is also the nearest by embedding: 0.60" in said and "random positions (one draw): 0.20" in said
    assert "No image is selected" in said and pictures(app) == 0
    assert shown_points(figures[-1]) == list(range(6))
    assert [trace["name"] for trace in figures[-1]["data"]] == [f"{name} (2)" for name in sorted(CLASSES)]
    assert not [item for item in app.markdown if "<script>" in item.value]


def test_every_colour_that_is_offered_can_be_chosen(run: Run, figures: list[dict[str, Any]]) -> None:
    app = opened("embedding_map", run)
    offered = app.selectbox(key=f"colour-{run.id}").options
    assert "best class" in offered and "neighbours preserved" in offered
    assert {f"score of the class: {name}" for name in CLASSES} <= set(offered)
    for name in offered:
        app.selectbox(key=f"colour-{run.id}").set_value(name).run()
        assert not app.error and not app.exception
        assert shown_points(figures[-1]) == list(range(6))
    app = opened("embedding_map", run, colour=f"score of the class: {CLASSES[0]}")
    assert "colorbar" in figures[-1]["data"][0]["marker"]


def test_a_search_selects_what_contains_the_words(run: Run, figures: list[dict[str, Any]]) -> None:
    app = opened("embedding_map", run)
    app.text_input(key=f"search-{run.id}").set_value("GREEN square").run()
    assert pictures(app) == 2 and shown_points(figures[-1]) == [1, 4]
    assert app.query_params["search"] in ("GREEN square", ["GREEN square"])
    app.text_input(key=f"search-{run.id}").set_value("no such word").run()
    assert not app.error and pictures(app) == 0 and "No image is selected" in words(app)


def test_the_images_nearest_to_a_text_are_those_of_the_highest_stored_scores(run: Run) -> None:
    app = opened("embedding_map", run)
    app.number_input(key=f"nearest-count-{run.id}").set_value(2).run()
    app.selectbox(key=f"nearest-{run.id}").set_value((CLASSES[2], "class")).run()
    names = [str(button.label) for button in app.button if str(button.key).startswith("open-")]
    assert [name.replace("\\", "") for name in names] == ["shape-02", "shape-05"]


def test_a_selection_becomes_a_view_that_limits_the_map(
    run: Run, figures: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    select(monkeypatch, 4, 1, 1)
    app = opened("embedding_map", run)
    assert pictures(app) == 2
    app.text_input[-1].set_value("two <b>squares</b>")
    next(button for button in app.button if button.label == "Save as a view").click().run()
    images = [image.id for image in run.dataset.images]
    assert saved_views(run)["two <b>squares</b>"].images == (images[1], images[4])
    assert "**2 of 6 images**: view two" in words(app) and "<b>" not in words(app)
    assert shown_points(figures[-1]) == [1, 4]
    select(monkeypatch)
    # The address says it; another session shows the same.
    other = opened("embedding_map", run, saved="two <b>squares</b>")
    assert "**2 of 6 images**" in words(other) and pictures(other) == 2
    other.button(key="remove-saved-view").click().run()
    assert "2 of 6" not in words(other) and pictures(other) == 0
    assert list(saved_views(run)) == ["two <b>squares</b>"]


def test_a_view_is_deleted_and_an_unknown_one_is_told(run: Run) -> None:
    save_view(run, "some", run.plan.images[:2])
    app = opened("embedding_map", run, saved="some")
    app.button(key=f"delete-view-{run.id}").click().run()
    assert not app.error and not saved_views(run)
    app = opened("embedding_map", run, saved="some")
    assert not app.error and "names nothing that this page offers" in words(app)


def test_a_view_without_a_name_is_refused_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    select(monkeypatch, 0)
    app = opened("embedding_map", run)
    next(button for button in app.button if button.label == "Save as a view").click().run()
    assert [item.value for item in app.error] == ["the view needs a name"] and not saved_views(run)


def test_a_view_limits_explore_until_it_is_removed(run: Run) -> None:
    images = run.dataset.images
    save_view(run, "some", [images[1].id, images[4].id])
    app = opened("explore", run, saved="some")
    assert not app.error and "**2 of 6 images**: view some" in words(app)
    assert len(app.selectbox(key=f"image-{run.id}").options) == 2
    app.button(key="remove-saved-view").click().run()
    assert not app.error and len(app.selectbox(key=f"image-{run.id}").options) == 6
    # An image that the view leaves out is not shown, although the session had chosen it.
    app.selectbox(key=f"image-{run.id}").set_value(images[0].id).run()
    app.session_state[f"saved-view-{run.id}"] = "some"
    app.run()
    assert not app.error and app.selectbox(key=f"image-{run.id}").value == images[1].id


def test_a_selection_outlives_other_colours_until_it_is_cleared(
    run: Run, figures: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plotly_chart = st.plotly_chart
    select(monkeypatch, 4, 1)
    app = opened("embedding_map", run)
    assert pictures(app) == 2 and not any("selectedpoints" in trace for trace in figures[-1]["data"])
    # From here on nobody selects anything.
    monkeypatch.setattr("streamlit.plotly_chart", plotly_chart)
    app.selectbox(key=f"colour-{run.id}").set_value("neighbours preserved").run()
    assert pictures(app) == 2
    (trace,) = (trace for trace in figures[-1]["data"] if len(trace["customdata"]))
    assert [int(trace["customdata"][at]) for at in trace["selectedpoints"]] == [1, 4]
    next(button for button in app.button if button.label == "Clear the selection").click().run()
    assert pictures(app) == 0 and not any("selectedpoints" in trace for trace in figures[-1]["data"])


def test_selected_images_become_the_dataset_of_a_new_audit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    select(monkeypatch, 1, 4)
    app = opened("embedding_map", run)
    app.button(key=f"audit-selected-{run.id}").click().run()
    assert not app.error and not app.exception
    assert "audit" in str(app.query_params) or app.title[0].value == "Audit"
    stored = load_dataset(datasets_folder() / app.session_state["dataset_id"])
    assert [image.name for image in stored.images] == [run.dataset.images[at].name for at in (1, 4)]
    assert stored.name == "2 images of drawn shapes"
    assert app.session_state[f"classes-{stored.id}"] == "\n".join(CLASSES)


@pytest.mark.parametrize("row", [-1, 6, "0", None, [], [99], 1e300, {"a": 1}, float("nan")])
def test_a_selection_of_what_is_not_there_selects_nothing(run: Run, monkeypatch: pytest.MonkeyPatch, row: Any) -> None:
    select(monkeypatch, row)
    app = opened("embedding_map", run)
    assert not app.error and pictures(app) == 0


def test_a_damaged_record_is_told_in_one_line(run: Run) -> None:
    (LayoutRecord.folder_of(run) / "points.parquet").write_bytes(b"nothing")
    app = opened("embedding_map", run)
    assert app.error and all("\n" not in item.value for item in app.error)
