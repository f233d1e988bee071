"""The results of a run: one Parquet file a finished unit, one row an (image, text, method).

The columns are documented in `SCHEMA` and stay stable; new ones are only added. No wall-clock value is stored here,
so a unit that is computed twice gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.drafts import write_whole
from core.errors import RunError, first_line

_F32S = pa.list_(pa.float32())

SCHEMA = pa.schema(
    [
        pa.field("unit", pa.string(), False, {"about": "key of the unit that made the row"}),
        pa.field("image", pa.string(), False, {"about": "content id of the picture"}),
        pa.field("image_name", pa.string(), False, {"about": "name of the picture as it was uploaded"}),
        pa.field("text", pa.string(), True, {"about": "the text as it was embedded (before templates)"}),
        pa.field("text_kind", pa.string(), True, {"about": "caption, prompt or class"}),
        pa.field("kind", pa.string(), False, {"about": "score, method or control"}),
        pa.field("method", pa.string(), True, {"about": "method or control that made the map; null for kind=score"}),
        pa.field("status", pa.string(), False, {"about": "ok, failed or skipped"}),
        pa.field("message", pa.string(), True, {"about": "why a row failed or was skipped"}),
        pa.field("score", pa.float32(), True, {"about": "cosine similarity of image and text"}),
        pa.field("rows", pa.int16(), True, {"about": "rows of the native map"}),
        pa.field("columns", pa.int16(), True, {"about": "columns of the native map"}),
        pa.field("map", _F32S, True, {"about": "raw map, row by row, sign kept"}),
        pa.field("tokens", pa.list_(pa.string()), True, {"about": "text tokens without special ones"}),
        pa.field("token_values", _F32S, True, {"about": "raw attribution of each token"}),
        pa.field("words", pa.list_(pa.string()), True, {"about": "the text's words, pieces joined"}),
        pa.field("word_values", _F32S, True, {"about": "raw attribution of each word: the sum over its tokens"}),
        pa.field("half_widths", _F32S, True, {"about": "95 % half-width of each value of the map, where estimated"}),
        pa.field("details", pa.string(), True, {"about": "further numbers of the method about this pair, as JSON"}),
        pa.field("deletion_curve", _F32S, True, {"about": "cosine after removing the best cells, step by step"}),
        pa.field("insertion_curve", _F32S, True, {"about": "cosine after showing the best cells, step by step"}),
        pa.field("deletion", pa.float32(), True, {"about": "area under the rescaled deletion curve; lower is better"}),
        pa.field(
            "insertion", pa.float32(), True, {"about": "area under the rescaled insertion curve; higher is better"}
        ),
        pa.field(
            "faithfulness", pa.float32(), True, {"about": "insertion minus deletion; 0 = no better than chance order"}
        ),
        pa.field(
            "correlation",
            pa.float32(),
            True,
            {"about": "over random coalitions, correlation of the score and the map's sum in view, given their size"},
        ),
        pa.field(
            "additive_share",
            pa.float32(),
            True,
            {"about": "share of the score's variance over coalitions that any sum over cells explains, left-one-out"},
        ),
        pa.field(
            "sensitivity_n",
            pa.float32(),
            True,
            {"about": "correlation of the map's hidden sum and the score's fall, mean over numbers of hidden cells"},
        ),
        pa.field(
            "infidelity",
            pa.float32(),
            True,
            {"about": "share of the score's squared falls that the map's hidden sums miss; lower is better"},
        ),
        pa.field("confidence_drop", pa.float32(), True, {"about": "fall of the score when the map fades the picture"}),
        pa.field("relative_drop", pa.float32(), True, {"about": "that fall over the score of the whole picture"}),
        pa.field("confidence_increase", pa.float32(), True, {"about": "1 if the faded picture scores higher, else 0"}),
        pa.field("sparseness", pa.float32(), True, {"about": "Gini index of the map's sizes on the common grid"}),
        pa.field("entropy", pa.float32(), True, {"about": "entropy of the map's sizes over its largest value"}),
        pa.field("effective_area", pa.float32(), True, {"about": "smallest share of cells with half of the sizes"}),
        pa.field("blur_faithfulness", pa.float32(), True, {"about": "faithfulness in few steps with cells blurred"}),
        pa.field("road_faithfulness", pa.float32(), True, {"about": "the same with cells filled in from around them"}),
        pa.field(
            "comprehensiveness",
            pa.float32(),
            True,
            {"about": "fall of the cosine without the text's best words; higher is better"},
        ),
        pa.field(
            "sufficiency",
            pa.float32(),
            True,
            {"about": "fall of the cosine with the text's best words alone; lower is better"},
        ),
    ],
    metadata={"loupe": "1"},
)


def write_unit(folder: Path, key: str, rows: Iterable[Mapping[str, Any]]) -> tuple[Path, str, int]:
    """Write a unit's rows to `folder/results/<key>.parquet`, never half-written.

    Returns the path, the SHA-256 of the bytes and the number of rows. The file appears under its name only after
    its bytes are on disk.
    """
    table = pa.Table.from_pylist([{name: row.get(name) for name in SCHEMA.names} for row in rows], schema=SCHEMA)
    data = _encoded(table)
    target = folder / "results" / f"{key}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, data)
    _sync_folder(target.parent)
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
        # A disk that fails has a number; what pyarrow can't make sense of has none.
        if error.errno is not None:
            raise
        return None
    except (ValueError, pa.ArrowException):
        return None
    whole = (
        set(table["unit"].to_pylist()) == {key}
        and set(table["image"].to_pylist()) == set(images)
        and _encoded(table) == data
    )
    return (hashlib.sha256(data).hexdigest(), table.num_rows) if whole else None


def _encoded(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", store_schema=True, write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())


def read_results(folder: Path, columns: list[str] | None = None, units: Iterable[str] | None = None) -> pd.DataFrame:
    """The rows of the finished units (all files, or those named), ordered by image name, text and method.

    Columns that a file of an earlier version doesn't have are empty. Raises `RunError` if a file can't be read, naming
    it.
    """
    names = sorted(f"{unit}.parquet" for unit in units) if units is not None else None
    files = (
        [folder / "results" / n for n in names] if names is not None else sorted((folder / "results").glob("*.parquet"))
    )
    tables = []
    for file in files:
        try:
            tables.append(_table(file, columns or SCHEMA.names))
        except (OSError, pa.ArrowInvalid) as error:
            raise RunError(
                f"results/{file.name} cannot be read ({first_line(error)}); `python -m core resume` computes it again"
            ) from error
    if not tables:
        return SCHEMA.empty_table().to_pandas()[columns or SCHEMA.names]
    return _ordered(pa.concat_tables(tables, promote_options="default"))


def joined(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """The rows of units that were read already, in the order of `read_results`; their columns are those of `SCHEMA`."""
    return _ordered(pa.concat_tables([SCHEMA.empty_table(), *tables], promote_options="default"))


def _ordered(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas()
    order = [name for name in ("image_name", "image", "kind", "text", "method") if name in frame.columns]
    return frame.sort_values(order, kind="stable", na_position="first").reset_index(drop=True)


def _table(file: Path, columns: list[str]) -> pa.Table:
    written = set(pq.read_schema(file).names)
    table = pq.read_table(file, columns=[name for name in columns if name in written])
    for name in columns:
        if name not in written:
            table = table.append_column(SCHEMA.field(name), pa.nulls(len(table), SCHEMA.field(name).type))
    return table.select(columns)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
