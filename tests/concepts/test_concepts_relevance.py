"""Maps and scores against the release's way of adding ranks to a canvas, pixel by pixel, with 1,800 crops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from core.concepts.graph import Concept, ConceptGraph, make_graph
from core.concepts.lattice import PRESETS, Lattice
from core.concepts.relevance import (
    all_maps,
    all_scores,
    chance,
    concept_map,
    in_top,
    member_scores,
    rank_scores,
    similarities,
    top_count,
)

EXACT = PRESETS["exact"]
CELL = 16


def chain(count: int, seed: int = 0) -> ConceptGraph:
    """A graph in which each concept stands below one or two random earlier ones; the first is above all."""
    random = np.random.default_rng(seed)
    names = [f"c{at:03d}" for at in range(count)]
    parents = {names[at]: [names[int(random.integers(at))] for _ in range(1 + at % 2)] for at in range(1, count)}
    return make_graph([Concept(name, name, f"text of {name}") for name in names], parents, "a test")


def canvas_map(rank: Callable[[int, int, int], float], stride: int, everywhere: bool) -> NDArray[np.float64]:
    """The release's sum of ranks on the 224 x 224 pixels of the image; boxes at `everywhere` or where they touch."""
    total = np.zeros((480, 480))
    count = 0
    for side in (128, 64):
        for top in range(0, 480, stride):
            for left in range(0, 480, stride):
                touches = top < 352 and left < 352 and top + side > 128 and left + side > 128
                if everywhere or touches:
                    total[top : top + side, left : left + side] += rank(top, left, side)
                    count += 1
    assert count == (1800 if everywhere and stride == 16 else {16: 730, 32: 164}.get(stride, 0)) or everywhere
    return total[128:352, 128:352]


def ranks_of(
    lattice: Lattice, seed: int, concepts: int
) -> tuple[Callable[[int, int, int], float], NDArray[np.float64]]:
    """A random rank for every box of the canvas, and the same ranks in the order of the lattice's boxes."""
    unit = 224 // lattice.cells
    table = np.random.default_rng(seed).integers(0, concepts, size=(2, 30, 30)).astype(float)
    picked = [
        table[int(side == lattice.sides[1]), top + lattice.margin, left + lattice.margin]
        for top, left, side in lattice.boxes
    ]
    return lambda top, left, side: table[int(side == 64), top // unit, left // unit], np.array(picked)


@pytest.mark.parametrize(("preset", "crops"), [("exact", 730), ("fast", 164)])
def test_the_few_crops_give_the_map_of_all_and_it_is_constant_on_cells(preset: str, crops: int) -> None:
    lattice = PRESETS[preset]
    unit = 224 // lattice.cells
    assert len(lattice) == crops
    rank, picked = ranks_of(lattice, 1, 7027)
    whole = canvas_map(rank, unit, everywhere=True)
    assert np.array_equal(whole, canvas_map(rank, unit, everywhere=False))
    cells = whole.reshape(lattice.cells, unit, lattice.cells, unit)
    assert np.array_equal(cells.min(axis=(1, 3)), cells.max(axis=(1, 3)))
    covering = {14: 80, 7: 20}[lattice.cells]
    mine = (lattice.weights() @ picked).reshape(lattice.cells, lattice.cells) * covering
    assert np.abs(mine - cells[:, 0, :, 0]).max() < 1e-6
    # A transposed map, a shifted one, other ranks and evenly weighted scales are off by far more.
    even = (lattice.weights("mean") @ picked).reshape(lattice.cells, lattice.cells) * covering
    other = (lattice.weights() @ picked[::-1]).reshape(lattice.cells, lattice.cells) * covering
    for mutant in (mine.T, np.roll(mine, 1, axis=0), even, other):
        assert np.abs(mutant - cells[:, 0, :, 0]).max() > 100


def test_the_released_lattice_has_1800_boxes() -> None:
    assert 2 * len(range(0, 480, CELL)) ** 2 == 1800
    assert (EXACT.boxes[:, 2] == 8).sum() == 441
    assert (EXACT.boxes[:, 2] == 4).sum() == 289


@pytest.mark.parametrize("preset", ["exact", "fast"])
def test_weights_are_shares(preset: str) -> None:
    lattice = PRESETS[preset]
    large = lattice.boxes[:, 2] == lattice.sides[0]
    for weighting, share in (("sum", 0.8), ("mean", 0.5)):
        weights = lattice.weights(weighting)  # type: ignore[arg-type]
        assert np.allclose(weights.sum(axis=1), 1, atol=1e-12)
        assert np.allclose(weights[:, large].sum(axis=1), share, atol=1e-12)


def test_scores_are_the_release_s_ranks_turned_round() -> None:
    cosines = np.random.default_rng(3).normal(size=(20, 60)).astype(np.float32)
    graph = chain(60)
    order = np.argsort(np.argsort(-cosines, axis=1), axis=1)
    for concept in (0, 5, 30, 59):
        members = graph.members(concept)
        literal = 1 - order[:, members].min(axis=1) / 59
        assert np.abs(member_scores(cosines, members) - literal).max() < 1e-6
        wrong = 1 - np.argsort(np.argsort(cosines, axis=1), axis=1)[:, members].min(axis=1) / 59
        if concept:
            assert np.abs(wrong - literal).max() > 0.1


def test_equal_glosses_share_the_better_rank() -> None:
    cosines = np.array([[0.5, 0.5, 0.1, 0.9]])
    assert rank_scores(cosines, cosines[:, 0]) == rank_scores(cosines, cosines[:, 1]) == pytest.approx(1 - 1 / 3)
    assert rank_scores(cosines, cosines[:, 3]) == 1
    assert rank_scores(cosines, cosines[:, 2]) == 0


def test_the_root_is_everywhere_and_its_map_is_defined() -> None:
    graph = chain(40)
    cosines = np.random.default_rng(0).normal(size=(730, 40)).astype(np.float32)
    root = concept_map(cosines, graph.members(0), EXACT)
    assert np.array_equal(root.values, np.ones((14, 14), np.float32))
    assert (root.best, root.chance) == (1, 1)
    assert root.presence == pytest.approx(1)
    leaf = concept_map(cosines, graph.members(39), EXACT)
    assert np.ptp(leaf.values) > 0.1


def test_a_parent_is_nowhere_below_its_child() -> None:
    graph = chain(50)
    cosines = np.random.default_rng(1).normal(size=(730, 50)).astype(np.float32)
    maps = all_maps(cosines, graph, EXACT)
    pairs = [(parent, at) for at, parents in enumerate(graph.parents) for parent in parents]
    assert pairs
    for parent, child in pairs:
        assert (maps[parent] >= maps[child]).all()
    assert any((maps[child] < maps[parent]).any() for parent, child in pairs)
    # Without propagation a parent is often below its child.
    alone = np.stack([concept_map(cosines, np.array([at]), EXACT).values for at in range(50)])
    assert any((alone[parent] < alone[child]).any() for parent, child in pairs)


def test_all_concepts_at_once_are_one_by_one() -> None:
    graph = chain(45, seed=4)
    lattice = PRESETS["fast"]
    cosines = np.random.default_rng(2).normal(size=(164, 45)).astype(np.float32)
    maps, scores = all_maps(cosines, graph, lattice), all_scores(cosines, graph, lattice)
    for at in range(45):
        one = concept_map(cosines, graph.members(at), lattice)
        assert np.abs(maps[at] - one.values).max() < 1e-6
        assert scores.presence[at] == pytest.approx(one.presence, abs=1e-6)
        assert scores.best[at] == pytest.approx(one.best, abs=1e-6)
        assert scores.own[at] == pytest.approx(concept_map(cosines, np.array([at]), lattice).presence, abs=1e-6)
    assert np.abs(maps[5] - maps[40]).max() > 0.05


def test_averaging_before_the_maximum_is_another_map() -> None:
    graph = chain(45, seed=4)
    cosines = np.random.default_rng(2).normal(size=(730, 45)).astype(np.float32)
    inner = max(range(1, 45), key=lambda at: len(graph.members(at)))
    members = graph.members(inner)
    ours = concept_map(cosines, members, EXACT).values
    each = [concept_map(cosines, np.array([at]), EXACT).values for at in members]
    assert (ours >= np.max(each, axis=0) - 1e-6).all()
    assert np.abs(ours - np.max(each, axis=0)).max() > 0.01


def test_chance_is_what_a_random_ranking_gives() -> None:
    random = np.random.default_rng(0)
    cosines = random.normal(size=(4000, 300)).astype(np.float32)
    assert top_count(300) == 3
    for members in (1, 10, 60):
        share = in_top(member_scores(cosines, np.arange(members)), 300).mean()
        assert share == pytest.approx(chance(300, members), abs=0.02)
    assert chance(300, 300) == 1
    assert chance(300, 60) > 2 * chance(300, 10)


def test_half_precision_embeddings_give_nearly_the_same_map() -> None:
    random = np.random.default_rng(0)
    crops, glosses = random.normal(size=(164, 256)), random.normal(size=(1500, 256))
    lattice, members = PRESETS["fast"], np.array([3, 700])
    exact = similarities(crops, glosses)
    assert np.allclose(np.linalg.norm(exact, axis=1), np.linalg.norm(exact, axis=1))
    stored = similarities(crops.astype(np.float16), glosses.astype(np.float16))
    assert stored.dtype == np.float32
    full, half = (concept_map(values, members, lattice).values for values in (exact, stored))
    assert np.abs(full - half).max() < 2e-3
    # Cosines that are themselves rounded to half precision tie and move the ranks further.
    rounded = concept_map(np.round(exact, 2), members, lattice).values
    assert np.abs(full - rounded).max() > 2e-3
