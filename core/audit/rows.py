"""The columns of a result row (see `core.runs.results.SCHEMA`) from what a method and its curves gave."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from core.attribution.contract import Attribution
from core.evaluation.curves import Curves


def scored(score: float) -> dict[str, Any]:
    """The status of a pair and its score; one that is no finite number is a failure and is not stored."""
    if math.isfinite(score):
        return {"status": "ok", "score": score}
    return {"status": "failed", "score": None, "message": "the score of image and text is not a finite number"}


def method_values(got: Attribution, index: int) -> dict[str, Any]:
    """What a method gave for its first image and text `index`."""
    row: dict[str, Any] = {}
    if got.details:
        told = {name: round(float(values[0, index]), 6) for name, values in sorted(got.details.items())}
        row["details"] = json.dumps({name: value for name, value in told.items() if np.isfinite(value)})
    if got.image_half_width is not None:
        row["half_widths"] = got.image_half_width[0, index].ravel().tolist()
    if got.image is not None:
        values = got.image[0, index]
        row |= {"rows": values.shape[0], "columns": values.shape[1], "map": values.ravel().tolist()}
    if got.text is not None:
        tokens = got.tokens[index]
        row |= {"tokens": tokens, "token_values": got.text[0, index, : len(tokens)].tolist()}
        row |= {"words": [word for word, _ in got.words[index]], "word_values": got.word_values(index)[0].tolist()}
    return row


def curve_values(curve: Curves) -> dict[str, Any]:
    """The curves of one map, and the areas under them."""
    return {
        "deletion_curve": curve.deletion.tolist(),
        "insertion_curve": curve.insertion.tolist(),
        "curve_shares": curve.shares.tolist(),
        "deletion": curve.deletion_area,
        "insertion": curve.insertion_area,
        "faithfulness": curve.faithfulness,
    }
