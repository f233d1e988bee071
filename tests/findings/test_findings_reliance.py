"""What the rules on reliance find where a flaw was planted, and that they stay silent on its clean twin."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.applications.reliance_record import FOLDER
from core.evaluation.outliers import difference, group_columns, nearness, robust_z
from core.evaluation.reliance import share_of
from core.evaluation.summary import Summary, summarise
from core.findings import Finding, concept_rules, place_rules, word_rules
from core.findings import group_rules as groups
from core.findings import surroundings_rules as surroundings
from core.findings import susceptibility_rules as words
from core.runs import Run
from core.statistics import wilson
from tests.findings.pinned import PINNED
from tests.support.made_reliance import made_reliance
from tests.support.made_run import made_run

RULES: dict[str, Callable[..., Any]] = {
    "reliance.concept": concept_rules.concept_surprise,
    "reliance.dominant": concept_rules.concept_dominates,
    "reliance.border": place_rules.border_reliance,
    "reliance.background": place_rules.background_reliance,
    "reliance.surroundings": surroundings.surroundings,
    "reliance.alone": surroundings.marks,
    "reliance.typographic": words.typographic,
    "prompts.templates": words.template_sensitivity,
    "words.function": words.function_word_attribution,
    "words.ignored": words.ignored_words,
    "words.merged": word_rules.merged_words,
    "data.outliers": groups.pictures_lie_far,
}
# Each planted flaw and the rules that must see it; all others must pass.
FLAWS = {
    "concept": {"reliance.concept", "reliance.dominant"},
    "border": {"reliance.border"},
    "corner": {"reliance.border"},
    "background": {"reliance.background", "reliance.surroundings", "reliance.alone"},
    "sticker": {"reliance.typographic"},
    "template": {"prompts.templates"},
    "function": {"words.function"},
    "ignored": {"words.ignored"},
    "merged": {"words.merged"},
    "everywhere": {"reliance.surroundings", "reliance.alone"},
    "mark": {"reliance.alone"},
    "look": {"data.outliers"},
    "picture": {"data.outliers"},
    "group": {"data.outliers"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("reliance") / "run", images=24, methods=("raw",))


@pytest.fixture(scope="module")
def summary(run: Run) -> Summary:
    return summarise(run)


@pytest.fixture(autouse=True)
def no_record(run: Run) -> Any:
    yield
    shutil.rmtree(run.folder / FOLDER, ignore_errors=True)


def judged(run: Run, summary: Summary) -> dict[str, Finding]:
    found = {}
    for name, rule in RULES.items():
        (finding,) = rule(run, summary, PINNED)
        assert finding.id == finding.rule == name
        found[name] = finding
    return found


def test_a_clean_record_passes_every_rule(run: Run, summary: Summary) -> None:
    for seed in range(3):
        made_reliance(run, seed=seed)
        assert {finding.status for finding in judged(run, summary).values()} == {"passed"}


@pytest.mark.parametrize("flaw", list(FLAWS))
def test_a_planted_flaw_is_found_by_its_rule_and_by_no_other(run: Run, summary: Summary, flaw: str) -> None:
    made_reliance(run, flaw)
    found = judged(run, summary)
    assert {name for name, finding in found.items() if finding.status == "finding"} == FLAWS[flaw]
    for name in FLAWS[flaw]:
        finding = found[name]
        assert finding.grade is not None and finding.severity in ("low", "medium", "high")
        assert finding.cause.startswith("Hypothesis") and finding.recommendation and finding.effect
        assert finding.evidence and all(number.n for number in finding.evidence)
        assert finding.counter or finding.counter_note
        assert flaw in ("ignored", "merged") or finding.samples
        assert str(PINNED[f"{name}.{next(iter(PINNED[name]))}"]) in finding.threshold


def test_among_few_names_no_concept_is_found(run: Run, summary: Summary) -> None:
    made_reliance(run, "concept")
    path = run.folder / FOLDER / "about.json"
    about = json.loads(path.read_text())
    for count, status in ((29, "cannot_conclude"), (30, "finding")):
        path.write_text(json.dumps({**about, "candidates": count}))
        found = judged(run, summary)
        assert {found[name].status for name in FLAWS["concept"]} == {status}
        assert found["reliance.border"].status == "passed"


def test_what_a_finding_says_is_what_was_planted(run: Run, summary: Summary) -> None:
    made_reliance(run, "corner")
    (finding,) = place_rules.border_reliance(run, summary, PINNED)
    assert "upper left corner" in finding.title and "red circle" in finding.title
    # 0.12 of 0.2, with noise of 0.01 a picture.
    assert finding.evidence[0].value == pytest.approx(0.6, abs=0.03)
    assert {sample.text for sample in finding.samples} == {"red circle"}
    made_reliance(run, "concept")
    (finding,) = concept_rules.concept_surprise(run, summary, PINNED)
    assert "grass" in finding.title and finding.evidence[0].value == pytest.approx(0.75, abs=0.03)
    made_reliance(run, "ignored")
    (finding,) = words.ignored_words(run, summary, PINNED)
    assert "bright" in finding.title and finding.evidence[0].high == pytest.approx(0.004)
    for flaw, signal in (("group", "of pictures lies far"), ("look", "below the rest as a whole, by light")):
        made_reliance(run, flaw)
        (finding,) = groups.pictures_lie_far(run, summary, PINNED)
        assert "green square" in finding.condition and (flaw == "group" or signal in finding.condition)
    made_reliance(run, "merged")
    (finding,) = word_rules.merged_words(run, summary, PINNED)
    assert "bright" in finding.title and "small" in finding.title and len(finding.evidence) == 1
    made_reliance(run, "everywhere")
    (finding,) = surroundings.surroundings(run, summary, PINNED)
    # 0.14 of 0.2 beyond the corners of other pictures.
    assert "red circle" in finding.title and finding.evidence[0].value == pytest.approx(0.7, abs=0.05)
    made_reliance(run, "mark")
    (finding,) = surroundings.marks(run, summary, PINNED)
    assert finding.title == "The upper left corner alone says \u201cred circle\u201d" and len(finding.evidence) == 1


def test_without_a_record_nothing_is_said_and_with_few_pictures_nothing_is_concluded(
    run: Run, summary: Summary, tmp_path: Path
) -> None:
    assert [finding for rule in RULES.values() for finding in rule(run, summary, PINNED)] == []
    few = made_run(tmp_path / "few", images=6, methods=("raw",))
    made_reliance(few, "corner")
    found = judged(few, summarise(few))
    assert {name for name, finding in found.items() if finding.status != "cannot_conclude"} == {
        "words.ignored",
        "words.merged",
    }
    made_reliance(run, "background", foreground=False)
    (finding,) = place_rules.background_reliance(run, summary, PINNED)
    assert finding.status == "cannot_conclude" and "foreground" in finding.condition


def test_a_background_must_be_missed_and_told_by_its_corners(run: Run, summary: Summary) -> None:
    made_reliance(run, "background")
    (finding,) = place_rules.background_reliance(run, summary, PINNED)
    # 0.12 of 0.2 hidden, with noise of 0.01 a picture; the corners alone have 0.15 of 0.2.
    assert finding.status == "finding" and finding.evidence[0].value == pytest.approx(0.6, abs=0.03)
    told = re.search(r"corners of its pictures alone have (\d+)%", finding.condition)
    assert told and int(told[1]) == pytest.approx(75, abs=4)
    made_reliance(run, "behind")
    found = judged(run, summary)
    assert {name for name, finding in found.items() if finding.status != "passed"} == {"reliance.background"}
    unsure = found["reliance.background"]
    assert unsure.status == "cannot_conclude" and "may hold the thing itself" in unsure.title
    assert "red circle" in unsure.condition and "corners alone have" in unsure.condition
    # Of captions nothing can be said about corners.
    path = run.folder / FOLDER / "places.parquet"
    places = pd.read_parquet(path)
    places.assign(text=places["text"] + " outside", text_kind="prompt").to_parquet(path, index=False)
    (finding,) = place_rules.background_reliance(run, summary, PINNED)
    assert finding.status == "cannot_conclude" and "only of a class" in finding.condition


def grouped(run: Run, gap: float) -> Run:
    """The run as if its pictures had a column of two sites; the scores of one lie `gap` deviations lower."""
    record = made_reliance(run)
    path = run.folder / FOLDER / "pictures.parquet"
    sites = ["north" if at % 2 else "south" for at in range(len(record.pictures))]
    noise = np.random.default_rng(1).normal(size=len(sites))
    scores = 0.3 + 0.01 * (noise - gap * np.array([site == "north" for site in sites]))
    record.pictures.assign(score=scores).to_parquet(path, index=False)
    pictures = tuple(
        picture.model_copy(update={"metadata": {"site": site, "name": picture.name}})
        for picture, site in zip(run.dataset.pictures, sites, strict=True)
    )
    other = Run(run.folder)
    other.__dict__["dataset"] = run.dataset.model_copy(update={"pictures": pictures})
    return other


@pytest.mark.parametrize(("gap", "status"), [(0.0, "passed"), (2.5, "finding")])
def test_groups_are_compared_by_the_columns_that_make_some(run: Run, summary: Summary, gap: float, status: str) -> None:
    (finding,) = groups.groups_differ(grouped(run, gap), summary, PINNED)
    assert finding.status == status
    if status == "finding":
        assert "site" in finding.title and "north" in finding.condition
        assert finding.evidence[0].value > 1.5
    (alone,) = groups.groups_differ(run, summary, PINNED)
    assert alone.status == "cannot_conclude"


@pytest.mark.parametrize(("gap", "status"), [(0.0, "passed"), (0.1, "finding")])
def test_captions_with_one_word_are_compared_between_groups(
    run: Run, summary: Summary, gap: float, status: str
) -> None:
    other = grouped(run, 0.0)
    folder = run.folder / FOLDER
    pictures, places = (pd.read_parquet(folder / f"{name}.parquet") for name in ("pictures", "places"))
    # Ten kittens of either site, and four other pictures.
    texts = ["a kitten" if at < 20 else "a lamp" for at in range(len(pictures))]
    rows = places.drop_duplicates("image").assign(text=texts, text_kind="caption")
    pd.concat([places, rows]).to_parquet(folder / "places.parquet", index=False)
    lower = np.array([gap * (at % 2 and text == "a kitten") for at, text in enumerate(texts)])
    pictures.assign(own=pictures["own"] - lower).to_parquet(folder / "pictures.parquet", index=False)
    (finding,) = groups.groups_differ(other, summary, PINNED)
    assert finding.status == status
    if status == "finding":
        assert "north" in finding.condition
        assert any("\u201ckitten\u201d" in number.name and number.n == 20 for number in finding.evidence)
        assert all("north" in number.name.split(" above ")[1] for number in finding.evidence)


# -- the numbers behind them -------------------------------------------------------------------------------------


def test_a_share_is_a_ratio_of_means_over_pictures() -> None:
    amount, total = np.array([0.1, 0.3, 0.2, 9.0]), np.array([0.4, 0.4, 0.8, -1.0])
    images = np.array(["a", "a", "b", "c"])
    got = share_of(amount, total, images, 0.0)
    # Two texts of picture a are averaged first; c gains nothing and is left out.
    assert got.value == pytest.approx((0.2 + 0.2) / (0.4 + 0.8)) and got.n == 2
    assert got.low is None, "two images have no interval"
    random = np.random.default_rng(0)
    some = share_of(random.normal(0.3, 0.1, 9), np.ones(9), np.arange(9), 0.0)
    assert some.low is not None and some.low <= (some.value or 0) <= (some.high or 0)
    none = share_of(amount[3:], total[3:], images[3:], 0.0)
    assert (none.value, none.n, none.p) == (None, 0, None)
    many = np.full(12, 0.3), np.ones(12), np.arange(12).astype(str)
    above = share_of(*many, 0.2).p
    below = share_of(*many, 0.4).p
    assert above is not None and below is not None and above < 0.001 and below > 0.99


def test_wilson_s_interval_holds_its_textbook_value() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-3)
    low, high = wilson(10, 10)
    assert 0.7 < low < 0.73 and high == pytest.approx(1.0)


def test_robust_z_is_that_against_all_others() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 20.0])
    found = robust_z(values)
    others = values[:4]
    expected = (20 - np.median(others)) / (1.4826 * np.median(np.abs(others - np.median(others))))
    assert found[4] == pytest.approx(expected)
    assert abs(found[4] - (20 - np.median(values)) / (1.4826 * np.median(np.abs(values - np.median(values))))) > 0.2
    assert np.isnan(robust_z(np.ones(5))).all()


def test_nearness_leaves_out_oneself_and_one_s_group() -> None:
    vectors = np.eye(5)
    vectors[1] = vectors[0]
    assert nearness(vectors)[0] == pytest.approx(1 / 3)
    assert nearness(vectors, ["x", "x", "a", "b", "c"])[0] == pytest.approx(0.0)
    assert np.isnan(nearness(vectors, ["x", "x", "x", "a", "b"])[0])


def test_groups_come_from_columns_with_few_large_values() -> None:
    images = [str(at) for at in range(20)]
    metadata = {
        image: {"site": "a" if at < 9 else "b" if at < 18 else "c", "id": image} for at, image in enumerate(images)
    }
    found = group_columns(metadata, images, fewest=8, most_groups=8)
    assert list(found) == ["site"] and set(found["site"].values()) == {"a", "b"}
    assert group_columns(metadata, images, fewest=10, most_groups=8) == {}


def test_a_difference_is_in_deviations_within_groups() -> None:
    random = np.random.default_rng(0)
    labels = ["a"] * 15 + ["b"] * 15
    values = random.normal(size=30) + np.array([2.0] * 15 + [0.0] * 15)
    got = difference(values, labels, column="c", measure="score", seed=0)
    assert got is not None and (got.high_group, got.low_group) == ("a", "b")
    first, second = values[:15], values[15:]
    within = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    assert got.value == pytest.approx((first.mean() - second.mean()) / within) and got.p < 0.001
    same = difference(random.normal(size=30), labels, column="c", measure="score", seed=0)
    assert same is not None and same.p > 0.01
    assert difference(np.ones(30), labels, column="c", measure="score", seed=0) is None


@pytest.mark.parametrize("count", [1, 2])
def test_thresholds_of_one_picture_and_records_of_few_break_nothing(tmp_path: Path, count: int) -> None:
    few = made_run(tmp_path / "run", images=count, methods=("raw",))
    summary = summarise(few)
    values = copy.deepcopy(PINNED.values)
    values["general"]["least_images"] = values["reliance"]["topics"]["least_pictures"] = 1
    for flaw in ("", "border", "concept"):
        made_reliance(few, flaw)
        for rule in RULES.values():
            (finding,) = rule(few, summary, replace(PINNED, values=values))
            assert finding.condition and finding.title
            assert count > 1 or finding.id not in ("reliance.border", "reliance.concept") or not finding.grade
        shutil.rmtree(few.folder / FOLDER)
