"""A record of sanity checks made without a model, for a made run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.applications.sanity.card import CARD
from core.applications.sanity.record import SanityRecord, load
from core.methods import METHODS
from core.runs import Run

# What a healthy method's maps are like, by check and variant.
HEALTHY: dict[tuple[str, str], float] = {
    ("model", "last_block"): 0.5,
    ("model", "upper_half"): 0.2,
    ("model", "image_tower"): 0.0,
    ("model", "text_tower"): 0.2,
    ("model_cosine", "image_tower"): 0.3,
    ("text", "wrong 1"): 0.5,
    ("text", "wrong 2"): 0.4,
    ("empty", ""): 0.1,
    ("noise", ""): 0.2,
    ("seed", ""): 0.8,
    ("flip", ""): 0.9,
    ("shift", ""): 0.8,
    ("sensitivity", ""): 0.1,
    ("paraphrase", "photo"): 0.95,
    ("paraphrase_score", "photo"): -0.01,
}


def made_sanity(
    run: Run,
    other: Mapping[str, Mapping[tuple[str, str], float]] | None = None,
    *,
    images: Mapping[str, int] | None = None,
    problems: list[list[str]] | None = None,
) -> SanityRecord:
    """A record in the run's folder: every planned method is healthy but for the values in `other`, by method.

    `images` says on how many images a method was measured, where not on all of them.
    """
    random = np.random.default_rng(run.plan.seed)
    rows: list[dict[str, Any]] = []
    methods: dict[str, Any] = {}
    for part in run.plan.methods:
        info = METHODS[part.name]
        count = (images or {}).get(part.name, len(run.dataset.images))
        methods[part.name] = {
            "options": {}, "images": count, "all": True, "text_free": info.text_free,
            "deterministic": info.deterministic,
        }  # fmt: skip
        for image in run.dataset.images[:count]:
            for (check, variant), value in {**HEALTHY, **(other or {}).get(part.name, {})}.items():
                if check == "seed" and info.deterministic:
                    continue
                about = {"image": image.id, "image_name": image.name, "text": image.captions[0]}
                drawn = float(np.clip(value + 0.01 * random.normal(), -1, 1))
                rows.append({**about, "method": part.name, "check": check, "variant": variant, "value": drawn})
    folder = SanityRecord.folder_of(run)
    told = {"options": CARD.parse().model_dump(mode="json"), "model": "a model", "own": "captions", "methods": methods}
    told |= {"images": len(run.dataset.images), "images_left_out": 0, "wrong_texts": True, "seeds": [0, 1, 2]}
    told |= {"problems": problems or [], "image_forwards": 100.0, "text_forwards": 10.0}
    SanityRecord(told, SanityRecord.frame("checks", rows)).save(folder)
    return load(folder)
