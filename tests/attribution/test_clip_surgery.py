"""CLIP Surgery beyond its maps: the release's loop, ResNets, templates, the empty text, caption tokens."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.support.tiny import TEXTS, Zoo, double, fresh, pixels
from core import METHODS, explain
from core.attribution.clip_surgery import (
    SCENES,
    LabelBank,
    explained_by,
    feature_surgery,
    single_surgery,
    surgery_features,
    surgery_templates,
    token_embeddings,
)
from core.attribution.contract import Work
from core.errors import InputError
from core.models.attention_pool import OpenClipResNet
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

TOLERANCE = 2e-4


def error(got: Any, expected: Any) -> float:
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert got.shape == expected.shape
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def directions(*shape: int, seed: int = 0) -> Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn / drawn.norm(dim=-1, keepdim=True)


# -- features -----------------------------------------------------------------------------------------------------


def loop(features: Tensor, embedding: Tensor, texts: Tensor) -> Tensor:
    """Section 3.3 as written: a tensor of places x labels x channels, one label's mean subtracted at a time."""
    powers = [math.exp(2 * float(embedding @ text)) for text in texts]
    weights = [power / sum(powers) * len(powers) for power in powers]
    out = torch.zeros(len(features), len(texts), dtype=torch.float64)
    for place, feature in enumerate(features):
        products = torch.stack([weight * feature * text for weight, text in zip(weights, texts, strict=True)])
        redundant = sum(products) / len(products)
        for label, product in enumerate(products):
            out[place, label] = float((product - redundant).sum())
    return out


@pytest.mark.parametrize("labels", [2, 5, 60])
def test_feature_surgery_is_the_loop_in_float32_for_any_number_of_labels(labels: int) -> None:
    features, images, texts = directions(2, 9, 24), directions(2, 24, seed=1), directions(labels, 24, seed=2)
    got = feature_surgery(features.float(), images.float(), texts.float())
    for image in range(2):
        expected = loop(features[image], images[image], texts)
        assert error(got[image], expected) < 1e-5
        # Other weights, another sign and the other image's weights are told apart.
        assert error(features[image] @ texts.T, expected) > 1e-2
        assert error(-got[image], expected) > 1
        assert error(loop(features[image], images[1 - image], texts), expected) > 1e-2


def test_one_label_is_zero_and_two_images_are_two_single_ones() -> None:
    features, images, texts = directions(2, 9, 24), directions(2, 24, seed=1), directions(5, 24, seed=2)
    assert feature_surgery(features, images, texts[:1]).abs().max() < 1e-15
    both = feature_surgery(features, images, texts)
    for image in range(2):
        alone = feature_surgery(features[image : image + 1], images[image : image + 1], texts)[0]
        assert torch.allclose(alone, both[image], atol=1e-15)
        assert not torch.allclose(alone, both[1 - image], atol=1e-3)


# -- ResNets ------------------------------------------------------------------------------------------------------


def pooled(model: Model, image: Tensor, kind: str) -> Tensor:
    """Unit features `(1 + places, embedding)` of section 5.3 in float64, token by token and head by head.

    `kind` is "original" (queries and keys), "plain" or "normalised" (values against values).
    """
    visual = double(model).net.visual
    pool = visual.attnpool
    with torch.no_grad():
        x = visual.stem(image[None].double())
        for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            x = layer(x)
        places = x[0].reshape(x.shape[1], -1).T
        tokens = torch.cat([places.mean(dim=0, keepdim=True), places]) + pool.positional_embedding
        q, k, v = (part.weight @ tokens.T + part.bias[:, None] for part in (pool.q_proj, pool.k_proj, pool.v_proj))
        width = v.shape[0] // pool.num_heads
        mixed = []
        for head in range(pool.num_heads):
            part = slice(head * width, (head + 1) * width)
            one = {"original": (q[part], k[part]), "plain": (v[part], v[part])}.get(kind)
            if one is None:
                length = v[part].pow(2).sum(dim=0).sqrt()
                one = (v[part] / length, 8 * v[part] / length)
            weight = torch.softmax(one[0].T @ one[1] / math.sqrt(width), dim=-1)
            mixed.append(weight @ v[part].T)
        out = torch.cat(mixed, dim=1) @ pool.c_proj.weight.T + pool.c_proj.bias
    return out / out.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize("kind", ["normalised", "plain"])
def test_a_resnet_s_pool_attends_to_values(zoo: Zoo, kind: str) -> None:
    model = zoo("resnet_clip")
    images = pixels(model)
    words = model.embed_texts(TEXTS).double()
    result = explain(model, images, TEXTS, "clip_surgery", pool=kind)
    assert result.image is not None
    other = {"normalised": "plain", "plain": "normalised"}[kind]
    for index, image in enumerate(images):
        whole = pooled(model, image, "original")[0]
        # The untouched image weighs the labels, not the surgical class token.
        expected = loop(pooled(model, image, kind)[1:], whole, words).T
        got = result.image[index].reshape(3, -1)
        assert error(got, expected) < TOLERANCE
        for wrong in (loop(pooled(model, image, name)[1:], whole, words).T for name in (other, "original")):
            assert error(got, wrong) > 20 * TOLERANCE
        assert error(got[::-1], expected) > 20 * TOLERANCE
    default = explain(model, images, TEXTS, "clip_surgery").image
    assert np.array_equal(default, result.image) == (kind == "normalised")


def test_a_resnet_keeps_its_embedding_and_its_scores(zoo: Zoo) -> None:
    model = zoo("resnet_clip")
    images = pixels(model)
    assert isinstance(model.image, OpenClipResNet)
    with torch.no_grad():
        expected = F.normalize(model.net.encode_image(images), dim=-1)
    trunk = ImageTrunk(model, images)
    assert torch.allclose(trunk.embeddings, expected, atol=1e-5)
    assert torch.allclose(pooled(model, images[0], "original")[0].float(), expected[0], atol=1e-5)
    # The release's class token comes from values too, and is another one.
    for kind in ("plain", "normalised"):
        assert not torch.allclose(pooled(model, images[0], kind)[0].float(), expected[0], atol=1e-3)
    scores = explain(model, images, TEXTS, "clip_surgery").scores
    assert np.allclose(scores, (expected @ model.embed_texts(TEXTS).T).numpy(), atol=1e-5)


def test_a_resnet_of_depth_0_gives_the_raw_map_and_any_layer_leads_to_the_embedding(zoo: Zoo) -> None:
    model = zoo("resnet_clip")
    images = pixels(model)
    raw = explain(model, images, ["dog", ""], "raw").image
    none = explain(model, images, ["dog"], "clip_surgery", depth=0).image
    some = explain(model, images, ["dog"], "clip_surgery", depth=1).image
    assert raw is not None and none is not None and some is not None
    assert np.allclose(none[:, 0], raw[:, 0] - raw[:, 1], atol=1e-6)
    assert not np.allclose(none, some, atol=1e-3)
    tower, trunk = model.image, ImageTrunk(model, images)
    for layer in range(tower.depth + 1):
        left = F.normalize(tower.leave(tower.run(trunk.entering(layer), layer)), dim=-1)
        assert torch.allclose(left, trunk.embeddings, atol=1e-5)
        assert not torch.allclose(left.flip(0), trunk.embeddings, atol=1e-3)
    with pytest.raises(InputError, match="takes images of"):
        explain(model, torch.zeros(1, 3, 96, 96), ["dog"], "raw")


def test_models_without_any_attention_are_still_refused(zoo: Zoo) -> None:
    info = METHODS["clip_surgery"]
    assert info.reasons(zoo("resnet_clip").capabilities)["image"] is None
    assert "image self-attention" in str(info.reasons(zoo("efficientnet").capabilities)["image"])
    with pytest.raises(NotImplementedError, match="attention pool"):
        zoo("vit").image.value_pool(torch.zeros(1, 5, 64), True)


# -- texts --------------------------------------------------------------------------------------------------------


def test_there_are_85_templates_and_five_are_of_a_scene() -> None:
    templates = surgery_templates()
    assert len(templates) == len(set(templates)) == 85
    assert templates[-5:] == SCENES
    assert [template for template in templates if "in the scene" in template] == list(SCENES)
    assert all(template.count("{}") == 1 for template in templates)


def test_a_label_is_embedded_once_through_all_templates(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    bank = LabelBank(model)
    with model.meter.measuring() as first:
        got = bank.of(["dog", "red bird"])
    assert first.text == 2 * 85
    with model.meter.measuring() as again:
        turned = bank.of(["red bird", "dog", "red bird"])
    assert again.text == 0
    assert torch.equal(turned, got[[1, 0, 1]])
    with model.meter.measuring() as more:
        bank.of(["dog", "cat"])
        assert bank.empty.shape == (1, got.shape[1])
    assert more.text == 2 * 85
    sentences = [template.format("dog") for template in bank.templates]
    each = torch.stack([model.embed_texts([sentence])[0] for sentence in sentences]).double()
    mean = each.mean(dim=0)
    assert torch.allclose(got[0].double(), mean / mean.norm(), atol=1e-5)
    assert not torch.allclose(got[0], model.embed_texts(["dog"])[0], atol=1e-3)
    assert not torch.allclose(got[0], got[1], atol=1e-3)


def test_the_empty_text_is_embedded_once_for_all_methods_of_a_image(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    images = pixels(model, 1)
    from core.attribution.explain import attribute

    work = Work(model, ImageTrunk(model, images), TextTrunk(model, ["dog"], ("a {}", "the {}")))
    spent = []
    for _ in range(2):
        with model.meter.measuring() as meter:
            got = attribute(work, "clip_surgery", model.preprocess(images)[1]).image
        spent.append(meter.text)
    # One for the pieces' names is never needed; two sentences for the text, two for the empty one.
    assert spent == [4, 0]
    features = surgery_features(work, 6)
    words, empty = (model.embed_texts([text], ("a {}", "the {}")) for text in ("dog", ""))
    assert got is not None
    assert np.allclose(got[0, 0].ravel(), (features[0] @ (words - empty).T)[:, 0].numpy(), atol=1e-6)
    assert torch.allclose(single_surgery(features, words, empty), features @ words.T - features @ empty.T, atol=1e-6)


def test_how_much_of_a_map_the_empty_text_explains() -> None:
    random = np.random.default_rng(0)
    empty = torch.tensor(random.normal(size=(2, 30)))
    noise = torch.tensor(random.normal(size=(2, 30)))
    maps = torch.stack([3 - 2 * empty, noise, empty + noise, torch.full_like(empty, 0.3)], dim=1)
    got = explained_by(maps, empty)
    for image in range(2):
        for text in range(3):
            expected = np.corrcoef(maps[image, text], empty[image])[0, 1] ** 2
            assert float(got[image, text]) == pytest.approx(expected, abs=1e-12)
    assert torch.allclose(got[:, 0], torch.ones(2, dtype=got.dtype))
    assert float(got[0, 1]) < 0.3
    # A constant map explains nothing and is explained by nothing: undefined, not 0.
    assert torch.isnan(got[:, 3]).all()
    assert torch.isnan(explained_by(maps, torch.zeros_like(empty))).all()


@pytest.mark.parametrize("family", ["vit", "siglip", "registers", "bert_mean", "bert_cls", "bert_first"])
def test_the_token_that_is_read_out_embeds_like_the_text(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    texts = TextTrunk(model, TEXTS)
    found = token_embeddings(texts)
    tower = model.text
    for row, (pieces, tokens) in enumerate(found):
        assert pieces == texts.content[row][1]
        assert tokens.shape == (len(pieces), texts.embeddings.shape[1])
        assert torch.allclose(tokens.norm(dim=-1), torch.ones(len(pieces)), atol=1e-5)
        # A readout of every position at once: the text's embedding wherever one position is read.
        where = int(tower.readout(texts.ids)[row].argmax())
        state = texts.entering(tower.depth)[row, where]
        alone = F.normalize(tower.leave(state[None, None], texts.ids[row, where][None, None]), dim=-1)[0]
        if float(tower.readout(texts.ids)[row].max()) == 1.0:
            assert torch.allclose(alone, texts.embeddings[row], atol=1e-5)
            assert not torch.allclose(alone, texts.embeddings[row - 1], atol=1e-3)
        for position, vector in zip(texts.content[row][0], tokens, strict=True):
            state = texts.entering(tower.depth)[row, position]
            alone = F.normalize(tower.leave(state[None, None], texts.ids[row, position][None, None]), dim=-1)[0]
            assert torch.allclose(alone, vector, atol=1e-6)
