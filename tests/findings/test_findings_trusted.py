"""A method that fails a check is in no headline figure, sample or illustration, or the text states that it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.content.assets import Assets
from core.evaluation.summary import summarise
from core.findings import (
    consensus_methods,
    failed_methods,
    judge,
    methods_above_controls,
    trusted_methods,
    trusted_summary,
)
from core.findings.trusted import most_opposed, trusted_agreement
from core.reporting.document import build_report
from core.rules import Context
from core.runs import Run
from core.runs.run import RunSnapshot
from tests.findings.pinned import PINNED
from tests.support.contexts import context_of
from tests.support.made_run import made_run
from tests.support.made_sanity import made_sanity

METHODS = ("raw", "m2ib", "rise", "gradcam")
RISE = {"rise": {("model", "image_tower"): 0.9}}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_run(tmp_path / "run", images=14, methods=METHODS)


def test_a_failing_method_is_not_trusted_and_in_no_table_of_the_trusted(run: Run) -> None:
    summary = summarise(run)
    before = Context.of(run, summary, PINNED)
    assert trusted_methods(before) == METHODS and trusted_summary(before) is summary
    assert set(methods_above_controls(before)) == {"caption", "class"}
    assert all("rise" in methods and "raw" not in methods for methods in methods_above_controls(before).values())
    assert "rise" in consensus_methods(before)["class"] and consensus_methods(before)["prompt"] == METHODS
    made_sanity(run, RISE)
    context = Context.of(run, summary, PINNED)
    assert trusted_methods(context) == ("raw", "m2ib", "gradcam")
    assert not any("rise" in methods for methods in methods_above_controls(context).values())
    assert not any("rise" in methods for methods in consensus_methods(context).values())
    trusted = trusted_summary(context)
    for names in (trusted.trust.method, trusted.versus.method, trusted.agreement.a, trusted.agreement.b):
        assert "rise" not in set(names) and len(names)
    # The mean over pairs is that of the three others, and not the mean of the whole less one method.
    assert set(trusted_agreement(context)[1].methods) == {3} and set(summary.pair_agreement.methods) == {4}
    first = summary.pair_agreement.iloc[0]
    assert "rise" not in most_opposed(context, first.image, first.text)


def test_no_sample_of_a_rule_shows_a_failing_method_unless_the_finding_is_about_it(run: Run) -> None:
    made_sanity(run, RISE)
    findings = judge(run, summarise(run), PINNED)
    (own,) = [finding for finding in findings if finding.rule == "sanity.model"]
    assert own.status == "finding" and {name for sample in own.samples for name in sample.methods} == {"rise"}
    others = [finding for finding in findings if finding.rule != "sanity.model"]
    shown = [*(sample for finding in others for sample in (*finding.samples, *finding.counter))]
    assert not any("rise" in sample.methods for sample in shown)
    controls = next(finding for finding in others if finding.rule == "trust.controls")
    assert "of 3 for captions" in controls.title and "fail a check: RISE" in controls.condition
    assert not any("RISE" in number.name for number in controls.evidence)
    agreement = next(finding for finding in others if finding.rule == "agreement.methods")
    assert agreement.title.startswith("3 pairs of methods tested: ")
    assert not any("RISE" in number.name for number in agreement.evidence)


def test_the_report_marks_every_map_of_a_failing_method_and_draws_it_in_no_chart(run: Run) -> None:
    made_sanity(run, RISE)
    summary, assets = summarise(run), Assets()
    report = build_report(context_of(run, assets, summary=summary, findings=judge(run, summary, PINNED)))
    first, *others = report.gallery
    titles = [heat.title for row in first.rows for heat in row.heats]
    assert "RISE (fails a check)" in titles and "RISE" not in titles, "the first image shows all and says so"
    assert not any("RISE" in heat.title for sample in others for row in sample.rows for heat in row.heats)
    assert "marked as failing: RISE" in report.gallery_rule
    consensus = [heat.caption for row in first.rows for heat in row.heats if heat.title == "Consensus"]
    assert all("2 methods" in caption for caption in consensus) and consensus
    charts = [chart for section in (*report.trust, *report.annexes) for chart in section.charts][:3]
    assert len(charts) == 3
    assert all("fail a check: RISE" in chart.caption for chart in charts)
    for chart in charts:
        svg = assets.items[chart.asset]
        assert b">RISE<" not in (svg if isinstance(svg, bytes) else str(svg).encode())


def test_a_method_that_violates_completeness_is_not_trusted_either(run: Run) -> None:
    rows = run.results()
    rows["details"] = [
        json.dumps({"difference": 0.2, "residual": 0.1}) if method == "rise" else None for method in rows.method
    ]
    other = RunSnapshot(run.folder, {Run.results: rows})
    assert list(failed_methods(other, PINNED)) == ["rise"] and failed_methods(run, PINNED) == {}
    assert "rise" not in trusted_methods(Context.of(other, summarise(run), PINNED))
