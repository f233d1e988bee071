"""Rules on bottlenecks and on semantic regions: each outcome on planted numbers, and the sentence of the chapter."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import core.applications.information.rules as information
import core.applications.priors.rules as priors
from core.content.conclusions import conclusions
from core.findings.judgement import apply
from core.rules import Context, Finding, Rule
from core.runs import Run
from tests.findings.pinned import PINNED
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("chapters") / "run", images=2, methods=("raw",))


def noise(count: int) -> Any:
    """Values around 0, the same each time."""
    return np.linspace(-1, 1, count)


def nats(count: int, difference: float) -> pd.DataFrame:
    """Pairs of one side and weight whose own text retains `difference` nats more per patch."""
    rows = []
    for at, wiggle in enumerate(noise(count)):
        for kind, value in (("own", 1 + difference + 0.05 * wiggle), ("wrong", 1.0)):
            named = {"image": f"i{at}", "image_name": f"{at}.png", "side": "image", "kind": kind, "text": kind}
            numbers = {"price": 0.1, "seed": 0, "nats": 10 * value, "places": 10, "cosine": 0.2, "floor": 0.1}
            rows.append(named | numbers | {"score": 0.3})
    return pd.DataFrame(rows)


def regions(count: int, difference: float) -> pd.DataFrame:
    """Maps of one text per image; semantic regions are more faithful by `difference`."""
    rows = []
    for at, wiggle in enumerate(noise(count)):
        for prior, value in (("semantic", 0.3 + difference + 0.02 * wiggle), ("grid", 0.3)):
            named = {"image": f"i{at}", "image_name": f"{at}.png", "text": "a dog", "value": "similarity"}
            rows.append(named | {"way": "sentence", "prior": prior, "faithfulness": value})
    return pd.DataFrame(rows)


def judged(rule: Rule, run: Run) -> list[Finding]:
    return list(apply(rule, Context.of(run, thresholds=PINNED)))


CASES = [(12, 0.2, "passed"), (12, -0.2, "finding"), (12, 0.001, "cannot_conclude"), (4, 0.2, "cannot_conclude")]


@pytest.mark.parametrize(("count", "difference", "status"), CASES)
def test_own_texts_must_retain_more(
    run: Run, monkeypatch: pytest.MonkeyPatch, count: int, difference: float, status: str
) -> None:
    record = SimpleNamespace(pairs=nats(count, difference))
    monkeypatch.setattr(information, "of_run", lambda _: record)
    (finding,) = judged(information.TEXTS, run)
    expect(finding, status, count, difference)
    assert finding.id == "information.texts.image-0_1"


@pytest.mark.parametrize(("count", "difference", "status"), CASES)
def test_semantic_regions_must_be_more_faithful(
    run: Run, monkeypatch: pytest.MonkeyPatch, count: int, difference: float, status: str
) -> None:
    record = SimpleNamespace(maps=regions(count, difference))
    monkeypatch.setattr(priors, "of_run", lambda _: record)
    (finding,) = judged(priors.REGIONS, run)
    expect(finding, status, count, difference)
    assert finding.id == "priors.regions.grid"


def expect(finding: Finding, status: str, count: int, difference: float) -> None:
    assert (finding.status, finding.n, finding.unit, finding.subject) == (status, count, "images", "explanations")
    assert finding.evidence[0].value == pytest.approx(difference, abs=1e-9)
    assert conclusions([finding], finding.rule.split(".")[0]) == (f"{finding.title}. {finding.condition}",)
    if status == "finding":
        assert finding.grade is not None and finding.grade.likelihood == 1.0
        assert [sample.image for sample in finding.samples] == ["i0", "i1", "i2"] and not finding.counter
    else:
        assert finding.grade is None and not finding.samples


def test_without_a_record_the_questions_do_not_arise(run: Run) -> None:
    assert judged(information.TEXTS, run) == judged(priors.REGIONS, run) == []
