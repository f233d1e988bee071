"""What the votes of a user study show: how far raters agree, and which methods they prefer. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.evaluation.user_study import Study, Vote, counted
from core.statistics import Family, Interval, share_of_images, sign_flip_p
from core.statistics.alpha import krippendorff_alpha

PREFERENCE = Family("user_study.preference", "sign-flip test", "methods of the study")
WON, TIED, LOST = 1.0, 0.5, 0.0


@dataclass(frozen=True)
class Preference:
    """How often a method was preferred: the mean over images of its share of votes, a half for neither.

    `p`: that the share is one half, by flipping signs over images; `p_adjusted` over the methods.
    """

    method: str
    share: Interval
    votes: int
    p: float | None
    p_adjusted: float | None


def agreement(study: Study, votes: Sequence[Vote]) -> Interval:
    """Krippendorff's alpha of the choices of all raters, with its interval over images."""
    by_rater = counted(votes)
    ratings = [[choices.get(pair) for choices in by_rater.values()] for pair in range(len(study.pairs))]
    return krippendorff_alpha(ratings, [pair.image for pair in study.pairs])


def preferences(study: Study, votes: Sequence[Vote]) -> list[Preference]:
    """The methods, the most preferred first."""
    rows = []
    for choices in counted(votes).values():
        for at, choice in choices.items():
            pair = study.pairs[at]
            for method, side in ((pair.left, "left"), (pair.right, "right")):
                won = TIED if choice == "neither" else WON if choice == side else LOST
                rows.append({"method": method, "image": pair.image, "won": won})
    frame = pd.DataFrame(rows, columns=["method", "image", "won"])
    found = []
    for method in study.methods:
        part = frame[frame["method"] == method]
        means = part.groupby("image")["won"].mean().to_numpy(float)
        share = share_of_images(part["won"].to_numpy(float), part["image"].to_numpy())
        found.append((method, share, len(part), sign_flip_p(means - TIED)))
    tests = pd.DataFrame({"p": [p for *_, p in found]}, dtype=float)
    adjusted = PREFERENCE.adjusted(tests).to_numpy(float)
    made = [
        Preference(method, share, count, p, None if np.isnan(after) else float(after))
        for (method, share, count, p), after in zip(found, adjusted, strict=True)
    ]
    return sorted(made, key=lambda one: (-(one.share.value if one.share.value is not None else -1.0), one.method))
