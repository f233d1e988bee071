"""The page: a word, its senses, a map of each image; never torch, and one line where something is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.support.tiny import tiny_model
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.runs import Run
from core.settings import ROOT, runs_folder
from tests.support.made_run import made_run

OWN = (
    "beast | a thing that lives",
    "bat.n.01 | a red bird on the mat | beast",
    "dog | a dog on the shore | beast",
    *(f"word {at} | the shore {at} of nothing" for at in range(20)),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run with concepts, in a workspace of its own."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOUPE_HOME", str(home))
        st.cache_data.clear()
        st.cache_resource.clear()
        found = made_run(runs_folder() / "20260115-093000-abcdef", images=3)
        options = {"preset": "fast", "vocabulary": "own", "own": OWN}
        run_stage(Subject(found, tiny_model("vit", home)), "concepts", options, lambda text: None)
        yield found


def opened(run: Run) -> AppTest:
    """The page by itself, as in a session that came through the app."""
    app = AppTest.from_file(str(ROOT / "pages" / "concepts.py"), default_timeout=60)
    app.session_state["through_app"] = True
    app.session_state["run_id"] = run.id
    return app.run()


def words(app: AppTest) -> str:
    """All that the page says."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error")
    return "\n".join(str(item.value) for kind in kinds for item in getattr(app, kind))


def test_a_word_shows_the_maps_of_its_sense(run: Run) -> None:
    app = opened(run)
    assert not app.exception
    assert "Only 23 concepts were ranked" in words(app)
    app.text_input(key="concept-word").set_value("Dogs").run()
    assert not app.exception
    assert next(item.value for item in app.subheader) == "dog"
    said = words(app)
    assert "a dog on the shore" in said
    assert said.count("highest score") == 3
    assert "a random ranking would give" in said and said.count("chance") >= 3
    other = opened(run)
    other.text_input(key="concept-word").set_value("beast").run()
    assert next(item.value for item in other.subheader) == "beast"
    assert "2 below it" in str(other.selectbox[0].options)
    assert words(other) != said


def test_an_unknown_word_is_told_in_a_line(run: Run) -> None:
    app = opened(run)
    app.text_input(key="concept-word").set_value("**sextant** <b>").run()
    assert not app.exception
    assert "No concept of this audit is called" in app.info[0].value
    assert "**sextant**" not in app.info[0].value
    assert "Highest presence over all images" in words(app)


def test_what_is_seen_most_is_listed_for_the_set_and_for_a_image(run: Run) -> None:
    app = opened(run)
    assert len(app.dataframe) == 3
    concepts, groups, image = (frame.value for frame in app.dataframe)
    assert concepts["Presence"].str.endswith("n = 3").all()
    assert {"Number of concepts", "Chance"} <= set(groups.columns)
    assert "Mean over all images" in image.columns


def test_the_page_names_no_torch() -> None:
    source = (ROOT / "pages" / "concepts.py").read_text()
    assert "torch" not in source.replace("no torch", "")
    assert "core.attribution" not in source
    assert Path(ROOT / "docs" / "concepts.md").exists()
