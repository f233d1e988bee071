"""How well a map finds a region that is known: pointing game, energy, overlap at the region's own area.

Maps and regions are compared over the original picture; pixels that the model never saw (NaN in the map) don't count.
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


MEASURES = {"pointing": pointing, "energy": energy, "overlap": overlap}


def _seen(values: Map, region: Region) -> tuple[NDArray[np.float64], Region] | None:
    if values.shape != region.shape:
        raise ValueError(f"the map is {values.shape} and the region {region.shape}; both cover the original picture")
    known = np.isfinite(values)
    inside = region[known]
    return (values[known].astype(np.float64), inside) if inside.any() else None
