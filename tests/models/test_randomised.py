"""Models with weights drawn anew: which part changes, what stays, and that the model itself is never touched."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr

from benchmarks.support.tiny import TEXTS, Zoo, pixels
from core import explain
from core.applications.sanity.work.checks import likeness
from core.models.model import Model, state_digest
from core.models.randomised import CASCADE, Randomised, redraw
from tests.attribution import plain as ref


def weights(model: Model) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.net.named_parameters()}


def differing(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in a if not torch.equal(a[name], b[name])}


def drawn(model: Model, seed: int = 0) -> dict[str, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return {step: weights(other) for step, other in Randomised(model).cascade(generator)}


@pytest.mark.parametrize(("family", "last"), [("vit", "visual.transformer.resblocks.3."), ("convnext", "stages.3.")])
def test_the_cascade_goes_down_from_the_last_block(zoo: Zoo, family: str, last: str) -> None:
    model = zoo(family)
    before, found = weights(model), drawn(model)
    assert tuple(found) == CASCADE
    changed = {step: differing(before, found[step]) for step in CASCADE}
    assert changed["last_block"] and all(last in name for name in changed["last_block"])
    assert changed["last_block"] < changed["upper_half"] < changed["image_tower"]
    assert all("visual." in name for name in changed["image_tower"])
    # Each step keeps what the one before it has drawn.
    for name in changed["last_block"]:
        assert torch.equal(found["last_block"][name], found["image_tower"][name])
    # All of the image tower is drawn, but for single numbers.
    assert all(name in changed["image_tower"] or before[name].numel() == 1 for name in before if "visual." in name)


@pytest.mark.parametrize("family", ["vit", "efficientnet", "siglip", "bert_mean", "resnet_clip"])
def test_the_model_itself_stays_byte_for_byte(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    image = pixels(model, 1)
    own, words = model.embed_images(image), model.embed_texts(TEXTS)
    copy = Randomised(model)
    seen = {step: other.embed_images(image) for step, other in copy.cascade(torch.Generator().manual_seed(1))}
    other = copy.text(torch.Generator().manual_seed(1))
    assert state_digest(model.net) == model.digest
    assert torch.equal(model.embed_images(image), own)
    # With other weights it sees and reads something else; a text tower drawn anew leaves the images as they were.
    assert all(not torch.allclose(found, own, atol=1e-3) for found in seen.values())
    assert torch.equal(other.embed_images(image), own)
    assert not torch.allclose(other.embed_texts(TEXTS), words, atol=1e-3)
    assert state_digest(other.net) != model.digest != other.digest
    assert all(torch.isfinite(found).all() for found in seen.values())


def test_draws_keep_the_moments_and_follow_the_seed(zoo: Zoo) -> None:
    model = zoo("vit")
    first, again, other = drawn(model, 3), drawn(model, 3), drawn(model, 4)
    name = "visual.transformer.resblocks.0.mlp.c_fc.weight"
    before, after = weights(model)[name], first["image_tower"][name]
    assert after.std() == pytest.approx(float(before.std()), rel=0.05)
    assert after.mean() == pytest.approx(float(before.mean()), abs=0.05 * float(before.std()))
    assert abs(float(torch.corrcoef(torch.stack([before.ravel(), after.ravel()]))[0, 1])) < 0.1
    assert torch.equal(after, again["image_tower"][name]) and not torch.equal(after, other["image_tower"][name])


def drawn_by_hand(model: Model, seed: int, upwards: bool = False) -> dict[str, Model]:
    """The cascade written out: tensor after tensor, normal with its own mean and spread, from the last block down."""
    net: Any = copy.deepcopy(model.net)
    generator = torch.Generator().manual_seed(seed)
    blocks = list(net.visual.transformer.resblocks)
    order = blocks if upwards else blocks[::-1]
    steps = {"last_block": order[:1], "upper_half": order[1:2], "image_tower": [net.visual]}
    done: list[torch.Tensor] = []
    found = {}
    for step, parts in steps.items():
        for part in parts:
            for value in part.parameters():
                if value.numel() == 1 or any(value is one for one in done):
                    continue
                done.append(value)
                with torch.no_grad():
                    value.copy_(value.mean() + value.std() * torch.randn(value.shape, generator=generator))
        found[step] = replace(model, net=copy.deepcopy(net))
    return found


def test_maps_of_the_cascade_are_those_of_networks_drawn_by_hand(zoo: Zoo) -> None:
    """The check of randomised weights from end to end: rank correlations of maps, step by step, in float64."""
    model = zoo("vit")
    image, text = pixels(model, 1), TEXTS[0]
    own = explain(model, image, [text], "raw").image
    assert own is not None

    def expected(seed: int, upwards: bool = False) -> dict[str, float]:
        maps = {
            step: ref.raw(ref.Plain(one), image[0], text) for step, one in drawn_by_hand(model, seed, upwards).items()
        }
        whole = ref.raw(ref.Plain(model), image[0], text)
        return {step: float(spearmanr(whole, one).statistic) for step, one in maps.items()}

    found = {}
    for step, other in Randomised(model).cascade(torch.Generator().manual_seed(5)):
        seen = explain(other, image, [text], "raw").image
        assert seen is not None
        found[step] = likeness(own[0, 0], seen[0, 0])
    wanted = expected(5)
    assert list(found) == list(wanted)
    assert all(found[step] == pytest.approx(wanted[step], abs=1e-6) for step in CASCADE)
    # The companions: other draws, and a cascade from the first block upwards.
    for other_way in (expected(6), expected(5, upwards=True)):
        assert any(abs(found[step] - other_way[step]) > 1e-3 for step in CASCADE)


def test_a_tower_of_another_kind_is_drawn_as_a_whole(zoo: Zoo) -> None:
    model = zoo("byobnet")
    assert "image_layers" not in model.capabilities
    assert tuple(drawn(model)) == ("image_tower",)


def test_a_tensor_is_drawn_once() -> None:
    value: Any = torch.nn.Parameter(torch.arange(6.0), requires_grad=False)
    one = torch.nn.Parameter(torch.tensor([2.0]), requires_grad=False)
    seen: set[int] = set()
    redraw([value, one], torch.Generator().manual_seed(0), seen)
    found = value.clone()
    assert not torch.equal(found, torch.arange(6.0)) and one.item() == 2.0
    redraw([value], torch.Generator().manual_seed(0), seen)
    assert torch.equal(value, found)
