"""Maps of single words over a run: what is recorded is what the two ways give, and the measures have closed forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch

from core.applications.word_maps.card import CARD, SharedMap
from core.applications.word_maps.chapter import sections, word_rows
from core.applications.word_maps.measures import MEASURES, each_image, shares, word_maps_table
from core.applications.word_maps.record import INTERACTION, REST, SHARED, WordMapsRecord, grid, load, of_run
from core.applications.word_maps.rules import RULES
from core.applications.word_maps.tables import MEASURED
from core.applications.word_maps.work import shared_method
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.attribution.contract import Work
from core.attribution.explain import attribute
from core.attribution.fixlip import interactions
from core.attribution.meta_game import LINEAR
from core.content.assets import Assets
from core.content.conclusions import conclusions
from core.errors import InputError, RunError
from core.findings.judgement import apply
from core.methods.interaction import FixlipOptions
from core.models.trunk import ImageTrunk, TextTrunk
from core.rules import Context
from core.runs import Run, TextPlan
from tests.applications.mosaic.test_mosaic import subject_of
from tests.support.contexts import context_of
from tests.support.made_run import made_run

OPTIONS: dict[str, Any] = {"images": 4, "masks": 64, "words": 16, "cells": 4, "budget": 64}
TEXT = "a dog on the mat"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, WordMapsRecord]:
    """Four captioned images of a tiny transformer, one of whose captions says more than its class."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("words")
    subject = subject_of(folder)
    told: list[str] = []
    record = load(run_stage(subject, "word_maps", OPTIONS, told.append))
    assert told == [f"word maps: image {number} of 4" for number in (1, 2, 3, 4)]
    return subject, record


def test_every_word_has_a_map_of_each_way(made: tuple[Subject, WordMapsRecord]) -> None:
    subject, record = made
    assert record.about["problems"] == [] and record.about["images_left_out"] == 2
    assert len(record.texts) == 4 and record.about["method"] == "maskclip"
    for text in record.texts.itertuples():
        assert record.of(text.image, INTERACTION)["place"].tolist() == list(range(text.words))
        assert record.of(text.image, SHARED)["place"].tolist() == [REST, *range(text.words)]
        assert record.of(text.image, INTERACTION)["function"].sum() == text.functions == 1
        assert text.exact and text.r2_pairs <= 1
        assert text.image_share + text.words_share + text.pair_share == pytest.approx(1)
    assert record.about["image_forwards"] <= CARD.cost(OPTIONS, len(subject.images))


def test_what_is_recorded_is_what_the_two_ways_give(made: tuple[Subject, WordMapsRecord]) -> None:
    subject, record = made
    text = record.texts.iloc[1]
    image = next(image for image in subject.images if image.id == text["image"])
    pixels, geometry = subject.model.preprocess([subject.open(image)])
    seed = subject.run.plan.seed
    work = Work(subject.model, ImageTrunk(subject.model, pixels), TextTrunk(subject.model, [text["text"]]), seed)
    pairs = interactions(work, FixlipOptions(masks=64, words=16, cells=4))[0, 0]
    for row, expected in zip(record.of(text["image"], INTERACTION).itertuples(), pairs, strict=True):
        assert np.allclose(grid(row), expected, atol=1e-9)
    whole = attribute(work, "maskclip", geometry, sides=["image"]).image
    assert whole is not None
    rows = list(record.of(text["image"], SHARED).itertuples())
    assert np.allclose(sum(grid(row) for row in rows), whole[0, 0], atol=1e-5)
    # Without the map of no word it isn't the map.
    assert not np.allclose(sum(grid(row) for row in rows[1:]), whole[0, 0], atol=1e-5)
    assert text["score"] == pytest.approx(float(work.scores[0, 0]), abs=1e-6)


def test_words_own_all_of_a_map(made: tuple[Subject, WordMapsRecord]) -> None:
    owned = shares(made[1])
    assert np.allclose(owned.groupby(["image", "way"])["share"].sum(), 1)
    assert (owned["share"] >= 0).all() and REST not in set(owned["place"])


def planted(mapped: dict[str, tuple[list[float], list[float]]], text: str = TEXT) -> WordMapsRecord:
    """An image whose words have these maps (2 x 2) by interactions and by the shared map."""
    named = {"image": "1", "image_name": "one.png", "text": text}
    rows: list[dict[str, Any]] = [
        {"way": SHARED, "place": REST, "word": "", "function": False, "effect": None, "map": [9.0, 9.0, 0.0, 0.0]}
    ]
    for place, (word, ways) in enumerate(mapped.items()):
        for way, values in zip((INTERACTION, SHARED), ways, strict=True):
            function = word in ("a", "the", "on")
            rows.append({"way": way, "place": place, "word": word, "function": function, "effect": 0.1, "map": values})
    maps = pd.DataFrame([named | row | {"rows": 2, "columns": 2} for row in rows])
    whole = {"words": len(mapped), "functions": 1, "score": 0.3, "base": 0.1, "r2": 0.5, "r2_pairs": 0.7, "exact": True}
    whole |= {"image_share": 0.6, "words_share": 0.3, "pair_share": 0.1}
    about = {"method": "maskclip", "own": "captions", "problems": [], "images": 1, "images_left_out": 0}
    return WordMapsRecord(about, maps, pd.DataFrame([named | whole]))


UP, DOWN = [1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]


def test_the_measures_have_their_closed_forms() -> None:
    record = planted({"a": ([5.0] * 4, [0.0] * 4), "dog": (UP, UP), "mat": (DOWN, DOWN)})
    (row,) = each_image(record).itertuples()
    assert (row.same, row.other, row.beyond) == pytest.approx((1, -1, 2))
    assert row.gain == pytest.approx(0.2)
    # The article has 20 of 40 of the interactions and nothing of the shared map; it is one word of three.
    assert row.function_interaction == pytest.approx(0.5 - 1 / 3)
    assert row.function_shared == pytest.approx(0 - 1 / 3)


def test_exchanged_words_are_seen_to_disagree() -> None:
    record = planted({"a": ([5.0] * 4, [0.0] * 4), "dog": (UP, DOWN), "mat": (DOWN, UP)})
    (row,) = each_image(record).itertuples()
    assert (row.same, row.other, row.beyond) == pytest.approx((-1, 1, -2))


def test_a_text_of_one_content_word_has_no_control() -> None:
    (row,) = each_image(planted({"a": (UP, UP), "dog": (UP, UP)})).itertuples()
    assert row.same == 1 and np.isnan(row.other) and np.isnan(row.beyond)
    (row,) = each_image(planted({"dog": (UP, UP), "Dog": (UP, UP)})).itertuples()
    assert np.isnan(row.other) and np.isnan(row.function_shared)


def many(record: WordMapsRecord, count: int) -> WordMapsRecord:
    """The same image so often."""
    named = [{"image": str(at), "image_name": f"{at}.png"} for at in range(count)]
    maps = pd.concat([record.maps.assign(**one) for one in named])
    texts = pd.concat([record.texts.assign(**one) for one in named])
    return WordMapsRecord(record.about, maps, texts)


@pytest.mark.parametrize(("second", "status"), [(DOWN, "passed"), (UP, "finding")])
def test_the_rules_follow_the_numbers(tmp_path: Path, second: list[float], status: str) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    words = {"a": ([5.0] * 4, [0.0] * 4), "dog": (UP, UP), "mat": (second, second)}
    many(planted(words), 12).save(WordMapsRecord.folder_of(run))
    found = {finding.id: finding for rule in RULES for finding in apply(rule, Context.of(run))}
    assert found["word_maps.words"].status == status and found["word_maps.words"].n == 12
    assert "n = 12 images" in found["word_maps.words"].condition
    assert found["word_maps.function.interaction"].status == "finding"
    assert found["word_maps.function.shared"].status == "passed"
    sample = status == "finding"
    assert bool(found["word_maps.words"].samples) == sample and bool(found["word_maps.words"].grade) == sample
    # The chapter says the same.
    said = conclusions(found.values(), "word_maps")
    assert len(said) == 4 and any(found["word_maps.words"].title in line for line in said)


def test_few_images_leave_the_rules_undecided(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    many(planted({"dog": (UP, UP), "mat": (DOWN, DOWN)}), 5).save(WordMapsRecord.folder_of(run))
    found = [finding for rule in RULES for finding in apply(rule, Context.of(run))]
    assert {finding.status for finding in found} == {"cannot_conclude"}
    assert "at least 12 are needed" in found[0].condition


def test_the_table_prints_every_measure() -> None:
    table = word_maps_table(planted({"dog": (UP, UP), "mat": (DOWN, DOWN)}))
    assert [row[0] for row in MEASURED.table("", table).rows] == list(MEASURES.values())


def test_the_report_prints_the_words_of_two_images(made: tuple[Subject, WordMapsRecord]) -> None:
    subject, record = made
    chapter = sections(context_of(subject.run, Assets()))
    assert len(chapter) == 7 and len(chapter[0].tables[0].rows) == len(MEASURES)
    for pairs, divided, owned in (chapter[1:4], chapter[4:7]):
        (table,) = owned.tables
        assert {len(row) for row in table.rows} == {len(table.columns)} and "(one image)" in pairs.sentences[0]
        # A column a word: the two ways stand above each other.
        assert [heat.title for heat in pairs.heats][1:] == [heat.title for heat in divided.heats][1:]
        assert (pairs.heats[0].title, divided.heats[0].title) == ("Image", "Without any word")
        assert len(pairs.heats) == 1 + min(5, len(table.rows) - 1)
    rows = word_rows(record, record.texts["image"].iloc[0])
    assert rows[[INTERACTION, SHARED]].notna().all().all()
    told = record.about | {"problems": [["dark.png", "no cell"]]}
    (WordMapsRecord.folder_of(subject.run) / "about.json").write_text(json.dumps(told))
    assert sections(context_of(subject.run, Assets()))[-1].tables[0].rows == (("dark.png", "no cell"),)


def test_what_is_lacking_is_told(tmp_path: Path) -> None:
    subject = subject_of(tmp_path / "one", texts=TextPlan(captions=False, prompts=("a cat",)))
    with pytest.raises(InputError, match="need texts that belong to the images"):
        run_stage(subject, "word_maps", {}, print)
    several = subject_of(tmp_path / "two")
    with pytest.raises(InputError, match=r"no image has maps of words: fixlip: 8 .* too few to separate 16"):
        run_stage(several, "word_maps", {"masks": 8}, print)
    assert of_run(Run(tmp_path)) is None
    with pytest.raises(RunError, match="run this application again"):
        load(tmp_path)


def test_the_card_names_just_the_maps_that_words_can_share(made: tuple[Subject, WordMapsRecord]) -> None:
    assert set(get_args(SharedMap)) == LINEAR
    assert shared_method(made[0].model, "raw") == "raw"
