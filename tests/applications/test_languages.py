"""The chapters of applications in another language: every text of the product comes from a catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import torch

from core.applications.registry import APPLICATIONS
from core.applications.spot_check import draw
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.content.assets import Assets
from core.content.parts import Section
from core.datasets import ingest
from core.languages import Catalogue, Voice, speaking
from core.reporting.html import _environment
from core.runs import TextPlan
from core.runs.spot_check import add_marks, start_spot_check
from tests.audit.small import CLASSES, draw_images, loaded, new_run, plan_for, save_model
from tests.reporting.test_language_edition import data_words, marked_voice, unmarked
from tests.support.contexts import context_of
from tests.support.own_concepts import OWN, OWN_CONCEPTS

WORDS = ("dog", "cat", "bird", "shore", "mat", "photo", "walk", "house", "tree", "fish")
# The options of each application whose chapter is checked.
OPTIONS: dict[str, dict[str, Any]] = {
    "concepts": OWN_CONCEPTS,
    "data_checks": {},
    "embedding_map": {"steps": 50},
    "information": {"steps": 3, "samples": 2, "prices": (0.1, 5.0)},
    "knowledge": {"bank": "attributes", "parts": 2, "class_concepts": 60},
    "layer_sweep": {"steps": 3, "samples": 2, "controls": 2},
    "mosaic": {"mosaics": 3, "side": 64},
    "pairs": {},
    "predictions": {},
    "priors": {"regions": 3},
    "reliance": {
        "regions": 3,
        "kinds": 3,
        "everyday": False,
        "sequential": False,
        "declared": ("dog | shore | forbidden", "* | background | expected"),
    },
    "sanity": {},
    "segmentation": {"labels_column": "subject"},
    "subgroups": {"words": ("war", "peace")},
    "word_maps": {"masks": 16, "words": 8, "cells": 3, "budget": 16},
}
# Columns of records whose words are those of the dataset, of the plan, of a vocabulary or of a tokenizer.
DATA = {
    "image_name", "text", "caption", "descriptor", "concept", "title", "gloss", "words", "tokens", "classes",
    "best_image_name", "predicted", "class_", "name", "nearest", "rivals", "token", "label",
}  # fmt: skip
PAGE = (
    "{% from 'sections/macros.html.j2' import section with context %}"
    "{% for part in parts %}{{ section(part) }}{% endfor %}"
)
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """A run of a tiny transformer, of which nothing was measured yet."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("languages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOUPE_HOME", str(folder / "home"))
        config = save_model(folder / "vit")
        drawn = draw_images(folder / "drawn", len(WORDS))
        lines = ["file,caption,place,subject"]
        lines += [f"drawn-{at}.png,a {word},{('north', 'south')[at % 2]},{word}" for at, word in enumerate(WORDS)]
        (drawn / "captions.csv").write_text("\n".join(lines) + "\n")
        dataset = ingest([drawn], store=folder / "data")
        texts = TextPlan(captions=True, classes=(*CLASSES, "dog"))
        run = new_run(folder / "run", plan_for(dataset, config, ("raw", "rollout"), texts=texts))
        model = loaded(config)
        run.update_manifest(model=model.describe())
        yield Subject(run, model)


def printed(subject: Subject, name: str, voice: Voice) -> str:
    """The chapter of an application as the report prints it, with the words in its charts."""
    with speaking(voice):
        assets = Assets()
        chapter: tuple[Section, ...] = tuple(APPLICATIONS[name].chapter()(context_of(subject.run, assets)))
        assert chapter and not any(part.empty for part in chapter)
        page = (
            _environment()
            .from_string(PAGE)
            .render(
                parts=chapter,
                standalone=False,
                address=lambda asset: asset,
                bar_width=lambda asset, each: 100,
            )
        )
    charts = [item.data.decode() for item in assets.items.values() if item.media == "image/svg+xml"]
    bare = [re.sub(r"<(?!/?(?:text|title)\b)[^>]*>", "", chart) for chart in charts]
    # What describes a mark to a program names the fields of its data.
    return page + "".join(re.sub(r"<(text|title)\b[^>]*>", r"<\1>", chart) for chart in bare)


def words_of(subject: Subject, name: str) -> set[str]:
    """Every word that is no text of the product."""
    folder = subject.run.folder / "applications" / name
    cells = [
        str(cell)
        for file in folder.glob("*.parquet")
        for column, values in pd.read_parquet(file).items()
        if column in DATA
        for cell in values
    ]
    digests = _DIGEST.findall(" ".join(file.read_text(encoding="utf-8") for file in folder.glob("*.json")))
    return data_words(subject.run) | set(re.findall(r"[^\W\d_]{2,}", " ".join([*cells, *OWN, *digests])))


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_text_of_a_chapter_comes_from_the_catalogue(subject: Subject, name: str) -> None:
    run_stage(subject, name, OPTIONS[name], lambda line: None)
    assert unmarked(printed(subject, name, marked_voice())) - words_of(subject, name) == set()


def test_every_application_is_checked() -> None:
    assert set(OPTIONS) == set(APPLICATIONS)


def test_every_text_of_a_spot_check_comes_from_the_catalogue(subject: Subject) -> None:
    run_stage(subject, "predictions", OPTIONS["predictions"], lambda line: None)
    check = start_spot_check(subject.run, draw(subject.run, size=6))
    first, second, third, *_ = [entry.image for entry in check.sample]
    add_marks(subject.run, "Ada", {first: "right", second: "wrong", third: "right"})
    add_marks(subject.run, "Ben", {first: "right", second: "right", third: "unsure"})
    page = printed(subject, "predictions", marked_voice())
    assert "Horvitz" in page and "Cohen" in page
    assert unmarked(page) - words_of(subject, "predictions") - {"Ada", "Ben"} == set()


def test_the_check_sees_a_text_outside_the_catalogue(subject: Subject) -> None:
    run_stage(subject, "embedding_map", OPTIONS["embedding_map"], lambda line: None)
    catalogue = marked_voice().catalogue
    without = {english: told for english, told in catalogue.messages.items() if english != "principal components"}
    page = printed(subject, "embedding_map", Voice(Catalogue("de", without, catalogue.counted)))
    assert {"principal", "Principal"} & unmarked(page)
