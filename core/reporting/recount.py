"""The tables and findings of a bundle worked out again from its result rows, and compared with what it tells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
from pydantic import ValidationError

from core.applications.registry import APPLICATIONS
from core.content.context import ReportContext
from core.datasets import Dataset
from core.datasets.dataset import ANNOTATIONS
from core.errors import LoupeError
from core.evaluation.comparison import FILE
from core.evaluation.summary import Summary, summary_of
from core.findings import Finding, apply_rules, consensus_methods
from core.reporting import detection
from core.reporting.binding import Content
from core.reporting.bundle import OpenBundle
from core.reporting.comparison_check import comparison_problems
from core.reporting.csv_table import table_csv
from core.reporting.evidence import CRITERIA, EXPORTS_FOLDER, TABLES
from core.reporting.exports.collect import record_of
from core.reporting.exports.files import EXPORTS, REPORT, export_files
from core.reporting.exports.record import ReportRecord
from core.reporting.plan_settings import SETTINGS_FILE, settings_csv
from core.reporting.tolerance import is_alike, is_close
from core.rules import Context
from core.runs import Plan, Progress, Run
from core.runs.review import REVIEW
from core.runs.run import chosen_rows
from core.runs.spot_check import SPOT_CHECK
from core.settings import LIMITS, VERSION

# Where what belongs to the dataset is laid, below the folder of the records.
DATASET = "dataset"
# A run is named by its id or its folder: one word, or one in single quotes, and nothing that a shell would act on.
_WORD = r"(?:'[^'\n]{1,300}'|[^\s'\"`$;&|<>()\\\\]{1,300})"


@dataclass(frozen=True)
class UnpackedRun(Run):
    """What a bundle holds in the place of a run directory: enough to be judged, and nothing to be worked on."""

    content: Content

    @property
    def handle(self) -> str:
        """A bundle does not say how its run was found; findings are compared whatever this is."""
        return "RUN"

    @property
    def plan(self) -> Plan:
        """The plan of the bundle."""
        return self.content.plan

    @property
    def dataset(self) -> Dataset:
        """The dataset as it is described; its images are not in a bundle."""
        return self.content.dataset.model_copy(update={"root": self.folder / DATASET})

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest of the bundle."""
        return self.content.manifest

    @property
    def store(self) -> Any:
        """The units, as far as rules ask for them."""
        return SimpleNamespace(units=lambda: self.content.units, events=lambda limit=0: [], progress=self.progress)

    def progress(self) -> Progress:
        """Where the run stood when the bundle was made."""
        counts = {state: [0, 0] for state in ("done", "failed")}
        for unit in self.content.units:
            if unit["state"] in counts:
                counts[unit["state"]][0] += 1
                counts[unit["state"]][1] += unit["images"]
        return Progress(
            state=self.content.manifest.get("state", "cancelled"),
            stage="",
            done=counts["done"][0],
            failed=counts["failed"][0],
            total=len(self.content.units),
            images_done=counts["done"][1],
            images_total=len(self.plan.images),
            seconds_left=None,
            message="",
            alive=False,
        )

    def snapshot(self) -> Run:
        """The same one: its content is in memory already."""
        return self

    def results(self, columns: list[str] | None = None) -> pd.DataFrame:
        """The result rows of the bundle."""
        rows = self.content.rows
        return rows[columns].copy() if columns else rows.copy()

    def _chosen(self, column: str, values: Collection[str] | None, columns: list[str]) -> pd.DataFrame:
        return chosen_rows(self.content.rows, column, values, columns)


def recount_problems(bundle: OpenBundle, content: Content, folder: Path, sums: Mapping[str, str]) -> list[str]:
    """Where tables, findings and exports of a bundle are not what its result rows give, one line each.

    Records of applications are laid into the empty `folder`. Raises `Refused` if one is damaged.
    """
    try:
        not_run = [tuple(entry) for entry in content.manifest.get("not_run", [])]
        summary = summary_of(content.rows, content.plan, not_run)
    except (ValueError, KeyError, TypeError, ArithmeticError, IndexError, AttributeError) as error:
        return [f"the tables cannot be recomputed from the result rows ({type(error).__name__})"]
    problems = list(_table_problems(bundle, summary))
    _lay_records(bundle, folder)
    run = UnpackedRun(folder, content)
    problems += comparison_problems(bundle, run, content, sums)
    context = Context.of(run, summary)
    try:
        again = apply_rules(context)
    except (LoupeError, ValueError, KeyError, TypeError, ArithmeticError, IndexError, AttributeError) as error:
        # Records are a stranger's too, and a rule may fail on them in many ways.
        told = str(error) if isinstance(error, LoupeError) else type(error).__name__
        return [*problems, f"the findings cannot be judged again from the content of the bundle ({told})"]
    differences = [
        *_finding_differences(content.findings, again),
        *_criteria_problems(bundle, context),
        *_settings_problems(bundle, run),
    ]
    environment = content.manifest.get("environment")
    made_by = environment.get("loupe") if isinstance(environment, dict) else None
    if differences and made_by != VERSION:
        differences.append(
            f"manifest.json names Loupe {str(made_by)[:40]}, this is {VERSION}: check with that version too"
        )
    problems += [*differences, *_detection_problems(bundle)]
    return problems or list(_export_problems(bundle, context, content, sums["dataset.json"]))


def _criteria_problems(bundle: OpenBundle, context: Context) -> Iterator[str]:
    """Whether the file of every threshold states what the findings were judged by; earlier versions had none."""
    if CRITERIA in bundle.names:
        if bundle.read(CRITERIA) != context.thresholds.whole:
            yield f"{CRITERIA} does not contain the thresholds that the findings are judged by"
    elif detection.NAME in bundle.names:
        yield f"{CRITERIA} is missing"


def _settings_problems(bundle: OpenBundle, run: Run) -> Iterator[str]:
    """Whether the table of every setting is that of the plan; earlier versions had none."""
    if SETTINGS_FILE in bundle.names and bundle.read(SETTINGS_FILE) != settings_csv(run):
        yield f"{SETTINGS_FILE} does not contain the settings of plan.json"


def _detection_problems(bundle: OpenBundle) -> Iterator[str]:
    """Whether the figures on planted flaws are the ones that this version has under the same version number."""
    if detection.NAME not in bundle.names:
        return
    data = bundle.read(detection.NAME)
    try:
        told = detection.read_detection(data)
    except ValueError:
        yield f"{detection.NAME} does not contain detection limits"
        return
    if detection.same_version(told) and told != detection.detection_record():
        yield f"{detection.NAME} does not contain the figures that Loupe has as their version {told.version[:40]}"


def detection_line(data: bytes) -> str:
    """What the figures on planted flaws were compared with; `data` is their file, without problems."""
    told = detection.read_detection(data)
    if detection.same_version(told):
        return f"{detection.NAME} with the figures of this version, and the shares in {REPORT} with those it gives"
    return f"the shares in {REPORT} with those that {detection.NAME} gives (version {told.version[:40]} of its figures)"


def _export_problems(bundle: OpenBundle, context: Context, content: Content, dataset_sha256: str) -> Iterator[str]:
    """Which exports are not those of the bundle's findings; a bundle of an earlier version has none."""
    names = [name for name in EXPORTS if f"{EXPORTS_FOLDER}/{name}" in bundle.names]
    if not names:
        return
    yield from (f"{EXPORTS_FOLDER}/{name} is missing" for name in EXPORTS if name not in names)
    if REPORT not in names:
        return
    try:
        told = ReportRecord.model_validate_json(bundle.read(f"{EXPORTS_FOLDER}/{REPORT}"))
    except ValidationError:
        yield f"{EXPORTS_FOLDER}/{REPORT} is not a report of this version"
        return
    if told.detection_limits is not None and detection.NAME not in bundle.names:
        yield f"{detection.NAME} is missing"
        return
    try:
        report = ReportContext(context, content.findings, consensus=consensus_methods(context))
        again = record_of(report, dataset_sha256, _detection(bundle))
    except (LoupeError, ValueError, KeyError, TypeError, ArithmeticError, IndexError, AttributeError) as error:
        yield f"{EXPORTS_FOLDER}/{REPORT} cannot be made again from the content of the bundle ({type(error).__name__})"
        return
    # A bundle does not tell the name of its run, and one of an earlier version not the state in which it ended.
    parts: dict[str, Any] = {"run": again.run.model_copy(update={"id": told.run.id})}
    if told.schema_version in ("1.0", "1.1"):
        parts |= {"schema_version": told.schema_version, "detection_limits": None}
    if told.schema_version == "1.0":
        parts["review"] = None
    if "state" not in content.manifest:
        parts["run"] = parts["run"].model_copy(update={"incomplete": told.run.incomplete})
        parts |= {"opinion": told.opinion, "summary": again.summary.model_copy(update={"limits": told.summary.limits})}
    ours, theirs = again.model_copy(update=parts).model_dump(mode="json"), told.model_dump(mode="json")
    for part in ours:
        if not is_alike(ours[part], theirs[part]):
            yield f"{EXPORTS_FOLDER}/{REPORT}: `{part}` is not what the bundle gives"
    for name, data in export_files(told).items():
        if name in names and bundle.read(f"{EXPORTS_FOLDER}/{name}") != data:
            yield f"{EXPORTS_FOLDER}/{name} does not follow from {EXPORTS_FOLDER}/{REPORT}"


def _detection(bundle: OpenBundle) -> bytes | None:
    """The figures on planted flaws of the bundle; one of an earlier version has none."""
    return bundle.read(detection.NAME) if detection.NAME in bundle.names else None


def _lay_records(bundle: OpenBundle, folder: Path) -> None:
    # All of them: the limits of a report also rest on records without rules, such as one that used labels.
    known = tuple(f"applications/{name}/" for name in APPLICATIONS)
    for name in sorted(bundle.names):
        if name.startswith(known) or name in ("thresholds.toml", FILE, SPOT_CHECK, REVIEW, ANNOTATIONS):
            target = folder / (f"{DATASET}/{name}" if name == ANNOTATIONS else name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(bundle.read(name, LIMITS.bundle_part_bytes))


def _table_problems(bundle: OpenBundle, summary: Summary) -> Iterator[str]:
    for table in TABLES:
        name = f"tables/{table}.csv"
        if name not in bundle.names:
            yield f"{name} is missing"
            continue
        told, again = bundle.read(name), table_csv(getattr(summary, table))
        if told != again:
            yield from _cell_problems(name, told, again)


def _cell_problems(name: str, told: bytes, again: bytes) -> Iterator[str]:
    """The first cell of a table that differs by more than rounding."""
    try:
        ours, theirs = (list(csv.reader(io.StringIO(data.decode()), strict=True)) for data in (again, told))
    except (csv.Error, UnicodeDecodeError):
        yield f"{name} is damaged: it is not valid CSV in UTF-8"
        return
    if len(ours) != len(theirs) or ours[:1] != theirs[:1]:
        yield f"{name} has {len(theirs) - 1} rows; the results give {len(ours) - 1}, or other columns"
        return
    for at, (right, wrong) in enumerate(zip(ours, theirs, strict=True)):
        if len(right) != len(wrong):
            yield f"{name}, row {at}: has {len(wrong)} cells; the results give {len(right)}"
            return
        for column, (a, b) in enumerate(zip(right, wrong, strict=True)):
            if a != b and not _close(a, b):
                yield f"{name}, row {at}, {ours[0][column]}: contains {b[:60]!r}; the results give {a[:60]!r}"
                return


def _finding_differences(told: tuple[Finding, ...], again: tuple[Finding, ...]) -> Iterator[str]:
    theirs, ours = ({finding.id: finding for finding in findings} for findings in (told, again))
    differ = [name for name in sorted({*theirs, *ours}) if name not in theirs or name not in ours]
    for name in differ:
        has, give = ("lacks", "give") if name in ours else ("has", "do not give")
        yield f"findings.json {has} {name}, which the results {give}"
    for name in sorted(set(theirs) & set(ours)):
        a, b = ours[name].model_dump(mode="json"), theirs[name].model_dump(mode="json")
        for part in a:
            same = _command_like(a[part], b[part]) if part == "reproduce" else is_alike(a[part], b[part])
            if not same:
                yield f"findings.json: {name}: `{part}` is not what the results give"
                break
    if not differ and [finding.id for finding in told] != [finding.id for finding in again]:
        yield "findings.json has its findings in another order than the results give"


def _command_like(ours: str, theirs: str) -> bool:
    """Whether a command is ours but for the name of the run."""
    return re.fullmatch(re.escape(ours).replace("RUN", _WORD), theirs) is not None


def _close(a: str, b: str) -> bool:
    try:
        return is_close(float(a), float(b))
    except ValueError:
        return False
