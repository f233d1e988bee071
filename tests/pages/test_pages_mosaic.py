"""The page of mosaics: what is missing, the table of methods, the maps of a chosen mosaic, what failed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.applications.mosaic.card import CARD
from core.applications.mosaic.record import MosaicRecord
from core.runs import Run
from core.settings import runs_folder
from tests.pages.test_pages import HOSTILE, opened, words
from tests.support.made_run import made_run


@pytest.fixture
def run(workspace: Path) -> Run:
    """A finished run without a record."""
    return made_run(runs_folder() / "20260115-093000-abcdef")


def made_mosaics(run: Run, problems: list[list[object]] | None = None) -> None:
    """Two mosaics of two images: Raw similarity lights the right half, RISE lights both the same."""
    first = run.dataset.images[:2]
    rows = []
    for number in range(2):
        for tile, image in enumerate(first):
            for method in ("raw", "rise"):
                values = np.full((4, 4), 0.2)
                values[:, 2 * tile : 2 * tile + 2] += 0.8 * (method == "raw")
                told = (number, tile, image.id, image.name, f"text {tile}", method, 4, 4, values.ravel().tolist())
                rows.append(dict(zip(MosaicRecord.SCHEMAS["maps"].names, told, strict=True)))
    folder = MosaicRecord.folder_of(run)
    about = {"options": CARD.parse().model_dump(mode="json"), "model": "a model", "mosaics": 2, "tiles": 2}
    about |= {"images": 2, "own": "captions", "methods": {}, "problems": problems or [], "image_forwards": 4.0}
    MosaicRecord(about, MosaicRecord.frame("maps", rows)).save(folder)


def test_an_audit_without_it_says_how_to_get_it(run: Run) -> None:
    app = opened("mosaic", run)
    assert not app.error and "does not include" in words(app)


def test_the_page_says_who_points_and_follows_its_choice(run: Run) -> None:
    made_mosaics(run, [["rise", 1, HOSTILE]])
    app = opened("mosaic", run)
    assert not app.error and "Inconclusive: too few mosaics" in words(app)
    table = app.dataframe[0].value.set_index("Method")
    assert table.loc["Raw similarity", "In its tile"].startswith("0.83") and table["n"].tolist() == [2, 2]
    assert table.loc["RISE", "In its tile"].startswith("0.50")
    assert app.dataframe[-1].value["Reason"].tolist() == [HOSTILE]
    tiles = app.selectbox(key=f"mosaic-tile-{run.id}-0")
    assert tiles.options == ["left-hand: text 0", "right-hand: text 1"]
    tiles.set_value(1).run()
    assert not app.exception and "Raw similarity: 0.2 to 1" in words(app).replace("\\", "")
    assert "RISE: 0.2 to 0.2" in words(app).replace("\\", "")


def test_a_damaged_record_is_one_line(run: Run) -> None:
    made_mosaics(run)
    (MosaicRecord.folder_of(run) / "maps.parquet").write_bytes(b"nothing")
    app = opened("mosaic", run)
    assert app.error and all("\n" not in item.value for item in app.error)
