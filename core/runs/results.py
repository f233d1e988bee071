"""The results of a run: a Parquet file for each finished unit or a part for many, one row an (image, text, method).

The columns are declared in `ResultRow` and stay stable; new ones are only added. No wall-clock value is stored here,
so a unit that is computed twice gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.drafts import write_whole
from core.errors import RunError, first_line
from core.runs.part_files import groups_of, keys_of, part_files
from core.runs.rows import (
    OptionalShort,
    OptionalSingle,
    OptionalSingles,
    OptionalString,
    OptionalTexts,
    Row,
    String,
    schema_of,
)

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd


class ResultRow(Row):
    """One row per image, text and method, control or score."""

    unit: Annotated[String, "key of the unit that made the row"]
    image: Annotated[String, "content id of the image"]
    image_name: Annotated[String, "name of the image as it was uploaded"]
    text: Annotated[OptionalString, "the text as it was embedded (before templates)"]
    text_kind: Annotated[OptionalString, "caption, prompt or class"]
    kind: Annotated[String, "score, method or control"]
    method: Annotated[OptionalString, "method or control that made the map; null for kind=score"]
    status: Annotated[String, "ok, failed or skipped"]
    message: Annotated[OptionalString, "why a row failed or was skipped"]
    score: Annotated[OptionalSingle, "cosine similarity of image and text"]
    rows: Annotated[OptionalShort, "rows of the native map"]
    columns: Annotated[OptionalShort, "columns of the native map"]
    map: Annotated[OptionalSingles, "raw map, row by row, sign kept"]
    tokens: Annotated[OptionalTexts, "text tokens without special ones"]
    token_values: Annotated[OptionalSingles, "raw attribution of each token"]
    words: Annotated[OptionalTexts, "the text's words, pieces joined"]
    word_values: Annotated[OptionalSingles, "raw attribution of each word: the sum over its tokens"]
    half_widths: Annotated[OptionalSingles, "95 % half-width of each value of the map, where estimated"]
    details: Annotated[OptionalString, "further numbers of the method about this pair, as JSON"]
    deletion_curve: Annotated[OptionalSingles, "cosine after removing the best cells, step by step"]
    insertion_curve: Annotated[OptionalSingles, "cosine after showing the best cells, step by step"]
    curve_shares: Annotated[OptionalSingles, "share of the cells removed or shown at each step; null: evenly spaced"]
    deletion: Annotated[OptionalSingle, "area under the rescaled deletion curve; lower is better"]
    insertion: Annotated[OptionalSingle, "area under the rescaled insertion curve; higher is better"]
    faithfulness: Annotated[OptionalSingle, "insertion minus deletion; 0 = no better than chance order"]
    correlation: Annotated[
        OptionalSingle, "over random coalitions, correlation of the score and the map's sum in view, given their size"
    ]
    additive_share: Annotated[
        OptionalSingle, "share of the score's variance over random coalitions that the best sum over cells explains"
    ]
    sensitivity_n: Annotated[
        OptionalSingle, "correlation of the map's hidden sum and the score's fall, mean over numbers of hidden cells"
    ]
    infidelity: Annotated[
        OptionalSingle, "share of the score's squared falls that the map's hidden sums miss; lower is better"
    ]
    confidence_drop: Annotated[OptionalSingle, "fall of the score when the map fades the image"]
    relative_drop: Annotated[OptionalSingle, "that fall over the score of the whole image"]
    confidence_increase: Annotated[OptionalSingle, "1 if the faded image scores higher, else 0"]
    sparseness: Annotated[OptionalSingle, "Gini index of the map's sizes on the common grid"]
    entropy: Annotated[OptionalSingle, "entropy of the map's sizes over its largest value"]
    effective_area: Annotated[OptionalSingle, "smallest share of cells with half of the sizes"]
    blur_faithfulness: Annotated[OptionalSingle, "faithfulness in few steps with cells blurred"]
    road_faithfulness: Annotated[OptionalSingle, "the same with cells filled in from around them"]
    comprehensiveness: Annotated[OptionalSingle, "fall of the cosine without the text's best words; higher is better"]
    sufficiency: Annotated[OptionalSingle, "fall of the cosine with the text's best words alone; lower is better"]


SCHEMA = schema_of(ResultRow, loupe="1")


def write_unit(folder: Path, key: str, rows: Iterable[Mapping[str, Any]]) -> tuple[Path, str, int]:
    """Write a unit's rows to `folder/results/<key>.parquet`, never half-written.

    Returns the path, the SHA-256 of the bytes and the number of rows. The file appears under its name only after
    its bytes are on disk.
    """
    table = pa.Table.from_pylist([{name: row.get(name) for name in SCHEMA.names} for row in rows], schema=SCHEMA)
    data = encoded(table)
    target = folder / "results" / f"{key}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, data)
    sync_folder(target.parent)
    return target, hashlib.sha256(data).hexdigest(), table.num_rows


def sound_unit(file: Path, key: str, images: Sequence[str]) -> tuple[str, int] | None:
    """The SHA-256 and the number of rows of a unit's file if it is whole; None if it is missing or not as written.

    It is whole if the checksums of its pages hold, its rows are the unit's and of exactly these images, and writing
    what was read gives the same bytes. This is for a run whose record of hashes is lost; where a hash is known, it
    says more.
    """
    try:
        data = file.read_bytes()
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True).cast(SCHEMA)
    except FileNotFoundError:
        return None
    except OSError as error:
        # A disk that fails has a number; what pyarrow cannot make sense of has none.
        if error.errno is not None:
            raise
        return None
    except (ValueError, pa.ArrowException):
        return None
    whole = (
        set(table["unit"].to_pylist()) == {key}
        and set(table["image"].to_pylist()) == set(images)
        and encoded(table) == data
    )
    return (hashlib.sha256(data).hexdigest(), table.num_rows) if whole else None


def encoded(table: pa.Table) -> bytes:
    """The bytes of the file of a unit with these rows, which have the columns of `SCHEMA`."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", store_schema=True, write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())


# What rows are ordered by, as far as these columns are read.
ORDER = ("image_name", "image", "kind", "text", "method")


def read_results(
    folder: Path,
    columns: list[str] | None = None,
    units: Iterable[str] | None = None,
    where: pc.Expression | None = None,
) -> pd.DataFrame:
    """The rows of the finished units (all files, or those named), ordered by image name, text and method.

    `where`, an expression of the columns that are read, leaves the other rows out before they take memory.
    Columns missing in an earlier file are empty. Raises `RunError`, naming the file, if one cannot be read.
    """
    results, names = folder / "results", columns or SCHEMA.names
    tables = []
    for file, keys in _sources(results, units):
        with _readable(file):
            for table in [unit_table(file, names)] if keys is None else groups_of(file, names, keys):
                filled = _filled(table, names)
                tables.append(filled if where is None else filled.filter(where))
    if not tables:
        return SCHEMA.empty_table().to_pandas()[names]
    return _ordered(pa.concat_tables(tables, promote_options="default"))


def _sources(results: Path, units: Iterable[str] | None) -> Iterator[tuple[Path, set[str] | None]]:
    """The files that hold the rows of units: their own ones (None), and parts with the units that have none."""
    parts = part_files(results)
    own = {path.stem for path in results.glob("*.parquet")}.difference(part.stem for part in parts)
    wanted = own if units is None else set(units)
    left = wanted - own if parts else set()
    for key in sorted(wanted - left):
        yield results / f"{key}.parquet", None
    for part in parts:
        if units is None or left:
            with _readable(part):
                keys = keys_of(part, None if units is None else left)
            here = keys - own
            own |= here
            left -= here
            if here:
                yield part, here
    # Those that are nowhere are told by the name that they should have.
    for key in sorted(left):
        yield results / f"{key}.parquet", None


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        raise RunError(
            f"results/{file.name} cannot be read ({first_line(error)}); `python -m core resume` computes it again"
        ) from error


def joined(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """The rows of units that were read already, in the order of `read_results`; their columns are those of `SCHEMA`."""
    return _ordered(pa.concat_tables([SCHEMA.empty_table(), *tables], promote_options="default"))


def _ordered(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas()
    order = [name for name in ORDER if name in frame.columns]
    return frame.sort_values(order, kind="stable", na_position="first").reset_index(drop=True)


def unit_table(file: Path, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
    """The rows in the file of a unit, with these columns of them; those that an earlier version lacks are empty."""
    written = set(pq.read_schema(file).names)
    return _filled(pq.read_table(file, columns=[name for name in columns if name in written]), columns)


def unit_rows(folder: Path, key: str) -> pa.Table:
    """The rows of one finished unit, wherever they lie. Raises `RunError` if they cannot be read or are missing."""
    for file, keys in _sources(folder / "results", [key]):
        with _readable(file):
            if keys is None:
                return unit_table(file).cast(SCHEMA)
            return (
                _filled(pa.concat_tables(groups_of(file, SCHEMA.names, keys)), SCHEMA.names)
                .cast(SCHEMA)
                .combine_chunks()
            )
    raise AssertionError("a unit always has a source")


def _filled(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    for name in columns:
        if name not in table.column_names:
            table = table.append_column(SCHEMA.field(name), pa.nulls(len(table), SCHEMA.field(name).type))
    return table.select(list(columns))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, as well as the files."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
