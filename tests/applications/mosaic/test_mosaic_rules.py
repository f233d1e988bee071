"""The rule on mosaics: a finding where a map lies elsewhere, passed where it lies on its image, otherwise open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.applications.mosaic.record import MosaicRecord
from core.applications.mosaic.rules import SHARE
from core.findings.judgement import apply
from core.rules import Context, Finding
from core.runs import Run
from tests.findings.pinned import PINNED
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("mosaics") / "run", images=4, methods=("raw", "rise"))


def planted(run: Run, mosaics: int, *, inside: float, noise: float = 0.02, methods: tuple[str, ...] = ("raw",)) -> None:
    """Maps with the share `inside` in the correct one of four tiles."""
    random, rows = np.random.default_rng(0), []
    for method in methods:
        for mosaic in range(mosaics):
            for tile, image in enumerate(run.dataset.images[:4]):
                share = float(np.clip(inside + noise * random.normal(), 0, 1))
                values = [share if at == tile else (1 - share) / 3 for at in range(4)]
                rows.append((mosaic, tile, image.id, image.name, f"text {tile}", method, 2, 2, values))
    columns = ["mosaic", "tile", "image", "image_name", "text", "method", "rows", "columns", "map"]
    about: dict[str, Any] = {"tiles": 4, "mosaics": mosaics, "problems": [], "methods": {}}
    folder = MosaicRecord.folder_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    MosaicRecord(about, pd.DataFrame(rows, columns=columns)).save(folder)


def judged(run: Run) -> Finding:
    (finding,) = apply(SHARE, Context.of(Run(run.folder), thresholds=PINNED))
    return finding


@pytest.mark.parametrize(
    ("mosaics", "inside", "noise", "status"),
    [
        (8, 0.6, 0.02, "passed"),
        (8, 0.25, 0.001, "finding"),
        (8, 0.1, 0.02, "finding"),
        (8, 0.3, 0.1, "cannot_conclude"),
        (3, 0.9, 0.02, "cannot_conclude"),
    ],
)
def test_maps_on_their_own_image_pass_and_others_do_not(
    run: Run, mosaics: int, inside: float, noise: float, status: str
) -> None:
    planted(run, mosaics, inside=inside, noise=noise)
    finding = judged(run)
    assert finding.status == status
    assert (finding.n, finding.unit, finding.subject) == (mosaics, "mosaics", "explanations")
    assert finding.evidence[0].value == pytest.approx(inside, abs=0.05)
    if mosaics >= 7:
        # A larger share is not said to find the image: how often the highest cell lies there stands beside it.
        assert "(a random map: 0.25): Raw similarity" in finding.condition and "find" not in finding.title
        # Other checks need twelve images: why this one needs fewer stands beside the number.
        assert f"Measured on {mosaics} mosaics; a verdict needs at least 7, because" in finding.condition
    else:
        assert "Measured on" not in finding.condition
    if status == "finding":
        assert finding.grade is not None and finding.grade.likelihood == 1.0 and finding.severity == "high"
        assert finding.samples and not finding.counter


def test_one_method_that_fails_is_named_and_others_do_not_dilute_it(run: Run) -> None:
    planted(run, 8, inside=0.1)
    alone = judged(run)
    record = MosaicRecord.of_run(run)
    assert record is not None
    planted(run, 8, inside=0.7, methods=("rise",))
    better = MosaicRecord.of_run(run)
    assert better is not None
    MosaicRecord(record.about, pd.concat([record.maps, better.maps])).save(MosaicRecord.folder_of(run))
    both = judged(run)
    assert both.grade == alone.grade and both.title.endswith(": 1 of 2")
    assert "RISE" in both.condition.split("Shown to lie above:")[1]


def test_without_mosaics_the_question_does_not_arise(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    assert list(apply(SHARE, Context.of(run, thresholds=PINNED))) == []
