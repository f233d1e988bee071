"""Annotations of a dataset, read by a process of their own: the server waits for a summary and holds no object.

The process is `python -m pages.parts.truth look FOLDER`, or `… keep FOLDER NAME` with the file on its input.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.datasets import Dataset, Upload, keep_annotations, load_dataset, matched, read_annotations
from core.errors import InputError, LoupeError
from core.settings import LIMITS, ROOT

SECONDS = 180.0  # by the clock, for a file of the largest size on a busy machine
MOST_CATEGORIES = 50

_turns = threading.BoundedSemaphore(LIMITS.imports)


@dataclass(frozen=True)
class Truth:
    """A summary of the annotations of a dataset.

    `images` with an object, `objects` in them, the commonest `categories` as (label, objects) and how many there are
    in all, images of the file that are `elsewhere`, `doubts` a line each, and the file's `sha256`.
    """

    images: int
    objects: int
    categories: tuple[tuple[str, int], ...]
    different: int
    elsewhere: int
    doubts: tuple[str, ...]
    sha256: str


def look(dataset: Dataset) -> Truth:
    """What is kept with a dataset. Raises `InputError` if it cannot be read."""
    told = _asked(["look", str(dataset.root)], b"")
    categories = tuple((str(label), int(count)) for label, count in told.pop("categories"))
    return Truth(**{**told, "categories": categories, "doubts": tuple(told["doubts"])})


def keep(dataset: Dataset, name: str, data: bytes) -> list[str]:
    """Keep a file with a dataset; what was left out of it, a line each.

    Raises `InputError` if it is no file of annotations, or annotates no image of the dataset.
    """
    return [str(line) for line in _asked(["keep", str(dataset.root), name], data)["problems"]]


def answer(arguments: list[str], data: bytes) -> dict[str, Any]:
    """What the process is asked for, done here: a value that JSON holds."""
    action, folder = arguments[:2]
    try:
        dataset = load_dataset(Path(folder))
        return _kept(dataset, Upload(arguments[2], data)) if action == "keep" else asdict(_summary(dataset))
    except LoupeError as error:
        return {"error": str(error)}


def _kept(dataset: Dataset, upload: Upload) -> dict[str, Any]:
    annotations = read_annotations(upload)
    keep_annotations(dataset, annotations)
    return {"problems": [f"{annotations.name}: {problem}" for problem in annotations.problems]}


def _summary(dataset: Dataset) -> Truth:
    if dataset.annotations is None:
        raise InputError("no annotations are kept with this dataset")
    annotations = read_annotations(dataset.annotations)
    found = matched(dataset, annotations)
    first = tuple(found.categories.items())[:MOST_CATEGORIES]
    counts = found.images, found.objects, first, len(found.categories), found.elsewhere
    return Truth(*counts, found.doubts, annotations.sha256)


def _asked(arguments: list[str], data: bytes) -> dict[str, Any]:
    """What the process answers. Raises `InputError` with its line, or if it gives none."""
    with _turns:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pages.parts.truth", *arguments],
                cwd=ROOT,
                input=data,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS,
                check=True,
            )
            told: dict[str, Any] = json.loads(done.stdout)
        except subprocess.TimeoutExpired as error:
            raise InputError(
                f"the annotations need more than {SECONDS:.0f} s to be read; keep only the images of this dataset"
            ) from error
        except (subprocess.CalledProcessError, ValueError) as error:
            raise InputError("the annotations cannot be read: the process that read them ended early") from error
    return _checked(told)


def _checked(told: dict[str, Any]) -> dict[str, Any]:
    if "error" in told:
        raise InputError(str(told["error"]))
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(sys.argv[1:], sys.stdin.buffer.read(LIMITS.file_bytes + 1))))
