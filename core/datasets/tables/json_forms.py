"""Tables as JSON: one object per line or in a list, captions in COCO's form, and captions by the name of an image."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from core.datasets.bounds import Refused
from core.datasets.tables.grid import Grid, count_cells, count_rows, image_column, is_image_name, named, text_in
from core.datasets.tables.problems import Problems
from core.errors import first_line
from core.settings import Limits

FORMS = "JSON Lines, a list of objects, captions in COCO's form, or an object of captions by image name"


def read_json(data: bytes, problems: Problems, remarks: Problems, limits: Limits) -> Grid:
    """The rows of a JSON file in one of `FORMS`. Raises `Refused` for anything else, and outside the limits."""
    text = text_in(data, remarks)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = _lines(text, problems, limits)
        if not lines:
            raise Refused(f"is neither JSON nor JSON Lines ({first_line(error)[:200]}); export it again") from error
        return objects_grid(lines, problems, limits)
    return objects_grid(list(enumerate(_objects(content), start=1)), problems, limits)


def _lines(text: str, problems: Problems, limits: Limits) -> list[tuple[int, Mapping[str, Any]]]:
    rows: list[tuple[int, Mapping[str, Any]]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        count_rows(len(rows) + 1, limits)
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if isinstance(entry, dict):
            rows.append((number, entry))
        else:
            problems.add("has lines that are not JSON objects, which were left out", f"row {number}")
    return rows


def _objects(content: Any) -> list[Mapping[str, Any]]:
    if isinstance(content, list) and content and all(isinstance(entry, dict) for entry in content):
        return content
    if isinstance(content, dict):
        images, annotations = content.get("images"), content.get("annotations")
        if isinstance(images, list) and isinstance(annotations, list):
            return _coco(images, annotations)
        if isinstance(images, list) and any(isinstance(entry, dict) and "sentences" in entry for entry in images):
            return [_sentences(entry) for entry in images if isinstance(entry, dict)]
        if image_column(named(list(content))) is not None:
            # One object on one line: a file of JSON Lines with a single row.
            return [content]
        texts = all(isinstance(entry, (str, list)) for entry in content.values())
        if texts and any(is_image_name(name) for name in content):
            return [{"image": name, "caption": entry} for name, entry in content.items()]
    raise Refused(f"is JSON in a form that names no images; provide {FORMS}")


def _coco(images: list[Any], annotations: list[Any]) -> list[Mapping[str, Any]]:
    captions = [entry for entry in annotations if isinstance(entry, dict) and isinstance(entry.get("caption"), str)]
    if annotations and not captions:
        raise Refused("contains annotations of objects, not captions; provide it as the file of annotations")
    names = {
        str(entry["id"]): entry["file_name"]
        for entry in images
        if isinstance(entry, dict) and isinstance(entry.get("file_name"), str) and "id" in entry
    }
    return [{"image": names.get(str(entry.get("image_id"))), "caption": entry["caption"]} for entry in captions]


def _sentences(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """An image in the form of Karpathy's splits: its name, and its sentences as they were written."""
    sentences = entry.get("sentences")
    raw = [
        part.get("raw") for part in (sentences if isinstance(sentences, list) else ()) if isinstance(part, dict)
    ]  # fmt: skip
    row = {"image": entry.get("filename"), "caption": [text for text in raw if isinstance(text, str)]}
    return row | ({"split": entry["split"]} if isinstance(entry.get("split"), str) else {})


def objects_grid(rows: Iterable[tuple[int, Mapping[str, Any]]], problems: Problems, limits: Limits) -> Grid:
    """Objects with their numbers as rows: a column for each name. Raises `Refused` outside the limits."""
    entries = [*rows]
    count_rows(len(entries), limits)
    names = list(dict.fromkeys(name for _, entry in entries for name in entry))
    count_cells(len(names) * len(entries), limits)
    usable = [name for name in names if all(_is_cell(entry.get(name)) for _, entry in entries)]
    for name in names:
        if name not in usable:
            problems.add("has columns that contain neither text, numbers, dates nor truth values", name)
    columns = [[entry.get(name) for _, entry in entries] for name in usable]
    return Grid(named(usable), [number for number, _ in entries], columns, typed=True)


def _is_cell(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(part, str) or part is None for part in value)
    return value is None or isinstance(value, (str, int, float, bool))
