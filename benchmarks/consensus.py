"""Which map should a person believe? A consensus by measured trust, one method by it, and one chosen in advance.

    python -m benchmarks.consensus --coco DIR [--models demo-vit] [--images 40] [--store DIR]

No label takes part in any choice. A method passes where its faithfulness correlation lies above that of every control
(95 % interval of the paired difference over images), where maps of re-initialised image towers differ from its own and
where maps of another text do, by the limits of an audit. The consensus is the mean of the ranks of the passing methods'
cells, weighted by their mean correlation; `of values` takes standardised values in place of ranks. Labels judge: the
pointing game, the overlap at the true area, the overlap at one threshold for all maps (chosen on the other half of the
images), and the area under the ROC curve over pixels. Prints one JSON object; every difference is paired, with a 95 %
interval over images. `trust and worth` is the rank correlation over methods of trust and each measure.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.consensus_maps import CONTROLS, METHODS, Explained, explained
from benchmarks.regions import Known, Pair, read_coco
from core import load_model
from core.concepts.vocabulary import vocabulary
from core.evaluation.localisation import overlap, pointing
from core.statistics import mean_over_images, spearman

# Chosen in advance: the method that Loupe's page of localisation reports with the best pointing game on this model.
IN_ADVANCE = "clip_surgery"
# The limits of an audit's sanity checks: rank correlation with the maps of random towers and of other texts.
MOST_RANDOM, MOST_OTHER_TEXT = 0.6, 0.95
THRESHOLDS = np.linspace(0.05, 0.95, 19)
# Every second pixel each way.
STRIDE = 2
MEASURES = ("pointing", "overlap", "best_threshold", "roc")

Maps = NDArray[np.floating[Any]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["demo-vit"])
    parser.add_argument("--images", type=int, help="this many, drawn at random with seed 0")
    parser.add_argument("--checked", type=int, default=8, help="number of these images on which methods are checked")
    parser.add_argument("--coalitions", type=int, default=64)
    parser.add_argument("--store", type=Path, help="folder that keeps what was measured of each image")
    chosen = parser.parse_args()
    known = read_coco(chosen.coco, vocabulary())
    scenes = known.drawn(chosen.images)
    report: dict[str, Any] = {"images": len(scenes), "coalitions": chosen.coalitions, "checked": chosen.checked}
    for name in chosen.models:
        store = None if chosen.store is None else chosen.store / name
        if store is not None:
            store.mkdir(parents=True, exist_ok=True)
        model, each = load_model(name), []
        for count, at in enumerate(scenes):
            each.append(explained(model, known, at, chosen.coalitions, count < chosen.checked, store))
            print(f"{name} {count + 1}/{len(scenes)}", file=sys.stderr, flush=True)
        report[name] = compared(known, scenes, each)
    print(json.dumps(report, indent=1))


def compared(known: Known, scenes: list[int], each: list[Explained]) -> dict[str, Any]:
    """The table of one model: trust and checks of the methods, and what every choice of a map is worth."""
    trust = np.stack([np.nanmean(one.trust, axis=1) for one in each])
    passing, checks = passed(trust, each)
    mean = np.nanmean(trust, axis=0)[: len(METHODS)]
    table: dict[str, list[Maps]] = {}
    for one in each:
        for name, maps in choices(one, passing, mean).items():
            table.setdefault(name, []).append(maps)
    owners = np.array([at for at in scenes for _ in known.scenes[at].pairs])
    pairs = [pair for at in scenes for pair in known.scenes[at].pairs]
    found = {name: judged(maps, each, pairs, owners) for name, maps in table.items()}
    best = {m: max(METHODS, key=lambda name: float(np.nanmean(found[name][m]))) for m in MEASURES}
    return {
        "pairs": len(pairs),
        "passing": [METHODS[at] for at in np.flatnonzero(passing)],
        "by trust": METHODS[int(np.argmax(np.where(passing, mean, -np.inf)))] if passing.any() else None,
        "checks": checks,
        "best in hindsight": best,
        "trust and worth": {
            m: spearman(mean, np.array([np.nanmean(found[name][m]) for name in METHODS])) for m in MEASURES
        },
        "rows": {
            name: {
                **{m: interval(values[m], owners) for m in MEASURES},
                "less in advance": {m: interval(values[m] - found[IN_ADVANCE][m], owners) for m in MEASURES},
            }
            for name, values in found.items()
        },
    }


def passed(trust: NDArray[Any], each: list[Explained]) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    """Which methods pass, and the numbers behind it. `trust` is `(images, systems)`, controls last."""
    images = np.arange(len(each))
    random = np.nanmean(np.stack([one.weights for one in each]), axis=0)
    others = np.nanmean(np.stack([one.texts for one in each]), axis=0)
    good, told = np.zeros(len(METHODS), dtype=bool), {}
    for at, name in enumerate(METHODS):
        above = [
            mean_over_images(trust[:, at] - trust[:, len(METHODS) + control], images)
            for control in range(len(CONTROLS))
        ]
        good[at] = all(one.low is not None and one.low > 0 for one in above)
        good[at] &= random[at] <= MOST_RANDOM and others[at] <= MOST_OTHER_TEXT
        told[name] = {
            "trust": interval(trust[:, at], images),
            "random tower": round(float(random[at]), 3),
            "other text": round(float(others[at]), 3),
            "passes": bool(good[at]),
        }
    told |= {
        f"control {name}": {"trust": interval(trust[:, len(METHODS) + at], images)} for at, name in enumerate(CONTROLS)
    }
    return good, told


def choices(one: Explained, passing: NDArray[np.bool_], mean: NDArray[Any]) -> dict[str, Maps]:
    """The maps `(pairs, rows, columns)` of one image by every way of choosing them."""
    own = one.maps[: len(METHODS)]
    found: dict[str, Maps] = {name: own[at] for at, name in enumerate(METHODS)}
    found |= {f"control {name}": one.maps[len(METHODS) + at] for at, name in enumerate(CONTROLS)}
    if passing.any():
        each = np.where(np.isnan(one.trust[: len(METHODS)]), -np.inf, one.trust[: len(METHODS)])
        every = np.repeat(mean[:, None], own.shape[1], axis=1)
        found["consensus by trust"] = consensus(own, np.where(passing[:, None], every, 0.0))
        found["consensus, equal weights"] = consensus(own, np.where(passing[:, None], np.ones_like(every), 0.0))
        found["consensus of values by trust"] = consensus(own, np.where(passing[:, None], every, 0.0), ranked=False)
        found["consensus by each pair's trust"] = consensus(own, np.where(passing[:, None], each, 0.0))
        found["method by trust"] = own[int(np.argmax(np.where(passing, mean, -np.inf)))]
        picked = np.argmax(np.where(passing[:, None], each, -np.inf), axis=0)
        found["method by each pair's trust"] = own[picked, np.arange(own.shape[1])]
    return found


def consensus(maps: Maps, weights: NDArray[Any], ranked: bool = True) -> Maps:
    """The weighted mean over methods of the maps `(methods, pairs, rows, columns)`, as `(pairs, rows, columns)`.

    Maps enter as ranks from 0 to 1, or standardised. `weights` is `(methods, pairs)`; a weight below 0 counts as 0.
    Where all are 0 every method counts the same.
    """
    flat = maps.reshape(*maps.shape[:2], -1).astype(np.float64)
    if ranked:
        even = (rankdata(flat, axis=-1) - 1) / max(flat.shape[-1] - 1, 1)
    else:
        spread = flat.std(axis=-1, keepdims=True)
        even = (flat - flat.mean(axis=-1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    share = np.clip(weights, 0.0, None)
    share = np.where(share.sum(axis=0) > 0, share, 1.0)
    return np.asarray(np.einsum("mp,mpc->pc", share, even) / share.sum(axis=0)[:, None]).reshape(maps.shape[1:])


def judged(maps: list[Maps], each: list[Explained], pairs: list[Pair], owners: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What the maps are worth, one value a pair and measure; NaN where the model saw nothing of the region."""
    values: dict[str, list[float]] = {"pointing": [], "overlap": [], "roc": []}
    curves, at = [], 0
    for image, one in zip(maps, each, strict=True):
        for grid in image:
            over = one.geometry.on_original(grid)[::STRIDE, ::STRIDE]
            region = pairs[at].region[::STRIDE, ::STRIDE]
            for name, measure in (("pointing", pointing), ("overlap", overlap), ("roc", roc_area)):
                got = measure(over, region)
                values[name].append(np.nan if got is None else got)
            curves.append(overlaps(over, region))
            at += 1
    table = np.stack(curves)
    return {**{name: np.array(some) for name, some in values.items()}, "best_threshold": held_out(table, owners)}


def overlaps(values: Maps, region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union at each of `THRESHOLDS` of the map between its lowest and highest value."""
    known = np.isfinite(values)
    inside, seen = region[known], values[known].astype(float)
    span = np.ptp(seen)
    if not inside.any():
        return np.full(len(THRESHOLDS), np.nan)
    scaled = (seen - seen.min()) / span if span > 0 else np.zeros_like(seen)
    cut = scaled[None] >= THRESHOLDS[:, None]
    return np.asarray((cut & inside).sum(axis=1) / (cut | inside).sum(axis=1), dtype=np.float64)


def held_out(table: NDArray[np.float64], owners: NDArray[Any]) -> NDArray[np.float64]:
    """Each pair's overlap at the threshold that is best on the other half of the images."""
    halves = np.searchsorted(np.unique(owners), owners) % 2
    out = np.empty(len(table))
    for half in (0, 1):
        best = int(np.argmax(np.nanmean(table[halves != half], axis=0)))
        out[halves == half] = table[halves == half, best]
    return out


def roc_area(values: Maps, region: NDArray[np.bool_]) -> float | None:
    """The chance that a pixel of the region lies above one outside; ties count half. None where one side is empty."""
    known = np.isfinite(values)
    inside = region[known]
    hits = int(inside.sum())
    if hits in (0, len(inside)):
        return None
    ranks = rankdata(values[known])
    return float((ranks[inside].sum() - hits * (hits + 1) / 2) / (hits * (len(inside) - hits)))


def interval(values: NDArray[Any], owners: NDArray[Any]) -> list[float | None]:
    """Mean, low and high over images, rounded."""
    got = mean_over_images(values, owners)
    return [None if value is None else round(value, 3) for value in (got.value, got.low, got.high)]


if __name__ == "__main__":
    main()
