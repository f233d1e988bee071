"""Regions are a partition that follows the features, superpixels follow colour, and a factor's scale is no matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.support.tiny import Zoo, double, pixels
from core.attribution import regions
from core.attribution.contract import Work
from core.attribution.regions import Prior, factorise, partition, regions_of, released_regions, shifted
from core.errors import CapabilityError
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref

PRIORS = ("semantic", "superpixels", "grid")


def work_of(model: Model, images: torch.Tensor) -> Work:
    return Work(model, ImageTrunk(model, images), TextTrunk(model, ["dog"]))


def planted(places: int = 30, width: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of three kinds of places, each kind on channels of its own, with a little of the others."""
    random = np.random.default_rng(seed)
    kinds = random.integers(0, 3, places)
    features = random.uniform(0, 0.15, (places, width))
    for place, kind in enumerate(kinds):
        features[place, 4 * kind : 4 * kind + 4] += random.uniform(0.6, 1.4)
    return features, kinds


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a[:, None] == a[None], b[:, None] == b[None])


@pytest.mark.parametrize("family", ["vit", "vit_wide", "siglip", "efficientnet", "vit_attentional"])
@pytest.mark.parametrize("prior", PRIORS)
def test_regions_are_a_partition_in_pixels_and_in_cells(zoo: Zoo, family: str, prior: Prior) -> None:
    model = zoo(family)
    images = pixels(model, 2)
    found = regions_of(work_of(model, images), 1, prior, 5)
    assert 1 <= len(found) <= 5
    assert found.masks.shape == (len(found), *images.shape[-2:])
    assert found.masks.dtype == torch.bool
    assert torch.equal(found.masks.sum(dim=0), torch.ones(images.shape[-2:], dtype=torch.long))
    assert torch.allclose(found.cells.sum(dim=0), torch.ones(found.cells.shape[1:], dtype=torch.float64))
    assert float(found.areas.sum()) == pytest.approx(1)
    assert float(found.areas.min()) > 0
    assert found.prior == prior


def test_a_partition_finds_the_kinds_of_places_whatever_the_scale_of_the_factors() -> None:
    features, kinds = planted()
    weights, components = factorise(features, 3)
    assert np.abs(weights @ components - features).mean() < 0.1
    assert weights.min() >= 0 <= components.min()
    assert same_partition(partition(weights, components).numpy(), kinds)
    scale = np.array([0.01, 1.0, 50.0])
    assert same_partition(partition(weights * scale, components / scale[:, None]).numpy(), kinds)
    # Without the norm of the components the scale decides, as it does under the released thresholds.
    bare = (weights * scale).argmax(axis=1)
    assert not same_partition(bare, kinds)


def test_the_factorisation_has_no_chance_in_it() -> None:
    features, _ = planted(seed=3)
    np.random.seed(1)
    one = factorise(features, 4)
    np.random.seed(2)
    again = factorise(features, 4)
    assert np.array_equal(one[0], again[0])
    assert np.array_equal(one[1], again[1])
    assert factorise(features[:2], 6)[0].shape == (2, 2)


def test_places_that_are_all_alike_are_one_region() -> None:
    same = shifted(np.full((9, 5), -0.3))
    assert not same.any()
    assert partition(*factorise(same, 4)).tolist() == [0] * 9
    low = shifted(planted()[0] - 0.7)
    assert low.min() == 0
    assert (low.min(axis=0) == 0).all()


def test_superpixels_follow_colour_and_number_without_gaps(zoo: Zoo) -> None:
    model = zoo("vit")
    image = Image.new("RGB", (64, 64), (30, 60, 200))
    image.paste((220, 40, 30), (0, 0, 64, 30))
    work = work_of(model, model.preprocess([image])[0])
    found = regions_of(work, 0, "superpixels", 4)
    assert len(found) <= 4
    red = torch.zeros(64, 64, dtype=torch.bool)
    red[:30] = True
    for mask in found.masks:
        assert float((mask & red).sum() / mask.sum()) < 0.1 or float((mask & red).sum() / mask.sum()) > 0.9
    crossing = regions_of(work, 0, "grid", 1).masks[0]
    assert 0.4 < float((crossing & red).sum() / crossing.sum()) < 0.5


@pytest.mark.parametrize(("count", "shape"), [(2, (1, 2)), (4, (2, 2)), (10, (3, 3)), (12, (3, 4))])
def test_a_grid_has_at_most_as_many_parts_as_are_asked_for(count: int, shape: tuple[int, int]) -> None:
    labels = regions.grid_labels(48, 80, count)
    assert labels.max() + 1 == shape[0] * shape[1] <= count
    assert labels[0, 0] == 0
    assert labels[-1, -1] == labels.max()
    sizes = torch.bincount(labels.flatten())
    assert sizes.min() > 0.8 * sizes.max()


def test_a_coalition_shows_the_union_of_its_regions(zoo: Zoo) -> None:
    model = zoo("vit")
    found = regions_of(work_of(model, pixels(model, 1)), 0, "grid", 4)
    rows = torch.tensor([[False] * 4, [True, False, False, True], [True] * 4])
    shown = torch.cat(list(found.visible(rows)))
    assert shown.mean(dim=(1, 2)).tolist() == [0.0, 0.5, 1.0]
    assert torch.equal(shown[1] > 0, found.masks[0] | found.masks[3])
    values = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    painted = found.spread(values)[0]
    assert painted.shape == (4, 4)
    assert [painted[0, 0], painted[0, 3], painted[3, 0], painted[3, 3]] == [1, 2, 3, 4]


def test_a_model_that_shows_no_features_gets_superpixels_and_is_told_why(zoo: Zoo) -> None:
    model = zoo("resnet_clip")
    work = work_of(model, pixels(model, 1))
    if not regions.can_be_semantic(model):
        assert regions_of(work, 0, "auto", 4).prior == "superpixels"
        with pytest.raises(CapabilityError, match="use superpixels or grid"):
            regions_of(work, 0, "semantic", 4)
        with pytest.raises(CapabilityError, match="does not show its layers"):
            released_regions(work, 0, 4)
    assert regions_of(work_of(zoo("vit"), pixels(zoo("vit"), 1)), 0, "auto", 4).prior == "semantic"


def factors(features: np.ndarray, count: int) -> np.ndarray:
    """Non-negative weights `(places, count)`: coordinate descent from a seeded random start, as the release asks for.

    Each number in turn is set to its best value with the others held; at most 200 rounds, and fewer once the projected
    gradients fall to 1e-4 of those of the first round.
    """
    random = np.random.RandomState(0)
    size = np.sqrt(features.mean() / count)
    patterns = np.abs(size * random.standard_normal((count, features.shape[1])))
    weights = np.abs(size * random.standard_normal((len(features), count)))

    def improved(first: np.ndarray, second: np.ndarray, target: np.ndarray) -> float:
        squares, products, left = second @ second.T, target @ second.T, 0.0
        for at in range(count):
            slope = first @ squares[at] - products[:, at]
            left += np.abs(np.where(first[:, at] == 0, np.minimum(slope, 0), slope)).sum()
            if squares[at, at] != 0:
                first[:, at] = np.maximum(first[:, at] - slope / squares[at, at], 0)
        return float(left)

    start = 0.0
    for turn in range(200):
        rest = improved(weights, patterns, features)
        turned = patterns.T.copy()
        rest += improved(turned, weights.T, features.T)
        patterns = turned.T
        start = rest if turn == 0 else start
        if rest <= 1e-4 * start:
            break
    return weights


def cubic(table: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cubic convolution (a = -0.75) between the centres of cells, cells repeated beyond the border."""

    def weigh(away: float) -> float:
        t = abs(away)
        if t <= 1:
            return 1.25 * t**3 - 2.25 * t**2 + 1
        return -0.75 * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0

    def along(count: int, size: int) -> np.ndarray:
        matrix = np.zeros((size, count))
        for pixel in range(size):
            centre = (pixel + 0.5) * count / size - 0.5
            for cell in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
                matrix[pixel, min(max(cell, 0), count - 1)] += weigh(centre - cell)
        return matrix

    return along(table.shape[0], height) @ table @ along(table.shape[1], width).T


def released(plain: ref.Plain, image: torch.Tensor, grid: tuple[int, int], count: int, cut: float | None = None,
             scaled: bool = True) -> np.ndarray:  # fmt: skip
    """Released masks `(masks, height, width)` from the library's own states in float64."""
    last = plain.states(image)[-1]
    height, width = image.shape[-2:]
    if plain.kind == "cnn":
        features = last.flatten(1).T.detach().numpy()
        weights = factors(features - min(0.0, features.min()), count)
        large = [255 * cubic(one.reshape(grid), height, width) for one in weights.T]
        masks = np.stack(large).clip(0, 255) > (25 if cut is None else cut)
    else:
        features = last[plain.prefix :].detach().numpy()
        if scaled:
            features = (features - features.min(axis=0)) / np.ptp(features, axis=0)
        else:
            features = features - features.min()
        small = 255 * factors(features, count).T.reshape(count, *grid) > (150 if cut is None else cut)
        masks = np.kron(small, np.ones((1, height // grid[0], width // grid[1]), dtype=int)) > 0
    masks = np.concatenate([masks, ~masks.any(axis=0, keepdims=True)])
    return masks[masks.any(axis=(1, 2))]


@pytest.mark.parametrize("family", ["vit_wide", "registers", "resnet"])
def test_released_masks_are_those_of_the_second_implementation(zoo: Zoo, family: str) -> None:
    model, plain = double(zoo(family)), ref.Plain(zoo(family))
    images = pixels(zoo(family)).double()
    work = work_of(model, images)
    for index, image in enumerate(images):
        got = released_regions(work, index, 4).masks.numpy()
        wanted = released(plain, image, work.images.grid(), 4)
        assert got.shape == wanted.shape
        # A pixel on a threshold may fall either way by rounding.
        assert (got != wanted).mean() < 1e-3
        # Another threshold, channels that are not scaled, another image, and an image upside down.
        others = [
            released(plain, image, work.images.grid(), 4, cut=90),
            released(plain, images[1 - index], work.images.grid(), 4),
            wanted[:, ::-1],
        ]
        if plain.kind != "cnn":
            others.append(released(plain, image, work.images.grid(), 4, scaled=False))
        assert all(other.shape != got.shape or (got != other).mean() > 0.01 for other in others)


@pytest.mark.parametrize("family", ["vit", "efficientnet"])
def test_released_masks_cover_the_image_and_may_overlap(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    found = released_regions(work_of(model, pixels(model, 1)), 0, 5)
    assert 1 <= len(found) <= 6
    assert found.masks.any(dim=0).all()
    assert found.masks.flatten(1).any(dim=1).all()
