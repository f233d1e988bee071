"""An audit of many units puts their results into parts; whatever happens to these, a resumed run has the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.audit.engines import local
from core.audit.worker import work
from core.datasets import Dataset
from core.runs import Run, packing
from core.runs.integrity import changed_files
from core.runs.part_files import keys_of
from tests.audit.small import loaded, new_run, plan_for


@pytest.fixture(autouse=True)
def parts_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST_FILES", 2)
    monkeypatch.setattr("core.runs.part_files.GROUP_BYTES", 1)
    monkeypatch.setenv("LOUPE_PART", "0.01")


def names(run: Run) -> list[str]:
    return sorted(path.name for path in (run.folder / "results").iterdir())


def test_an_interrupted_audit_ends_with_the_rows_and_the_parts_of_an_undisturbed_one(
    tmp_path: Path, dataset: Dataset, vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for(dataset, vit)
    sound = new_run(tmp_path / "sound", plan)
    assert work(sound, model=loaded(vit), report=False) == "done"
    assert len(packing.parts_of(sound)) >= 2 and names(sound) == sorted(packing.parts_of(sound))
    assert changed_files(sound) == []
    assert any(kind == "packed" for _, kind, _ in sound.store.events())
    run = new_run(tmp_path / "run", plan)
    compute_one = local.compute_one

    def stopping(run: Run, *arguments: object) -> None:
        compute_one(run, *arguments)  # type: ignore[arg-type]
        run.store.cancel()

    with monkeypatch.context() as patch:
        patch.setattr(local, "compute_one", stopping)
        assert work(run, model=loaded(vit), report=False) == "cancelled"
    # The companion: what is not finished lies in files of units.
    assert len(names(run)) == 1 and not packing.parts_of(run)
    assert work(run, model=loaded(vit), report=False) == "done"
    assert names(run) == names(sound) and [unit["tries"] for unit in run.store.units()] == [1] * len(dataset.images)
    # A part that is lost costs its own units, and no other one.
    part = run.folder / "results" / names(run)[0]
    lost = keys_of(part)
    part.unlink()
    again: list[str] = []

    def watched(run: Run, bench: object, unit: object, shard: object) -> None:
        again.append(unit.key)  # type: ignore[attr-defined]
        compute_one(run, bench, unit, shard)  # type: ignore[arg-type]

    monkeypatch.setattr(local, "compute_one", watched)
    assert work(run, model=loaded(vit), report=False) == "done"
    assert set(again) == lost and 1 <= len(lost) < len(dataset.images)
    assert run.results().to_json() == sound.results().to_json()
    assert changed_files(run) == []
