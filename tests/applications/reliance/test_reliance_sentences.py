"""Sentences of the rules and the chapter that were wrong once: each with the value that it must have."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.applications.reliance.measures import region_table
from core.applications.reliance.record import RelianceRecord
from core.applications.reliance.rules import RULES
from core.applications.reliance.susceptibility import function_words, template_changes, templates
from core.applications.reliance.tables import concept_prevalence, concept_shares, region_shares
from core.applications.reliance.verdicts import judged, verdict_of
from core.findings import Finding
from core.findings.judgement import apply
from core.rules import Context
from core.runs import Run
from core.statistics import Family, holm, wilson
from tests.findings.pinned import PINNED
from tests.support.made_reliance import made_reliance
from tests.support.made_run import made_run

CARDS = {rule.id: rule for rule in RULES}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("sentences") / "run", images=24, methods=("raw",))


@pytest.fixture(autouse=True)
def no_record(run: Run) -> Any:
    yield
    shutil.rmtree(RelianceRecord.folder_of(run), ignore_errors=True)


def changed(run: Run, name: str, table: pd.DataFrame) -> None:
    """Put a table in the place of the record's own."""
    table.to_parquet(Path(RelianceRecord.folder_of(run)) / f"{name}.parquet", index=False)


def outcomes(run: Run, rule: str) -> dict[str, Finding]:
    return {finding.id: finding for finding in apply(CARDS[rule], Context.of(run, thresholds=PINNED))}


def context(run: Run) -> Context:
    return Context.of(run, thresholds=PINNED)


# -- passed means shown to hold ------------------------------------------------------------------------------------


def test_a_verdict_needs_the_whole_interval_on_one_side() -> None:
    assert verdict_of(0.2, 0.4, 0.01, 0.1, 0.05) == "finding"
    assert verdict_of(0.2, 0.4, 0.06, 0.1, 0.05) == "cannot_conclude"
    assert verdict_of(0.2, 0.4, None, 0.1, 0.05) == "cannot_conclude"
    assert verdict_of(-0.1, 0.1, 0.9, 0.1, 0.05) == "passed"
    assert verdict_of(-0.1, 0.101, 0.9, 0.1, 0.05) == "cannot_conclude"


def test_the_row_that_decides_comes_first_and_p_is_adjusted_over_all_rows(run: Run) -> None:
    rows = [("within", -0.1, 0.05, 0.9), ("open", 0.0, 0.3, 0.2), ("beyond", 0.2, 0.4, 0.001)]
    table = pd.DataFrame([{"topic": t, "value": (a + b) / 2, "low": a, "high": b, "p": p} for t, a, b, p in rows])
    family = Family("f", "test", "rows")
    got = judged(table, 0.1, family, context(run))
    assert got["topic"].tolist() == ["beyond", "open", "within"]
    assert got["p_adjusted"].tolist() == pytest.approx(holm(np.array([0.001, 0.2, 0.9])))
    assert judged(table.iloc[:2], 0.1, family, context(run)).iloc[0]["verdict"] == "cannot_conclude"
    refused = judged(table, 0.1, family, context(run), table["value"] > 9)
    assert set(refused["verdict"]) == {"passed", "cannot_conclude"}


def test_a_wide_interval_passes_nothing(run: Run) -> None:
    record = made_reliance(run)
    assert outcomes(run, "reliance.border")["reliance.border"].status == "passed"
    # Without looks it is not known whether a region that carries score is a mark.
    changed(run, "looks", record.looks.iloc[:0])
    noise = np.random.default_rng(3).normal(0, 0.1, len(record.places))
    changed(run, "places", record.places.assign(fall=record.places["fall"] + noise))
    finding = outcomes(run, "reliance.border")["reliance.border"]
    assert finding.status == "cannot_conclude"
    assert all(number.low is not None and number.low <= 0.15 for number in finding.evidence)
    assert all(number.high is not None and number.high > 0.15 for number in finding.evidence)


# -- shares count images and texts ---------------------------------------------------------------------------------


def test_templates_of_the_plan_do_not_count(run: Run) -> None:
    record = made_reliance(run)
    (own,) = run.plan.texts.templates
    # Five other templates, one of which gives every image another class: a fifth. With the plan's own, a sixth.
    rows = [
        {"image": image, "image_name": name, "template": template, "own": 0.3, "score": 0.3, "spread": 0.05}
        | {"best": "other" if template == "4 {}" else best}
        for image, name, best in record.images[["image", "image_name", "best"]].itertuples(index=False)
        for template in (own, *(f"{number} {{}}" for number in range(5)))
    ]
    changed(run, "templates", pd.DataFrame(rows))
    record = RelianceRecord.load(RelianceRecord.folder_of(run))
    change = templates(record, run.plan.texts.templates, least=0.25)
    assert (change.change.value, change.count, change.change.n) == (pytest.approx(1 / 5), 5, 24)
    assert (change.change.low, change.change.high) == pytest.approx(wilson(24 / 5, 24))
    assert templates(record, (), least=0.25).change.value == pytest.approx(1 / 6)
    assert template_changes(record, (own, *(f"{number} {{}}" for number in range(5)))).empty
    finding = outcomes(run, "prompts.templates")["prompts.templates"]
    assert "20 %" in finding.condition and "5 templates besides the plan's" in finding.condition
    # A fifth of 24 images may be a quarter as well.
    assert finding.status == "cannot_conclude"
    changed(run, "templates", pd.DataFrame(rows)[lambda frame: frame["template"] == own])
    none = outcomes(run, "prompts.templates")["prompts.templates"]
    assert none.status == "cannot_conclude" and "one of the plan's own" in none.condition


def test_several_texts_of_an_image_count_once(run: Run) -> None:
    record = made_reliance(run, "corner")
    first = record.places[record.places["place"] == "top left"]
    plain = region_table(record, ["top left"], least=0.15, enough=8).set_index("topic").loc["all texts together"]
    # The first image has nine more texts whose whole score the corner carries.
    more = [first.iloc[:1].assign(text=f"text {at}", fall=first.iloc[0]["total"]) for at in range(9)]
    changed(run, "places", pd.concat([record.places, *more]))
    row = region_table(RelianceRecord.load(RelianceRecord.folder_of(run)), ["top left"], least=0.15, enough=8)
    row = row.set_index("topic").loc["all texts together"]
    assert row.n == plain.n == 24
    own = first.iloc[0]
    expected = (first["fall"].sum() - own["fall"] + (own["fall"] + 9 * own["total"]) / 10) / first["total"].sum()
    assert row.fall == pytest.approx(expected)
    pairs = (first["fall"].sum() + 9 * own["total"]) / (first["total"].sum() + 9 * own["total"])
    assert abs(row.fall - pairs) > 0.05
    assert row.images == plain.images


def test_more_sentences_or_words_do_not_raise_a_severity(run: Run) -> None:
    record = made_reliance(run, "ignored")
    before = outcomes(run, "words.ignored")["words.ignored"]
    assert before.grade is not None and (before.n, before.unit) == (2, "texts")
    assert before.grade.likelihood == 0.5, "one of the two texts contains the word"
    many = [record.carriers.assign(carrier=record.carriers["carrier"] + str(copy)) for copy in range(5)]
    changed(run, "carriers", pd.concat(many))
    after = outcomes(run, "words.ignored")["words.ignored"]
    assert after.grade == before.grade and after.n == before.n
    # A second ignored word that no text contains changes nothing either.
    second = record.carriers.assign(change=record.carriers["change"].where(record.carriers["word"] != "plain", 0.0))
    changed(run, "carriers", second)
    assert outcomes(run, "words.ignored")["words.ignored"].grade == before.grade


def test_a_range_is_not_called_an_interval_and_each_n_has_its_unit(run: Run) -> None:
    made_reliance(run, "merged")
    for rule in ("words.ignored", "words.merged"):
        for number in outcomes(run, rule)[rule].evidence:
            assert "range over sentences, not an interval" in number.name and number.counted == "sentences"
    finding = outcomes(run, "words.function")["words.function"]
    assert finding.unit == "texts" and {number.counted for number in finding.evidence} == {"texts"}
    words = outcomes(run, "words.ignored")["words.ignored"]
    assert (words.status, words.n, words.unit) == ("passed", 9, "words") and "Of 9 content words" in words.condition
    assert f"the {words.evidence[0].n} fixed sentences" in words.condition
    # The companion: a finding concerns the texts that contain its words.
    assert (merged := outcomes(run, "words.merged")["words.merged"]).status == "finding" and merged.unit == "texts"


def test_the_shares_of_function_words_are_those_of_texts(run: Run) -> None:
    record = made_reliance(run)
    # One text in ten images, with another share than the others.
    copies = record.texts.assign(text=["one text"] * 10 + record.texts["text"].tolist()[10:])
    copies = copies.assign(share=[0.9] * 10 + copies["share"].tolist()[10:])
    table = function_words(RelianceRecord(**{**vars(record), "texts": copies}), least=0.0)
    row = table.iloc[0]
    assert row.n == 15 and row.value == pytest.approx(row.share - row.words)
    assert row.share == pytest.approx((0.9 + copies["share"].iloc[10:].sum()) / 15)
    assert abs(row.share - copies["share"].mean()) > 0.1


# -- samples and counter-samples -----------------------------------------------------------------------------------


def test_samples_show_a_finding_and_counter_samples_contradict_it(run: Run) -> None:
    record = made_reliance(run, "corner")
    lit = record.places["place"] == "top left"
    spared = record.images["image"].iloc[:3]
    fall = record.places["fall"].where(~(lit & record.places["image"].isin(spared)), record.places["control"])
    changed(run, "places", record.places.assign(fall=fall))
    finding = outcomes(run, "reliance.border")["reliance.border"]
    assert finding.status == "finding" and finding.grade is not None
    assert finding.grade.likelihood == pytest.approx(9 / 12)
    part = (record.places["fall"] - record.places["control"])[lit] / record.places["total"][lit]
    part = part.set_axis(record.places["image"][lit])
    assert finding.samples and all(part[sample.image] > 0.15 for sample in finding.samples)
    assert {sample.image for sample in finding.counter} == set(spared)
    made_reliance(run, "corner")
    assert outcomes(run, "reliance.border")["reliance.border"].counter == ()


# -- the chapter's tables ------------------------------------------------------------------------------------------


def test_a_table_prints_the_p_of_the_rule_that_tests_the_row(run: Run) -> None:
    record = made_reliance(run, "concept")
    regions = region_shares(record, context(run)).set_index(["topic", "place"])["p_adjusted"]
    assert regions.xs("foreground", level="place").isna().all()
    assert regions.drop("foreground", level="place").notna().all()
    concepts = concept_shares(record, context(run))
    assert concepts[concepts["surprise"]]["p_adjusted"].notna().all()
    assert concepts[~concepts["surprise"]]["p_adjusted"].isna().all()
    finding = outcomes(run, "reliance.concept")["reliance.concept"]
    shown = concepts[concepts["p_adjusted"] < 0.05]
    assert finding.evidence[0].value == pytest.approx(float(shown["value"].max()))


def test_a_concept_that_is_never_beside_another_is_said_to_be_beside_none(run: Run) -> None:
    record = made_reliance(run)
    first = record.regions["image"] == record.regions["image"].iloc[0]
    regions = record.regions.assign(concept=record.regions["concept"].where(~first, "anemone"))
    table = concept_prevalence(RelianceRecord(**{**vars(record), "regions": regions})).set_index("concept")
    assert table.loc["anemone", "beside"] == "" and table.loc["grass", "beside"] == "wall"
