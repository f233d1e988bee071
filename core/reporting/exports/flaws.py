"""What is known of the checks on planted flaws, as a part of the record of a report."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from core.reporting.detection import read_detection
from core.reporting.exports.record import DetectionLimitsRecord, FlawRecord
from core.rules import Finding, Number
from core.statistics import wilson


def detection_limits(findings: Sequence[Finding], data: bytes) -> DetectionLimitsRecord:
    """What the file with the content `data` has about the rules of these findings.

    Raises `ValueError` if it is of another form.
    """
    record = read_detection(data)
    flaws = []
    for one in record.known(finding.rule for finding in findings):
        shares = {}
        for name, count, whole in (("found", one.found, one.planted), ("false_alarms", one.alarms, one.twins)):
            low, high = wilson(count, whole)
            value = {"name": name.replace("_", " "), "value": count / whole, "low": low, "high": high}
            shares[name] = Number.model_validate({**value, "n": whole, "counted": "models"})
        flaws.append(
            FlawRecord(
                flaw=one.flaw,
                rules=one.rules,
                found=shares["found"],
                false_alarms=shares["false_alarms"],
                found_count=one.found,
                false_alarm_count=one.alarms,
                weakest=one.weakest,
                scale=one.scale,
                thresholds=one.thresholds,
            )
        )
    sha256 = hashlib.sha256(data).hexdigest()
    measured = record.measured.isoformat()
    return DetectionLimitsRecord(version=record.version, sha256=sha256, measured=measured, flaws=tuple(flaws))
