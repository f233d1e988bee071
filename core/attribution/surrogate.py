"""The additive surrogate of a score: how much each cell adds, how sure that is, and how much of the score it explains.

For cells kept independently with chance p, the least-squares coefficient of a cell is its p-weighted Banzhaf value.
Ridge regression moves between least squares (no penalty) and the centred average of RISE (endless penalty); the penalty
is chosen for each text by generalised cross-validation, so that few coalitions do not overfit.

Where a coalition's complement is there too, what the score owes to pairs of cells is the same in both and cancels out
of the coefficients. So noise is measured by how the two residuals differ, and the two are left out together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PENALTIES = torch.logspace(-4, 3, 22, dtype=torch.float64)
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Surrogate:
    """Fits of several scores on the same coalitions, float64.

    coefficients: `(players, texts)`, in units of the score. half_width: 95 % half-width of each, the penalty's bias
    left out. r2: share of each score's variance over coalitions that was not seen in the fit and is explained,
    `(texts,)`, by leaving out each coalition and its complement; NaN for a score that does not vary. penalty:
    `(texts,)`.
    """

    coefficients: Tensor
    half_width: Tensor
    r2: Tensor
    penalty: Tensor


def fit(rows: Tensor, scores: Tensor, weights: Tensor | None = None, penalty: float | None = None) -> Surrogate:
    """Ridge regression with an intercept of `scores` `(coalitions, texts)` on `rows` `(coalitions, players)`.

    `weights` `(coalitions,)` count a coalition more or less; `penalty` fixes what is otherwise chosen, on the scale of
    the sum of squares of a column.
    """
    x, y = rows.double(), scores.double()
    count = len(x)
    weight = torch.ones(count, dtype=torch.float64) if weights is None else weights.double() * count / weights.sum()
    other = complements(rows, weights)
    root = weight.sqrt()[:, None]
    share = weight[:, None] / weight.sum()
    x, y = root * (x - (share * x).sum(dim=0)), root * (y - (share * y).sum(dim=0))
    u, s, vt = torch.linalg.svd(x, full_matrices=False)
    along = u.T @ y
    penalties = PENALTIES * (count / 4) if penalty is None else torch.tensor([penalty], dtype=torch.float64)
    filters = s[:, None] ** 2 / (s[:, None] ** 2 + penalties)
    left = torch.stack([noise(y - u @ (kept[:, None] * along), other) for kept in filters.T])
    freedom = informative(other) - filters.sum(dim=0)
    best = (left / freedom[:, None].clamp_min(1e-9) ** 2).argmin(dim=0)
    chosen = filters[:, best]
    inverse = torch.where(s[:, None] > 1e-10 * s.max().clamp_min(1e-300), chosen / s[:, None].clamp_min(1e-300), 0.0)
    variance = left.gather(0, best[None])[0] / freedom[best].clamp_min(1.0)
    half_width = NORMAL_95 * ((vt**2).T @ inverse**2 * variance).sqrt()
    unseen = without_own(y - u @ (chosen * along), (u**2) @ chosen + share, (u * u[other]) @ chosen + share, other)
    spread = without_own(y, share, share, other)
    total = (spread**2).sum(dim=0)
    r2 = torch.where(total > 1e-20, 1 - (unseen**2).sum(dim=0) / total.clamp_min(1e-300), torch.nan)
    return Surrogate(vt.T @ (inverse * along), half_width, r2, penalties[best])


def complements(rows: Tensor, weights: Tensor | None = None) -> Tensor:
    """For each coalition `(coalitions, players)` the number of one that keeps just what it hides, or -1.

    Each is the complement of one other at most. Where coalitions have weights of their own nothing cancels: all -1.
    """
    found = torch.full((len(rows),), -1)
    if weights is not None:
        return found
    waiting: dict[bytes, list[int]] = {}
    for at, row in enumerate(rows.bool().cpu().numpy()):
        if same := waiting.get((~row).tobytes()):
            found[at] = same.pop()
            found[found[at]] = at
        else:
            waiting.setdefault(row.tobytes(), []).append(at)
    return found


def informative(other: Tensor) -> int:
    """How many values tell of the players: one a pair of complements, and all the others but one for the intercept."""
    alone = int((other < 0).sum())
    return (len(other) - alone) // 2 + max(alone - 1, 0)


def noise(residual: Tensor, other: Tensor) -> Tensor:
    """The sum of squares `(texts,)` of what coefficients suffer from; of complements, how their residuals differ."""
    alone, paired = residual[other < 0], other >= 0
    return (alone**2).sum(dim=0) + ((residual[paired] - residual[other[paired]]) ** 2).sum(dim=0) / 4


def without_own(residual: Tensor, own: Tensor, shared: Tensor, other: Tensor) -> Tensor:
    """Residuals `(coalitions, texts)` of fits without the row and its complement.

    `own` is how much a row's value weighs in its own fitted one, `shared` how much its complement's does. For two rows
    left out at once the residuals are (1 - H)^-1 r with the two rows' block H of the hat matrix.
    """
    paired = (other >= 0)[:, None]
    beside = torch.where(paired, shared, 0.0)
    free, free_other = 1 - own, torch.where(paired, 1 - own[other], 1.0)
    scale = (free * free_other - beside**2).clamp_min(1e-9)
    return (free_other * residual + beside * torch.where(paired, residual[other], 0.0)) / scale


def halves_agree(rows: Tensor, scores: Tensor, penalty: Tensor) -> Tensor:
    """Spearman's correlation, `(texts,)`, of the coefficients that even and odd coalitions give, stepped up to all.

    Spearman-Brown: two halves that correlate by r promise 2r / (1 + r) for the whole.
    """
    found = []
    for text in range(scores.shape[1]):
        own = float(penalty[text]) / 2
        parts = [fit(rows[k::2], scores[k::2, text : text + 1], penalty=own).coefficients[:, 0] for k in (0, 1)]
        ranks = torch.stack([part.argsort().argsort().double() for part in parts])
        correlation = torch.corrcoef(ranks)[0, 1].clamp_min(0)
        found.append(2 * correlation / (1 + correlation))
    return torch.stack(found)
