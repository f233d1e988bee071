"""Score-CAM and gScoreCAM against plain loops over channels in float64, and what texts and methods share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.support import tiny
from benchmarks.support.tiny import TEXTS, Zoo, double
from core import explain
from core.attribution import gscorecam, score_cam
from core.attribution.channels import channel_masks
from core.attribution.contract import Work
from core.errors import InputError
from core.methods import method_info
from core.models.coalitions import removed
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref

TOLERANCE = 1e-6
FAMILIES = ("vit", "vit_wide", "registers", "resnet")
COUNT = 6


def work_of(model: Model) -> Work:
    wide = double(model)
    # The fast form of a CNN is made from its plain weights, so that float64 stays float64.
    wide.__dict__["bulk"] = wide.image.plain
    return Work(wide, ImageTrunk(wide, tiny.pixels(model).double()), TextTrunk(wide, TEXTS))


def options(method: str, **chosen: Any) -> Any:
    return method_info(method).parse(chosen)


def enlarged(small: Tensor, height: int, width: int) -> Tensor:
    """Bilinear between the centres of cells, constant beyond the outer ones, row and column by row and column."""
    rows, columns = small.shape
    known, out = small.numpy(), np.zeros((height, width))
    for y in range(height):
        v = min(max((y + 0.5) * rows / height - 0.5, 0), rows - 1)
        top, down = int(v), v - int(v)
        line = known[top] * (1 - down) + known[min(top + 1, rows - 1)] * down
        for x in range(width):
            u = min(max((x + 0.5) * columns / width - 0.5, 0), columns - 1)
            left, right = int(u), u - int(u)
            out[y, x] = line[left] * (1 - right) + line[min(left + 1, columns - 1)] * right
    return torch.from_numpy(out)


def held(work: Work, plain: ref.Plain, index: int) -> tuple[Tensor, Tensor]:
    """The maps `(channels, rows, columns)` that are read, and each text's mean gradient `(texts, channels)`."""
    states = plain.states(work.images.pixels[index])
    words = [plain.words(text) for text in TEXTS]
    if plain.kind == "cnn":
        leaf = plain.last_map(states[-1][None])[0].detach().requires_grad_()
        gradients = [torch.autograd.grad(plain.pooled_map(leaf) @ word, leaf)[0].mean(dim=(1, 2)) for word in words]
        return leaf.detach(), torch.stack(gradients)
    leaf = states[-2].detach().requires_grad_()
    last = len(plain.blocks) - 1
    gradients = [
        torch.autograd.grad(plain.tail(leaf, last) @ word, leaf)[0][plain.prefix :].mean(dim=0) for word in words
    ]
    return leaf.detach()[plain.prefix :].T.unflatten(1, work.images.grid()), torch.stack(gradients)


def logits(work: Work, plain: ref.Plain, index: int, maps: Tensor, channels: list[int], removal: str) -> Tensor:
    """The scaled score of every text `(channels, texts)` for the image seen through each channel."""
    image = work.images.pixels[index]
    start = removed(work.model, image[None], removal)[0].double()  # type: ignore[arg-type]
    words = torch.stack([plain.words(text) for text in TEXTS])
    found = []
    for channel in channels:
        large = enlarged(maps[channel], *image.shape[1:])
        spread = large.max() - large.min()
        mask = (large - large.min()) / spread if spread > 0 else torch.zeros_like(large)
        found.append(work.model.logit_scale * plain.image(mask * image + (1 - mask) * start) @ words.T)
    return torch.stack(found)


def agrees(got: Tensor, wanted: Tensor, tolerance: float = TOLERANCE) -> None:
    assert got.shape == wanted.shape
    error = float((got - wanted).abs().max() / wanted.abs().max())
    assert error <= tolerance, f"off by {error:.1e} of the largest value"


def summed(weights: Tensor, maps: Tensor) -> Tensor:
    total = torch.zeros_like(maps[0])
    for weight, one in zip(weights, maps, strict=True):
        total += weight * one
    return total.clamp(min=0)


@pytest.mark.parametrize("removal", ["mean", "black"])
@pytest.mark.parametrize("family", FAMILIES)
def test_score_cam(zoo: Zoo, family: str, removal: str) -> None:
    if removal == "black" and family != "vit":
        family = "vit_wide"
    work, plain = work_of(zoo(family)), ref.Plain(zoo(family))
    found = score_cam.attribute_image(work, options("score_cam", channels=COUNT, removal=removal))
    for i in range(2):
        maps, _ = held(work, plain, i)
        widths = [float(one.max() - one.min()) for one in maps]
        channels = sorted(range(len(maps)), key=lambda channel: -widths[channel])[:COUNT]
        scores = logits(work, plain, i, maps, channels, removal)
        for t in range(len(TEXTS)):
            wanted = summed(ref.softmax(scores[:, t]), maps[channels])
            agrees(found[i, t], wanted)
            fewer = summed(ref.softmax(scores[1:, t]), maps[channels[1:]])
            for mutant in (-found[i, t], found[i, t].flip((0, 1)), found[i, (t + 1) % 3], found[1 - i, t], fewer):
                with pytest.raises(AssertionError):
                    agrees(mutant, wanted, 100 * TOLERANCE)


@pytest.mark.parametrize("family", FAMILIES)
def test_gscorecam(zoo: Zoo, family: str) -> None:
    work, plain = work_of(zoo(family)), ref.Plain(zoo(family))
    found = gscorecam.attribute_image(work, options("gscorecam", channels=COUNT))
    released = gscorecam.attribute_image(work, options("gscorecam", channels=COUNT, paper_exact=True))
    selected = gscorecam.attribute_image(work, options("gscorecam", channels=COUNT, weighting="selection"))
    for i in range(2):
        maps, gradients = held(work, plain, i)
        for t in range(len(TEXTS)):
            order = sorted(range(len(maps)), key=lambda channel: -float(gradients[t, channel]))
            channels = order[:COUNT]
            scores = logits(work, plain, i, maps, channels, "mean")
            wanted = summed(ref.softmax(scores[:, t]), maps[channels])
            agrees(found[i, t], wanted)
            every = torch.zeros(len(maps), dtype=torch.float64)
            every[channels] = scores[:, t]
            wanted_release = summed(ref.softmax(every), maps)
            agrees(released[i, t], wanted_release)
            selection = torch.tensor([float(channel in channels) for channel in range(len(maps))], dtype=torch.float64)
            by_selection = summed(ref.softmax(selection), maps)
            agrees(selected[i, t], by_selection)
            for mutant in (released[i, t], found[i, t]):
                with pytest.raises(AssertionError):
                    agrees(mutant, by_selection, 100 * TOLERANCE)
            worst = order[-COUNT:]
            other = summed(ref.softmax(logits(work, plain, i, maps, worst, "mean")[:, t]), maps[worst])
            for mutant in (-found[i, t], found[i, t].flip((0, 1)), found[1 - i, t], released[i, t], other):
                with pytest.raises(AssertionError):
                    agrees(mutant, wanted, 100 * TOLERANCE)
            with pytest.raises(AssertionError):
                agrees(found[i, t], wanted_release, 100 * TOLERANCE)


def test_every_channel_is_used_where_the_paper_does(zoo: Zoo) -> None:
    model = tiny.fresh(zoo("vit"))
    work = Work(model, ImageTrunk(model, tiny.pixels(model)), TextTrunk(model, TEXTS))
    with model.meter.measuring() as meter:
        every = score_cam.attribute_image(work, options("score_cam", paper_exact=True))
    assert meter.image == 2 + 2 * 64
    many = score_cam.attribute_image(work, options("score_cam", channels=64))
    few = score_cam.attribute_image(work, options("score_cam", channels=8))
    agrees(many, every, 1e-5)
    with pytest.raises(AssertionError):
        agrees(few, every, 1e-2)


def test_masked_images_are_shared_by_texts_and_methods(zoo: Zoo) -> None:
    model = tiny.fresh(zoo("vit"))
    images = tiny.pixels(model)
    for texts in (TEXTS[:1], TEXTS):
        with model.meter.measuring() as meter:
            explain(model, images, texts, "score_cam", channels=5)
        assert meter.image == pytest.approx(method_info("score_cam").cost({"channels": 5}, 4).total(2, len(texts)))
    with model.meter.measuring() as meter:
        explain(model, images, TEXTS[:1], "gscorecam", channels=5)
    assert meter.image == pytest.approx(method_info("gscorecam").cost({"channels": 5}, 4).total(2, 1))
    with model.meter.measuring() as meter:
        explain(model, images, TEXTS, "gscorecam", channels=40)
    assert meter.image < method_info("gscorecam").cost({"channels": 40}, 4).total(2, 3)
    work = Work(model, ImageTrunk(model, images), TextTrunk(model, TEXTS))
    score_cam.attribute_image(work, options("score_cam", paper_exact=True))
    with model.meter.measuring() as meter:
        gscorecam.attribute_image(work, options("gscorecam", channels=5))
    assert meter.image == pytest.approx(2 * (1 + 2 * 3) / 4)


def test_a_flat_channel_shows_nothing() -> None:
    flat = torch.full((1, 3, 3), 2.5)
    (mask,) = channel_masks(flat, (12, 12))
    assert not mask.any()
    (mask,) = channel_masks(torch.arange(9.0).reshape(1, 3, 3), (12, 12))
    assert (float(mask.min()), float(mask.max())) == (0, 1)


@pytest.mark.parametrize("method", ["score_cam", "gscorecam"])
def test_a_layer_that_isn_t_there_is_refused(zoo: Zoo, method: str) -> None:
    with pytest.raises(InputError, match=f"{method}: layer must be from 0 to 4 on this model, not 9"):
        explain(zoo("vit"), tiny.pixels(zoo("vit")), TEXTS, method, layer=9, channels=2)
