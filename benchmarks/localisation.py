"""How well maps find regions that are known: methods, applications and controls on one or more models.

    python -m benchmarks.localisation --coco DIR --models demo-cnn demo-vit [--systems raw nib ...] [--images 40]
    python -m benchmarks.localisation --lungs DIR --systems raw nib

`benchmarks.regions` says what is asked, `benchmarks.region_maps` what the systems are. Prints one JSON object: per
model and system the pointing game, energy and overlap at the true area with 95 % bootstrap intervals over images, the
same for the paired differences to raw similarity and to the centre control, and the share of pairs whose box from the
map meets a drawn one (`box`: the threshold is chosen on the other half of the images; `box_best`: MaxBoxAcc and its
threshold, which is chosen on the same ones and taken as given by the interval). `flat` counts maps without any
difference. `forwards` a pair are counted; `seconds` is only for orientation.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.region_maps import CONTROLS, RegionMaps
from benchmarks.regions import Known, read_coco, read_lungs
from core import load_model
from core.applications.concepts.boxes import Box, max_box_accuracy
from core.concepts.vocabulary import vocabulary
from core.evaluation.localisation import MEASURES
from core.models.geometry import Geometry
from core.statistics import mean_over_images

SYSTEMS = ("raw", "clip_surgery_labels", "m2ib", "nib", "convis_text", "convis_concept", "foreground", "shared",
           "semantic_priors")  # fmt: skip
AGAINST = ("raw", "centre")


@dataclass
class Found:
    """The maps of one system and what they are worth, one entry a pair; NaN where there is no map or no pixel."""

    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in MEASURES})
    groups: list[int] = field(default_factory=list)
    maps: list[NDArray[Any]] = field(default_factory=list)
    geometry: list[Geometry] = field(default_factory=list)
    boxes: list[tuple[Box, ...]] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--coco", type=Path)
    kind.add_argument("--lungs", type=Path)
    parser.add_argument("--models", nargs="+", default=["demo"])
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS))
    parser.add_argument("--images", type=int, help="this many, drawn at random with seed 0")
    parser.add_argument("--options", type=json.loads, default={}, help='of methods, as {"rise": {"masks": 300}}')
    parser.add_argument("--convis", choices=("fast", "exact"), default="fast")
    parser.add_argument("--weights", help="other weights for the configuration named by --models")
    chosen = parser.parse_args()
    known = read_coco(chosen.coco, vocabulary()) if chosen.coco else read_lungs(chosen.lungs)
    scenes = known.drawn(chosen.images)
    pairs = [pair for at in scenes for pair in known.scenes[at].pairs]
    told: dict[str, Any] = {
        "images": len(scenes),
        "pairs": len(pairs),
        "area": round(float(np.mean([pair.region.mean() for pair in pairs])), 3),
        "options": chosen.options,
        "convis": chosen.convis,
    }
    for name in chosen.models:
        maps = RegionMaps(load_model(name, weights=chosen.weights), known, chosen.options, chosen.convis)
        told[name] = one_model(maps, known, scenes, chosen.systems)
    print(json.dumps(told, indent=1))


def one_model(maps: RegionMaps, known: Known, scenes: list[int], wanted: list[str]) -> dict[str, Any]:
    """Every system that the model can serve, and the controls."""
    asked = [*AGAINST, *(name for name in (*CONTROLS, *wanted) if name not in AGAINST)]
    table: dict[str, Any] = {}
    against: dict[str, Found] = {}
    for system in (name for name in asked if maps.able(name)):
        began = time.perf_counter()
        with maps.model.meter.measuring() as spent:
            found = measured(maps, known, scenes, system)
        if system in AGAINST:
            against[system] = found
        table[system] = {**shown(found), **{f"less {name}": less(found, other) for name, other in against.items()}}
        table[system] |= {"forwards": round(spent.image / max(len(found.groups), 1), 1)}
        table[system] |= {"seconds": round(time.perf_counter() - began, 1)}
        print(system, json.dumps(table[system]), file=sys.stderr, flush=True)
    return table


def measured(maps: RegionMaps, known: Known, scenes: list[int], system: str) -> Found:
    """One system on every pair."""
    found = Found()
    for at in scenes:
        geometry = maps.geometry(at)
        for values, pair in zip(maps.maps(system, at), known.scenes[at].pairs, strict=True):
            over = None if values is None else geometry.on_original(values)
            for name, measure in MEASURES.items():
                worth = None if over is None else measure(over, pair.region)
                found.values[name].append(np.nan if worth is None else worth)
            found.groups.append(at)
            if values is not None:
                found.maps.append(values)
                found.geometry.append(geometry)
                found.boxes.append(pair.boxes)
                found.owners.append(at)
    return found


def shown(found: Found) -> dict[str, Any]:
    """Each measure as mean, low, high over images, with the numbers of images and pairs."""
    table = {name: interval(np.array(values), found.groups) for name, values in found.values.items()}
    best = max_box_accuracy(found.maps, found.geometry, found.boxes)
    table["box"] = interval(held_out(found), found.owners)
    table["box_best"] = [*interval(best.hits, found.owners), best.threshold]
    images = len({at for at, value in zip(found.groups, found.values["overlap"], strict=True) if value == value})
    table["flat"] = sum(bool(values.max() == values.min()) for values in found.maps)
    return {**table, "images": images, "pairs": int(np.isfinite(found.values["overlap"]).sum())}


def less(found: Found, other: Found) -> dict[str, Any]:
    """The mean paired difference of each measure with its interval."""
    return {
        name: interval(np.array(values) - np.array(other.values[name]), found.groups)
        for name, values in found.values.items()
    }


def held_out(found: Found) -> NDArray[np.float64]:
    """Whether the box of each map meets a drawn one, at the best threshold of the other half of the images."""
    halves = np.array([sorted(set(found.owners)).index(at) % 2 for at in found.owners])
    hits = np.zeros(len(halves))
    for half in (0, 1):
        own, rest = np.flatnonzero(halves == half), np.flatnonzero(halves != half)
        threshold = max_box_accuracy(*_some(found, rest)).threshold
        hits[own] = max_box_accuracy(*_some(found, own), thresholds=[threshold]).hits
    return hits


def _some(found: Found, places: NDArray[np.intp]) -> tuple[list[Any], list[Any], list[Any]]:
    return tuple([listed[at] for at in places] for listed in (found.maps, found.geometry, found.boxes))  # type: ignore


def interval(values: NDArray[Any], groups: list[int]) -> list[float | None]:
    """Mean, low and high over images, rounded."""
    got = mean_over_images(values, np.array(groups))
    return [None if value is None else round(value, 3) for value in (got.value, got.low, got.high)]


if __name__ == "__main__":
    main()
