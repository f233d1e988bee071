"""The benchmark of stopping: the same verdicts on a planted set and its clean twin, from a part of the images."""

from __future__ import annotations

import pytest

from benchmarks import sequential
from core.rules.thresholds import load_thresholds

IMAGES = 270


@pytest.mark.parametrize(("flaw", "rule"), [("printed", "reliance.typographic"), ("none", "")])
def test_stopping_reaches_the_verdicts_of_the_whole(flaw: str, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequential, "SPREAD", 0.03)
    got = sequential.compared(flaw, IMAGES, 0, load_thresholds(None))
    assert got.same and got.measured <= 0.3 * IMAGES
    found = {name for name, verdict in got.sequential.items() if verdict == "finding"}
    assert (rule in found) if rule else not found


def test_a_part_that_is_too_small_does_not_give_them() -> None:
    record = sequential.planted("concept", IMAGES, 1)
    thresholds = load_thresholds(None)
    images = record.images["image"].tolist()
    few = sequential.part_of(record, images[:20], "interim")
    assert sequential.verdicts_of(record, thresholds) != sequential.verdicts_of(few, thresholds)
