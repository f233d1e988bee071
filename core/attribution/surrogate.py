"""The additive surrogate of a score: how much each cell adds, how sure that is, and how much of the score it explains.

For cells kept independently with chance p, the least-squares coefficient of a cell is its p-weighted Banzhaf value.
Ridge regression moves between least squares (no penalty) and the centred average of RISE (endless penalty); the penalty
is chosen for each text by generalised cross-validation, so that few coalitions don't overfit.
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
    `(texts,)`, by leaving one out; NaN for a score that doesn't vary. penalty: `(texts,)`.
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
    root = weight.sqrt()[:, None]
    share = weight[:, None] / weight.sum()
    x, y = root * (x - (share * x).sum(dim=0)), root * (y - (share * y).sum(dim=0))
    u, s, vt = torch.linalg.svd(x, full_matrices=False)
    along = u.T @ y
    scale = count / 4
    penalties = PENALTIES * scale if penalty is None else torch.tensor([penalty], dtype=torch.float64)
    filters = s[:, None] ** 2 / (s[:, None] ** 2 + penalties)
    # Residual sum of squares for each penalty and text, from the parts of y inside and outside the span.
    outside = (y**2).sum(dim=0) - (along**2).sum(dim=0)
    left = torch.einsum("kp,kt->pt", (1 - filters) ** 2, along**2) + outside.clamp_min(0)
    freedom = count - 1 - filters.sum(dim=0)
    criterion = left / freedom[:, None].clamp_min(1e-9) ** 2
    best = criterion.argmin(dim=0)
    chosen = filters[:, best]
    inverse = torch.where(s[:, None] > 1e-10 * s.max().clamp_min(1e-300), chosen / s[:, None].clamp_min(1e-300), 0.0)
    coefficients = vt.T @ (inverse * along)
    residual = y - u @ (chosen * along)
    leverage = (u**2) @ chosen + share
    variance = left.gather(0, best[None])[0] / freedom[best].clamp_min(1.0)
    half_width = NORMAL_95 * ((vt**2).T @ inverse**2 * variance).sqrt()
    unseen = residual / (1 - leverage).clamp_min(1e-6)
    total = ((y / (1 - share)) ** 2).sum(dim=0)
    r2 = torch.where(total > 1e-20, 1 - (unseen**2).sum(dim=0) / total.clamp_min(1e-300), torch.nan)
    return Surrogate(coefficients, half_width, r2, penalties[best])


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
