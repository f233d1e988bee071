"""MetaGame: words' maps against all orders of real strings, and their sum against the map itself."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.support.tiny import Zoo, double, pixels
from core import explain
from core.attribution import meta_game as module
from core.attribution.contract import Work
from core.attribution.meta_game import LINEAR, WordMaps, meta_game
from core.errors import CapabilityError, InputError
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

TEXT = "two people walk along"
BENT = ("legrad", "gradcam", "grad_eclip", "gae")


def made(model: Model, *texts: str) -> Work:
    images = pixels(model).to(next(model.net.parameters()).dtype)
    return Work(model, ImageTrunk(model, images), TextTrunk(model, texts or (TEXT,)))


def map_of(work: Work, method: str, words: list[str]) -> NDArray[np.float64]:
    from core.attribution.registry import method_module

    info, found = method_module(method)
    own = Work(work.model, work.images, TextTrunk(work.model, [" ".join(words)]))
    values: torch.Tensor = found.attribute_image(own, info.parse())
    return values[:, 0].detach().double().numpy()


def brute(work: Work, method: str) -> NDArray[np.float64]:
    """Maps `(images, words, rows, columns)`: what each word changes, averaged over all orders."""
    words = TEXT.split()
    orders = list(permutations(range(len(words))))
    known: dict[frozenset[int], NDArray[np.float64]] = {}

    def at(kept: frozenset[int]) -> NDArray[np.float64]:
        if kept not in known:
            known[kept] = map_of(work, method, [words[word] for word in sorted(kept)])
        return known[kept]

    total = np.zeros((len(words), *at(frozenset()).shape))
    for order in orders:
        for place, word in enumerate(order):
            total[word] += (at(frozenset(order[: place + 1])) - at(frozenset(order[:place]))) / len(orders)
    return total.swapaxes(0, 1)


def agrees(got: WordMaps, expected: NDArray[np.float64], tolerance: float) -> None:
    error = np.abs(got.maps.double().numpy() - expected).max() / np.abs(expected).max()
    assert error < tolerance, f"off by {error:.1e}"


@pytest.mark.parametrize("method", ["raw", "clip_prs", "naclip", "legrad", "gradcam"])
def test_a_word_s_map_is_what_it_changes_over_all_orders(zoo: Zoo, method: str) -> None:
    work = made(double(zoo("vit")))
    got, expected = meta_game(work, method)[0], brute(work, method)
    assert got.words == TEXT.split() and got.exact
    agrees(got, expected, 1e-9)
    for mutant in (-expected, expected[:, ::-1], expected[::-1], expected.swapaxes(2, 3)):
        with pytest.raises(AssertionError):
            agrees(got, mutant, 1e-3)


@pytest.mark.parametrize("method", [*sorted(LINEAR), *BENT])
def test_words_and_rest_sum_to_the_map(zoo: Zoo, method: str) -> None:
    work = made(double(zoo("vit")))
    whole = map_of(work, method, TEXT.split())
    for empty in ("apart", "shared"):
        got = meta_game(work, method, empty=empty)[0]  # type: ignore[arg-type]
        assert np.abs(got.whole.numpy() - whole).max() < 1e-10
        assert bool(got.rest.abs().max() > 1e-6) == (empty == "apart") or method in BENT
        assert got.shares.sum(dim=1).numpy() == pytest.approx(np.ones(2))
    # Without one word they don't.
    assert np.abs((got.whole - got.maps[:, 0]).numpy() - whole).max() > 1e-6


@pytest.mark.parametrize(("method", "budget"), [("raw", 1024), ("raw", 12), ("legrad", 12)])
def test_the_sum_holds_in_float32_and_from_a_sample(zoo: Zoo, method: str, budget: int) -> None:
    model = zoo("vit")
    texts = ["two people walk along the grey shore", "dog"]
    work = made(model, *texts)
    found = meta_game(work, method, budget=budget)
    maps = explain(model, work.images.pixels, texts, method).image
    assert maps is not None
    assert [one.exact for one in found] == [budget == 1024, True]
    for text, one in enumerate(found):
        assert np.abs(one.whole.numpy() - maps[:, text]).max() < 1e-5 * max(1, np.abs(maps[:, text]).max())
        assert np.abs(one.whole.numpy() - maps[:, 1 - text]).max() > 1e-4


def test_a_linear_map_may_go_either_way_and_another_may_not(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    work = made(double(zoo("vit")))
    direct = {method: meta_game(work, method)[0].maps for method in (*sorted(LINEAR), "legrad")}
    monkeypatch.setattr(module, "LINEAR", frozenset({"legrad"}))
    other = {method: meta_game(work, method)[0].maps for method in direct}
    for method in LINEAR:
        assert torch.allclose(direct[method], other[method], atol=1e-10), method
    assert not torch.allclose(direct["legrad"], other["legrad"], rtol=1e-2)


def test_linear_maps_cost_no_more_image_than_one(zoo: Zoo) -> None:
    model = double(zoo("vit"))
    work = made(model)
    assert work.images.embeddings is not None
    with model.meter.measuring() as spent:
        meta_game(work, "raw")
    assert (spent.image, spent.text) == (0, 2**4)
    with model.meter.measuring() as second:
        meta_game(work, "maskclip")
    assert second.text == 0 and second.image < len(work.images)


def test_what_can_t_be_shared_is_told(zoo: Zoo) -> None:
    model = zoo("vit")
    work = made(model)
    cases: list[tuple[str, Any]] = [("clip_surgery", "words cannot share"), ("rollout", "words cannot share")]
    cases += [("fixlip", "words cannot share"), ("nothing", "no method")]
    for method, what in cases:
        with pytest.raises(InputError, match=what):
            meta_game(work, method)
    with pytest.raises(InputError, match="has no words"):
        meta_game(made(model, ""), "raw")
    with pytest.raises(InputError, match="leave the templates out"):
        meta_game(Work(model, work.images, TextTrunk(model, [TEXT], "a photo of {}")), "raw")
    with pytest.raises(CapabilityError, match="legrad cannot be shared"):
        meta_game(made(zoo("efficientnet")), "legrad")
