"""What must hold of any pair of towers: prefix then suffix is the whole, gradients included, and nothing stays behind.

In float64, so that the tolerances leave no room for a small mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.support.tiny import FAMILIES, LAYERED, TEXTS, Zoo, double, fresh, pixels
from core import load_model
from core.models.coalitions import embed_coalitions
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.support.trace import trace

TOLERANCE = 1e-10
WRONG = 1e-4
IMAGES = (*LAYERED, "resnet_clip")
SQUARES = torch.linspace(-1, 1, 64 * 64).reshape(64, 64)


def unit(values: Tensor) -> Tensor:
    return F.normalize(values, dim=-1)


def error(got: Tensor, expected: Tensor) -> float:
    assert got.shape == expected.shape
    return float((got.detach() - expected).abs().max())


def without(tower: Any, state: Tensor, start: int, left_out: int, *mask: Tensor | None) -> Tensor:
    """The state after all blocks from `start` but one."""
    for index in range(start, tower.depth):
        state = state if index == left_out else tower.block(index, state, *mask)
    return state


# -- prefix and suffix --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", IMAGES)
def test_prefix_and_suffix_of_the_image_tower_meet_at_every_layer(zoo: Zoo, family: str) -> None:
    model = double(zoo(family))
    images, tower = pixels(model).double(), model.image
    with torch.no_grad():
        whole = model.net.encode_image(images, normalize=True)
        for layer in range(tower.depth + 1):
            state = tower.run(tower.enter(images), 0, layer)
            assert error(unit(tower.leave(tower.run(state, layer))), whole) < TOLERANCE
            # The other image's state, and a suffix that leaves its first block out, end elsewhere.
            assert error(unit(tower.leave(tower.run(state.flip(0), layer))), whole) > WRONG
            if layer < tower.depth and tower.layout == "tokens":
                assert error(unit(tower.leave(without(tower, state, layer, layer))), whole) > WRONG


@pytest.mark.parametrize("form", ["padded", "trimmed", "alone"])
@pytest.mark.parametrize("family", FAMILIES)
def test_prefix_and_suffix_of_the_text_tower_meet_at_every_layer(zoo: Zoo, family: str, form: str) -> None:
    model = double(zoo(family))
    tower = model.text
    if "text_layers" not in tower.capabilities:
        pytest.fail(f"{family} has a text tower that can't be taken apart")
    with torch.no_grad():
        whole = model.net.encode_text(tower.tokenizer(list(TEXTS)), normalize=True)
        rows = [tower.full(TEXTS)] if form == "padded" else [tower.tokenize(TEXTS)]
        rows = [tower.tokenize([text]) for text in TEXTS] if form == "alone" else rows
        for layer in range(tower.depth + 1):
            found, wrong = [], []
            for ids in rows:
                state, mask = tower.enter(ids)
                state = tower.run(state, mask, 0, layer)
                found.append(unit(tower.leave(tower.run(state, mask, layer), ids)))
                if layer < tower.depth:
                    wrong.append(unit(tower.leave(without(tower, state, layer, layer, mask), ids)))
            # The weights of a mean over tokens are float32 whatever the tower is.
            assert error(torch.cat(found), whole) < (1e-8 if family == "bert_mean" else TOLERANCE)
            assert error(torch.cat(found).flip(0), whole) > WRONG
            assert not wrong or error(torch.cat(wrong), whole) > WRONG


@pytest.mark.parametrize("name", ["demo-cnn", "demo-vit"])
def test_the_trained_towers_meet_at_every_layer(name: str) -> None:
    model = load_model(name)
    images = pixels(model)
    with torch.no_grad():
        whole = model.net.encode_image(images, normalize=True)
        words = model.net.encode_text(model.text.tokenizer(list(TEXTS)), normalize=True)
        trunk, texts = ImageTrunk(model, images), TextTrunk(model, TEXTS)
        for layer in range(model.image.depth + 1):
            got = unit(model.image.leave(model.image.run(trunk.entering(layer), layer)))
            assert error(got, whole) < 2e-6
            assert error(got.flip(0), whole) > 1e-2
        for layer in range(model.text.depth + 1):
            state = model.text.run(texts.entering(layer), texts.mask, layer)
            got = unit(model.text.leave(state, texts.ids))
            assert error(got, words) < 2e-6
            assert error(got.flip(0), words) > 1e-2


# -- gradients ----------------------------------------------------------------------------------------------------


def blocks_of(model: Model) -> list[nn.Module]:
    visual = model.net.visual
    return list(visual.trunk.blocks if hasattr(visual, "trunk") else visual.transformer.resblocks)


@pytest.mark.parametrize("family", ["vit", "vit_avg", "timm_map", "siglip", "registers"])
def test_gradients_through_the_suffix_are_those_of_the_whole_forward(zoo: Zoo, family: str) -> None:
    model = double(zoo(family))
    images, tower = pixels(model).double(), model.image
    words = model.embed_texts(TEXTS[:2]).double()
    kept: list[Tensor] = []

    def keep(module: nn.Module, given: Any, out: Tensor) -> Tensor:
        kept.append(out if out.requires_grad else out.requires_grad_())
        return kept[-1]

    hooks = [block.register_forward_hook(keep) for block in blocks_of(model)]
    seen = images.clone().requires_grad_()
    score = (model.net.encode_image(seen, normalize=True) @ words[0]).sum()
    expected = torch.autograd.grad(score, kept)
    for hook in hooks:
        hook.remove()
    for layer in range(1, tower.depth + 1):
        state = kept[layer - 1].detach().clone().requires_grad_()
        unit_embedding = unit(tower.leave(tower.run(state, layer)))
        got, other = (torch.autograd.grad((unit_embedding @ word).sum(), state, retain_graph=True)[0] for word in words)
        scale = float(expected[layer - 1].abs().max())
        assert error(got, expected[layer - 1]) < 1e-9 * scale
        for wrong in (other, -got, got.flip(0), got.flip(1)):
            assert error(wrong, expected[layer - 1]) > 1e-2 * scale


# -- nothing is left behind ---------------------------------------------------------------------------------------


OPERATIONS: dict[str, Callable[[Model, Tensor], object]] = {
    "images": lambda model, images: model.embed_images(images),
    "texts": lambda model, images: model.embed_texts(TEXTS, ("a {}", "{} on the mat")),
    "image trunk": lambda model, images: (ImageTrunk(model, images).embeddings, ImageTrunk(model, images).entering(2)),
    "text trunk": lambda model, images: TextTrunk(model, TEXTS).entering(2),
    "coalitions": lambda model, images: embed_coalitions(model, images[0], [SQUARES[None] > 0], "blur"),
    "attention": lambda model, images: model.image.block(1, ImageTrunk(model, images).entering(1), lambda w: 0 * w),
    "description": lambda model, images: model.describe(),
}


class Broken(nn.Module):
    """A part that fails whenever it is used."""

    def __init__(self, problem: type[BaseException]) -> None:
        super().__init__()
        self.problem = problem

    def forward(self, given: Tensor) -> Tensor:
        raise self.problem("stopped in the middle")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("family", ["vit", "resnet_clip"])
def test_a_call_leaves_no_trace(zoo: Zoo, family: str, operation: str) -> None:
    model = fresh(zoo(family))
    if operation == "attention" and "image_attention" not in model.capabilities:
        operation = "images"
    before = trace(model)
    OPERATIONS[operation](model, pixels(model))
    assert trace(model) == before


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt])
def test_a_call_that_breaks_off_leaves_no_trace(
    zoo: Zoo, operation: str, problem: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fresh(zoo("vit"))
    # Made beforehand: the forward for many images is the model's own, and is there to stay.
    assert model.bulk is not None
    before = trace(model)
    with monkeypatch.context() as patched:
        for tower in (model.net.visual, model.net):
            # The third block of four: everything before it has happened.
            patched.setitem(tower.transformer.resblocks[2]._modules, "ln_2", Broken(problem))
        with pytest.raises(problem, match="stopped in the middle"):
            OPERATIONS[operation](model, pixels(model))
    assert trace(model) == before


@pytest.mark.parametrize("spoil", ["weight", "buffer", "hook", "attribute", "training", "gradient", "chance"])
def test_the_trace_sees_what_was_left_behind(zoo: Zoo, spoil: str) -> None:
    model = fresh(zoo("resnet_clip"))
    before = trace(model)
    norm = model.net.visual.bn1
    if spoil == "weight":
        norm.weight.data[0] += 1e-6
    elif spoil == "buffer":
        norm.running_mean[0] += 1e-6
    elif spoil == "hook":
        norm.register_forward_hook(lambda *given: None)
    elif spoil == "attribute":
        norm.kept_weights = None
    elif spoil == "training":
        norm.train()
    elif spoil == "gradient":
        norm.weight.requires_grad_()
    else:
        torch.rand(1)
    assert trace(model) != before
