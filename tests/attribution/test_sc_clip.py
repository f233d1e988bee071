"""SC-CLIP against a second implementation in float64, and its outlier factors against scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import LocalOutlierFactor
from torch import Tensor

from benchmarks.support.tiny import TEXTS, Zoo, double, pixels
from core import METHODS, explain
from core.attribution.contract import Work
from core.attribution.registry import method_module
from core.attribution.sc_clip import coherent, outlier_factors, repaired
from core.errors import InputError
from core.methods.calibrated import ScClipOptions, calibrating_blocks
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref
from tests.attribution import plain_dense as dense

TOLERANCE = 1e-8
FAMILIES = ("vit", "vit_wide", "vit_layer_scale", "timm_avg", "timm_map", "siglip", "registers")


def work_of(model: Model) -> Work:
    return Work(model, ImageTrunk(model, pixels(model).double()), TextTrunk(model, TEXTS))


def maps(work: Work, **options: Any) -> Tensor:
    return method_module("sc_clip")[1].attribute_image(work, METHODS["sc_clip"].parse(options))


def error(got: Tensor, wanted: Tensor) -> float:
    assert got.numel() == wanted.numel()
    return float((got.flatten() - wanted.flatten()).abs().max() / wanted.abs().max())


# -- the second implementation, place by place ----------------------------------------------------------------------


def factors(rows: list[Tensor], count: int, released: bool) -> list[float]:
    places = range(len(rows))
    apart = [[float((rows[a] - rows[b]).norm()) ** (2 if released else 1) for b in places] for a in places]
    near = [sorted((b for b in places if b != a), key=lambda b: apart[a][b])[:count] for a in places]
    farthest = [apart[a][near[a][-1]] for a in places]
    density = []
    for a in places:
        reach = [farthest[a] if released else max(apart[a][b], farthest[b]) for b in near[a]]
        density.append(len(reach) / sum(reach))
    return [sum(density[b] for b in near[a]) / len(near[a]) / density[a] for a in places]


def mended(rows: list[Tensor], bad: set[int], columns: int) -> list[Tensor]:
    out = list(rows)
    for a in bad:
        around = [
            rows[b]
            for b in range(len(rows))
            if b not in bad and max(abs(a // columns - b // columns), abs(a % columns - b % columns)) == 1
        ]
        out[a] = torch.stack(around).mean(dim=0) if around else rows[a]
    return out


def likeness(rows: list[Tensor]) -> list[list[float]]:
    return [[float(ref.unit(a) @ ref.unit(b)) for b in rows] for a in rows]


def pooled_by(alike: list[list[float]], rows: list[Tensor], floor: float) -> list[Tensor]:
    out = []
    for weights in alike:
        kept = [(weight, row) for weight, row in zip(weights, rows, strict=True) if weight >= floor]
        out.append(sum(weight * row for weight, row in kept) / sum(weight for weight, _ in kept))
    return out


def attention_of(alike: list[list[float]], sharpness: float) -> Tensor:
    mean = sum(sum(row) for row in alike) / len(alike) ** 2
    powers = [[math.exp(sharpness * (one - mean)) if one >= mean else 0.0 for one in row] for row in alike]
    return torch.tensor([[one / sum(row) for one in row] for row in powers], dtype=torch.float64)


def expected(plain: ref.Plain, image: Tensor, text: str, columns: int, share: float, released: bool) -> Tensor:
    """The third block is the middle one, the first the early one, and the first to third are summed."""
    states, last = plain.states(image), len(plain.blocks) - 1
    prefix = plain.prefix
    before = list(states[last][prefix:])
    scores = factors(before, 5, released)
    bound = np.quantile(scores, 1 - share)
    bad = {place for place, score in enumerate(scores) if score > bound}
    alike = likeness(mended(list(states[3][prefix:]), bad, columns))
    early = likeness(list(states[1][prefix:]))
    weights = attention_of(alike, 3.0)
    # Only towers that pool a class token have one to add.
    token = plain.kind == "open_clip" and plain.visual.pool_type == "tok" and plain.visual.attn_pool is None
    token = token or (plain.kind == "timm" and plain.trunk.global_pool == "token" and plain.trunk.attn_pool is None)

    def block(state: Tensor) -> list[Tensor]:
        mixed = []
        for _, k, v in zip(*dense.qkv(plain, last, state), strict=True):
            mixed.append((dense.pairs(k[prefix:], k[prefix:]) + weights) @ v[prefix:] / 2)
        out = dense.attended(plain, last, [torch.cat([torch.zeros(prefix, m.shape[1]).double(), m]) for m in mixed])
        rows = [row + 0.3 * state[0] if token else row for row in out[prefix:]]
        return pooled_by(early, rows, 0.4)

    places = pooled_by(alike, mended(before, bad, columns), 0.4)
    one = block(torch.cat([states[last][:prefix], torch.stack(places)]))
    two = block(states[1] + states[2] + states[3])
    word = plain.words(text)
    return torch.stack([plain.place(a + b) @ word for a, b in zip(one, two, strict=True)])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_sc_clip_against_a_second_implementation(zoo: Zoo, family: str, released: bool) -> None:
    """A turned sign, a transposed grid, another text or image, and a step left out are told apart."""
    plain, work = ref.Plain(zoo(family)), work_of(double(zoo(family)))
    columns = work.images.grid()[1]
    options: dict[str, Any] = {"middle": 2, "early": 0, "first": 0, "last": 2, "neighbours": 5, "anomalies": 0.2}
    options["paper_exact"] = released
    got = maps(work, **options)
    with torch.no_grad():
        for i, image in enumerate(work.images.pixels):
            for t in (0, 2):
                assert error(got[i, t], expected(plain, image, TEXTS[t], columns, 0.2, released)) <= TOLERANCE
        wanted = expected(plain, work.images.pixels[0], TEXTS[0], columns, 0.2, released)
    for mutant in (-got[0, 0], got[0, 0].T, got[0, 0].flip(0), got[0, 2], got[1, 0]):
        assert error(mutant.contiguous(), wanted) > 1e-3
    for other in ({"fuse": False}, {"sharpness": 0.0}, {"middle": 0}, {"anomalies": 0.0}):
        assert error(maps(work, **{**options, **other})[0, 0], wanted) > 1e-6


def test_outlier_factors_are_those_of_scikit_learn() -> None:
    states = torch.randn(3, 40, 6, generator=torch.Generator().manual_seed(1)).double()
    states[1, 7] += 9
    got = outlier_factors(states, 10)
    for i, rows in enumerate(states):
        peer = LocalOutlierFactor(n_neighbors=10, algorithm="brute").fit(rows.numpy())
        assert np.allclose(got[i], -peer.negative_outlier_factor_, atol=1e-9)
    assert got[1].argmax() == 7
    # The release's is another quantity, and so is one by other neighbours.
    assert error(outlier_factors(states, 10, released=True), got) > 1e-2
    assert error(outlier_factors(states, 9), got) > 1e-3


def test_few_places_and_equal_ones_have_factors_too() -> None:
    small = outlier_factors(torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(2)), 30)
    assert small.shape == (1, 4) and bool(small.isfinite().all())
    assert torch.allclose(outlier_factors(torch.ones(1, 9, 3), 5), torch.ones(1, 9).double())


def test_an_anomalous_place_takes_the_mean_of_its_sound_neighbours() -> None:
    states = torch.arange(12.0).reshape(1, 12, 1)
    bad = torch.zeros(1, 12, dtype=torch.bool)
    bad[0, [0, 1]] = True
    got = repaired(states, bad, (3, 4))[0, :, 0]
    # Place 0 has the sound neighbours 4 and 5, place 1 has 2, 4, 5 and 6; those are sound and stay.
    assert torch.allclose(got[:2], torch.tensor([4.5, 4.25]))
    assert torch.equal(got[2:], states[0, 2:, 0])
    # On a grid of other columns the neighbours are others.
    assert not torch.allclose(repaired(states, bad, (4, 3))[0, :2, 0], got[:2])
    # Where no neighbour is sound nothing is known of a place: it stays.
    assert torch.equal(repaired(states, torch.ones_like(bad), (3, 4)), states)


def test_likeness_attends_only_above_its_mean_and_to_itself() -> None:
    similar = torch.tensor([[[1.0, 0.8, 0.0], [0.8, 1.0, 0.1], [0.0, 0.1, 1.0]]])
    got = coherent(similar, 2.0)[0]
    assert got[0, 2] == 0 and got[2, 0] == 0 and got[2, 2] == 1
    assert got[0, 0] / got[0, 1] == pytest.approx(math.exp(2.0 * 0.2))
    # A rounded mean of ones may lie above one.
    assert bool(coherent(torch.ones(1, 3, 3) - 1e-7 * torch.eye(3), 2.0).isfinite().all())


def test_blocks_are_those_of_the_paper_and_scale() -> None:
    assert calibrating_blocks(ScClipOptions(), 12) == (8, 3, 3, 9)
    assert calibrating_blocks(ScClipOptions(), 24) == (17, 7, 7, 19)
    assert calibrating_blocks(ScClipOptions(), 2) == (0, 0, 0, 0)
    assert calibrating_blocks(ScClipOptions(first=5, last=6), 12) == (8, 3, 5, 6)


@pytest.mark.parametrize("options", [{"middle": 3}, {"early": 9}, {"first": 2, "last": 1}, {"last": 3}])
def test_blocks_lie_before_the_last_one(zoo: Zoo, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="sc_clip: middle, early, first and last must be blocks"):
        explain(zoo("vit"), pixels(zoo("vit")), TEXTS, "sc_clip", **options)


@pytest.mark.parametrize("options", [{}, {"fuse": False}])
@pytest.mark.parametrize("texts", [1, 20])
def test_the_meter_agrees_with_the_card(zoo: Zoo, options: dict[str, Any], texts: int) -> None:
    model, info = zoo("vit"), METHODS["sc_clip"]
    with model.meter.measuring() as spent:
        explain(model, pixels(model), [f"a dog {number}" for number in range(texts)], "sc_clip", **options)
    assert spent.image == pytest.approx(info.cost(options, model.image.depth).total(2, texts))
