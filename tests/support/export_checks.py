"""Each export of a report checked by its own tool: schema, junitparser, SARIF's schema, trestle, CycloneDX."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import junitparser

from core.reporting.exports.record import schema_json

SARIF_SCHEMA = Path(__file__).parent / "schemas" / "sarif-2.1.0.json"


def problems(files: Mapping[str, bytes]) -> list[str]:
    """What the tools complain of in these exports, by name; empty if all are valid."""
    return [f"{name}: {line}" for name, data in files.items() for line in CHECKS[name](data)]


def report_problems(data: bytes) -> list[str]:
    return [error.message[:200] for error in _report_validator().iter_errors(json.loads(data))]


def junit_problems(data: bytes) -> list[str]:
    """junitparser takes whatever is JUnit; the sums that it works out have to be those that stand in the file."""
    try:
        found = junitparser.JUnitXml.fromstring(data)
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
    if not isinstance(found, junitparser.JUnitXml):
        return ["it has no testsuites"]
    told = [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in (found, *found)]
    for suite in found:
        suite.update_statistics()
    found.update_statistics()
    counted = [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in (found, *found)]
    return [] if told == counted else [f"its sums are {told}, its cases give {counted}"]


def sarif_problems(data: bytes) -> list[str]:
    return [error.message[:200] for error in _sarif_validator().iter_errors(json.loads(data))]


def oscal_problems(data: bytes) -> list[str]:
    # The factory has to come first: the modules of the validators import each other through it.
    from trestle.core import validator_factory  # noqa: F401
    from trestle.core.duplicates_validator import DuplicatesValidator
    from trestle.core.refs_validator import RefsValidator
    from trestle.oscal.assessment_results import AssessmentResults

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        path.write_bytes(data)
        try:
            found = AssessmentResults.oscal_read(path)
        except Exception as error:
            return [f"{type(error).__name__}: {error}"[:400]]
    validators = (DuplicatesValidator(), RefsValidator())
    return [type(each).__name__ for each in validators if not each.model_is_valid(found, True)]


def bom_problems(data: bytes) -> list[str]:
    error = _bom_validator().validate_str(data.decode())
    return [] if error is None else [str(error)[:400]]


@cache
def _report_validator() -> Any:
    return jsonschema.Draft202012Validator(json.loads(schema_json()))


@cache
def _sarif_validator() -> Any:
    schema = json.loads(SARIF_SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())


@cache
def _bom_validator() -> Any:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6)


CHECKS = {
    "report.json": report_problems,
    "junit.xml": junit_problems,
    "findings.sarif": sarif_problems,
    "oscal-assessment-results.json": oscal_problems,
    "bom.cdx.json": bom_problems,
}
