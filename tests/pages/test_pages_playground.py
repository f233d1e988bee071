"""Playground: an image, texts and methods become maps at once; a link shows the same; bad input ends in one line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from core.methods import METHODS
from core.models.listing import embedded_models
from core.settings import ROOT, datasets_folder
from pages.parts import playground_maps
from pages.parts.address import NOTE
from tests.pages.test_pages import HOSTILE, opened, words

FAST = "demo-vit"


@pytest.fixture(scope="module", autouse=True)
def desk_closed() -> Iterator[None]:
    """The process that computes maps ends with the tests of this page."""
    yield
    playground_maps.DESK.close()


def pressed(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run(timeout=240)
    assert not app.exception, [item.message for item in app.exception]
    return app


def images_of(app: AppTest) -> list[str]:
    return [str(item.alt) for item in app.get("imgs") if hasattr(item, "alt")]


def test_it_opens_with_an_image_texts_and_methods_and_says_what_comes_next() -> None:
    app = opened("playground")
    assert not app.error and "No map yet" in words(app)
    assert len(app.multiselect(key="playground_methods").value) >= 2
    assert app.text_area(key="playground_texts").value.count("\n") == 1
    assert playground_maps.DESK.pid is None


def test_maps_and_scores_of_every_text_and_method_appear() -> None:
    app = opened("playground", model=FAST)
    assert app.selectbox(key="model").value == FAST
    app.multiselect(key="playground_methods").set_value(["raw", "gradcam"]).run()
    said = words(pressed(app, "Compute maps"))
    assert not app.error
    assert said.count("Cosine similarity of image and text") == 2 and "probability among these texts" in said
    assert said.count("cells") >= 4 and "2 methods, computed in" in said
    # What follows is computed without another press, and what is known already is not computed again.
    app.multiselect(key="playground_methods").set_value(["raw", "gradcam", "maskclip"])
    said = words(app.run(timeout=240))
    assert "3 methods, computed in" in said and not app.error
    # The same in a new session by the link alone.
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=240)
    for name in ("model", "prompt", "method", "item"):
        again.query_params[name] = app.query_params[name]
    again.run()
    again.switch_page("pages/playground.py").run()
    assert "3 methods, computed in" in words(again) and NOTE not in words(again)


def test_a_text_that_is_too_long_for_the_model_is_reported() -> None:
    app = opened("playground", model=FAST)
    app.multiselect(key="playground_methods").set_value(["raw"]).run()
    app.text_area(key="playground_texts").set_value("a bird and " * 100).run()
    said = words(pressed(app, "Compute maps"))
    assert "reads at most" in said and "has no effect" in said and "probability" not in said


def test_methods_that_cannot_run_are_named_with_the_reason() -> None:
    app = opened("playground", model="demo-cnn")
    capabilities = next(model.capabilities for model in embedded_models() if model.name == "demo-cnn")
    assert "gae" not in app.multiselect(key="playground_methods").options
    assert METHODS["gae"].reasons(capabilities)["image"] in words(app).replace("\\", "")


def test_without_a_text_nothing_can_be_started() -> None:
    app = opened("playground")
    app.text_area(key="playground_texts").set_value(" \n ").run()
    assert "enter a text" in words(app)
    assert next(button for button in app.button if button.label == "Compute maps").disabled
    app.text_area(key="playground_texts").set_value("\n".join("abcdef")).run()
    assert "The first 4 of 6 texts are used" in words(app)
    app.text_area(key="playground_texts").set_value("x" * 5_000).run()
    assert not app.exception and len(app.error) == 1


def test_a_hostile_link_falls_back_with_one_line() -> None:
    app = opened("playground", model=HOSTILE, method="../../etc/passwd", item="../../etc/passwd")
    said = words(app)
    assert not app.exception and not app.error and NOTE in said and "passwd" not in said
    assert app.selectbox(key="model").value == "demo-cnn" and not list(datasets_folder().glob("*"))


def test_two_texts_are_compared_only_where_their_maps_have_one_scale() -> None:
    app = opened("playground", model=FAST)
    app.multiselect(key="playground_methods").set_value(["raw", "gae", "last_attention"]).run()
    said = words(pressed(app, "Compute maps")).replace("\\", "")
    assert "Difference of the maps" in said and said.count("difference; unit of the maps") == 1
    assert "No difference: its values have no unit" in said and "the same for every text" in said


def test_a_box_is_scored_and_kept_texts_reach_the_form() -> None:
    app = opened("playground", model=FAST)
    app.multiselect(key="playground_methods").set_value(["raw"]).run()
    pressed(app, "Compute maps")
    said = words(pressed(app, "Score this box"))
    assert "Box, cut out" in said and "MaskInversion" in said and "Overlap of map and box" in said
    right = next(field for field in app.number_input if field.label == "Right (pixels)")
    right.set_value(0)
    said = words(app.run(timeout=240))
    assert "The box is empty" in said and "MaskInversion" not in said
    pressed(app, "Plan an audit with it")
    assert app.title[0].value == "Audit" and len(list(datasets_folder().glob("*/dataset.json"))) == 1
    stored = app.session_state["dataset_id"]
    assert app.session_state[f"prompts-{stored}"] == "a colourful bird\ngreen leaves"
    assert app.session_state["model"] == FAST
