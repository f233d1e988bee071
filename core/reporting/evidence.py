"""The evidence bundle: everything the report rests on, in one ZIP with equal bytes for equal content."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter

from core.characters import legible_values
from core.content.house_style import HOUSE_STYLE
from core.datasets import read_annotations
from core.datasets.dataset import ANNOTATIONS
from core.errors import RunError
from core.evaluation.comparison import load_comparisons
from core.evaluation.summary import Summary
from core.findings import Finding
from core.findings.earlier import EARLIER
from core.models.signed.signature import SIGNATURE, SIGNERS
from core.reporting import detection
from core.reporting.csv_table import table_csv
from core.reporting.plan_settings import SETTINGS_FILE, settings_csv
from core.rules.thresholds import thresholds_of
from core.runs import Run
from core.runs.packing import parts_of
from core.runs.part_files import keys_of
from core.runs.results import file_sha256
from core.runs.review import REVIEW
from core.runs.spot_check import SPOT_CHECK

SUMS = "SHA256SUMS"
IMAGES = "images.csv"
# Every value that the findings were judged by; `thresholds.toml` has those that the audit was given.
CRITERIA = "criteria.toml"
EXPORTS_FOLDER = "exports"
IMAGE_COLUMNS = ("image", "sha256")
UNIT_COLUMNS = ["position", "key", "images", "state", "tries", "seconds", "rows", "sha256", "error"]
TABLES = ("trust", "versus", "agreement", "pair_agreement", "scores", "texts", "failures")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FINDINGS = TypeAdapter(tuple[Finding, ...])


@dataclass(frozen=True)
class Bundle:
    """A written bundle: the SHA-256 of its bytes, and of each file in it by name."""

    path: Path
    sha256: str
    files: Mapping[str, str]


def write_evidence(
    run: Run, summary: Summary, findings: Sequence[Finding], path: Path, exports: Mapping[str, bytes] | None = None
) -> Bundle:
    """Write the bundle to `path`: plan, manifest, findings, dataset, image hashes, results, units, every summary table.

    `exports` are the report as data, by name. The same run gives the same bytes. Raises `RunError` if a result file is
    missing or was changed.
    """
    hashes: dict[str, str] = {}
    with zipfile.ZipFile(path, "w") as bundle:
        told = ((f"{EXPORTS_FOLDER}/{name}", data) for name, data in (exports or {}).items())
        for name, data in chain(_small_files(run, summary, findings), told):
            hashes[name] = _put(bundle, name, data)
        lying: set[str] = set()
        for part, about in parts_of(run).items():
            name = f"results/{part}"
            if not (run.folder / name).exists():
                raise RunError(f"{name} is missing; `python -m core resume` recomputes it")
            hashes[name] = _put(bundle, name, (run.folder / name).read_bytes())
            if hashes[name] != about["sha256"]:
                raise RunError(f"{name} was changed after it was written; `python -m core resume` recomputes it")
            lying |= keys_of(run.folder / name)
        for unit in run.store.units():
            if unit["state"] != "done" or unit["key"] in lying:
                continue
            file = run.folder / "results" / f"{unit['key']}.parquet"
            if not file.exists():
                raise RunError(f"{file} is missing; `python -m core resume` recomputes it")
            name = f"results/{file.name}"
            hashes[name] = _put(bundle, name, file.read_bytes())
            if hashes[name] != unit["sha256"]:
                raise RunError(f"{file} was changed after it was written; `python -m core resume` recomputes it")
        sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
        _put(bundle, SUMS, sums.encode())
    with path.open("rb") as stream:
        whole = hashlib.file_digest(stream, "sha256").hexdigest()
    return Bundle(path, whole, hashes)


def findings_json(findings: Sequence[Finding]) -> bytes:
    """The findings as JSON with sorted keys."""
    return json_bytes(_FINDINGS.dump_python(tuple(findings), mode="json"))


def attachment(
    run: Run,
    summary: Summary,
    findings: Sequence[Finding],
    bundle: Bundle,
    html: str = "",
    version: int = 1,
    predecessor: str = "",
    detection_limits: Mapping[str, Any] | None = None,
) -> bytes:
    """The JSON that travels inside the PDF: the numbers it prints and the hashes of what they rest on.

    `predecessor` is the SHA-256 of the PDF that this version replaces. `detection_limits` are those of the record of
    the report. `html` is the text of `report.html`, which
    prints the bundle's hash and so cannot be in the bundle itself.
    """
    return json_bytes(
        {
            "run": run.id,
            "plan_sha256": run.plan.digest,
            "version": version,
            "predecessor": predecessor,
            "evidence": {"file": bundle.path.name, "sha256": bundle.sha256, "files": dict(bundle.files)},
            "report_html_sha256": hashlib.sha256(html.encode()).hexdigest(),
            "findings": _FINDINGS.dump_python(tuple(findings), mode="json"),
            "tables": {
                name: json.loads(getattr(summary, name).to_json(orient="records"))
                for name in TABLES
                if name != "scores"
            },
            "not_run": [list(entry) for entry in summary.not_run],
            "detection_limits": detection_limits,
        }
    )


def run_parts(run: Run) -> Iterator[tuple[str, bytes]]:
    """The files of a bundle that follow from the run's records alone, so that a bundle can be compared with its run."""
    yield "plan.json", json_bytes(run.plan.public().model_dump(mode="json"))
    yield "manifest.json", json_bytes(run.public_manifest)
    yield "dataset.json", (run.dataset.root / "dataset.json").read_bytes()
    yield IMAGES, table_csv(_stored_images(run))
    yield SETTINGS_FILE, settings_csv(run)
    yield "units.csv", table_csv(pd.DataFrame(run.store.units(), columns=UNIT_COLUMNS))
    for name in ("thresholds.toml", "comparison.json", EARLIER, HOUSE_STYLE, SPOT_CHECK, SIGNATURE, SIGNERS):
        if (run.folder / name).exists():
            yield name, (run.folder / name).read_bytes()
    if run.dataset.annotations is not None:
        yield ANNOTATIONS, used_annotations(run)
    for one in load_comparisons(run):
        if one.file:
            yield one.file, (run.folder / one.file).read_bytes()


def used_annotations(run: Run) -> bytes:
    """The annotations of the run's images, out of those that are kept with the dataset. Raises `InputError`."""
    assert run.dataset.annotations is not None
    planned = set(run.plan.images)
    return read_annotations(run.dataset.annotations).only([one for one in run.dataset.images if one.id in planned])


def _small_files(run: Run, summary: Summary, findings: Sequence[Finding]) -> Iterator[tuple[str, bytes]]:
    yield from run_parts(run)
    yield "findings.json", findings_json(findings)
    yield detection.NAME, detection.FILE.read_bytes()
    yield CRITERIA, thresholds_of(run).whole
    yield "log.csv", table_csv(pd.DataFrame(run.store.events(), columns=["at", "kind", "message"]))
    # The log may grow after the report; the manifest says where it ended.
    if (run.folder / REVIEW).exists():
        yield REVIEW, (run.folder / REVIEW).read_bytes()
    # Embedded crops are large and follow from the images; their hashes are in the manifest.
    for told in run.manifest.get("applications", {}).values():
        for name in told["files"]:
            if not name.endswith(".npy"):
                yield name, (run.folder / name).read_bytes()
    for name in TABLES:
        yield f"tables/{name}.csv", table_csv(getattr(summary, name))


def _stored_images(run: Run) -> pd.DataFrame:
    """Every stored image: its content id and the SHA-256 of its PNG file."""
    dataset = run.dataset
    rows = [(image.id, file_sha256(dataset.path(image))) for image in dataset.images]
    return pd.DataFrame(rows, columns=list(IMAGE_COLUMNS))


def _put(bundle: zipfile.ZipFile, name: str, data: bytes) -> str:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    # Parquet files are compressed already.
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(".parquet") else zipfile.ZIP_DEFLATED
    entry.create_system = 3
    bundle.writestr(entry, data, compresslevel=None if name.endswith(".parquet") else 6)
    return hashlib.sha256(data).hexdigest()


def json_bytes(value: Any) -> bytes:
    """A value as JSON in the one form that bundles use: sorted keys, UTF-8."""
    return (json.dumps(legible_values(value), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
