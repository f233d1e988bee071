"""What must hold of measures, tables and applications, whichever method is asked; each oracle has a companion."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks.support.tiny import sample_images, tiny_model
from core.applications.concepts.boxes import box_of, unit_range
from core.applications.concepts.work import embed_images
from core.applications.concepts.work import out_of_distribution as ood
from core.applications.knowledge.overlap import overlap
from core.applications.segmentation.points import prompt_points
from core.applications.segmentation.work.segmenter import segment
from core.attribution.convis import stretched
from core.concepts.graph import Concept, make_graph
from core.content.heat import display
from core.evaluation.agreement import common_grid, consensus, top_overlap
from core.evaluation.comparison import compare
from core.evaluation.controls import NAMES, control_maps
from core.evaluation.localisation import MEASURES
from core.evaluation.summary import summarise
from core.models.geometry import Preprocessing
from core.reporting.trust import trust
from core.runs import Run
from core.statistics import spearman
from tests.evaluation.test_evaluation_curves import Scorer, run
from tests.support.contexts import context_of
from tests.support.made_run import made_run

SIDE = 14
Floats = NDArray[np.float64]


# -- measures: who knows wins, who knows nothing comes last -------------------------------------------------------


def region(seed: int) -> NDArray[np.bool_]:
    """A rectangle away from the middle."""
    random = np.random.default_rng(seed)
    found = np.zeros((SIDE, SIDE), dtype=bool)
    top, left = (int(at) for at in random.choice([0, 1, 9, 10], 2))
    found[top : top + 4, left : left + 3] = True
    return found


def evidence(seed: int) -> Floats:
    """What the cells of a scorer weigh: most of it in a region, all cells a little, no two the same."""
    random = np.random.default_rng(seed)
    weights = random.uniform(0.0, 0.05, (SIDE, SIDE)) + region(seed) * random.uniform(1, 2, (SIDE, SIDE))
    return 0.8 * weights / weights.sum()


def knowing(weights: Floats, seed: int) -> dict[str, Floats]:
    """The perfect map and three that know a part of it."""
    random = np.random.default_rng(100 + seed)
    return {
        "perfect": weights,
        "blurred": gaussian_filter(weights, 1.0),
        "noisy": weights + random.uniform(0, 0.4 * weights.max(), weights.shape),
        "beside": np.roll(weights, 1, axis=1),
    }


def controls(seed: int) -> dict[str, Floats]:
    random = torch.Generator().manual_seed(seed)
    found = control_maps(torch.rand(3, 56, 56, generator=random), SIDE, SIDE, random)
    return {name: values.double().numpy() for name, values in found.items()}


def ranked(scores: dict[str, float | None]) -> list[str]:
    assert all(value is not None for value in scores.values())
    return sorted(scores, key=lambda name: -(scores[name] or 0.0))


@pytest.mark.parametrize("seed", range(6))
def test_the_perfect_map_wins_every_measure_and_controls_come_last(seed: int) -> None:
    weights = evidence(seed)
    maps = knowing(weights, seed) | controls(seed)
    curves = run(Scorer(weights), maps)
    scores: dict[str, dict[str, float | None]] = {
        "faithfulness": {name: found.faithfulness for name, found in curves.items()},
        "insertion": {name: found.insertion_area for name, found in curves.items()},
        "deletion": {name: -(found.deletion_area or 0.0) for name, found in curves.items()},
        "overlap of the best": {
            name: top_overlap(values, weights, region(seed).mean()) for name, values in maps.items()
        },
        **{
            name: {key: measure(values, region(seed)) for key, values in maps.items()}
            for name, measure in MEASURES.items()
        },
    }
    for name, values in scores.items():
        order = ranked(values)
        if name != "contrast":  # which prefers a blurred map: it is more level inside the region
            assert values["perfect"] == max(values.values(), key=lambda value: value or 0.0), name
        if name != "pointing":  # whose values are 0 and 1
            assert set(order[-3:]) == set(NAMES), name
    assert (scores["pointing"]["perfect"], scores["pointing"]["centre"]) == (1, 0)
    assert spearman(weights, weights) == pytest.approx(1)
    assert all(abs(spearman(maps[name], weights) or 0.0) < 0.35 for name in NAMES)


def test_a_control_wins_where_it_is_right_and_nothing_wins_where_all_cells_weigh_the_same() -> None:
    # The ranking above isn't built in: with the evidence in the middle the centre is the best of all but the truth.
    blind, middle = controls(0), controls(0)["centre"]
    weights = 0.8 * middle**4 / (middle**4).sum()
    found = {name: c.faithfulness for name, c in run(Scorer(weights), {**knowing(weights, 0), **blind}).items()}
    assert found["centre"] == pytest.approx(found["perfect"], abs=0.05)
    assert ranked(found).index("centre") < ranked(found).index("noisy") < ranked(found).index("random")
    even = np.full((SIDE, SIDE), 0.8 / SIDE**2)
    level = {name: c.faithfulness or 0.0 for name, c in run(Scorer(even), {**blind, "perfect": even}).items()}
    assert "perfect" not in level
    assert max(abs(value) for value in level.values()) < 1e-4


# -- constant maps ------------------------------------------------------------------------------------------------

CONSTANTS = tuple(product((3, 5, 6, 7, 9, 11, 12, 13, 16, 24), (0.1, -0.2, 1 / 3, 7.7, 0.0)))


def test_constant_maps_are_undefined_on_every_grid_and_equal_cells_tie() -> None:
    real = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    for side, value in CONSTANTS:
        flat = np.full((side, side + 1), value, np.float32)
        grid = common_grid(flat)
        assert spearman(grid, real) is spearman(real, grid) is None, (side, value)
        assert top_overlap(grid, real) is None
        assert not display(flat).any() and not display(flat, signed=True).any()
        assert not unit_range(flat).any() and not stretched(torch.from_numpy(flat)[None, None]).any()
        assert np.allclose(consensus([flat, flat])[0], 0.5)
        assert box_of(flat, Preprocessing(64, 64).geometry(64, 64), 0.0) is None
        assert prompt_points(flat, Preprocessing(64, 64).geometry(64, 64)).positive == ()
        # One cell that differs by little is a difference.
        other = flat.copy()
        other[-1, -1] += 1e-3
        assert spearman(common_grid(other), real) is not None
        assert display(other).max() == 1
    # Maps painted by region: where no new cell holds two regions, there are as many values as regions.
    painted = np.kron(np.array([[0.1, 0.7], [0.3, -0.2]], np.float32), np.ones((6, 6), np.float32))
    assert len(np.unique(common_grid(painted))) == 4
    assert len(np.unique(common_grid(painted + np.float32(1e-3) * np.eye(12, dtype=np.float32)))) > 4


class Flat(Run):
    """A run in which one method gave the same value everywhere, on a grid that doesn't divide the common one."""

    def results(self, columns: list[str] | None = None) -> pd.DataFrame:
        rows = super().results(None)
        flat = (rows.kind == "method") & (rows.method == "raw")
        values = [
            list(np.full(30, 0.1, np.float32)) if one else old for one, old in zip(flat, rows["map"], strict=True)
        ]
        rows = rows.assign(map=values)
        rows.loc[flat, ["rows", "columns"]] = (5, 6)
        rows.loc[flat, ["deletion", "insertion", "faithfulness", "correlation"]] = (
            np.nan
        )  # as for every map without an order
        for curve in ("deletion_curve", "insertion_curve"):
            rows[curve] = rows[curve].where(~flat, None)
        return rows if columns is None else rows[columns]


def words_of(run: Run) -> list[str]:
    """Every cell of the tables of trust, as printed."""
    return [
        str(cell)
        for section in trust(context_of(run))
        for table in section.tables
        for row in table.rows
        for cell in row
    ]


def test_constant_maps_leave_no_number_that_is_none_in_any_table(tmp_path: Path) -> None:
    whole = made_run(tmp_path / "own", images=7, methods=("raw", "rise", "gradcam"))
    other = made_run(tmp_path / "other", images=7, methods=("raw", "rise"), seed=3)
    other.update_manifest(model={**other.manifest["model"], "digest": "f" * 64, "title": "Another model"})
    run = Flat(whole.folder)
    summary, before = summarise(run), summarise(whole)
    pairs = {(row.a, row.b) for row in summary.agreement.itertuples()}
    assert pairs == {("gradcam", "rise")}
    assert {("gradcam", "raw"), ("raw", "rise")} <= {(row.a, row.b) for row in before.agreement.itertuples()}
    for table in (summary.trust, summary.versus, summary.agreement, summary.pair_agreement):
        assert table.select_dtypes("number").notna().all(axis=None)
    assert set(summary.trust[summary.trust.kind == "method"].method) == {"rise", "gradcam"}
    told = compare(run, other)
    assert list(told.maps.method) == ["rise"] and list(compare(whole, other).maps.method) == ["raw", "rise"]
    assert "nan" not in " ".join(words_of(run)).lower().split()
    assert any("n = 7" in word for word in words_of(run))


# -- concepts -----------------------------------------------------------------------------------------------------


def test_the_root_of_a_graph_has_a_defined_map_and_parents_contain_their_children(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    model = tiny_model("vit", tmp_path_factory.mktemp("tiny-models"))
    names = ["all", "animal", "bird", "dog", "place", "shore", "mat", *(f"word {at}" for at in range(12))]
    parents = {"animal": ["all"], "bird": ["animal"], "dog": ["animal"], "place": ["all"], "shore": ["place"]}
    parents |= {"mat": ["place"]} | {f"word {at}": [("animal", "place", "all")[at % 3]] for at in range(12)}
    graph = make_graph([Concept(name, name, f"a photo of the {name}") for name in names], parents, "a test")
    embedded = embed_images(model, sample_images(2), graph, preset="fast")
    maps = {name: embedded.maps(name) for name in names}
    for image in range(2):
        root = maps["all"][image]
        assert np.array_equal(root.values, np.ones_like(root.values))
        assert (root.best, root.chance) == (1, 1) and root.presence == pytest.approx(1)
        # Stretched as released, or shown, it is 0 everywhere and a number.
        assert not stretched(torch.from_numpy(root.values)[None, None]).any()
        assert not display(root.values).any()
        for child, (parent,) in parents.items():
            assert (maps[parent][image].values >= maps[child][image].values).all()
            assert maps[parent][image].presence >= maps[child][image].presence - 1e-6
        assert any((maps[p][image].values > maps[c][image].values).any() for c, (p,) in parents.items())
        assert np.ptp(maps["bird"][image].values) > 0.02
        # After each map's own stretching a child often lies above its parent: absolute values are needed.
        shown = {name: stretched(torch.from_numpy(maps[name][image].values)[None, None]) for name in names}
        assert any(bool((shown[child] > shown[parent]).any()) for child, (parent,) in parents.items())


# -- mutual knowledge ---------------------------------------------------------------------------------------------


def test_scores_and_areas_of_every_pattern_of_overlap() -> None:
    count, textual = 6, 9
    areas: dict[tuple[int, ...], float] = {}
    for hits in product((0, 1), repeat=count):
        order = [at if hit else 100 + at for at, hit in enumerate(hits)]
        shared = [at for at, hit in enumerate(hits) if hit]
        found = overlap(order, [*shared, *range(200, 200 + textual - len(shared))])
        left = [sum(hits[removed:]) for removed in range(count + 1)]
        assert found.curve == pytest.approx([math.log(count * textual * k) if k else 0.0 for k in left], abs=1e-12)
        assert (found.auc == 0) == (found.score == 0) == (not any(hits))
        areas[hits] = found.auc
    deeper = rising = 0
    for hits, area in areas.items():
        for at in range(count):
            more = (*hits[:at], 1, *hits[at + 1 :])
            assert areas[more] > area or hits[at]
            rising += areas[more] > area
            if at + 1 < count and hits[at] and not hits[at + 1]:
                moved = (*hits[:at], 0, 1, *hits[at + 2 :])
                assert areas[moved] > area
                deeper += 1
    assert rising and deeper
    # Textbook information falls with the overlap: the same comparison would fail on it.
    textbook = {
        hits: sum(math.log(count * textual / k) if k else 0.0 for k in (sum(hits[at:]) for at in range(count + 1)))
        for hits in areas
    }
    assert any(textbook[(1, *hits[1:])] < textbook[hits] for hits in areas if not hits[0])


# -- label sets ---------------------------------------------------------------------------------------------------


def test_equal_labels_cancel_and_the_earlier_one_wins(tmp_path_factory: pytest.TempPathFactory) -> None:
    model = tiny_model("vit", tmp_path_factory.mktemp("tiny-models"))
    same = segment(model, sample_images(1), ["dog", "dog "], templates=("{}",), present=0.0)[0]
    assert np.abs(same.maps).max() < 1e-6
    assert np.allclose(same.cosines[0], same.cosines[1], atol=1e-6)
    assert np.abs(same.recipes["class_surgery"]).max() < 1e-6
    apart = segment(model, sample_images(1), ["dog", "grey shore"], templates=("{}",), present=0.0)[0]
    assert np.abs(apart.maps).max() > 0.01
    assert np.allclose(apart.maps.sum(axis=0), 0, atol=1e-6)
    assert np.isfinite(same.recipes["best_place"]).all()
    turned = segment(model, sample_images(1), ["grey shore", "dog"], templates=("{}",), present=0.0)[0]
    assert np.allclose(turned.maps[::-1], apart.maps, atol=1e-6)
    seen = apart.mask > 0
    assert seen.any() and np.array_equal(turned.mask[seen], 3 - apart.mask[seen])


def test_separation_by_a_score_that_says_nothing_is_a_coin_toss() -> None:
    assert ood.auroc(np.full(6, 0.3), np.full(5, 0.3)).value == 0.5
    inside, outside = np.random.default_rng(0).normal(size=(2, 30))
    found, shifted = ood.auroc(inside, outside), ood.auroc(inside + 9, outside)
    assert (found.low or 0) < 0.5 < (found.high or 0)
    # No image lies on the other side, yet 30 images a side do not prove that none ever will.
    assert (shifted.value, shifted.high) == (1, 1) and 0.9 < (shifted.low or 0) < 0.95
    assert ood.auroc(outside, inside).value == pytest.approx(1 - found.value)
    assert ood.auroc(np.exp(inside), np.exp(outside)).value == found.value
