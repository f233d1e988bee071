"""The chapter on assurance: what it prints of the review log, what is undeclared, and what checks are known to find."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from core.content.assets import Assets
from core.content.context import ReportContext
from core.content.parts import Report, Section
from core.findings import Finding, apply_rules, consensus_methods, every_rule, save_findings
from core.findings.earlier import keep_earlier
from core.reporting.assurance import LEVELS, assurance, status_line
from core.reporting.detection import detection_record, detection_sentence, detection_table, limits_of_rule
from core.reporting.document import build_report
from core.reporting.evidence import run_parts, write_evidence
from core.reporting.html import FULL, STAKEHOLDER, render_html
from core.reporting.inspection import check_bundle
from core.reporting.register import bounds, short_by_plan
from core.rules import Context
from core.rules.writing import NO_BREAK
from core.runs import Run
from core.runs.parts import ApplicationPlan
from core.runs.review import REVIEW, add_entry, load_review, note_review
from core.runs.run import RunSnapshot
from core.statistics import wilson
from tests.findings.pinned import PINNED, with_values
from tests.support.made_run import made_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = made_run(tmp_path / "run", images=4, methods=("raw", "rise"), failed=1)
    save_findings(run, tuple(apply_rules(Context(run))))
    return run


def context_of(run: Run) -> ReportContext:
    judged = Context(run)
    findings = tuple(apply_rules(judged))
    return ReportContext(judged, findings, Assets(), consensus_methods(judged))


def facts(section: Section) -> dict[str, str]:
    return {fact.name: fact.value for fact in section.facts}


def pages(context: ReportContext) -> tuple[Report, str, str]:
    report = build_report(context)
    each = [render_html(report, context.assets, standalone=False, edition=name) for name in (FULL, STAKEHOLDER)]
    full, short = (page.replace(NO_BREAK, " ") for page in each)
    return report, full, short


def test_what_nobody_declared_is_said_to_be_undeclared(run: Run) -> None:
    context = context_of(run)
    assert status_line(context) == "1, draft. Addressee: not declared. Valid until: not declared."
    engagement, actions = assurance(context)
    told = facts(engagement)
    for name in ("Addressee", "Assurance level", "Independence", "Valid until", "Distribution"):
        assert told[name] == "not declared", name
    assert told["Version and status"] == "1, draft"
    assert engagement.sentences == ("The review log has no entry.",)
    sentence = "No decision, owner, due date or response is recorded for any finding."
    assert actions.sentences == (sentence,) and not actions.tables
    _, full, short = pages(context)
    assert "1, draft. Addressee: not declared. Valid until: not declared." in full
    assert "1, draft. Addressee: not declared. Valid until: not declared." in short
    assert "to be filled in" not in full and "status open" in full


def test_the_report_says_what_the_log_says(run: Run) -> None:
    item, other = [finding for finding in context_of(run).findings if finding.status == "finding"][:2]
    add_entry(run, "Ada", "addressee", value="The board")
    add_entry(run, "Ada", "assurance", value="limited")
    add_entry(run, "Ada", "independence", value="No ties to the provider")
    add_entry(run, "Ada", "validity", value="2027-12-31")
    add_entry(run, "Ada", "dismiss", item.id, why="Known <b>since</b> March")
    add_entry(run, "Ada", "owner", other.id, "Dora")
    add_entry(run, "Ada", "action", other.id, "in progress")
    add_entry(run, "Ada", "comment", other.id, why="Seen in May as well")
    add_entry(run, "Ada", "owner", "gone.rule", "Emil")
    add_entry(run, "Ben", "reviewed")
    add_entry(run, "Cleo", "approved", why="All read")
    add_entry(run, "Cleo", "distribution", value="The supervisor")
    context = context_of(run)
    engagement, actions, log = assurance(context)
    told = facts(engagement)
    assert told["Version and status"] == "1, approved" and told["Assurance level"] == LEVELS["limited"]
    assert told["Independence"].startswith("No ties to the provider (declared by Ada on 20")
    assert (told["Addressee"], told["Valid until"], told["Distribution"]) == (
        "The board", "2027-12-31", "The supervisor",
    )  # fmt: skip
    assert "not verified for 12 of 12 entries" in engagement.sentences[0]
    rows = {row[0]: row[1:] for row in actions.tables[0].rows}
    assert (
        rows[item.title][3].startswith("dismissed by Ada on 20") and "Known <b>since</b> March" in rows[item.title][3]
    )
    assert rows[other.title][0] == "Dora" and rows[other.title][3] == "open; action: in progress"
    assert rows["gone.rule (not a finding of this report)"][0] == "Emil"
    assert "A dismissed finding stays in the register and counts as before" in actions.sentences[0]
    assert [row[2] for row in log.tables[0].rows] == [
        "Addressee: The board", "Assurance level: limited", "Independence: No ties to the provider",
        "Valid until: 2027-12-31", f"Dismissed: {item.id}", "Reviewed", "Approved", "Distributed to: The supervisor",
    ]  # fmt: skip
    report, full, short = pages(context)
    assert report.date == load_review(run).entries[-1].at[:10] > "2026-01-15"
    control = {fact.name: fact.value for fact in report.cover.control if fact.signs}
    assert control["Prepared by"] == "A. Preparer" and control["Reviewed by"].startswith("Ben, 20")
    assert control["Approved by"].startswith("Cleo, 20")
    for page in (full, short):
        assert "1, approved. Addressee: The board. Valid until: 2027-12-31." in page
    # Long words may break at their joints.
    assert "Known &lt;b&gt;since&lt;/b&gt; March" in full.replace("\u200b", "").replace("<wbr>", "")
    assert "<b>since" not in full
    assert f"Dismissed in the review, for the reason stated with each finding: {item.id}." in full
    assert f"Dismissed in the review: 1 of 2 findings, \u201c{item.title}\u201d." in report.overview.reason
    # The opinion and the number of findings do not follow from the review.
    (run.folder / REVIEW).unlink()
    plain = build_report(context_of(run))
    assert "Dismissed" not in plain.overview.reason
    assert (plain.overview.opinion, plain.overview.counts) == (report.overview.opinion, report.overview.counts)


def test_an_approval_of_other_findings_is_said_to_be_one(run: Run) -> None:
    path = run.folder / "findings.json"
    whole = path.read_bytes()
    path.write_bytes(b"[]\n")
    add_entry(run, "Ben", "reviewed")
    add_entry(run, "Cleo", "approved")
    path.write_bytes(whole)
    assert status_line(context_of(run)).startswith(
        "1, approved (other findings than those of this report were approved). Addressee"
    )


def test_changes_since_an_earlier_run_are_a_section(run: Run, tmp_path: Path) -> None:
    keep_earlier(run, made_run(tmp_path / "before", images=4, methods=("raw", "rise")))
    (section,) = [one for one in assurance(context_of(run)) if one.title == "Changes since the earlier run"]
    assert "The earlier run “before”, which ended 2026-01-15 09:41 UTC, has the same plan" in section.sentences[0]
    assert "Weights and program are the same." in section.sentences[0]
    assert section.sentences[1].startswith("Of ") and " new" in section.sentences[1]
    columns = [column.title for column in section.tables[0].columns]
    assert columns == ["Finding", "Change", "Before", "Now"]
    assert any(row[1] == "new" and row[3].startswith("finding, ") for row in section.tables[0].rows)


def test_the_bundle_holds_the_log_and_checks_it(run: Run, tmp_path: Path) -> None:
    add_entry(run, "Ada", "comment", why="one")
    add_entry(run, "Ada", "comment", why="two")
    note_review(run)
    context = context_of(run)
    write_evidence(run, context.summary, context.findings, tmp_path / "evidence.zip")
    # What is entered later is no change of the run as it was reported.
    add_entry(run, "Ben", "comment", why="later")
    assert REVIEW not in dict(run_parts(run))

    def inspected(change: bytes | None) -> list[str]:
        """The problems of the bundle with another log, and the sums to fit."""
        target = tmp_path / "changed.zip"
        with zipfile.ZipFile(tmp_path / "evidence.zip") as old, zipfile.ZipFile(target, "w") as new:
            files = {name: old.read(name) for name in old.namelist() if name != "SHA256SUMS"}
            if change is None:
                del files[REVIEW]
            else:
                files[REVIEW] = change
            sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
            files["SHA256SUMS"] = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()
            for name, data in files.items():
                new.writestr(name, data)
        (tmp_path / "records").mkdir(exist_ok=True)
        problems: list[str] = check_bundle(b"", str(target), str(tmp_path / "records"))[0]["problems"]
        return problems

    with zipfile.ZipFile(tmp_path / "evidence.zip") as bundle:
        log = bundle.read(REVIEW)
    assert [line for line in inspected(log) if "review" in line] == []
    lines = log.splitlines(keepends=True)
    assert len(lines) == 2
    for change, message in (
        (None, "has 0 of the 2 entries"),
        (lines[0], "has 1 of the 2 entries"),
        (log.replace(b"two", b"TWO"), "line 2 was changed after it was written"),
    ):
        assert any(message in line for line in inspected(change)), message


# -- detection limits --------------------------------------------------------------------------------------------


def test_every_detection_limit_is_about_rules_that_exist() -> None:
    rules = [rule.id for rule in every_rule()]
    record = detection_record()
    for one in record.limit:
        assert one.found <= one.planted and one.alarms <= one.twins
        assert all(
            any(part == rule or (part.endswith(".*") and rule.startswith(part[:-1])) for rule in rules)
            for part in one.rules
        )
    assert {one.flaw for one in limits_of_rule("sanity.seed")} >= {"constant map", "shuffled patches of a map"}
    assert limits_of_rule("prompts.templates") == () and detection_sentence("prompts.templates", ()) == ""


def test_the_figures_are_those_of_the_published_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "planted.md").read_text(encoding="utf-8")
    for one in detection_record().limit:
        low, high = wilson(one.found, one.planted)
        assert f"| {one.found}/{one.planted} ({low:.2f} to {high:.2f})" in page, one.flaw
        low, high = wilson(one.alarms, one.twins)
        assert f"| {one.alarms}/{one.twins} ({low:.2f} to {high:.2f}) |" in page, one.flaw


def test_the_sentence_gives_counts_and_intervals() -> None:
    assert detection_sentence("words.merged", ()) == (
        "Detection rate: planted flaws of the kind “word with the embedding of another word” were found in "
        "19 of 20 (0.95 [0.76, 0.99]); clean models were reported in 0 of 20 (0.00 [0.00, 0.16])."
    )
    # Of several kinds, the one that is known least well to be found.
    told = detection_sentence("reliance.alone", ["reliance.alone"])
    assert "“mark in a corner” were found in 23 of 23" in told
    assert " The rate counts what this check or another of its group found; it does not show that this check" in told
    assert "another of its group" not in detection_sentence("words.merged", ())


def test_a_rate_says_what_it_owes_to_checks_that_this_audit_did_not_carry_out(run: Run) -> None:
    alone = detection_sentence("trust.controls", ["trust.controls", "data.refused"])
    assert alone.endswith(" The rate includes what checks found that this audit did not carry out: sanity.*.")
    # The companion: with these checks nothing is missing.
    assert "did not carry out" not in detection_sentence("trust.controls", ["trust.controls", "sanity.seed"])
    findings = context_of(run).findings
    rules = {finding.rule for finding in findings}
    assert not any(rule.startswith("sanity.") for rule in rules)
    table = detection_table(findings, PINNED)
    assert table is not None
    assert any("sanity.* (not run)" in str(row[1]) for row in table.rows)
    assert not any(f"{rule} (not run)" in str(row[1]) for row in table.rows for rule in rules)


def test_the_table_lists_only_checks_of_this_report(run: Run) -> None:
    findings = context_of(run).findings
    table = detection_table(findings, PINNED)
    assert table is not None
    flaws = {row[0] for row in table.rows}
    assert "truncated files" in flaws and "printed words that determine the class" not in flaws
    assert "version 1 of the thresholds" in table.more and detection_table((), PINNED) is None
    assert json.dumps([row[2] for row in table.rows]).count("[") > len(table.rows)
    assert all(row[5].endswith(", v1") for row in table.rows)


def test_the_table_states_which_limits_changed_since_the_figures_were_measured() -> None:
    one = next(each for each in detection_record().limit if each.flaw == "truncated files")
    assert one.changes(PINNED) == "same limits"
    other = with_values(PINNED, {"data.refused.most_share": 0.5})
    assert one.changes(other) == "data.refused.most_share 0, now 0.5"
    few = next(each for each in detection_record().limit if each.planted < 10)
    assert few.changes(PINNED) == "limits not recorded" and few.recall == f"{few.found} of {few.planted}"
    assert detection_sentence(few.rules[0], ()).startswith("Detection rate: not known.")
    edges = next(each for each in detection_record().limit if "edges" in each.flaw)
    assert "sanity.least_images 4, now 7" in edges.changes(PINNED) and "each kind of text" in edges.changes(PINNED)


def test_checks_that_the_plan_gave_too_few_images_are_counted_with_the_option_that_gives_more(run: Run) -> None:
    name, rule = "information", "information.texts"
    planned = run.plan.model_copy(
        update={
            "applications": (ApplicationPlan(name=name, options={"forwards": 2300}),),
            "images": tuple(f"i{at}" for at in range(40)),
        }
    )
    other = RunSnapshot(run.folder)
    other.__dict__["plan"] = planned

    def told(n: int) -> str:
        one = Finding(
            id=f"{rule}.x", rule=rule, subject="explanations", title="t", status="cannot_conclude", severity="note",
            condition="c", criterion="k", threshold="", n=n, unit="images",
        )  # fmt: skip
        return short_by_plan(ReportContext(Context.of(other, thresholds=PINNED), (one,)))

    least = int(PINNED["general.least_images"])
    short = told(least - 1)
    assert short.startswith("1 of these 1 checks could not have been decided")
    assert f"1 check on {least - 1} images (--option information.forwards=N, here 2300)" in short
    assert told(least) == ""


def test_only_options_that_bound_the_images_are_named_as_giving_more(run: Run) -> None:
    options = {"forwards": 600, "budget": 64, "images": 0, "masks": 192}
    # `word_maps.budget` is coalitions of words; no bound is no reason for few images.
    assert bounds(options) == ["forwards"]
    # The companion: a bound by number is named.
    assert bounds({**options, "images": 6}) == ["forwards", "images"]
