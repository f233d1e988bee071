"""The run that a bundle holds gives every row that the run on disk gives, without a file of results."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import RunError
from core.reporting.binding import Content
from core.reporting.recount import UnpackedRun
from core.runs import Run
from core.runs.results import ORDER
from tests.support.made_run import made_run

COLUMNS = [*ORDER, "score"]
# How each way to read rows is asked; a new one must be added here.
ASKED: dict[str, tuple[object, ...]] = {
    "results": (COLUMNS,),
    "results_with": ("score", COLUMNS),
    "results_of": ("kind", ["score"], COLUMNS),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("recount") / "run", images=3, methods=("raw", "m2ib"))


@pytest.fixture
def unpacked(run: Run, tmp_path: Path) -> UnpackedRun:
    units = [dict(unit) for unit in run.store.units()]
    return UnpackedRun(tmp_path, Content(run.plan, run.manifest, (), run.dataset, units, run.results()))


@pytest.mark.parametrize("name", sorted(name for name in vars(Run) if name.startswith("results")))
def test_each_way_to_read_rows_gives_those_of_the_run(run: Run, unpacked: UnpackedRun, name: str) -> None:
    told = getattr(unpacked, name)(*ASKED[name])
    assert len(told) > 0 and told.equals(getattr(run, name)(*ASKED[name]))
    assert getattr(unpacked.snapshot(), name)(*ASKED[name]).equals(told)
    # The companion: the same folder has no results to read.
    with pytest.raises(RunError, match="cannot be read"):
        Run.results(UnpackedRun(unpacked.folder, unpacked.content))


def test_units_and_progress_are_those_of_the_bundle(run: Run, unpacked: UnpackedRun) -> None:
    assert unpacked.done() == run.done()
    assert unpacked.progress().done == run.progress().done == len(run.done())
