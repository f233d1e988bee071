"""What every method owes: batches, many texts, seeds, clear refusals, an untouched model, a counted cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import core
from benchmarks.support.tiny import TEXTS, Zoo, fresh, pixels, sample_images
from core import METHODS, explain, load_model
from core.attribution import registry
from core.attribution.contract import Attribution
from core.errors import CapabilityError, InputError
from core.models.model import Model
from core.testing import TOLERANCE, close, fingerprint

CHEAP: dict[str, dict[str, Any]] = {
    "m2ib": {"steps": 6, "samples": 2},
    "nib": {"steps": 2},
    "smoothgrad": {"samples": 2},
    "integrated_gradients": {"steps": 2},
    "score_cam": {"channels": 4},
    "gscorecam": {"channels": 4},
    "rise": {"masks": 12, "cells": 4},
    "convis": {"preset": "fast"},
    "semantic_priors": {"count": 3},
    "kernel_shap": {"masks": 12, "extra": 8, "cells": 4, "words": 16},
    "lime": {"masks": 12, "cells": 4},
    "fixlip": {"masks": 24, "cells": 4, "words": 16},
}
SAMPLE = ("vit", "vit_wide", "timm_map", "siglip", "registers", "efficientnet", "bert_mean")
PAIRS = [
    (method, family)
    for method in METHODS
    for family in SAMPLE
    if family != "efficientnet" or "image_attention" not in METHODS[method].sides["image"]
]
EVERY = tuple(METHODS)


def run(model: Model, images: Any, texts: Any, method: str, **more: Any) -> Attribution:
    return explain(model, images, texts, method, **{**CHEAP.get(method, {}), **more})


def test_the_door_is_open() -> None:
    assert core.explain is explain
    assert core.load_model is load_model
    assert core.METHODS is METHODS is registry.METHODS
    assert set(METHODS) >= {"raw", "clip_surgery", "gradcam", "gae", "legrad", "m2ib", "rise"}
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = core.nothing_like_it


@pytest.mark.parametrize("method", EVERY)
def test_a_card_says_what_there_is_to_say(method: str) -> None:
    info = METHODS[method]
    assert info.name == method
    for words in (info.title, info.paper, info.idea, info.assumes, info.fails, info.differs, info.unit):
        assert words
    assert info.year > 2000
    assert set(info.sides) <= {"image", "text"}
    assert all(option.description for option in info.options.values())
    assert info.cost().total(2, 3) > 0
    assert registry.method_module(method)[0] is info


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_shapes_units_and_names(zoo: Zoo, method: str, family: str) -> None:
    model = zoo(family)
    result = run(model, pixels(model), TEXTS, method)
    assert result.scores.shape == (2, 3)
    assert result.scores.dtype == np.float32
    assert result.image is not None
    assert result.image.shape[:2] == (2, 3)
    assert result.image.dtype == np.float32
    assert np.isfinite(result.image).all()
    assert result.unit == METHODS[method].unit
    assert (result.model_digest, result.seed, result.method) == (model.digest, 0, METHODS[method])
    assert [len(tokens) for tokens in result.tokens] == [3, 1, 7]
    if "text" in METHODS[method].sides:
        assert result.text is not None
        assert result.text.shape == (2, 3, 7)
        assert result.text.dtype == np.float32
        assert not result.text[:, 1, 1:].any()
    else:
        assert result.text is None


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_a_batch_is_one_by_one(zoo: Zoo, method: str, family: str) -> None:
    model = zoo(family)
    images = pixels(model, 3)
    together = run(model, images, TEXTS[:2], method)
    for index in range(3):
        alone = run(model, images[index : index + 1], TEXTS[:2], method)
        close(alone.image, together.image[index : index + 1])  # type: ignore[index]
        close(alone.scores, together.scores[index : index + 1])
        if together.text is not None:
            close(alone.text, together.text[index : index + 1])
    with pytest.raises(AssertionError):
        close(together.image[::-1], together.image, 10 * TOLERANCE)  # type: ignore[index]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_many_texts_are_one_by_one(zoo: Zoo, method: str, family: str) -> None:
    model = zoo(family)
    images = pixels(model, 2)
    options = {"mode": "single"} if METHODS[method].label_set else {}
    together = run(model, images, TEXTS, method, **options)
    for index, text in enumerate(TEXTS):
        alone = run(model, images, text, method, **options)
        close(alone.image, together.image[:, index : index + 1])  # type: ignore[index]
        close(alone.scores, together.scores[:, index : index + 1])
        assert alone.tokens == [together.tokens[index]]
        if together.text is not None:
            width = len(alone.tokens[0])
            close(alone.text, together.text[:, index : index + 1, :width])
    if METHODS[method].text_free:
        return
    with pytest.raises(AssertionError):
        close(together.image[:, ::-1], together.image, 10 * TOLERANCE)  # type: ignore[index]


def test_a_label_set_says_that_it_is_one(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    assert [name for name, info in METHODS.items() if info.label_set] == ["clip_surgery"]
    three = run(model, images, TEXTS, "clip_surgery").image
    two = run(model, images, TEXTS[:2], "clip_surgery").image
    with pytest.raises(AssertionError):
        close(three[:, :2], two)  # type: ignore[index]


@pytest.mark.parametrize("method", EVERY)
def test_a_seed_repeats_and_another_differs_where_chance_is_used(zoo: Zoo, method: str) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    first = run(model, images, TEXTS, method, seed=1)
    torch.manual_seed(12345)
    again = run(model, images, TEXTS, method, seed=1)
    other = run(model, images, TEXTS, method, seed=2)
    assert np.array_equal(first.image, again.image)  # type: ignore[arg-type]
    same = np.array_equal(first.image, other.image)  # type: ignore[arg-type]
    assert same == METHODS[method].deterministic
    if first.text is not None:
        assert np.array_equal(first.text, again.text)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", EVERY)
def test_images_paths_and_their_pixels_give_the_same_maps(zoo: Zoo, method: str, tmp_path: Any) -> None:
    model = zoo("vit")
    made = sample_images(2)
    paths = []
    for index, image in enumerate(made):
        paths.append(tmp_path / f"{index}.png")
        image.save(paths[-1])
    tensor, _ = model.preprocess(made)
    results = [run(model, given, TEXTS, method) for given in (made, paths, [str(path) for path in paths], tensor)]
    for other in results[1:]:
        assert np.array_equal(results[0].image, other.image)  # type: ignore[arg-type]
        assert np.array_equal(results[0].scores, other.scores)
    assert [g.width for g in results[0].geometry] == [image.width for image in made]
    assert results[0].geometry == results[1].geometry
    assert [g.width for g in results[3].geometry] == [64, 64]


def test_one_image_and_one_text_need_no_list(zoo: Zoo, tmp_path: Any) -> None:
    model = zoo("vit")
    (image,) = sample_images(1)
    image.save(tmp_path / "one.png")
    listed = run(model, [image], ["dog"], "raw")
    for given in (image, tmp_path / "one.png", str(tmp_path / "one.png")):
        assert np.array_equal(run(model, given, "dog", "raw").image, listed.image)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("switch", [torch.no_grad, torch.inference_mode])
def test_a_caller_that_switched_gradients_off_gets_the_same(zoo: Zoo, method: str, switch: Any) -> None:
    model = zoo("vit")
    made = sample_images(1)
    plain = run(model, made, TEXTS, method)
    with switch():
        off = run(model, made, TEXTS, method)
    close(off.image, plain.image, 1e-6)


def test_templates_are_used_for_scores_and_named(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    result = run(model, images, TEXTS, "raw", templates=("a {} on the mat", "the {}"))
    expected = model.embed_images(images) @ model.embed_texts(TEXTS, ("a {} on the mat", "the {}")).T
    assert np.allclose(result.scores, expected.numpy(), atol=1e-6)
    assert result.templates == ("a {} on the mat", "the {}")
    assert METHODS["raw"].templates == ()


# -- refusals -----------------------------------------------------------------------------------------------------

# What a model offers whose image tower is not known inside.
OPAQUE = {"embeddings", "gradients", "text_layers", "text_words"}
LACKING = [
    ("clip_surgery", "efficientnet"),
    ("gae", "convnext"),
    ("legrad", "resnet"),
    *((method, "byobnet") for method in EVERY if set(METHODS[method].sides["image"]) - OPAQUE),
]


@pytest.mark.parametrize(("method", "family"), LACKING)
def test_a_model_that_can_t_serve_a_method_is_told_so(zoo: Zoo, method: str, family: str) -> None:
    model = zoo(family)
    with pytest.raises(CapabilityError) as caught:
        run(model, pixels(model), TEXTS, method)
    line = str(caught.value)
    assert "\n" not in line
    assert method in line
    assert model.title in line
    assert "needs a model that" in line


def test_a_side_that_can_t_be_served_is_listed_and_the_other_runs(zoo: Zoo) -> None:
    model = zoo("efficientnet")
    result = run(model, pixels(model), TEXTS, "gae", sides=["text"])
    assert result.image is None
    assert result.text is not None
    assert "image self-attention" in result.not_run["image"]
    with pytest.raises(CapabilityError):
        run(model, pixels(model), TEXTS, "gae")


def test_a_side_that_a_method_doesn_t_have_is_refused(zoo: Zoo) -> None:
    model = zoo("vit")
    with pytest.raises(InputError, match="raw has no text attribution"):
        run(model, pixels(model), TEXTS, "raw", sides=["text"])


def refused(model: Model, images: Any, texts: Any, method: str = "raw", **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        explain(model, images, texts, method, **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_unknown_names_suggest_near_ones(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model)
    assert "gradcam" in refused(model, images, TEXTS, "gradcamm")
    assert "clip_surgery" in refused(model, images, TEXTS, "surgery")
    assert "raw" in refused(model, images, TEXTS, "qqq")
    line = refused(model, images, TEXTS, "m2ib", stepz=3)
    assert "stepz" in line
    assert "steps" in line
    assert "masks" in refused(model, images, TEXTS, "rise", masks=1)
    assert "weighting" in refused(model, images, TEXTS, "gradcam", weighting="both")
    assert "layer" in refused(model, images, TEXTS, "gradcam", layer=9)


@pytest.mark.parametrize("texts", [[], [3], [None], ["dog", 3]])
def test_texts_must_be_strings(zoo: Zoo, texts: Any) -> None:
    assert "texts" in refused(zoo("vit"), pixels(zoo("vit")), texts)


@pytest.mark.parametrize(
    "images",
    [
        [],
        (),
        torch.zeros(3, 64, 64),
        torch.zeros(0, 3, 64, 64),
        torch.zeros(1, 1, 64, 64),
        torch.zeros(1, 3, 65, 64),
        ["no.png"],
    ],
)
def test_images_must_be_images(zoo: Zoo, images: Any) -> None:
    assert refused(zoo("vit"), images, TEXTS)


def test_a_file_that_is_no_image_is_named(zoo: Zoo, tmp_path: Any) -> None:
    path = tmp_path / "notes.png"
    path.write_text("not an image")
    assert "notes.png" in refused(zoo("vit"), [path], TEXTS)


# -- the model is left as it was found ----------------------------------------------------------------------------


def test_the_fingerprint_sees_a_change(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    before = fingerprint(model)
    model.net.visual.ln_post.register_forward_hook(lambda *given: None)
    assert fingerprint(model) != before
    other = fresh(zoo("vit"))
    other.net.visual.ln_post.bias.data[0] += 1
    assert fingerprint(other) != before


@pytest.mark.sampled(2)
@pytest.mark.parametrize("family", ["vit", "siglip", "efficientnet", "bert_mean"])
@pytest.mark.parametrize("method", EVERY)
def test_success_leaves_no_trace(zoo: Zoo, method: str, family: str) -> None:
    if (method, family) not in PAIRS:
        family = "registers"
    model = zoo(family)
    before = fingerprint(model)
    run(model, pixels(model), TEXTS, method)
    assert fingerprint(model) == before


class Switch:
    """Stands in for the image tower's `leave` or the bulk forward: it works `calls` times, then raises."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __call__(self, *given: Any, **more: Any) -> Any:
        raise self.error("stopped in the middle")

    def tokens(self, *given: Any, **more: Any) -> Any:
        """The bulk forward of some tokens."""
        return self()


@pytest.fixture(params=[RuntimeError, KeyboardInterrupt])
def broken(request: pytest.FixtureRequest, zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Model, Any]]:
    """A model that stops every method in the middle of its own work, after the shared forward."""
    model = fresh(zoo("vit"))
    switch = Switch(request.param)
    model.embed_texts(TEXTS)
    monkeypatch.setattr(model.image, "leave", switch)
    monkeypatch.setattr(model.image, "project", switch)
    monkeypatch.setitem(model.__dict__, "bulk", switch)
    yield model, request.param


@pytest.mark.parametrize("method", EVERY)
def test_an_error_or_an_interrupt_leaves_no_trace(broken: tuple[Model, type[BaseException]], method: str) -> None:
    model, error = broken
    before = fingerprint(model)
    with pytest.raises(error, match="stopped in the middle"):
        run(model, pixels(model), TEXTS, method)
    assert fingerprint(model) == before


@pytest.mark.parametrize("method", ["gae", "m2ib"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_on_the_text_side_leaves_no_trace(
    zoo: Zoo, method: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fresh(zoo("vit"))
    before = fingerprint(model)
    monkeypatch.setattr(type(model.text), "leave", Switch(error))
    with pytest.raises(error, match="stopped in the middle"):
        run(model, pixels(model), TEXTS, method, sides=["text"])
    assert fingerprint(model) == before


# -- cost by counting ---------------------------------------------------------------------------------------------

TWENTY = tuple(f"{text} {number}" for number in range(5) for text in ("a dog", "the bird", "grey", "on the mat"))


@pytest.mark.parametrize("family", ["vit", "efficientnet"])
@pytest.mark.parametrize("method", ["raw", "clip_surgery", "rise"])
def test_twenty_texts_cost_the_image_forwards_of_one(zoo: Zoo, method: str, family: str) -> None:
    if (method, family) not in PAIRS:
        family = "siglip"
    model = fresh(zoo(family))
    images = pixels(model)
    spent = []
    for texts in (TWENTY[:1], TWENTY):
        with model.meter.measuring() as meter:
            # Whole masked images: with tokens left out a coalition costs less than a forward.
            run(model, images, texts, method, **({"removal": "mean"} if method == "rise" else {}))
        spent.append(meter.image)
    assert spent[0] == pytest.approx(spent[1])
    expected = {"raw": 2, "clip_surgery": 2 * 1.3, "rise": 2 * (1 + 12)}[method]
    assert spent[0] == pytest.approx(expected)


@pytest.mark.parametrize("method", ["gradcam", "gae", "legrad"])
def test_every_further_text_costs_a_walk_back_through_the_tail_alone(zoo: Zoo, method: str) -> None:
    model = fresh(zoo("vit"))
    images = pixels(model)
    spent = []
    for count in (1, 2, 20):
        with model.meter.measuring() as meter:
            run(model, images, TWENTY[:count], method, sides=["image"])
        spent.append(meter.image / len(images))
    tail = {"gradcam": 1, "gae": 1, "legrad": 2}[method] / model.image.depth
    assert spent[0] == pytest.approx(1 + 3 * tail)
    assert spent[1] - spent[0] == pytest.approx(2 * tail)
    assert spent[2] - spent[0] == pytest.approx(19 * 2 * tail)


def test_the_bottleneck_runs_its_tail_alone(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    with model.meter.measuring() as meter:
        run(model, pixels(model), TEXTS, "m2ib", sides=["image"], steps=3, samples=2)
    # Layer 1 of 4: half of the blocks lie behind it. Three walks forward, and two back, which count twice.
    assert meter.image == pytest.approx(2 + 2 * 3 * 2 * (3 + 2 * 2) * 0.5)


def test_the_last_step_of_the_bottleneck_does_not_walk_back(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    model, walks, plain = fresh(zoo("vit")), [], torch.autograd.grad

    def grad(*arguments: Any, **options: Any) -> Any:
        walks.append(1)
        return plain(*arguments, **options)

    monkeypatch.setattr(torch.autograd, "grad", grad)
    run(model, pixels(model), TEXTS, "m2ib", sides=["image"], steps=5)
    assert len(walks) == 4


def test_forwards_counted_are_forwards_made(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fresh(zoo("vit"))
    seen = {"count": 0}

    def count(module: Any, given: Any, out: Any) -> None:
        seen["count"] += len(given[0])

    hook = model.net.visual.conv1.register_forward_hook(count)
    for method in ("raw", "rise", "gae"):
        seen["count"] = 0
        with model.meter.measuring() as meter:
            run(model, pixels(model), TEXTS, method, **({"removal": "mean"} if method == "rise" else {}))
        hidden = {"raw": 0, "rise": 0, "gae": 2 * (1 + 2 * 3) / 4}[method]
        assert seen["count"] == pytest.approx(meter.image - hidden)
    hook.remove()


def test_one_pool_serves_several_calls_on_shared_work(zoo: Zoo) -> None:
    from core.attribution.contract import Work
    from core.attribution.explain import attribute
    from core.models.trunk import ImageTrunk, TextTrunk

    model = fresh(zoo("vit"))
    images, geometry = model.preprocess(pixels(model))
    work = Work(model, ImageTrunk(model, images), TextTrunk(model, TEXTS))
    attribute(work, "rise", geometry, masks=12, cells=4)
    with model.meter.measuring() as meter:
        attribute(work, "lime", geometry, masks=12, cells=4)
    assert meter.image == 0
    # Soft masks are other images.
    with model.meter.measuring() as meter:
        attribute(work, "rise", geometry, masks=12, cells=4, paper_exact=True)
    assert meter.image == 24
