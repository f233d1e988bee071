"""FIxLIP: what each cell, each word, and each cell together with each word adds to the score (NeurIPS 2025).

The game is v(A, B) = cos(image with the cells A kept, text with the words B kept). Cells and words are kept by
themselves with chance p, and v is approximated by

    b + sum_i a_i (x_i - p) + sum_j c_j (y_j - p) + sum_ij w_ij (x_i - p)(y_j - p)

by least squares; in expectation a and c are the p-weighted Banzhaf values and w the Banzhaf interactions. Coalitions
of the two sides are drawn by themselves, so m + k forwards give m x k values, and the design is the Kronecker product
of the two sides' designs: one small solve a side instead of one of (cells + 1)(words + 1) unknowns. Pairs within a
side are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Measured, Work
from core.attribution.draws import cell_grid, kept_cells, pool_of
from core.attribution.surrogate import NORMAL_95, complements, informative, noise, without_own
from core.attribution.word_games import kept_words, spread_words, word_pool
from core.errors import InputError
from core.methods.interaction import FixlipOptions


@dataclass(frozen=True)
class Interactions:
    """The surrogate of one image and one text, float64, in units of the cosine.

    base: the score when each cell and word is kept with chance p. cells `(cells,)` and words `(words,)`: by how much
    seeing one moves it, on the mean over everything else. pairs `(cells, words)`: how much more a cell moves it where
    the word stands than where it does not. half_width `(cells,)`: 95 % half-width of `cells`, the text's coalitions
    held. r2_first and r2_pairs: the share of the score's variance over unseen coalitions that is explained without
    and with `pairs`; NaN for a score that does not vary. shares: of the modalities.
    """

    base: float
    cells: Tensor
    words: Tensor
    pairs: Tensor
    half_width: Tensor
    r2_first: float
    r2_pairs: float
    shares: ModalityShares


class ModalityShares(NamedTuple):
    """How the variance of the score over coalitions divides: what the image's coalition alone settles, what the text's
    alone settles, and what depends on both together. At least 0, they sum to 1; NaN for a score that does not vary.

    No surrogate is involved: the three are exact for the coalitions at hand.
    """

    image: float
    words: float
    pair: float


class Side:
    """The design of one side: a column of ones and one a player, x - keep; weights of the rows sum to 1.

    `left_out` says whether fits are judged on rows that they have not seen; a side whose every coalition is there has
    no such rows.
    """

    def __init__(self, rows: Tensor, keep: float, weights: Tensor | None = None, *, left_out: bool = True) -> None:
        count = len(rows)
        self.weights = torch.full((count,), 1 / count, dtype=torch.float64) if weights is None else weights
        self.design = torch.cat([torch.ones(count, 1, dtype=torch.float64), rows.double() - keep], dim=1)
        root = self.weights.sqrt()[:, None]
        u, s, vt = torch.linalg.svd(root * self.design, full_matrices=False)
        good = s > 1e-10 * s.max()
        u, s, vt = u[:, good], s[good], vt[good]
        # From values to coefficients.
        self.solve = (vt.T / s) @ u.T * root.T
        self.left_out = left_out
        self.other = complements(rows, weights)
        # How much a row's own value weighs in its prediction with all players, and how much its complement's.
        self.leverage, self.shared = (u**2).sum(dim=1), (u * u[self.other]).sum(dim=1)

    def predicted(self, values: Tensor) -> Tensor:
        """The fit's values `(coalitions, any)`, each row's from a fit without it and its complement if `left_out`."""
        found = self.design @ (self.solve @ values)
        return self._without_own(found, values, self.leverage, self.shared)

    def mean(self, values: Tensor) -> Tensor:
        """The weighted mean `(coalitions, any)`, each row's without it and its complement if `left_out`."""
        found = (self.weights[:, None] * values).sum(dim=0, keepdim=True).expand_as(values)
        return self._without_own(found, values, self.weights, self.weights)

    def _without_own(self, found: Tensor, values: Tensor, own: Tensor, shared: Tensor) -> Tensor:
        if not self.left_out:
            return found
        return values - without_own(values - found, own[:, None], shared[:, None], self.other)


def attribute_image(work: Work, options: FixlipOptions) -> Measured:
    """Main effects of the cells `(images, texts, rows, columns)`, with 95 % half-widths.

    Details: "r2" and "r2_pairs", the shares of the score's variance that main effects alone and with interactions
    explain; "image_share", "words_share" and "pair_share" (`ModalityShares`); and "coalitions" of cells. Raises
    `InputError` for more cells than coalitions can tell apart.
    """
    found = fitted(work, options)
    grid = cell_grid(work, options.cells)
    return Measured(
        _stacked([[one.cells for one in row] for row in found]).unflatten(-1, grid),
        _stacked([[one.half_width for one in row] for row in found]).unflatten(-1, grid),
        {
            "r2": torch.tensor([[one.r2_first for one in row] for row in found]),
            "r2_pairs": torch.tensor([[one.r2_pairs for one in row] for row in found]),
            "coalitions": torch.full((len(found), len(work.texts)), float(options.masks)),
            **{
                f"{name}_share": torch.tensor([[getattr(one.shares, name) for one in row] for row in found])
                for name in ModalityShares._fields
            },
        },
    )


def attribute_text(work: Work, options: FixlipOptions) -> Tensor:
    """Main effects of the words `(images, texts, tokens)`, shared evenly by a word's tokens."""
    found, width = fitted(work, options), work.texts.ids.shape[1]
    each = []
    for text in range(len(work.texts)):
        values = torch.stack([row[text].words for row in found])
        each.append(spread_words(word_pool(work, text).words, values, width))
    return torch.stack(each, dim=1)


def interactions(work: Work, options: FixlipOptions) -> Tensor:
    """The interaction of each word with each cell, `(images, texts, words, rows, columns)`, float64.

    Shorter texts are padded with 0 behind their last word; `word_pool(work, text).words` names them.
    """
    found = fitted(work, options)
    most = max(one.pairs.shape[1] for row in found for one in row)
    padded = [[F.pad(one.pairs.T, (0, 0, 0, most - one.pairs.shape[1])) for one in row] for row in found]
    return _stacked(padded).unflatten(-1, cell_grid(work, options.cells))


def fitted(work: Work, options: FixlipOptions) -> list[list[Interactions]]:
    """The surrogates of every image with every text, `[image][text]`; computed once for all that asks for them."""
    grid = cell_grid(work, options.cells)
    count = grid[0] * grid[1]
    if options.masks < 1 + count:
        raise InputError(
            f"fixlip: {options.masks} coalitions are too few to separate {count} cells; give more masks or fewer cells"
        )
    found = []
    for index in range(len(work.images)):
        keys = [("fixlip", work.image_keys[index], words, options) for words in work.texts.texts]
        missing = [text for text, key in enumerate(keys) if key not in work.pools]
        if missing:
            rows = kept_cells(work, index, grid, options.masks, options.keep)
            seen = pool_of(work, index, options.removal).embeddings(rows).double().cpu()
            side = Side(rows.flatten(1), options.keep)
        for text in missing:
            kept, weights, complete = kept_words(work, text, options.words, options.keep)
            read = word_pool(work, text).embeddings(kept).double().cpu()
            other = Side(kept, options.keep, weights, left_out=not complete)
            work.pools[keys[text]] = fit_pairs(side, other, seen @ read.T)
        found.append([work.pools[key] for key in keys])
    return found


def fit_pairs(cells: Side, words: Side, values: Tensor) -> Interactions:
    """The surrogate of values `(coalitions of cells, coalitions of words)`."""
    table = cells.solve @ values @ words.solve.T
    return Interactions(
        base=float(table[0, 0]),
        cells=table[1:, 0],
        words=table[0, 1:],
        pairs=table[1:, 1:],
        half_width=_half_width(cells, values @ words.solve[0]),
        r2_first=_explained(cells, words, values, pairs=False),
        r2_pairs=_explained(cells, words, values, pairs=True),
        shares=modality_shares(values, cells.weights, words.weights),
    )


def modality_shares(values: Tensor, cells: Tensor, words: Tensor) -> ModalityShares:
    """The shares of the variance of `values` `(coalitions of cells, coalitions of words)` by two-way decomposition.

    `cells` and `words` are the weights of the coalitions, each with sum 1.
    """
    seen, read = values @ words, cells @ values
    level = cells @ seen
    alone = cells @ (seen - level) ** 2, words @ (read - level) ** 2
    rest = values - seen[:, None] - read + level
    together = cells @ rest**2 @ words
    total = float(alone[0] + alone[1] + together)
    if total <= 1e-20:
        return ModalityShares(float("nan"), float("nan"), float("nan"))
    return ModalityShares(*(float(part) / total for part in (*alone, together)))


def _half_width(side: Side, values: Tensor) -> Tensor:
    """Of the coefficients of the players in the fit of values `(coalitions,)`."""
    residual = values - side.design @ (side.solve @ values)
    freedom = max(informative(side.other) - (side.design.shape[1] - 1), 1)
    spread = noise(residual[:, None], side.other) / freedom * (side.solve[1:] ** 2).sum(dim=1)
    return NORMAL_95 * spread.sqrt()


def _explained(cells: Side, words: Side, values: Tensor, *, pairs: bool) -> float:
    """The share of the variance over coalitions that is explained where it was not fitted.

    Each value is predicted without its row (and its column, where words are drawn). On a grid of coalitions the fit
    without interactions is the sum of the two sides' fits of the means, less the mean.
    """
    across = values.T
    level = words.mean(cells.mean(values).T).T
    if pairs:
        guess = words.predicted(cells.predicted(values).T).T
    else:
        guess = words.mean(cells.predicted(values).T).T + cells.mean(words.predicted(across).T) - level
    weight = cells.weights[:, None] * words.weights
    total = float((weight * (values - level) ** 2).sum())
    return 1 - float((weight * (values - guess) ** 2).sum()) / total if total > 1e-20 else float("nan")


def _stacked(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row) for row in rows])
