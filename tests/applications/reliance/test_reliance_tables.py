"""The tables of concepts and of parts of the image, and outliers, worked out again in plain loops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from core.applications.reliance.measures import (
    EVERY,
    by_topic,
    concept_table,
    dominance,
    leading,
    region_sums,
    region_table,
)
from core.applications.reliance.record import RelianceRecord
from core.statistics import above_zero_p, wilson
from tests.support.made_reliance import CLASSES, TOTAL, made_reliance
from tests.support.made_run import made_run

IMAGES = 16


def record_of(folder: Path, flaw: str = "") -> RelianceRecord:
    return made_reliance(made_run(folder / (flaw or "clean"), images=IMAGES, methods=("raw",)), flaw)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def flawed(folder: Path) -> RelianceRecord:
    return record_of(folder, "concept")


def excesses(record: RelianceRecord, concept: str, text: str = "") -> list[float]:
    """The concept's fall beyond the control, of each image."""
    found: dict[str, float] = {}
    for row in record.regions.itertuples():
        if row.concept == concept and text in ("", row.text):
            found[row.image] = found.get(row.image, 0.0) + row.fall - row.control
    return list(found.values())


def test_regions_of_a_concept_are_taken_together(flawed: RelianceRecord) -> None:
    renamed = flawed.regions.assign(concept=flawed.regions.concept.replace("wall", "grass"))
    both = region_sums(RelianceRecord(**{**vars(flawed), "regions": renamed}))
    assert set(both.concept) == {"circle", "grass"} and len(both) == 2 * IMAGES
    apart = region_sums(flawed)
    for image in apart.image.unique():
        of = apart[apart.image == image].set_index("concept")
        grass = both[(both.image == image) & (both.concept == "grass")].iloc[0]
        assert grass.excess == pytest.approx(of.loc["grass", "excess"] + of.loc["wall", "excess"])
        assert grass.area == pytest.approx(0.6) != of.loc["grass", "area"]


def test_a_concept_s_share_is_that_of_all_its_images(flawed: RelianceRecord) -> None:
    table = concept_table(flawed, least=0.3, most_related=0.5, enough=4).set_index(["topic", "concept"])
    for topic, text in ((EVERY, ""), (CLASSES[0], CLASSES[0]), (CLASSES[1], CLASSES[1])):
        for concept in ("circle", "grass", "wall"):
            values = np.array(excesses(flawed, concept, text))
            row = table.loc[(topic, concept)]
            assert row.value == pytest.approx(values.mean() / TOTAL) and row.n == len(values)
            assert row.p == pytest.approx(above_zero_p(values - 0.3 * TOTAL))
            assert row.surprise == (concept != "circle")
    assert table.value.is_monotonic_decreasing
    assert table.loc[(CLASSES[0], "grass")].p < 0.001 < 0.9 < table.loc[(CLASSES[1], "grass")].p


def test_topics_come_from_classes_and_words_and_need_enough_images(flawed: RelianceRecord) -> None:
    topics = dict(by_topic(flawed.regions, IMAGES // 2))
    assert list(topics) == [EVERY, *sorted(CLASSES)]
    assert all(part.image.nunique() == IMAGES // 2 for topic, part in topics.items() if topic != EVERY)
    assert list(dict(by_topic(flawed.regions, IMAGES // 2 + 1))) == [EVERY]
    captions = flawed.regions.assign(text_kind="caption")
    assert {"red", "circle", "green", "square"} <= set(dict(by_topic(captions, 4)))


def test_the_leading_concept_is_counted_with_an_exact_test(folder: Path, flawed: RelianceRecord) -> None:
    lead, images = leading(flawed, 0.5), list(flawed.regions.image.unique())
    of = {concept: excesses(flawed, concept) for concept in ("circle", "grass", "wall")}
    for row in lead.itertuples():
        at = images.index(row.image)
        assert row.concept == max(of, key=lambda concept, at=at: of[concept][at])
    table = dominance(flawed, least=0.5, most_related=0.5, enough=4).set_index("topic")
    half = IMAGES // 2
    row = table.loc[CLASSES[0]]
    hits = int(((lead.text == CLASSES[0]) & (lead.concept == "grass")).sum())
    assert (
        row.concept == "grass" and row.value == hits / half and (row.low, row.high) == pytest.approx(wilson(hits, half))
    )
    assert row.p == pytest.approx(binomtest(hits, half, 0.5, alternative="greater").pvalue)
    clean = dominance(record_of(folder), least=0.5, most_related=0.5, enough=4)
    assert clean.value.max() < 0.5 < row.value


def test_a_part_of_the_image_is_compared_with_its_control(folder: Path) -> None:
    record = record_of(folder, "border")
    table = region_table(record, ("border", "top left"), least=0.2, enough=4).set_index(["topic", "place"])
    for topic, place in table.index:
        values = [
            row.fall - row.control
            for row in record.places.itertuples()
            if row.place == place and topic in (EVERY, row.text)
        ]
        row = table.loc[(topic, place)]
        assert row.value == pytest.approx(np.mean(values) / TOTAL) and row.n == len(values)
        assert row.images == np.mean(np.array(values) > 0)
    assert table.loc[(CLASSES[0], "border")].p < 0.001 < 0.9 < table.loc[(CLASSES[0], "top left")].p


def test_images_led_by_a_kind_without_a_name_are_not_counted(flawed: RelianceRecord) -> None:
    """Whether it is related to the text is not known, so that such images show neither reliance nor its absence."""
    regions = flawed.regions
    grass = regions["concept"] == "grass"
    hidden = replace(flawed, regions=regions.assign(related=regions["related"].where(~grass, np.nan)))
    before, after = leading(flawed, 0.5), leading(hidden, 0.5)
    assert len(after) == len(before) - int((before["concept"] == "grass").sum())
    assert "grass" in set(before["concept"]) and "grass" not in set(after["concept"])
    nothing = replace(flawed, regions=regions.assign(related=np.nan))
    assert dominance(nothing, least=0.5, most_related=0.5, enough=4).empty
    assert not dominance(flawed, least=0.5, most_related=0.5, enough=4).empty
