"""The report's chapter on what scores rest on: every table filled, every map an asset, nothing without a record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.reporting.assets import Assets
from core.reporting.reliance import percent, reliance_sections
from core.reporting.reliance_tables import concepts_shown, fall_map, kinds_shown, places_shown
from tests.support.made_reliance import CONCEPTS, made_reliance
from tests.support.made_run import made_run


def test_the_chapter_shows_places_concepts_pictures_and_words(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=24, methods=("raw",))
    assets = Assets()
    assert reliance_sections(run, assets) == ()
    record = made_reliance(run, "concept")
    sections = reliance_sections(run, assets)
    assert [section.title for section in sections] == [
        "What the scores rest on",
        "Surprising reliances",
        "Regions of some pictures",
        "Words that move the scores, and words that don't",
    ]
    for section in sections:
        for table in section.tables:
            assert table.rows and {len(cells) for cells in table.rows} == {len(table.columns)}
            assert sum(column.share for column in table.columns) <= 100
    surprise = sections[1].tables[0].rows[0]
    assert surprise[:2] == ("red circle", "grass") and surprise[3].endswith("n = 12")
    heats = sections[2].heats
    assert len(heats) == 12 and all(heat.asset in assets.items for heat in heats)
    assert not reliance_sections(run, Assets())[0].charts
    table = places_shown(run, record)
    assert set(table["topic"]) == {"every text", "red circle", "green square"}
    assert concepts_shown(run, record).iloc[0]["concept"] == "grass"
    kinds = kinds_shown(run, record)
    assert set(kinds["concept"]) == set(CONCEPTS) and (kinds["value"] == 1.0).all() and (kinds["n"] == 24).all()
    part = record.regions[record.regions["image"] == record.regions.iloc[0]["image"]]
    values = fall_map(part)
    assert np.allclose(values[:, 0], part.iloc[0]["fall"]) and np.allclose(values[:, 1], part.iloc[1]["fall"])


@pytest.mark.parametrize(("value", "told"), [(0.314, "31 %"), (-0.05, "\u22125 %"), (float("nan"), "n/a")])
def test_shares_are_printed_as_percent(value: float, told: str) -> None:
    assert percent(value) == told
