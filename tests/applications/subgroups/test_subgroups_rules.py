"""A group that differs is found and named; groups that do not differ raise no alarm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import rankdata

from core.applications.columns import metadata_groups
from core.applications.image_measures import ImageMeasure
from core.applications.subgroups import rules
from core.applications.subgroups.chapter import error_sentences, sections
from core.applications.subgroups.comparisons import beyond, compared
from core.applications.subgroups.record import GroupsRecord
from core.applications.subgroups.rules import RULES
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.datasets import ingest
from core.errors import ScopeError
from core.findings import apply, load_thresholds
from core.rules import Context, Finding
from core.runs import Run
from tests.applications.test_columns import images
from tests.audit.small import loaded, new_run, plan_for, save_model
from tests.support.contexts import context_of
from tests.support.made_photos import folder_of, night, photo
from tests.support.made_run import made_run

COUNT = 36


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("groups") / "run", images=2, methods=("raw",))


def measure(values: list[float], name: str = "made", subject: str = "model") -> ImageMeasure:
    return ImageMeasure(name, name, subject, {f"{at:016x}": value for at, value in enumerate(values)})  # type: ignore[arg-type]


def test_an_effect_is_the_share_of_pairs_and_all_are_one_family() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=60) + np.tile([1.5, 0, 0], 20)
    groups = metadata_groups(images(site=["a", "b", "c"] * 20), 8)
    every = compared(groups, [measure(values.tolist()), measure(random.normal(size=60).tolist(), "noise")], 8)
    assert len(every) == 6
    first = next(effect for effect in every if effect.group.value == "a" and effect.measure.name == "made")
    own, others = values[::3], np.concatenate([values[1::3], values[2::3]])
    assert first.value == pytest.approx((own[:, None] > others[None]).mean())
    ranks = rankdata(np.concatenate([own, others]))
    assert first.value == pytest.approx((ranks[:20].sum() - 210) / 800)
    assert first.low < first.value < first.high and first.p_adjusted == pytest.approx(min(1.0, 6 * first.p))
    assert beyond(every, 0.64, 0.05)[0] is first
    # The companion: the same values in another order have no such effect.
    shuffled = compared(groups, [measure(random.permutation(values).tolist())], 8)
    assert beyond(shuffled, 0.64, 0.05) == []


def test_an_intersection_counts_only_where_its_parts_do_not() -> None:
    site, sex = ["a", "b"] * 40, (["f"] * 2 + ["m"] * 2) * 20
    random = np.random.default_rng(1)
    noise = 0.3 * random.normal(size=80)
    cell = np.array([s == "a" and x == "f" for s, x in zip(site, sex, strict=True)])
    whole = np.array([s == "a" for s in site])
    groups = metadata_groups(images(site=site, sex=sex), 8)
    # Opposite cells balance each other, so that no column by itself shows anything.
    crossed = cell | np.array([s == "b" and x == "m" for s, x in zip(site, sex, strict=True)])
    columns = {
        effect.group.column for effect in beyond(compared(groups, [measure((noise + crossed).tolist())], 8), 0.64, 0.05)
    }
    assert columns == {"site and sex"}
    columns = {
        effect.group.column for effect in beyond(compared(groups, [measure((noise + whole).tolist())], 8), 0.64, 0.05)
    }
    assert columns == {"site"}
    # Nor where the column is known under the name of another one that holds the same images.
    third = ["a", "b", "c", "b"] * 20
    other_sex = ["f", "m", "f", "f", "f", "f", "f", "f"] * 10
    groups = metadata_groups(images(place=third, is_a=["yes", "no", "no", "no"] * 20, sex=other_sex), 8)
    assert not [group for group in groups if group.column == "is_a"]
    values = (noise + np.array([x == "a" for x in third])).tolist()
    crossing = [one for one in compared(groups, [measure(values)], 8) if one.group.column == "is_a and sex"]
    assert any(one.exceeds(0.64, 0.05) for one in crossing)
    columns = {effect.group.column for effect in beyond(compared(groups, [measure(values)], 8), 0.64, 0.05)}
    assert "is_a and sex" not in columns and "place" in columns


def outcome(monkeypatch: pytest.MonkeyPatch, run: Run, values: list[float], **columns: list[str]) -> Finding:
    """The finding of `groups.difference` on made values of the images of made columns."""
    every = compared(metadata_groups(images(**columns), 8), [measure(values)], 8)
    about = {"columns": list(columns), "words": []}
    GroupsRecord.write(GroupsRecord.folder_of(run), about, GroupsRecord.frames({}))
    monkeypatch.setattr(rules, "effects", lambda context: every)
    monkeypatch.setattr(rules, "_members", lambda context, effect: ((), ()))
    return next(iter(apply(rules.DIFFERENCE, Context.of(run, thresholds=load_thresholds()))))


def test_the_counts_and_the_largest_effect_are_those_of_the_table(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    site, sex = ["a", "b"] * 40, (["f"] * 2 + ["m"] * 2) * 20
    noise = 0.3 * np.random.default_rng(1).normal(size=80)
    whole = np.array([s == "a" for s in site])
    finding = outcome(monkeypatch, run, (noise + whole).tolist(), site=site, sex=sex)
    every = rules.effects(None)  # type: ignore[arg-type]
    exceeding = [effect for effect in every if effect.exceeds(0.64, 0.05)]
    left = [effect for effect in exceeding if effect.group.parents]
    assert left and len(exceeding) == len(left) + 1
    assert f"exceeded in {len(exceeding)} of {len(every)} comparisons" in finding.condition
    assert f"counted but not listed here: {len(left)}. The largest effect listed: “a” (site)" in finding.condition
    largest = "1 measure of the model differs between groups of images; largest: made, higher for “a” (site)"
    assert finding.title == largest and "In order" not in finding.condition
    # Without a column that exceeds the limit by itself nothing is left out, and all are listed.
    crossed = np.array([(s == "a") == (x == "f") for s, x in zip(site, sex, strict=True)])
    finding = outcome(monkeypatch, run, (noise + crossed).tolist(), site=site, sex=sex)
    assert "not listed" not in finding.condition and "In order: “" in finding.condition


LIGHT = {"words": frozenset({"light", "night", "dark"})}


def quality(monkeypatch: pytest.MonkeyPatch, run: Run, column: str, cells: list[str], extra: bool = False) -> Finding:
    """The finding of `groups.quality` where the first of two values goes with darker, and perhaps smaller, images."""
    random = np.random.default_rng(2)
    shift = np.array([cell == cells[0] for cell in cells], float)
    columns = {column: cells, "site": random.permutation(cells).tolist()}
    made = [replace(measure((random.normal(size=80) - 4 * shift).tolist(), "brightness", "data"), **LIGHT)]
    if extra:
        made.append(measure((random.normal(size=80) - 4 * shift).tolist(), "size", "data"))
    every = compared(metadata_groups(images(**columns), 8), made, 8)
    GroupsRecord.write(GroupsRecord.folder_of(run), {"columns": list(columns), "words": []}, GroupsRecord.frames({}))
    monkeypatch.setattr(rules, "effects", lambda context: every)
    monkeypatch.setattr(rules, "_members", lambda context, effect: ((), ()))
    return next(iter(apply(rules.QUALITY, Context.of(run, thresholds=load_thresholds()))))


@pytest.mark.parametrize(
    ("column", "cell", "stated"),
    [
        ("light", "a", True), ("light_conditions", "a", True), ("time", "night", True), ("time", "Low light", True),
        ("scene", "very dark night", True), ("class", "light bulb", False), ("delight", "a", False),
    ],
)  # fmt: skip
def test_a_measure_is_stated_by_the_name_of_a_column_or_a_whole_cell(column: str, cell: str, stated: bool) -> None:
    one = replace(measure([1.0]), **LIGHT)
    assert one.stated_by(column, cell) == stated


def test_what_the_metadata_state_is_confirmed_and_no_finding(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """ "Images of low light are darker" was a finding of medium severity."""
    cells = ["low"] * 20 + ["other"] * 60
    finding = quality(monkeypatch, run, "light", cells)
    assert finding.status != "finding" and "“low”" not in finding.title
    assert "confirms beyond the limit: “low” (light), brightness lower in" in finding.condition
    assert "state the measured property itself: 4 comparisons" in finding.condition
    # What they do not state remains a finding, and so does brightness by a column of another name.
    other = quality(monkeypatch, run, "light", cells, extra=True)
    assert other.status == "finding" and other.title.endswith("between groups; largest: size, lower for “low” (light)")
    other = quality(monkeypatch, run, "camera", cells)
    assert other.status == "finding" and other.title.endswith("largest: brightness, lower for “low” (camera)")
    assert "Left out" not in other.condition


def test_likelihood_counts_the_images_of_every_group_once(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    site = ["a", "b", "c", "c"] * 20
    high = np.array([{"a": 4.0, "b": -4.0, "c": 0.0}[cell] for cell in site])
    noise = 0.1 * np.random.default_rng(0).normal(size=80)
    both = outcome(monkeypatch, run, (noise + high).tolist(), site=site)
    assert both.grade is not None and both.grade.likelihood == 0.5
    # The companion: one group of the two.
    one = outcome(monkeypatch, run, (noise + np.maximum(high, 0)).tolist(), site=site[:-40] + ["c"] * 40)
    assert one.grade is not None and one.grade.likelihood < 0.5


def with_errors(monkeypatch: pytest.MonkeyPatch, run: Run, right: list[float], column: str) -> Finding:
    """The finding on a score that is lower for the first of two values of a column, and on right and wrong images."""
    cells = ["a"] * 40 + ["b"] * 60
    low = np.array([cell == "a" for cell in cells])
    given = images(**{column: cells})
    score = (0.3 * np.random.default_rng(0).normal(size=100) - low).tolist()
    measures = [
        replace(measure(score), title="score", better="higher"),
        replace(measure(right, "right"), title="agreement", better="higher", states_errors=True),
    ]
    every = compared(metadata_groups(given, 8), measures, 8)
    GroupsRecord.write(GroupsRecord.folder_of(run), {"columns": [column], "words": []}, GroupsRecord.frames({}))
    monkeypatch.setattr(rules, "effects", lambda context: every)
    monkeypatch.setattr(rules, "_members", lambda context, effect: ((), ()))
    monkeypatch.setattr(rules, "labels_column", lambda dataset: "class")
    return next(iter(apply(rules.DIFFERENCE, Context.of(run, thresholds=load_thresholds()))))


def test_where_labels_are_known_a_finding_says_for_whom_the_model_fails(
    monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    worse = with_errors(monkeypatch, run, [0.0] * 36 + [1.0] * 64, "site")
    assert worse.title.startswith("2 measures of the model differ between groups of images; largest: ")
    assert "More predictions are wrong there: “a” (site), agreement lower" in worse.effect
    assert "Unfavourable to the group: 2." in worse.condition and "Favourable:" not in worse.condition
    assert "column of labels" not in worse.condition and "same subjects" in worse.recommendation
    # The companion: as many errors in the rest.
    equal = with_errors(monkeypatch, run, [0.0, 1.0] * 50, "site")
    assert "do not show that more predictions are wrong in any group" in equal.effect and "50 % of 40" in equal.effect
    assert "More predictions are wrong there" not in equal.effect and equal.title.startswith("1 measure")
    # A class of the labels is no group of users.
    of_class = with_errors(monkeypatch, run, [0.0] * 36 + [1.0] * 64, "class")
    assert "such a group is a class, not a group of users" in of_class.condition
    assert "report results by class" in of_class.recommendation and "shows other subjects" in of_class.effect
    # The favourable direction has its name: the same values, turned round.
    turned = compared(
        metadata_groups(images(site=["a"] * 40 + ["b"] * 60), 8),
        [replace(measure([1.0] * 40 + [0.0] * 60), better="higher")],
        8,
    )
    assert [effect.favour for effect in turned] == ["favourable"]


def test_the_chapter_names_the_groups_with_the_most_errors_and_confounded_columns() -> None:
    cells = ["a"] * 20 + ["b"] * 20
    made = replace(measure([0.0] * 15 + [1.0] * 25, "right"), better="higher", states_errors=True)
    every = compared(metadata_groups(images(site=cells), 8), [made, measure(list(map(float, range(40))))], 8)
    (sentence,) = error_sentences(every)
    assert "“a” (site) 25 % against 100 % of the other images (n = 20 and 20" in sentence
    assert error_sentences([effect for effect in every if not effect.measure.states_errors]) == ()


def test_false_alarms_are_rare() -> None:
    alarms = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        given = images(site=random.choice(list("abc"), 75).tolist(), sex=random.choice(list("fm"), 75).tolist())
        every = compared(
            metadata_groups(given, 8), [measure(random.normal(size=75).tolist(), f"{at}") for at in range(6)], 8
        )
        alarms += bool(beyond(every, 0.64, 0.05))
    assert alarms <= 5


# -- on images ---------------------------------------------------------------------------------------------------


def run_of(folder: Path, flawed: bool) -> Run:
    """Photographs of which the table marks every third as of another camera; only where flawed are these dark."""
    made = {f"{at:02}.png": photo(at) for at in range(COUNT)}
    if flawed:
        made |= {name: night(image) for name, image in list(made.items())[::3]}
    rows = [f"{name},{'third' if at % 3 == 0 else 'first'},{'ab'[at // 2 % 2]}" for at, name in enumerate(made)]
    table = "\n".join(["image,camera,site", *rows]) + "\n"
    dataset = ingest([folder_of(folder / "images", made, table)], store=folder / "data")
    config = save_model(folder / "vit")
    run = new_run(folder / "run", plan_for(dataset, config, ("raw",)))
    subject = Subject(run, loaded(config))
    run_stage(subject, "data_checks", {}, lambda line: None)
    record = GroupsRecord.load(run_stage(subject, "subgroups", {}, lambda line: None))
    assert record.about["image_forwards"] == 0 and record.about["columns"] == ["camera", "site"]
    worded = GroupsRecord.load(run_stage(subject, "subgroups", {"words": ("moon", "lamp")}, lambda line: None))
    assert worded.about["image_forwards"] == 0 and len(worded.associations) == COUNT
    return run


def judged(run: Run) -> dict[str, Finding]:
    context = Context.of(run, thresholds=load_thresholds())
    return {finding.rule: finding for rule in RULES for finding in apply(rule, context)}


def test_a_group_of_dark_images_is_named_and_its_clean_twin_is_not(tmp_path: Path) -> None:
    run = run_of(tmp_path / "flawed", True)
    finding = judged(run)["groups.quality"]
    assert finding.status == "finding" and finding.subject == "data" and finding.n == COUNT
    assert "“third” (camera)" in finding.title and "lower for" in finding.title and "brightness" in finding.title
    assert {int(sample.image_name[:2]) % 3 for sample in finding.samples} == {0}
    section, *_ = sections(context_of(run))
    assert section.tables[0].rows[0][0] == "camera" and "tests were made" in section.sentences[-1]
    twin = judged(run_of(tmp_path / "clean", False))
    assert {one.status for one in twin.values()} == {"cannot_conclude"}
    assert "images in groups of the same proportions" in twin["groups.quality"].condition


def test_without_columns_the_application_is_not_run(tmp_path: Path) -> None:
    made = {f"{at:02}.png": photo(at) for at in range(9)}
    dataset = ingest([folder_of(tmp_path / "images", made)], store=tmp_path / "data")
    config = save_model(tmp_path / "vit")
    run = new_run(tmp_path / "run", plan_for(dataset, config, ("raw",)))
    with pytest.raises(ScopeError, match="give a table with a column"):
        run_stage(Subject(run, loaded(config)), "subgroups", {}, lambda line: None)
    assert judged(run) == {} and sections(context_of(run)) == ()


def test_a_sample_names_the_text_that_its_value_is_about() -> None:
    values = [0.1] * 20 + [0.9] * 20
    about = {f"{at:016x}": f"class {at}" for at in range(40)}
    with_text = replace(measure(values), texts=about)
    groups = metadata_groups(images(site=["a"] * 20 + ["b"] * 20), 8)
    for one, wanted in ((with_text, about), (measure(values), {})):
        (effect,) = compared(groups, [one], 8)
        context = SimpleNamespace(run=SimpleNamespace(dataset=SimpleNamespace(images=images(site=["a"] * 40))))
        supporting, _ = rules._members(context, effect)  # type: ignore[arg-type]
        assert supporting and [sample.text for sample in supporting] == [wanted.get(s.image) for s in supporting]
