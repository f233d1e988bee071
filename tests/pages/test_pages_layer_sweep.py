"""The page on the sweep over layers: it says what is missing, and shows blocks, maps and words of a record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.applications.layer_sweep.card import CARD
from core.applications.layer_sweep.record import LayerSweepRecord
from core.evaluation.summary import summarise
from core.findings import judge, save_findings
from core.runs import Run
from core.settings import runs_folder
from tests.pages.test_pages import HOSTILE, opened, words
from tests.support.made_run import made_run

WORDS = ["a", "photo", "<b>of</b>", "circle"]


@pytest.fixture
def run(workspace: Path) -> Run:
    """A finished run without a record."""
    return made_run(runs_folder() / "20260115-093000-abcdef")


def write_record(run: Run, *, text: bool = True) -> None:
    """A record of two blocks per side, whose maps drop less than their random maps."""
    random = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    sides = {"image": (4, 4), **({"text": (1, len(WORDS))} if text else {})}
    for image in run.dataset.images:
        for side, (down, across) in sides.items():
            for block in (1, 3):
                named = {"image": image.id, "image_name": image.name, "text": f"a text {HOSTILE}", "side": side}
                numbers = {"block": block, "default": block == 3, "nats": 100.0, "cosine": 0.4, "score": 0.3}
                kept = {"highlighted": 0.28, "random": 0.1, "drop": 0.02, "random_drop": 0.2}
                raised = {"increase": 0.0, "random_increase": 0.0}
                shown = {"rows": down, "columns": across, "words": WORDS if side == "text" else []}
                rows.append(named | numbers | kept | raised | shown | {"map": random.random(down * across).tolist()})
    about = {"options": CARD.parse().model_dump(mode="json"), "model": "a model", "own": "captions"}
    about |= {"images": len(run.dataset.images), "images_left_out": 0, "depths": dict.fromkeys(sides, 6)}
    about |= {"blocks": {side: [1, 3] for side in sides}, "default": dict.fromkeys(sides, 3)}
    about |= {"reasons": {} if text else {"text": "the text tower cannot be run from a chosen layer onwards"}}
    about |= {"prior": "standard", "text_prior": "standard", "image_forwards": 1, "text_forwards": 1}
    LayerSweepRecord(about, LayerSweepRecord.frame("blocks", rows)).save(LayerSweepRecord.folder_of(run))


def test_an_audit_without_it_says_how_to_get_it(run: Run) -> None:
    app = opened("layer_sweep", run)
    assert not app.error and "does not include" in words(app)


def test_the_page_shows_the_record(run: Run) -> None:
    write_record(run)
    app = opened("layer_sweep", run)
    assert not app.error
    said = words(app)
    assert said.count("Inconclusive: too few images to compare") == 4
    assert "**Block 1**" in said and "**Block 3 \\(default\\)**" in said
    drops, increases, kept = (table.value for table in app.dataframe)
    assert drops["Where"].tolist()[1] == "image side, block 3 (default)" and len(increases) == 4
    assert list(kept["Word"]) == WORDS
    # Hostile words stay words.
    assert not [item for item in app.markdown if "<script>" in item.value]


def test_a_model_without_text_layers_and_a_damaged_record(run: Run) -> None:
    write_record(run, text=False)
    app = opened("layer_sweep", run)
    assert "The text side was not measured" in words(app) and not app.error and len(app.dataframe) == 2
    (LayerSweepRecord.folder_of(run) / "blocks.parquet").write_bytes(b"nothing")
    app = opened("layer_sweep", run)
    assert app.error and all("\n" not in item.value for item in app.error)


def test_the_page_begins_with_how_its_checks_ended(run: Run) -> None:
    write_record(run)
    assert "inconclusive" not in words(opened("layer_sweep", run))
    save_findings(run, judge(run, summarise(run)))
    said = words(opened("layer_sweep", run))
    assert "0 findings, 0 passed, 4 without a conclusion" in said
    (line,) = (line for line in said.splitlines() if "gray-badge[inconclusive]" in line)
    # Two checks of the same kind are one entry; what they measured is told once, in full, below.
    assert line.count("random positions") == 1 and "(2 checks)" in line.replace("\\", "")
    assert said.index(line) < said.index("Inconclusive: too few images to compare")
