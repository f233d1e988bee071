"""Images as words: against scikit-learn's Lasso, the conditions of a minimum, and planted mixtures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Lasso

from core.concepts.splice import Rebuilt, rebuild
from core.errors import InputError


def unit(rows: NDArray[Any]) -> NDArray[np.float64]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def made(images: int = 12, words: int = 60, size: int = 16, seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    shared, other = 2 * random.normal(size=size), 2 * random.normal(size=size)
    return unit(random.normal(size=(images, size)) + shared), unit(random.normal(size=(words, size)) + other)


def centred(images: Any, words: Any) -> tuple[Any, Any]:
    return unit(images - images.mean(axis=0)), unit(words - words.mean(axis=0))


@pytest.mark.parametrize("penalty", [0.05, 0.2, 0.4])
def test_weights_are_those_of_a_positive_lasso(penalty: float) -> None:
    images, words = made()
    got = rebuild(images, words, penalty)
    z, atoms = centred(images, words)
    # scikit-learn divides the squares by twice the number of rows, here the embedding's size.
    oracle = Lasso(penalty / atoms.shape[1], positive=True, fit_intercept=False, tol=1e-12, max_iter=200_000)
    expected = np.stack([oracle.fit(atoms.T, one).coef_ for one in z])
    assert np.allclose(got.weights, expected, atol=1e-6)
    assert (got.weights > 0).any(axis=1).all()
    for mutant in (got.weights[::-1], got.weights[:, ::-1], rebuild(images, words, penalty * 1.2).weights):
        assert not np.allclose(mutant, expected, atol=1e-3)
    uncentred = np.stack([oracle.fit(words.T, one).coef_ for one in images])
    assert not np.allclose(got.weights, uncentred, atol=1e-2)


def test_the_conditions_of_a_minimum_hold_to_rounding() -> None:
    images, words = made(images=40, words=300, size=24, seed=3)
    got = rebuild(images, words, 0.1)
    z, atoms = centred(images, words)
    slope = (z - got.weights @ atoms) @ atoms.T - 0.1
    taken = got.weights > 0
    assert np.abs(slope[taken]).max() < 1e-9
    assert slope[~taken].max() < 1e-9
    assert (got.weights >= 0).all()
    off = (z - 1.01 * got.weights @ atoms) @ atoms.T - 0.1
    assert np.abs(off[taken]).max() > 1e-4


def test_a_planted_mixture_is_found_and_the_residual_is_told() -> None:
    random = np.random.default_rng(4)
    words = unit(random.normal(size=(200, 64)))
    atoms = unit(words - words.mean(axis=0))
    mixed = atoms[[3, 50]] + atoms[[17, 90]]
    images = unit(np.concatenate([mixed, -mixed]))
    got = rebuild(images, words, 0.05, mean=np.zeros(64))
    for row, planted in enumerate(((3, 17), (50, 90))):
        assert set(np.argsort(-got.weights[row])[:2]) == set(planted)
        assert got.cosine[row] > 0.99
    strict = [rebuild(images, words, penalty, mean=np.zeros(64)) for penalty in (0.1, 0.4, 0.65, 0.99)]
    assert strict[2].weights[0].astype(bool).sum() <= strict[0].weights[0].astype(bool).sum()
    assert np.allclose(strict[3].cosine, 0) and np.allclose(strict[3].residual, 1)
    assert not strict[3].weights.any()
    assert [one.cosine[0] >= 0.99 for one in strict] != [False] * 4


def test_cosines_are_those_of_what_the_words_build() -> None:
    images, words = made(seed=6)
    got = rebuild(images, words, 0.2)
    z, atoms = centred(images, words)
    mean = images.mean(axis=0)
    for at in range(len(images)):
        built = got.weights[at] @ atoms
        built = built / np.linalg.norm(built)
        assert got.cosine[at] == pytest.approx(built @ z[at])
        back = mean + np.linalg.norm(images[at] - mean) * built
        assert got.whole[at] == pytest.approx(back @ images[at] / np.linalg.norm(back))
        assert got.mean_alone[at] == pytest.approx(mean @ images[at] / np.linalg.norm(mean))
    assert (got.whole > got.cosine).all()
    assert np.allclose(got.residual, 1 - got.cosine**2)


def test_few_words_may_be_asked_for_and_equal_words_do_no_harm() -> None:
    images, words = made(seed=7)
    assert ((rebuild(images, words, 0.01, most=3).weights > 0).sum(axis=1) <= 3).all()
    twice = rebuild(images, np.concatenate([words, words]), 0.1)
    once = rebuild(images, words, 0.1)
    assert np.allclose(twice.weights[:, :60] + twice.weights[:, 60:], once.weights, atol=1e-8)
    assert isinstance(once, Rebuilt)


def test_what_can_t_be_rebuilt_is_told() -> None:
    images, words = made()
    with pytest.raises(InputError, match="the mean of one image"):
        rebuild(images[:1], words)
    assert rebuild(images[:1], words, mean=images.mean(axis=0)).cosine.shape == (1,)
    with pytest.raises(InputError, match="penalty must be above 0"):
        rebuild(images, words, 0.0)
