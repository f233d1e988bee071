"""Every hostile input at its door: one refusal, one line or soundly taken, within limits, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import ROOT
from tests.hostile import corpus, faults
from tests.hostile.harness import Harness, checked
from tests.hostile.item import ANY, TORCH
from tests.hostile.pending import marked

ITEMS = corpus.items()
# What needs torch has a file of its own (`test_hostile_models.py`), which runs beside this one.
PLAIN = {name: item for name, item in ITEMS.items() if item.door not in TORCH}
LIGHT = [name for name, item in PLAIN.items() if not item.heavy]
HEAVY = [name for name, item in PLAIN.items() if item.heavy]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", marked(LIGHT))
def test_a_hostile_file_does_no_harm(harness: Harness, name: str) -> None:
    checked(harness, ITEMS[name])


@pytest.mark.nightly
@pytest.mark.parametrize("name", marked(HEAVY))
def test_a_large_hostile_file_does_no_harm(harness: Harness, name: str) -> None:
    checked(harness, ITEMS[name])


# -- the harness itself ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def impatient() -> Iterator[Harness]:
    made = Harness(wall=20.0)
    yield made
    made.close()


@pytest.mark.parametrize("name", [name for name in faults.FAULTS if name not in ("nothing", "hang")])
def test_the_harness_sees_a_fault(impatient: Harness, name: str) -> None:
    result = impatient.run(faults.ITEMS[f"self/{name}"])
    assert any(faults.FAULTS[name][1] in problem for problem in result.problems), result


def test_the_harness_sees_a_hang(harness: Harness) -> None:
    quick = Harness(wall=8.0)
    try:
        assert not quick.run(faults.ITEMS["self/nothing"]).problems
        assert quick.run(faults.ITEMS["self/hang"]).problems == ["hang"]
        # Whatever one item did, the next one is answered.
        assert not quick.run(faults.ITEMS["self/nothing"]).problems
    finally:
        quick.close()


def test_items_say_what_is_expected_and_are_made_the_same_twice(tmp_path: Path) -> None:
    assert len(ITEMS) > 1000
    assert sum(item.expect == ANY for item in ITEMS.values()) < len(ITEMS) / 6
    for name in ("images/jpeg-scans-1001-small", "archives/overlap-40", "tables/csv-formulas", "bundles/lzma"):
        item = ITEMS[name]
        made = []
        for number in range(2):
            folder = tmp_path / name / str(number)
            folder.mkdir(parents=True)
            item.make(folder)
            made.append({path.name: path.read_bytes() for path in folder.iterdir()})
        # The time in an archive's table is that of its making.
        assert {file: len(data) for file, data in made[0].items()} == {
            file: len(data) for file, data in made[1].items()
        }


def test_expectations_can_be_read_by_a_machine() -> None:
    listing = [sys.executable, "-m", "tests.hostile.table", "--list", "images/jpeg-scans"]
    told = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [json.loads(line) for line in told.splitlines()]
    assert {"name", "door", "expect", "heavy"} == set(lines[0])
    assert {"images/jpeg-scans-20000", "images/jpeg-scans-400000"} <= {line["name"] for line in lines}
