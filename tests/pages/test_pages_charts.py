"""Charts on a page: no white plate on the dark theme, and colours that can be seen on it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from core.content.charts import PALETTE, agreement_chart, trust_chart
from core.evaluation.summary import Summary, summarise
from core.settings import ROOT
from pages.parts.charts import BACKGROUNDS, DARK, on_page
from tests.support.made_run import made_run


@pytest.fixture
def summary(tmp_path: Path) -> Summary:
    return summarise(made_run(tmp_path / "20260115-093000-abcdef", images=6))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_no_chart_has_a_plate_of_its_own(summary: Summary) -> None:
    spec = json.loads(trust_chart(summary).to_json())
    assert spec["config"]["background"] == "white"
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    for theme in ("light", "dark"):
        drawn = on_page(spec, dark=theme == "dark")
        assert drawn["config"]["background"] == settings[theme]["backgroundColor"]
    assert on_page(spec, dark=False)["config"]["axis"] == spec["config"]["axis"]


def test_words_and_marks_are_seen_on_the_dark_background(summary: Summary) -> None:
    drawn = on_page(json.loads(trust_chart(summary).to_json()), dark=True)
    axis = drawn["config"]["axis"]
    assert contrast(axis["labelColor"], BACKGROUNDS["dark"]) >= 4.5
    assert contrast(axis["titleColor"], BACKGROUNDS["dark"]) >= 4.5
    for colour in re.findall("#[0-9a-f]{6}", json.dumps(drawn["layer"])):
        assert contrast(colour, BACKGROUNDS["dark"]) >= 3, colour
    # The companion: on paper's own colours the same check fails.
    assert contrast("#16202c", BACKGROUNDS["dark"]) < 3 and contrast("#0b4f8a", BACKGROUNDS["dark"]) < 3


def test_the_colours_of_groups_stay_apart_and_are_seen() -> None:
    lit = [DARK.get(colour, colour) for colour in PALETTE]
    assert len(set(lit)) == len(PALETTE)
    assert all(contrast(colour, BACKGROUNDS["dark"]) >= 3 for colour in lit)


def test_words_on_cells_keep_their_colour(summary: Summary) -> None:
    spec = json.loads(agreement_chart(summary).to_json())
    found = [re.search(r'"condition"[^}]*}[^}]*', json.dumps(one)) for one in (spec, on_page(spec, dark=True))]
    assert found[0] and found[1] and found[0].group() == found[1].group()
