"""Two runs side by side, recomputed from their rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from core.errors import InputError, RunError
from core.evaluation.agreement import common_grid
from core.evaluation.comparison import FILE, Comparison, compare, load_comparisons, save_comparisons
from core.runs import Run
from tests.support.made_run import made_run


def other_model(folder: Path, **how: object) -> Run:
    run = made_run(folder, **how)  # type: ignore[arg-type]
    model = {**run.manifest["model"], "digest": "f" * 64, "title": "Another model"}
    run.update_manifest(model=model)
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("runs")
    own = made_run(folder / "own", images=6, methods=("raw", "rise", "gradcam"))
    return own, other_model(folder / "other", images=6, methods=("raw", "rise", "m2ib"), seed=5)


@pytest.fixture(scope="module")
def told(runs: tuple[Run, Run]) -> Comparison:
    return compare(*runs)


def test_it_says_what_is_compared_and_what_only_one_ran(told: Comparison) -> None:
    assert (told.own, told.other, told.images) == ("Loupe demo", "Another model", 6)
    assert told.only_one == (("gradcam", "Loupe demo"), ("m2ib", "Another model"))
    assert set(told.trust.method) == set(told.maps.method) == {"raw", "rise"}


def test_the_difference_of_faithfulness_is_paired_by_image(runs: tuple[Run, Run], told: Comparison) -> None:
    means = []
    for run in runs:
        rows = run.results()
        rows = rows[(rows.kind == "method") & (rows.method == "rise")]
        means.append(rows.groupby("image").faithfulness.mean())
    (row,) = told.trust[told.trust.method == "rise"].itertuples()
    assert row.value == pytest.approx(float((means[0] - means[1]).mean()), abs=1e-6)
    assert (row.own, row.theirs) == (pytest.approx(means[0].mean()), pytest.approx(means[1].mean()))
    assert row.n == 6
    swapped = compare(*reversed(runs)).trust
    assert float(swapped[swapped.method == "rise"].value.iloc[0]) == pytest.approx(-row.value)


def test_agreement_of_maps_is_spearman_on_the_common_grid(runs: tuple[Run, Run], told: Comparison) -> None:
    found = []
    ours, theirs = (run.results() for run in runs)
    key = ["image", "text", "text_kind"]
    kept = [rows[(rows.kind == "method") & (rows.method == "raw")].set_index(key) for rows in (ours, theirs)]
    for pair in kept[0].index.intersection(kept[1].index):
        grids = [common_grid(np.reshape(rows.loc[pair]["map"], (7, 7))) for rows in kept]
        found.append((pair[0], stats.spearmanr(grids[0].ravel(), grids[1].ravel()).statistic))
    images = {image for image, _ in found}
    expected = np.mean([np.mean([rho for other, rho in found if other == image]) for image in images])
    assert float(told.maps[told.maps.method == "raw"].value.iloc[0]) == pytest.approx(expected, abs=1e-6)
    assert expected > 0.3  # both made runs put their hills at the same places


def test_scores_agree_where_both_models_prefer_the_same_text(told: Comparison) -> None:
    (row,) = told.scores.itertuples()
    assert (row.text_kind, row.n, row.texts, row.same_best) == ("class", 6, 3, 1.0)


def test_a_model_is_not_compared_with_itself(runs: tuple[Run, Run]) -> None:
    with pytest.raises(InputError, match="audit the same model"):
        compare(runs[0], runs[0])


class Elsewhere(Run):
    """The same run as if its images were others."""

    def results(self, columns: list[str] | None = None) -> pd.DataFrame:
        rows = super().results(columns)
        return rows.assign(image=rows.image.str.upper() + "-elsewhere")


def test_runs_without_a_common_image_are_refused(runs: tuple[Run, Run]) -> None:
    with pytest.raises(InputError, match="no image in common"):
        compare(runs[0], Elsewhere(runs[1].folder))


def test_it_is_kept_in_the_run_and_read_back(runs: tuple[Run, Run], told: Comparison) -> None:
    run = runs[0]
    assert load_comparisons(run) == []
    save_comparisons(run, [told])
    (read,) = load_comparisons(run)
    assert (read.own, read.other, read.only_one) == (told.own, told.other, told.only_one)
    for name in ("trust", "maps", "scores"):
        given, found = getattr(told, name), getattr(read, name)
        assert list(found.columns) == list(given.columns)
        assert found.value.tolist() == pytest.approx(given.value.tolist())
    (run.folder / FILE).write_text("{}")
    with pytest.raises(RunError, match="compare the runs again"):
        load_comparisons(run)
