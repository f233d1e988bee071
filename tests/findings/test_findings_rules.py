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

from core.datasets import Dataset, Duplicate, Refusal
from core.evaluation.summary import Summary, summarise
from core.findings import (
    RULES,
    Finding,
    control_rules,
    data_rules,
    judge,
    load_findings,
    load_thresholds,
    save_findings,
    trust_rules,
)
from core.runs import Run, TrustPlan, write_unit
from core.statistics import FEWEST
from tests.findings.pinned import PINNED
from tests.support.made_run import made_run

LIMITS = PINNED
ENOUGH = int(LIMITS["general.least_images"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("enough") / "run", images=10, methods=("raw", "m2ib", "rise"))


@pytest.fixture(scope="module")
def summary(run: Run) -> Summary:
    return summarise(run)


def versus(value: float, n: int = 12, method: str = "rise", p: float = 0.001) -> pd.DataFrame:
    records = [
        {"method": method, "control": control, "value": value, "low": value - 0.05, "high": value + 0.05, "n": n,
         "p": p, "p_adjusted": p}
        for control in ("centre", "edge", "random")
    ]  # fmt: skip
    return pd.DataFrame(records)


def pairs(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"image": f"i{at:02d}", "image_name": f"n{at:02d}.png", "text": "t", "value": value, "methods": 3}
         for at, value in enumerate(values)]
    )  # fmt: skip


def agreement(values: list[float], n: int = 12) -> pd.DataFrame:
    names = [("raw", "rise"), ("m2ib", "raw"), ("m2ib", "rise")]
    return pd.DataFrame(
        [{"a": a, "b": b, "value": value, "low": value - 0.1, "high": value + 0.1, "n": n, "overlap": 0.3}
         for (a, b), value in zip(names, values, strict=False)]
    )  # fmt: skip


def only(findings: Any) -> Finding:
    (finding,) = findings
    return finding


# -- the run as a whole ------------------------------------------------------------------------------------------


def test_every_rule_has_a_say_on_a_made_run(run: Run, summary: Summary) -> None:
    findings = judge(run, summary, LIMITS)
    assert {finding.rule for finding in findings} == {
        "trust.controls", "agreement.methods", "agreement.pictures", "scores.flat", "data.refused", "data.duplicates",
        "run.failures", "additive.share", "maps.constant",
    }  # fmt: skip
    # The five on the methods themselves say nothing without the record of their checks.
    assert len(RULES) == 19 + 13
    assert len({finding.id for finding in findings}) == len(findings)


def test_findings_come_first_then_what_is_open_then_what_passed_most_severe_first(run: Run, summary: Summary) -> None:
    mixed = dataclasses.replace(
        summary, versus=pd.concat([versus(-0.2), versus(0.3, method="m2ib"), versus(0.2, n=2, method="raw")])
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


def test_what_is_found_is_backed_and_says_what_to_do(run: Run, summary: Summary) -> None:
    bad = dataclasses.replace(
        summary,
        versus=versus(-0.2),
        agreement=agreement([-0.2, 0.1, 0.9]),
        pair_agreement=pairs([-0.3] * 6 + [0.6] * 6),
    )
    found = [finding for finding in judge(run, bad, LIMITS) if finding.status == "finding"]
    assert {"trust.controls.worse", "agreement.methods", "agreement.pictures"} <= {finding.id for finding in found}
    for finding in found:
        assert finding.condition
        assert finding.criterion
        assert finding.effect
        assert finding.recommendation
        assert finding.reproduce
        assert finding.evidence
        assert finding.grade is not None
        assert "(thresholds v1)" in finding.threshold
        assert all(number.n >= 1 for number in finding.evidence)
        assert bool(finding.samples) == bool(finding.rule_of_samples)
        assert bool(finding.counter) == bool(finding.counter_note)
        if finding.rule not in ("data.refused", "data.duplicates", "run.failures"):
            assert 1 <= len(finding.samples) <= 3
            assert 1 <= len(finding.counter) <= 3
            assert not set(finding.samples) & set(finding.counter)


# -- controls ----------------------------------------------------------------------------------------------------


def controls(run: Run, summary: Summary, table: pd.DataFrame, method: str = "rise") -> Finding:
    made = dataclasses.replace(summary, versus=table, methods=(method,))
    return only(control_rules.beats_controls(run, made, LIMITS))


def test_a_method_that_beats_every_control_passes_and_one_that_loses_to_any_is_found(
    run: Run, summary: Summary
) -> None:
    assert controls(run, summary, versus(0.3)).status == "passed"
    table = versus(0.3)
    table.loc[1, ["value", "low", "high"]] = [-0.1, -0.15, -0.05]
    found = controls(run, summary, table)
    assert found.status == "finding"
    assert "edge" in found.condition
    assert "centre" not in found.condition
    assert [number.name for number in found.evidence] == ["RISE above edge"]


def test_a_difference_that_is_not_certain_does_not_pass(run: Run, summary: Summary) -> None:
    assert controls(run, summary, versus(0.04)).status == "finding", "the interval holds 0"
    unsure = controls(run, summary, versus(0.3, p=0.06))
    assert (unsure.status, unsure.id) == ("cannot_conclude", "trust.controls.undecided"), "the adjusted p is too high"
    assert "RISE" in unsure.condition and "1 of 1" in unsure.title
    assert controls(run, summary, versus(0.06, p=0.04)).status == "passed"


def test_too_few_pictures_conclude_nothing_about_controls(run: Run, summary: Summary) -> None:
    few = controls(run, summary, versus(-0.3, n=ENOUGH - 1))
    assert few.status == "cannot_conclude"
    assert f"Only {ENOUGH - 1} pictures" in few.condition
    assert controls(run, summary, versus(-0.3, n=ENOUGH)).status == "finding"


def test_a_method_that_was_never_measured_is_named_unless_it_could_not_run(run: Run, summary: Summary) -> None:
    nothing = controls(run, summary, versus(0.3), method="raw")
    assert nothing.status == "cannot_conclude"
    assert "Raw similarity" in nothing.title
    away = dataclasses.replace(summary, versus=versus(0.3), methods=("raw",), not_run=(("raw", "image", "why"),))
    assert list(control_rules.beats_controls(run, away, LIMITS)) == []


def test_one_picture_has_no_interval_and_still_no_crash(run: Run, summary: Summary, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text('version = "2"\n[general]\nleast_images = 1\n')
    table = versus(0.3, n=1).assign(low=None, high=None, p=None, p_adjusted=np.nan)
    made = dataclasses.replace(summary, versus=table, methods=("rise",))
    found = only(control_rules.beats_controls(run, made, load_thresholds(tmp_path / "t.toml")))
    assert found.status == "cannot_conclude"
    assert f"at least {FEWEST} are needed" in found.condition
    assert all(number.low is None for number in found.evidence)


def test_samples_are_the_worst_pictures_and_counter_samples_the_best(run: Run, summary: Summary) -> None:
    found = controls(run, summary, versus(-0.3))
    rows = run.results()
    key = ["image", "image_name", "text"]
    own = rows[(rows.kind == "method") & (rows.method == "rise")].set_index(key).faithfulness
    other = rows[(rows.kind == "control") & (rows.method == "centre")].set_index(key).faithfulness
    ordered = (own - other).sort_values()
    assert [(s.image, s.image_name, s.text) for s in found.samples] == list(ordered.index[:3])
    assert [(s.image, s.image_name, s.text) for s in found.counter] == list(ordered.index[::-1][:3])
    assert found.samples[0].note == f"{ordered.iloc[0]:+.2f} against centre"
    assert all(sample.methods == ("rise",) for sample in found.samples)


def test_without_curves_nothing_is_said_about_controls(run: Run, summary: Summary) -> None:
    plain = Run(run.folder)
    plain.__dict__["plan"] = run.plan.model_copy(update={"trust": TrustPlan(curves=False)})
    assert list(control_rules.beats_controls(plain, summary, LIMITS)) == []


# -- agreement ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "n", "status"),
    [([0.5, 0.4, 0.31], 12, "passed"), ([0.5, 0.4, 0.29], 12, "finding"), ([0.5, -0.4, 0.1], 7, "cannot_conclude")],
)
def test_methods_agree(run: Run, summary: Summary, values: list[float], n: int, status: str) -> None:
    table = dataclasses.replace(summary, agreement=agreement(values, n), pair_agreement=pairs([0.1] * 9))
    finding = only(trust_rules.methods_agree(run, table, LIMITS))
    assert finding.status == status
    if status == "finding":
        assert finding.condition.startswith("1 of 3 pairs")
        assert [number.value for number in finding.evidence] == [0.29]


def test_disputed_pictures_are_shown_worst_first_with_the_agreed_ones_as_counter(run: Run, summary: Summary) -> None:
    values = [0.5, -0.4, 0.05, 0.7, -0.1, 0.3, 0.0, 0.6, 0.2]
    made = dataclasses.replace(summary, pair_agreement=pairs(values), agreement=agreement([-0.1]))
    for rule in (trust_rules.pictures_agree, trust_rules.methods_agree):
        finding = only(rule(run, made, LIMITS))
        assert finding.status == "finding"
        assert [sample.image for sample in finding.samples] == ["i01", "i04", "i06"]
        assert [sample.image for sample in finding.counter] == ["i03", "i07", "i00"]


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([0.5] * 8 + [0.0] * 2, "passed"),
        ([0.5] * 7 + [0.0] * 3, "finding"),
        ([0.0] * (ENOUGH - 1), "cannot_conclude"),
        ([0.0] * ENOUGH, "finding"),
    ],
)
def test_pictures_agree(run: Run, summary: Summary, values: list[float], status: str) -> None:
    made = dataclasses.replace(summary, pair_agreement=pairs(values))
    finding = only(trust_rules.pictures_agree(run, made, LIMITS))
    assert finding.status == status
    assert finding.evidence[0].n == len(values)


def test_one_method_alone_has_nobody_to_agree_with(run: Run, summary: Summary) -> None:
    alone = dataclasses.replace(summary, agreement=agreement([])[[]], pair_agreement=pairs([]))
    assert list(trust_rules.methods_agree(run, alone, LIMITS)) == []
    assert list(trust_rules.pictures_agree(run, alone, LIMITS)) == []


# -- scores ------------------------------------------------------------------------------------------------------


def flat_run(folder: Path, pictures: int, flat: int) -> Run:
    run = made_run(folder, images=pictures, methods=("raw",))
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
    ("pictures", "flat", "status"), [(10, 2, "passed"), (10, 3, "finding"), (ENOUGH - 1, 4, "cannot_conclude")]
)
def test_flat_scores(tmp_path: Path, pictures: int, flat: int, status: str) -> None:
    run = flat_run(tmp_path / "run", pictures, flat)
    finding = only(trust_rules.scores_exist(run, summarise(run), LIMITS))
    assert finding.status == status
    assert finding.evidence[0].value == pytest.approx(flat / pictures)
    assert finding.evidence[0].n == pictures
    if status == "finding":
        low = set(run.plan.images[:flat])
        assert {sample.image for sample in finding.samples} <= low
        assert not {sample.image for sample in finding.counter} & low
        scores = [float(sample.note.removeprefix("score ")) for sample in finding.samples]
        assert scores == sorted(scores)


# -- data and failures -------------------------------------------------------------------------------------------


def with_dataset(run: Run, change: Callable[[Dataset], dict[str, Any]]) -> Run:
    other = Run(run.folder)
    other.__dict__["dataset"] = run.dataset.model_copy(update=change(run.dataset))
    return other


def test_refused_files(run: Run, summary: Summary, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text("[data.refused]\nmost_share = 0.5\n")
    assert run.dataset.refusals, "the made data set has a broken file"
    found = only(data_rules.refused(run, summary, LIMITS))
    assert found.status == "finding"
    assert run.dataset.refusals[0].name in found.condition
    lenient = only(data_rules.refused(run, summary, load_thresholds(tmp_path / "t.toml")))
    assert lenient.status == "passed"
    assert "1 of 11 files" in lenient.condition, "what is within the limit is still told"
    clean = with_dataset(run, lambda dataset: {"refusals": ()})
    passed = only(data_rules.refused(clean, summary, LIMITS))
    assert (passed.status, passed.title) == ("passed", "Every file could be used")


def test_the_share_of_refused_files_sets_the_severity(run: Run, summary: Summary) -> None:
    def grade(count: int) -> Finding:
        refusals = tuple(Refusal(name=f"r{at}", reason="broken") for at in range(count))
        return only(data_rules.refused(with_dataset(run, lambda _: {"refusals": refusals}), summary, LIMITS))

    few, many = grade(1), grade(90)
    assert few.grade is not None
    assert many.grade is not None
    assert few.grade.value < many.grade.value
    assert (few.severity, many.severity) == ("low", "high")


def test_duplicates(run: Run, summary: Summary) -> None:
    names = [picture.name for picture in run.dataset.pictures]

    def judged(near: int) -> Finding:
        twins = tuple(Duplicate(name=names[at + 1], of=names[0], kind="near", distance=1) for at in range(near))
        copies = (Duplicate(name="copy", of=names[0], kind="exact", distance=0),)
        changed = with_dataset(run, lambda _: {"duplicates": (*twins, *copies)})
        return only(data_rules.duplicates(changed, summary, LIMITS))

    assert judged(0).status == "passed"
    assert "1 exact duplicates" in judged(0).condition
    found = judged(4)
    assert found.status == "finding"
    assert found.evidence[0].value == pytest.approx(0.4)
    assert [sample.image_name for sample in found.samples] == names[1:4]
    assert found.samples[0].note == f"near {names[0]}"


def test_failures(tmp_path: Path) -> None:
    sound = made_run(tmp_path / "sound", images=4)
    assert only(data_rules.failures(sound, summarise(sound), LIMITS)).title == "All planned work was done"
    rows = made_run(tmp_path / "rows", images=4, failed_rows=2)
    found = only(data_rules.failures(rows, summarise(rows), LIMITS))
    assert found.status == "finding"
    assert "2 explanations failed" in found.condition
    assert "the gradient is not finite" in found.condition
    units = made_run(tmp_path / "units", images=4, failed=1)
    found = only(data_rules.failures(units, summarise(units), LIMITS))
    assert "2 pictures have no result" in found.condition
    assert found.evidence[1].value == 2.0
    (tmp_path / "t.toml").write_text("[run.failures]\nmost_share = 0.6\n")
    lenient = only(data_rules.failures(units, summarise(units), load_thresholds(tmp_path / "t.toml")))
    assert lenient.status == "passed"
    assert "2 pictures have no result" in lenient.condition


def test_a_run_in_which_nothing_could_be_explained_concludes_nothing(tmp_path: Path) -> None:
    empty = made_run(tmp_path / "empty", images=2, methods=("raw",))
    for unit in empty.store.units():
        rows = empty.results()
        rows = rows[(rows.unit == unit["key"]) & (rows.kind == "score")]
        rows = rows[["unit", "image", "image_name", "kind", "status"]]
        write_unit(empty.folder, unit["key"], rows.to_dict("records"))
    finding = only(data_rules.failures(empty, summarise(empty), LIMITS))
    assert (finding.status, finding.title) == ("cannot_conclude", "Nothing was explained")
