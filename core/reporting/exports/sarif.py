"""The findings as SARIF 2.1.0 (OASIS, 2020), for the code-scanning view of a platform.

Only findings are results: some platforms show every result as an alert, whatever its kind. What could not be concluded
is a notification of the run; what passed is left out, but its rule is listed.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from core.reporting.exports.record import DecisionRecord, ImageRecord, Outcome, ReportRecord, RuleRecord

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"high": "error", "medium": "warning", "low": "note", "note": "note"}
# Relative paths of images are meant from the folder or archive that was audited.
BASE = "IMAGES"
FINGERPRINT = "loupeFinding/v1"
# Where a finding that shows no image is located.
WITHOUT_IMAGE = "report.json"


def sarif(record: ReportRecord) -> dict[str, Any]:
    """The log as plain values: one run with the rules that were judged, results and notifications."""
    rules = {rule.id: at for at, rule in enumerate(record.rules)}
    images = {image.id: (at, image) for at, image in enumerate(record.data.shown)}
    texts = {outcome.rule: outcome for outcome in reversed(record.outcomes)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Loupe",
                        "version": record.environment.loupe,
                        "rules": [_rule(rule, texts[rule.id]) for rule in record.rules],
                    }
                },
                "automationDetails": {"id": f"loupe/{record.run.id}"},
                "originalUriBaseIds": {
                    BASE: {"description": {"text": "The folder or archive of images that was audited."}}
                },
                "artifacts": [_artifact(image) for image in record.data.shown],
                "results": [_result(one, rules[one.rule], images, record.decision(one.id)) for one in record.findings],
                "invocations": [
                    {
                        "executionSuccessful": not record.run.incomplete,
                        **({"startTimeUtc": record.run.started} if record.run.started else {}),
                        **({"endTimeUtc": record.run.ended} if record.run.ended else {}),
                        "toolExecutionNotifications": [
                            {
                                "level": "note",
                                "associatedRule": {"id": one.rule, "index": rules[one.rule]},
                                "message": {"text": f"Cannot conclude. {one.title}. {one.condition}"},
                                "properties": {"finding": one.id},
                            }
                            for one in record.inconclusive
                        ],
                    }
                ],
                "properties": {
                    "model": record.model.title,
                    "modelDigest": record.model.digest or "",
                    "planSha256": record.run.plan_sha256,
                    "opinion": record.opinion.opinion,
                },
            }
        ],
    }


def _rule(rule: RuleRecord, outcome: Outcome) -> dict[str, Any]:
    text = f"{rule.question}\n\nCriterion: {outcome.criterion}\n\nUnit of n: {rule.unit}."
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.question},
        "fullDescription": {"text": outcome.criterion},
        "help": {
            "text": f"{text} Thresholds: {outcome.thresholds or 'none'}.",
            "markdown": text.replace("Criterion:", "**Criterion**:").replace("Unit of n:", "**Unit of n**:"),
        },
        "properties": {"tags": [rule.subject]},
    }


def _artifact(image: ImageRecord) -> dict[str, Any]:
    return {
        "location": {"uri": _uri(image.name), "uriBaseId": BASE},
        "length": image.bytes,
        "roles": ["analysisTarget"],
        "mimeType": f"image/{image.format.lower()}",
        "hashes": {"sha-256": image.sha256},
    }


def _result(
    outcome: Outcome, rule: int, images: dict[str, tuple[int, ImageRecord]], decision: DecisionRecord | None
) -> dict[str, Any]:
    advice = f" Recommendation: {outcome.recommendation}" if outcome.recommendation else ""
    grade = (outcome.impact or 0.0) * (outcome.likelihood or 0.0)
    shown = [(images[one.image], one.text, one.note) for one in outcome.samples if one.image in images]
    locations = [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": _uri(image.name), "uriBaseId": BASE, "index": at},
            },
            "message": {"text": "; ".join(part for part in (text, note) if part) or image.name},
        }
        for (at, image), text, note in shown
    ]
    return {
        "ruleId": outcome.rule,
        "ruleIndex": rule,
        "kind": "fail",
        "level": LEVELS[outcome.severity],
        "rank": round(100 * grade, 1),
        "message": {"text": f"{outcome.title}. {outcome.condition}{advice}"},
        "locations": locations or [{"physicalLocation": {"artifactLocation": {"uri": WITHOUT_IMAGE}}}],
        "partialFingerprints": {FINGERPRINT: outcome.fingerprint},
        **_suppressed(decision),
        "properties": {
            "finding": outcome.id,
            "severity": outcome.severity,
            "n": outcome.n,
            "unit": outcome.unit,
            "evidence": [one.model_dump(mode="json") for one in outcome.evidence],
        },
    }


def _suppressed(decision: DecisionRecord | None) -> dict[str, Any]:
    """A finding that somebody has dismissed stays in the file, suppressed with the reason."""
    if decision is None or decision.decision != "dismissed":
        return {}
    why = f"Dismissed by {decision.by} on {decision.at}: {decision.reason}"
    return {"suppressions": [{"kind": "external", "status": "accepted", "justification": why}]}


def _uri(name: str) -> str:
    """The name of an image as a relative reference; no part of it can be read as a scheme, a host or a root."""
    return "/".join(quote(part, safe="") for part in name.split("/") if part not in ("", ".", ".."))
