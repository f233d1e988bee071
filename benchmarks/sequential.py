"""Whether an audit that stops once its verdicts are settled reaches the verdicts of the full one, and at what cost.

    PYTHONPATH=. python benchmarks/sequential.py [--sets 60] [--images 240] [--first 0]

Each set is a record of `reliance` as it would be measured on so many images of four classes, with one planted flaw or
none. Its values are drawn, not measured by a model: what a hidden or lone region carries varies from image to image by
15 % of the score's gain. The full audit judges all images; the other one judges the same images in the batches and with
the rules of stopping of the product. An image costs both the same.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd

from core.applications.reliance.record import CORNERS, FEATURES, REGIONS, RelianceRecord
from core.applications.reliance.settled import Glance, batches, growths, looks, outcomes, short_topics, undecided
from core.applications.reliance.shapes import corners, ring
from core.rules.thresholds import Thresholds, load_thresholds
from core.runs import Run
from core.statistics.sampling import stratified_design

CLASSES = ("otter", "tram", "lamp", "fern")
FLAWS = ("border", "corner", "background", "concept", "printed", "none")
# What the flaw carries of the score's gain; of a printed word, how many spreads of the classes it costs.
WEAKEST, STRONGEST = 0.3, 0.7
SPREAD, TOTAL = 0.15, 0.2
# A planted mark or background looks the same in each image but for this part of a standard deviation.
GRID, UNLIKE = 8, 0.3
Verdicts = dict[str, str]


@dataclass(frozen=True)
class Comparison:
    """The verdicts of the full audit and of the sequential one, and how many images the latter measured."""

    flaw: str
    full: Verdicts
    sequential: Verdicts
    measured: int
    images: int

    @property
    def same(self) -> bool:
        """Whether every rule has the same verdict."""
        return self.full == self.sequential


def planted(flaw: str, images: int, seed: int) -> RelianceRecord:
    """The full record of a set in which the scores of the first class rest on the flaw, images in no order."""
    random = np.random.default_rng(seed)
    strength = float(random.uniform(WEAKEST, STRONGEST))
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in RelianceRecord.SCHEMAS}
    for at in range(images):
        best = CLASSES[int(random.integers(len(CLASSES)))]
        hit = best == CLASSES[0]
        about = {"image": f"{at:06}", "image_name": f"{at:06}.png"}
        pair = {**about, "text": best, "text_kind": "class"}
        for place in REGIONS:
            carried = strength if hit and {"corner": "top left"}.get(flaw, flaw) == place else 0.0
            rows["places"].append(
                {**pair, "place": place, "area": 0.1, "inside": 0.1, "fall": TOTAL * (carried + _noise(random))}
                | {"control": 0.0, "total": TOTAL}
            )
        for number, concept in enumerate(("object", "wall", "grass")):
            carried = strength if hit and flaw == "concept" and concept == "grass" else 0.0
            rows["regions"].append(
                {**pair, "region": number, "kind": number, "concept": concept, "nearest": concept, "area": 0.3}
                | {"related": 0.99 if concept == "object" else 0.3, "kin": concept == "object", "share": 0.3}
                | {"fall": TOTAL * (0.6 * (concept == "object") + carried + _noise(random)), "control": 0.0}
                | {"total": TOTAL, "only": 0.0, "rows": 1, "columns": 3, "cells": np.eye(3, dtype=int)[number].tolist()}
            )
        for name in CLASSES:
            for place in ("border", *CORNERS):
                mark = {"corner": place == "top left", "border": place == "border"}.get(flaw, False)
                lone = strength if best == name and hit and (mark or (flaw == "background" and place in CORNERS)) else 0
                rows["alone"].append(
                    {**about, "text": name, "best": best == name, "place": place, "total": TOTAL}
                    | {"shown": TOTAL * (lone + _noise(random))}
                )
        cost = 2 * strength if flaw == "printed" else 0.0
        rows["stickers"].append(
            {**about, "own": best, "pasted": "x", "letters": "y", "row": 0.5, "column": 0.5, "margin": 0.1}
            | {"with_word": 0.1 - 0.05 * (cost + _noise(random)), "with_letters": 0.1, "spread": 0.05}
            | {"best_with_word": best, "best_with_letters": best}
        )
        rows["images"].append({**about, "best": best})
        rows["looks"].append(
            {"image": about["image"], "rows": GRID, "columns": GRID, "values": _look(flaw if hit else "", random)}
        )
    about = {"candidates": 40, "foreground": True, "images": images}
    frames = {name: RelianceRecord.frame(name, rows[name]) for name in rows}
    return RelianceRecord(about=about, **frames)


def _look(flaw: str, random: np.random.Generator) -> list[float]:
    """The look of each cell, drawn, but that of the flaw's own cells the same in each image."""
    values = random.normal(size=(GRID, GRID, FEATURES))
    four = corners(GRID, GRID)
    masks = {"border": ring(GRID, GRID), "corner": four["top left"], "background": np.any([*four.values()], axis=0)}
    if flaw in masks:
        values[masks[flaw]] = 1.0 + UNLIKE * values[masks[flaw]]
    return [float(value) for value in values.ravel()]


def _noise(random: np.random.Generator) -> float:
    return SPREAD * float(random.normal())


def part_of(record: RelianceRecord, images: list[str], look: str) -> RelianceRecord:
    """The record of some of the images, in their order."""
    place = {image: at for at, image in enumerate(images)}
    tables: dict[str, pd.DataFrame] = {}
    for name in ("images", "places", "regions", "alone", "stickers", "looks"):
        table = getattr(record, name)
        table = table[table["image"].isin(place)]
        tables[name] = table.iloc[table["image"].map(place).argsort(kind="stable")].reset_index(drop=True)
    return replace(record, about={**record.about, "design": {"look": look}}, **tables)


def glance_of(record: RelianceRecord, thresholds: Thresholds) -> Glance:
    """The record as the rules read it."""
    plan = SimpleNamespace(texts=SimpleNamespace(classes=()))
    run = SimpleNamespace(snapshot=lambda: run, plan=plan)
    glance = Glance(cast(Run, run), seen=record)
    glance.__dict__["thresholds"] = thresholds
    return glance


def verdicts_of(record: RelianceRecord, thresholds: Thresholds) -> Verdicts:
    """The verdict of each rule."""
    every = outcomes(glance_of(record, thresholds))
    return {name: rows[0].verdict if rows else "" for name, rows in every.items()}


def compared(flaw: str, images: int, seed: int, thresholds: Thresholds) -> Comparison:
    """One set, judged both ways."""
    record = planted(flaw, images, seed)
    full = verdicts_of(record, thresholds)
    best = record.images["best"].tolist()
    order = [str(record.images["image"].iloc[at]) for at in stratified_design(best, seed).drawn]
    of = dict(zip(record.images["image"], best, strict=True))
    texts = [[(of[image], "class")] for image in order]
    ends = batches(images)
    for end in ends:
        part = part_of(record, order[:end], looks(ends, end)["look"])
        enough = int(thresholds["reliance.topics.least_images"])
        if end < images and short_topics(texts[:end], texts, enough):
            continue
        if end == images or not undecided(glance_of(part, thresholds), growths(texts[:end], texts)):
            return Comparison(flaw, full, verdicts_of(part, thresholds), end, images)
    raise AssertionError("the last batch holds every image")


def main() -> None:
    """Print the comparison as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=60)
    parser.add_argument("--images", type=int, default=240)
    parser.add_argument("--first", type=int, default=0, help="seed of the first set")
    chosen = parser.parse_args()
    thresholds = load_thresholds(None)
    every = [
        compared(FLAWS[at % len(FLAWS)], chosen.images, chosen.first + at, thresholds) for at in range(chosen.sets)
    ]
    differing = Counter(
        f"{one.flaw}: {name} {one.full[name]} -> {one.sequential[name]}"
        for one in every
        for name in one.full
        if one.full[name] != one.sequential[name]
    )
    rules = [one.full[name] == one.sequential[name] for one in every for name in one.full]
    told = {
        "sets": len(every),
        "images": chosen.images,
        "sets with the same verdict of every rule": round(float(np.mean([one.same for one in every])), 3),
        "rules with the same verdict": round(float(np.mean(rules)), 4),
        "share of the forward passes": round(float(np.mean([one.measured / one.images for one in every])), 3),
        "share by flaw": {
            flaw: round(float(np.mean([one.measured / one.images for one in every if one.flaw == flaw])), 3)
            for flaw in FLAWS[: len(every)]
        },
        "same by flaw": {
            flaw: round(float(np.mean([one.same for one in every if one.flaw == flaw])), 3)
            for flaw in FLAWS[: len(every)]
        },
        "differences": dict(differing),
    }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
