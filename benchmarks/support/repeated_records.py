"""The records of a small audit's applications, repeated for the images of a large run that was made without a model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.applications.registry import APPLICATIONS
from core.runs import Run
from core.runs.integrity import APPLICATIONS as FOLDER

# Columns beside `image` that hold an image's id, each with the column of its name.
OTHERS = {"of": "of_name", "best_image": "best_image_name"}


def repeat_records(small: Run, run: Run) -> dict[str, int]:
    """Give `run` the records of `small`: a copy of each record's rows for as many images as `run` plans to measure.

    Returns the number of measured images by application. Images of the large run take the place of those of the
    small one in turn; texts and values stay. Whatever a record holds is written, so that a new application needs
    nothing here if its tables name images in `image`.
    """
    measured = {}
    for part in run.plan.applications:
        source, application = small.folder / FOLDER / part.name, APPLICATIONS[part.name]
        if application.page is None or not source.is_dir() or (run.folder / FOLDER / part.name).exists():
            continue
        wanted = application.card.measured(application.card.parse(part.options), len(run.plan.images))
        measured[part.name] = _repeat(source, run.folder / FOLDER / part.name, small, run, wanted)
    return measured


def _repeat(source: Path, out: Path, small: Run, run: Run, wanted: int) -> int:
    tables = {file.name: pq.read_table(file) for file in sorted(source.glob("*.parquet"))}
    named = {image for table in tables.values() if "image" in table.column_names for image in _ids(table)}
    # A record without a table of images, such as one of groups without words, is of all of them.
    old = [image for image in small.plan.images if image in named] or list(small.plan.images)
    copies = max(1, wanted // len(old))
    new = list(run.plan.images[: copies * len(old)])
    names = {image.id: image.name for image in run.dataset.images}
    out.mkdir(parents=True)
    for name, table in tables.items():
        repeated = _table(table, old, new, names) if "image" in table.column_names else table
        pq.write_table(repeated, out / name, compression="zstd")
    for file in sorted(source.rglob("*")):
        place = out / file.relative_to(source)
        if file.is_dir():
            place.mkdir(exist_ok=True)
        elif file.suffix == ".npy":
            values = np.load(file, allow_pickle=False)
            np.save(place, np.tile(values, (copies, *[1] * (values.ndim - 1))) if len(values) == len(old) else values)
        elif file.suffix == ".json":
            place.write_text(json.dumps(_told(json.loads(file.read_text()), old, new, len(run.plan.images))))
        elif file.stem in old:
            for image in new[old.index(file.stem) :: len(old)]:
                shutil.copyfile(file, place.with_stem(image))
    return len(new)


def _ids(table: pa.Table) -> set[str]:
    return set(table.column("image").to_pylist())


def _table(table: pa.Table, old: Sequence[str], new: Sequence[str], names: dict[str, str]) -> pa.Table:
    """The rows once for each copy of the images; numbers of mosaics go on from copy to copy."""
    copies, rows = len(new) // len(old), table.num_rows
    place = {image: at for at, image in enumerate(old)}
    copy = np.repeat(np.arange(copies), rows)
    repeated = table.take(pa.array(np.tile(np.arange(rows), copies)))

    def replaced(column: str, values: Sequence[Any]) -> None:
        nonlocal repeated
        at = table.schema.get_field_index(column)
        repeated = repeated.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))

    for column, name in {"image": "image_name", **OTHERS}.items():
        if column in table.column_names:
            at = np.array([place.get(image, 0) for image in table.column(column).to_pylist()], dtype=int)
            ids = np.array(new)[copy * len(old) + np.tile(at, copies)].tolist()
            replaced(column, ids)
            if name in table.column_names:
                replaced(name, [names[image] for image in ids])
    if "mosaic" in table.column_names:
        numbers = table.column("mosaic").to_numpy()
        replaced("mosaic", np.tile(numbers, copies) + copy * (int(numbers.max()) + 1))
    return repeated


def _told(about: Any, old: Sequence[str], new: Sequence[str], total: int) -> Any:
    """What a JSON file of the record says, with the images and their numbers as they are now."""
    if not isinstance(about, dict):
        return about
    if about and set(about) <= set(old):
        return {image: about.get(old[at % len(old)]) for at, image in enumerate(new) if old[at % len(old)] in about}
    text = json.dumps(about)
    for before, after in zip(old, new, strict=False):
        text = text.replace(before, after)
    told: dict[str, Any] = json.loads(text)
    if isinstance(told.get("images"), int):
        told["images"] = len(new)
    if told.get("design"):
        counts = {"population": total, "sizes": [total], "counts": [len(new)]}
        drawn = {"images": list(new), "strata": [0] * len(new), "weights": [1.0] * len(new)}
        told["design"] = {**told["design"], **counts, **drawn, "look": "only", "settled": {}}
    return told
