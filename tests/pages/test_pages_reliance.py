"""The page on what scores rest on: what is missing, and the places, concepts, regions and words of a record."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st

from core.applications.reliance.profile import EVERY, examples
from core.applications.reliance.record import RelianceRecord, of_run
from core.evaluation.summary import summarise
from core.findings import judge, save_findings
from core.runs import Run
from core.settings import runs_folder
from pages.parts.reliance import left_out, profile
from pages.parts.words import plain
from tests.pages.test_pages import opened, words
from tests.support.made_reliance import made_reliance
from tests.support.made_run import made_run


@pytest.fixture
def run(workspace: Path) -> Run:
    """A finished run without a record."""
    return made_run(runs_folder() / "20260115-093000-abcdef", images=24, methods=("raw",))


def test_an_audit_without_it_says_how_to_get_it(run: Run) -> None:
    app = opened("reliance", run)
    assert not app.error and "does not include" in words(app)


def test_the_page_shows_the_record_and_what_was_judged(run: Run) -> None:
    made_reliance(run, "corner")
    save_findings(run, judge(run, summarise(run)))
    app = opened("reliance", run)
    assert not app.error
    places = next(each.value for each in app.dataframe if "Region" in each.value)
    row = places[(places["Texts"] == "red circle") & (places["Region"] == "upper left corner")].iloc[0]
    assert row["Share beyond the control"].startswith("0.") and row["Adjusted p"] == "< 0.0001"
    other = places[(places["Texts"] == "green square") & (places["Region"] == "upper left corner")].iloc[0]
    assert float(other["Adjusted p"]) > 0.05
    judged = app.dataframe[-1].value
    outcome = dict(zip(judged["Check"], judged["Outcome"], strict=True))
    assert outcome["reliance.border"] == "finding" and outcome["words.ignored"] == "passed"
    choice = next(box for box in app.selectbox if str(box.key).startswith("reliance-image"))
    choice.set_value(run.dataset.images[-1].id).run()
    assert not app.exception and not app.error
    assert any("green square" in str(box.options) for box in app.selectbox)


def test_a_damaged_record_is_told_in_one_line(run: Run) -> None:
    made_reliance(run)
    (RelianceRecord.folder_of(run) / "places.parquet").write_bytes(b"nothing")
    app = opened("reliance", run)
    assert app.error and all("\n" not in item.value for item in app.error)


def test_a_kind_of_region_without_a_name_is_shown_by_an_image(run: Run) -> None:
    made_reliance(run, "corner")
    heading = "What the unnamed kinds of regions look like"
    assert heading not in words(opened("reliance", run))
    record = of_run(run)
    assert record is not None
    regions = record.regions.assign(concept=record.regions["concept"].replace({"grass": "unnamed 2"}))
    replace(record, regions=regions).save(RelianceRecord.folder_of(run))
    st.cache_resource.clear()
    app = opened("reliance", run)
    shown = profile(str(run.folder), run.plan.digest)
    (most,) = examples(shown.rows, EVERY, "unnamed 2", -math.inf, 1)[0]
    assert not app.error and heading in words(app)
    assert plain(f"unnamed 2, in {most.name}") in words(app)
    others = shown.rows[(shown.rows["concept"] == "unnamed 2") & (shown.rows["total"] > 0)]
    lost = others.groupby("image")[["excess"]].mean()["excess"]
    assert lost.idxmax() == most.image


def test_images_without_a_gain_are_said_to_be_left_out() -> None:
    rows = pd.DataFrame({"image": ["a", "a", "b", "c"], "total": [0.1, -0.1, 0.2, -0.3]})
    assert left_out(rows).startswith("Not in these profiles: 1 of 3 measured images.")
    assert not left_out(rows[rows["image"] != "c"])
