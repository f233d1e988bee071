"""Model, data and packages as a bill of materials: CycloneDX 1.6 (ECMA-424), with a model card.

Written by hand: the library, by which the tests validate it, has no class for a model card.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote
from uuid import uuid5

from core.reporting.exports.oscal import SPACE
from core.reporting.exports.record import Outcome, Package, ReportRecord

SPEC = "1.6"
MODEL, DATA, TOOL = "model", "dataset", "loupe"
# What licences that packages state as an SPDX expression are made of; anything else is a name.
_EXPRESSION = re.compile(r"\(?[A-Za-z0-9.+-]+\)?( (AND|OR|WITH) \(?[A-Za-z0-9.+-]+\)?)*")


def bom(record: ReportRecord) -> dict[str, Any]:
    """The bill as plain values."""
    packages = [_package(package) for package in record.environment.packages]
    extra = [_file(name, sha256) for name, sha256 in sorted(record.data.files.items())]
    space = f"bom {record.run.plan_sha256} {record.model.digest} {record.dated}"
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid5(SPACE, space)}",
        "version": 1,
        "metadata": {
            "timestamp": record.dated,
            "tools": {"components": [{"type": "application", "name": "Loupe", "version": record.environment.loupe}]},
            "component": _model(record),
            "properties": [
                _property("plan_sha256", record.run.plan_sha256),
                _property("packages_complete", str(record.environment.complete).lower()),
            ],
        },
        "components": [_dataset(record), *extra, _tool(record), *packages],
        "dependencies": [
            {"ref": TOOL, "dependsOn": [package["bom-ref"] for package in packages]},
            {"ref": MODEL},
            {"ref": DATA},
        ],
    }


def _model(record: ReportRecord) -> dict[str, Any]:
    model = record.model
    told = {
        "digest": model.digest,
        "architecture": model.architecture,
        "parameters": model.parameters,
        "embed_dim": model.embed_dim,
        "name": model.name,
    }
    licence = str(model.card.get("licence") or "")
    return {
        "type": "machine-learning-model",
        "bom-ref": MODEL,
        "name": model.title,
        "version": model.pretrained or (model.digest or "unknown")[:12],
        **({"hashes": [_sha256(model.weights_sha256)]} if model.weights_sha256 else {}),
        **({"licenses": [{"license": {"name": licence}}]} if licence else {}),
        "modelCard": _card(record),
        "properties": [_property(name, str(value)) for name, value in told.items() if value],
    }


def _card(record: ReportRecord) -> dict[str, Any]:
    model, card = record.model, record.model.card
    metrics = [
        metric for outcome in record.outcomes if outcome.subject in ("model", "texts") for metric in _metrics(outcome)
    ]
    limitations = [*([str(card["cannot"])] if card.get("cannot") else []), *record.summary.limits]
    families = [part for part in (model.image_family, model.text_family) if part]
    return {
        "modelParameters": {
            "task": "similarity of images and texts",
            **({"architectureFamily": " and ".join(families)} if families else {}),
            **({"modelArchitecture": model.architecture} if model.architecture else {}),
            "datasets": [
                {"ref": DATA},
                *(
                    [{"type": "dataset", "name": "training data", "description": str(card["data"])}]
                    if card.get("data")
                    else []
                ),
            ],
            "inputs": [{"format": "image"}, {"format": "text"}],
            "outputs": [{"format": "cosine similarity"}],
        },
        **({"quantitativeAnalysis": {"performanceMetrics": metrics}} if metrics else {}),
        "considerations": {
            **({"useCases": [record.run.purpose]} if record.run.purpose else {}),
            "technicalLimitations": limitations,
        },
    }


def _metrics(outcome: Outcome) -> list[dict[str, Any]]:
    """The measured values of an outcome, each with its interval; `slice` states what n counts."""
    metrics = []
    for one in outcome.evidence:
        if one.value is None:
            continue
        metric: dict[str, Any] = {
            "type": f"{outcome.id}: {one.name}{f' ({one.unit})' if one.unit else ''}",
            "value": f"{one.value:.10g}",
            "slice": f"n = {one.n} {one.counted}".rstrip(),
        }
        if one.low is not None and one.high is not None:
            metric["confidenceInterval"] = {"lowerBound": f"{one.low:.10g}", "upperBound": f"{one.high:.10g}"}
        metrics.append(metric)
    return metrics


def _dataset(record: ReportRecord) -> dict[str, Any]:
    data = record.data
    counts = f"{data.images} images, {data.measured} measured, {data.refused} files refused"
    return {
        "type": "data",
        "bom-ref": DATA,
        "name": data.name,
        "version": data.id,
        "description": f"The audited images: {counts}. The hash is that of dataset.json, which lists each image.",
        "hashes": [_sha256(data.sha256)],
        **({"licenses": [{"license": {"name": data.licence}}]} if data.licence else {}),
        "data": [
            {"type": "dataset", "name": data.name, **({"description": data.provenance} if data.provenance else {})}
        ],
    }


def _file(name: str, sha256: str) -> dict[str, Any]:
    return {
        "type": "data",
        "bom-ref": f"file:{name}",
        "name": name,
        "description": "A file that an option of the plan names.",
        "hashes": [_sha256(sha256)],
    }


def _tool(record: ReportRecord) -> dict[str, Any]:
    environment = record.environment
    told = {"code_sha256": environment.code_sha256, "commit": environment.commit, "python": environment.python}
    return {
        "type": "application",
        "bom-ref": TOOL,
        "name": "Loupe",
        "version": environment.loupe,
        "properties": [_property(name, value) for name, value in told.items() if value],
    }


def _package(package: Package) -> dict[str, Any]:
    # As the specification of package URLs wants it: lower case, hyphens.
    name = package.name.lower().replace("_", "-")
    purl = f"pkg:pypi/{quote(name, safe='.-')}@{quote(package.version, safe='.-')}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        **({"licenses": [_licence(package.licence)]} if package.licence else {}),
    }


def _licence(text: str) -> dict[str, Any]:
    if " " in text and _EXPRESSION.fullmatch(text) and any(word in text for word in (" AND ", " OR ", " WITH ")):
        return {"expression": text}
    return {"license": {"name": text}}


def _sha256(value: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": value}


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"loupe:{name}", "value": value}
