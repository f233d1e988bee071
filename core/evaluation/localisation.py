"""How well a map finds a region that is known: pointing game, energy, relevance mass and rank, overlap, contrast.

Maps and regions are compared over the original image; pixels that the model never saw (NaN in the map) do not count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating[Any]]
Region = NDArray[np.bool_]


def pointing(values: Map, region: Region) -> float | None:
    """The pointing game (Zhang et al., 2016, without tolerance): 1 if the highest pixel lies in the region, 0 if not.

    Ties count by the share of the highest pixels that lie inside, so that a constant map scores what chance does. None
    if the model saw no pixel of the region.
    """
    seen = _seen(values, region)
    if seen is None:
        return None
    kept, inside = seen
    return float(inside[kept >= kept.max()].mean())


def energy(values: Map, region: Region) -> float | None:
    """The share of the map's mass, above its lowest value, that lies in the region. None as for `pointing`.

    A constant map has no mass: its share is the region's part of the area.
    """
    seen = _seen(values, region)
    if seen is None:
        return None
    kept, inside = seen
    mass = kept - kept.min()
    return float(mass[inside].sum() / mass.sum()) if mass.sum() > 0 else float(inside.mean())


def overlap(values: Map, region: Region) -> float | None:
    """Intersection over union of the region and the map's highest pixels, as many as the region has. None likewise.

    No threshold is chosen: the region's true area sets it. Pixels that tie at the threshold enter by their share.
    """
    seen = _seen(values, region)
    if seen is None:
        return None
    kept, inside = seen
    area = int(inside.sum())
    threshold = np.partition(kept, len(kept) - area)[len(kept) - area]
    above, tied = kept > threshold, kept == threshold
    part = (area - above.sum()) / tied.sum()
    shared = inside[above].sum() + part * inside[tied].sum()
    return float(shared / (2 * area - shared))


def relevance_rank(values: Map, region: Region) -> float | None:
    """Relevance rank accuracy (Arras et al., 2022): of the highest pixels, as many as the region has, the share inside.

    With r this share, the overlap at the region's own area is r / (2 - r): one says nothing that the other does not.
    Ties and None as for `overlap`.
    """
    shared = overlap(values, region)
    return None if shared is None else 2 * shared / (1 + shared)


def relevance_mass(values: Map, region: Region) -> float | None:
    """Relevance mass accuracy (Arras et al., 2022): the share of the positive values' sum that lies in the region.

    Unlike `energy` it takes the map's own zero for what speaks neither way; where all values are positive, an offset
    makes it the region's part of the area, which it also is where none is. None as for `pointing`.
    """
    seen = _seen(values, region)
    if seen is None:
        return None
    kept, inside = seen
    mass = np.maximum(kept, 0)
    return float(mass[inside].sum() / mass.sum()) if mass.sum() > 0 else float(inside.mean())


def contrast(values: Map, region: Region) -> float | None:
    """The mean score contrast of CLIP Surgery (Li et al., 2023): mean inside minus mean outside of the map in 0 to 1.

    From -1 to 1, 0 for a constant map. A map that is level inside the region beats one that tells its cells apart.
    None if the model saw no pixel of the region, or none outside it.
    """
    seen = _seen(values, region)
    if seen is None or seen[1].all():
        return None
    kept, inside = seen
    span = kept.max() - kept.min()
    return float((kept[inside].mean() - kept[~inside].mean()) / span) if span > 0 else 0.0


MEASURES = {
    "pointing": pointing,
    "energy": energy,
    "overlap": overlap,
    "relevance_rank": relevance_rank,
    "relevance_mass": relevance_mass,
    "contrast": contrast,
}


def _seen(values: Map, region: Region) -> tuple[NDArray[np.float64], Region] | None:
    if values.shape != region.shape:
        raise ValueError(f"the map is {values.shape} and the region {region.shape}; both cover the original image")
    known = np.isfinite(values)
    inside = region[known]
    return (values[known].astype(np.float64), inside) if inside.any() else None
