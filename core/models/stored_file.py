"""A file of stored embeddings or scores, read in a child: names of images and texts with numbers. No torch.

Forms: a table (CSV, Parquet) of embeddings with the columns `image` and `text`, of which each row fills one, and then a
column for each dimension or, in Parquet, a list `embedding`; a table of scores with a column `image` and one for each
text; `.npz` with `image_names` and `text_names` beside `images` and `texts` (embeddings) or `scores`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.characters import brief
from core.datasets.encoding import decode
from core.errors import InputError, ModelError
from core.models.kinds import shown, shown_path
from core.sandbox import Allowance, Failure, call, named_file
from core.settings import LIMITS, MODEL_LIMITS

Kind = Literal["embeddings", "scores"]
Floats = NDArray[np.float64]
# How a plan names a table in the place of a model: one of these, then the path.
PREFIXES: dict[str, Kind] = {"embeddings:": "embeddings", "scores:": "scores"}
ENDINGS = (".npz", ".csv", ".parquet")
_ALLOWANCE = Allowance(seconds=60.0, wall=180.0, memory=4 * 2**30)
_FEWEST_DIMENSIONS = 2
_MOST_COLUMNS = 50_000


@dataclass(frozen=True)
class StoredFile:
    """The content of a file.

    For embeddings `images` is `(images, embedding)` and `texts` `(texts, embedding)`; for scores `images` is
    `(images, texts)` and `texts` the identity.
    """

    kind: Kind
    image_names: tuple[str, ...]
    text_names: tuple[str, ...]
    images: Floats
    texts: Floats
    sha256: str


def read_stored(path: Path, kind: Kind) -> StoredFile:
    """The file at `path`, read in a child. Raises `ModelError` in one line."""
    name = shown_path(path)
    data = named_file(path, LIMITS.table_bytes)
    if path.suffix.lower() not in ENDINGS:
        raise ModelError(f"{name} is not a table of {kind}; give a CSV, Parquet or .npz file")
    try:
        answer = call(parse, path.suffix.lower(), kind, name, data=data, allowance=_ALLOWANCE)
    except Failure as error:
        raise ModelError(f"the table {name} {error}") from error
    told = answer.value
    numbers = np.frombuffer(answer.data, dtype="<f8")
    rows, columns, words = int(told["rows"]), int(told["columns"]), int(told["words"])
    split = rows * columns
    images = numbers[:split].reshape(rows, columns)
    texts = np.eye(columns) if kind == "scores" else numbers[split:].reshape(words, columns)
    names = tuple(map(str, told["images"])), tuple(map(str, told["texts"]))
    return StoredFile(kind, *names, images, texts, hashlib.sha256(data).hexdigest())


def rows_by_name(known: Sequence[str], names: Iterable[str]) -> dict[str, int]:
    """The row of each image name that a table knows, by its path, or by its base name if only one row has it."""
    rows = {name: number for number, name in enumerate(known)}
    bases: dict[str, list[int]] = {}
    for name, number in rows.items():
        bases.setdefault(PurePosixPath(name).name, []).append(number)
    found = {}
    for name in names:
        base = bases.get(PurePosixPath(name).name, [])
        row = rows.get(name, base[0] if len(base) == 1 else None)
        if row is not None:
            found[name] = row
    return found


def without_row(missing: Sequence[str], table: str) -> str:
    """One line on images of an audit that a table does not name; there is at least one."""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"{table} has no row for {shown(missing[0])}{more}; a table must name every image of the audit"


def parse(data: bytes, ending: str, kind: Kind, name: str) -> tuple[Any, bytes]:
    """In the child: names and numbers of the file."""
    images, texts, first, second = _archive(data, kind, name) if ending == ".npz" else _table(data, ending, kind, name)
    images, texts = [line.strip() for line in images], [line.strip() for line in texts]
    for what, names in (("image", images), ("text", texts)):
        if not names or not all(names):
            raise ModelError(f"{name} names no {what}, or has a row without a name; each needs one")
        if len(names) > LIMITS.table_rows or max(map(len, names)) > LIMITS.path_characters:
            raise ModelError(f"{name} has more or longer names of {what}s than are accepted")
        twice = (
            next((entry for entry in names if names.count(entry) > 1), None) if len(set(names)) < len(names) else None
        )
        if twice is not None:
            raise ModelError(f"{name} contains the {what} {shown(twice)} twice; keep one row for each")
    wide = first.shape[1]
    if first.shape[0] != len(images) or second.shape[0] != len(texts) or second.shape[1] != wide:
        raise ModelError(f"{name}: the numbers of names and vectors differ, or images and texts have other dimensions")
    if kind == "embeddings" and not _FEWEST_DIMENSIONS <= wide <= MODEL_LIMITS.width:
        most = f"{MODEL_LIMITS.width:,}"
        raise ModelError(
            f"{name} has embeddings of {wide} dimensions; from {_FEWEST_DIMENSIONS} to {most} are accepted"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ModelError(f"{name} contains a number that is missing or not finite; every cell needs one")
    if kind == "embeddings":
        first, second = _unit(first, name), _unit(second, name)
    elif np.abs(first).max() > 1:
        raise ModelError(f"{name} contains scores outside of -1 to 1; give cosine similarities")
    body = np.ascontiguousarray(first, dtype="<f8").tobytes()
    if kind == "embeddings":
        body += np.ascontiguousarray(second, dtype="<f8").tobytes()
    return {"images": images, "texts": texts, "rows": len(images), "columns": wide, "words": len(texts)}, body


def _unit(rows: Floats, name: str) -> Floats:
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not largest.all():
        raise ModelError(f"{name} contains an embedding of zeros; export it again")
    # The square of a number may be too large or too small for a number.
    scaled = rows / largest
    found: Floats = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return found


def _archive(data: bytes, kind: Kind, name: str) -> tuple[list[str], list[str], Floats, Floats]:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise ModelError(f"{name} is not an .npz file; save it with numpy.savez")
    wanted = ("image_names", "text_names", *(("images", "texts") if kind == "embeddings" else ("scores",)))
    try:
        # A pickled array is refused by numpy.
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            missing = [key for key in wanted if key not in archive.files]
            if missing:
                raise ModelError(f"{name} lacks the array {missing[0]}; {kind} need {', '.join(wanted)}")
            found = {key: archive[key] for key in wanted}
    except (ValueError, OSError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            raise ModelError(
                f"{name} contains an array of Python objects, which is never read; save names as texts and vectors as "
                "floats"
            ) from error
        raise ModelError(f"{name} cannot be read as .npz: {brief(str(error), 120)}") from error
    for key in wanted[:2]:
        if found[key].ndim != 1 or found[key].dtype.kind != "U":
            raise ModelError(f"{name}: {key} must be a list of texts")
    for key in wanted[2:]:
        if found[key].ndim != 2 or found[key].dtype.kind not in "fiu":
            raise ModelError(f"{name}: {key} must be a table of numbers")
    names = [str(entry) for entry in found["image_names"]], [str(entry) for entry in found["text_names"]]
    if kind == "scores":
        scores = found["scores"].astype(np.float64)
        if scores.shape[1] != len(names[1]):
            raise ModelError(f"{name}: scores must have a column for each of text_names")
        return *names, scores, np.eye(scores.shape[1])
    return *names, found["images"].astype(np.float64), found["texts"].astype(np.float64)


def _table(data: bytes, ending: str, kind: Kind, name: str) -> tuple[list[str], list[str], Floats, Floats]:
    import pandas as pd
    import pyarrow.parquet as pq

    try:
        if ending == ".parquet":
            _count(pq.read_metadata(io.BytesIO(data)).num_columns, name)
            frame = pd.read_parquet(io.BytesIO(data))
        else:
            lines = io.StringIO(_lines(data, name))
            frame = pd.read_csv(lines, dtype={"image": str, "text": str}, keep_default_na=True)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{name} cannot be read as a table: {brief(str(error), 120)}") from error
    header = [str(column) for column in frame.columns]
    if "image" not in header or (kind == "embeddings" and "text" not in header):
        columns = "image and text" if kind == "embeddings" else "image"
        raise ModelError(
            f"{name} is not a table of {kind}: it lacks the column {columns}; its columns are {_some(header)}"
        )
    if kind == "scores":
        texts = [column for column in header if column != "image"]
        return list(map(_named, frame["image"])), texts, _numbers(frame[texts], name), np.eye(len(texts))
    numbers = _listed(frame, name) if "embedding" in header else _numbers(frame.drop(columns=["image", "text"]), name)
    of_image = [bool(_named(value)) for value in frame["image"]]
    of_text = [bool(_named(value)) for value in frame["text"]]
    if any(one == other for one, other in zip(of_image, of_text, strict=True)):
        raise ModelError(f"{name} has a row that fills both or neither of the columns image and text; fill one")
    at = np.array(of_image, dtype=bool)
    images = [_named(value) for value, here in zip(frame["image"], of_image, strict=True) if here]
    words = [_named(value) for value, here in zip(frame["text"], of_text, strict=True) if here]
    return images, words, numbers[at], numbers[~at]


def _lines(data: bytes, name: str) -> str:
    """The text of a CSV file whose header and first row are as the library takes them to be."""
    try:
        found = decode(data)
    except InputError as error:
        raise ModelError(f"{name} {error}") from error
    if found.guess:
        raise ModelError(f"{name} is not in UTF-8; save it as UTF-8")
    rows = csv.reader(io.StringIO(found.text, newline=""))
    header, first = next(rows, []), next(rows, None)
    _count(len(header), name)
    twice = next((cell for cell, count in Counter(header).items() if count > 1), None)
    # The library would give such columns other names, and take surplus cells for the names of the rows.
    if len(header) == 1 and any(delimiter in header[0] for delimiter in ";\t|"):
        raise ModelError(f"{name} does not separate its cells with commas; save it with commas, and points in numbers")
    if not all(cell.strip() for cell in header):
        raise ModelError(f"{name} has a column without a name; leave out row numbers, and name every text")
    if twice is not None:
        raise ModelError(f"{name} has two columns named {shown(twice)}; keep one")
    if first is not None and len(first) != len(header):
        raise ModelError(
            f"{name} names columns in {len(header)} cells, but its first row has {len(first)}; export it again"
        )
    return found.text


def _count(columns: int, name: str) -> None:
    if columns > _MOST_COLUMNS:
        raise ModelError(f"{name} has {columns:,} columns; at most {_MOST_COLUMNS:,} are accepted, so split it")


def _named(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


def _numbers(frame: Any, name: str) -> Floats:
    wrong = [str(column) for column, kind in frame.dtypes.items() if kind.kind not in "fiu"]
    if wrong or not len(frame.columns):
        raise ModelError(f"{name} has columns that are not numbers: {_some(wrong) or 'there is none'}")
    found: Floats = frame.to_numpy(dtype=np.float64)
    return found


def _listed(frame: Any, name: str) -> Floats:
    try:
        found: Floats = np.stack([np.asarray(value, dtype=np.float64) for value in frame["embedding"]])
    except (ValueError, TypeError) as error:
        raise ModelError(f"{name}: the lists in embedding must be numbers, and of one length") from error
    if found.ndim != 2:
        raise ModelError(f"{name}: the lists in embedding must be numbers, and of one length")
    return found


def _some(names: list[str]) -> str:
    return ", ".join(brief(column, 40) for column in names[:6]) + (", ..." if len(names) > 6 else "")
