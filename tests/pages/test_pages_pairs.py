"""The page on captions: the estimate, the suspects with their images, and hostile captions as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.applications.pairs.record import PairsRecord
from core.runs import Run
from core.settings import runs_folder
from tests.pages.test_pages import HOSTILE, opened, words
from tests.support.captioned import record_of
from tests.support.made_run import made_run


@pytest.fixture
def run(workspace: Path) -> Run:
    """A finished run without a record."""
    return made_run(runs_folder() / "20260115-093000-abcdef")


def save(run: Run, record: PairsRecord) -> None:
    ids = [image.id for image in run.dataset.images]
    captions = record.captions.assign(image=[ids[at % len(ids)] for at in range(len(record.captions))])
    captions.loc[0, "caption"] = HOSTILE
    PairsRecord(record.about, captions, record.names).save(PairsRecord.folder_of(run))


def test_an_audit_without_it_says_how_to_get_it(run: Run) -> None:
    app = opened("pairs", run)
    assert not app.error and "does not include" in words(app)


def test_the_suspects_are_listed_with_their_captions_as_text(run: Run) -> None:
    save(run, record_of(40, 10))
    app = opened("pairs", run)
    assert not app.error and "Estimated share of captions that do not fit their image" in words(app)
    table = app.dataframe[0].value
    assert "000.png" in set(table["Image"]) and len(table) >= 6
    assert table.set_index("Image").loc["000.png", "Caption"] == HOSTILE[:90] or HOSTILE.startswith(
        str(table.set_index("Image").loc["000.png", "Caption"]).rstrip("…")
    )
    assert app.dataframe[-1].value["Search"].tolist() == ["Image by its caption", "Caption by its image"]


def test_where_nothing_is_suspect_the_page_says_so(run: Run) -> None:
    save(run, record_of(40, 0, noise=0.05))
    app = opened("pairs", run)
    assert not app.error and "No caption is suspect." in words(app)
