"""The report's chapter on what scores rest on: every table filled, every map an asset, nothing without a record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.applications.reliance.chapter import extremes, percent, sections
from core.applications.reliance.measures import EVERY
from core.applications.reliance.tables import concept_prevalence, concept_shares, region_map, region_shares
from core.content.assets import Assets
from core.rules import Context
from tests.support.contexts import context_of
from tests.support.made_reliance import CONCEPTS, made_reliance
from tests.support.made_run import made_run


def test_the_chapter_shows_regions_concepts_images_and_words(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=24, methods=("raw",))
    assets = Assets()
    assert sections(context_of(run, assets)) == ()
    record = made_reliance(run, "concept")
    chapter = sections(context_of(run, assets))
    assert [section.title for section in chapter] == [
        "Drivers of the scores",
        "What each text relies on",
        "What surroundings carry",
        "Names of concept regions",
        "Unexpected dependencies",
        "Regions of single images",
        "Effects of words on the scores",
    ]
    for section in chapter:
        for table in section.tables:
            assert table.rows and {len(cells) for cells in table.rows} == {len(table.columns)}
            assert sum(column.share for column in table.columns) <= 100
    surprise = chapter[4].tables[0].rows[0]
    assert surprise[:2] == ("red circle", "grass") and surprise[3].endswith("n = 12")
    assert all("; the whole image adds " in sentence for sentence in chapter[5].sentences[1:])
    heats = chapter[5].heats
    assert len(heats) == 12 and all(heat.asset in assets.items for heat in heats)
    assert not sections(context_of(run, Assets()))[0].charts
    table = region_shares(record, Context(run))
    assert set(table["topic"]) == {EVERY, "red circle", "green square"}
    assert concept_shares(record, Context(run)).iloc[0]["concept"] == "grass"
    kinds = concept_prevalence(record)
    assert set(kinds["concept"]) == set(CONCEPTS) and (kinds["value"] == 1.0).all() and (kinds["n"] == 24).all()
    part = record.regions[record.regions["image"] == record.regions.iloc[0]["image"]]
    values = region_map(part)
    assert np.allclose(values[:, 0], part.iloc[0]["fall"]) and np.allclose(values[:, 1], part.iloc[1]["fall"])


@pytest.mark.parametrize(("value", "told"), [(0.314, "31 %"), (-0.05, "\u22125 %"), (float("nan"), "n/a")])
def test_shares_are_printed_as_percent(value: float, told: str) -> None:
    assert percent(value) == told


def test_a_sentence_on_one_image_reports_the_largest_change_in_either_direction() -> None:
    part = pd.DataFrame({"concept": ["sky", "owl", "sky"], "fall": [0.004, -0.158, 0.001], "total": 0.126, "area": 0.3})
    assert extremes(part) == (
        "hiding a region named “sky” (30 % of the image) lowers the score most, by 0.004; hiding a region named “owl” "
        "(30 % of the image) raises the score most, by 0.158; the whole image adds 0.126 to the score."
    )
    assert "raises" not in extremes(part.assign(fall=part["fall"].abs()))
    assert extremes(part.assign(fall=0.0)).startswith("hiding no region changes the score; ")
