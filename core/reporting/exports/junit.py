"""The outcomes as JUnit XML, for the test tab of a pipeline.

Written with the standard library: junitparser, by which the tests read it, gives other bytes where lxml is installed.
"""

from __future__ import annotations

from xml.etree import ElementTree

from core.characters import legible
from core.content.words import bounded
from core.reporting.exports.record import Outcome, ReportRecord
from core.rules.finding import SUBJECTS

RANK = {"note": 0, "low": 1, "medium": 2, "high": 3}


def junit(record: ReportRecord) -> bytes:
    """One suite per subject, one case per outcome.

    A finding of the severity `run.fail_on` or above is a failure; a milder one passes and is told in `system-out`. A
    check without a conclusion is skipped, with its reason.
    """
    suites = ElementTree.Element("testsuites", name=record.run.title)
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for subject, title in SUBJECTS.items():
        outcomes = sorted((one for one in record.outcomes if one.subject == subject), key=lambda one: one.id)
        if not outcomes:
            continue
        counts = {
            "tests": len(outcomes),
            "failures": sum(_fails(one, record) for one in outcomes),
            "errors": 0,
            "skipped": sum(one.verdict == "cannot_conclude" for one in outcomes),
        }
        totals = {name: totals[name] + count for name, count in counts.items()}
        told = {"name": f"About {title}", "timestamp": record.dated.removesuffix("Z")} | _texts(counts)
        suite = ElementTree.SubElement(suites, "testsuite", told)
        properties = ElementTree.SubElement(suite, "properties")
        for name, value in _properties(record).items():
            ElementTree.SubElement(properties, "property", name=name, value=value)
        for outcome in outcomes:
            _case(suite, outcome, record)
    suites.attrib |= _texts(totals)
    for element in suites.iter():
        element.attrib = {name: legible(value) for name, value in element.attrib.items()}
    ElementTree.indent(suites, " ")
    return ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n"


def _case(suite: ElementTree.Element, outcome: Outcome, record: ReportRecord) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=outcome.rule, name=f"{outcome.id}: {outcome.title}")
    if outcome.verdict == "cannot_conclude":
        ElementTree.SubElement(case, "skipped", message=f"cannot conclude: {outcome.condition}")
    elif _fails(outcome, record):
        failure = ElementTree.SubElement(case, "failure", type=outcome.severity, message=outcome.title)
        failure.text = legible(_body(outcome))
    elif outcome.verdict == "finding":
        told = ElementTree.SubElement(case, "system-out")
        below = f"finding of {outcome.severity} severity, below the level that fails ({record.run.fail_on})"
        told.text = legible(f"{below}\n{_body(outcome)}")


def _fails(outcome: Outcome, record: ReportRecord) -> bool:
    return outcome.verdict == "finding" and RANK[outcome.severity] >= RANK[record.run.fail_on]


def _body(outcome: Outcome) -> str:
    lines = [outcome.condition, f"Criterion: {outcome.criterion}", f"n = {outcome.n} {outcome.unit}"]
    lines += [f"{one.name}: {bounded(one.value, one.low, one.high, one.unit)}, n = {one.n}" for one in outcome.evidence]
    lines += [f"image: {one.image_name} {one.note}".rstrip() for one in outcome.samples]
    if outcome.recommendation:
        lines.append(f"Recommendation: {outcome.recommendation}")
    return "\n".join(lines)


def _properties(record: ReportRecord) -> dict[str, str]:
    return {
        "run": record.run.id,
        "model": record.model.title,
        "plan_sha256": record.run.plan_sha256,
        "fail_on": record.run.fail_on,
        "opinion": record.opinion.opinion,
    }


def _texts(counts: dict[str, int]) -> dict[str, str]:
    return {name: str(count) for name, count in counts.items()}
