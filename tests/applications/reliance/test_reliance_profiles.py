"""Profiles by concept, names that stand, declared concepts and natural surroundings, on a record with planted flaws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from core.applications.reliance.alikeness import alikeness, images_by_topic
from core.applications.reliance.declared import declared_table
from core.applications.reliance.measures import EVERY, pairs_left_out
from core.applications.reliance.profile import (
    consensus_shares,
    examples,
    profile_rows,
    profile_table,
    surroundings_profile,
    without_image,
)
from core.applications.reliance.profile_chapter import profile_sections, read
from core.applications.reliance.record import RelianceRecord
from core.applications.reliance.rows import RegionRow
from core.applications.reliance.rules import RULES
from core.applications.reliance.specs import share_of_row
from core.applications.reliance.standing import name_checks, standing
from core.applications.reliance.surroundings import alone_table, corner_table
from core.evaluation.agreement import COMMON_SIDE, common_grid
from core.findings.judgement import apply
from core.rules import Context, Finding
from core.rules.thresholds import load_thresholds
from core.runs import Run
from core.runs.rows import typed
from tests.findings.pinned import PINNED
from tests.support.contexts import context_of as report_context
from tests.support.made_reliance import made_reliance
from tests.support.made_run import made_run

DECLARED = ("red circle | lawn | forbidden", "* | circle | expected", "green square | wall | expected")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    yield made_run(tmp_path_factory.mktemp("made") / "run", images=32)


BOTH = dict.fromkeys(("class", "prompt"), ("raw", "rise"))


def context_of(run: Run) -> Context:
    return Context.of(Run(run.folder), thresholds=PINNED)


def judged(run: Run, rule: str) -> list[Finding]:
    context = context_of(run)
    return [finding for each in RULES if each.id == rule for finding in apply(each, context)]


def table_of(run: Run) -> tuple[pd.DataFrame, pd.DataFrame, RelianceRecord]:
    context = context_of(run)
    record = standing(context)
    assert record is not None
    rows = profile_rows(record, consensus_shares(record, context, BOTH))
    return profile_table(rows, most_related=0.8), rows, record


def test_a_clean_score_relies_on_its_own_object_and_the_profile_states_it(run: Run) -> None:
    made_reliance(run)
    table, rows, _ = table_of(run)
    assert list(dict.fromkeys(table["topic"])) == [EVERY, "green square", "red circle"]
    first = table[table["topic"] == "red circle"].iloc[0]
    assert (first["concept"], first["relation"], first["n"]) == ("circle", "related", 16)
    assert first["low"] < 0.6 < first["high"] and first["value"] == pytest.approx(0.6, abs=0.05)
    grass = table[(table["topic"] == "red circle") & (table["concept"] == "grass")].iloc[0]
    assert grass["relation"] == "unrelated" and grass["high"] < 0.1
    samples, counter = examples(rows, "red circle", "circle", 0.1)
    assert len(samples) == 3 and not counter and samples[0].part >= samples[2].part > 0.1
    samples, counter = examples(rows, "red circle", "grass", 0.1)
    assert counter and not {each.image for each in samples} & {each.image for each in counter}


def test_a_class_of_few_images_has_a_profile_without_an_interval(run: Run) -> None:
    record = made_reliance(run)
    few = set(record.images["image"].iloc[:3])
    rows = profile_rows(record, pd.Series(np.nan, index=record.regions.index))
    table = profile_table(rows[rows["image"].isin(few)], most_related=0.8)
    first = next(table[table["topic"] != EVERY].itertuples())
    assert share_of_row(first).endswith("n = 3: no interval") and np.isnan(first.attribution)
    assert without_image(record, ["red circle", "blue triangle"], rows) == ["blue triangle"]


def test_the_share_of_the_consensus_in_regions_that_cover_the_image_is_one(run: Run) -> None:
    made_reliance(run)
    context = context_of(run)
    record = standing(context)
    assert record is not None
    shares = consensus_shares(record, context, BOTH)
    assert shares.notna().any() and ((shares.dropna() >= 0) & (shares.dropna() <= 1)).all()
    assert consensus_shares(record, context, {}).isna().all()


def test_the_share_of_the_consensus_is_that_of_the_mean_rank_of_the_maps(run: Run) -> None:
    made_reliance(run)
    context = context_of(run)
    record = standing(context)
    assert record is not None
    shares = consensus_shares(record, context, BOTH)
    rows = run.results()
    rows = rows[(rows["kind"] == "method") & rows["method"].isin(BOTH["class"])]
    at = next(index for index, share in shares.items() if share == share)
    region = record.regions.loc[at]
    of = rows[(rows["image"] == region["image"]) & (rows["text"] == region["text"])]
    ranks = [
        rankdata(common_grid(np.reshape(row.map, (int(row.rows), int(row.columns))))) - 1 for row in of.itertuples()
    ]
    agreed = np.mean(ranks, axis=0).reshape(COMMON_SIDE, COMMON_SIDE)
    inside = common_grid(record.cells(next(typed(record.regions.loc[[at]], RegionRow))))
    assert shares[at] == pytest.approx((agreed * inside).sum() / agreed.sum(), abs=1e-12)
    # Those of one method alone are others, and a caption has no profile.
    assert shares[at] != pytest.approx(consensus_shares(record, context, {"class": ["raw"]})[at], abs=1e-6)
    about = replace(record, regions=record.regions.assign(text_kind="caption"))
    assert consensus_shares(about, context, {"caption": ["raw"]}).isna().all()


def test_a_name_that_does_not_separate_its_regions_is_no_name(run: Run) -> None:
    record = made_reliance(run, "misnamed")
    thresholds = load_thresholds(None)
    checks = name_checks(record, thresholds)
    assert dict(zip(checks["name"], checks["stands"], strict=True)) == {"circle": True, "grass": False, "wall": True}
    # Nor is one that others are as near as, that few regions are near to, that images do not lose with their regions,
    # or that an earlier version did not check.
    for column, value in (
        ("rivals", ["sea"]),
        ("near", 0.5),
        ("lost", 4),
        ("rivals", None),
        ("near", None),
        ("lost", None),
    ):
        changed = record.names.assign(**{column: [value] * len(record.names)})
        assert not name_checks(replace(record, names=changed), thresholds)["stands"].any()
    assert set(table_of(run)[0]["concept"]) == {"circle", "unnamed 2", "wall"}
    unnamed = table_of(run)[0]
    assert set(unnamed.loc[(unnamed["concept"] == "unnamed 2") & (unnamed["topic"] != EVERY), "relation"]) == {
        "not known"
    }
    # Nothing is concluded about a concept without a name, even if it carries the score.
    made_reliance(run, "concept")
    assert judged(run, "reliance.concept")[0].status == "finding"
    record = made_reliance(run, "concept")
    names = record.names.assign(area=0.5)
    RelianceRecord.write(
        RelianceRecord.folder_of(run),
        record.about,
        {name: names if name == "names" else getattr(record, name) for name in RelianceRecord.SCHEMAS},
    )
    assert judged(run, "reliance.concept")[0].status == "cannot_conclude"


def test_a_forbidden_concept_that_carries_score_is_found_and_its_clean_twin_is_not(run: Run) -> None:
    made_reliance(run, "concept", declared=DECLARED)
    (finding,) = judged(run, "reliance.forbidden")
    assert finding.status == "finding" and finding.subject == "model" and finding.id == "reliance.forbidden.1"
    assert finding.title == "Scores of \u201cred circle\u201d rely on \u201clawn\u201d, which is declared forbidden"
    assert "Declared concepts tested together: 3" in finding.condition and finding.samples and finding.n == 16
    made_reliance(run, declared=DECLARED)
    (finding,) = judged(run, "reliance.forbidden")
    assert finding.status == "passed" and not finding.samples


def test_an_expected_concept_that_carries_nothing_is_found_and_one_that_does_passes(run: Run) -> None:
    made_reliance(run, declared=DECLARED)
    circle, wall = judged(run, "reliance.expected")
    assert circle.status == "passed" and wall.status == "finding"
    assert wall.title.endswith("do not rely on \u201cwall\u201d, which is declared expected")
    table = context_of(run).once(declared_table)
    assert table is not None and table["p_adjusted"].notna().all() and (table["p_adjusted"] >= table["p"]).all()
    # For a forbidden concept the detectable share lies above the limit, for an expected one below.
    assert table["smallest"].iloc[0] > 0.1 > table["smallest"].iloc[2]


def test_a_concept_that_no_region_shows_cannot_be_concluded(run: Run) -> None:
    made_reliance(run, declared=("* | hospital token | forbidden",))
    (finding,) = judged(run, "reliance.forbidden")
    assert finding.status == "cannot_conclude" and finding.n == 0 and "no image shows" in finding.title
    made_reliance(run)
    assert judged(run, "reliance.forbidden") == judged(run, "reliance.expected") == []


@pytest.mark.parametrize("name", ["background", "the background", "The  Background"])
def test_a_forbidden_fixed_region_is_tested_by_its_name(run: Run, name: str) -> None:
    made_reliance(run, "behind", declared=(f"red circle | {name} | forbidden",))
    assert judged(run, "reliance.forbidden")[0].status == "finding"
    made_reliance(run, declared=(f"red circle | {name} | forbidden",))
    assert judged(run, "reliance.forbidden")[0].status == "passed"


@pytest.mark.parametrize(
    ("flaw", "rule"),
    [
        ("mark", "reliance.alone"),
        ("everywhere", "reliance.surroundings"),
        ("corner", "reliance.border"),
    ],
)
def test_surroundings_that_differ_from_image_to_image_are_no_flaw_and_are_in_the_profile(
    run: Run, flaw: str, rule: str
) -> None:
    made_reliance(run, flaw)
    assert judged(run, rule)[0].status == "finding"
    record = made_reliance(run, flaw, natural=True)
    (finding,) = judged(run, rule)
    assert finding.status == "passed" and "not to look alike from image to image" in finding.condition
    if rule == "reliance.surroundings":
        table = surroundings_profile(record)
        row = table[(table["topic"] == "red circle") & (table["place"] == "corners")].iloc[0]
        assert row["own"] > 0.5 and row["alike_high"] < 0.5


def test_a_region_shown_not_to_look_alike_meets_the_criterion_whatever_it_carries_in_total(run: Run) -> None:
    for natural, status in ((True, "passed"), (False, "cannot_conclude")):
        record = made_reliance(run, "everywhere", natural=natural)
        own = record.alone["text"] == "red circle"
        # 5 % of the gain in total, which is within the limit, and about 90 % beyond the other images.
        less = record.alone["shown"] - own * np.where(record.alone["best"], 0.14, 0.18)
        replace(record, alone=record.alone.assign(shown=less)).save(RelianceRecord.folder_of(run))
        (finding,) = judged(run, "reliance.surroundings")
        assert finding.status == status and "would have been a finding" not in finding.condition
        assert ("In total it carries 5 %" in finding.condition) == (status == "cannot_conclude")


@pytest.mark.parametrize("look", ["only", "last", "interim"])
def test_a_share_has_one_interval_in_the_profile_and_in_the_rule(run: Run, look: str) -> None:
    """The demonstration printed 104 % [56, 151] and [59, 148]: the profile ignored the looks at the record."""
    record = made_reliance(run, "everywhere")
    record = replace(record, about={**record.about, "design": {"look": look, "looks": [24]}})
    profile = surroundings_profile(record)
    tables = [corner_table(record, least=0.0, enough=8), alone_table(record, ("border",), least=0.0, enough=8)]
    both = pd.concat(tables).merge(profile, left_on=["text", "place"], right_on=["topic", "place"], suffixes=("", "_p"))
    assert len(both) == sum(map(len, tables)) > 2
    for end in ("value", "low", "high", "own"):
        assert both[end].to_numpy(float) == pytest.approx(both[f"{end}_p"].to_numpy(float), abs=0)
    # The companion: another look has other intervals.
    other = replace(record, about={**record.about, "design": {"look": "last" if look == "only" else "only"}})
    assert not np.allclose(profile["low"], surroundings_profile(other)["low"])


def test_the_notes_of_tables_explain_n_by_the_pairs_left_out() -> None:
    rows = pd.DataFrame({"image": list("aabbc"), "text": list("xyxyx"), "total": [1.0, 0.5, -0.1, 0.2, 0.0]})
    note = pairs_left_out(rows, "n counts the images of the text")
    assert note.startswith("n counts the images of the text, without the pairs whose score the image does not raise")
    assert "(2 of the 5 image-text pairs of this table)" in note
    assert "No image-text pair is left out" in pairs_left_out(rows[:2], "n counts the images of the text")


def test_a_share_of_a_tiny_gain_is_not_determined(run: Run) -> None:
    record = made_reliance(run, "everywhere")
    tiny = record.alone["text"] == "red circle"
    less = replace(record, alone=record.alone.assign(total=record.alone["total"] * np.where(tiny, 0.1, 1.0)))
    before, after = surroundings_profile(record), surroundings_profile(less)
    red = after["topic"] == "red circle"
    assert red.any() and before["own"].notna().all() and (after["n"] == before["n"]).all()
    assert after[red][["own", "value", "low", "high"]].isna().all(axis=None) and after[~red]["own"].notna().all()
    assert share_of_row(after[red].iloc[0]).endswith("not determined")
    rows = profile_rows(record, consensus_shares(record, Context.of(run), {}))
    small = rows.assign(total=rows["total"] * np.where(rows["text"] == "red circle", 0.1, 1.0))
    table = profile_table(small, most_related=0.8)
    assert table[table["topic"] == "red circle"]["value"].isna().all()
    assert table[table["topic"] == "green square"]["value"].notna().any()


def test_a_natural_background_is_settled_for_its_class_and_open_for_all_texts_together(run: Run) -> None:
    made_reliance(run, "background")
    assert judged(run, "reliance.background")[0].status == "finding"
    made_reliance(run, "background", natural=True)
    (finding,) = judged(run, "reliance.background")
    assert finding.status == "cannot_conclude" and "all texts together" in finding.condition


def test_alikeness_is_one_where_a_region_is_the_same_and_nothing_where_it_is_not(run: Run) -> None:
    record = made_reliance(run, "mark")
    own = images_by_topic(record)["red circle"]
    assert len(own) == 16
    mark, other = alikeness(record, "top left", own), alikeness(record, "bottom right", own)
    assert mark.low is not None and mark.low > 0.9
    assert other.high is not None and other.high < 0.5
    assert alikeness(record, "top left", set(list(own)[:3])).low is None


def test_the_chapter_prints_profiles_names_and_declared_concepts(run: Run) -> None:
    made_reliance(run, declared=DECLARED)
    sections = {part.title: part for part in profile_sections(report_context(run))}
    assert set(sections) == {
        "What each text relies on", "What surroundings carry", "Declared concepts", "Names of concept regions",
    }  # fmt: skip
    profile = sections["What each text relies on"]
    assert any("circle (related)" in cell for row in profile.tables[0].rows for cell in row)
    assert profile.heats and "blue triangle" in profile.sentences[-1]
    assert {row[6] for row in sections["Declared concepts"].tables[0].rows} == {"passed", "finding"}


def test_rows_of_unnamed_concepts_without_an_interval_are_counted_and_not_printed() -> None:
    rows = [
        ("unnamed 1", 0.2, 0.1, 0.3, 20), ("unnamed 2", -8.27, np.nan, np.nan, 3), ("owl", 0.2, np.nan, np.nan, 3),
        ("unnamed 3", np.nan, np.nan, np.nan, 12),
    ]  # fmt: skip
    table, unread = read(pd.DataFrame(rows, columns=["concept", "value", "low", "high", "n"]))
    assert table["concept"].tolist() == ["unnamed 1", "owl"] and unread == 2
