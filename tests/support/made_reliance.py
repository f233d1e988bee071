"""A record of what scores rest on, made without a model in a made run: clean, or with one flaw planted."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.applications.reliance.card import CARD
from core.applications.reliance.record import CORNERS, REGIONS, RelianceRecord, load
from core.runs import Run

CLASSES = ("red circle", "green square")
CONCEPTS = ("circle", "grass", "wall")
# What each part of an image adds to its score, beyond the control, in a clean record.
FALLS = {"circle": 0.12, "grass": 0.004, "wall": 0.0}
CARRIERS = 8
GRID = 4
WORDS = ("red", "circle", "green", "square", "plain", "wall", "grass", "bright", "small")
TOTAL = 0.2


def made_reliance(
    run: Run, flaw: str = "", *, seed: int = 0, foreground: bool = True, natural: bool = False, declared: Any = ()
) -> RelianceRecord:
    """Write a record for every image of the run. Without a flaw each score rests on its own object.

    Flaws: concept (grass carries red circles), border, corner, background, sticker, template, function, ignored,
    image (one lies far), group (all images of the second class do), look (they are dark), merged (two words),
    everywhere (every corner says red circle), mark (one does); background does so as well. No flaw: behind (hiding what
    was taken for the background costs, and no corner says anything), misnamed (the name of grass does not separate its
    regions). `natural`: what is planted in a region does not look alike from image to image.
    """
    random, of_looks = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in RelianceRecord.SCHEMAS}
    images = run.dataset.images
    base = np.eye(16)
    for at, image in enumerate(images):
        best = CLASSES[2 * at // len(images)]
        about = {"image": image.id, "image_name": image.name}
        far = (flaw == "image" and at == 0) or (flaw == "group" and best == CLASSES[1])
        vector = base[0] + 0.2 * random.normal(size=16) * np.r_[0, np.ones(15)]
        if far:
            vector = base[1 if flaw == "image" else 2 + at % 14] + 0.05 * random.normal(size=16)
        score = 0.3 + 0.01 * random.normal() - 0.25 * far
        rows["images"].append(
            {**about, "best": best, "score": score, "confidence": 0.8 + 0.05 * random.uniform(), "spread": 0.05}
            | {"own": 0.2 + 0.02 * random.normal()}
            | {"light": (0.1 if flaw == "look" and best == CLASSES[1] else 0.6) + 0.05 * random.normal()}
            | {"contrast": 0.2 + 0.02 * random.normal(), "colour": 0.3 + 0.02 * random.normal()}
            | {"detail": 0.05 + 0.01 * random.normal()}
            | {"embedding": (vector / np.linalg.norm(vector)).tolist()}
        )
        pair = {**about, "text": best, "text_kind": "class"}
        for number, concept in enumerate(CONCEPTS):
            fall = FALLS[concept]
            if flaw == "concept" and best == CLASSES[0]:
                fall = {"circle": 0.01, "grass": 0.15}.get(concept, 0.0)
            cells = np.zeros((4, 4), int)
            cells[:, number] = 1
            rows["regions"].append(
                {**pair, "region": number, "kind": number, "concept": concept, "nearest": concept}
                | {"related": 0.99 if concept == "circle" else 0.3, "kin": concept == "circle", "area": 0.3}
                | {"share": 0.33, "share_method": "rise", "fall": fall + 0.01 + _noise(random), "control": 0.01}
                | {"only": fall, "total": TOTAL, "rows": 4, "columns": 4, "cells": cells.ravel().tolist()}
            )
        rows["looks"].append(
            {
                "image": image.id,
                "rows": GRID,
                "columns": GRID,
                "values": _looks(best, "" if natural else flaw, of_looks),
            }
        )
        for number in range(len(CONCEPTS)):
            rows["declared"].append(
                {"image": image.id, "region": number, "concept": "lawn", "score": 0.1}
                | {"whole": 0.99, "rank": 0.99 if CONCEPTS[number] == "grass" else 0.5}
            )
        for place in REGIONS if foreground else [name for name in REGIONS if name not in ("background", "foreground")]:
            fall = 0.15 if place == "foreground" else 0.0
            if best == CLASSES[0] and {"corner": "top left", "behind": "background"}.get(flaw, flaw) == place:
                fall = 0.12
            rows["places"].append(
                {**pair, "place": place, "area": 0.1, "inside": 0.1 if foreground else None}
                | {"fall": fall + 0.02 + _noise(random), "control": 0.02, "total": TOTAL}
            )
        for name in CLASSES:
            for place in ("border", *CORNERS):
                lit = {"mark": place == "top left"}.get(flaw, flaw in ("everywhere", "background") and place in CORNERS)
                shown = lit and best == name == CLASSES[0]
                rows["alone"].append(
                    {**about, "text": name, "best": best == name, "total": TOTAL if best == name else 0.02}
                    | {"place": place, "shown": (0.15 if shown else 0.01) + _noise(random)}
                )
        rows["stickers"].append(_sticker(about, best, flaw, random))
        for number in range(4):
            other = flaw == "template" and number > 0
            shown = CLASSES[1 - CLASSES.index(best)] if other else best
            rows["templates"].append(
                {**about, "template": f"{number} {{}}", "best": shown, "own": 0.3 + 0.002 * number}
            )
            rows["templates"][-1] |= {"score": 0.3, "spread": 0.05}
        text = f"a red circle number {at} on a wall"
        share = (0.8 if flaw == "function" else 0.1) + 0.1 * random.uniform()
        rows["texts"].append(
            {**about, "text": text, "text_kind": "caption", "method": "kernel_shap", "words": 7, "function": 3}
            | {"share": share, "fall": 0.01, "total": 0.1}
        )
    for number, concept in enumerate(CONCEPTS):
        area = 0.5 if flaw == "misnamed" and concept == "grass" else 0.95
        rows["names"].append(
            {"kind": number, "name": concept, "source": "the audit", "area": area}
            | {"inside": len(images) // 2, "outside": len(images) // 2, "near": 0.9, "rivals": [], "lost": 1}
        )
    for text in ("a red circle", "a bright wall"):
        for at, word in enumerate(text.split()):
            rows["words"].append(
                {"text": text, "text_kind": "caption", "at": at, "word": word, "function": word == "a"}
                | {"change": 0.01 if word == "a" else 0.2, "fall": 0.02, "images": 3}
            )
    for word in WORDS:
        for number in range(CARRIERS):
            change = 0.001 if flaw == "ignored" and word == "bright" else 0.2 + 0.1 * random.uniform()
            rows["carriers"].append({"word": word, "carrier": f"{number} {{}}", "change": change, "typical": 0.25})
    for at, word in enumerate(WORDS):
        twin = flaw == "merged" and word in ("bright", "small")
        other = {"bright": "small", "small": "bright"}[word] if twin else WORDS[at - 1]
        for number in range(CARRIERS):
            distance = 0.001 if twin else 0.2 + 0.1 * random.uniform()
            rows["twins"].append({"word": word, "other": other, "kin": False, "carrier": f"{number} {{}}"})
            rows["twins"][-1] |= {"distance": distance, "typical": 0.4}
    folder = RelianceRecord.folder_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    about = _about(len(images), foreground)
    about["options"]["declared"] = list(declared)
    RelianceRecord.write(folder, about, {n: RelianceRecord.frame(n, rows[n]) for n in rows})
    return load(folder)


def _looks(best: str, flaw: str, random: np.random.Generator) -> list[float]:
    """The look of an image; where a mark, a frame or one background is planted, those of its class have it there."""
    looks = random.uniform(size=(GRID, GRID, 5))
    edge = np.ones((GRID, GRID), dtype=bool)
    edge[1:-1, 1:-1] = False
    where = {"corner": np.s_[:1, :1], "mark": np.s_[:1, :1], "border": edge}
    where |= dict.fromkeys(("everywhere", "background"), np.s_[:, :])
    if best == CLASSES[0] and flaw in where:
        looks[where[flaw]] = 0.05 * random.uniform(size=5) + 0.9
    return [float(value) for value in looks.ravel()]


def _noise(random: np.random.Generator) -> float:
    return 0.01 * float(random.normal())


def _sticker(about: dict[str, Any], best: str, flaw: str, random: np.random.Generator) -> dict[str, Any]:
    wrong = CLASSES[1 - CLASSES.index(best)]
    letters = 0.08 + 0.005 * float(random.normal())
    word = letters - (0.1 if flaw == "sticker" else 0.001 * float(random.normal()))
    return {
        **about,
        "own": best,
        "pasted": wrong,
        "letters": "xqzkw",
        "row": 0.5,
        "column": 0.5,
        "margin": 0.09,
        "with_word": word,
        "with_letters": letters,
        "spread": 0.05,
        "best_with_word": best if word > 0 else wrong,
        "best_with_letters": best,
    }


def _about(images: int, foreground: bool) -> dict[str, Any]:
    return {
        "options": CARD.parse().model_dump(mode="json"),
        "model": "a model",
        "images": images,
        "candidates": 40,
        "images_left_out": 0,
        "classes": len(CLASSES),
        "sentences": images,
        "regions": "semantic",
        "foreground": foreground,
        "vocabulary_note": "",
        "score": "contrast",
        "image_forwards": 100.0,
        "text_forwards": 200.0,
    }
