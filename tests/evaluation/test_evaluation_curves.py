"""Deletion and insertion on a scorer whose right answer is known, and the control maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.support.tiny import Zoo, fresh, pixels
from core.evaluation.controls import NAMES, control_maps
from core.evaluation.curve_shares import cell_counts
from core.evaluation.curves import SIDE, Curves, area, curves
from core.evaluation.gains import LEAST_RISE
from core.models.model import Meter
from core.models.pool import CoalitionPool

TEXT = torch.tensor([[1.0, 0.0, 0.0]])
STEPS = 16


class Places:
    """A tower whose tokens can't be dropped."""

    droppable = False


class Scorer:
    """Stands in for a model: the cosine with `TEXT` is a weighted sum of the cells that are seen (pixels are 1)."""

    image = Places()

    def __init__(self, weights: NDArray[np.floating[Any]]) -> None:
        self.weights = torch.tensor(weights, dtype=torch.float32)
        self.meter = Meter()

    def image_batch(self, size: Any) -> int:
        return 5

    def bulk(self, pixels: Tensor) -> Tensor:
        cells = pixels.mean(dim=1).unflatten(1, (SIDE, 2)).unflatten(3, (SIDE, 2)).mean(dim=(2, 4))
        cosine = (cells * self.weights).sum(dim=(1, 2))
        return torch.stack([cosine, (1 - cosine**2).sqrt(), torch.zeros_like(cosine)], dim=1)


def image() -> Tensor:
    return torch.ones(3, 2 * SIDE, 2 * SIDE)


def evidence(seed: int = 0, total: float = 0.8) -> NDArray[np.float64]:
    """Cell weights, all different, most of them in one corner."""
    random = np.random.default_rng(seed)
    weights = random.uniform(0.0, 0.05, (SIDE, SIDE))
    weights[2:6, 7:12] += random.uniform(1, 2, (4, 5))
    return weights * total / weights.sum()


def run(scorer: Scorer, maps: dict[str, NDArray[Any]], text: Tensor = TEXT, **more: Any) -> dict[str, Curves]:
    keyed = {(name, 0): values for name, values in maps.items()}
    pool = CoalitionPool(scorer, image(), "mean")  # type: ignore[arg-type]
    return {name: found for (name, _), found in curves(pool, keyed, text, **more).items()}


def test_the_curve_is_the_sum_of_the_cells_that_are_seen() -> None:
    weights = evidence()
    found = run(Scorer(weights), {"perfect": weights})["perfect"]
    order = np.sort(weights.ravel())[::-1]
    for step, count in enumerate(cell_counts(SIDE * SIDE, STEPS)):
        assert found.shares[step] == pytest.approx(count / SIDE**2)
        assert found.insertion[step] == pytest.approx(order[:count].sum(), abs=1e-5)
        assert found.deletion[step] == pytest.approx(order[count:].sum(), abs=1e-5)
    assert found.deletion.shape == found.insertion.shape == (STEPS + 1,)
    # A transposed grid orders other cells first.
    turned = run(Scorer(weights), {"turned": weights.T})["turned"]
    assert np.abs(turned.insertion - found.insertion).max() > 0.1


def test_the_areas_are_the_closed_form_of_the_curve() -> None:
    weights = evidence()
    found = run(Scorer(weights), {"perfect": weights})["perfect"]
    order = np.sort(weights.ravel())[::-1] / weights.sum()
    counts = cell_counts(SIDE * SIDE, STEPS)
    heights = np.array([order[:count].sum() for count in counts])
    expected = np.trapezoid(heights, np.array(counts) / SIDE**2)
    assert found.insertion_area == pytest.approx(expected, abs=1e-5)
    assert found.deletion_area == pytest.approx(1 - expected, abs=1e-5)
    assert found.faithfulness == pytest.approx(2 * expected - 1, abs=1e-5)


def test_the_perfect_map_wins_controls_lose_and_the_inverted_map_is_worst() -> None:
    weights = evidence()
    random = torch.Generator().manual_seed(0)
    maps: dict[str, NDArray[Any]] = {"perfect": weights, "inverted": -weights, "turned": weights.T}
    maps |= {name: values.numpy() for name, values in control_maps(torch.rand(3, 28, 28), SIDE, SIDE, random).items()}
    found = {name: value.faithfulness for name, value in run(Scorer(weights), maps).items()}
    assert all(value is not None for value in found.values())
    ranked = sorted(found, key=lambda name: -(found[name] or 0.0))
    assert ranked[0] == "perfect"
    assert ranked[-1] == "inverted"
    assert found["perfect"] == pytest.approx(-(found["inverted"] or 0.0), abs=1e-5)
    assert (found["perfect"] or 0.0) > 0.8
    assert abs(found["random"] or 0.0) < 0.2


def test_an_order_that_means_nothing_scores_0_on_average() -> None:
    weights = evidence()
    random = np.random.default_rng(1)
    maps: dict[str, NDArray[Any]] = {str(index): random.uniform(size=(SIDE, SIDE)) for index in range(40)}
    values = [found.faithfulness or 0.0 for found in run(Scorer(weights), maps).values()]
    assert abs(float(np.mean(values))) < 3 * float(np.std(values)) / len(values) ** 0.5
    assert float(np.std(values)) > 0.01


def test_a_map_of_another_grid_is_judged_on_the_same_cells() -> None:
    weights = np.kron(np.array([[1.0, 0.1], [0.2, 0.3]]), np.ones((7, 7)))
    scorer = Scorer(weights * 0.8 / weights.sum())
    small = np.array([[4.0, 1.0], [2.0, 3.0]])
    found = run(scorer, {"small": small, "large": np.kron(small, np.ones((7, 7)))})
    assert np.array_equal(found["small"].insertion, found["large"].insertion)
    turned = run(scorer, {"turned": small.T})["turned"]
    assert not np.allclose(turned.insertion, found["small"].insertion, atol=1e-3)


def test_each_set_of_cells_is_embedded_once() -> None:
    weights = evidence()
    one = 2 * (STEPS + 1) - 2  # both curves share the full and the hidden image
    scorer = Scorer(weights)
    run(scorer, {"a": weights})
    assert scorer.meter.image == one
    # The same order again, another text and the inverted order add nothing.
    scorer = Scorer(weights)
    texts = torch.cat([TEXT, TEXT.roll(1, dims=1)])
    keyed = {("a", 0): weights, ("b", 0): 3 * weights + 1, ("a", 1): weights, ("c", 0): -weights}
    found = curves(CoalitionPool(scorer, image(), "mean"), keyed, texts)  # type: ignore[arg-type]
    assert set(found) == set(keyed)
    assert scorer.meter.image == one
    # Another order shares the two ends alone.
    scorer = Scorer(weights)
    run(scorer, {"a": weights, "b": np.random.default_rng(9).uniform(size=(SIDE, SIDE))})
    assert scorer.meter.image == 2 * one - 2


def test_each_map_is_judged_by_its_own_text() -> None:
    weights = evidence()
    texts = torch.cat([TEXT, -TEXT])
    pool = CoalitionPool(Scorer(weights), image(), "mean")  # type: ignore[arg-type]
    found = curves(pool, {("a", 0): weights, ("a", 1): weights}, texts)
    assert np.allclose(found["a", 0].insertion, -found["a", 1].insertion, atol=1e-6)
    assert found["a", 0].faithfulness is not None
    assert found["a", 1].faithfulness is None


def test_a_constant_map_has_no_order_and_gets_no_curves() -> None:
    scorer = Scorer(evidence())
    maps = {"flat": np.full((7, 7), 0.3), "none": np.full((4, 4), np.nan)}
    assert run(scorer, maps) == {}
    assert scorer.meter.image == 0
    assert set(run(scorer, {**maps, "real": evidence()})) == {"real"}


def test_a_image_that_doesn_t_raise_the_score_gives_no_area() -> None:
    found = run(Scorer(evidence(total=0.9 * LEAST_RISE)), {"perfect": evidence()})["perfect"]
    assert (found.deletion_area, found.insertion_area, found.faithfulness) == (None, None, None)
    assert np.isfinite(found.deletion).all()
    assert run(Scorer(evidence(total=1.1 * LEAST_RISE)), {"perfect": evidence()})["perfect"].faithfulness is not None


@pytest.mark.parametrize("steps", [1, 4, 14])
def test_the_ends_are_the_full_and_the_hidden_image(steps: int) -> None:
    found = run(Scorer(evidence()), {"a": evidence(3)}, steps=steps)["a"]
    assert len(found.deletion) == len(found.insertion) == steps + 1
    assert found.deletion[0] == found.insertion[-1] == pytest.approx(0.8, abs=1e-5)
    assert found.deletion[-1] == found.insertion[0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [([0, 1], 0.5), ([0, 0, 1], 0.25), ([0, 1, 1], 0.75), ([0, 2, 1], 1.25), ([1, 0], 0.5), ([0, -1, 1], -0.25)],
)
def test_area_of_simple_curves(curve: list[float], expected: float) -> None:
    even = np.linspace(0, 1, len(curve))
    assert area(np.array(curve), even, 0.0, 1.0) == pytest.approx(expected)
    shifted = 0.1 + 0.5 * np.array(curve)
    assert area(shifted, even, 0.1, 0.6) == pytest.approx(expected)


def test_no_area_below_the_least_rise() -> None:
    curve = np.linspace(0, 1, 5)
    assert area(curve, curve, 0.0, LEAST_RISE * 0.99) is None
    assert area(curve, curve, 0.0, LEAST_RISE * 1.01) is not None
    assert area(curve, curve, 1.0, 0.0) is None


def test_a_trapezium_is_as_wide_as_its_share() -> None:
    shares = np.array([0.0, 0.1, 0.4, 1.0])
    assert area(shares, shares, 0.0, 1.0) == pytest.approx(0.5)
    assert area(np.array([1.0, 0.0, 0.0, 0.0]), shares, 0.0, 1.0) == pytest.approx(0.05)
    # The companion: even widths give another area.
    assert area(np.array([1.0, 0.0, 0.0, 0.0]), np.linspace(0, 1, 4), 0.0, 1.0) == pytest.approx(1 / 6)


# -- controls -----------------------------------------------------------------------------------------------------


def test_controls_know_nothing_of_the_text_and_repeat() -> None:
    pixels = torch.rand(3, 64, 80, generator=torch.Generator().manual_seed(0))
    first, again = (control_maps(pixels, 4, 5, torch.Generator().manual_seed(7)) for _ in range(2))
    assert tuple(first) == NAMES
    for name in NAMES:
        assert first[name].shape == (4, 5)
        assert torch.equal(first[name], again[name])
    other = control_maps(pixels, 4, 5, torch.Generator().manual_seed(8))
    assert not torch.equal(first["random"], other["random"])
    assert torch.equal(first["centre"], other["centre"])


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (5, 7), (14, 14)])
def test_the_centre_is_a_gaussian_of_a_quarter_of_each_side(rows: int, columns: int) -> None:
    values = control_maps(torch.rand(3, 56, 70), rows, columns, torch.Generator())["centre"].numpy()
    for row in range(rows):
        for column in range(columns):
            y, x = (row + 0.5) / rows - 0.5, (column + 0.5) / columns - 0.5
            assert values[row, column] == pytest.approx(np.exp(-(y**2 + x**2) / (2 * 0.25**2)), abs=1e-5)
    assert np.allclose(values, values[::-1, ::-1])


def test_edges_are_where_the_image_changes() -> None:
    pixels = torch.zeros(3, 64, 64)
    pixels[:, 20:28, 40:44] = 1.0
    edge = control_maps(pixels, 4, 4, torch.Generator())["edge"]
    assert divmod(int(edge.argmax()), 4) == (1, 2)
    assert edge[0, 0] == edge[3, 3] == 0
    assert control_maps(torch.ones(3, 64, 64), 4, 4, torch.Generator())["edge"].abs().max() == 0


def test_dropping_takes_the_tower_s_own_cells_and_costs_half(zoo: Zoo) -> None:
    model = fresh(zoo("vit_wide"))
    image = pixels(model, 1)[0]
    text = model.embed_texts(["a red bird"])
    pool = CoalitionPool(model, image)
    assert pool.removal == "drop"
    values = np.random.default_rng(0).normal(size=(3, 5))
    with model.meter.measuring() as spent:
        found = curves(pool, {("map", 0): values}, text, steps=5)["map", 0]
    order = np.argsort(-values.ravel())
    counts = cell_counts(15, 5)
    assert counts == [0, 2, 6, 9, 13, 15]
    for step, count in enumerate(counts):
        kept = torch.zeros(15, dtype=torch.bool)
        kept[order[:count].tolist()] = True
        score = (pool.embeddings(kept.reshape(1, 3, 5)) @ text.T).item()
        assert found.insertion[step] == pytest.approx(score, abs=1e-5)
        rest = (pool.embeddings(~kept.reshape(1, 3, 5)) @ text.T).item()
        assert found.deletion[step] == pytest.approx(rest, abs=1e-5)
    # Ten different sets, half of all tokens on average, and the class token in each.
    assert spent.image == pytest.approx(sum((cells + 1) / 16 for cells in (0, 2, 6, 9, 13, 15, 13, 9, 6, 2)))
