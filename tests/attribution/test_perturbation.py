"""RISE by least squares, KernelSHAP, LIME and occlusion: against literal sums, planted scorers and counted forwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from torch import Tensor

from benchmarks.support.tiny import TEXTS, Zoo, fresh, pixels
from core import explain
from core.attribution import kernel_shap, lime, occlusion, rise
from core.attribution.draws import kept_cells, shapley_cells
from core.methods import method_info
from core.models.pool import CoalitionPool
from tests.attribution.test_attribution_rise import agrees, scorer, work_of

FEW: dict[str, dict[str, Any]] = {
    "rise": {"masks": 64, "cells": 4},
    "kernel_shap": {"masks": 64, "extra": 32, "cells": 4},
    "lime": {"masks": 64, "cells": 4},
    "occlusion": {"cells": 4, "window": 2},
}
CELL = 16


def planted(zoo: Zoo, weights: NDArray[np.float64]) -> Any:
    """A model whose score is the weighted sum of the cells of a 48 x 80 image of ones that are seen."""
    table = torch.tensor(weights, dtype=torch.float32)

    def score(images: Tensor) -> Tensor:
        seen = images.mean(dim=1).unflatten(1, (3, CELL)).unflatten(3, (5, CELL)).mean(dim=(2, 4))
        return 10 * (seen * table).sum(dim=(1, 2))

    return scorer(zoo("vit_wide"), score, "evidence")


def masked(model: Any, image: Tensor, kept: Tensor) -> Tensor:
    """Unit embeddings in which hidden cells have the mean colour, pixel by pixel."""
    rows, columns = kept.shape[1:]
    height, width = image.shape[1] // rows, image.shape[2] // columns
    found = []
    for one in kept:
        shown = torch.zeros_like(image)
        for row, column in one.nonzero().tolist():
            part = (slice(None), slice(row * height, (row + 1) * height), slice(column * width, (column + 1) * width))
            shown[part] = image[part]
        found.append(model.image.plain(shown[None])[0])
    return F.normalize(torch.stack(found), dim=-1)


@pytest.mark.parametrize("method", list(FEW))
def test_the_map_of_an_additive_scorer_is_its_weights(zoo: Zoo, method: str) -> None:
    weights = np.random.default_rng(0).uniform(-0.01, 0.01, (3, 5))
    weights[1, 3] = 0.05
    options: dict[str, Any] = {**FEW[method], "cells": 5, "removal": "mean"}
    if method == "occlusion":
        options["window"] = 1
    else:
        options["masks"] = 400
    result = explain(planted(zoo, weights), torch.ones(1, 3, 48, 80), ["evidence"], method, **options)
    assert result.image is not None
    got = result.image[0, 0]
    # The scorer's embedding is normalised, so its cosine is the weighted sum only nearly.
    assert np.corrcoef(got.ravel(), weights.ravel())[0, 1] > 0.99
    assert np.corrcoef(got[:, ::-1].ravel(), weights.ravel())[0, 1] < 0.9
    assert np.unravel_index(got.argmax(), (3, 5)) == (1, 3)
    if method in ("rise", "lime"):
        assert result.details["r2"][0, 0] > 0.99
        assert result.image_half_width is not None


def test_lime_is_weighted_ridge_regression_on_masked_images(zoo: Zoo) -> None:
    model = zoo("vit")
    work = work_of(model, pixels(model))
    parsed = method_info("lime").parse({**FEW["lime"], "removal": "mean"})
    got = lime.attribute_image(work, parsed).values
    kept = kept_cells(work, 1, (4, 4), 64)
    scores = masked(model, work.images.pixels[1], kept) @ work.texts.embeddings.T
    flat = kept.flatten(1).double().numpy()
    cosine = flat.sum(axis=1) / np.sqrt(flat.sum(axis=1) * flat.shape[1])
    near = np.exp(-(((1 - cosine) / 0.25) ** 2))
    near = near * len(near) / near.sum()
    expected = Ridge(alpha=1.0).fit(flat, scores.double().numpy(), sample_weight=near).coef_
    agrees(got[1].flatten(1), torch.tensor(expected), 1e-3)
    for mutant in (-got[1], got[0], got[1].transpose(1, 2)):
        with pytest.raises(AssertionError):
            agrees(mutant.flatten(1), torch.tensor(expected), 1e-2)


@pytest.mark.parametrize("window", [1, 2, 3])
def test_occlusion_is_the_mean_fall_over_windows(zoo: Zoo, window: int) -> None:
    model = zoo("vit_wide")
    work = work_of(model, pixels(model))
    parsed = method_info("occlusion").parse({"cells": 5, "window": window, "removal": "mean"})
    got = occlusion.attribute_image(work, parsed)
    total, times = np.zeros((3, 3, 5)), np.zeros((3, 5))
    inner, whole_times = np.zeros((3, 3, 5)), np.zeros((3, 5))
    words = work.texts.embeddings
    whole = F.normalize(model.image.plain(work.images.pixels[:1]), dim=-1) @ words.T
    for top in range(1 - window, 3):
        for left in range(1 - window, 5):
            part = (slice(max(top, 0), top + window), slice(max(left, 0), left + window))
            kept = torch.ones(1, 3, 5, dtype=torch.bool)
            kept[(0, *part)] = False
            fall = (whole - masked(model, work.images.pixels[0], kept) @ words.T)[0].numpy()
            total[(slice(None), *part)] += fall[:, None, None]
            times[part] += 1
            if top >= 0 and left >= 0 and top + window <= 3 and left + window <= 5:
                inner[(slice(None), *part)] += fall[:, None, None]
                whole_times[part] += 1
    assert (times == window**2).all()
    agrees(got[0].flatten(1), torch.tensor(total / times).flatten(1), 1e-3)
    with pytest.raises(AssertionError):
        agrees(got[0].flip(1).flatten(1), torch.tensor(total / times).flatten(1), 1e-2)
    # The companion at the border: without the windows that it cuts, the map is another one.
    if window > 1:
        assert (whole_times >= 1).all() and (whole_times < times).any()
        with pytest.raises(AssertionError):
            agrees(got[0].flatten(1), torch.tensor(inner / whole_times).flatten(1), 1e-2)


@pytest.mark.parametrize("removal", ["auto", "mean"])
@pytest.mark.parametrize("cells", [3, 4])
def test_shapley_values_sum_to_the_rise(zoo: Zoo, cells: int, removal: str) -> None:
    model = zoo("vit")
    work = work_of(model, pixels(model))
    parsed = method_info("kernel_shap").parse({**FEW["kernel_shap"], "cells": cells, "removal": removal})
    values = kernel_shap.attribute_image(work, parsed).values
    for index in range(2):
        pool = CoalitionPool(model, work.images.pixels[index], removal)  # type: ignore[arg-type]
        ends = pool.embeddings(torch.stack([torch.zeros(1, 1), torch.ones(1, 1)])) @ work.texts.embeddings.T
        rise_of_score = (ends[1] - ends[0]).double()
        assert torch.allclose(values[index].sum(dim=(1, 2)), rise_of_score, atol=1e-6)
        assert not torch.allclose(values[index].sum(dim=(1, 2)), rise_of_score.flip(0), atol=1e-3)


def test_least_squares_agrees_with_many_published_masks_better_than_few_do(zoo: Zoo) -> None:
    weights = np.random.default_rng(3).normal(0, 0.01, (3, 5))
    model, ones = planted(zoo, weights), torch.ones(1, 3, 48, 80)

    def correlation(**options: Any) -> float:
        image = explain(model, ones, ["evidence"], "rise", cells=5, removal="mean", **options).image
        assert image is not None
        return float(np.corrcoef(image[0, 0].ravel(), weights.ravel())[0, 1])

    assert correlation(masks=64) > correlation(masks=64, estimator="centred") + 0.05


def test_stopping_is_each_text_s_own_affair(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model)
    options = {"masks": 512, "cells": 4, "stop_at": 0.97}
    together = explain(model, images, TEXTS, "rise", **options)
    used = together.details["coalitions"]
    assert used.shape == (2, 3)
    assert set(np.unique(used)) <= {64.0, 128.0, 256.0, 512.0}
    assert used.min() < 512
    for text, words in enumerate(TEXTS):
        alone = explain(model, images, [words], "rise", **options)
        assert np.array_equal(alone.details["coalitions"][:, 0], used[:, text])
        assert np.allclose(alone.image[:, 0], together.image[:, text], atol=1e-5)  # type: ignore[index]
    strict = explain(model, images, TEXTS, "rise", **{**options, "stop_at": 0.999999})
    assert strict.details["coalitions"].min() >= used.min()
    assert strict.details["coalitions"].max() == 512


def test_one_pool_serves_all_and_is_paid_once(zoo: Zoo) -> None:
    model = fresh(zoo("efficientnet"))
    work = work_of(model, pixels(model, 1))
    with model.meter.measuring() as first:
        rise.attribute_image(work, method_info("rise").parse({**FEW["rise"]}))
    free = kept_cells(work, 0, (4, 4), 64)
    distinct = len(torch.unique(free.flatten(1), dim=0))
    # The states of the image itself count one.
    assert first.image == distinct + 1
    with model.meter.measuring() as second:
        lime.attribute_image(work, method_info("lime").parse({**FEW["lime"]}))
    assert second.image == 0
    with model.meter.measuring() as third:
        kernel_shap.attribute_image(work, method_info("kernel_shap").parse({**FEW["kernel_shap"]}))
    sized = shapley_cells(work, 0, (4, 4), 32)
    ends = torch.stack([torch.zeros(4, 4), torch.ones(4, 4)]).bool()
    every = torch.unique(torch.cat([free, sized, ends]).flatten(1), dim=0)
    assert third.image == len(every) - distinct
    other = work_of(model, pixels(model, 1), seed=9)
    with model.meter.measuring() as fourth:
        lime.attribute_image(other, method_info("lime").parse({**FEW["lime"]}))
    assert fourth.image > 60
