"""The results of a run in parts: the files of many finished units become few, and what an interruption left is settled.

A part takes the place of the files of its units in three steps, each of which leaves a run that can be read: it is
written under its name, the manifest names it with its hash, the files of its units are removed. No torch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.drafts import draft_path, write_whole
from core.runs.part_files import PREFIX, PartWriter, keys_of, part_files, units_of
from core.runs.results import SCHEMA, encoded, file_sha256, sync_folder, unit_table
from core.runs.run import Run
from core.settings import part_bytes

PARTS = "parts"
# A run of so many files or fewer keeps them: they are read as quickly.
MOST_FILES = 256


def parts_of(run: Run) -> dict[str, dict[str, Any]]:
    """The parts that the manifest names: for each file name its `sha256`, `units` and `rows`."""
    found = run.manifest.get(PARTS, {})
    return dict(found) if isinstance(found, dict) else {}


def sound_parts(run: Run) -> dict[str, Path]:
    """The parts that are as the manifest says, by file name. Each is read whole, for its hash."""
    files = {name: run.folder / "results" / name for name in parts_of(run)}
    return {name: files[name] for name, told in parts_of(run).items() if _is(files[name], told)}


def packed(run: Run) -> frozenset[str]:
    """The keys of the units whose rows lie in a part that is as the manifest says."""
    return frozenset().union(*(keys_of(file) for file in sound_parts(run).values()))


def packed_units(run: Run) -> dict[str, tuple[str, int, frozenset[str]]]:
    """The same units with the SHA-256 of the file that each would have, its number of rows, and its images."""
    found = {}
    for file in sound_parts(run).values():
        for key, table in units_of(file):
            images = frozenset(table["image"].to_pylist())
            found[key] = (hashlib.sha256(encoded(table.cast(SCHEMA))).hexdigest(), len(table), images)
    return found


def pack(run: Run) -> int:
    """Put the files of finished units into parts of about `part_bytes` each; returns how many units.

    A run with few files keeps them. Raises `OSError` if a part cannot be written; then every row is still in place.
    """
    results = run.folder / "results"
    there = {path.stem for path in results.glob("*.parquet")}
    loose = sorted(key for key in run.done() if key in there)
    if len(loose) <= MOST_FILES:
        return 0
    target, at = part_bytes(), 0
    while at < len(loose):
        at += _pack_one(run, loose[at:], target)
    return at


def settle(run: Run) -> frozenset[str]:
    """Bring the folder of results in order before work goes on: after an interruption, or with other units. Returns the
    keys of the units that lie in parts.

    A part that the manifest does not name, that was changed, or that holds units which the run has no more, is taken
    apart: rows that are those a finished unit recorded get a file of their own. A unit that lies in a part has no file.
    """
    results = run.folder / "results"
    files, named = part_files(results), parts_of(run)
    if not files and not named:
        return frozenset()
    recorded = {unit["key"]: unit["sha256"] for unit in run.store.units() if unit["state"] == "done"}
    kept: dict[str, dict[str, Any]] = {}
    lying: set[str] = set()
    for file in files:
        told = named.get(file.name)
        keys = keys_of(file) if told is not None and _is(file, told) else None
        if told is not None and keys is not None and keys <= set(recorded):
            kept[file.name] = told
            lying |= keys
            _remove(results, sorted(keys))
        else:
            _take_apart(results, file, recorded)
    if kept != named:
        run.update_manifest(**{PARTS: kept})
    for file in files:
        if file.name not in kept:
            file.unlink(missing_ok=True)
    return frozenset(lying)


def _pack_one(run: Run, keys: Sequence[str], target: int) -> int:
    """Write one part from the first of these units, name it in the manifest, remove their files; returns how many."""
    results = run.folder / "results"
    draft = draft_path(results / f"{PREFIX}new.parquet")
    try:
        with draft.open("wb") as file:
            writer = PartWriter(file, SCHEMA)
            for key in keys:
                writer.add(key, unit_table(results / f"{key}.parquet").cast(SCHEMA))
                if writer.size >= target:
                    break
            writer.close()
            file.flush()
            os.fsync(file.fileno())
        sha256 = file_sha256(draft)
        name = f"{PREFIX}{sha256[:32]}.parquet"
        draft.replace(results / name)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(results)
    told = {"sha256": sha256, "units": len(writer.keys), "rows": writer.rows}
    run.update_manifest(**{PARTS: {**parts_of(run), name: told}})
    _remove(results, writer.keys)
    return len(writer.keys)


def _take_apart(results: Path, part: Path, recorded: dict[str, str | None]) -> None:
    """Give the units of a part files of their own where their rows are what the units recorded."""
    try:
        for key, table in units_of(part):
            target = results / f"{key}.parquet"
            if key in recorded and not target.exists():
                data = encoded(table.cast(SCHEMA))
                if hashlib.sha256(data).hexdigest() == recorded[key]:
                    write_whole(target, data)
    except pa.ArrowException:
        # What is damaged is nobody's result; its units are computed again.
        return
    sync_folder(results)


def _remove(results: Path, keys: Sequence[str]) -> None:
    for key in keys:
        (results / f"{key}.parquet").unlink(missing_ok=True)


def _is(file: Path, told: dict[str, Any]) -> bool:
    return file.is_file() and file_sha256(file) == told.get("sha256")
