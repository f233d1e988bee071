"""What the rules about sums find, pass and leave open."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from core.evaluation.summary import Summary, summarise
from core.findings import Finding
from core.findings.judgement import apply
from core.findings.sum_rules import ADDITIVE, COMPLETE
from core.languages import typeset
from core.rules import Context
from core.runs import Run
from core.runs.run import RunSnapshot
from core.statistics import Interval
from tests.findings.pinned import PINNED
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("sums") / "run", images=10, methods=("raw", "m2ib", "rise"))


@pytest.fixture(scope="module")
def summary(run: Run) -> Summary:
    return summarise(run)


def one(found: Any) -> Finding:
    (finding,) = found
    return finding


@pytest.mark.parametrize(
    ("value", "n", "status"),
    [(0.61, 10, "passed"), (0.5, 10, "cannot_conclude"), (0.39, 10, "finding"), (0.1, 7, "cannot_conclude")],
)
def test_the_ceiling_is_judged(run: Run, summary: Summary, value: float, n: int, status: str) -> None:
    low = dataclasses.replace(summary, ceiling=Interval(value, value - 0.1, value + 0.1, n))
    finding = one(apply(ADDITIVE, Context.of(run, low, PINNED)))
    assert finding.status == status
    assert finding.evidence[0].value == value
    if n == 10:
        ends = typeset(f"{value:.0%} [{value - 0.1:.0%}, {value + 0.1:.0%}]")
        assert finding.condition.count(f"explains {ends} of the variance") == 1


def test_samples_are_the_pairs_with_the_lowest_share(run: Run, summary: Summary) -> None:
    low = dataclasses.replace(summary, ceiling=Interval(0.2, 0.1, 0.3, 10))
    finding = one(apply(ADDITIVE, Context.of(run, low, PINNED)))
    rows = run.results().drop_duplicates(["image", "text", "text_kind"]).dropna(subset=["additive_share"])
    # Every pair of the made run lies above the limit: none shows the finding, whatever the summary says.
    best = rows.sort_values("additive_share")
    assert finding.samples == () and finding.counter[0].image == best.iloc[-1].image
    assert finding.samples == () and all(float(one.note.split()[1]) >= 0.5 for one in finding.counter)


def test_without_coalitions_nothing_is_said(run: Run, summary: Summary) -> None:
    none = dataclasses.replace(summary, ceiling=Interval(None, None, None, 0))
    assert list(apply(ADDITIVE, Context.of(run, none, PINNED))) == []


def with_rest(run: Run, share: float) -> Run:
    """The run as if RISE were a method whose parts should sum to 0.2."""
    rows = run.results()
    told = json.dumps({"difference": 0.2, "residual": -0.2 * share})
    rows["details"] = [told if method == "rise" else None for method in rows.method]
    return RunSnapshot(run.folder, {Run.results: rows})


@pytest.mark.parametrize(("share", "status"), [(0.05, "passed"), (0.3, "finding")])
def test_a_rest_is_judged_beside_its_difference(run: Run, summary: Summary, share: float, status: str) -> None:
    finding = one(apply(COMPLETE, Context.of(with_rest(run, share), summary, PINNED)))
    assert finding.status == status
    assert finding.id == "sums.rest.rise"
    assert finding.evidence[0].value == pytest.approx(share)
    if status == "finding":
        assert finding.samples[0].methods == ("rise",)


def test_methods_without_a_sum_are_left_alone(run: Run, summary: Summary) -> None:
    rows = run.results()
    rows["details"] = json.dumps({"coalitions": 96.0, "r2": 0.7})
    other = RunSnapshot(run.folder, {Run.results: rows})
    assert list(apply(COMPLETE, Context.of(other, summary, PINNED))) == []


def test_one_image_with_a_tiny_difference_does_not_decide_completeness(run: Run, summary: Summary) -> None:
    """A residual of 0.02 beside a difference of 0.002 is 1,000 %, and once made a mean of 257 % by itself."""
    small = run.plan.images[0]
    rows = run.results()
    rows["details"] = [
        json.dumps({"difference": 0.002 if image == small else 0.2, "residual": 0.02 if image == small else 0.004})
        if method == "rise" else None
        for image, method in zip(rows.image, rows.method, strict=True)
    ]  # fmt: skip
    other = RunSnapshot(run.folder, {Run.results: rows})
    finding = one(apply(COMPLETE, Context.of(other, summary, PINNED)))
    value = finding.evidence[0].value
    assert value is not None and value == pytest.approx((0.02 + 9 * 0.004) / (0.002 + 9 * 0.2)) and value < 0.05
    assert finding.status != "finding"
