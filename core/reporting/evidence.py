"""The evidence bundle: everything the report rests on, in one ZIP with equal bytes for equal content, and its check."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from core.characters import legible, legible_values
from core.datasets import escape_cell
from core.errors import RunError
from core.evaluation.summary import Summary
from core.findings import Finding
from core.runs import Plan, Run

SUMS = "SHA256SUMS"
TABLES = ("trust", "versus", "agreement", "pair_agreement", "scores", "texts", "failures")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FINDINGS = TypeAdapter(tuple[Finding, ...])
_CHUNK = 2**20


@dataclass(frozen=True)
class Bundle:
    """A written bundle: the SHA-256 of its bytes, and of each file in it by name."""

    path: Path
    sha256: str
    files: Mapping[str, str]


def write_evidence(run: Run, summary: Summary, findings: Sequence[Finding], path: Path) -> Bundle:
    """Write the bundle to `path`: plan, manifest, findings, data set, results, units and every summary table.

    The same run gives the same bytes. Raises `RunError` if a result file is missing or was changed.
    """
    hashes: dict[str, str] = {}
    with zipfile.ZipFile(path, "w") as bundle:
        for name, data in _small_files(run, summary, findings):
            hashes[name] = _put(bundle, name, data)
        for unit in run.store.units():
            if unit["state"] != "done":
                continue
            file = run.folder / "results" / f"{unit['key']}.parquet"
            if not file.exists():
                raise RunError(f"{file} is missing; `python -m core resume` computes it anew")
            name = f"results/{file.name}"
            hashes[name] = _put(bundle, name, file.read_bytes())
            if hashes[name] != unit["sha256"]:
                raise RunError(f"{file} was changed after it was written; `python -m core resume` computes it anew")
        sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
        _put(bundle, SUMS, sums.encode())
    with path.open("rb") as stream:
        whole = hashlib.file_digest(stream, "sha256").hexdigest()
    return Bundle(path, whole, hashes)


def verify_evidence(path: Path) -> list[str]:
    """What is wrong with a bundle, one line each; an empty list means that it is sound.

    Checked: every file against `SHA256SUMS`, nothing missing, added or twice, every result file against the units
    table, the plan and the findings readable. Nothing is unpacked to disk.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            return _problems(bundle)
    except FileNotFoundError:
        return [f"{path} doesn't exist"]
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError) as error:
        return [f"{path.name} is no sound ZIP file ({error})"]


def findings_json(findings: Sequence[Finding]) -> bytes:
    """The findings as JSON with sorted keys."""
    return _json(_FINDINGS.dump_python(tuple(findings), mode="json"))


def attachment(run: Run, summary: Summary, findings: Sequence[Finding], bundle: Bundle) -> bytes:
    """The JSON that travels inside the PDF: the numbers it prints and the hashes of what they rest on."""
    return _json(
        {
            "run": run.id,
            "plan_sha256": run.plan.digest,
            "evidence": {"file": bundle.path.name, "sha256": bundle.sha256, "files": dict(bundle.files)},
            "findings": _FINDINGS.dump_python(tuple(findings), mode="json"),
            "tables": {
                name: json.loads(getattr(summary, name).to_json(orient="records"))
                for name in TABLES
                if name != "scores"
            },
            "not_run": [list(entry) for entry in summary.not_run],
        }
    )


def table_csv(frame: pd.DataFrame) -> bytes:
    """A table as UTF-8 CSV in which no text cell starts a spreadsheet formula."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([escape_cell(str(name)) for name in frame.columns])
    for row in frame.itertuples(index=False, name=None):
        writer.writerow([None if _missing(cell) else escape_cell(cell) for cell in row])
    return legible(stream.getvalue()).encode()


def _small_files(run: Run, summary: Summary, findings: Sequence[Finding]) -> Iterable[tuple[str, bytes]]:
    yield "plan.json", (run.folder / "plan.json").read_bytes()
    yield "manifest.json", _json(run.manifest)
    yield "findings.json", findings_json(findings)
    yield "dataset.json", (run.dataset.root / "dataset.json").read_bytes()
    own = run.folder / "thresholds.toml"
    if own.exists():
        yield "thresholds.toml", own.read_bytes()
    columns = ["position", "key", "images", "state", "tries", "seconds", "rows", "sha256", "error"]
    yield "units.csv", table_csv(pd.DataFrame(run.store.units(), columns=columns))
    yield "log.csv", table_csv(pd.DataFrame(run.store.events(), columns=["at", "kind", "message"]))
    told = run.folder / "comparison.json"
    if told.exists():
        yield told.name, told.read_bytes()
    # Embedded crops are large and follow from the pictures; their hashes are in the manifest.
    for told in run.manifest.get("applications", {}).values():
        for name in told["files"]:
            if not name.endswith(".npy"):
                yield name, (run.folder / name).read_bytes()
    for name in TABLES:
        yield f"tables/{name}.csv", table_csv(getattr(summary, name))


def _put(bundle: zipfile.ZipFile, name: str, data: bytes) -> str:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    # Parquet files are compressed already.
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(".parquet") else zipfile.ZIP_DEFLATED
    entry.create_system = 3
    bundle.writestr(entry, data, compresslevel=None if name.endswith(".parquet") else 6)
    return hashlib.sha256(data).hexdigest()


def _problems(bundle: zipfile.ZipFile) -> list[str]:
    names = bundle.namelist()
    if SUMS not in names:
        return [f"{SUMS} is missing, so nothing can be checked"]
    problems = [f"{name} is in the bundle more than once" for name in sorted({n for n in names if names.count(n) > 1})]
    sums: dict[str, str] = {}
    for line in bundle.read(SUMS).decode("utf-8", "replace").splitlines():
        digest, gap, name = line.partition("  ")
        if not gap or len(digest) != 64:
            problems.append(f"{SUMS} has a line that is no checksum: {line[:80]!r}")
        else:
            sums[name] = digest
    present = set(names) - {SUMS}
    problems += [f"{name} is listed in {SUMS} but missing" for name in sorted(set(sums) - present)]
    problems += [f"{name} is in the bundle but not listed in {SUMS}" for name in sorted(present - set(sums))]
    for name in sorted(present & set(sums)):
        found = _digest(bundle, name)
        if found != sums[name]:
            problems.append(f"{name} was changed: its SHA-256 is {found}, {SUMS} says {sums[name]}")
    return problems or _contents(bundle, sums)


def _contents(bundle: zipfile.ZipFile, sums: Mapping[str, str]) -> list[str]:
    required = ("plan.json", "manifest.json", "findings.json", "dataset.json", "units.csv")
    problems = [f"{name} is missing" for name in required if name not in sums]
    if problems:
        return problems
    try:
        Plan.model_validate_json(bundle.read("plan.json"))
        _FINDINGS.validate_json(bundle.read("findings.json"))
    except ValidationError as error:
        problems.append(f"the plan or the findings can't be read: {error.errors()[0]['msg']}")
    units = list(csv.DictReader(io.StringIO(bundle.read("units.csv").decode())))
    done = {f"results/{unit['key']}.parquet": unit["sha256"] for unit in units if unit["state"] == "done"}
    results = {name for name in sums if name.startswith("results/")}
    problems += [f"{name} belongs to a finished unit but is missing" for name in sorted(set(done) - results)]
    problems += [f"{name} belongs to no finished unit" for name in sorted(results - set(done))]
    problems += [
        f"{name} is not the file its unit recorded" for name in sorted(results & set(done)) if sums[name] != done[name]
    ]
    return problems


def _digest(bundle: zipfile.ZipFile, name: str) -> str:
    whole = hashlib.sha256()
    with bundle.open(name) as stream:
        while chunk := stream.read(_CHUNK):
            whole.update(chunk)
    return whole.hexdigest()


def _json(value: Any) -> bytes:
    return (json.dumps(legible_values(value), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)
