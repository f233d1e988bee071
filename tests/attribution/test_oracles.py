"""What must hold of every method, whichever it is; each oracle has a companion that fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.support.tiny import TEXTS, Zoo, enliven, fresh, pixels
from core import METHODS, explain
from core.attribution.clip_surgery import feature_surgery, surgery_features
from core.attribution.contract import Work
from core.attribution.explain import attribute
from core.attribution.self_attention import blocks_of
from core.content.heat import display, value_range
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.statistics import spearman
from tests.attribution.test_attribution_planted import direction, elsewhere, peak, plant
from tests.support.trace import trace

QUICK: dict[str, dict[str, Any]] = {
    "m2ib": {"steps": 4, "samples": 2},
    "nib": {"steps": 3},
    "rise": {"masks": 40, "cells": 4},
    "kernel_shap": {"masks": 40, "extra": 16, "cells": 4},
    "lime": {"masks": 40, "cells": 4},
    "occlusion": {"cells": 4},
    "convis": {"preset": "fast"},
    "semantic_priors": {"count": 3},
}
EVERY = tuple(METHODS)
DIFFERENTIABLE = tuple(name for name, info in METHODS.items() if info.family in ("gradient", "attention", "bottleneck"))
MASKING = tuple(name for name, info in METHODS.items() if info.sides.get("image") == ("embeddings",))
MASKING = (*MASKING, "fixlip", "score_cam", "gscorecam")
WEIGHING = ("last_attention", "rollout", "clip_prs")
# What the image itself says, whatever the text and whatever is made of the last state.
TEXTLESS = ("last_attention", "rollout")
# In blocks that only average, attention carries the same to every place; a linear model has one gradient everywhere.
BLIND_TO_AVERAGES = ("clearclip", "naclip", "resclip", "saliency", "input_gradient", "smoothgrad", *TEXTLESS)
# These show what is large in a layer: the bottleneck may keep it without harm, equal channels are summed up.
NOT_FLAT = ("m2ib", "score_cam", "gscorecam", *TEXTLESS)
RED, DOG = "a red bird on the mat", "two people and a dog walk"


def run(model: Model, images: Tensor, method: str, texts: Any = TEXTS, **more: Any) -> NDArray[np.float32]:
    found = explain(model, images, texts, method, **{**QUICK.get(method, {}), **more}).image
    assert found is not None
    return found


def off(got: NDArray[Any], expected: NDArray[Any]) -> float:
    assert got.shape == expected.shape
    return float(np.abs(got - expected).max() / np.abs(expected).max())


# -- a known answer on a grid that isn't square -------------------------------------------------------------------

CELLS = {RED: (0, 4), DOG: (2, 1)}  # of 3 x 5


@pytest.fixture(scope="module")
def wide(zoo: Zoo) -> tuple[Model, Tensor]:
    """Blocks that only average what they see, and an image with one patch that looks like each text."""
    model = fresh(zoo("vit_wide"))
    net, visual = model.net, model.net.visual
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        plant(visual.transformer.resblocks)
        for norm in (visual.ln_pre, visual.ln_post):
            norm.weight.fill_(1)
            norm.bias.zero_()
        visual.class_embedding.copy_(elsewhere(1, 64, generator)[0])
        visual.positional_embedding.zero_()
        visual.proj.copy_(torch.eye(64)[:, :32])
        texts = TextTrunk(model, list(CELLS))
        read = (model.text.readout(texts.ids)[:, None] @ net.ln_final(texts.entering(model.text.depth)))[:, 0]
        aims = torch.stack([direction(start, 64)[:32] for start in (0, 16)])
        net.text_projection.copy_(torch.linalg.pinv(read) @ aims)
        wanted = elsewhere(15, 64, generator)
        for start, (row, column) in zip((0, 16), CELLS.values(), strict=True):
            wanted[5 * row + column] = direction(start, 64)
        patches = (wanted @ torch.linalg.pinv(visual.conv1.weight.flatten(1)).T).reshape(3, 5, 3, 16, 16)
        image = patches.permute(2, 0, 3, 1, 4).reshape(1, 3, 48, 80)
    return model, image


@pytest.mark.parametrize("method", [m for m in EVERY if m not in ("rise", "convis", *BLIND_TO_AVERAGES)])
def test_the_planted_patch_is_found_on_a_grid_that_is_not_square(wide: tuple[Model, Tensor], method: str) -> None:
    model, image = wide
    found = explain(model, image, list(CELLS), method).image
    assert found is not None
    for text, cell in enumerate(CELLS.values()):
        assert peak(found[0, text]) == cell
        # The sign turned, rows read as columns, and an image upside down point elsewhere.
        assert peak(-found[0, text]) != cell
        assert peak(found[0, text].reshape(5, 3).T) != cell
        assert peak(found[0, text][::-1]) != cell
    moved = explain(model, image.roll(-16, dims=2), list(CELLS), method).image
    assert moved is not None
    assert [peak(values) for values in moved[0]] == [((row - 1) % 3, column) for row, column in CELLS.values()]


# -- nothing is left behind ---------------------------------------------------------------------------------------


class Bomb(nn.Module):
    """Stands in for a function or a part of a tower: it works `calls` times, and then never returns. Without `calls`
    what comes out of it can't be walked back through.
    """

    def __init__(self, call: Any, error: type[BaseException], calls: int | None = None) -> None:
        super().__init__()
        self.call, self.error, self.calls = call, error, calls

    def forward(self, *given: Any) -> Any:
        if self.calls is not None:
            self.calls -= 1
            if self.calls < 0:
                raise self.error("stopped in the middle")
        out = self.call(*given)
        if self.calls is None and out.requires_grad:
            out.register_hook(self.burst)
        return out

    def burst(self, gradient: Tensor) -> Tensor:
        raise self.error("stopped in the middle")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("method", EVERY)
def test_a_method_that_breaks_off_late_leaves_the_model_as_it_was(
    zoo: Zoo, method: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fresh(zoo("vit"))
    images, last = pixels(model), model.net.visual.transformer.resblocks[-1]
    before, expected = trace(model), run(model, images, method)
    with monkeypatch.context() as patched:
        if method in WEIGHING:
            patched.setattr(type(blocks_of(model.image)[-1]), "qkv", Bomb(None, error, calls=0))
        elif method in DIFFERENTIABLE:
            patched.setattr(model.image, "leave", Bomb(model.image.leave, error))
            patched.setattr(model.image, "project", Bomb(model.image.project, error))
        elif method in MASKING:
            # The images themselves go through, and some of what is made of them.
            patched.setitem(last._modules, "ln_2", Bomb(last.ln_2, error, calls=2))
        else:
            patched.setattr(model.image, "project", Bomb(model.image.project, error, calls=0))
        with pytest.raises(error, match="stopped in the middle"):
            run(model, images, method)
    assert trace(model) == before
    assert np.array_equal(run(model, images, method), expected)
    # Another weight shows in the maps too.
    with torch.no_grad():
        model.net.visual.ln_pre.weight[::2] *= 1.5
    assert trace(model) != before
    assert not np.array_equal(run(model, images, method), expected)


def shared(model: Model, images: Tensor) -> Work:
    return Work(model, ImageTrunk(model, images), TextTrunk(model, TEXTS))


def bytes_of(work: Work) -> list[bytes]:
    """Everything that methods share."""
    images, texts = work.images, work.texts
    states = [images.entering(index) for index in range(work.model.image.depth + 1)]
    states += [texts.entering(index) for index in range(work.model.text.depth + 1)]
    return [value.numpy().tobytes() for value in (images.pixels, images.embeddings, texts.embeddings, *states)]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("family", ["vit", "siglip", "efficientnet"])
def test_methods_on_shared_work_leave_its_states_alone(zoo: Zoo, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = zoo(family)
    images, geometry = model.preprocess(pixels(model))
    served = [name for name, info in METHODS.items() if info.reasons(model.capabilities)["image"] is None]
    found: list[dict[str, Any]] = []
    for order in (served, served[::-1]):
        work = shared(model, images)
        before = bytes_of(work)
        found.append({name: attribute(work, name, geometry, **QUICK.get(name, {})) for name in order})
        assert bytes_of(work) == before
    for name in served:
        for side in ("image", "text"):
            first, second = (getattr(results[name], side) for results in found)
            # The same coalitions may have gone through in other chunks: the last bit of a sum may differ.
            assert off(first, second) < 1e-5 if first is not None else second is None
    # A block that adds to the residual stream in place is seen.
    work, plain = shared(model, images), model.image.block
    before = bytes_of(work)
    monkeypatch.setattr(model.image, "block", lambda index, state, *rest: plain(index, state.data.add_(1), *rest))
    with torch.no_grad():
        model.image.run(work.images.entering(1), 1)
    assert bytes_of(work) != before


# -- what a map must depend on ------------------------------------------------------------------------------------


@pytest.mark.sampled(2)
@pytest.mark.parametrize("method", [name for name in EVERY if name not in TEXTLESS])
def test_maps_change_with_either_tower_s_weights(zoo: Zoo, method: str) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    own = run(model, images, method)
    assert off(run(fresh(model), images, method), own) < 1e-5
    for part in ("text", "image", "last block"):
        other = fresh(model)
        kept = {name: value.clone() for name, value in other.net.state_dict().items()}
        enliven(other.net, seed=9)
        drawn = {"text": lambda n: not n.startswith("visual."), "image": lambda n: n.startswith("visual.")}.get(
            part, lambda n: n.startswith("visual.transformer.resblocks.3.")
        )
        other.net.load_state_dict(
            {name: value if drawn(name) else kept[name] for name, value in other.net.state_dict().items()}
        )
        assert off(run(other, images, method), own) > 0.02, part


@pytest.mark.parametrize("method", [name for name in EVERY if name not in NOT_FLAT])
def test_a_model_that_sees_nothing_gets_a_flat_map(zoo: Zoo, method: str) -> None:
    model, images = fresh(zoo("vit")), pixels(zoo("vit"))
    seeing = run(model, images, method)
    with torch.no_grad():
        # Whatever enters it, the final norm gives its bias: every image and every place has one embedding.
        model.net.visual.ln_post.weight.zero_()
    found = run(model, images, method)
    assert np.isfinite(found).all()
    spread = np.ptp(found, axis=(2, 3))
    assert spread.max() < 1e-6 * max(1.0, float(np.abs(found).max()))
    # The same map of the model as it was is anything but flat.
    assert np.ptp(seeing, axis=(2, 3)).min() > 100 * max(float(spread.max()), 1e-9)


# -- CLIP Surgery's identities ------------------------------------------------------------------------------------


def test_surgery_of_one_label_or_of_equal_labels_is_zero_and_order_means_nothing(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model)
    for labels in (["dog"], ["dog", "dog"], ["dog"] * 5):
        assert np.abs(run(model, images, "clip_surgery", labels, mode="labels")).max() < 1e-6
    three = run(model, images, "clip_surgery", TEXTS)
    assert np.abs(run(model, images, "clip_surgery", [TEXTS[i] for i in (2, 0, 1)])[:, [1, 2, 0]] - three).max() < 1e-6
    # Near labels cancel, others don't; a set of three isn't a set of two.
    assert np.abs(three).max() > 0.05
    assert off(run(model, images, "clip_surgery", TEXTS[:2]), three[:, :2]) > 0.02
    assert off(three[:, [1, 0, 2]], three) > 0.1


@pytest.mark.parametrize("depth", [0, 1, 3, 6])
def test_surgery_weighs_labels_by_the_untouched_class_token_at_any_depth(zoo: Zoo, depth: int) -> None:
    model = zoo("vit")
    images = pixels(model)
    work = shared(model, images)
    with torch.no_grad():
        whole = F.normalize(model.net.encode_image(images), dim=-1)
        words = F.normalize(model.net.encode_text(model.text.tokenizer(list(TEXTS))), dim=-1)
        features = surgery_features(work, depth)
        start = max(model.image.depth - depth, 0)
        stream = work.images.entering(start)
        for block in range(start, model.image.depth):
            stream = stream + model.image.value_attention(block, work.images.entering(block))
        operated = F.normalize(model.image.project(stream[:, 0]), dim=-1)
    got = run(model, images, "clip_surgery", TEXTS, depth=depth, temperature=20.0)

    def maps(places: Tensor, token: Tensor) -> NDArray[Any]:
        return feature_surgery(places, token, words, 20.0).transpose(1, 2).unflatten(-1, (4, 4)).numpy()

    assert off(got, maps(features, whole)) < 1e-4
    assert (off(got, maps(features, operated)) < 1e-4) == (depth == 0)
    assert off(got, maps(features, whole.flip(0))) > 1e-2
    # Features scaled over places instead of over the embedding, as the release once did, give another map.
    with torch.no_grad():
        over_places = F.normalize(model.image.places(stream), dim=1)
    assert off(got, maps(over_places, whole)) > 1e-2


def test_correlations_of_flat_maps_are_undefined_and_their_display_is_zero(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    flat = run(model, images, "clip_surgery", ["dog"], mode="labels")[0, 0]
    real = run(model, images, "raw", ["dog"])[0, 0]
    assert value_range(flat).constant
    assert not display(flat, signed=True).any()
    assert spearman(flat, real) is None
    assert spearman(real, real) == pytest.approx(1)
    assert np.abs(display(real, signed=True)).max() == 1
