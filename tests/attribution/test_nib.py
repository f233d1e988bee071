"""The narrowing bottleneck against a literal loop in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.support.tiny import CNNS, TEXTS, Zoo, double, fresh, pixels
from core import explain
from core.attribution import nib
from core.attribution.contract import Work
from core.errors import InputError
from core.methods import method_info
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref

TOLERANCE = 1e-7
IMAGES = ("vit", "vit_wide", "timm_map", "siglip", "registers", *CNNS)
TEXTUAL = ("vit", "siglip", "registers", "bert_mean", "bert_cls")


def options(**chosen: int) -> nib.NibOptions:
    return method_info("nib").parse(chosen)


def work_of(model: Model, texts: tuple[str, ...] = TEXTS) -> Work:
    return Work(model, ImageTrunk(model, pixels(model).double()), TextTrunk(model, texts))


def agrees(got: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    assert got.shape == expected.shape
    error = float((got - expected).abs().max() / expected.abs().max())
    assert error <= tolerance, f"off by {error:.1e} of the largest value"


def literal(state: Tensor, tail: object, target: Tensor, steps: int) -> Tensor:
    """State times mean gradient along the way, element by element."""
    total = torch.zeros_like(state)
    for step in range(1, steps + 1):
        scaled = (state * step / steps).requires_grad_()
        (gradient,) = torch.autograd.grad(tail(scaled) @ target, scaled)  # type: ignore[operator]
        total += state * gradient / steps
    return total


def literal_image(plain: ref.Plain, image: Tensor, text: str, block: int, steps: int) -> Tensor:
    state = plain.states(image)[block]
    values = literal(state, lambda z: plain.tail(z, block), plain.words(text), steps)
    return values.sum(dim=0).flatten() if plain.kind == "cnn" else values.sum(dim=-1)[plain.prefix :]


@pytest.mark.parametrize("family", IMAGES)
def test_the_image_side(zoo: Zoo, family: str) -> None:
    model = double(zoo(family))
    plain, work = ref.Plain(zoo(family)), work_of(model)
    block = nib.entering(None, model.image.depth, "image")
    got = nib.attribute_image(work, options(steps=4)).flatten(2)
    for i, image in enumerate(work.images.pixels):
        for t, text in enumerate(TEXTS):
            agrees(got[i, t], literal_image(plain, image, text, block, 4))
    wanted = literal_image(plain, work.images.pixels[0], TEXTS[0], block, 4)
    for mutant in (-got[0, 0], got[0, 0].flip(0), got[0, 1], got[1, 0]):
        with pytest.raises(AssertionError):
            agrees(mutant, wanted, 1e-3)


@pytest.mark.parametrize("family", TEXTUAL)
def test_the_text_side(zoo: Zoo, family: str) -> None:
    model = double(zoo(family))
    plain, work = ref.Plain(zoo(family)), work_of(model)
    block = nib.entering(None, model.text.depth, "text")
    got = nib.attribute_text(work, options(steps=4))
    for t, text in enumerate(TEXTS):
        states, ids, bias = plain.text_states(text)
        for i, image in enumerate(work.images.pixels):
            wanted = literal(
                states[block],
                lambda z, ids=ids, bias=bias: plain.text_tail(z, ids, bias, block),
                plain.image(image),
                4,
            ).sum(dim=-1)
            agrees(got[i, t, : len(wanted)], wanted)
            with pytest.raises(AssertionError):
                agrees(-got[i, t, : len(wanted)], wanted, 1e-3)
            assert not got[i, t, len(wanted) :].any()


def test_all_elements_together_are_the_slopes_on_the_way(zoo: Zoo) -> None:
    """The sum over every token is the mean slope of the cosine along the scalings, by finite differences."""
    plain = ref.Plain(zoo("vit"))
    block = nib.entering(None, len(plain.blocks), "image")
    state, word = plain.states(pixels(zoo("vit"))[0])[block], plain.words(TEXTS[0])

    @torch.no_grad()
    def slopes(steps: int) -> float:
        ends = [(step / steps + 1e-5, step / steps - 1e-5) for step in range(1, steps + 1)]
        rises = [float((plain.tail(state * high, block) - plain.tail(state * low, block)) @ word) for high, low in ends]
        return sum(rises) / 2e-5 / steps

    total = float(literal(state, lambda z: plain.tail(z, block), word, 5).sum())
    assert total == pytest.approx(slopes(5), rel=1e-4)
    assert total != pytest.approx(slopes(6), rel=1e-3)


def test_it_is_the_same_twice_and_a_batch_equals_single_calls(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model)
    both = explain(model, images, TEXTS, "nib")
    again = explain(model, images, TEXTS, "nib", seed=9)
    assert both.image is not None and both.text is not None
    np.testing.assert_array_equal(both.image, again.image)
    one = explain(model, images[1:2], TEXTS[1:2], "nib")
    assert one.image is not None and one.text is not None
    np.testing.assert_allclose(one.image[0, 0], both.image[1, 1], atol=1e-6)
    np.testing.assert_allclose(one.text[0, 0], both.text[1, 1, : one.text.shape[-1]], atol=1e-6)


@pytest.mark.parametrize("method", ["nib", "m2ib"])
def test_each_tower_has_a_layer_and_the_one_without_it_is_not_run(
    zoo: Zoo, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tower of more blocks than its partner: the last layer of the long one runs there alone, in one line."""
    model = fresh(zoo("vit"))
    images, quick = pixels(model, 1), {"steps": 2} | ({"samples": 2} if method == "m2ib" else {})
    both = explain(model, images, TEXTS, method, layer=2, text_layer=0, **quick)
    alone = [explain(model, images, TEXTS, method, layer=layer, **quick) for layer in (2, 0)]
    assert both.image is not None and both.text is not None and both.not_run == {}
    np.testing.assert_array_equal(both.image, alone[0].image)
    np.testing.assert_array_equal(both.text, alone[1].text)
    assert not np.array_equal(both.text, alone[0].text)  # type: ignore[arg-type]
    last = model.text.depth - (1 if method == "nib" else 2)
    for name, short in (("text", model.text), ("image", model.image)):
        with monkeypatch.context() as patched:
            patched.setattr(short, "depth", short.depth - 1)
            patched.setattr(short, "blocks", short.blocks[:-1])
            one = explain(model, images, TEXTS, method, layer=last, **quick)
            served, missing = ("image", "text") if name == "text" else ("text", "image")
            assert getattr(one, served) is not None and getattr(one, missing) is None
            assert list(one.not_run) == [name] and "\n" not in one.not_run[name]
            assert f"the {name} side" in one.not_run[name] and one.not_run[name].endswith(f"not {last}")
            # Asked for by name it is an error, and so is a layer that no side has.
            with pytest.raises(InputError, match=f"{method}: .*the {name} side"):
                explain(model, images, TEXTS, method, sides=["image", "text"], layer=last, **quick)
            with pytest.raises(InputError, match=f"{method}: .*the image side"):
                explain(model, images, TEXTS, method, layer=9, **quick)
            # The short tower's own layer settles it.
            given = {"layer": last, "text_layer": 0} if name == "text" else {"layer": 0, "text_layer": last}
            whole = explain(model, images, TEXTS, method, **given, **quick)
            assert whole.image is not None and whole.text is not None and whole.not_run == {}


def test_an_audit_lists_the_side_without_the_layer(zoo: Zoo) -> None:
    info = method_info("m2ib")
    depths: Any = {"image": 24, "text": 12}
    assert info.unfit(info.parse({"layer": 21}), depths) == {
        "text": "at least one block must follow the layer: 0 to 10 on the text side, not 21"
    }
    assert info.unfit(info.parse({"layer": 21, "text_layer": 9}), depths) == {}
    assert info.unfit(info.parse({}), depths) == {} and info.unfit(info.parse({"layer": -3}), depths) == {}
    narrow = method_info("nib")
    assert list(narrow.unfit(narrow.parse({"layer": 24}), depths)) == ["image", "text"]
    assert method_info("raw").unfit(method_info("raw").parse({}), depths) == {}


def test_a_layer_that_is_not_there_is_refused(zoo: Zoo) -> None:
    model = zoo("vit")
    with pytest.raises(InputError, match="nib: layer must be a block of the image side"):
        explain(model, pixels(model), TEXTS, "nib", layer=99)
