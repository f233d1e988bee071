"""SpLiCE: an embedding written as few words, each with a positive weight (Bhalla et al., NeurIPS 2024). No torch.

Images and words lie in different parts of the joint space, so each side's mean is taken off first. Then

    min over w >= 0 of  1/2 |z - C' w|^2 + penalty * sum(w)

for each centred unit image z and the centred unit words C (one a row). The release runs a general solver for a fixed
number of steps; here the solution is exact. Few words are in play, so words enter and leave one at a time and a small
system is solved for those that are in (Lawson, Hanson, 1974), on one Gram matrix for all images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError

LEAST_IMAGES = 2
# The largest slope that still counts as none; vectors have length 1.
TOLERANCE = 1e-10
# Where words depend on each other, the minimum may lie far along what they cannot tell apart: this lets the step go
# there until one of them reaches 0. Otherwise it is as small as rounding.
RIDGE = 1e-12


@dataclass(frozen=True)
class Rebuilt:
    """Images written as words, float64.

    weights: `(images, words)`, mostly 0. cosine: `(images,)`, of what the words rebuild with the image, both
    without the images' mean; 0 where no word was taken. whole: the same with the mean put back, as it is often
    printed; mean_alone: what the mean reaches without any word.
    """

    weights: NDArray[np.float64]
    cosine: NDArray[np.float64]
    whole: NDArray[np.float64]
    mean_alone: NDArray[np.float64]

    @property
    def residual(self) -> NDArray[np.float64]:
        """The share of the centred embedding's squared length that no word explains, 0 to 1: `(images,)`."""
        return 1 - self.cosine**2


def rebuild(
    images: NDArray[Any],
    words: NDArray[Any],
    penalty: float = 0.2,
    mean: NDArray[Any] | None = None,
    most: int = 64,
) -> Rebuilt:
    """Write unit `images (images, embedding)` as unit `words (words, embedding)`.

    `mean` is what images share, by default the mean of `images`: what all of them show is then in no word. A word
    needs a slope above `penalty` to enter; at most `most` do. Raises `InputError` for fewer than two images without
    a mean, and for a penalty that is not positive.
    """
    whole = np.asarray(images, dtype=np.float64)
    if mean is None and len(whole) < LEAST_IMAGES:
        raise InputError("the mean of one image is the image itself; give two or more images, or the mean of others")
    if not penalty > 0:
        raise InputError(f"the penalty must be above 0, not {penalty}")
    shared = whole.mean(axis=0) if mean is None else np.asarray(mean, dtype=np.float64)
    centred = _unit(whole - shared)
    atoms = np.asarray(words, dtype=np.float64)
    atoms = _unit(atoms - atoms.mean(axis=0))
    gram = atoms @ atoms.T
    slopes = centred @ atoms.T - penalty
    weights = np.stack([_positive(gram, slope, most) for slope in slopes]) if len(whole) else np.zeros((0, len(atoms)))
    built = _unit(weights @ atoms)
    # What was taken off comes back: the mean, and the length of what lay beside it.
    back = _unit(shared + np.linalg.norm(whole - shared, axis=1, keepdims=True) * built)
    return Rebuilt(
        weights=weights,
        cosine=(built * centred).sum(axis=1),
        whole=(back * _unit(whole)).sum(axis=1),
        mean_alone=_unit(whole) @ _unit(shared[None])[0],
    )


def _positive(gram: NDArray[np.float64], slope: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """The minimum over w >= 0 of 1/2 w' gram w - slope' w, or what is reached with `most` words."""
    weights = np.zeros(len(slope))
    taken: list[int] = []
    left = slope.copy()
    while len(taken) < most:
        left[taken] = -np.inf
        best = int(left.argmax())
        if left[best] <= TOLERANCE:
            break
        taken.append(best)
        gone: list[int] = []
        while taken:
            aim = np.linalg.solve(gram[np.ix_(taken, taken)] + RIDGE * np.eye(len(taken)), slope[taken])
            if (aim > 0).all():
                break
            # Go towards the aim until the first word reaches 0, and let it go.
            now = weights[taken]
            falling = aim <= 0
            step = np.min(now[falling] / (now[falling] - aim[falling]).clip(1e-300))
            moved = now + step * (aim - now)
            weights[taken] = moved
            gone = [word for word, value, falls in zip(taken, moved, falling, strict=True) if falls and value <= 1e-14]
            weights[gone] = 0.0
            taken = [word for word in taken if word not in gone]
        if best in gone:
            # It left as soon as it had come: what slope it had was rounding.
            break
        weights[taken] = aim
        left = slope - gram[:, taken] @ weights[taken]
    return weights


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
