"""MaskInversion against a second implementation that holds the whole Jacobian, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.support.tiny import TEXTS, Zoo, double, pixels
from core.attribution.contract import Work
from core.attribution.mask_inversion import Inversion, invert, region_shares, soft_dice
from core.errors import CapabilityError, InputError
from core.models.geometry import Geometry
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref

FAMILIES = ("vit", "vit_wide", "siglip", "registers")


def work_of(model: Model) -> Work:
    return Work(model, ImageTrunk(model, pixels(model).double()), TextTrunk(model, TEXTS))


def drawn(grid: tuple[int, int]) -> Tensor:
    """The lower left part of the image, not symmetric in any way."""
    region = torch.zeros(grid, dtype=torch.float64)
    region[grid[0] // 2 :, : grid[1] // 2] = 1
    region[grid[0] // 2, 0] = 0.5
    return region


def jacobians(plain: ref.Plain, image: Tensor, layers: int) -> list[Tensor]:
    """Of each block's own unit embedding by its attention weights, `(embedding, heads, tokens, tokens)`."""
    states, depth, found = plain.states(image), len(plain.blocks), []
    for index in range(depth - layers, depth):
        heads = 4 if plain.kind == "open_clip" else plain.blocks[index].attn.num_heads
        added = ref.zeros_for(len(states[index]), heads)
        out, _ = plain.block(index, states[index], added)
        unit = plain.place(out.mean(dim=0))
        rows = [torch.stack(torch.autograd.grad(one, added, retain_graph=True)) for one in unit]
        found.append(torch.stack(rows).detach())
    return found


def learned(plain: ref.Plain, image: Tensor, region: Tensor, layers: int, steps: int, rate: float, alpha: float) -> Any:
    """The loop with every derivative written out: the best embedding, its overlap and the first one."""
    every, own = jacobians(plain, image, layers), plain.image(image)
    vector, first, second = own.clone(), torch.zeros_like(own), torch.zeros_like(own)
    best: Any = None
    begin = math.nan
    wanted = region.flatten()
    for step in range(steps + 1):
        length = vector.norm()
        unit = vector / length
        raw, slopes = torch.zeros_like(wanted), torch.zeros(len(wanted), len(own), dtype=torch.float64)
        for jacobian in every:
            gradient = torch.einsum("c,chqk->hqk", unit, jacobian)
            share = 1 / (gradient.shape[0] * gradient.shape[1])
            raw += share * gradient.clamp(min=0).sum(dim=(0, 1))[plain.prefix :]
            positive = torch.einsum("hqk,chqk->kc", (gradient > 0).double(), jacobian)
            slopes += share * positive[plain.prefix :]
        low, high = int(raw.argmin()), int(raw.argmax())
        span = raw[high] - raw[low]
        values = (raw - raw[low]) / span
        of_values = (slopes - slopes[low]) / span - values[:, None] * (slopes[high] - slopes[low]) / span
        overlap, mass = (values * wanted).sum(), values.sum() + wanted.sum()
        fit = 2 * overlap / mass
        of_fit = 2 * (wanted @ of_values) / mass - 2 * overlap * of_values.sum(dim=0) / mass**2
        loss = 1 - fit + alpha * (1 - unit @ own)
        begin = float(fit) if step == 0 else begin
        if best is None or loss < best[0]:
            best = (loss, unit, float(fit))
        slope = -of_fit - alpha * own
        slope = (slope - unit * (unit @ slope)) / length
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        up, down = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        vector = vector - rate / math.sqrt(len(own)) * up / (down.sqrt() + 1e-8)
    return best[1], best[2], begin


@pytest.mark.parametrize("family", FAMILIES)
def test_an_embedding_is_learned_as_by_the_whole_jacobian(zoo: Zoo, family: str) -> None:
    """Another region, image, number of blocks or price gives another embedding."""
    plain, work = ref.Plain(zoo(family)), work_of(double(zoo(family)))
    region = drawn(work.images.grid())
    options: dict[str, Any] = {"layers": 2, "steps": 4, "rate": 0.2, "alpha": 0.3}
    (got,) = invert(work, region[None], **options)
    wanted, fit, begin = learned(plain, work.images.pixels[0], region, **options)
    assert float((got.embedding - wanted).abs().max()) < 1e-7
    assert (got.fit, got.fit_before) == (pytest.approx(fit, abs=1e-9), pytest.approx(begin, abs=1e-9))
    assert torch.allclose(got.scores, torch.stack([plain.words(text) @ wanted for text in TEXTS]), atol=1e-7)
    others: list[list[Inversion]] = [
        invert(work, region.flip(0)[None], **options),
        invert(work, region[None], image=1, **options),
        invert(work, region[None], **{**options, "layers": 1}),
        invert(work, region[None], **{**options, "alpha": 0.0}),
        invert(work, region[None], **{**options, "rate": 0.1}),
    ]
    for (other,) in others:
        assert float((other.embedding - wanted).abs().max()) > 1e-4


def test_regions_are_learned_by_themselves_and_never_fit_worse(zoo: Zoo) -> None:
    work = work_of(double(zoo("vit")))
    region = drawn(work.images.grid())
    both = invert(work, torch.stack([region, 1 - region]), steps=3)
    (alone,) = invert(work, (1 - region)[None], steps=3)
    assert torch.equal(both[1].embedding, alone.embedding)
    for one, mask in zip(both, (region, 1 - region), strict=True):
        assert one.fit >= one.fit_before
        assert float(soft_dice(one.map, mask)) == pytest.approx(one.fit)
        assert (float(one.map.min()), float(one.map.max())) == (0.0, 1.0)
        assert float(one.embedding.norm()) == pytest.approx(1)
        assert torch.allclose(one.scores_before, work.scores[0])
    assert both[0].fit > both[0].fit_before
    # A map is compared with its own region.
    assert float(soft_dice(both[0].map, 1 - region)) != pytest.approx(both[0].fit)


def test_the_cost_is_what_the_blocks_and_their_walks_back_take(zoo: Zoo) -> None:
    model = zoo("vit")
    work = Work(model, ImageTrunk(model, pixels(model)), TextTrunk(model, TEXTS))
    region = drawn(work.images.grid())
    assert work.images.embeddings is not None
    with model.meter.measuring() as spent:
        invert(work, torch.stack([region, 1 - region]), layers=2, steps=5)
    depth = model.image.depth
    # The last two blocks once, and for each region six backward passes and five walks back.
    assert spent.image == pytest.approx(2 / depth + 2 * (6 + 5) * 2 * 2 / depth)
    assert spent.text <= len(TEXTS)


def test_nothing_of_the_model_is_changed(zoo: Zoo) -> None:
    model = zoo("vit")
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    work = Work(model, ImageTrunk(model, pixels(model)), TextTrunk(model, TEXTS))
    with torch.no_grad():
        invert(work, drawn(work.images.grid())[None], steps=2)
    assert all(torch.equal(value, before[name]) for name, value in model.net.state_dict().items())
    assert not any(value.requires_grad or value.grad is not None for value in model.net.parameters())


def test_shares_of_cells_are_those_of_the_part_that_is_seen() -> None:
    mask = np.zeros((40, 80), dtype=bool)
    mask[:20, 20:30] = True
    # The model sees the middle square, halved: columns 20 to 60 of the original.
    geometry = Geometry(80, 40, 20, 20, 0.5, 0.5, 10.0, 0.0)
    got = region_shares(mask, geometry, (2, 2))
    assert np.allclose(got, [[0.5, 0], [0, 0]])
    assert not np.allclose(region_shares(mask[:, ::-1], geometry, (2, 2)), got)
    outside = np.zeros_like(mask)
    outside[:, 70:] = True
    with pytest.raises(InputError, match="the model sees nothing of the region"):
        region_shares(outside, geometry, (2, 2))
    with pytest.raises(InputError, match="the region is drawn on 40 x 80 pixels, but the image has 80 x 40"):
        region_shares(mask.T, geometry, (2, 2))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda region: region[None, :-1], "regions must be"),
        (lambda region: region, "regions must be"),
        (lambda region: 0 * region[None], "a region is empty"),
        (lambda region: 2 * region[None], "shares from 0 to 1"),
        (lambda region: math.nan * region[None], "shares from 0 to 1"),
    ],
)
def test_wrong_regions_are_refused_in_one_line(zoo: Zoo, change: Any, told: str) -> None:
    work = work_of(double(zoo("vit")))
    with pytest.raises(InputError, match=told):
        invert(work, change(drawn(work.images.grid())))


@pytest.mark.parametrize("options", [{"layers": 0}, {"steps": 0}, {"rate": 0.0}, {"alpha": -1.0}])
def test_options_out_of_range_are_refused(zoo: Zoo, options: dict[str, Any]) -> None:
    work = work_of(double(zoo("vit")))
    with pytest.raises(InputError, match="layers and steps must be at least 1"):
        invert(work, drawn(work.images.grid())[None], **options)


def test_a_model_without_attention_says_so(zoo: Zoo) -> None:
    work = work_of(double(zoo("efficientnet")))
    with pytest.raises(CapabilityError, match="cannot be named: this needs a model that has image self-attention"):
        invert(work, drawn(work.images.grid())[None])
