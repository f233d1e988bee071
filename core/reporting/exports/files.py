"""The files of a report that other programs read, by name. All follow from the record alone."""

from __future__ import annotations

from core.reporting.evidence import json_bytes
from core.reporting.exports.bom import bom
from core.reporting.exports.junit import junit
from core.reporting.exports.oscal import assessment_results
from core.reporting.exports.record import ReportRecord
from core.reporting.exports.sarif import sarif

REPORT = "report.json"
EXPORTS = (REPORT, "junit.xml", "findings.sarif", "oscal-assessment-results.json", "bom.cdx.json")


def export_files(record: ReportRecord) -> dict[str, bytes]:
    """The bytes of each export by its name; the same record gives the same bytes."""
    made = (
        json_bytes(record.model_dump(mode="json")),
        junit(record),
        json_bytes(sarif(record)),
        json_bytes(assessment_results(record)),
        json_bytes(bom(record)),
    )
    return dict(zip(EXPORTS, made, strict=True))
