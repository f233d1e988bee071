"""The first lines of a page answer its question: how its checks ended, or a sentence on all images."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from core.applications.segmentation.record import of_run
from core.evaluation.summary import summarise
from core.findings import judge
from core.reporting.requirements import counted
from core.runs import Run
from core.settings import runs_folder
from pages.parts.application_page import told_once
from tests.pages.test_pages import opened, words
from tests.support.made_run import made_run
from tests.support.made_segmentation import made_segmentation


@pytest.fixture
def run(workspace: Path) -> Run:
    return made_run(runs_folder() / "20260115-093000-abcdef", images=12)


def test_titles_that_differ_in_a_note_at_their_end_are_one() -> None:
    assert told_once(["Inconclusive: too few (image side)", "Inconclusive: too few (text side)", "Other (2 of 3)"]) == [
        "Too few (2 checks)",
        "Other (2 of 3)",
    ]
    # What differs elsewhere stays apart.
    assert told_once(["More with grid", "More with superpixels"]) == ["More with grid", "More with superpixels"]


def test_segmentation_begins_with_all_images_and_opens_the_label_of_the_largest_area(run: Run) -> None:
    made_segmentation(run)
    record = of_run(run)
    assert record is not None
    app = opened("segmentation", run)
    text = words(app).replace("\\", "")
    assert "The labels that cover the most of an image on average:" in text
    best = record.recognition[record.recognition["rank"] == 1]
    known = best[best["truth"].notna()]
    said = f"is a true one in {np.mean(known['truth'].astype(float)):.0%}".replace("%", " %") if len(known) else ""
    assert (said in text) if said else "is a true one" not in text
    label = next(field for field in app.selectbox if field.label == "Label")
    image = next(iter(record.images))
    part = record.areas[(record.areas.image == image) & record.areas.label.isin(label.options)]
    assert label.value == part.sort_values("pixels", ascending=False)["label"].iloc[0]


def test_requirements_begin_with_how_many_have_evidence(run: Run) -> None:
    rows = counted(judge(run, summarise(run)), run.plan.declared)
    count: Counter[str] = Counter()
    for _, states in rows:
        count.update(states)
    app = opened("requirements", run)
    first = next(item.value.replace("\\", "") for item in app.main.markdown if "badge" not in item.value)
    assert first.startswith(f"The findings of this audit give evidence for {count['supported']} of {count.total()} ")
    assert f"in part for {count['in part']}; for {count['unknown']} nothing was decided" in first
