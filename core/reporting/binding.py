"""Whether the parts of a bundle belong together: plan, manifest, dataset, images, units and result rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from core.content.house_style import HOUSE_STYLE
from core.datasets import Dataset
from core.datasets.dataset import DatasetImage, dataset_id
from core.errors import Refused
from core.evaluation.summary import CONTROLS
from core.findings import Finding
from core.reporting.bundle import OpenBundle, plain_values
from core.reporting.evidence import IMAGE_COLUMNS, IMAGES, UNIT_COLUMNS
from core.reporting.result_files import packed_rows, parts_named, unit_rows
from core.runs import Plan
from core.runs.keys import key_of
from core.runs.results import joined

_FINDINGS = TypeAdapter(tuple[Finding, ...])
_STATES = frozenset({"waiting", "running", "done", "failed"})
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass
class Content:
    """What a bundle holds, as values. `rows` are the rows of all finished units."""

    plan: Plan
    manifest: dict[str, Any]
    findings: tuple[Finding, ...]
    dataset: Dataset
    units: list[dict[str, Any]]
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def images(self) -> dict[str, DatasetImage]:
        """The images of the dataset by id."""
        return {image.id: image for image in self.dataset.images}


def read_content(bundle: OpenBundle) -> Content:
    """Plan, manifest, findings, dataset and units. Raises `Refused` if one of them cannot be read."""
    try:
        plan = Plan.model_validate_json(bundle.read("plan.json"))
    except ValidationError as error:
        raise Refused(f"plan.json is not a plan of this version ({_first(error)})") from error
    try:
        findings = _FINDINGS.validate_json(bundle.read("findings.json"))
    except ValidationError as error:
        raise Refused(f"findings.json does not contain findings of this version ({_first(error)})") from error
    try:
        told = plain_values(bundle.json("dataset.json"))
        dataset = Dataset.model_validate({**told, "root": Path("dataset")})
    except ValidationError as error:
        raise Refused(f"dataset.json does not describe a dataset ({_first(error)})") from error
    manifest = bundle.json("manifest.json")
    if not isinstance(manifest, dict):
        raise Refused("manifest.json is not a manifest")
    return Content(plan, manifest, findings, dataset, _units(bundle, plan))


def binding_problems(bundle: OpenBundle, content: Content, sums: Mapping[str, str]) -> list[str]:
    """What does not belong together, one line each. Fills `content.rows` with the rows that can be read."""
    problems = [*_plan_problems(content), *_dataset_problems(bundle, content), *_application_problems(content, sums)]
    problems += [*_thresholds_problem(content, sums), *_style_problem(content, sums)]
    problems += _unit_problems(content, sums)
    if problems:
        return problems
    tables = []
    pairs = zip(content.units, content.plan.shards(), strict=True)
    most = _rows_an_image(content.plan)
    try:
        lying = packed_rows(bundle, parts_named(content.manifest), content.units, len(content.plan.images) * most)
    except Refused as refused:
        return [str(refused)]
    # In the order in which a run reads its results.
    for unit, shard in sorted(pairs, key=lambda pair: str(pair[0]["key"])):
        if unit["state"] == "done":
            try:
                table = lying.get(unit["key"])
                if table is None:
                    table = unit_rows(bundle, unit, len(shard) * most)
            except Refused as refused:
                problems.append(str(refused))
                continue
            problems += _row_problems(table, unit["key"], shard, content)
            tables.append(table)
    content.rows = joined(tables)
    return problems + list(_finding_problems(content))


def _plan_problems(content: Content) -> Iterator[str]:
    plan, manifest, known = content.plan, content.manifest, content.images
    if manifest.get("plan_sha256") != plan.digest:
        yield "plan.json is not the plan that manifest.json names (plan_sha256)"
    if len(set(plan.images)) != len(plan.images):
        yield "plan.json names an image twice"
    missing = [image for image in plan.images if image not in known]
    if missing:
        yield f"plan.json names {len(missing)} images that dataset.json lacks (the first: {missing[0]})"
    if not _triples(manifest.get("not_run", [])):
        yield "manifest.json has a list `not_run` of another form"
    if not isinstance(manifest.get("applications", {}), dict):
        yield "manifest.json has a part `applications` of another form"


def _dataset_problems(bundle: OpenBundle, content: Content) -> Iterator[str]:
    dataset = content.dataset
    if dataset_id(dataset.images) != dataset.id:
        yield "dataset.json was changed: its id does not follow from its images"
    if dataset.id != content.plan.dataset:
        yield f"dataset.json is the dataset {dataset.id}, plan.json names {content.plan.dataset}"
    try:
        rows = bundle.rows(IMAGES, IMAGE_COLUMNS)
    except Refused as refused:
        yield str(refused)
        return
    if [row["image"] for row in rows] != [image.id for image in dataset.images]:
        yield f"{IMAGES} does not list the images of dataset.json"
    if not all(_HEX.fullmatch(row["sha256"]) for row in rows):
        yield f"{IMAGES} has a line without a SHA-256"


def _application_problems(content: Content, sums: Mapping[str, str]) -> Iterator[str]:
    named: dict[str, Any] = {}
    for told in plain_values(content.manifest.get("applications", {})).values():
        named |= plain_values(plain_values(told).get("files", {}))
    present = {name: sha256 for name, sha256 in sums.items() if name.startswith("applications/")}
    for name in sorted({*named, *present}):
        if name not in named:
            yield f"{name} is not named by manifest.json"
        elif name not in present:
            # Arrays of embeddings are left out of a bundle for their size.
            if not name.endswith(".npy"):
                yield f"{name} is named by manifest.json but missing"
        elif named[name] != present[name]:
            yield f"{name} is not the file named by manifest.json"


def _thresholds_problem(content: Content, sums: Mapping[str, str]) -> Iterator[str]:
    if sums.get("thresholds.toml", "") != content.plan.thresholds:
        yield "thresholds.toml is not the thresholds file named by plan.json"


def _style_problem(content: Content, sums: Mapping[str, str]) -> Iterator[str]:
    if sums.get(HOUSE_STYLE, "") != content.manifest.get("house_style", ""):
        yield f"{HOUSE_STYLE} is not the house style named by manifest.json"


def _units(bundle: OpenBundle, plan: Plan) -> list[dict[str, Any]]:
    units: list[dict[str, Any]] = []
    shards = plan.shards()
    for at, row in enumerate(bundle.rows("units.csv", UNIT_COLUMNS)):
        try:
            unit = {**row, "position": int(row["position"]), "images": int(row["images"])}
            unit["rows"] = int(float(row["rows"])) if row["rows"] else None
        except (ValueError, OverflowError) as error:
            raise Refused(f"units.csv: line {at + 2} has an invalid number") from error
        unit["error"] = row["error"] or None
        units.append(unit)
    if [(unit["position"], unit["images"]) for unit in units] != [(at, len(shard)) for at, shard in enumerate(shards)]:
        raise Refused(f"units.csv does not list the {len(shards)} units of plan.json")
    return units


def _unit_problems(content: Content, sums: Mapping[str, str]) -> Iterator[str]:
    units = content.units
    if len({unit["key"] for unit in units}) != len(units):
        yield "units.csv names a unit twice"
    done = {f"results/{unit['key']}.parquet": unit["sha256"] for unit in units if unit["state"] == "done"}
    results = {name for name in sums if name.startswith("results/")}
    model, code = (
        plain_values(content.manifest.get(part)).get(name, "")
        for part, name in (("model", "digest"), ("environment", "code_sha256"))
    )
    for unit, shard in zip(units, content.plan.shards(), strict=True):
        if unit["state"] not in _STATES:
            yield f"units.csv: unit {unit['position']} is in an unknown state"
        # A key is the hash of all that determines a unit's rows: it binds them to plan, weights, code and images.
        if unit["key"] != key_of(content.plan, shard, content.images, str(model), str(code)):
            yield (
                f"units.csv: the key of unit {unit['position']} does not follow from plan.json, dataset.json, and the "
                "model and code that manifest.json names"
            )
            break
    parts = parts_named(content.manifest)
    # With parts, a unit without a file is looked for in them, and told when its rows are read.
    for name in () if parts else sorted(set(done) - results):
        yield f"{name} belongs to a finished unit but is missing"
    for name in sorted(set(parts) - results):
        yield f"{name} is named by manifest.json but missing"
    for name in sorted(results & set(parts)):
        if sums[name] != parts[name]:
            yield f"{name} is not the file named by manifest.json"
    for name in sorted(results - set(done) - set(parts)):
        yield f"{name} belongs to no finished unit"
    for name in sorted(results & set(done)):
        if sums[name] != done[name]:
            yield f"{name} is not the file its unit recorded"


def _row_problems(table: pa.Table, key: str, shard: tuple[str, ...], content: Content) -> Iterator[str]:
    """Whether the rows of a unit are about its images, their names, and texts and methods of the plan."""
    name = f"results/{key}.parquet"
    plan, known = content.plan, content.images
    columns = ["unit", "image", "image_name", "text", "text_kind", "kind", "method", "status"]
    seen = table.select(columns).to_pandas().drop_duplicates()
    methods: dict[str, set[str | None]] = {
        "method": {method.name for method in plan.methods},
        "control": set(CONTROLS),
        "score": {None},
    }
    for row in seen.itertuples(index=False):
        wrong = ""
        method = None if pd.isna(row.method) else row.method
        if row.unit != key:
            wrong = f"the unit {row.unit}"
        elif row.image not in shard:
            wrong = f"the image {row.image}, which is not of its unit"
        elif row.image_name != known[row.image].name:
            wrong = f"the name {row.image_name!r} for the image {row.image}"
        elif row.kind not in methods or method not in methods[row.kind]:
            wrong = f"the {row.kind} {method!r}, which the plan does not have"
        elif row.status not in ("ok", "failed", "skipped"):
            wrong = f"the status {row.status!r}"
        elif not _planned(row.text, row.text_kind, known[row.image], plan):
            wrong = f"the {row.text_kind} {str(row.text)[:60]!r}, which the plan does not have"
        if wrong:
            yield f"{name} has a row with {wrong}"
            return


def _planned(text: Any, kind: Any, image: DatasetImage, plan: Plan) -> bool:
    texts = plan.texts
    if kind == "caption":
        return texts.captions and text in image.captions[: texts.captions_each]
    if kind == "prompt":
        return text in texts.prompts
    return kind == "class" and text in texts.classes


def _finding_problems(content: Content) -> Iterator[str]:
    """Whether findings show images and methods that the run has."""
    known, methods = content.images, {method.name for method in content.plan.methods} | set(CONTROLS)
    ids = [finding.id for finding in content.findings]
    if len(set(ids)) != len(ids):
        yield "findings.json has a finding twice"
    for finding in content.findings:
        for sample in (*finding.samples, *finding.counter):
            if sample.image not in known or known[sample.image].name != sample.image_name:
                yield f"findings.json: {finding.id} shows an image that dataset.json lacks ({sample.image_name})"
                break
            strange = [method for method in sample.methods if method not in methods]
            if strange:
                yield f"findings.json: {finding.id} names a method that the plan lacks ({strange[0]})"
                break


def _rows_an_image(plan: Plan) -> int:
    """How many rows an image can have: its texts by methods, controls and score."""
    texts = plan.texts
    count = texts.captions * texts.captions_each + len(texts.prompts) + len(texts.classes)
    return count * (len(plan.methods) + len(CONTROLS) + 1)


def _triples(value: Any) -> bool:
    """Whether a value is a list of lists of three texts."""
    return isinstance(value, list) and all(
        isinstance(entry, list) and len(entry) == 3 and all(isinstance(part, str) for part in entry) for entry in value
    )


def _first(error: ValidationError) -> str:
    told = error.errors()[0]
    return f"{'.'.join(str(part) for part in told['loc'])[:80]}: {told['msg'][:120]}"
