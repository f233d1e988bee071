"""A record of segmentation made without a model, in a made run: what its page and its tables are tested on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from core.applications.segmentation.multilabel import RECIPES
from core.applications.segmentation.record import SegmentationRecord
from core.runs import Run

LABELS = ("dog", "shore")


def made_segmentation(run: Run, *, annotated: bool = True) -> SegmentationRecord:
    """Write a record for every image of the run; the n-th image has n % 10 tenths of the first label, at most nine."""
    parts: dict[str, list[dict[str, Any]]] = {name: [] for name in SegmentationRecord.SCHEMAS}
    folder = SegmentationRecord.folder_of(run)
    (folder / "masks").mkdir(parents=True)
    points = {}
    for at, image in enumerate(run.dataset.images):
        key = {"image": image.id, "image_name": image.name}
        tenths = at % 10
        mask = np.ones((10, 10), np.uint16)
        mask[tenths:] = 2
        Image.fromarray(mask).save(folder / "masks" / f"{image.id}.png")
        dot = {"positive": [[1.0, 1.0]], "negative": [[2.0, 2.0]]}
        points[image.id] = dict.fromkeys(LABELS, dot)
        for index, label in enumerate(LABELS):
            share = (tenths if index == 0 else 10 - tenths) / 10
            true = bool(index == at % 2) if annotated else None
            pixels = round(100 * share)
            parts["areas"].append(
                {**key, "label": label, "number": index + 1, "pixels": pixels, "seen": 100, "share": share}
                | {"cosine": 0.2}
            )
            scores = dict.fromkeys(RECIPES, share)
            parts["recognition"].append({**key, "label": label, **scores, "rank": 2 - (share > 0.5), "truth": true})
            if annotated:
                parts["overlap"] += [
                    {**key, "map": name, "label": label, "intersection": pixels // 2, "union": 100, "true": 50}
                    for name in ("raw", "whole")
                ]
        for kind, text in (("empty", ""), *(("label", label) for label in LABELS)):
            parts["maps"].append(
                {**key, "kind": kind, "text": text, "caption": None, "method": "raw", "rows": 2, "columns": 2}
                | {"map": [0.1, 0.2, -0.1, 0.0], "cosine": 0.2, "share": 0.5, "empty_before": 0.4, "empty_after": 0.1}
            )
    about = {
        "images": len(run.dataset.images), "method": "raw", "why": "the model has no self-attention", "failures": [],
        "labels": list(LABELS), "background": [], "has_background": False, "templates": 1, "recipe": "best_place",
        "options": {"present": 0.01, "confidence": 0.0}, "truth": "boxes.json" if annotated else "",
        "labels_column": "", "sam": "", "tokens": "",
    }  # fmt: skip
    tables = {name: SegmentationRecord.frame(name, rows) for name, rows in parts.items()}
    SegmentationRecord.write(folder, about, {name: _typed(name, frame) for name, frame in tables.items()})
    (folder / "points.json").write_text(json.dumps(points))
    record = SegmentationRecord.of_run(run)
    assert record is not None
    return record


def _typed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    empty = [field.name for field in SegmentationRecord.SCHEMAS[name] if frame[field.name].isna().all()]
    return frame.astype(dict.fromkeys(empty, object))
