"""What the rules about sums find, pass and leave open."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from core.evaluation.summary import Summary, summarise
from core.findings import Finding
from core.findings.sum_rules import parts_add_up, places_add_up
from core.runs import Run
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
    [(0.6, 10, "passed"), (0.5, 10, "passed"), (0.49, 10, "finding"), (0.1, 7, "cannot_conclude")],
)
def test_the_ceiling_is_judged(run: Run, summary: Summary, value: float, n: int, status: str) -> None:
    low = dataclasses.replace(summary, ceiling=Interval(value, value - 0.1, value + 0.1, n))
    finding = one(places_add_up(run, low, PINNED))
    assert finding.status == status
    assert finding.evidence[0].value == value


def test_samples_are_the_pairs_with_the_lowest_share(run: Run, summary: Summary) -> None:
    low = dataclasses.replace(summary, ceiling=Interval(0.2, 0.1, 0.3, 10))
    finding = one(places_add_up(run, low, PINNED))
    rows = run.results().drop_duplicates(["image", "text", "text_kind"]).dropna(subset=["additive_share"])
    best = rows.sort_values("additive_share")
    assert finding.samples[0].image == best.iloc[0].image
    assert finding.counter[0].image == best.iloc[-1].image


def test_without_coalitions_nothing_is_said(run: Run, summary: Summary) -> None:
    none = dataclasses.replace(summary, ceiling=Interval(None, None, None, 0))
    assert list(places_add_up(run, none, PINNED)) == []


def with_rest(run: Run, share: float) -> Run:
    """The run as if RISE were a method whose parts should sum to 0.2."""
    rows = run.results()
    told = json.dumps({"difference": 0.2, "residual": -0.2 * share})
    rows["details"] = [told if method == "rise" else None for method in rows.method]
    other = Run(run.folder)
    other.__dict__["plan"] = run.plan
    other.__dict__["results"] = lambda columns=None: rows if columns is None else rows[columns]
    return other


@pytest.mark.parametrize(("share", "status"), [(0.05, "passed"), (0.3, "finding")])
def test_a_rest_is_judged_beside_its_difference(run: Run, summary: Summary, share: float, status: str) -> None:
    finding = one(parts_add_up(with_rest(run, share), summary, PINNED))
    assert finding.status == status
    assert finding.id == "sums.rest.rise"
    assert finding.evidence[0].value == pytest.approx(share)
    if status == "finding":
        assert finding.samples[0].methods == ("rise",)


def test_methods_without_a_sum_are_left_alone(run: Run, summary: Summary) -> None:
    rows = run.results()
    rows["details"] = json.dumps({"coalitions": 96.0, "r2": 0.7})
    other = Run(run.folder)
    other.__dict__["results"] = lambda columns=None: rows if columns is None else rows[columns]
    assert list(parts_add_up(other, summary, PINNED)) == []
