"""Shapley values of words against all orders of the words of real strings; what is shared and what it costs."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.support.tiny import Zoo, double, fresh, pixels
from core import explain
from core.attribution import kernel_shap
from core.attribution.contract import Work
from core.attribution.word_games import kept_words, word_pool
from core.methods import method_info
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

TEXT = "two people walk along xylophones"


def brute(model: Model, images: Any, text: str) -> NDArray[np.float64]:
    """Values `(images, words)`: each word's gain, averaged over all orders in which the words could be said."""
    words = text.split()
    with torch.no_grad():
        entries = model.embed_images(images).double().numpy()

        def score(kept: frozenset[int]) -> NDArray[np.float64]:
            string = " ".join(word for at, word in enumerate(words) if at in kept)
            return entries @ model.embed_texts([string]).double().numpy()[0]

        known: dict[frozenset[int], NDArray[np.float64]] = {}
        total = np.zeros((len(entries), len(words)))
        orders = list(permutations(range(len(words))))
        for order in orders:
            for at, word in enumerate(order):
                before, after = frozenset(order[:at]), frozenset(order[: at + 1])
                for kept in (before, after):
                    if kept not in known:
                        known[kept] = score(kept)
                total[:, word] += (known[after] - known[before]) / len(orders)
    return total


@pytest.mark.parametrize("family", ["vit", "bert_mean", "timm_cls"])
def test_values_of_words_are_their_mean_gain_over_all_orders(zoo: Zoo, family: str) -> None:
    model = double(zoo(family)) if family == "vit" else zoo(family)
    text = TEXT if family == "vit" else "two people walk along the"
    images = pixels(zoo(family)).to(next(model.net.parameters()).dtype)
    work = Work(model, ImageTrunk(model, images), TextTrunk(model, ["a red bird", text]))
    got = kernel_shap.attribute_text(work, method_info("kernel_shap").parse()).numpy()
    words = word_pool(work, 1).words
    values = np.stack([got[:, 1, list(places)].sum(axis=1) for _, places in words], axis=1)
    expected = brute(model, images, text)
    tolerance = 1e-10 if family == "vit" else 1e-5
    assert np.allclose(values, expected, atol=tolerance)
    for mutant in (-values, values[::-1], values[:, ::-1]):
        assert not np.allclose(mutant, expected, atol=1e-3)
    # Tokens of one word share it evenly; special tokens have nothing.
    assert all(np.ptp(got[:, 1, list(places)], axis=1).max() < 1e-12 for _, places in words)
    if family == "vit":
        assert len(words[-1][1]) > 1
    others = [at for at in range(got.shape[2]) if at not in {place for _, places in words for place in places}]
    assert others and not got[:, 1, others].any()


@pytest.mark.parametrize("budget", [12, 64, 1024])
def test_values_of_words_sum_to_the_rise_from_no_word(zoo: Zoo, budget: int) -> None:
    model = zoo("vit")
    images, texts = pixels(model), ["two people walk along the grey shore", "dog"]
    got = explain(model, images, texts, "kernel_shap", sides=["text"], words=budget)
    assert got.text is not None
    with torch.no_grad():
        rise = model.embed_images(images) @ (model.embed_texts(texts) - model.embed_texts([""])).T
    assert np.allclose(got.text.sum(axis=2), rise, atol=1e-6)
    assert not np.allclose(got.text.sum(axis=2), rise.flip(0), atol=1e-3)
    exact = explain(model, images, texts, "kernel_shap", sides=["text"]).text
    assert exact is not None
    if budget > 12:
        assert np.corrcoef(got.text[0, 0, :7], exact[0, 0, :7])[0, 1] > 0.8
    assert np.array_equal(got.text, exact) == (budget == 1024)


def test_texts_together_are_texts_alone_and_images_share_what_is_read(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    images, texts = pixels(model), ["a red bird", "", "two people walk along"]
    parsed = method_info("kernel_shap").parse()
    work = Work(model, ImageTrunk(model, images), TextTrunk(model, texts))
    assert work.images.embeddings is not None
    with model.meter.measuring() as spent:
        got = kernel_shap.attribute_text(work, parsed)
    assert spent.text == 2**3 + 2**4
    with model.meter.measuring() as again:
        kernel_shap.attribute_text(work, parsed)
    assert (again.text, again.image) == (0, 0)
    assert not got[:, 1].any()
    for image in range(2):
        for text, words in enumerate(texts):
            alone = Work(model, ImageTrunk(model, images[image : image + 1]), TextTrunk(model, [words]))
            own = kernel_shap.attribute_text(alone, parsed)[0, 0]
            assert torch.allclose(own, got[image, text, : len(own)], atol=1e-6)


def test_kept_words_are_all_of_them_by_chance_or_a_draw(zoo: Zoo) -> None:
    model = zoo("vit")
    work = Work(model, ImageTrunk(model, pixels(model)), TextTrunk(model, [TEXT, ""]))
    rows, weights, complete = kept_words(work, 0, 32, 0.3)
    assert complete and len(rows) == 32
    assert float(weights.sum()) == pytest.approx(1)
    assert (weights[:, None] * rows).sum(dim=0).numpy() == pytest.approx(np.full(5, 0.3))
    drawn, even, whole = kept_words(work, 0, 31, 0.3)
    assert not whole and drawn.shape == (31, 5)
    assert float(even.sum()) == pytest.approx(1)
    assert abs(float(drawn.double().mean()) - 0.3) < 0.12
    assert kept_words(work, 0, 4, 0.3)[0].shape == (18, 5)
    assert kept_words(work, 1, 4, 0.3)[0].shape == (1, 0)
