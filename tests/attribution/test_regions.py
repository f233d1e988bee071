"""Regions are a partition that follows the features, superpixels follow colour, and a factor's scale is no matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from core.attribution import regions
from core.attribution.contract import Work
from core.attribution.regions import Prior, factorise, partition, regions_of, released_regions, shifted
from core.errors import CapabilityError
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.support.tiny import Zoo, pixels

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
    picture = Image.new("RGB", (64, 64), (30, 60, 200))
    picture.paste((220, 40, 30), (0, 0, 64, 30))
    work = work_of(model, model.preprocess([picture])[0])
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
        with pytest.raises(CapabilityError, match="doesn't show its layers"):
            released_regions(work, 0, 4)
    assert regions_of(work_of(zoo("vit"), pixels(zoo("vit"), 1)), 0, "auto", 4).prior == "semantic"


@pytest.mark.parametrize("family", ["vit", "efficientnet"])
def test_released_masks_cover_the_picture_and_may_overlap(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    found = released_regions(work_of(model, pixels(model, 1)), 0, 5)
    assert 1 <= len(found) <= 6
    assert found.masks.any(dim=0).all()
    assert found.masks.flatten(1).any(dim=1).all()
