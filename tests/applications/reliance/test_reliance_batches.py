"""Images in batches: when it is looked, what is still open, and that a repeated run gives the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.applications.reliance.chapter import looks_fact
from core.applications.reliance.measures import EVERY
from core.applications.reliance.record import RelianceRecord, load
from core.applications.reliance.settled import (
    CLOSED,
    RULES,
    batches,
    growths,
    is_futile,
    looks,
    open_rules,
    settled_parts,
    short_topics,
)
from core.applications.reliance.verdicts import UNDECIDED
from core.applications.sampling import images_of
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.datasets import ingest
from core.rules import Outcome
from core.runs import TextPlan
from tests.audit.small import loaded, new_run, plan_for, save_model

COUNT = 33
FEW: dict[str, Any] = {"masks": 0, "words": 0, "stickers": 0, "regions": 2, "controls": 1, "texts": 1}
FEW |= {"everyday": False, "concepts": ("wall", "paper", "shape")}


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("batches")
    (folder / "drawn").mkdir()
    random = np.random.default_rng(0)
    for at in range(COUNT):
        pixels = np.clip(random.normal(40 + 120 * (at % 2), 30, (32, 32, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "drawn" / f"{at:02}.png")
    dataset = ingest([folder / "drawn"], store=folder / "data")
    config = save_model(folder / "vit")
    texts = TextPlan(captions=False, classes=("a dark wall", "a light wall"))
    plan = plan_for(dataset, config, ("raw",)).model_copy(update={"texts": texts})
    return Subject(new_run(folder / "run", plan), loaded(config))


def measured(subject: Subject, **options: Any) -> tuple[RelianceRecord, dict[str, bytes]]:
    folder = run_stage(Subject(subject.run, subject.model), "reliance", {**FEW, **options}, lambda line: None)
    return load(folder), {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_batches_grow_and_a_small_rest_joins_the_last_one() -> None:
    assert batches(31) == [31] and batches(32) == [24, 32] and batches(120) == [24, 36, 54, 81, 120]
    assert looks([31], 31) == {"look": "only", "looks": [31]}
    assert looks([24, 36, 60], 36) == {"look": "interim", "looks": [24, 36]}
    assert looks([24, 36, 60], 60)["look"] == "last"


def test_a_topic_that_was_not_measured_often_enough_is_open() -> None:
    every = [[("cat", "class")]] * 30 + [[("dog", "class")]] * 9 + [[("emu", "class")]] * 5
    assert short_topics(every[:20], every, 8) == ["dog"]
    assert short_topics(every[:11], every, 8) == ["cat", "dog"]
    assert short_topics(every, every, 8) == []


def test_images_come_in_a_random_order_and_all_of_them_while_a_verdict_is_open(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.applications.reliance.work.open_rules", lambda record, run, growth: ["reliance.border"])
    record, files = measured(subject)
    names = list(record.image_names.values())
    assert len(names) == COUNT and names != sorted(names)
    assert record.look == "last" and record.about["design"]["looks"] == [24, COUNT]
    assert images_of(record.about) == "33 images"
    # A run that is killed starts this stage again; the same seed measures the same images in the same order.
    again, repeated = measured(subject)
    assert repeated == files and again.about == record.about
    once, _ = measured(subject, sequential=False)
    assert once.look == "only" and list(once.image_names.values()) == sorted(names)


def test_measuring_stops_once_nothing_is_open(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    glances: list[RelianceRecord] = []

    def settled(record: RelianceRecord, run: Any, growth: Any) -> list[str]:
        glances.append(record)
        return open_rules(record, run, growth) and []

    monkeypatch.setattr("core.applications.reliance.work.open_rules", settled)
    record, files = measured(subject)
    assert record.look == "interim" and len(record.images) == 24 == len(glances[0].images)
    assert images_of(record.about).startswith("24 of 33 images, drawn at random") and "settled" in images_of(
        record.about
    )
    assert not any("tmp" in name for name in files)
    assert looks_fact(record)[0].value == "after 24 images; intervals and p-values account for these looks"
    # What the verdicts rest on is the same at the look and afterwards.
    assert glances[0].places.equals(record.places) and glances[0].look == record.look


def test_rules_count_as_open_only_where_more_images_could_settle_them(subject: Subject, tmp_path: Path) -> None:
    record, _ = measured(subject)
    assert set(open_rules(record, subject.run, {})) <= {rule.id for rule in RULES}
    # Without a single place there are too few images, which more images of the same topics do not change.
    empty = replace(
        record, places=record.places.iloc[:0], alone=record.alone.iloc[:0], stickers=record.stickers.iloc[:0]
    )
    assert not {"reliance.border", "reliance.alone", "reliance.typographic"} & set(open_rules(empty, subject.run, {}))


@pytest.mark.parametrize(("growth", "futile"), [(1.2, True), (30.0, False)])
def test_a_rule_is_given_up_only_where_all_images_would_hardly_settle_it(growth: float, futile: bool) -> None:
    row = {"topic": "cat", "value": 0.12, "low": 0.02, "high": 0.22, "n": 60, "limit": 0.15}
    outcome = Outcome("cannot_conclude", values={UNDECIDED: [row]})
    assert is_futile(outcome, {"cat": growth}) == futile
    # Another row that may still become a finding keeps it open; one that has a verdict already is not given up.
    far = {**row, "topic": "dog", "value": 0.5, "low": 0.1, "high": 0.9, "n": 8}
    assert not is_futile(Outcome("cannot_conclude", values={UNDECIDED: [row, far]}), {"cat": growth, "dog": 8.0})
    assert not is_futile(Outcome("passed", values={UNDECIDED: []}), {"cat": growth})
    texts = [[("cat", "class")], [("dog", "class")], [("cat", "class")], [("cat", "class")]]
    assert growths(texts[:2], texts) == {"cat": 3.0, "dog": 1.0, EVERY: 2.0}


def test_a_part_whose_rules_are_settled_is_not_measured_further(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = ["reliance.concept"]
    monkeypatch.setattr("core.applications.reliance.work.open_rules", lambda record, run, growth: left)
    early, _ = measured(subject, stickers=1)
    assert early.about["design"]["settled"] == {"places": 24, "stickers": 24} and early.look == "last"
    assert len(early.images) == early.regions["image"].nunique() == COUNT
    first = list(early.images["image"][:24])
    for table in (early.places, early.alone, early.stickers):
        assert list(dict.fromkeys(table["image"])) == first
    # Its rules are judged as at the look that settled them; the others on all images.
    part = early.measured("places")
    assert part.look == "interim" and list(part.images["image"]) == first and set(part.looks["image"]) == set(first)
    assert "settled after 24 images" in looks_fact(early)[0].value
    # The companion: with a rule of each part open, nothing is left out, and it costs more.
    left += ["reliance.alone", "reliance.typographic"]
    whole, _ = measured(subject, stickers=1)
    assert "settled" not in whole.about["design"] and whole.measured("places") is whole
    assert whole.places["image"].nunique() == whole.stickers["image"].nunique() == COUNT
    rest = COUNT - 24
    assert whole.about["image_forwards"] > early.about["image_forwards"] + 2 * rest
    assert settled_parts(left) == [] and settled_parts(["reliance.background"]) == ["stickers"]


def test_an_image_costs_no_more_than_its_hidden_and_shown_parts(subject: Subject) -> None:
    record, _ = measured(subject, sequential=False)
    regions = record.regions.drop_duplicates(["image", "region"])
    cells = [np.asarray(row, dtype=float).mean() for row in regions["cells"]]
    fixed = record.places.drop_duplicates(["image", "place"])
    # One pass ahead, the whole and the empty image; each region hidden, alone, and hidden elsewhere.
    most = 3 * COUNT + sum(1 - area for area in cells) * 2 + sum(cells)
    hidden = fixed[~fixed["place"].isin(["background"])]
    # Border, foreground and corners alike; what the corners are compared with is shared by four.
    most += float((1 - hidden["area"]).sum() + fixed["area"].sum()) + COUNT * (2 + 3)
    assert record.about["image_forwards"] <= most
    # The companion: a second place for each control exceeds it.
    more, _ = measured(subject, sequential=False, controls=3)
    assert more.about["image_forwards"] > most


def test_each_way_of_not_concluding_is_known_to_stay_or_to_change_with_more_images() -> None:
    """A new one that nobody has thought of would have every image measured."""
    verdicts = {"finding", "passed", "cannot_conclude"}
    # With more images the interval of the corners becomes narrower.
    opens = {"unconfirmed"}
    ways = {name for rule in RULES for name in rule.wordings} - verdicts
    assert ways == CLOSED | opens and not CLOSED & opens
