"""The pages on images and texts and on groups: tables, empty states, and hostile names as text."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.applications.data_checks.record import DataRecord
from core.applications.data_checks.tables import issue_table
from core.applications.subgroups.record import GroupsRecord
from core.content.words import percent
from core.datasets.languages import languages
from core.rules import Thresholds, thresholds_of
from core.runs import Run
from core.settings import runs_folder
from tests.pages.test_pages import HOSTILE, opened, words
from tests.support.made_run import made_run

ROW = {"name": "dark", "count": 3, "share": 0.3, "definition": "how dark it is"}
VALUES = {
    "light_99": 0.9, "light_5": 0.1, "light": 0.5, "contrast": 0.2, "aspect": 0.8, "size": 100.0, "entropy": 7.0,
    "edges": 60.0, "histogram": 20.0, "sharpness": -1.0, "colour": 0.2, "colours": 5.0, "even": 0.2, "slope": -2.5,
}  # fmt: skip


@pytest.fixture
def run(workspace: Path) -> Run:
    """A finished run without a record."""
    return made_run(runs_folder() / "20260115-093000-abcdef")


def save(run: Run, flawed: bool) -> None:
    images = run.dataset.images
    rows: list[dict[str, Any]] = [{"image": one.id, "image_name": one.name, **VALUES} for one in images]
    copies: list[dict[str, Any]] = []
    if flawed:
        rows[0] |= {"light_99": 0.1, "image_name": HOSTILE[:90]}
        first, second = images[:2]
        copies = [
            {"image": second.id, "image_name": second.name, "group": 0, "of": first.id, "of_name": first.name,
             "correlation": 0.97}
        ]  # fmt: skip
    (one,) = languages(["a quiet valley in the evening light"])
    texts = [{"text": HOSTILE, "kind": "caption", "images": 1, "language": one.code, "certain": one.certain}]
    tables = {
        "images": DataRecord.frame("images", rows),
        "copies": DataRecord.frame("copies", copies),
        "kinds": DataRecord.frame("kinds"),
        "texts": DataRecord.frame("texts", texts),
    }
    about = {"images": len(rows), "texts": 1, "model": "small"}
    DataRecord.write(DataRecord.folder_of(run), about, tables)


def test_an_audit_without_them_says_how_to_get_them(run: Run) -> None:
    for page in ("data_checks", "subgroups"):
        app = opened(page, run)
        assert not app.error and "does not include" in words(app)


def test_issues_and_copies_are_listed(run: Run) -> None:
    save(run, True)
    app = opened("data_checks", run)
    assert not app.error and not app.exception
    issues = app.dataframe[0].value.set_index("Issue")
    assert str(issues.loc["dark", "Images"]) == "1" and str(issues.loc["blurred", "Images"]) == "0"
    # The count stands beside the share that would be a finding by the thresholds of this audit.
    assert set(issues["Finding above"]) == {percent(float(thresholds_of(run)["data.quality.most_share"]))} == {"5 %"}
    assert "more than 2 % of the images repeat another one" in words(app).replace("\\", "")
    told = issue_table(cast(Thresholds, {"data.quality.most_share": 0.4})).table("", [SimpleNamespace(**ROW)])
    assert told.rows[0][:4] == ("dark", "3", "30 %", "40 %")
    assert "English" in set(app.dataframe[-1].value["Language"])


def test_where_nothing_is_wrong_the_page_says_so(run: Run) -> None:
    save(run, False)
    app = opened("data_checks", run)
    assert not app.error and "No image repeats another one." in words(app)
    GroupsRecord.write(
        GroupsRecord.folder_of(run),
        {"columns": ["site"], "words": [], "model": "small"},
        GroupsRecord.frames({}),
    )
    app = opened("subgroups", run)
    assert not app.error and not app.exception
