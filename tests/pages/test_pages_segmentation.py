"""The page of segmentation: the tables that the report prints, with the same words and numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.applications.segmentation.chapter import sections
from core.content.parts import Table
from core.content.promises import NO_INTERVAL
from core.runs import Run
from core.settings import runs_folder
from tests.pages.test_pages import words
from tests.support.contexts import context_of
from tests.support.made_run import made_run
from tests.support.made_segmentation import made_segmentation
from tests.support.page_alone import links_as_words, opened_alone  # noqa: F401  # a fixture of every test here


@pytest.fixture
def run(workspace: Path) -> Run:
    return made_run(runs_folder() / "20260115-093000-abcdef", images=12)


def printed(run: Run) -> list[Table]:
    return [table for part in sections(context_of(run)) for table in part.tables]


def shown(app: AppTest) -> list[tuple[str, ...]]:
    """The rows of the page. Where no row has an interval, the report says so once and the page in each cell."""
    cells = [table.value.astype(str).replace(f" {re.escape(NO_INTERVAL)}", "", regex=True) for table in app.dataframe]
    return [tuple(row) for table in cells for row in table.itertuples(index=False)]


def test_the_page_shows_the_rows_that_the_report_prints(run: Run) -> None:
    made_segmentation(run)
    report, page = printed(run), shown(opened_alone("segmentation", run))
    titles = {column.title for table in report for column in table.columns}
    assert {"Mean share", "mIoU", "Mean average precision", "Ranking precision"} <= titles
    for table in report:
        if table.columns[0].title != "Label ranked first":
            assert set(table.rows) <= set(page), table.caption
    changed = [(row[0], "0.123", *row[2:]) for row in report[0].rows]
    assert not set(changed) & set(page)


def test_ranked_labels_say_whether_they_are_annotated(run: Run) -> None:
    made_segmentation(run)
    ranked = opened_alone("segmentation", run).dataframe[-1].value
    assert set(ranked["True label"]) == {"yes", "no"} and ranked["Score"].dtype == float


def test_without_annotations_nothing_is_claimed_about_truth(run: Run) -> None:
    made_segmentation(run, annotated=False)
    app = opened_alone("segmentation", run)
    said = words(app)
    assert "Overlap cannot be measured" in said and "Precision cannot be measured" in said
    assert set(app.dataframe[-1].value["True label"]) == {"not known"}
