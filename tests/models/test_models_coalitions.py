"""Partly hidden images."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from benchmarks.support.tiny import Zoo, fresh, pixels
from core.models.coalitions import Removal, cell_masks, embed_coalitions, removed

FAMILIES = ("vit", "vit_wide", "siglip", "efficientnet", "resnet_clip")
REMOVALS: tuple[Removal, ...] = ("black", "mean", "blur")


@pytest.mark.parametrize("removal", REMOVALS)
@pytest.mark.parametrize("family", FAMILIES)
def test_all_visible_is_the_image_and_none_visible_the_removed_one(zoo: Zoo, family: str, removal: Removal) -> None:
    model = zoo(family)
    image = pixels(model, 1)[0]
    height, width = image.shape[-2:]
    masks = torch.stack([torch.ones(height, width), torch.zeros(height, width)])
    got = embed_coalitions(model, image, [masks], removal)
    whole = F.normalize(model.image.plain(image[None]), dim=-1)[0]
    hidden = F.normalize(model.image.plain(removed(model, image[None], removal)), dim=-1)[0]
    assert torch.allclose(got[0], whole, atol=1e-5)
    assert torch.allclose(got[1], hidden, atol=1e-5)
    assert not torch.allclose(got.flip(0)[0], whole, atol=1e-3)


def test_removed_images_are_what_they_are_called(zoo: Zoo) -> None:
    model = zoo("vit")
    image = pixels(model, 1)
    mean, std = torch.tensor(model.preprocessing.mean), torch.tensor(model.preprocessing.std)
    black = removed(model, image, "black") * std[None, :, None, None] + mean[None, :, None, None]
    assert torch.allclose(black, torch.zeros_like(black), atol=1e-6)
    assert torch.equal(removed(model, image, "mean"), torch.zeros_like(image))
    blurred = removed(model, image, "blur")
    assert blurred.shape == image.shape
    assert float(blurred.std()) < float(image.std())
    assert torch.allclose(blurred.mean(), image.mean(), atol=0.05)


@pytest.mark.parametrize("family", ["vit", "efficientnet"])
def test_chunks_don_t_matter(zoo: Zoo, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = zoo(family)
    image = pixels(model, 1)[0]
    masks = torch.rand(11, *image.shape[-2:], generator=torch.Generator().manual_seed(0))
    together = embed_coalitions(model, image, [masks])
    parts = embed_coalitions(model, image, iter(masks.split([1, 7, 3])))
    monkeypatch.setenv("LOUPE_BYTES", "1")
    one_by_one = embed_coalitions(model, image, masks.split(5))
    assert torch.allclose(together, parts, atol=1e-5)
    assert torch.allclose(together, one_by_one, atol=1e-5)
    assert not torch.allclose(together, parts.roll(1, 0), atol=1e-3)


def test_each_coalition_counts_once(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    with model.meter.measuring() as spent:
        embed_coalitions(model, pixels(model, 1)[0], [torch.ones(9, 64, 64)])
    assert spent.image == 9


@pytest.mark.parametrize(("side", "cells"), [((64, 64), (4, 4)), ((48, 80), (3, 5)), ((160, 160), (14, 14))])
def test_a_cell_hides_the_pixels_whose_centres_lie_in_it(side: tuple[int, int], cells: tuple[int, int]) -> None:
    (height, width), (rows, columns) = side, cells
    kept = torch.eye(rows * columns).bool().reshape(-1, rows, columns)
    masks = cell_masks(kept, height, width)
    assert torch.equal(masks.sum(dim=0), torch.ones(height, width))
    for number, mask in enumerate(masks):
        row, column = divmod(number, columns)
        for y, x in mask.nonzero().tolist():
            assert row == int((y + 0.5) * rows / height)
            assert column == int((x + 0.5) * columns / width)


def test_a_transposed_mask_hides_other_pixels() -> None:
    kept = torch.zeros(1, 3, 5, dtype=torch.bool)
    kept[0, 0, 4] = True
    mask = cell_masks(kept, 48, 80)[0]
    assert mask[5, 75] == 1
    assert mask[75 % 48, 5] == 0
    assert mask.sum() == 16 * 16
