"""A record of sanity checks made without a model, for a made run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.applications.sanity_record import ABOUT, CHECKS, COLUMNS, FOLDER, SanityRecord, load
from core.methods import METHODS
from core.methods.applications.sanity import CARD
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
    pictures: Mapping[str, int] | None = None,
    problems: list[list[str]] | None = None,
) -> SanityRecord:
    """A record in the run's folder: every planned method is healthy but for the values in `other`, by method.

    `pictures` says on how many pictures a method was measured, where not on all of them.
    """
    random = np.random.default_rng(run.plan.seed)
    rows: list[dict[str, Any]] = []
    methods: dict[str, Any] = {}
    for part in run.plan.methods:
        info = METHODS[part.name]
        count = (pictures or {}).get(part.name, len(run.dataset.pictures))
        methods[part.name] = {
            "options": {}, "pictures": count, "all": True, "text_free": info.text_free,
            "deterministic": info.deterministic,
        }  # fmt: skip
        for picture in run.dataset.pictures[:count]:
            for (check, variant), value in {**HEALTHY, **(other or {}).get(part.name, {})}.items():
                if check == "seed" and info.deterministic:
                    continue
                about = {"image": picture.id, "image_name": picture.name, "text": picture.captions[0]}
                drawn = float(np.clip(value + 0.01 * random.normal(), -1, 1))
                rows.append({**about, "method": part.name, "check": check, "variant": variant, "value": drawn})
    folder = Path(run.folder) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=list(COLUMNS)).to_parquet(folder / CHECKS, index=False)
    told = {"options": CARD.parse().model_dump(mode="json"), "model": "a model", "own": "captions", "methods": methods}
    told |= {"pictures": len(run.dataset.pictures), "pictures_left_out": 0, "wrong_texts": True, "seeds": [0, 1, 2]}
    told |= {"problems": problems or [], "image_forwards": 100.0, "text_forwards": 10.0}
    (folder / ABOUT).write_text(json.dumps(told))
    return load(folder)
