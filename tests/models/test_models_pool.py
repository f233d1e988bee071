"""The coalition pool: dropped tokens against masked attention, remembered sets, counted forwards."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.support.tiny import Zoo, double, fresh, pixels
from core.models.coalitions import cell_masks, embed_coalitions
from core.models.model import Model
from core.models.pool import CoalitionPool, removal_of

DROPPING = ("vit", "vit_wide", "vit_avg", "timm_cls", "siglip", "registers")


def some(grid: tuple[int, int], count: int = 9, seed: int = 1) -> Tensor:
    kept = torch.rand(count, *grid, generator=torch.Generator().manual_seed(seed)) < 0.6
    kept[:, 0, 0] = True
    return kept


def masked_attention(model: Model, image: Tensor, kept: Tensor) -> Tensor:
    """The embedding in float64 with every token in place, hidden ones cut off from attention and from the pool."""
    twin = double(model)
    tower = twin.image
    state = tower.enter(image[None].double())
    visible = torch.cat([torch.ones(tower.prefix_tokens, dtype=torch.bool), kept.flatten()])
    mask = torch.zeros(len(visible), dtype=torch.float64).masked_fill(~visible, -1e30)
    for block in tower.blocks:  # type: ignore[attr-defined]
        q, k, v, scale = block.qkv(state)
        weights = ((q * scale) @ k.transpose(-2, -1) + mask).softmax(dim=-1)
        state = block.add_mlp(block.add_attention(state, weights @ v))
    return F.normalize(tower.leave(state[:, visible]), dim=-1)[0]


@pytest.mark.parametrize("family", DROPPING)
def test_dropping_a_token_is_cutting_it_off_from_attention(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    image = pixels(model, 1)[0]
    pool = CoalitionPool(model, image, "drop")
    assert pool.removal == "drop"
    kept = some(pool.token_grid, 3)
    got = pool.embeddings(kept)
    expected = torch.stack([masked_attention(model, image, row) for row in kept]).float()
    assert torch.allclose(got, expected, atol=1e-5)
    assert not torch.allclose(got.roll(1, 0), expected, atol=1e-3)
    if pool.token_grid[0] == pool.token_grid[1]:
        turned = pool.embeddings(kept.transpose(1, 2))
        assert not torch.allclose(turned, expected, atol=1e-3)


@pytest.mark.parametrize("family", ["vit", "siglip", "efficientnet"])
def test_everything_kept_is_the_image(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    image = pixels(model, 1)[0]
    got = CoalitionPool(model, image).embeddings(torch.ones(1, 3, 3))
    assert torch.allclose(got, F.normalize(model.image.plain(image[None]), dim=-1), atol=1e-5)


def test_a_tower_that_reads_only_places_shows_the_mean_colour_when_all_are_dropped(zoo: Zoo) -> None:
    model = zoo("siglip")
    image = pixels(model, 1)[0]
    got = CoalitionPool(model, image, "drop").embeddings(torch.zeros(2, 4, 4))
    expected = F.normalize(model.image.plain(torch.zeros_like(image)[None]), dim=-1)
    assert torch.allclose(got, expected.expand(2, -1), atol=1e-5)


@pytest.mark.parametrize("family", ["vit", "efficientnet"])
def test_a_set_that_was_asked_for_costs_nothing_again(zoo: Zoo, family: str) -> None:
    model = fresh(zoo(family))
    pool = CoalitionPool(model, pixels(model, 1)[0], "mean")
    kept = some((4, 4))
    with model.meter.measuring() as first:
        one = pool.embeddings(kept)
    with model.meter.measuring() as second:
        again = pool.embeddings(kept.flip(0))
        pool.embeddings(torch.cat([kept, kept]))
    assert first.image == len(pool) == len(torch.unique(kept.flatten(1), dim=0))
    assert second.image == 0
    assert torch.equal(one.flip(0), again)


def test_dropped_coalitions_cost_what_they_keep(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    pool = CoalitionPool(model, pixels(model, 1)[0], "drop")
    kept = torch.zeros(2, 4, 4, dtype=torch.bool)
    kept[0, :2] = True
    kept[1, 0, 0] = True
    with model.meter.measuring() as spent:
        pool.embeddings(kept)
    assert spent.image == pytest.approx((9 + 2) / 17)


def test_masked_pixels_are_the_plain_coalitions(zoo: Zoo) -> None:
    model = zoo("vit_wide")
    image, kept = pixels(model, 1)[0], some((2, 3), 5)
    got = CoalitionPool(model, image, "blur").embeddings(kept)
    expected = embed_coalitions(model, image, [cell_masks(kept, *image.shape[-2:])], "blur")
    assert torch.allclose(got, expected, atol=1e-6)
    assert not torch.allclose(got, CoalitionPool(model, image, "drop").embeddings(kept), atol=1e-3)


def test_sets_of_different_grids_don_t_collide(zoo: Zoo) -> None:
    model = zoo("efficientnet")
    pool = CoalitionPool(model, pixels(model, 1)[0], "mean")
    top = torch.tensor([[[True, True], [False, False]]])
    left = torch.tensor([[[True, True, False, False]]])
    assert not torch.allclose(pool.embeddings(top), pool.embeddings(left), atol=1e-3)
    assert len(pool) == 2


USED = (
    ("vit", "auto", "drop"),
    ("vit", "mean", "mean"),
    ("efficientnet", "auto", "mean"),
    ("efficientnet", "drop", "mean"),
    ("byobnet", "auto", "mean"),
)


@pytest.mark.parametrize(("family", "wanted", "used"), USED)
def test_the_operator_that_is_used_can_be_asked_for(zoo: Zoo, family: str, wanted: str, used: str) -> None:
    assert removal_of(zoo(family), wanted) == used  # type: ignore[arg-type]


def test_chunks_don_t_matter(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    model = zoo("vit")
    image, kept = pixels(model, 1)[0], some((4, 4), 20)
    together = CoalitionPool(model, image, "drop").embeddings(kept)
    monkeypatch.setenv("LOUPE_BYTES", "1")
    assert torch.allclose(together, CoalitionPool(model, image, "drop").embeddings(kept), atol=1e-5)


def test_a_pool_keeps_nothing_alive(zoo: Zoo) -> None:
    model = zoo("vit")
    image = pixels(model, 1)[0]
    pool = CoalitionPool(model, image, "drop")
    found = pool.embeddings(some((4, 4)))
    assert not found.requires_grad
    gone = weakref.ref(pool)
    del pool
    gc.collect()
    assert gone() is None
