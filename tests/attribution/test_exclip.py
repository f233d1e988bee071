"""exCLIP as an oracle of FIxLIP: signed pairs by integrated Jacobians beside pairs by least squares over coalitions.

Möller et al. (TMLR 2025) attribute f(a, b) = e(a) . g(b) to pairs of inputs:

    A_ij = (a - r)_i [ J_e^T J_g ]_ij (b - s)_j,   J the mean of a tower's Jacobian on the way from the reference

which sum to f(a, b) - f(r, b) - f(a, s) + f(r, s). Here inputs are gates of cells and of words, from 0 (the reference)
to 1. FIxLIP's pairs are mean mixed differences over coalitions, each gate open with chance p. The Jacobian of a tower
that is quadratic in its gates is linear on the way, so that its mean is its value in the middle: there both agree, for
p = 1/2 and for no other. With products of three gates, and for networks, they agree in part.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.support.tiny import Zoo, double, pixels
from core.attribution.fixlip import Side, fit_pairs
from core.attribution.shapley import all_coalitions
from core.models.model import Model
from core.statistics import spearman
from tests.attribution.test_perturbation import masked

Tower = Callable[[Tensor], Tensor]
CELLS, WORDS = 4, 3
TEXT = "a red bird"


def mean_jacobian(tower: Tower, gates: int, points: int) -> Tensor:
    """The mean of a tower's Jacobian `(embedding, gates)` on the straight way from no gate to all.

    By Gauss-Legendre in u with gates u^2: norms change fast where an image is almost of one colour.
    """
    nodes, weights = np.polynomial.legendre.leggauss(points)
    total = torch.zeros(())
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        at = torch.full((gates,), float(node) ** 2, dtype=torch.float64)
        total = total + 2 * float(node * weight) * torch.autograd.functional.jacobian(tower, at)
    return total


def exclip(image: Tower, text: Tower, cells: int, words: int, points: int = 8) -> Tensor:
    """The signed pairs `(cells, words)`."""
    return mean_jacobian(image, cells, points).T @ mean_jacobian(text, words, points)


def fixlip(image: Tower, text: Tower, cells: int, words: int, keep: float = 0.5) -> Tensor:
    """The pairs `(cells, words)` of FIxLIP over all coalitions of both sides."""
    sides, values = [], []
    for tower, count in ((image, cells), (text, words)):
        rows = all_coalitions(count).rows
        size = rows.sum(dim=1).double()
        sides.append(Side(rows, keep, keep**size * (1 - keep) ** (count - size), left_out=False))
        values.append(torch.stack([tower(row.double()) for row in rows]))
    return fit_pairs(*sides, values[0] @ values[1].T).pairs


def polynomial(gates: int, order: int, seed: int) -> Tower:
    """A tower into three numbers that is a polynomial of its gates, of this order, without powers of a gate."""
    generator = torch.Generator().manual_seed(seed)
    terms = [
        (chosen, torch.randn(3, generator=generator, dtype=torch.float64))
        for size in range(order + 1)
        for chosen in combinations(range(gates), size)
    ]
    return lambda at: sum((at[list(chosen)].prod() * value for chosen, value in terms), torch.zeros(3).double())


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.parametrize("keep", [0.5, 0.3])
def test_of_a_bilinear_score_both_give_the_same_pairs_for_any_chance(keep: float) -> None:
    image, text = polynomial(CELLS, 1, 0), polynomial(WORDS, 1, 1)
    wanted = exclip(image, text, CELLS, WORDS)
    got = fixlip(image, text, CELLS, WORDS, keep)
    assert apart(got, wanted) < 1e-10
    assert apart(-got, wanted) > 0.1 and apart(got.flip(0), wanted) > 0.1 and apart(got.flip(1), wanted) > 0.1
    assert apart(fixlip(image, polynomial(WORDS, 1, 2), CELLS, WORDS, keep), wanted) > 0.1


def test_of_towers_with_pairs_inside_a_side_they_agree_at_one_half_alone() -> None:
    image, text = polynomial(CELLS, 2, 0), polynomial(WORDS, 2, 1)
    wanted = exclip(image, text, CELLS, WORDS)
    assert apart(fixlip(image, text, CELLS, WORDS), wanted) < 1e-10
    assert apart(fixlip(image, text, CELLS, WORDS, 0.3), wanted) > 1e-2
    # With products of three gates the mean on the way is not the value in the middle.
    third = polynomial(CELLS, 3, 0)
    assert apart(fixlip(third, text, CELLS, WORDS), exclip(third, text, CELLS, WORDS)) > 1e-2


def faded(model: Model, image: Tensor) -> Tower:
    """The unit embedding of an image whose cells fade to the mean colour as their gates close."""

    def tower(gates: Tensor) -> Tensor:
        shown = F.interpolate(gates.reshape(1, 1, 2, 2), size=image.shape[1:], mode="nearest")[0]
        return F.normalize(model.image.plain((image * shown)[None])[0], dim=-1)

    return tower


def meeting(rows: Tensor, every: Tensor) -> Tower:
    """The polynomial of the gates, linear in each, that meets the embeddings `every` of the coalitions `rows`."""
    return lambda gates: torch.where(rows, gates, 1 - gates).prod(dim=1) @ every


def extended(model: Model, image: Tensor) -> tuple[Tower, Tower]:
    """The towers of an image and of the text, between coalitions by the polynomials that meet all of them."""
    cells, words = all_coalitions(CELLS).rows, all_coalitions(WORDS).rows
    strings = [" ".join(word for word, stays in zip(TEXT.split(), row, strict=True) if stays) for row in words]
    with torch.no_grad():
        images = masked(model, image, cells.unflatten(1, (2, 2)))
        texts = F.normalize(model.embed_texts(strings).double(), dim=-1)
    return meeting(cells, images), meeting(words, texts)


@pytest.mark.parametrize(("family", "least"), [("vit", 0.9), ("siglip", 0.6)])
def test_over_the_coalitions_of_a_model_both_order_the_pairs_alike(zoo: Zoo, family: str, least: float) -> None:
    model = double(zoo(family))
    (image, text), (other, _) = (extended(model, one) for one in pixels(model).double())
    wanted, got = exclip(image, text, CELLS, WORDS), fixlip(image, text, CELLS, WORDS)

    def agreement(pairs: Tensor) -> float:
        found = spearman(pairs.numpy(), wanted.numpy())
        assert found is not None
        return found

    assert agreement(got) > least
    # Products of three gates and more are weighed in two ways.
    assert 1e-6 < apart(got, wanted) < 0.3
    for wrong in (-got, got.flip(0), fixlip(other, text, CELLS, WORDS)):
        assert agreement(wrong) < 0.5 and apart(wrong, wanted) > 0.4


def test_the_pairs_of_exclip_are_complete_and_those_at_one_half_are_not(zoo: Zoo) -> None:
    model = double(zoo("vit"))
    image, (_, text) = faded(model, pixels(model).double()[0]), extended(model, pixels(model).double()[0])
    pairs = exclip(image, text, CELLS, WORDS, 64)
    with torch.no_grad():
        both = ((image, CELLS), (text, WORDS))
        ends = [tower(torch.ones(n).double()) - tower(torch.zeros(n).double()) for tower, n in both]
        coalitions = fixlip(image, text, CELLS, WORDS)
    whole = float(ends[0] @ ends[1])
    assert float(pairs.sum()) == pytest.approx(whole, rel=1e-4)
    assert float(pairs[1:].sum()) != pytest.approx(whole, rel=1e-2)
    assert float(coalitions.sum()) != pytest.approx(whole, rel=1e-2)
