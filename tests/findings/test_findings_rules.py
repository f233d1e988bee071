"""Every rule on made-up runs: what it finds, what it passes, and when it says that nothing can be concluded."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.datasets import Dataset, Refusal
from core.evaluation.summary import Summary, summarise
from core.findings import (
    Finding,
    control_rules,
    data_rules,
    judge,
    load_findings,
    load_thresholds,
    save_findings,
    score_rules,
    trust_rules,
    work_rules,
)
from core.findings.judgement import apply
from core.reporting.tables import STANDINGS
from core.rules import Context, Rule, Thresholds
from core.runs import Run, TrustPlan, write_unit
from core.runs.run import RunSnapshot
from tests.findings.pinned import PINNED
from tests.support.made_run import made_run
from tests.support.made_sanity import made_sanity

LIMITS = PINNED
ENOUGH = int(LIMITS["general.least_images"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("enough") / "run", images=10, methods=("raw", "m2ib", "rise"))


@pytest.fixture(scope="module")
def summary(run: Run) -> Summary:
    return summarise(run)


def versus(value: float, n: int = 12, method: str = "rise", p: float = 0.001, kind: str = "caption") -> pd.DataFrame:
    records = [
        {"method": method, "control": control, "text_kind": kind, "value": value, "low": value - 0.05,
         "high": value + 0.05, "n": n, "p": p, "p_adjusted": p}
        for control in ("centre", "edge", "random")
    ]  # fmt: skip
    return pd.DataFrame(records)


def pairs(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"image": f"i{at:02d}", "image_name": f"n{at:02d}.png", "text": "t", "value": value, "methods": 3}
         for at, value in enumerate(values)]
    )  # fmt: skip


NAMES = [("raw", "rise"), ("m2ib", "raw"), ("m2ib", "rise")]


def agreeing(summary: Summary, values: list[float], n: int = 12, names: Any = NAMES, **more: Any) -> Summary:
    """The summary with pairs of methods whose mean rank correlation over `n` images is one of `values`, each +- 0.1."""
    table = pd.DataFrame(
        [{"a": a, "b": b, "value": value, "low": value - 0.1, "high": value + 0.1, "n": n, "overlap": 0.3}
         for (a, b), value in zip(names, values, strict=False)]
    )  # fmt: skip
    each = {name: value + np.linspace(-0.15, 0.15, n) for name, value in zip(names, values, strict=False)}
    return dataclasses.replace(summary, agreement=table, image_agreement=pd.DataFrame(each), **more)


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose methods are known to agree with themselves at any seed."""
    run = made_run(tmp_path_factory.mktemp("bounded") / "run", images=10, methods=("raw", "m2ib", "rise"))
    made_sanity(run, {"rise": {("seed", ""): 1.0}, "m2ib": {("seed", ""): 1.0}})
    return run


def only(findings: Any) -> Finding:
    (finding,) = findings
    return finding


# -- the run as a whole ------------------------------------------------------------------------------------------


def test_every_rule_has_a_say_on_a_made_run(run: Run, summary: Summary) -> None:
    findings = judge(run, summary, LIMITS)
    assert {finding.rule for finding in findings} == {
        "trust.controls", "agreement.methods", "agreement.images", "scores.flat", "data.refused",
        "run.failures", "additive.share", "maps.constant",
    }  # fmt: skip
    assert len({finding.id for finding in findings}) == len(findings)


def test_findings_come_first_then_what_is_open_then_what_passed_most_severe_first(run: Run, summary: Summary) -> None:
    mixed = agreeing(
        summary,
        [0.5, 0.5, 0.5],
        n=2,
        versus=pd.concat([versus(-0.2), versus(0.3, method="m2ib"), versus(0.2, n=2, method="raw")]),
    )
    findings = judge(run, mixed, LIMITS)
    order = [("finding", "cannot_conclude", "passed").index(finding.status) for finding in findings]
    assert order == sorted(order)
    assert set(order) == {0, 1, 2}
    grades = [finding.grade.value for finding in findings if finding.grade]
    words = [("high", "medium", "low").index(finding.severity) for finding in findings if finding.status == "finding"]
    assert words == sorted(words)
    assert len(grades) == len(words) >= 2
    assert all(finding.severity == "note" for finding in findings if finding.status != "finding")
    assert all(finding.grade is None for finding in findings if finding.status != "finding")


def test_findings_survive_their_file_and_are_plain_json(run: Run, summary: Summary, tmp_path: Path) -> None:
    findings = judge(run, summary, LIMITS)
    kept = Run(tmp_path)
    assert load_findings(kept) == ()
    save_findings(kept, findings)
    assert load_findings(kept) == findings
    data = json.loads((tmp_path / "findings.json").read_text(), parse_constant=pytest.fail)
    assert [entry["id"] for entry in data] == [finding.id for finding in findings]


def test_what_is_found_is_backed_and_says_what_to_do(bounded: Run, summary: Summary) -> None:
    bad = agreeing(
        summary,
        [-0.2, 0.1, 0.9],
        versus=versus(-0.2),
        pair_agreement=pairs([-0.3] * 7 + [0.6] * 5),
    )
    found = [finding for finding in judge(bounded, bad, LIMITS) if finding.status == "finding"]
    assert {"trust.controls", "agreement.methods", "agreement.images"} <= {finding.id for finding in found}
    for finding in found:
        assert finding.condition
        assert finding.criterion
        assert finding.effect
        assert finding.recommendation
        assert finding.reproduce
        assert finding.evidence
        assert finding.grade is not None
        assert "(thresholds, version 1)" in finding.threshold
        assert all(number.n >= 1 for number in finding.evidence)
        assert bool(finding.samples) == bool(finding.rule_of_samples)
        assert bool(finding.counter) == bool(finding.counter_note)
        if finding.rule not in ("data.refused", "run.failures"):
            assert len(finding.samples) <= 3
            assert len(finding.counter) <= 3
            assert not set(finding.samples) & set(finding.counter)


# -- controls ----------------------------------------------------------------------------------------------------
BEAT = "Methods that beat every control map by faithfulness: "


def standing(run: Run, summary: Summary, table: pd.DataFrame, *methods: str) -> control_rules.Standing:
    """Of the first of the methods."""
    made = dataclasses.replace(summary, versus=table, methods=methods or ("rise",))
    return control_rules.standings(Context.of(run, made, LIMITS))[0]


def controls(run: Run, summary: Summary, table: pd.DataFrame, *methods: str) -> Finding:
    made = dataclasses.replace(summary, versus=table, methods=methods or ("rise",))
    return only(apply(control_rules.CONTROLS_BEATEN, Context.of(run, made, LIMITS)))


def test_a_method_that_beats_every_control_passes_and_one_below_any_fails(run: Run, summary: Summary) -> None:
    passed = controls(run, summary, versus(0.3))
    assert (passed.status, passed.title) == ("passed", BEAT + "1 of 1 for captions")
    table = versus(0.3)
    table.loc[1, ["value", "low", "high"]] = [-0.1, -0.15, -0.05]
    finding = controls(run, summary, table)
    assert finding.status == "finding" and finding.title.endswith("0 of 1 for captions; worse than one: 1 of 1")
    assert finding.condition.startswith("Worse than a control map: RISE for captions. Differences, adjusted p")
    assert len(finding.condition) < 220 and "0.10" not in finding.condition
    (number,) = finding.evidence
    assert number.name == "RISE: faithfulness less that of the control “edge”, for captions"
    assert (number.unit, number.counted) == ("share of the gain", "images")
    assert number.p == table.p_adjusted[1] and number.test.startswith("sign-flip test, Holm over methods")


def test_a_difference_on_both_sides_of_the_limit_decides_nothing(run: Run, summary: Summary) -> None:
    both = controls(run, summary, versus(0.04))
    assert both.status == "cannot_conclude", "the interval holds 0"
    assert standing(run, summary, versus(0.04)).needed == 45
    family = pd.concat([versus(0.04), *(versus(0.3, method=f"m{at}") for at in range(18))])
    assert standing(run, summary, family, "rise").needed == 76, "57 tests"
    # Each interval excludes 0, and only the adjusted p is missed: the number is that of the adjusted test.
    missed = pd.concat([versus(0.07, p=0.06), *(versus(0.3, method=f"m{at}") for at in range(18))])
    close = standing(run, summary, missed, "rise")
    assert controls(run, summary, missed, "rise").status == "cannot_conclude"
    assert (close.decision, close.needed, close.control, close.p_adjusted) == ("undecided", 25, "centre", 0.06)
    unsure = controls(run, summary, versus(0.3, p=0.06))
    assert unsure.status == "cannot_conclude", "the adjusted p is too high"
    assert "0 of 1 for captions" in unsure.title and [number.value for number in unsure.evidence] == [0.3]
    assert controls(run, summary, versus(-0.3, p=0.06)).status == "cannot_conclude", "nor is it shown to be below"
    assert controls(run, summary, versus(0.06, p=0.04)).status == "passed"


def test_one_undecided_method_keeps_the_rule_from_passing(run: Run, summary: Summary) -> None:
    table = pd.concat([versus(0.3), versus(0.04, method="m2ib")])
    finding = controls(run, summary, table, "rise", "m2ib")
    assert (finding.status, finding.title) == ("cannot_conclude", f"Inconclusive: m{BEAT[1:]}1 of 2 for captions")
    assert "Shown to be above every control: RISE for captions. Not shown: Information" in finding.condition
    (open_,) = finding.evidence
    assert open_.name.startswith("Information bottleneck (M2IB)") and open_.value == 0.04
    # One that falls below is a finding, whatever the others do.
    both = controls(run, summary, pd.concat([table, versus(-0.3, method="raw")]), "rise", "m2ib", "raw")
    assert both.title == BEAT + "1 of 3 for captions; worse than one: 1 of 3"
    assert [number.name for number in both.evidence] == [
        "Raw similarity: faithfulness less that of the control “centre”, for captions"
    ]


def test_a_method_is_trusted_for_a_kind_of_text_and_passes_only_where_it_is_for_each(
    run: Run, summary: Summary
) -> None:
    classes = pd.concat([versus(0.3, kind="class"), versus(0.3, kind="class", method="m2ib")])
    captions = pd.concat([versus(0.3), versus(0.04, method="m2ib")])
    made = dataclasses.replace(summary, versus=pd.concat([captions, classes]), methods=("rise", "m2ib"))
    context = Context.of(run, made, LIMITS)
    assert control_rules.methods_above_controls(context) == {"caption": ("rise",), "class": ("rise", "m2ib")}
    finding = only(apply(control_rules.CONTROLS_BEATEN, context))
    assert (finding.status, finding.title) == (
        "cannot_conclude",
        f"Inconclusive: m{BEAT[1:]}1 of 2 for captions, 2 of 2 for classes",
    )
    told = "RISE for captions and classes; Information bottleneck (M2IB) for classes. Not shown: Information bottleneck"
    assert told in finding.condition
    # With the undecided kind on too few images it is no longer tested, and the sentence says so.
    few = pd.concat([versus(0.3), versus(0.04, n=ENOUGH - 1, method="m2ib"), classes])
    passed = controls(run, summary, few, "rise", "m2ib")
    assert passed.status == "passed" and passed.title == BEAT + "1 of 1 for captions, 2 of 2 for classes"
    assert f"Fewer than {ENOUGH} images: Information bottleneck (M2IB) for captions." in passed.condition
    # A method that is worse for one kind fails, however good it is for the other, and only images of that kind show it.
    mixed = pd.concat([versus(-0.3, method="raw"), versus(0.3, method="raw", kind="class")])
    worse = controls(run, summary, mixed, "raw")
    assert worse.status == "finding" and "Worse than a control map: Raw similarity for captions." in worse.condition
    captioned = set(run.results().query("text_kind == 'caption'").text.dropna())
    assert worse.samples and {sample.text for sample in worse.samples} <= captioned


def test_the_table_of_controls_has_a_row_for_every_method(run: Run, summary: Summary) -> None:
    lost = versus(0.3, method="raw")
    lost.loc[1, ["value", "low", "high"]] = [-0.1, -0.15, -0.05]
    table = pd.concat([versus(0.3), versus(0.04, method="m2ib"), lost])
    made = dataclasses.replace(summary, versus=table, methods=("rise", "m2ib", "raw", "gradcam"))
    rows = STANDINGS.table("", control_rules.standings(Context.of(run, made, LIMITS))).rows
    assert rows == (
        ("RISE", "captions", "Centre Gaussian", "0.30 [0.25, 0.35]", "0.0010", "12", "beats every control",
         "no more needed"),
        ("Information bottleneck (M2IB)", "captions", "Centre Gaussian", "0.04 [\u22120.01, 0.09]", "0.0010", "12",
         "not shown", "about 57"),
        ("Raw similarity", "captions", "Edge map", "\u22120.10 [\u22120.15, \u22120.05]", "0.0010", "12",
         "worse than this control", "no more needed"),
        ("Grad-CAM", "none", "none", "not measured", "n/a", "0", "too few images", "not known"),
    )  # fmt: skip
    assert STANDINGS.frame(control_rules.standings(Context.of(run, made, LIMITS)))["n"].tolist() == [12, 12, 12, 0]


def test_too_few_images_conclude_nothing_about_controls(run: Run, summary: Summary) -> None:
    few = controls(run, summary, versus(-0.3, n=ENOUGH - 1))
    assert few.status == "cannot_conclude"
    assert few.condition == f"Fewer than {ENOUGH} images: RISE for captions."
    assert controls(run, summary, versus(-0.3, n=ENOUGH)).status == "finding"


def test_a_method_that_was_never_measured_is_named_unless_it_could_not_run(run: Run, summary: Summary) -> None:
    nothing = controls(run, summary, versus(0.3), "raw")
    assert nothing.status == "cannot_conclude"
    assert "Raw similarity" in nothing.condition
    away = dataclasses.replace(summary, versus=versus(0.3), methods=("raw",), not_run=(("raw", "image", "why"),))
    assert list(apply(control_rules.CONTROLS_BEATEN, Context.of(run, away, LIMITS))) == []


def test_one_image_has_no_interval_and_still_no_crash(run: Run, summary: Summary, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text('version = "2"\n[general]\nleast_images = 1\n')
    table = versus(0.3, n=1).assign(low=None, high=None, p=None, p_adjusted=np.nan)
    made = dataclasses.replace(summary, versus=table, methods=("rise",))
    context = Context.of(run, made, load_thresholds(tmp_path / "t.toml"))
    finding = only(apply(control_rules.CONTROLS_BEATEN, context))
    assert finding.status == "cannot_conclude" and "RISE" in finding.condition
    assert all(number.low is None for number in finding.evidence)


def test_samples_lie_below_the_control_and_counter_samples_above_it(run: Run, summary: Summary) -> None:
    finding = controls(run, summary, versus(-0.3))
    rows = run.results()
    rows = rows[rows.text_kind == "caption"]
    key = ["image", "image_name", "text"]
    own = rows[(rows.kind == "method") & (rows.method == "rise")].set_index(key).faithfulness
    other = rows[(rows.kind == "control") & (rows.method == "centre")].set_index(key).faithfulness
    ordered = (own - other).sort_values()
    # RISE is above the control everywhere in the made run: nothing shows the finding, whatever the table says.
    assert (ordered > 0).all() and finding.samples == () and finding.rule_of_samples == ""
    assert [(s.image, s.image_name, s.text) for s in finding.counter] == list(ordered.index[::-1][:3])
    assert finding.counter[0].note == f"difference in faithfulness {ordered.iloc[-1]:+.2f}"
    raw = controls(run, summary, versus(-0.3, method="raw"), "raw")
    assert raw.counter == () and len(raw.samples) == 3 and raw.grade is not None and raw.grade.likelihood == 1
    assert all(sample.methods == ("raw",) and "\u2212" in sample.note for sample in raw.samples)


def test_without_curves_nothing_is_said_about_controls(run: Run, summary: Summary) -> None:
    plain = RunSnapshot(run.folder)
    plain.__dict__["plan"] = run.plan.model_copy(update={"trust": TrustPlan(curves=False)})
    assert list(apply(control_rules.CONTROLS_BEATEN, Context.of(plain, summary, LIMITS))) == []


# -- agreement ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "n", "status"),
    [
        ([0.6, 0.5, 0.41], 12, "passed"),
        ([0.6, 0.5, 0.31], 12, "cannot_conclude"),
        ([0.6, 0.5, 0.19], 12, "finding"),
        ([0.5, -0.4, 0.1], 7, "cannot_conclude"),
    ],
)
def test_methods_agree(bounded: Run, summary: Summary, values: list[float], n: int, status: str) -> None:
    table = agreeing(summary, values, n, pair_agreement=pairs([0.1] * 9))
    finding = only(apply(trust_rules.PAIRS_AGREE, Context.of(bounded, table, LIMITS)))
    assert finding.status == status
    if status == "finding":
        assert finding.title == "3 pairs of methods tested: 1 shown not to agree, 0 undecided"
        assert "0 contradict each other" in finding.condition and "1 agree weakly" in finding.condition
        assert [number.value for number in finding.evidence] == [0.19]


def test_pairs_are_one_family_and_only_what_stands_after_adjustment_is_counted(bounded: Run, summary: Summary) -> None:
    # Differences from the limit of one sign on eight images: p = 2 / 2^8, the least there is.
    least = 2 / 2**8
    finding = only(apply(trust_rules.PAIRS_AGREE, Context.of(bounded, agreeing(summary, [0.1] * 3, 8), LIMITS)))
    assert finding.status == "finding" and finding.title.startswith("3 pairs of methods tested: 3 shown not to agree")
    assert "3 sign-flip tests were made" in finding.condition
    assert "Holm's method over all pairs of methods whose upper bound is known together" in finding.condition
    assert [number.p for number in finding.evidence] == pytest.approx([3 * least] * 3)
    assert all("Holm over pairs of methods" in number.test for number in finding.evidence)
    # Seven of them are too many for eight images: 7 x 0.0078 = 0.055, although every interval lies below the limit.
    many = [(f"method_{at}", f"method_{at + 1}") for at in range(7)]
    table = agreeing(summary, [0.1] * 7, 8, many)
    known = Context.of(bounded, table, LIMITS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trust_rules, "reliability_of", lambda run, names: dict.fromkeys(names, 1.0))
        open_ = only(apply(trust_rules.PAIRS_AGREE, known))
    assert open_.status == "cannot_conclude" and "7 undecided" in open_.title
    assert (table.agreement.high < 0.3).all() and 7 * least > 0.05 > 6 * least


def test_only_a_correlation_below_0_is_called_a_contradiction(bounded: Run, summary: Summary) -> None:
    finding = only(apply(trust_rules.PAIRS_AGREE, Context.of(bounded, agreeing(summary, [-0.04, -0.3, 0.15]), LIMITS)))
    # Intervals are 0.1 wide on each side: about -0.04 one contains 0.
    assert (
        "1 contradict each other" in finding.condition
        and "1 show neither agreement nor contradiction" in finding.condition
    )
    assert "1 agree weakly" in finding.condition


def test_noise_lowers_what_two_methods_must_reach(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=10, methods=("raw", "m2ib", "rise"))
    table = agreeing(summarise(run), [0.15, 0.6, 0.6], pair_agreement=pairs([0.5] * 9))
    made_sanity(run, {"rise": {("seed", ""): 1.0}, "m2ib": {("seed", ""): 1.0}})
    before = only(apply(trust_rules.PAIRS_AGREE, Context.of(run, table, LIMITS)))
    assert before.status == "finding"
    # Two seeds of RISE correlate by 0.4 at most: with raw similarity it can reach the root of that, 0.63.
    made_sanity(run, {"rise": {("seed", ""): 0.4}, "m2ib": {("seed", ""): 1.0}})
    after = only(apply(trust_rules.PAIRS_AGREE, Context.of(run, table, LIMITS)))
    assert after.status == "cannot_conclude", "the limit is 0.3 x 0.63 = 0.19, inside the interval 0.05 to 0.25"
    assert "RISE 0.40" in after.condition


def test_pairs_without_a_measured_bound_have_no_verdict_and_are_named(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=10, methods=("raw", "m2ib", "rise"))
    table = agreeing(summarise(run), [-0.3, -0.3, -0.3])
    # Without sanity checks nothing is known of RISE and M2IB, which every pair has: 1 is not taken as their bound.
    none = only(apply(trust_rules.PAIRS_AGREE, Context.of(run, table, LIMITS)))
    assert none.status == "cannot_conclude" and none.title.endswith("whose upper bounds were not measured")
    assert "was not measured: 3 (Information bottleneck (M2IB) and RISE)." in none.condition and not none.evidence
    record = made_sanity(run, {"rise": {("seed", ""): 1.0}})
    unmeasured = record.checks[~((record.checks.method == "m2ib") & (record.checks.check == "seed"))]
    dataclasses.replace(record, checks=unmeasured).save(type(record).folder_of(run))
    one = only(apply(trust_rules.PAIRS_AGREE, Context.of(Run(run.folder), table, LIMITS)))
    assert one.title.startswith("1 pair of methods tested: 1 shown not to agree")
    assert "was not measured: 2 (Information bottleneck (M2IB))." in one.condition
    assert [number.name for number in one.evidence] == ["Raw similarity / RISE"]


def test_samples_show_the_pair_that_agrees_least_below_its_limit(bounded: Run, summary: Summary) -> None:
    finding = only(apply(trust_rules.PAIRS_AGREE, Context.of(bounded, agreeing(summary, [-0.3, 0.6, 0.6]), LIMITS)))
    assert finding.samples and all(sample.methods == ("raw", "rise") for sample in finding.samples)
    notes = [float(sample.note.rpartition(" ")[2].replace("\u2212", "-")) for sample in finding.samples]
    assert all(value < 0.3 for value in notes) and notes == sorted(notes)
    assert all(float(sample.note.rpartition(" ")[2].replace("\u2212", "-")) >= 0.3 for sample in finding.counter)


def test_disputed_images_are_shown_worst_first_with_the_agreed_ones_as_counter(run: Run, summary: Summary) -> None:
    values = [0.5, -0.4, 0.05, 0.7, -0.1, -0.3, 0.0, 0.6, -0.2]
    made = dataclasses.replace(summary, pair_agreement=pairs(values))
    finding = only(apply(trust_rules.IMAGES_AGREE, Context.of(run, made, LIMITS)))
    assert finding.status == "finding"
    assert [sample.image for sample in finding.samples] == ["i01", "i05", "i08"]
    assert [sample.image for sample in finding.counter] == ["i03", "i07", "i00"]


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([0.5] * 30, "passed"),
        ([0.5] * 8 + [0.0] * 2, "cannot_conclude"),
        ([0.5] * 5 + [0.0] * 5, "finding"),
        ([0.0] * (ENOUGH - 1), "cannot_conclude"),
        ([0.0] * ENOUGH, "finding"),
    ],
)
def test_images_agree(run: Run, summary: Summary, values: list[float], status: str) -> None:
    made = dataclasses.replace(summary, pair_agreement=pairs(values))
    finding = only(apply(trust_rules.IMAGES_AGREE, Context.of(run, made, LIMITS)))
    assert finding.status == status
    assert finding.evidence[0].n == finding.n == len(values)


def test_disputed_images_are_counted_as_images_and_not_as_pairs(run: Run, summary: Summary) -> None:
    # Of two texts of an image one is far below: by pairs half of this image, by its mean the whole image.
    table = pd.concat([pairs([0.5] * 9), pairs([0.5] * 9).assign(text="u")])
    table.loc[(table.image == "i00") & (table.text == "u"), "value"] = -0.5
    made = dataclasses.replace(summary, pair_agreement=table)
    finding = only(apply(trust_rules.IMAGES_AGREE, Context.of(run, made, LIMITS)))
    assert finding.evidence[0].value == pytest.approx(1 / 9)
    assert finding.condition.startswith("Images below the limit: 1 of 9")


def test_one_method_alone_has_nobody_to_agree_with(run: Run, summary: Summary) -> None:
    alone = agreeing(summary, [0.5], pair_agreement=pairs([]))
    alone = dataclasses.replace(alone, agreement=alone.agreement.iloc[:0])
    assert list(apply(trust_rules.PAIRS_AGREE, Context.of(run, alone, LIMITS))) == []
    assert list(apply(trust_rules.IMAGES_AGREE, Context.of(run, alone, LIMITS))) == []


# -- scores ------------------------------------------------------------------------------------------------------


def flat_run(folder: Path, images: int, flat: int) -> Run:
    run = made_run(folder, images=images, methods=("raw",))
    for unit in run.store.units():
        rows = run.results()
        rows = rows[rows.unit == unit["key"]].to_dict("records")
        low = set(run.plan.images[:flat])
        for row in rows:
            row |= {name: None for name, value in row.items() if isinstance(value, float) and np.isnan(value)}
            if row["image"] in low:
                row |= {"deletion": None, "insertion": None, "faithfulness": None}
        _, digest, count = write_unit(folder, unit["key"], rows)
        with run.store._write() as db:
            db.execute("UPDATE units SET sha256 = ?, rows = ? WHERE key = ?", (digest, count, unit["key"]))
    return run


@pytest.mark.parametrize(
    ("images", "flat", "status"),
    [
        (20, 0, "passed"),
        (10, 2, "cannot_conclude"),
        (10, 6, "finding"),
        (ENOUGH - 1, 4, "cannot_conclude"),
    ],
)
def test_flat_scores(tmp_path: Path, images: int, flat: int, status: str) -> None:
    run = flat_run(tmp_path / "run", images, flat)
    finding = only(apply(score_rules.SCORES_RISE, Context.of(run, summarise(run), LIMITS)))
    assert finding.status == status
    assert finding.evidence[0].value == pytest.approx(flat / images)
    assert finding.evidence[0].n == images
    if status == "finding":
        low = set(run.plan.images[:flat])
        assert {sample.image for sample in finding.samples} <= low
        assert not {sample.image for sample in finding.counter} & low
        scores = [float(sample.note.removeprefix("score ").replace("\u2212", "-")) for sample in finding.samples]
        assert scores == sorted(scores)


# -- data and failures -------------------------------------------------------------------------------------------


def judged_by(rule: Rule, run: Run, thresholds: Thresholds) -> Finding:
    return only(apply(rule, Context.of(run, thresholds=thresholds)))


def with_dataset(run: Run, change: Callable[[Dataset], dict[str, Any]]) -> Run:
    other = RunSnapshot(run.folder)
    other.__dict__["dataset"] = run.dataset.model_copy(update=change(run.dataset))
    return other


def test_refused_files(run: Run, summary: Summary, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text("[data.refused]\nmost_share = 0.5\n")
    assert run.dataset.refusals, "the made data set has a broken file"
    found = judged_by(data_rules.REFUSED, run, LIMITS)
    assert found.status == "finding"
    assert run.dataset.refusals[0].name in found.condition
    lenient = judged_by(data_rules.REFUSED, run, load_thresholds(tmp_path / "t.toml"))
    assert lenient.status == "passed"
    assert "Refused files: 1 of 11." in lenient.condition, "what is within the limit is still told"
    clean = with_dataset(run, lambda dataset: {"refusals": ()})
    passed = judged_by(data_rules.REFUSED, clean, LIMITS)
    assert (passed.status, passed.title) == ("passed", "Every file could be read")


def test_the_share_of_refused_files_sets_the_severity(run: Run, summary: Summary) -> None:
    def grade(count: int) -> Finding:
        refusals = tuple(Refusal(name=f"r{at}", reason="broken") for at in range(count))
        return judged_by(data_rules.REFUSED, with_dataset(run, lambda _: {"refusals": refusals}), LIMITS)

    few, many = grade(1), grade(90)
    assert few.grade is not None
    assert many.grade is not None
    assert few.grade.value < many.grade.value
    assert (few.severity, many.severity) == ("low", "high")


def test_failures(tmp_path: Path) -> None:
    sound = made_run(tmp_path / "sound", images=4)
    assert judged_by(work_rules.FAILURES, sound, LIMITS).title == "All planned work was done"
    rows = made_run(tmp_path / "rows", images=4, failed_rows=2)
    found = judged_by(work_rules.FAILURES, rows, LIMITS)
    assert found.status == "finding"
    assert "Explanations that failed: 2 of 32." in found.condition
    assert "the gradient is not finite" in found.condition
    units = made_run(tmp_path / "units", images=4, failed=1)
    found = judged_by(work_rules.FAILURES, units, LIMITS)
    assert "Images without a result: 2 of 4." in found.condition
    assert found.evidence[1].value == 2.0
    (tmp_path / "t.toml").write_text("[run.failures]\nmost_share = 0.6\n")
    lenient = judged_by(work_rules.FAILURES, units, load_thresholds(tmp_path / "t.toml"))
    assert lenient.status == "passed"
    assert "Images without a result: 2 of 4." in lenient.condition


def test_a_run_in_which_nothing_could_be_explained_concludes_nothing(tmp_path: Path) -> None:
    empty = made_run(tmp_path / "empty", images=2, methods=("raw",))
    for unit in empty.store.units():
        rows = empty.results()
        rows = rows[(rows.unit == unit["key"]) & (rows.kind == "score")]
        rows = rows[["unit", "image", "image_name", "kind", "status"]]
        write_unit(empty.folder, unit["key"], rows.to_dict("records"))
    finding = judged_by(work_rules.FAILURES, empty, LIMITS)
    assert (finding.status, finding.title) == ("cannot_conclude", "Nothing was explained")
