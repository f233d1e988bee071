"""Maps that show nothing, and orders of methods that hang on how places are hidden."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.evaluation.agreement import order_agreement
from core.evaluation.summary import Summary, summarise
from core.findings.judgement import apply
from core.findings.map_rules import CONSTANT, ORDER
from core.rules import Context
from core.runs import Run
from core.runs.run import RunSnapshot
from core.statistics import FEWEST_PAIRS
from tests.findings.pinned import PINNED
from tests.support.made_run import made_run

METHODS = ("raw", "gradcam", "rise", "m2ib", "lime")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("maps") / "run", images=10, methods=METHODS)


@pytest.fixture(scope="module")
def summary(run: Run) -> Summary:
    return summarise(run)


def changed(run: Run, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Run:
    """The run with other rows."""
    rows = change(run.results())
    return RunSnapshot(run.folder, {Run.results: rows})


def flattened(share: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        images = sorted(set(rows.image))
        chosen = rows.image.isin(images[: round(share * len(images))]) & (rows.method == "rise")
        rows["map"] = [
            np.full_like(np.asarray(values, float), 0.3) if flat and values is not None else values
            for values, flat in zip(rows["map"], chosen, strict=True)
        ]
        return rows

    return change


def test_maps_that_vary_pass(run: Run, summary: Summary) -> None:
    (finding,) = apply(CONSTANT, Context.of(run, summary, PINNED))
    assert finding.status == "passed" and finding.evidence[0].value == 0


def test_a_few_constant_maps_are_neither_passed_nor_found(run: Run, summary: Summary) -> None:
    (finding,) = apply(CONSTANT, Context.of(changed(run, flattened(0.1)), summary, PINNED))
    assert finding.status == "cannot_conclude" and "Undecided: RISE" in finding.condition
    assert finding.title == "Inconclusive: the maps of 4 of 5 methods vary; 1 undecided"


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_a_method_whose_maps_show_nothing_is_named(run: Run, summary: Summary, share: float) -> None:
    (finding,) = apply(CONSTANT, Context.of(changed(run, flattened(share)), summary, PINNED))
    assert finding.status == "finding" and finding.title == "Constant, uninformative maps: RISE"
    assert finding.evidence[0].value == pytest.approx(share) and len(finding.evidence) == 1
    assert {sample.methods for sample in finding.samples} == {("rise",)}


def test_too_few_images_say_nothing_of_maps(run: Run, summary: Summary) -> None:
    def few(rows: pd.DataFrame) -> pd.DataFrame:
        return rows[rows.image.isin(sorted(set(rows.image))[:5])]

    (finding,) = apply(CONSTANT, Context.of(changed(run, few), summary, PINNED))
    assert finding.status == "cannot_conclude"


def test_one_way_of_hiding_is_no_comparison(run: Run, summary: Summary) -> None:
    def once(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(blur_faithfulness=np.nan, road_faithfulness=np.nan)

    assert list(apply(ORDER, Context.of(changed(run, once), summary, PINNED))) == []


def ordered(sign: float, methods: int = FEWEST_PAIRS) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """`methods` methods, each at its own level, by blurring in the same order or turned round."""

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        one = rows[(rows.kind == "method") & (rows.method == METHODS[0])]
        rows = pd.concat([one.assign(method=f"m{at}", level=0.1 * at) for at in range(methods)], ignore_index=True)
        return rows.assign(faithfulness=rows.level, blur_faithfulness=sign * rows.level, road_faithfulness=np.nan)

    return change


@pytest.mark.parametrize(("sign", "status"), [(1.0, "passed"), (-1.0, "finding")])
def test_an_order_that_turns_round_is_found(run: Run, summary: Summary, sign: float, status: str) -> None:
    (finding,) = apply(ORDER, Context.of(changed(run, ordered(sign)), summary, PINNED))
    assert (finding.id, finding.status) == ("trust.hiding.blur", status)
    assert finding.evidence[0].value == pytest.approx(sign)


def test_few_methods_have_no_order(run: Run, summary: Summary) -> None:
    few = FEWEST_PAIRS - 1
    (finding,) = apply(ORDER, Context.of(changed(run, ordered(-1.0, few)), summary, PINNED))
    assert finding.status == "cannot_conclude" and f"{few} methods on 10 images" in finding.condition
    assert finding.evidence[0].low is None


@settings(deadline=None)
@given(st.permutations(range(5)))
def test_the_order_is_that_of_the_means(order: list[int]) -> None:
    told: list[dict[str, Any]] = [
        {"image": str(image), "method": str(method), "faithfulness": method + 0.01 * image, "other": order[method]}
        for image in range(4)
        for method in range(5)
    ]
    found, images = order_agreement(pd.DataFrame(told), "other")
    # Spearman's formula for ranks without ties.
    gaps = sum((at - rank) ** 2 for at, rank in enumerate(order))
    assert found.value == pytest.approx(1 - 6 * gaps / (5 * 24)) and images == 4
    # The interval is over methods, of which five are too few.
    assert (found.n, found.counted, found.low) == (5, "methods", None)
