"""The page of word maps: what is missing, the maps of a chosen image and way, the measures, what failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.applications.word_maps.card import CARD
from core.applications.word_maps.record import INTERACTION, SHARED, WordMapsRecord
from core.runs import Run
from core.runs.saved_views import save_view
from core.settings import runs_folder
from tests.applications.word_maps.test_word_maps import DOWN, UP, many, planted
from tests.pages.test_pages import HOSTILE, opened, words
from tests.support.made_run import made_run


@pytest.fixture
def run(workspace: Path) -> Run:
    """A finished run without a record."""
    return made_run(runs_folder() / "20260115-093000-abcdef")


def made_words(run: Run, problems: list[list[str]] | None = None) -> None:
    """Three images with one hostile word each, whose maps agree."""
    record = many(planted({"a": (UP, UP), HOSTILE: (UP, UP), "mat": (DOWN, DOWN)}), 3)
    ids = dict(zip(("0", "1", "2"), (image.id for image in run.dataset.images), strict=False))
    folder = WordMapsRecord.folder_of(run)
    maps, texts = (frame.assign(image=frame["image"].map(ids)) for frame in (record.maps, record.texts))
    about = {"options": CARD.parse().model_dump(mode="json"), "model": "a model", "unit": "cosine"}
    about |= {"image_forwards": 4.0, "text_forwards": 4.0, "images": 3, "images_left_out": 1}
    WordMapsRecord(record.about | about | {"problems": problems or []}, maps, texts).save(folder)


def test_an_audit_without_it_says_how_to_get_it(run: Run) -> None:
    app = opened("word_maps", run)
    assert not app.error and "does not include" in words(app)


def test_the_page_shows_every_word_both_ways(run: Run) -> None:
    made_words(run, [["dark.png", HOSTILE]])
    app = opened("word_maps", run)
    assert not app.error and "Inconclusive: too few images" in words(app)
    table = app.dataframe[0].value.set_index("Word")
    assert table.loc["a", "Function word"] and table.loc["mat", "Of the shared map"] == pytest.approx(0.333)
    assert app.dataframe[-1].value["Reason"].tolist() == [HOSTILE]
    image = app.selectbox(key=f"word-image-{run.id}").value
    chosen = app.multiselect(key=f"word-words-{run.id}-{image}-{INTERACTION}")
    # Content words are shown first; the others can be asked for.
    assert chosen.value == [1, 2] and len(chosen.options) == 3
    app.button_group(key=f"word-way-{run.id}").set_value(SHARED).run()
    assert not app.exception
    chosen = app.multiselect(key=f"word-words-{run.id}-{image}-{SHARED}")
    assert chosen.options[0] == "(without any word)" and chosen.value == [2, 3]
    chosen.set_value([0, 2]).run()
    assert not app.exception and "without any word" in words(app)


def test_a_saved_view_limits_the_images_and_is_told(run: Run) -> None:
    made_words(run)
    wanted = run.plan.images[1]
    save_view(run, "one", [wanted])
    app = opened("word_maps", run, saved="one")
    choice = app.selectbox(key=f"word-image-{run.id}")
    assert choice.value == wanted and len(choice.options) == 1
    assert "**1 of 4 images**: view one" in words(app)
    assert app.query_params["image"] in (wanted, [wanted])
    app.button(key="remove-saved-view").click().run()
    assert len(app.selectbox(key=f"word-image-{run.id}").options) == 3 and "view one" not in words(app)


def test_a_view_of_other_images_leaves_none_to_choose(run: Run) -> None:
    made_words(run)
    save_view(run, "last", run.plan.images[3:])
    app = opened("word_maps", run, saved="last")
    assert not app.exception and not app.error and "No image of the saved view" in words(app)


def test_a_damaged_record_is_one_line(run: Run) -> None:
    made_words(run)
    (WordMapsRecord.folder_of(run) / "maps.parquet").write_bytes(b"nothing")
    app = opened("word_maps", run)
    assert app.error and all("\n" not in item.value for item in app.error)
