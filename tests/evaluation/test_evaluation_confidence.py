"""Confidence on a scorer that adds up what it sees, and on a real tower for what is shared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.evaluation.confidence import Confidence, confidence, faded_embeddings, visibility
from core.models.model import Meter

SIDE = 8


class Scorer:
    """The cosine with (1, 0) is a weighted sum of the pixels, which are 1 where all is seen."""

    def __init__(self, weights: NDArray[np.float64]) -> None:
        self.weights, self.meter, self.batches = torch.tensor(weights), Meter(), [0]

    def image_batch(self, size: Any) -> int:
        return 5

    def bulk(self, pixels: Tensor) -> Tensor:
        self.batches.append(len(pixels))
        cosine = (pixels.mean(dim=1).double() * self.weights).sum(dim=(1, 2))
        return torch.stack([cosine, (1 - cosine**2).sqrt()], dim=1)


def scores(weights: NDArray[np.float64], maps: dict[str, NDArray[Any]]) -> dict[str, float]:
    model: Any = Scorer(weights)
    pixels = torch.ones(3, *weights.shape)
    faded = faded_embeddings(model, pixels, {(name, 0): values for name, values in maps.items()})
    return {name: float(values[0]) for (name, _), values in faded.items()}


def evidence() -> NDArray[np.float64]:
    """Weights that sum to 0.6, in one corner and nowhere else."""
    weights = np.zeros((SIDE, SIDE))
    weights[1:4, 5:8] = 0.6 / 9
    return weights


def test_the_measures_are_those_of_the_two_scores() -> None:
    assert confidence(0.4, 0.3) == Confidence(pytest.approx(0.1), pytest.approx(0.25), 0.0)  # type: ignore[arg-type]
    assert confidence(0.3, 0.4) == Confidence(0.0, 0.0, 1.0)
    assert confidence(-0.1, -0.2) == Confidence(pytest.approx(0.1), None, 0.0)  # type: ignore[arg-type]


def test_the_faded_image_scores_the_visible_part_of_the_weights() -> None:
    weights = np.random.default_rng(0).uniform(0, 0.01, (SIDE, SIDE))
    values = np.random.default_rng(1).normal(size=(SIDE, SIDE))
    scaled = (values - values.min()) / np.ptp(values)
    found = scores(weights, {"map": values})["map"]
    assert found == pytest.approx((weights * scaled).sum(), abs=1e-6)
    assert found != pytest.approx((weights * scaled.T).sum(), abs=1e-4)


def test_the_right_map_keeps_the_score_and_controls_lose_it() -> None:
    weights = evidence()
    random = np.random.default_rng(0).uniform(size=weights.shape)
    maps = {"right": weights, "wrong sign": -weights, "turned": weights.T, "random": random}
    falls = {name: confidence(0.6, score).drop for name, score in scores(weights, maps).items()}
    assert falls["right"] == pytest.approx(0.0, abs=1e-6)
    assert falls["wrong sign"] == pytest.approx(0.6, abs=1e-6)
    assert falls["turned"] > 0.5 and falls["random"] > 0.15
    # The trap: a map that shows all but one pixel keeps as much, and points at nothing.
    almost = np.ones_like(weights)
    almost[7, 0] = 0.0
    assert confidence(0.6, scores(weights, {"almost all": almost})["almost all"]).drop == pytest.approx(0.0, abs=1e-6)


def test_the_score_rises_where_a_map_hides_what_speaks_against_the_text() -> None:
    weights = evidence()
    weights[6, :3] = -0.1
    found = scores(weights, {"right": np.maximum(weights, 0), "all": 1.0 + (weights > 0)})
    assert confidence(0.3, found["right"]).increase == 1.0
    assert confidence(0.3, scores(weights, {"wrong": -weights})["wrong"]).increase == 0.0


def test_equal_maps_share_a_forward_and_level_ones_have_none() -> None:
    model: Any = Scorer(evidence())
    random = np.random.default_rng(0)
    first, second = random.normal(size=(4, 4)), random.normal(size=(4, 4))
    maps = {("a", 0): first, ("b", 0): first.copy(), ("a", 1): second, ("b", 1): np.ones((4, 4))}
    found = faded_embeddings(model, torch.ones(3, SIDE, SIDE), maps)
    assert set(found) == {("a", 0), ("b", 0), ("a", 1)}
    assert model.meter.image == 2 and max(model.batches) == 2
    assert torch.equal(found["a", 0], found["b", 0])
    assert not torch.equal(found["a", 0], found["a", 1])
    assert faded_embeddings(model, torch.ones(3, SIDE, SIDE), {("level", 0): np.ones((4, 4))}) == {}


def test_visibility_runs_from_nothing_to_everything() -> None:
    mask = visibility(np.array([[2.0, 3.0], [4.0, 6.0]]), 8, 6)
    assert mask is not None and mask.shape == (8, 6)
    assert float(mask[0, 0]) == 0.0 and float(mask[-1, -1]) == 1.0
    assert visibility(np.full((3, 3), 2.0), 8, 8) is None
