"""A record of what scores rest on, made without a model in a made run: clean, or with one flaw planted."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.applications.reliance_record import CORNERS, FOLDER, PLACES, RelianceRecord, frames, load, save
from core.methods.applications.reliance import CARD
from core.runs import Run

CLASSES = ("red circle", "green square")
CONCEPTS = ("circle", "grass", "wall")
# What each part of a picture adds to its score, beyond the control, in a clean record.
FALLS = {"circle": 0.12, "grass": 0.004, "wall": 0.0}
CARRIERS = 8
WORDS = ("red", "circle", "green", "square", "plain", "wall", "grass", "bright", "small")
TOTAL = 0.2


def made_reliance(run: Run, flaw: str = "", *, seed: int = 0, foreground: bool = True) -> RelianceRecord:
    """Write a record for every picture of the run. Without a flaw each score rests on its own object.

    Flaws: concept (grass carries red circles), border, corner, background, sticker, template, function, ignored,
    picture (one lies far), group (all pictures of the second class do), look (they are dark), merged (two words),
    everywhere (every corner says red circle), mark (one does); background does so as well. No flaw: behind (hiding what
    was taken for the background costs, and no corner says anything).
    """
    random = np.random.default_rng(seed)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in frames({})}
    pictures = run.dataset.pictures
    base = np.eye(16)
    for at, picture in enumerate(pictures):
        best = CLASSES[2 * at // len(pictures)]
        about = {"image": picture.id, "image_name": picture.name}
        far = (flaw == "picture" and at == 0) or (flaw == "group" and best == CLASSES[1])
        vector = base[0] + 0.2 * random.normal(size=16) * np.r_[0, np.ones(15)]
        if far:
            vector = base[1 if flaw == "picture" else 2 + at % 14] + 0.05 * random.normal(size=16)
        score = 0.3 + 0.01 * random.normal() - 0.25 * far
        rows["pictures"].append(
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
        for place in PLACES if foreground else [name for name in PLACES if name not in ("background", "foreground")]:
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
    for at, word in enumerate(("a", "red", "circle")):
        rows["words"].append(
            {"text": "a red circle", "text_kind": "caption", "at": at, "word": word, "function": word == "a"}
            | {"change": 0.01 if word == "a" else 0.2, "fall": 0.02, "pictures": 3}
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
    folder = run.folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    save(folder, _about(len(pictures), foreground), frames(rows))
    return load(folder)


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


def _about(pictures: int, foreground: bool) -> dict[str, Any]:
    return {
        "options": CARD.parse().model_dump(mode="json"),
        "model": "a model",
        "pictures": pictures,
        "candidates": 40,
        "pictures_left_out": 0,
        "classes": len(CLASSES),
        "sentences": pictures,
        "regions": "semantic",
        "foreground": foreground,
        "vocabulary_note": "",
        "score": "contrast",
        "image_forwards": 100.0,
        "text_forwards": 200.0,
    }
