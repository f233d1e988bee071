"""The report as data: each export is valid by its own tool, says what the findings say, and tells nothing private."""

from __future__ import annotations

import getpass
import json
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import junitparser
import pytest

from benchmarks import report_schema
from core.characters import legible
from core.content.context import ReportContext
from core.content.words import bounded
from core.findings import apply_rules, consensus_methods
from core.reporting.detection import FILE, detection_table
from core.reporting.exports.collect import record_of
from core.reporting.exports.files import EXPORTS, export_files
from core.reporting.exports.flaws import detection_limits
from core.reporting.exports.oscal import token
from core.reporting.exports.record import ReportRecord, schema_json
from core.rules import Context, Finding, Grade
from core.rules.finding import fingerprint
from core.rules.thresholds import load_thresholds
from core.runs import ApplicationPlan, Run
from core.runs.results import file_sha256
from core.runs.review import add_entry
from tests.support.export_checks import problems
from tests.support.made_run import made_run

HASH = "a" * 64


def recorded(run: Run, *more: Finding) -> ReportRecord:
    context = Context(run)
    findings = (*more, *apply_rules(context))
    report = ReportContext(context, findings, consensus=consensus_methods(context))
    return record_of(report, file_sha256(run.dataset.root / "dataset.json"))


def finding_of(run: Run, severity: str, part: str = "") -> Finding:
    image = run.dataset.images[0]
    return Finding.model_validate(
        {
            "id": f"reliance.border{part}", "rule": "reliance.border", "subject": "model", "title": "Made finding",
            "status": "finding", "severity": severity, "grade": Grade(impact=0.8, likelihood=0.5), "condition": "Seen.",
            "criterion": "Wanted.", "threshold": "made = 1", "n": 12, "effect": "Harm.", "recommendation": "Mend it.",
            "evidence": [
                {"name": "share", "value": 0.31, "low": 0.2, "high": 0.4, "n": 12, "counted": "images", "p": 0.004,
                 "test": "sign-flip test, Holm over methods"}
            ],
            "samples": [{"image": image.id, "image_name": image.name, "text": "a dog", "note": "+0.2"}],
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("exports")
    made = made_run(folder / "run", images=4, methods=("raw", "m2ib"), prefix="shape #1 %", failed=1)
    made.update_manifest(installed=[["Some_Package", "1.0", "MIT OR Apache-2.0"], ["other", "2.0+cpu", "BSD"]])
    return made


@pytest.fixture(scope="module")
def record(run: Run) -> ReportRecord:
    parts = (".border", ".corner", ".centre")
    return recorded(run, *(finding_of(run, *each) for each in zip(("high", "medium", "low"), parts, strict=True)))


@pytest.fixture(scope="module")
def files(record: ReportRecord) -> dict[str, bytes]:
    return export_files(record)


def loaded(files: dict[str, bytes], name: str) -> Any:
    return json.loads(files[name])


# -- valid, and seen to be invalid ---------------------------------------------------------------------------------


def test_the_published_schema_is_the_one_of_the_models() -> None:
    assert report_schema.FILE.read_bytes() == schema_json(), "run: PYTHONPATH=. python benchmarks/report_schema.py"
    schema = json.loads(schema_json())
    assert schema["$id"] == "urn:loupe:schema:report:1.2" and report_schema.FILE.name == "report-1.2.json"


def test_every_export_is_valid_by_its_own_tool(files: dict[str, bytes]) -> None:
    assert tuple(files) == EXPORTS and problems(files) == []


def without(*path: str | int) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]

    return change


def with_value(value: Any, *path: str | int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


RESULT = ("assessment-results", "results", 0)
BROKEN: tuple[tuple[str, Callable[[Any], None]], ...] = (
    ("report.json", without("findings", 0, "condition")),
    ("report.json", with_value("0.31", "findings", 0, "estimate", "value")),
    ("report.json", with_value(1, "colour")),
    ("findings.sarif", with_value("fatal", "runs", 0, "results", 0, "level")),
    ("findings.sarif", with_value("a space", "runs", 0, "artifacts", 0, "location", "uri")),
    ("findings.sarif", without("runs", 0, "tool", "driver", "name")),
    ("oscal-assessment-results.json", with_value("unsure", *RESULT, "findings", 0, "target", "status", "state")),
    ("oscal-assessment-results.json", with_value("no uuid", *RESULT, "observations", 0, "uuid")),
    ("oscal-assessment-results.json", with_value("a space", *RESULT, "findings", 0, "target", "target-id")),
    ("bom.cdx.json", with_value("00", "components", 0, "hashes", 0, "content")),
    ("bom.cdx.json", with_value("card", "metadata", "component", "modelCard", "modelParameters")),
    ("bom.cdx.json", with_value([], "metadata", "component", "colour")),
)


@pytest.mark.parametrize(("name", "change"), BROKEN, ids=[f"{at} {name}" for at, (name, _) in enumerate(BROKEN)])
def test_a_broken_document_is_seen(files: dict[str, bytes], name: str, change: Callable[[Any], None]) -> None:
    value = loaded(files, name)
    change(value)
    assert problems({name: json.dumps(value).encode()})


def test_a_duplicate_identifier_and_a_wrong_sum_are_seen(files: dict[str, bytes]) -> None:
    value = loaded(files, "oscal-assessment-results.json")
    observations = value["assessment-results"]["results"][0]["observations"]
    observations[0]["uuid"] = observations[1]["uuid"]
    assert problems({"oscal-assessment-results.json": json.dumps(value).encode()})
    told = files["junit.xml"].replace(b'failures="2"', b'failures="7"', 1)
    assert told != files["junit.xml"] and problems({"junit.xml": told})
    assert problems({"junit.xml": b"<testsuites><testsuite"})


# -- what they say ---------------------------------------------------------------------------------------------------


def test_the_report_as_data_has_every_outcome_with_its_numbers(record: ReportRecord, run: Run) -> None:
    first = record.findings[0]
    assert first.estimate is not None and (first.estimate.p, first.estimate.low) == (0.004, 0.2)
    assert (record.summary.high, record.opinion.opinion) == (1, "Concerns")
    severities = [one.severity for one in record.findings]
    assert [severities.count(word) for word in ("medium", "low")] == [record.summary.medium, record.summary.low]
    assert len(record.outcomes) == len({one.fingerprint for one in record.outcomes})
    assert all(one.needed in one.condition for one in record.inconclusive) and any(
        one.needed for one in record.inconclusive
    )
    assert record.run.plan_sha256 == run.plan.digest and record.run.incomplete.startswith("1 unit of 2 failed")
    assert record.model.digest == run.manifest["model"]["digest"] and record.data.shown[0].sha256
    (raw, m2ib) = record.methods
    assert (raw.name, raw.explanations, raw.images) == ("raw", 4, 2) and not m2ib.not_run
    states = {row.state for framework in record.requirements for row in framework.requirements}
    assert states <= {"supported", "in part", "unknown", "not addressed"} and "not addressed" in states
    bearing = next(row for each in record.requirements for row in each.requirements if first.id in row.outcomes)
    assert bearing.findings >= 3


def test_junit_fails_what_reaches_the_level_and_skips_what_is_undecided(record: ReportRecord) -> None:
    summary = record.summary
    failures = {"high": 1, "medium": 1 + summary.medium, "low": 1 + summary.medium + summary.low}
    assert len(set(failures.values())) == 3
    for level, count in failures.items():
        told = record.model_copy(update={"run": record.run.model_copy(update={"fail_on": level})})
        found = junitparser.JUnitXml.fromstring(export_files(told)["junit.xml"])
        assert found.failures == count
        assert found.tests == len(record.outcomes) and found.skipped == record.summary.inconclusive
    cases = {case.name.partition(":")[0]: case for suite in found for case in suite}
    assert cases["reliance.border.border"].classname == "reliance.border"
    (failure,) = cases["reliance.border.border"].result
    assert failure.type == "high" and "share: 0.31 [0.20, 0.40], n = 12" in failure.text
    for one in record.inconclusive:
        (skipped,) = cases[one.id].result
        assert skipped.message == f"cannot conclude: {legible(one.condition)}"


def test_sarif_has_the_findings_alone_with_stable_marks(files: dict[str, bytes], record: ReportRecord) -> None:
    (run,) = loaded(files, "findings.sarif")["runs"]
    assert [one["properties"]["finding"] for one in run["results"]] == [one.id for one in record.findings]
    assert [one["level"] for one in run["results"][:3]] == ["error", "warning", "note"]
    place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"].startswith("shape%20%231%20%25-") and place["uriBaseId"] == "IMAGES"
    artifact = run["artifacts"][place["index"]]
    assert artifact["location"]["uri"] == place["uri"] and re.fullmatch("[0-9a-f]{64}", artifact["hashes"]["sha-256"])
    told = {one["properties"]["finding"] for one in run["invocations"][0]["toolExecutionNotifications"]}
    assert told == {one.id for one in record.inconclusive}
    for one in run["results"]:
        assert run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
    assert run["results"][0]["rank"] == 40.0


def test_a_mark_follows_from_rule_and_subject_alone(run: Run, tmp_path: Path) -> None:
    other = made_run(tmp_path / "other", images=2, methods=("raw",), seed=7)
    one, two = finding_of(run, "high", ".a"), finding_of(other, "low", ".a")
    assert fingerprint(one) == fingerprint(two) != fingerprint(finding_of(run, "high", ".b"))


def test_oscal_has_no_finding_where_nothing_was_decided(files: dict[str, bytes], record: ReportRecord) -> None:
    (result,) = loaded(files, "oscal-assessment-results.json")["assessment-results"]["results"]
    states = [one["target"]["status"]["state"] for one in result["findings"]]
    assert states.count("not-satisfied") == len(record.findings) == len(result["risks"])
    assert states.count("satisfied") == len(record.passed)
    assert len(result["observations"]) == len(record.outcomes)
    props = {(prop["name"], prop["value"]) for prop in result["observations"][0]["props"]}
    assert {("estimate", "0.31"), ("interval-low", "0.2"), ("interval-high", "0.4"), ("p-adjusted", "0.004")} <= props
    controls = [each for one in result["reviewed-controls"]["control-selections"] for each in one["include-controls"]]
    addressed = [row for one in record.requirements for row in one.requirements if row.state != "not addressed"]
    assert len(controls) == len(addressed) and len({one["control-id"] for one in controls}) == len(controls)
    assert token("Art. 9(2), 9(6)") == "Art.-9-2-9-6" and token("8.4 (draft)") == "id-8.4-draft"


def test_decisions_of_the_review_are_in_the_exports(tmp_path: Path) -> None:
    made = made_run(tmp_path / "run", images=2, methods=("raw",))
    (made.folder / "findings.json").write_text("{}")
    findings = [finding_of(made, "high", part) for part in (".a", ".b", ".c", ".d")]
    untouched = export_files(recorded(made, *findings))
    add_entry(made, "Ada", "dismiss", findings[0].id, why="A known property of the scene")
    add_entry(made, "Ada", "accept", findings[1].id)
    add_entry(made, "Ada", "owner", findings[1].id, "Data team")
    add_entry(made, "Ada", "due", findings[1].id, "2027-03-31")
    add_entry(made, "Ada", "action", findings[1].id, "in progress")
    add_entry(made, "Ada", "action", findings[2].id, "verified")
    add_entry(made, "Ada", "comment", findings[3].id, why="Seen")
    record = recorded(made, *findings)
    files = export_files(record)
    assert problems(files) == []
    assert record.review is not None and (record.review.status, record.review.entries) == ("draft", 7)
    assert [one.decision for one in record.review.decisions] == ["dismissed", "accepted", "open"]
    (result,) = loaded(files, "oscal-assessment-results.json")["assessment-results"]["results"]
    assert [one["status"] for one in result["risks"][:4]] == ["closed", "remediating", "closed", "open"]
    assert result["risks"][1]["deadline"] == "2027-03-31T00:00:00Z"
    told = {prop["name"]: prop for prop in result["risks"][0]["props"]}
    assert told["decision"]["value"] == "dismissed" and told["decided-by"]["value"] == "Ada"
    assert told["decision"]["remarks"] == "A known property of the scene"
    (run,) = loaded(files, "findings.sarif")["runs"]
    (suppression,) = run["results"][0]["suppressions"]
    assert suppression["justification"].endswith("A known property of the scene")
    assert not any("suppressions" in one for one in run["results"][1:])
    # A person's decision changes neither what fails a pipeline nor anything else.
    assert files["junit.xml"] == untouched["junit.xml"] and files["bom.cdx.json"] == untouched["bom.cdx.json"]


def test_the_bill_names_model_data_and_packages(files: dict[str, bytes], record: ReportRecord) -> None:
    bill = loaded(files, "bom.cdx.json")
    model = bill["metadata"]["component"]
    assert model["type"] == "machine-learning-model" and model["hashes"][0]["content"] == record.model.weights_sha256
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert metrics[0]["value"] == "0.31" and metrics[0]["confidenceInterval"] == {
        "lowerBound": "0.2",
        "upperBound": "0.4",
    }
    parts = {one["bom-ref"]: one for one in bill["components"]}
    assert parts["dataset"]["hashes"][0]["content"] == record.data.sha256
    assert parts["pkg:pypi/some-package@1.0"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert parts["pkg:pypi/other@2.0%2Bcpu"]["licenses"] == [{"license": {"name": "BSD"}}]
    assert bill["metadata"]["properties"][1] == {"name": "loupe:packages_complete", "value": "true"}


def test_a_run_of_an_earlier_version_lists_the_packages_that_it_recorded(tmp_path: Path) -> None:
    record = recorded(made_run(tmp_path / "run", images=2, methods=("raw",)))
    assert not record.environment.complete
    assert [one.name for one in record.environment.packages] == ["numpy", "torch", "weasyprint"]
    assert record.run.fail_on == "medium" and problems(export_files(record)) == []


def test_an_application_of_another_version_is_told_by_its_name(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    plan = run.plan.model_copy(update={"applications": (ApplicationPlan(name="bygone"),)})
    plan.save(run.folder / "plan.json")
    record = recorded(Run(run.folder))
    assert [(one.title, one.state) for one in record.applications] == [("bygone", "open")]
    assert problems(export_files(record)) == []


# -- the same bytes, and nothing private -----------------------------------------------------------------------------


def test_nothing_of_machine_person_or_place_is_told(
    run: Run, record: ReportRecord, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = str(run.folder.parent)
    run.update_manifest(
        model={**run.manifest["model"], "name": f"{folder}/weights.pt"}, compare_with=[f"{folder}/another run"]
    )
    findings = [
        finding_of(run, level, part) for level, part in (("high", ".border"), ("medium", ".corner"), ("low", ".centre"))
    ]
    private = export_files(recorded(run, *findings))
    words = [folder, socket.gethostname(), str(tmp_path), "/home/", "/tmp/", "/root/"]
    words += [getpass.getuser()] if getpass.getuser() != "root" else []
    for name, data in private.items():
        assert not [word for word in words if word.encode() in data], name
    assert b"weights.pt" in private["report.json"]
    run.update_manifest(model={**run.manifest["model"], "name": "demo"})
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.chdir(tmp_path)
    assert export_files(recorded(run, *findings)) == files


def test_detection_limits_are_those_that_the_report_prints(record: ReportRecord, run: Run) -> None:
    limits = record.detection_limits
    assert limits is not None
    findings = [finding_of(run, "low"), *apply_rules(Context(run))]
    printed = detection_table(findings, load_thresholds())
    assert printed is not None and len(printed.rows) == len(limits.flaws) > 1
    for row, flaw in zip(printed.rows, limits.flaws, strict=True):
        assert row[0] == flaw.flaw
        for cell, count, share in zip(
            row[2:4], (flaw.found_count, flaw.false_alarm_count), (flaw.found, flaw.false_alarms), strict=True
        ):
            assert cell == f"{count} of {share.n} ({bounded(share.value, share.low, share.high)})"
            assert share.value == count / share.n
    assert json.loads(export_files(record)["report.json"])["detection_limits"]["version"] in printed.more


def test_a_count_of_the_file_changes_the_record(run: Run) -> None:
    findings = [finding_of(run, "low")]
    data = FILE.read_bytes()
    ours, theirs = (detection_limits(findings, each) for each in (data, data.replace(b"found = 30\n", b"found = 29\n")))
    assert ours != theirs and ours.sha256 != theirs.sha256
    assert [one.found_count - two.found_count for one, two in zip(ours.flaws, theirs.flaws, strict=True)] == [0, 1]
    for wrong in (b"", b"\xff", b"version = 1", b"a = " + b"[" * 100_000):
        with pytest.raises(ValueError):
            detection_limits(findings, wrong)
