"""Raw similarity, CLIP Surgery and the gradient methods against a second implementation in float64."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.support.tiny import ATTENTIVE, CNNS, LAYERED, TEXTS, Zoo, fresh, pixels
from core import explain
from core.attribution.clip_surgery import feature_surgery
from core.attribution.contract import Work
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref

TOLERANCE = 2e-4
PLACED = tuple(name for name in LAYERED if name != "vit_attentional")
SURGICAL = tuple(name for name in ATTENTIVE if name != "vit_attentional")
TEXTUAL = ("vit", "vit_layer_scale", "siglip", "registers", "bert_mean", "bert_cls", "bert_first")
FEW = ("vit", "vit_wide", "vit_attentional", "timm_map", "siglip", "registers")
_plains: dict[str, ref.Plain] = {}


def plain_of(zoo: Zoo, family: str) -> ref.Plain:
    if family not in _plains:
        _plains[family] = ref.Plain(zoo(family))
    return _plains[family]


@cache
def two() -> tuple[str, str]:
    return TEXTS[0], TEXTS[2]


def error(got: NDArray[Any], expected: Tensor) -> float:
    """The largest difference in units of the expected map's largest value."""
    wanted = expected.numpy()
    assert got.size == wanted.size
    return float(np.abs(got.ravel() - wanted.ravel()).max() / np.abs(wanted).max())


def agrees(got: NDArray[Any], expected: Tensor, tolerance: float = TOLERANCE) -> None:
    found = error(got, expected)
    assert found <= tolerance, f"off by {found:.1e} of the largest value"


def mutants_fail(got: NDArray[Any], expected: Tensor, other_text: NDArray[Any], other_image: NDArray[Any]) -> None:
    """The same comparison fails for a turned sign, a transposed grid, another text and another image."""
    for mutant in (-got, np.ascontiguousarray(got.T), got[::-1, ::-1], other_text, other_image):
        with pytest.raises(AssertionError):
            agrees(mutant, expected, 20 * TOLERANCE)


def check_images(model: Model, method: str, expected: Any, **options: Any) -> None:
    """Every pair of two images and two texts against `expected(pixels, text)`, and mutants of the first."""
    images = pixels(model)
    result = explain(model, images, two(), method, sides=["image"], **options)
    assert result.image is not None
    for i, image in enumerate(images):
        for t, text in enumerate(two()):
            agrees(result.image[i, t], expected(image, text))
    if result.image.shape[-1] > 1:
        mutants_fail(result.image[0, 0], expected(images[0], two()[0]), result.image[0, 1], result.image[1, 0])


@pytest.mark.parametrize("family", PLACED)
def test_raw(zoo: Zoo, family: str) -> None:
    plain = plain_of(zoo, family)
    check_images(zoo(family), "raw", lambda image, text: ref.raw(plain, image, text))


def test_raw_negated_is_raw_with_the_sign_turned(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model)
    straight, turned = (explain(model, images, TEXTS, "raw", negate=negate).image for negate in (False, True))
    assert straight is not None
    assert turned is not None
    assert np.array_equal(turned, -straight)


@pytest.mark.parametrize("family", PLACED)
def test_scores_are_cosines_of_the_library_s_embeddings(zoo: Zoo, family: str) -> None:
    model, plain = zoo(family), plain_of(zoo, family)
    images = pixels(model)
    scores = explain(model, images, TEXTS, "raw").scores
    expected = torch.stack(
        [torch.stack([plain.image(image) @ plain.words(text) for text in TEXTS]) for image in images]
    )
    assert np.abs(scores - expected.numpy()).max() < 1e-5
    assert np.abs(scores - expected.flip(1).numpy()).max() > 1e-3


@pytest.mark.parametrize(
    ("family", "depth"), [(name, depth) for name in SURGICAL for depth in (1, 3, 6) if depth != 3 or name in FEW]
)
def test_clip_surgery_on_a_label_set(zoo: Zoo, family: str, depth: int) -> None:
    model, plain = zoo(family), plain_of(zoo, family)
    images = pixels(model)
    result = explain(model, images, TEXTS, "clip_surgery", depth=depth)
    assert result.image is not None
    words = torch.stack([plain.words(text) for text in TEXTS])
    for i, image in enumerate(images):
        expected = ref.surgery_labels(ref.surgery(plain, image, depth), words)
        for t in range(len(TEXTS)):
            agrees(result.image[i, t], expected[:, t])
        mutants_fail(result.image[i, 0], expected[:, 0], result.image[i, 1], result.image[1 - i, 0])


@pytest.mark.parametrize("family", SURGICAL)
def test_clip_surgery_of_single_texts_subtracts_the_empty_text(zoo: Zoo, family: str) -> None:
    model, plain = zoo(family), plain_of(zoo, family)
    image = pixels(model, 1)
    features, empty = ref.surgery(plain, image[0], 6)[1:], plain.words("")
    together = explain(model, image, two(), "clip_surgery", mode="single").image
    assert together is not None
    for t, text in enumerate(two()):
        expected = features @ (plain.words(text) - empty)
        alone = explain(model, image, [text], "clip_surgery").image
        assert alone is not None
        agrees(alone[0, 0], expected)
        agrees(together[0, t], expected)
        with pytest.raises(AssertionError):
            agrees(alone[0, 0], features @ plain.words(text), 20 * TOLERANCE)


def test_clip_surgery_of_depth_0_is_the_raw_map_less_what_labels_share(zoo: Zoo) -> None:
    model = zoo("vit")
    image = pixels(model, 1)
    single = explain(model, image, [TEXTS[0]], "clip_surgery", depth=0).image
    raw = explain(model, image, [TEXTS[0], ""], "raw").image
    assert single is not None
    assert raw is not None
    assert np.allclose(single[:, 0], raw[:, 0] - raw[:, 1], atol=1e-6)
    deeper = explain(model, image, [TEXTS[0]], "clip_surgery", depth=2).image
    assert deeper is not None
    assert not np.allclose(single, deeper, atol=1e-3)


def test_clip_surgery_leaves_scores_and_class_token_alone(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model)
    scores = explain(model, images, TEXTS, "raw").scores
    for depth in (0, 2, 6):
        assert np.array_equal(explain(model, images, TEXTS, "clip_surgery", depth=depth).scores, scores)


def test_a_label_set_of_one_is_zero_everywhere(zoo: Zoo) -> None:
    model = zoo("vit")
    result = explain(model, pixels(model), ["dog"], "clip_surgery", mode="labels").image
    assert result is not None
    assert np.abs(result).max() < 1e-7


def test_labels_sum_to_zero_at_every_place(zoo: Zoo) -> None:
    model = zoo("vit")
    result = explain(model, pixels(model), TEXTS, "clip_surgery").image
    assert result is not None
    assert np.abs(result.sum(axis=1)).max() < 1e-6
    assert np.abs(result).max() > 1e-2


@pytest.mark.parametrize("temperature", [0.5, 2.0, 50.0])
def test_the_closed_form_of_feature_surgery_is_the_tensor_form(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    places, image, words = (
        ref.unit(torch.randn(*shape, 24, generator=generator, dtype=torch.float64)) for shape in ((3, 50), (3,), (7,))
    )
    got = feature_surgery(places, image, words, temperature)
    for i in range(3):
        share = (temperature * image[i] @ words.T).softmax(-1)
        weight = share / share.mean()
        tensor = places[i][:, None, :] * words[None] * weight[None, :, None]
        expected = (tensor - tensor.mean(dim=1, keepdim=True)).sum(dim=-1)
        assert torch.allclose(got[i], expected, atol=1e-12)
        assert not torch.allclose(got[i], -expected, atol=1e-3)


@pytest.mark.parametrize("weighting", ["channel", "element"])
@pytest.mark.parametrize("family", LAYERED)
def test_gradcam(zoo: Zoo, family: str, weighting: str) -> None:
    plain = plain_of(zoo, family)
    layer = None if weighting == "channel" or plain.kind == "cnn" else -2
    check_images(
        zoo(family),
        "gradcam",
        lambda image, text: ref.gradcam(plain, image, text, layer, weighting, relu=False),
        weighting=weighting,
        relu=False,
    )


@pytest.mark.parametrize("family", ["vit", "registers", "siglip", "resnet"])
def test_gradcam_with_weights_from_all_tokens(zoo: Zoo, family: str) -> None:
    # Grad-ECLIP's release: the class token's gradient counts too. Without such a token there is no difference.
    plain, model = plain_of(zoo, family), zoo(family)
    images = pixels(model)
    found = {
        average: explain(model, images, two(), "gradcam", average=average, relu=False).image
        for average in ("patches", "tokens")
    }
    for average, maps in found.items():
        other = "patches" if average == "tokens" else "tokens"
        for i, image in enumerate(images):
            for t, text in enumerate(two()):
                assert maps is not None
                agrees(maps[i, t], ref.gradcam(plain, image, text, None, "channel", False, average))
                if family in ("vit", "registers"):
                    with pytest.raises(AssertionError):
                        agrees(maps[i, t], ref.gradcam(plain, image, text, None, "channel", False, other))
    if family in ("siglip", "resnet"):
        assert np.array_equal(found["patches"], found["tokens"])  # type: ignore[arg-type]


@pytest.mark.parametrize("layer", [0, 2, -2])
@pytest.mark.parametrize("family", ["vit", "siglip", *CNNS])
def test_gradcam_of_another_layer(zoo: Zoo, family: str, layer: int) -> None:
    plain, model = plain_of(zoo, family), zoo(family)
    images = pixels(model, 1)
    result = explain(model, images, two(), "gradcam", layer=layer, relu=False).image
    assert result is not None
    for t, text in enumerate(two()):
        agrees(result[0, t], ref.gradcam(plain, images[0], text, layer, "channel", relu=False))
    with pytest.raises(AssertionError):
        agrees(-result[0, 0], ref.gradcam(plain, images[0], two()[0], layer, "channel", relu=False))


def test_gradient_times_activation_vanishes_before_the_last_attention(zoo: Zoo) -> None:
    # Only through a norm, which ignores scale, does a place reach the class token: the closed form is 0.
    model, plain = zoo("vit"), plain_of(zoo, "vit")
    image = pixels(model, 1)
    last, earlier = (ref.gradcam(plain, image[0], TEXTS[0], layer, "element", relu=False) for layer in (-1, -2))
    assert float(last.abs().max()) < 1e-4 * float(earlier.abs().max())
    default = explain(model, image, TEXTS[0], "gradcam", weighting="element", relu=False).image
    assert default is not None
    agrees(default[0, 0], earlier)


def test_gradcam_keeps_what_raises_the_score(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model)
    kept, signed = (explain(model, images, TEXTS, "gradcam", relu=relu).image for relu in (True, False))
    assert kept is not None
    assert signed is not None
    assert np.array_equal(kept, np.maximum(signed, 0))
    assert signed.min() < 0 < signed.max()


@pytest.mark.parametrize(
    ("family", "start"),
    [
        (name, start)
        for name in ATTENTIVE
        for start in ("last", "all")
        if start == "last" or name not in ("timm_cls", "timm_avg")  # one of the large towers is enough
    ],
)
def test_gae_of_images(zoo: Zoo, family: str, start: str) -> None:
    plain = plain_of(zoo, family)
    first = len(plain.blocks) - 1 if start == "last" else 0
    check_images(zoo(family), "gae", lambda image, text: ref.gae_image(plain, image, text, first), start_layer=start)


@pytest.mark.parametrize("start", ["last", "all"])
@pytest.mark.parametrize("family", TEXTUAL)
def test_gae_of_texts(zoo: Zoo, family: str, start: str) -> None:
    plain, model = plain_of(zoo, family), zoo(family)
    images, first = pixels(model), 3 if start == "last" else 0
    result = explain(model, images, TEXTS, "gae", sides=["text"], start_layer=start)
    assert result.text is not None
    for i, image in enumerate(images):
        for t, text in enumerate(TEXTS):
            words = len(result.tokens[t])
            expected = ref.gae_text(plain, image, text, first)[1 : words + 1]
            agrees(result.text[i, t, :words], expected)
            assert not result.text[i, t, words:].any()
    expected = ref.gae_text(plain, images[0], TEXTS[2], first)[1 : len(result.tokens[2]) + 1]
    for mutant in (result.text[1, 2], -result.text[0, 2], result.text[0, 2, ::-1]):
        with pytest.raises(AssertionError):
            agrees(mutant[: len(result.tokens[2])], expected, 20 * TOLERANCE)


@pytest.mark.parametrize("start", ["last", "all"])
def test_gae_differentiates_the_scaled_logit(zoo: Zoo, start: str) -> None:
    """As in the release; one block is linear in the factor, a product of blocks is not."""
    model, plain = fresh(zoo("vit")), plain_of(zoo, "vit")
    images, first = pixels(model, 1), 3 if start == "last" else 0
    own = float(plain.net.logit_scale.detach().exp())
    assert model.logit_scale == pytest.approx(own) and own > 2
    for scale in (None, 1.0, 100.0):
        result = explain(model, images, TEXTS, "gae", start_layer=start, scale=scale)
        assert result.image is not None and result.text is not None
        for t, text in enumerate(TEXTS):
            words = len(result.tokens[t])
            image = ref.gae_image(plain, images[0], text, first, scale or own)
            told = ref.gae_text(plain, images[0], text, first, scale or own)[1 : words + 1]
            agrees(result.image[0, t], image)
            agrees(result.text[0, t, :words], told)
            # The map of the plain cosine, brought to the same largest value, is another if blocks multiply.
            cosine = ref.gae_image(plain, images[0], text, first, 1.0)
            if scale == 100.0:
                shape = error(result.image[0, t] / result.image[0, t].max(), cosine / cosine.max())
                assert shape < TOLERANCE if start == "last" else shape > 10 * TOLERANCE
            if scale != 1.0:
                with pytest.raises(AssertionError):
                    agrees(result.image[0, t], cosine)
    # Another scale of the model is another map.
    with torch.no_grad():
        model.net.logit_scale += 1
    other = explain(model, images, TEXTS, "gae", start_layer=start).image
    assert other is not None
    with pytest.raises(AssertionError):
        agrees(other[0, 0], ref.gae_image(plain, images[0], TEXTS[0], first))


@pytest.mark.parametrize(
    ("family", "layers"), [(name, count) for name in SURGICAL for count in (1, 2, 99) if count != 99 or name in FEW]
)
def test_legrad(zoo: Zoo, family: str, layers: int) -> None:
    plain = plain_of(zoo, family)
    check_images(zoo(family), "legrad", lambda image, text: ref.legrad(plain, image, text, layers), layers=layers)


@pytest.mark.parametrize("method", ["gae", "legrad"])
def test_relevance_is_never_negative(zoo: Zoo, method: str) -> None:
    model = zoo("vit")
    result = explain(model, pixels(model), TEXTS, method).image
    assert result is not None
    assert result.min() >= 0
    assert result.max() > 0


@pytest.mark.parametrize("method", ["gradcam", "gae", "legrad"])
def test_a_small_byte_budget_changes_nothing(zoo: Zoo, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = zoo("vit")
    images = pixels(model)
    plenty = explain(model, images, TEXTS, method)
    monkeypatch.setenv("LOUPE_BYTES", "1")
    scarce = explain(model, images, TEXTS, method)
    assert plenty.image is not None
    assert scarce.image is not None
    assert np.allclose(plenty.image, scarce.image, rtol=1e-5, atol=1e-8)


def test_work_computed_once_serves_every_method(zoo: Zoo) -> None:
    from core.attribution.explain import attribute

    model = zoo("vit")
    images, geometry = model.preprocess(pixels(model))
    work = Work(model, ImageTrunk(model, images), TextTrunk(model, TEXTS))
    for method in ("raw", "clip_surgery", "gradcam", "gae", "legrad"):
        shared = attribute(work, method, geometry).image
        alone = explain(model, images, TEXTS, method).image
        assert shared is not None
        assert alone is not None
        assert np.array_equal(shared, alone)
