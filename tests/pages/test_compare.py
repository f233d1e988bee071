"""The page Compare: an empty state, and two models side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.evaluation.comparison import Comparison
from core.rules import thresholds_of
from core.runs import Run
from core.runs.saved_views import save_view
from core.settings import runs_folder
from pages.parts import side_by_side
from tests.pages.test_pages import opened as opened_app
from tests.pages.test_pages import words
from tests.support.made_run import made_run
from tests.support.page_alone import links_as_words, opened_alone  # noqa: F401  # a fixture of every test here


def opened(run: Run | None) -> AppTest:
    return opened_alone("compare", run)


@pytest.fixture
def run(workspace: Path) -> Run:
    return made_run(runs_folder() / "20260115-093000-abcdef")


def test_without_a_run_it_says_how_to_get_one(workspace: Path) -> None:
    said = words(opened(None))
    assert "Models are compared here" in said and "Plan an audit: pages/audit.py" in said


def test_two_models_are_set_side_by_side(run: Run) -> None:
    assert "Audit another model on this dataset" in words(opened(run))
    other = made_run(runs_folder() / "20260116-093000-abcdef", seed=3, methods=("raw", "rise"))
    other.update_manifest(model={**other.manifest["model"], "digest": "f" * 64, "title": "Another model"})
    app = opened(run)
    assert "The same methods on two models" in words(app)
    scores, trust, agreement = (table.value for table in app.dataframe[:3])
    assert set(trust["Method"]) == set(agreement["Method"]) == {"Raw similarity", "RISE"}
    assert list(trust.columns) == ["Method", "Here", "Other", "Paired difference", "p, Holm", "Verdict"]
    assert scores["Texts"].tolist() == ["Classes"] and scores["Same best text"].iloc[0].endswith("%")
    # The answer comes before any table, and the single image after all of them.
    said = words(app)
    assert "How do two models differ on the same images" in said
    assert "For 2 methods on both models, no difference in faithfulness between" in said.replace("\\", "")
    headings = [item.value for item in app.subheader]
    assert headings.index("All images") < headings.index("One image on both models")
    # As in the report, n stands with each value.
    assert all("n = 4" in value for value in trust["Paired difference"])
    for table in (trust, agreement, scores):
        assert not [name for name in table.columns if "_" in name or name in {"value", "low", "high", "n"}]


def test_the_sentence_counts_what_is_shown_of_either_model(run: Run) -> None:
    rows = pd.DataFrame(
        {
            "method": ["raw", "rise", "gradcam"],
            "value": [0.2, -0.2, 0.0],
            "low": [0.1, -0.3, -0.1],
            "high": [0.3, -0.1, 0.1],
            "n": [40, 40, 40],
            "p_adjusted": [0.001, 0.001, 0.9],
        }
    )
    told = Comparison("Ours", "Theirs", "", 40, rows, rows[:0], rows[:0], ())
    assert side_by_side.verdict(told, thresholds_of(run)) == (
        "Of 3 methods on both models, 1 explain Ours more faithfully and 1 explain Theirs more faithfully; for 1 no "
        "difference is shown."
    )
    # An interval beside zero counts for nothing where the adjusted test shows no difference.
    doubtful = replace(told, trust=rows.assign(p_adjusted=0.5))
    assert side_by_side.verdict(doubtful, thresholds_of(run)).startswith("For 3 methods on both models, no difference")
    assert side_by_side.verdict(replace(told, trust=rows[:0]), thresholds_of(run)).startswith("No method was tested")


def test_one_image_is_shown_on_both_models_within_the_saved_view(run: Run) -> None:
    other = made_run(runs_folder() / "20260116-093000-abcdef", seed=3, methods=("raw", "rise"))
    other.update_manifest(model={**other.manifest["model"], "digest": "f" * 64, "title": "Another model"})
    app = opened(run)
    choice = app.selectbox(key=f"two-models-image-{run.id}")
    assert len(choice.options) == 4
    assert [m.value for m in app.markdown].count("**Raw similarity**") == 2 and "**Another model** · cosine" in words(
        app
    )
    save_view(run, "two", run.plan.images[2:])
    app = opened_app("compare", run, saved="two")
    assert app.selectbox(key=f"two-models-image-{run.id}").value == run.plan.images[2]
    assert len(app.selectbox(key=f"two-models-image-{run.id}").options) == 2
    assert "**2 of 4 images**: view two" in words(app) and "Its numbers are of all images" in words(app)


def test_the_whole_names_of_two_models_stand_above_the_tables(run: Run) -> None:
    other = made_run(runs_folder() / "20260116-093000-abcdef", seed=3, methods=("raw", "rise"))
    long = "A distilled model with a name that fills a whole line "
    for one, end in ((run, "first"), (other, "second")):
        one.update_manifest(model={**one.manifest["model"], "digest": end, "title": long + end})
    app = opened(run)
    assert max(len(name) for table in app.dataframe[:3] for name in table.value.columns) < 40
    assert f"{long}first, here, beside {long}second, the other model" in words(app).replace("\u2060", "")
