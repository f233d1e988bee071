"""Agreement of methods in the report, and the bound that sampling noise sets to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.content.parts import Section
from core.content.words import share
from core.evaluation.agreement import most_correlation
from core.evaluation.summary import summary_of
from core.findings import reliability_of
from core.methods import METHODS
from core.reporting.agreement import _habit, agreement_section, incomparable_sentences
from core.rules import Context
from core.runs import Run
from core.statistics import spearman
from tests.support.contexts import context_of
from tests.support.made_run import made_run
from tests.support.made_sanity import made_sanity

NAMES = ("raw", "rise", "kernel_shap")


def section_of(run: Run) -> Section:
    return agreement_section(context_of(run))


def bounds(section: Section) -> dict[frozenset[str], str]:
    (table,) = section.tables
    at = [column.title for column in table.columns].index("Upper bound")
    return {frozenset(cell.removesuffix(" (fails a check)") for cell in row[:2]): row[at] for row in table.rows}


def pair(a: str, b: str) -> frozenset[str]:
    return frozenset({METHODS[a].title, METHODS[b].title})


def test_noise_attenuates_correlation_by_the_square_root_of_the_reliabilities() -> None:
    random = np.random.default_rng(0)
    true = random.normal(size=(40, 400))
    # Two methods that measure the same, with noise of their own at each seed.
    first, second = ([true + size * random.normal(size=true.shape) for _ in range(2)] for size in (1.5, 0.7))

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([spearman(x, y) or 0.0 for x, y in zip(a, b, strict=True)]))

    bound = most_correlation(mean(*first), mean(*second))
    assert mean(first[0], second[0]) == pytest.approx(bound, abs=0.02)
    assert mean(first[0], second[0]) < mean(*second) - 0.1
    assert abs(mean(first[0], second[0]) - mean(*first) * mean(*second)) > 0.1, "not the product"


def test_the_bound_of_each_pair_follows_from_the_seeds(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=6, methods=NAMES)
    record = made_sanity(run, {"rise": {("seed", ""): 0.48}, "kernel_shap": {("seed", ""): 0.17}})
    seeds = {name: record.of(name, "seed").groupby("image")["value"].mean().mean() for name in NAMES[1:]}
    got = bounds(section_of(run))
    assert got[pair("rise", "kernel_shap")] == f"{np.sqrt(seeds['rise'] * seeds['kernel_shap']):.2f}"
    assert got[pair("raw", "rise")] == f"{np.sqrt(seeds['rise']):.2f}"
    (sentence,) = [text for text in section_of(run).sentences if "reliabilit" in text]
    assert f"KernelSHAP {seeds['kernel_shap']:.2f}" in sentence and f"RISE {seeds['rise']:.2f}" in sentence
    assert "is not known" not in sentence
    assert reliability_of(run, NAMES) == pytest.approx({"raw": 1.0, **seeds})


def test_a_reliability_below_0_counts_as_0(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=6, methods=NAMES)
    made_sanity(run, {"rise": {("seed", ""): -0.2}})
    assert bounds(section_of(run))[pair("raw", "rise")] == "0.00"


def test_without_sanity_checks_the_bound_is_not_known(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=6, methods=NAMES)
    section = section_of(run)
    assert set(bounds(section).values()) == {"not known"}
    (sentence,) = [text for text in section.sentences if "reliabilit" in text]
    assert "Not measured, so that the bound is not known: KernelSHAP, RISE." in sentence
    assert "Measured by the sanity checks" not in sentence
    assert reliability_of(run, NAMES) == {"raw": 1.0}


def test_methods_that_draw_nothing_have_no_such_bound(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=6, methods=("raw", "gradcam"))
    section = section_of(run)
    assert set(bounds(section).values()) == {"1.00"}
    assert any("None of these methods draws random numbers" in text for text in section.sentences)


def test_pairs_that_cannot_be_compared_are_counted_and_named(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=6, methods=NAMES)
    assert not any("have no correlation" in text for text in section_of(run).sentences)
    rows = run.results()
    constant = rows.assign(
        map=[
            [0.5] * len(values) if method == "rise" else values
            for method, values in zip(rows["method"], rows["map"], strict=True)
        ]
    )
    context = context_of(run)
    summary = summary_of(constant, run.plan)
    assert len(summary.agreement) == 1
    assert incomparable_sentences(summary) == (
        f"{share(2, 3)} pairs of methods with maps have no correlation: 2 because wherever both methods have a "
        "map, one of the two is constant and has no order (KernelSHAP with RISE; Raw similarity with RISE).",
    )
    alone = summary_of(constant[constant["method"] != "raw"], run.plan)
    section = agreement_section(replace(context, judged=Context.of(run, alone)))
    assert alone.agreement.empty and not section.tables and "1 of 1" in section.sentences[0]


@pytest.mark.parametrize(
    ("habit", "pairs", "sentence"),
    [
        (0, 1, "The only pair of methods agrees more on the same image than on different ones"),
        (1, 1, "The only pair of methods is not shown to agree more on the same image than on different ones"),
        (0, 3, "Every pair of methods agrees more on the same image than on different ones"),
        (3, 3, "No pair of methods is shown to agree more on the same image than on different ones"),
        (1, 3, "1 of 3 (33 %) pairs of methods are not shown to agree more on the same image than on different ones"),
    ],
)
def test_agreement_by_habit_is_a_sentence_for_any_number_of_pairs(habit: int, pairs: int, sentence: str) -> None:
    assert _habit(habit, pairs) == sentence


def test_a_single_pair_is_a_sentence_and_no_chart(tmp_path: Path) -> None:
    run = made_run(tmp_path / "one", images=8, methods=("raw", "rise"))
    section = agreement_section(context_of(run))
    assert section.charts == () and "have a mean rank correlation of" in section.results[0]
    assert "Raw similarity" in section.results[0] and "n = 8 images" in section.results[0]
    more = agreement_section(context_of(made_run(tmp_path / "more", images=8, methods=("raw", "rise", "m2ib"))))
    assert len(more.charts) == 1 and "mean rank correlation of" not in more.results[0]
