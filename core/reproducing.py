"""The command that computes again: the statistics of a run or a bundle from its rows, and units with the model."""

from __future__ import annotations

import argparse
import hashlib
import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import InputError, Refused
from core.run_commands import Answer, find_run
from core.runs import Run, write_unit
from core.runs.results import encoded, unit_rows

# The same as for tables: another machine may add in another order.
RELATIVE, ABSOLUTE = 1e-5, 1e-7


def reproduce_arguments(parser: argparse.ArgumentParser) -> None:
    """What `reproduce` takes."""
    parser.add_argument("place", metavar="RUN|BUNDLE", help="run directory or id, or evidence.zip")
    parser.add_argument(
        "--units",
        type=int,
        nargs="+",
        metavar="N",
        default=[],
        help="compute these units again with the model (numbers of units.csv, from 0) and compare their rows",
    )
    parser.add_argument(
        "--statistics",
        action="store_true",
        help="compute every table and finding again from the stored rows (the default without --units)",
    )


def reproduce(chosen: argparse.Namespace) -> Answer:
    """Compute again and compare. Nothing of the run is written.

    One line for each part: equal, or the first difference. Exit code 0 if all of it is equal, 1 if something differs.
    """
    path = Path(chosen.place)
    bundle = path if path.is_file() else None
    if bundle is not None and chosen.units:
        raise InputError("a bundle contains no images, so that units cannot be computed from it; give the run")
    run = None if bundle is not None else find_run(chosen.place)
    results: list[tuple[str, list[str]]] = []
    if run is not None and chosen.units:
        results += _units(run, chosen.units)
    if chosen.statistics or not chosen.units:
        results.append(_statistics(bundle or _bundle_of(run)))
    lines = [f"{name}: {'equal' if not found else 'differs'}" for name, found in results]
    lines += [line for _, found in results for line in found]
    data = [{"part": name, "equal": not found, "differences": found} for name, found in results]
    return {"text": "\n".join(lines), "data": data}, int(any(found for _, found in results))


def _bundle_of(run: Run | None) -> Path:
    path = Path() if run is None else run.report / "evidence.zip"
    if run is None or not path.is_file():
        raise InputError("the run has no report whose statistics could be compared; `python -m core report` makes one")
    return path


def _statistics(bundle: Path) -> tuple[str, list[str]]:
    from core.reporting.inspection import inspect_bundle

    try:
        found = inspect_bundle(bundle)
    except Refused as refused:
        raise InputError(f"{bundle} {refused}") from refused
    told = (line for line in found.checked if line.startswith("every table"))
    name = next(told, "the tables and findings").split(" with those ")[0]
    return f"{name}, computed again from the result rows of {bundle.name}", list(found.problems)


def _units(run: Run, positions: Sequence[int]) -> Iterator[tuple[str, list[str]]]:
    """Each unit computed again. Raises `InputError` for a unit that is not done, or another model or code."""
    from core.audit.units import prepare, run_unit, unit_key
    from core.models.loading import load_model

    units, shards, spec = run.store.units(), run.plan.shards(), run.plan.model
    for at in positions:
        if not 0 <= at < len(units) or units[at]["state"] != "done":
            raise InputError(f"unit {at} of {run.handle} is not done; it has the units 0 to {len(units) - 1}")
    model = load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
    model = model.bound(run.dataset, run.plan.images)
    bench = prepare(run, model)
    images = {image.id: image for image in run.dataset.images}
    for at in dict.fromkeys(positions):
        key = unit_key(run.plan, shards[at], images, model.digest)
        # The key names weights and code: with others, a difference has a reason.
        known = [] if key == units[at]["key"] else ["the model or the code is not that of the run"]
        kept = unit_rows(run.folder, units[at]["key"])
        stored = kept.to_pandas()
        with tempfile.TemporaryDirectory(prefix="loupe-again-") as folder:
            written, sha256, _ = write_unit(
                Path(folder), units[at]["key"], run_unit(bench, units[at]["key"], shards[at])
            )
            found = (
                []
                if sha256 == hashlib.sha256(encoded(kept)).hexdigest()
                else list(row_differences(stored, pd.read_parquet(written)))
            )
        yield f"unit {at}, {len(stored):,} rows of {len(shards[at])} images", [*found, *(known if found else [])]


def row_differences(stored: pd.DataFrame, again: pd.DataFrame) -> Iterator[str]:
    """The first difference in each column of two tables of rows, beyond rounding; run time is not compared."""
    if len(stored) != len(again):
        yield f"{len(again):,} rows were computed, {len(stored):,} are stored"
        return
    for column in stored.columns:
        if column in ("seconds", "forwards"):
            continue
        new = again[column].tolist() if column in again.columns else [None] * len(stored)
        for at, (old, value) in enumerate(zip(stored[column].tolist(), new, strict=True)):
            if not _equal(old, value):
                yield f"row {at}, {column}: stored {str(old)[:60]}, computed {str(value)[:60]}"
                break


def _equal(a: Any, b: Any) -> bool:
    """Whether two cells are equal: numbers by rounding, lists by their members, and nothing is equal to nothing."""
    if hasattr(a, "__len__") and hasattr(b, "__len__") and not isinstance(a, str | bytes):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    none = [value is None or (isinstance(value, float) and value != value) for value in (a, b)]
    if any(none):
        return all(none)
    try:
        return math.isclose(float(a), float(b), rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    except (TypeError, ValueError):
        return bool(a == b)
