"""A file of annotations in COCO's form for drawn images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BOX = [8, 10, 24, 10, 24, 26, 8, 26]


def made_truth(path: Path, names: Sequence[str], labels: Sequence[str], *, side: int = 48) -> Path:
    """Write one square of `BOX` for each image, of the labels in turn; returns the path."""
    content: dict[str, Any] = {
        "images": [{"id": n, "file_name": name, "width": side, "height": side} for n, name in enumerate(names)],
        "categories": [{"id": n, "name": label} for n, label in enumerate(labels)],
        "annotations": [
            {"image_id": n, "category_id": n % len(labels), "segmentation": [BOX], "area": 256}
            for n in range(len(names))
        ],
    }
    path.write_text(json.dumps(content))
    return path
