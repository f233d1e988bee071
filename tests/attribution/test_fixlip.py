"""FIxLIP: against the whole least-squares design, the definition of Banzhaf interactions, and planted games."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.support.tiny import Zoo, double, fresh, pixels
from core import explain
from core.attribution import fixlip
from core.attribution.contract import Work
from core.attribution.draws import kept_cells
from core.attribution.fixlip import Side, fit_pairs, interactions
from core.attribution.shapley import all_coalitions
from core.attribution.surrogate import complements
from core.attribution.word_games import kept_words
from core.errors import InputError
from core.methods.interaction import FIXLIP
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution.test_perturbation import masked

FEW: dict[str, Any] = {"masks": 48, "cells": 4, "words": 16, "removal": "mean"}
TEXTS = ["a red bird", "two people walk along the grey shore"]


def drawn(count: int, players: int, seed: int, keep: float = 0.5) -> Tensor:
    return torch.rand(count, players, generator=torch.Generator().manual_seed(seed)) < keep


def dense(cells: Tensor, words: Tensor, values: Tensor, keep: float, weight: NDArray[Any]) -> NDArray[np.float64]:
    """Coefficients `(1 + cells, 1 + words)` of the whole design, a row for each pair of coalitions."""
    x, y = cells.double().numpy() - keep, words.double().numpy() - keep
    rows, aims, roots = [], [], []
    for (a, left), (b, right) in product(enumerate(x), enumerate(y)):
        rows.append([p * q for p in (1.0, *left) for q in (1.0, *right)])
        aims.append(float(values[a, b]))
        roots.append(weight[b] ** 0.5)
    root = np.array(roots)
    found = np.linalg.lstsq(root[:, None] * np.array(rows), root * np.array(aims), rcond=None)[0]
    return found.reshape(1 + x.shape[1], 1 + y.shape[1])


def table(fitted: fixlip.Interactions) -> NDArray[np.float64]:
    top = torch.cat([torch.tensor([fitted.base], dtype=torch.float64), fitted.words])
    return torch.cat([top[None], torch.cat([fitted.cells[:, None], fitted.pairs], dim=1)]).numpy()


@pytest.mark.parametrize("keep", [0.5, 0.7])
@pytest.mark.parametrize("complete", [True, False])
def test_the_factored_solve_is_the_whole_least_squares(keep: float, complete: bool) -> None:
    cells = drawn(20, 4, 0, keep)
    words = all_coalitions(3).rows if complete else drawn(14, 3, 1, keep)
    size = words.sum(dim=1).double()
    weights = keep**size * (1 - keep) ** (3 - size) if complete else torch.full((14,), 1 / 14, dtype=torch.float64)
    values = torch.randn(20, len(words), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    got = table(fit_pairs(Side(cells, keep), Side(words, keep, weights, left_out=not complete), values))
    expected = dense(cells, words, values, keep, weights.numpy())
    assert np.allclose(got, expected, atol=1e-10)
    assert not np.allclose(got, dense(cells, words, values, 1 - keep + 0.1, weights.numpy()), atol=1e-3)
    assert not np.allclose(got, dense(cells.flip(1), words, values, keep, weights.numpy()), atol=1e-3)
    assert not np.allclose(got, dense(cells, words.flip(1), values, keep, weights.numpy()), atol=1e-3)


@pytest.mark.parametrize("keep", [0.5, 0.7])
def test_a_planted_bilinear_game_is_recovered_from_few_coalitions(keep: float) -> None:
    generator = torch.Generator().manual_seed(5)
    truth = torch.randn(10, 5, generator=generator, dtype=torch.float64)
    cells, words = drawn(40, 9, 6, keep), drawn(24, 4, 7, keep)

    def design(rows: Tensor) -> Tensor:
        return torch.cat([torch.ones(len(rows), 1, dtype=torch.float64), rows.double() - keep], dim=1)

    values = design(cells) @ truth @ design(words).T
    got = fit_pairs(Side(cells, keep), Side(words, keep), values)
    assert np.allclose(table(got), truth, atol=1e-10)
    assert got.r2_pairs == pytest.approx(1, abs=1e-10)
    assert got.r2_first < 0.9
    assert float(got.half_width.max()) < 1e-10
    # An additive game has no interactions, and the first order explains it.
    truth[1:, 1:] = 0
    plain = fit_pairs(Side(cells, keep), Side(words, keep), design(cells) @ truth @ design(words).T)
    assert float(plain.pairs.abs().max()) < 1e-10
    assert plain.r2_first == pytest.approx(1, abs=1e-10)
    # What needs three players is explained by neither.
    third = values + 3 * (cells[:, :1] & cells[:, 1:2]).double() * words[:, 0].double()
    assert fit_pairs(Side(cells, keep), Side(words, keep), third).r2_pairs < 0.999


@pytest.mark.parametrize("keep", [0.5, 0.3])
def test_over_all_coalitions_the_values_are_weighted_banzhaf(keep: float) -> None:
    """Mean discrete derivatives over the others kept by chance, for a game of any order."""
    rows, others = all_coalitions(3).rows, all_coalitions(2).rows

    def chance(part: Tensor) -> Tensor:
        size = part.sum(dim=1).double()
        return keep**size * (1 - keep) ** (part.shape[1] - size)

    values = torch.randn(8, 4, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    got = fit_pairs(
        Side(rows, keep, chance(rows), left_out=False), Side(others, keep, chance(others), left_out=False), values
    )
    weight = chance(rows)[:, None] * chance(others)
    for cell in range(3):
        on = rows[:, cell]
        slope = values[on] - values[~on]
        expected = (weight[on] / keep * slope).sum()
        assert float(got.cells[cell]) == pytest.approx(float(expected), abs=1e-12)
        for word in range(2):
            with_word = others[:, word]
            both = slope[:, with_word] - slope[:, ~with_word]
            pair = (weight[on][:, with_word] / keep**2 * both).sum()
            assert float(got.pairs[cell, word]) == pytest.approx(float(pair), abs=1e-12)
            assert abs(float(got.pairs[cell, 1 - word]) - float(pair)) > 1e-3


@pytest.mark.parametrize("complete", [True, False])
def test_what_is_explained_is_judged_on_coalitions_that_were_left_out(complete: bool) -> None:
    keep = 0.5
    cells, words = drawn(12, 3, 10), all_coalitions(2).rows if complete else drawn(9, 2, 11)
    values = torch.randn(12, len(words), generator=torch.Generator().manual_seed(12), dtype=torch.float64)
    values += 3 * cells[:, :1].double() * words[:, 0].double()
    got = fit_pairs(Side(cells, keep), Side(words, keep, left_out=not complete), values)
    unseen, seen, spread = 0.0, 0.0, 0.0
    every = np.full(len(words), 1.0)
    # A coalition's complement is left out with it.
    beside, across = complements(cells), complements(words)
    assert 0 < int((beside >= 0).sum()) < 12
    for a, b in product(range(12), range(len(words))):
        rows = [at for at in range(12) if at not in (a, int(beside[a]))]
        columns = [at for at in range(len(words)) if complete or at not in (b, int(across[b]))]
        part = values[rows][:, columns]
        known = dense(cells[rows], words[columns], part, keep, every)
        x = np.array([1.0, *(cells[a].double() - keep)])
        y = np.array([1.0, *(words[b].double() - keep)])
        unseen += float(values[a, b] - x @ known @ y) ** 2
        seen += float(values[a, b] - x @ dense(cells, words, values, keep, every) @ y) ** 2
        spread += float(values[a, b] - part.mean()) ** 2
    assert got.r2_pairs == pytest.approx(1 - unseen / spread, abs=1e-9)
    assert abs(got.r2_pairs - (1 - seen / spread)) > 0.05


def by_sums_of_squares(values: NDArray[Any], weight: NDArray[Any]) -> tuple[float, float, float]:
    """The three shares by one sum after another, over every pair of coalitions."""
    m, k = values.shape
    level = sum(values[a, b] * weight[b] / m for a, b in product(range(m), range(k)))
    seen = [sum(values[a, b] * weight[b] for b in range(k)) for a in range(m)]
    read = [sum(values[a, b] for a in range(m)) / m for b in range(k)]
    parts = [0.0, 0.0, 0.0]
    for a, b in product(range(m), range(k)):
        share = weight[b] / m
        parts[0] += share * (seen[a] - level) ** 2
        parts[1] += share * (read[b] - level) ** 2
        parts[2] += share * (values[a, b] - seen[a] - read[b] + level) ** 2
    return tuple(part / sum(parts) for part in parts)  # type: ignore[return-value]


def test_modality_shares_are_those_of_the_sums_of_squares() -> None:
    random = np.random.default_rng(5)
    values, weight = random.normal(size=(9, 6)), random.dirichlet(np.ones(6))
    even = torch.full((9,), 1 / 9, dtype=torch.float64)
    got = fixlip.modality_shares(torch.from_numpy(values), even, torch.from_numpy(weight))
    assert got == pytest.approx(by_sums_of_squares(values, weight), abs=1e-12)
    assert sum(got) == pytest.approx(1)
    # The companions: sides exchanged, and coalitions that all weigh the same.
    assert got != pytest.approx(by_sums_of_squares(values.T, even.numpy()), abs=1e-3)
    assert got != pytest.approx(by_sums_of_squares(values, np.full(6, 1 / 6)), abs=1e-3)


def test_modality_shares_of_games_whose_answer_is_known() -> None:
    keep = 0.5
    cells, words = all_coalitions(3).rows, all_coalitions(2).rows
    x, y = cells.double() - keep, words.double() - keep
    sides = Side(cells, keep), Side(words, keep, left_out=False)

    def shares(values: Tensor) -> tuple[float, ...]:
        return fit_pairs(*sides, values).shares

    flat = torch.ones(8, 4, dtype=torch.float64)
    assert shares(3 * x[:, :1] * flat) == pytest.approx((1, 0, 0), abs=1e-12)
    assert shares(3 * y[:, 1] * flat) == pytest.approx((0, 1, 0), abs=1e-12)
    assert shares(x[:, :1] * y[:, 0]) == pytest.approx((0, 0, 1), abs=1e-12)
    # Variances add: a cell of weight 2 and a word of weight 1, each with variance 1/4, a pair of weight 4 with 1/16.
    mixed = 2 * x[:, :1] + y[:, 0] + 4 * x[:, 1:2] * y[:, 1]
    assert shares(mixed) == pytest.approx((4 / 9, 1 / 9, 4 / 9), abs=1e-12)
    assert shares(mixed) != pytest.approx((1 / 9, 4 / 9, 4 / 9), abs=1e-3)
    assert np.isnan(shares(2 * flat)).all()


def test_modality_shares_of_a_model_are_those_of_masked_images_and_shorter_texts(zoo: Zoo) -> None:
    model = double(zoo("vit"))
    images = pixels(zoo("vit")).double()
    work = Work(model, ImageTrunk(model, images), TextTrunk(model, TEXTS), seed=3)
    details = fixlip.attribute_image(work, FIXLIP.parse(FEW)).details
    for image, (text, words) in product(range(2), enumerate(TEXTS)):
        cells = kept_cells(work, image, (4, 4), 48)
        kept, weights, _ = kept_words(work, text, 16, 0.5)
        strings = [" ".join(w for w, k in zip(words.split(), row, strict=True) if k) for row in kept]
        with torch.no_grad():
            scores = masked(model, images[image], cells) @ F.normalize(model.embed_texts(strings), dim=-1).T
        expected = by_sums_of_squares(scores.numpy(), weights.numpy())
        got = tuple(float(details[name][image, text]) for name in ("image_share", "words_share", "pair_share"))
        assert got == pytest.approx(expected, abs=1e-6)
        other = by_sums_of_squares(scores.flip(0).numpy()[:-4], weights.numpy())
        assert got != pytest.approx(other, abs=1e-6)


def test_maps_words_and_interactions_of_a_model_are_those_of_masked_images_and_shorter_texts(zoo: Zoo) -> None:
    model = double(zoo("vit"))
    images = pixels(zoo("vit")).double()
    work = Work(model, ImageTrunk(model, images), TextTrunk(model, TEXTS), seed=3)
    parsed = FIXLIP.parse(FEW)
    maps, texts = fixlip.attribute_image(work, parsed), fixlip.attribute_text(work, parsed)
    pairs = interactions(work, parsed)
    assert maps.values.shape == (2, 2, 4, 4)
    assert pairs.shape == (2, 2, 7, 4, 4)
    for image, (text, words) in product(range(2), enumerate(TEXTS)):
        cells = kept_cells(work, image, (4, 4), 48)
        kept, weights, complete = kept_words(work, text, 16, 0.5)
        assert complete == (text == 0)
        strings = [" ".join(w for w, k in zip(words.split(), row, strict=True) if k) for row in kept]
        with torch.no_grad():
            scores = masked(model, images[image], cells) @ F.normalize(model.embed_texts(strings), dim=-1).T
        expected = dense(cells.flatten(1), kept, scores, 0.5, weights.numpy())
        count = len(words.split())
        assert np.allclose(maps.values[image, text].flatten(), expected[1:, 0], atol=1e-8)
        assert np.allclose(pairs[image, text, :count].flatten(1).T, expected[1:, 1:], atol=1e-8)
        assert not pairs[image, text, count:].any()
        assert np.allclose(texts[image, text, 1 : 1 + count], expected[0, 1:], atol=1e-8)
        for mutant in (-maps.values[image, text], maps.values[image, text].T, maps.values[1 - image, text]):
            assert not np.allclose(mutant.flatten(), expected[1:, 0], atol=1e-4)
        mixed = pairs[image, text, :count].flip(0)
        assert not np.allclose(mixed.flatten(1).T, expected[1:, 1:], atol=1e-4)


def test_m_times_k_values_cost_m_plus_k_forwards(zoo: Zoo) -> None:
    model = fresh(zoo("efficientnet"))
    images = pixels(model, 1)
    work = Work(model, ImageTrunk(model, images), TextTrunk(model, TEXTS), seed=3)
    assert work.images.embeddings is not None
    with model.meter.measuring() as spent:
        fixlip.attribute_image(work, FIXLIP.parse(FEW))
    masks = len(torch.unique(kept_cells(work, 0, (4, 4), 48).flatten(1), dim=0))
    words = sum(len(torch.unique(kept_words(work, text, 16, 0.5)[0], dim=0)) for text in range(2))
    assert (spent.image, spent.text) == (masks, words)
    assert masks <= FIXLIP.cost(FEW).pool
    with model.meter.measuring() as again:
        fixlip.attribute_text(work, FIXLIP.parse(FEW))
        interactions(work, FIXLIP.parse(FEW))
    assert (again.image, again.text) == (0, 0)


def test_through_the_door(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model)
    together = explain(model, images, ["", *TEXTS], "fixlip", **FEW)
    alone = explain(model, images[1:], [TEXTS[1]], "fixlip", **FEW)
    assert together.image is not None and together.text is not None
    assert np.allclose(together.image[1, 2], alone.image[0, 0], atol=1e-6)  # type: ignore[index]
    assert np.allclose(together.text[1, 2], alone.text[0, 0], atol=1e-6)  # type: ignore[index]
    assert not together.text[:, 0].any()
    r2, pairs = together.details["r2"], together.details["r2_pairs"]
    assert r2.shape == pairs.shape == (2, 3)
    assert (r2[:, 0] == pairs[:, 0]).all()
    assert together.image_half_width is not None and (together.image_half_width > 0).all()
    with pytest.raises(InputError, match="8 coalitions are too few to separate 16 cells"):
        explain(model, images, "dog", "fixlip", masks=8, cells=4)
