"""The outcomes as OSCAL assessment results (NIST, version 1.2).

A decided check is a finding, satisfied where it passed and not satisfied where it missed its criterion. OSCAL has no
third state, so that a check without a conclusion is an observation without a finding.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID, uuid5

from core.reporting.exports.record import DecisionRecord, FrameworkRecord, Outcome, ReportRecord
from core.rules import Number

OSCAL = "1.2.1"
NS = "urn:loupe:oscal"
# Every identifier is made of this one, the plan and a name, so that the same audit gives the same document.
SPACE = UUID("6f0b0f4e-6d1c-5a3b-9c8e-2f1d7a4c5e90")
REASONS = {"passed": "pass", "finding": "fail"}


def assessment_results(record: ReportRecord) -> dict[str, Any]:
    """The document as plain values."""
    ids = _Ids(record)
    decided = [*record.findings, *record.passed]
    return {
        "assessment-results": {
            "uuid": ids("document"),
            "metadata": {
                "title": record.run.title,
                "last-modified": record.dated,
                "version": record.run.plan_sha256[:12],
                "oscal-version": OSCAL,
                "props": [
                    _prop("opinion", record.opinion.opinion, record.opinion.reason),
                    _prop("loupe-version", record.environment.loupe),
                    _prop("thresholds-version", record.thresholds.version),
                    _prop("thresholds-sha256", record.thresholds.sha256),
                ],
                "remarks": "Requirements are paraphrased. Findings are evidence; nothing here states compliance.",
            },
            "import-ap": {"href": f"#{ids('plan')}", "remarks": "The plan of the audit, plan.json."},
            "results": [
                {
                    "uuid": ids("result"),
                    "title": record.run.title,
                    "description": record.opinion.reason,
                    "start": record.run.started or record.dated,
                    **({"end": record.run.ended} if record.run.ended else {}),
                    "local-definitions": _definitions(record, ids),
                    "reviewed-controls": _reviewed(record),
                    **_optional("observations", [_observation(one, record, ids) for one in record.outcomes]),
                    **_optional("risks", [_risk(one, record.decision(one.id), ids) for one in record.findings]),
                    **_optional("findings", [_finding(one, ids) for one in decided]),
                }
            ],
            "back-matter": {
                "resources": [
                    _resource(ids("plan"), "Plan of the audit", "plan.json", ()),
                    _resource(ids("dataset"), f"Dataset {record.data.name}", "dataset.json", (record.data.sha256,)),
                    _resource(ids("evidence"), "Findings with their evidence", "report.json", ()),
                ]
            },
        }
    }


class _Ids:
    """The identifier of each named part of one document."""

    def __init__(self, record: ReportRecord) -> None:
        self._space = uuid5(SPACE, f"{record.run.plan_sha256} {record.model.digest} {record.dated}")

    def __call__(self, *name: str) -> str:
        return str(uuid5(self._space, " ".join(name)))


def _definitions(record: ReportRecord, ids: _Ids) -> dict[str, Any]:
    model = record.model
    identity = {"digest": model.digest, "weights-sha256": model.weights_sha256, "architecture": model.architecture}
    return {
        "components": [
            {
                "uuid": ids("model"),
                "type": "software",
                "title": model.title,
                "description": f"The audited model, {model.title}.",
                "props": [
                    _prop("asset-name", model.name),
                    *(_prop(name, value) for name, value in identity.items() if value),
                ],
                "status": {"state": "operational"},
            }
        ],
        "assessment-assets": {
            "components": [
                {
                    "uuid": ids("tool"),
                    "type": "software",
                    "title": "Loupe",
                    "description": "The program that carried out the audit.",
                    "props": [_prop("software-version", record.environment.loupe)],
                    "status": {"state": "operational"},
                }
            ],
            "assessment-platforms": [
                {"uuid": ids("platform"), "title": "Loupe", "uses-components": [{"component-uuid": ids("tool")}]}
            ],
        },
    }


def _reviewed(record: ReportRecord) -> dict[str, Any]:
    """The requirements that at least one check bears on; a framework without any is left out."""
    selections = []
    for framework in record.requirements:
        ids = [_control(framework, one.id) for one in framework.requirements if one.state != "not addressed"]
        if ids:
            selections.append(
                {
                    "description": f"{framework.title}: {framework.edition}.",
                    "props": [_prop("framework", framework.id), _prop("checked", framework.checked)],
                    "include-controls": [{"control-id": name} for name in ids],
                    "remarks": " ".join(
                        f"{one.id}: {one.state} ({one.paraphrase})"
                        for one in framework.requirements
                        if one.state != "not addressed"
                    ),
                }
            )
    return {
        "description": "Requirements on which the checks of this audit bear. A finding is evidence as well.",
        "control-selections": selections,
    }


def _observation(outcome: Outcome, record: ReportRecord, ids: _Ids) -> dict[str, Any]:
    return {
        "uuid": ids("observation", outcome.id),
        "title": outcome.title,
        "description": outcome.condition,
        "props": [
            _prop("finding-id", outcome.id),
            _prop("verdict", outcome.verdict),
            _prop("n", str(outcome.n), outcome.unit),
            *(prop for at, number in enumerate(outcome.evidence, start=1) for prop in _measured(number, at)),
        ],
        "methods": ["TEST"],
        "types": ["finding" if outcome.verdict == "finding" else "control-objective"],
        "origins": [_origin(ids)],
        "subjects": [{"subject-uuid": ids("model"), "type": "component"}],
        "relevant-evidence": [
            {"href": f"#{ids('evidence')}", "description": f"Evidence, samples and counter-samples of {outcome.id}."}
        ],
        "collected": record.dated,
        **({"remarks": outcome.needed} if outcome.needed else {}),
    }


def _measured(number: Number, at: int) -> list[dict[str, Any]]:
    """A piece of evidence: its properties share a group, and the first one names it."""
    values = {
        "estimate": number.value,
        "interval-low": number.low,
        "interval-high": number.high,
        "p-adjusted": number.p,
    }
    known = {name: f"{value:.10g}" for name, value in values.items() if value is not None}
    if not known:
        return []
    props = [_prop(name, value) for name, value in known.items()]
    props += [_prop("n", str(number.n), number.counted), *([_prop("unit", number.unit)] if number.unit else [])]
    props[0]["remarks"] = f"{number.name}{f'; {number.test}' if number.test else ''}"
    return [{**prop, "group": f"evidence-{at}"} for prop in props]


def _risk(outcome: Outcome, decision: DecisionRecord | None, ids: _Ids) -> dict[str, Any]:
    facets: list[tuple[str, str]] = [("severity", outcome.severity)]
    facets += [(name, f"{value:g}") for name, value in _grade(outcome).items()]
    advice = {
        "uuid": ids("remediation", outcome.id),
        "lifecycle": "recommendation",
        "title": f"Recommendation on {outcome.id}",
        "description": outcome.recommendation,
    }
    return {
        "uuid": ids("risk", outcome.id),
        "title": outcome.title,
        "description": outcome.condition,
        "statement": outcome.effect or outcome.condition,
        **_decided(decision),
        "characterizations": [
            {
                "origin": _origin(ids),
                "facets": [{"name": name, "system": f"{NS}:severity", "value": value} for name, value in facets],
            }
        ],
        **_optional("remediations", [advice] if outcome.recommendation else []),
        "related-observations": [{"observation-uuid": ids("observation", outcome.id)}],
    }


def _decided(decision: DecisionRecord | None) -> dict[str, Any]:
    """The status of a risk and, as properties, what the review log holds: a risk is closed once somebody has dismissed
    the finding or has verified the action against it.
    """
    if decision is None:
        return {"status": "open"}
    closed = decision.decision == "dismissed" or decision.action == "verified"
    begun = decision.action in ("in progress", "done")
    props = [_prop("decision", decision.decision, decision.reason)]
    if decision.by:
        props.append(_prop("decided-by", decision.by, f"Entered on {decision.at}; names are as entered."))
    if decision.owner:
        props.append(_prop("owner", decision.owner))
    props.append(_prop("corrective-action", decision.action, decision.response))
    deadline = {"deadline": f"{decision.due}T00:00:00Z"} if decision.due else {}
    return {"props": props, "status": "closed" if closed else "remediating" if begun else "open", **deadline}


def _grade(outcome: Outcome) -> dict[str, float]:
    values = {"impact": outcome.impact, "likelihood": outcome.likelihood}
    return {name: value for name, value in values.items() if value is not None}


def _finding(outcome: Outcome, ids: _Ids) -> dict[str, Any]:
    missed = outcome.verdict == "finding"
    return {
        "uuid": ids("finding", outcome.id),
        "title": outcome.title,
        "description": outcome.condition,
        "props": [_prop("fingerprint", outcome.fingerprint)],
        "origins": [_origin(ids)],
        "target": {
            "type": "objective-id",
            "target-id": token(outcome.rule),
            "title": outcome.criterion or outcome.title,
            "status": {"state": "not-satisfied" if missed else "satisfied", "reason": REASONS[outcome.verdict]},
        },
        "related-observations": [{"observation-uuid": ids("observation", outcome.id)}],
        **_optional("related-risks", [{"risk-uuid": ids("risk", outcome.id)}] if missed else []),
    }


def _origin(ids: _Ids) -> dict[str, Any]:
    return {"actors": [{"type": "tool", "actor-uuid": ids("tool")}]}


def _control(framework: FrameworkRecord, requirement: str) -> str:
    return token(f"{framework.id}_{requirement}")


def token(text: str) -> str:
    """A text as the identifiers of OSCAL are written: letters, digits, '.', '_' and '-', beginning with a letter."""
    found = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
    return found if found[:1].isalpha() else f"id-{found}"


def _prop(name: str, value: str, remarks: str = "") -> dict[str, Any]:
    told = {"name": name, "ns": NS, "value": " ".join(value.split()) or "none"}
    return {**told, "remarks": remarks} if remarks else told


def _resource(uuid: str, title: str, href: str, hashes: tuple[str, ...]) -> dict[str, Any]:
    link: dict[str, Any] = {"href": href, "media-type": "application/json"}
    if hashes:
        link["hashes"] = [{"algorithm": "SHA-256", "value": value} for value in hashes]
    return {"uuid": uuid, "title": title, "rlinks": [link]}


def _optional(name: str, values: list[Any]) -> dict[str, Any]:
    """A list under its name; OSCAL knows no empty ones."""
    return {name: values} if values else {}
