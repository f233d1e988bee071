"""The name of each kind of region, chosen on a third of the images and checked on the others.

Names are the audit's own words and common visual concepts; rare concepts serve for ranks of relatedness only. On images
that had no part in the choice four things are checked: that the name separates regions of the kind from all others
(area under the ROC curve of its cosine), that no other name is as near to them, that it is among the nearest names of
most of them, and that it is among those that the whole images lose most when these regions are hidden: a second naming,
in which the surroundings are seen. Separation alone is not enough: any name that goes with the light or the colour of
the regions has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from scipy.stats import t as student

from core.applications.reliance.work.names import is_kin
from core.concepts.umbrellas import umbrella_of
from core.statistics.intervals import means_of_images

Floats = NDArray[np.float64]
# A name separates a kind where a random region of it is nearer to the name than a random other one this often.
LEAST_AREA = 0.7
EVERY_THIRD = 3
# A name is near a region if it, or a name above or below it, is among so many nearest ones.
NEAREST = 3
# A name is farther than the chosen one where that is shown with this error; below three images nothing is.
ALPHA = 0.05
FEWEST_IMAGES = 3
UMBRELLA = "a common term"


@dataclass(frozen=True)
class KindName:
    """The name of one kind of region and its check on held-out images.

    name: the chosen one, or the narrowest term for it and all that are not shown to be farther.
    area: the area under the ROC curve, None where the held-out images have no region of the kind or no other.
    inside, outside: the number of held-out images with a region of the kind, and with any other region.
    near: the share of the held-out regions of the kind that the name, or one that it stands for, is among the nearest
    three of; None without such regions.
    lost: the rank of the nearest of these by what the whole held-out images lose without the regions, 1 the first.
    rivals: what is not shown to be farther than the name and neither it, above nor below it.
    """

    kind: int
    name: str
    source: str
    area: float | None
    inside: int
    outside: int
    near: float | None = None
    rivals: tuple[str, ...] = ()
    lost: int | None = None


def naming_part(images: Sequence[str], random: np.random.Generator) -> NDArray[np.bool_]:
    """Which regions name, by the image of each: every third image of a drawn order; the others check.

    A mean needs fewer images than an interval.
    """
    unique = list(dict.fromkeys(images))
    order = random.permutation(len(unique))
    naming = {unique[int(at)] for at in order[::EVERY_THIRD]}
    return np.array([image in naming for image in images], dtype=bool)


def centred_cosines(alone: Floats, names: Floats) -> Floats:
    """Cosines `(regions, names)` beyond each name's mean over all regions: a name near everything names nothing."""
    cosines = alone @ names.T
    return np.asarray(cosines - cosines.mean(axis=0) if len(alone) > 1 else cosines, dtype=np.float64)


def areas(values: Floats, inside: NDArray[np.bool_]) -> Floats | None:
    """For each column of `values` `(regions, names)` the area under the ROC curve of the regions `inside`.

    None without a region on either side.
    """
    count, others = int(inside.sum()), int((~inside).sum())
    if not count or not others:
        return None
    ranks = rankdata(values, axis=0)
    return np.asarray((ranks[inside].sum(axis=0) - count * (count + 1) / 2) / (count * others), dtype=np.float64)


def kind_names(
    cosines: Floats,
    lost: Floats,
    kinds: NDArray[np.int64],
    images: Sequence[str],
    naming: NDArray[np.bool_],
    names: Sequence[str],
    sources: Sequence[str],
) -> list[KindName]:
    """The name of each kind, from `cosines` `(regions, names)` of `centred_cosines`; `sources` tells whose it is.

    `lost` holds the same of what the whole image loses with each region.

    Of the names that separate the kind on the naming part, the nearest is taken; where none does, the nearest of all.
    Where others are not shown to be farther on the held-out images, the narrowest term for all of them is the name.
    """
    where = np.asarray(images)
    held = ~naming
    order = (-cosines[held]).argsort(axis=1, kind="stable")[:, :NEAREST]
    found = []
    for kind in range(int(kinds.max()) + 1):
        inside = kinds == kind
        chosen = _chosen(cosines, inside, naming)
        own = held & inside
        left = left_open(cosines[own], where[own], chosen)
        rivals = [at for at in left if not is_kin(names[at], names[chosen])]
        term = umbrella_of([names[at] for at in (chosen, *rivals)], names) if rivals else None
        stands_for = [chosen, *rivals] if term else [chosen]
        area = areas(cosines[held][:, stands_for].mean(axis=1, keepdims=True), inside[held])
        family = [at for at, name in enumerate(names) if at in stands_for or is_kin(name, names[chosen])]
        found.append(
            KindName(
                kind,
                term or names[chosen],
                UMBRELLA if term else sources[chosen],
                None if area is None else float(area[0]),
                len(set(where[own])),
                len(set(where[held & ~inside])),
                float(np.isin(order[inside[held]], family).any(axis=1).mean()) if own.any() else None,
                () if term else tuple(names[at] for at in rivals),
                _rank(_by_image(lost[own], where[own]).mean(axis=0), family) if own.any() else None,
            )
        )
    return found


def left_open(cosines: Floats, images: NDArray[Any], chosen: int) -> list[int]:
    """The names that are not shown to be farther than the chosen one from the regions `(regions, names)` of a kind.

    Means of images are compared, each name's with the chosen one's by a one-sided t test. As no name may be left, every
    test has the whole error (an intersection-union test). The nearest comes first. With fewer than three images all
    are left.
    """
    others = [at for at in range(cosines.shape[1]) if at != chosen]
    means = _by_image(cosines, images)
    count = len(means)
    if count < FEWEST_IMAGES:
        return others
    ahead = means[:, [chosen]] - means
    reach = float(student.isf(ALPHA, count - 1)) * ahead.std(axis=0, ddof=1) / np.sqrt(count)
    mean = ahead.mean(axis=0)
    return sorted((at for at in others if mean[at] <= reach[at]), key=lambda at: float(mean[at]))


def _by_image(values: Floats, images: NDArray[Any]) -> Floats:
    """The means `(images, names)` of the regions' values `(regions, names)` by image."""
    return np.column_stack(means_of_images(images, *values.T))


def _rank(values: Floats, family: Sequence[int]) -> int:
    """The rank of the largest of some values among all, 1 the first."""
    return int((values > values[list(family)].max()).sum()) + 1


def _chosen(cosines: Floats, inside: NDArray[np.bool_], naming: NDArray[np.bool_]) -> int:
    # A kind without a region in the naming part is named by all its regions; whatever they say, it can fail the check.
    part = naming if (naming & inside).any() else np.ones_like(naming)
    near = cosines[part & inside].mean(axis=0)
    separating = areas(cosines[part], inside[part])
    good = np.arange(len(near)) if separating is None else np.flatnonzero(separating >= LEAST_AREA)
    return int(good[near[good].argmax()]) if len(good) else int(near.argmax())
