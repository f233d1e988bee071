"""The ridge surrogate, the draws and KernelSHAP's weights against closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from torch import Tensor

from benchmarks.support.tiny import Zoo, pixels
from core.attribution.draws import kept_cells, kernel_weights, shapley_cells, size_chances
from core.attribution.shapley import Coalitions, constrained_values, exact_values, kernel_weight
from core.attribution.surrogate import complements, fit, halves_agree
from tests.attribution.test_attribution_rise import work_of


def game(players: int = 12, count: int = 200, noise: float = 0.0, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.rand(count, players, generator=generator) < 0.5
    true = torch.randn(players, 3, generator=generator, dtype=torch.float64)
    wobble = noise * torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return rows, 0.3 + rows.double() @ true + wobble, true


@pytest.mark.parametrize("penalty", [0.5, 20.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_fit_is_ridge_regression(penalty: float, weighted: bool) -> None:
    rows, scores, _ = game(noise=0.5)
    weights = torch.rand(len(rows), generator=torch.Generator().manual_seed(1)).double() + 0.1 if weighted else None
    sample = None if weights is None else (weights * len(rows) / weights.sum()).numpy()
    got = fit(rows, scores, weights, penalty).coefficients
    expected = Ridge(alpha=penalty).fit(rows.double().numpy(), scores.numpy(), sample_weight=sample).coef_.T
    assert np.abs(got.numpy() - expected).max() < 1e-8
    other = Ridge(alpha=2 * penalty).fit(rows.double().numpy(), scores.numpy(), sample_weight=sample).coef_.T
    assert np.abs(got.numpy() - other).max() > 1e-4


def literal_r2(
    rows: NDArray[np.float64], scores: NDArray[np.float64], penalty: float, other: NDArray[np.int64] | None = None
) -> float:
    """Leaving one out, and the row `other` names, by refitting."""
    errors, spread = [], []
    for out in range(len(rows)):
        keep = np.arange(len(rows)) != out
        if other is not None and other[out] >= 0:
            keep[other[out]] = False
        model = Ridge(alpha=penalty).fit(rows[keep], scores[keep])
        errors.append(scores[out] - model.predict(rows[out : out + 1])[0])
        spread.append(scores[out] - scores[keep].mean())
    return 1 - float(np.square(errors).sum() / np.square(spread).sum())


def with_complements(rows: Tensor, true: Tensor, noise: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The rows, then the complements of all but the first four, in a game in which pairs of players count as well."""
    rows = torch.cat([rows, ~rows[4:]])
    generator = torch.Generator().manual_seed(100 + seed)
    signs = 2 * rows.double() - 1
    pairs = torch.randn(rows.shape[1], rows.shape[1], generator=generator, dtype=torch.float64).triu(1)
    even = torch.einsum("ni,ij,nj->n", signs, pairs, signs)
    return rows, rows.double() @ true + noise * even[:, None]


def test_the_share_that_is_explained_is_that_of_leaving_one_out() -> None:
    rows, scores, _ = game(players=12, count=40, noise=1.0)
    assert int((complements(rows) >= 0).sum()) == 0
    got = fit(rows, scores, penalty=3.0).r2
    for text in range(3):
        expected = literal_r2(rows.double().numpy(), scores[:, text].numpy(), 3.0)
        # Refitting also moves the mean a little, which the closed form takes as fixed by its leverage.
        assert float(got[text]) == pytest.approx(expected, abs=2e-3)
        assert abs(float(got[text]) - literal_r2(rows.double().numpy(), scores[:, text].numpy(), 30.0)) > 5e-3


def test_complements_are_left_out_together() -> None:
    free, _, true = game(players=10, count=30)
    rows, scores = with_complements(free, true, 0.2)
    other = complements(rows)
    assert torch.equal(other[4:30], torch.arange(30, 56))
    assert torch.equal(other[other[4:]], torch.arange(4, 56))
    assert set(other[:4].tolist()) == {-1}
    got = fit(rows, scores, penalty=3.0).r2
    x = rows.double().numpy()
    for text in range(3):
        y = scores[:, text].numpy()
        assert float(got[text]) == pytest.approx(literal_r2(x, y, 3.0, other.numpy()), abs=4e-3)
        assert abs(float(got[text]) - literal_r2(x, y, 3.0)) > 1e-2


def test_what_pairs_of_cells_do_is_no_noise_between_complements() -> None:
    inside, widths, naive = [], [], []
    for seed in range(40):
        free, _, true = game(players=8, count=70, seed=seed)
        free = torch.unique(free, dim=0)
        rows, scores = with_complements(free, true, 0.5, seed)
        scores = scores + 0.3 * torch.randn(scores.shape, generator=torch.Generator().manual_seed(seed)).double()
        rows, scores = rows[4:], scores[4:]
        found = fit(rows, scores, penalty=1e-6)
        error = (found.coefficients - true).abs()
        inside.append(float((error <= found.half_width).double().mean()))
        widths.append(float(found.half_width.mean()))
        # The same rows, but each with a weight: then nothing is known of their complements.
        naive.append(float(fit(rows, scores, torch.ones(len(rows)), 1e-6).half_width.mean()))
    assert 0.92 < np.mean(inside) < 0.98
    assert np.mean(widths) < 0.5 * np.mean(naive)


def test_an_additive_game_is_recovered_and_known_to_be() -> None:
    rows, scores, true = game()
    found = fit(rows, scores)
    assert torch.allclose(found.coefficients, true, atol=1e-2)
    assert not torch.allclose(found.coefficients, true.roll(1, 0), atol=1e-1)
    assert float(found.r2.min()) > 0.999


def test_half_widths_cover_the_truth_about_as_often_as_they_say() -> None:
    inside = []
    for seed in range(40):
        rows, scores, true = game(players=8, count=120, noise=2.0, seed=seed)
        found = fit(rows, scores, penalty=1e-6)
        inside.append(((found.coefficients - true).abs() <= found.half_width).double().mean())
    assert 0.92 <= float(torch.stack(inside).mean()) <= 0.98
    # Half as wide would promise too much.
    rows, scores, true = game(players=8, count=120, noise=2.0, seed=0)
    narrow = [
        ((fit(r, s, penalty=1e-6).coefficients - t).abs() <= fit(r, s, penalty=1e-6).half_width / 2).double().mean()
        for r, s, t in (game(players=8, count=120, noise=2.0, seed=seed) for seed in range(40))
    ]
    assert float(torch.stack(narrow).mean()) < 0.85


def test_noise_is_not_explained_and_a_constant_is_undefined() -> None:
    rows, _, _ = game()
    noise = torch.randn(len(rows), 1, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    assert float(fit(rows, noise).r2[0]) < 0.1
    flat = fit(rows, torch.ones(len(rows), 1))
    assert torch.isnan(flat.r2).all()
    assert torch.allclose(flat.coefficients, torch.zeros_like(flat.coefficients))


def test_each_score_is_fitted_as_if_alone() -> None:
    rows, scores, _ = game(noise=1.0, count=60)
    together = fit(rows, scores)
    for text in range(3):
        alone = fit(rows, scores[:, text : text + 1])
        assert torch.allclose(together.coefficients[:, text], alone.coefficients[:, 0], atol=1e-12)
        assert float(together.penalty[text]) == float(alone.penalty[0])


def test_halves_agree_where_there_is_signal() -> None:
    rows, scores, _ = game(noise=0.2)
    clear = halves_agree(rows, scores, fit(rows, scores).penalty)
    noise = torch.randn(len(rows), 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    unclear = halves_agree(rows, noise, fit(rows, noise).penalty)
    assert float(clear.min()) > 0.95 > 0.8 > float(unclear.max())


def test_draws_are_nested_and_depend_on_seed_and_image(zoo: Zoo) -> None:
    model = zoo("vit")
    work = work_of(model, pixels(model))
    long = kept_cells(work, 0, (4, 4), 200)
    assert torch.equal(long[:70], kept_cells(work, 0, (4, 4), 70))
    assert not torch.equal(long, kept_cells(work, 1, (4, 4), 200))
    assert not torch.equal(long, kept_cells(work_of(model, pixels(model), seed=4), 0, (4, 4), 200))
    assert torch.equal(long[64:128], ~long[:64])
    assert torch.equal(long[192:], ~long[128:136])
    assert not torch.equal(long[128:192], long[:64])
    # Two rows a cell at least come before any complement.
    large = kept_cells(work, 0, (7, 7), 300)
    assert torch.equal(large[128:256], ~large[:128])
    assert not torch.equal(kept_cells(work, 0, (4, 4), 128, 0.2)[64:], ~kept_cells(work, 0, (4, 4), 64, 0.2))
    assert float(kept_cells(work, 0, (4, 4), 200, 0.2).double().mean()) == pytest.approx(0.2, abs=0.03)
    sized = shapley_cells(work, 0, (4, 4), 64)
    assert torch.equal(sized[0::2], ~sized[1::2])
    assert torch.equal(sized[:10], shapley_cells(work, 0, (4, 4), 10))
    sizes = sized.flatten(1).sum(dim=1)
    assert int(sizes.min()) >= 1
    assert int(sizes.max()) <= 15


def test_weights_turn_the_mixture_into_the_shapley_kernel() -> None:
    players, freely, by_size = 5, 30, 20
    rows = torch.tensor(list(itertools.product([False, True], repeat=players)))
    weights = kernel_weights(rows, freely, by_size)
    for row, weight in zip(rows, weights, strict=True):
        size = int(row.sum())
        if size in (0, players):
            assert float(weight) == 0
            continue
        free = 0.5**players
        sized = float(size_chances(players)[size - 1]) / math.comb(players, size)
        mixture = (freely * free + by_size * sized) / (freely + by_size)
        # The chance in the mixture times the weight is the kernel, up to one factor for all sizes.
        assert mixture * float(weight) / kernel_weight(players, size) == pytest.approx(
            sized / kernel_weight(players, size)
        )
        assert float(weight) <= (freely + by_size) / by_size + 1e-9


def test_a_mixed_draw_stands_for_shapley_values() -> None:
    players, freely, by_size = 7, 30, 20
    every = torch.tensor([[bool(number >> bit & 1) for bit in range(players)] for number in range(2**players)])
    main = torch.randn(players, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    along = every.double() @ main
    value = (along + along**3)[:, None]
    exact = exact_values(value)
    size = every.sum(dim=1)
    choices = torch.tensor([float(math.comb(players, int(k))) for k in size], dtype=torch.float64)
    sized = torch.cat([torch.zeros(1), size_chances(players), torch.zeros(1)])[size] / choices
    # How often the mixture is expected to draw each set, the empty one first and the full one last.
    expected = freely * 0.5**players + by_size * sized
    weights = expected * kernel_weights(every, freely, by_size)
    assert torch.allclose(constrained_values(Coalitions(every, weights, False), value), exact, atol=1e-8)
    expected[0] = expected[-1] = 0
    wrong = constrained_values(Coalitions(every, expected, False), value)
    assert not torch.allclose(wrong, exact, atol=1e-2)
