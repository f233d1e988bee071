"""The form of a new audit: presets, sections that are built when opened, the cost in view, and what cannot run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.audit import preview
from core.audit.cost import Estimate
from core.content.words import size
from core.datasets import Upload, ingest
from core.extents import EXTENTS
from core.methods import METHODS
from core.models.listing import embedded_models
from core.runs import ModelSpec, list_runs
from core.settings import LIMITS, ROOT, datasets_folder, runs_folder
from pages.parts import presets, state
from tests.pages.test_pages import opened, start_recorded, unfolded, words

SMALL = ROOT / "tests" / "sample"
MOST_ELEMENTS = 120


@pytest.fixture(autouse=True)
def dataset(workspace: Any) -> str:
    return ingest([SMALL / "images", SMALL / "captions.csv"], store=datasets_folder(), name="Mine").id


def start(app: AppTest) -> Any:
    return next(button for button in app.button if button.label == "Start the audit")


def elements(node: Any) -> int:
    return 1 + sum(elements(child) for child in getattr(node, "children", {}).values())


def test_the_folded_form_is_small_and_an_open_section_is_not() -> None:
    app = opened("audit")
    folded = elements(app._tree)
    assert folded < MOST_ELEMENTS
    assert not [box for box in app.checkbox if str(box.key).startswith("method-")]
    assert elements(unfolded(app, "methods")._tree) > folded + len(METHODS)


def test_a_preset_fills_the_form_and_a_change_of_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    started = start_recorded(monkeypatch)
    app = opened("audit")
    assert "**Standard** :green-badge[selected]" in words(app)
    app.button(key="preset-quick").click().run()
    assert "**Quick look** :green-badge[selected]" in words(app) and words(app).count("[selected]") == 1
    unfolded(app, "methods")
    app.checkbox(key="method-raw").set_value(False).run()
    assert "[selected]" not in words(app)
    start(app).click().run()
    (run,) = list_runs(runs_folder())
    assert [run.id] == [each.id for each in started]
    assert len(run.plan.images) == EXTENTS["quick"].images and run.plan.trust.steps == 5
    assert "raw" not in {part.name for part in run.plan.methods} and run.plan.methods


def test_what_is_set_in_a_section_stays_when_it_is_folded(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start_recorded(monkeypatch)
    app = unfolded(opened("audit"), "texts", "declarations")
    app.text_area(key=f"classes-{dataset}").set_value("cat\ndog")
    app.text_input(key="purpose").set_value("a test").run()
    for name in ("texts", "declarations"):
        app.session_state[f"section-{name}"] = False
    app.run()
    assert not app.text_area
    app.button(key="preset-quick").click().run()
    start(app).click().run()
    (run,) = list_runs(runs_folder())
    assert run.plan.texts.classes == ("cat", "dog") and run.plan.declared.purpose == "a test"


def test_analyses_that_lack_an_input_are_named_before_the_start_and_disabled(dataset: str) -> None:
    app = unfolded(opened("audit"), "analyses")
    # No class, prompt or metadata was given.
    said = words(app).replace("\\", "")
    assert "Mutual knowledge: it needs 2 classes" in said and "it needs a class, a prompt or the option labels" in said
    assert app.toggle(key="blocked-application-knowledge").disabled
    unfolded(app, "texts")
    app.text_area(key=f"classes-{dataset}").set_value("cat\ndog").run()
    assert "Mutual knowledge: it needs" not in words(app).replace("\\", "")
    assert not app.toggle(key="application-knowledge").disabled


def test_more_than_an_hour_is_started_only_after_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    started = start_recorded(monkeypatch)
    monkeypatch.setattr("pages.parts.new_audit.LONG_SECONDS", 1.0)
    app = opened("audit")
    start(app).click().run()
    assert not started and "is expected to take" in words(app)
    app.button(key="start_anyway").click().run()
    assert len(started) == 1


def test_an_inexpensive_audit_is_started_without_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    started = start_recorded(monkeypatch)
    app = opened("audit")
    app.button(key="preset-quick").click().run()
    start(app).click().run()
    assert len(started) == 1


def test_a_model_without_a_known_speed_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []
    monkeypatch.setattr("core.audit.cost._speeds", dict)
    monkeypatch.setattr("core.audit.preview.begin", begun.append)
    app = opened("audit")
    assert [spec.name for spec in begun] == ["demo-cnn"] and not start(app).disabled
    assert "Time known in a few seconds" in words(app)


def test_the_number_of_processes_goes_to_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("core.audit.launch.start", lambda run, workers=0: asked.append(workers))
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    app = unfolded(opened("audit"), "scope")
    field = app.number_input(key="workers")
    assert (field.value, field.max) == (1, 4)
    field.set_value(3).run()
    start(app).click().run()
    assert asked == [3] and not app.exception


@pytest.fixture
def without_texts() -> str:
    return ingest([SMALL / "images"], store=datasets_folder(), name="Bare").id


def test_texts_are_open_above_the_presets_where_there_is_none(dataset: str, without_texts: str) -> None:
    app = opened("audit", dataset=without_texts)
    field = app.text_area(key=f"classes-{without_texts}")
    labels = [item.proto.label for item in app.get("expander")]
    assert labels[0] == "Texts" and start(app).disabled
    assert "About" in words(app) and "with one text per image" in words(app) and "Time not known" not in words(app)
    field.set_value("cat\ndog").run()
    assert app.text_area(key=f"classes-{without_texts}").value == "cat\ndog" and not start(app).disabled
    assert "with one text per image" not in words(app)
    # It stays as the person leaves it, and is folded where the images bring captions.
    app.session_state["section-texts"] = False
    app.text_area(key=f"classes-{without_texts}").set_value("").run()
    assert not app.text_area
    assert not opened("audit", dataset=dataset).text_area


def test_a_part_of_the_images_is_called_a_random_one() -> None:
    said = words(opened("audit"))
    assert f"{EXTENTS['quick'].images} of " in said and said.count(", drawn at random") == 1


@pytest.mark.parametrize(
    ("state", "bundled", "line"),
    [
        ("none", True, "Time known in a few seconds"),
        ("running", True, "Time known in a few seconds"),
        ("none", False, "Time known once the model is recognised"),
        ("failed", True, "Time known during the audit"),
    ],
)
def test_a_time_that_is_not_known_says_when_it_will_be(
    monkeypatch: pytest.MonkeyPatch, state: Any, bundled: bool, line: str
) -> None:
    monkeypatch.setattr(preview, "preview", lambda model: preview.Preview(state, {}))
    model = ModelSpec(name=embedded_models()[0].name) if bundled else ModelSpec(name="ViT-B-32", pretrained="openai")
    unknown = Estimate(100.0, 10.0, None, {})
    assert presets.time_of(unknown, model) == line
    assert presets.time_of(replace(unknown, seconds=120.0), model) == "About 2 min"


def test_the_labels_of_a_dataset_lead_to_where_class_names_are_entered(dataset: str) -> None:
    app = opened("dataset", dataset=dataset)
    hint = next(link.proto for link in app.get("page_link") if "Class names?" in link.proto.label)
    assert hint.page.endswith("audit") and "under “Texts”" in hint.label


def test_the_limits_of_an_image_and_of_an_archive_are_told_apart() -> None:
    said = words(opened("dataset"))
    assert f"An image may have up to {size(LIMITS.file_bytes)}, a ZIP or tar as much as the field names." in said


@pytest.mark.parametrize(("given", "label"), [("", "3 images · {id}"), ("Mine", "Mine · 3 images · {id}")])
def test_the_number_of_images_is_said_once_in_the_list_of_datasets(given: str, label: str) -> None:
    stored = state.StoredDataset("0123456789", given or "3 images", 3, datasets_folder() / "0123456789")
    assert state._dataset_label(stored) == label.format(id="01234567")


def test_class_names_that_came_with_the_images_are_in_the_field_of_the_form() -> None:
    listed = ingest([SMALL / "images", Upload("labels.txt", b"dog\ncat\n")], store=datasets_folder(), name="With names")
    app = unfolded(opened("audit", dataset=listed.id), "texts")
    assert app.text_area(key=f"classes-{listed.id}").value == "dog\ncat"
    assert "2 names came with the images" in words(app)


def test_without_such_a_list_the_field_of_class_names_is_empty(dataset: str) -> None:
    app = unfolded(opened("audit", dataset=dataset), "texts")
    assert app.text_area(key=f"classes-{dataset}").value == "" and "came with the images" not in words(app)


def test_a_preset_says_to_plan_for_hours_only_while_its_time_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = Estimate(100.0, 10.0, None, {})
    monkeypatch.setattr(presets, "cost", lambda *_: unknown)
    assert "Plan for hours" in words(opened("audit"))
    monkeypatch.setattr(presets, "cost", lambda *_: replace(unknown, seconds=1200.0))
    said = words(opened("audit"))
    assert "About 20 min" in said and "hours" not in said
