"""Several models side by side: paired differences, the family of tests, accuracy, and what may not be compared."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.applications.knowledge.across import model_rows, rank_rows, side_by_side
from core.applications.knowledge.record import KnowledgeRecord, of_run
from core.errors import InputError
from core.reporting.models_page import ModelEntry, write_models
from core.runs import Run
from core.statistics import holm
from tests.support.made_knowledge import made_knowledge
from tests.support.made_run import made_run


def runs_of(tmp_path: Path, count: int, images: int = 6, **options: bool) -> dict[str, Run]:
    found = {}
    for seed in range(count):
        run = made_run(tmp_path / f"run-{seed}", images=images)
        made_knowledge(run, seed=seed, **options)
        found[f"model {seed}"] = run
    return found


def records_of(runs: dict[str, Run]) -> dict[str, KnowledgeRecord]:
    found = {name: of_run(run) for name, run in runs.items()}
    return {name: record for name, record in found.items() if record is not None}


def test_differences_are_paired_by_image_and_their_tests_adjusted_together(tmp_path: Path) -> None:
    records = records_of(runs_of(tmp_path, 4))
    first, *others = model_rows(records)
    assert (first.ahead, first.p, first.p_adjusted) == (None, None, None)
    areas = {name: record.partitions.groupby("image")["auc"].mean() for name, record in records.items()}
    expected = []
    for row in others:
        difference = (areas[row.model] - areas["model 0"]).to_numpy()
        assert row.ahead is not None and row.ahead.value == pytest.approx(difference.mean())
        # By enumeration of all signs; a test that is not paired would permute the twelve values.
        flips = np.array([abs(np.dot(signs, difference)) for signs in product((1, -1), repeat=len(difference))])
        p = float((flips >= abs(difference.sum()) - 1e-12).mean())
        assert row.p == pytest.approx(p)
        expected.append(p)
    assert [row.p_adjusted for row in others] == pytest.approx(holm(np.array(expected)))
    assert max(row.p_adjusted for row in others) > max(expected)
    swapped = areas["model 1"].sort_index(ascending=False).to_numpy() - areas["model 0"].to_numpy()
    assert np.std(swapped) != pytest.approx(np.std((areas["model 1"] - areas["model 0"]).to_numpy()), rel=1e-3)


def test_accuracy_stands_where_labels_are_given_and_only_there(tmp_path: Path) -> None:
    with_labels = model_rows(records_of(runs_of(tmp_path / "a", 2, labels=True)))
    assert [row.correct.value for row in with_labels] == [1.0, 1.0] and with_labels[0].correct.low is not None
    without = model_rows(records_of(runs_of(tmp_path / "b", 2)))
    assert [row.correct.value for row in without] == [None, None]
    for row, record in zip(without, records_of(runs_of(tmp_path / "c", 2)).values(), strict=True):
        assert row.classes == (len(set(record.partitions["predicted"])), 3)


def test_a_rank_correlation_needs_twelve_models() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(12, 5)), columns=["auc", "correct", "margin", "confidence", "other"])
    frame["correct"], frame["template_agrees"] = frame["auc"] ** 3, 1.0
    (exact, *_), titles = rank_rows(frame), [row.title for row in rank_rows(frame)]
    assert exact.value.value == pytest.approx(1.0) and exact.value.n == 12 and exact.value.low is not None
    assert len(titles) == 3, "a measure that is the same for every model has no order"
    assert rank_rows(frame.head(11)) == []


def test_what_is_not_comparable_is_refused_in_one_line(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, 2)
    made_knowledge(runs["model 1"], seed=1, templates=("another {}",))
    with pytest.raises(InputError, match="model 1 and model 0 differ in templates"):
        side_by_side(runs)
    with pytest.raises(InputError, match="the run of bare did not compute mutual knowledge"):
        side_by_side({**runs_of(tmp_path / "b", 1), "bare": made_run(tmp_path / "bare", images=6)})


def test_the_page_names_every_model_with_its_note_and_what_is_missing(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, 9, images=8, labels=True)
    part = side_by_side(runs)
    entries = [ModelEntry(name, "random | *weights*" if name == "model 3" else "") for name in runs]
    entries.append(ModelEntry("model x", "", "it has <no> layers"))
    files = write_models(tmp_path, entries, [("knowledge", part)])
    assert {path.name for path in files} == {
        "knowledge-models.parquet", "knowledge-curves.parquet", "knowledge-images.parquet", "knowledge-removal.svg",
        "models.md", "models.html",
    }  # fmt: skip
    text = (tmp_path / "models.md").read_text(encoding="utf-8")
    assert "| model 3 (random \\| \\*weights\\*) |" in text and "no: it has \\<no\\> layers" in text
    rows = [line for line in text.splitlines() if line.startswith("| model ")]
    assert len(rows) == 10 + 2 * 9 and "n = 8" in rows[10]
    page = (tmp_path / "models.html").read_text(encoding="utf-8")
    assert page.count("model 3 (random | *weights*)") == 2 and "it has &lt;no&gt; layers" in page
    frame = pd.read_parquet(tmp_path / "knowledge-models.parquet")
    assert frame["model"].tolist() == list(runs) and frame["note"][3] == "random | *weights*"
    assert frame[["auc_low", "auc_high", "correct", "auc_ahead"]].notna().sum().tolist() == [9, 9, 9, 8]
    curves = pd.read_parquet(tmp_path / "knowledge-curves.parquet")
    first = curves[curves["model"] == "model 0"]
    record = of_run(runs["model 0"])
    assert record is not None
    assert first["curve"].to_numpy()[: len(record.removal_curve())] == pytest.approx(record.removal_curve())
    # Nine models and eight colours: the ninth has another dash.
    assert 'stroke-dasharray="5,3"' in (tmp_path / "knowledge-removal.svg").read_text(encoding="utf-8")
