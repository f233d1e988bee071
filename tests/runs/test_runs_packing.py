"""Results in parts: the same rows from few files, whatever interrupts the packing, and nothing trusted that changed."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from core.errors import InputError, LoupeError, RunError
from core.runs import Run, read_results
from core.runs import packing as packing_of
from core.runs.integrity import changed_files, sealed_problems
from core.runs.leftovers import sweep_run
from core.runs.packing import PARTS, pack, packed, packed_units, parts_of, settle
from core.runs.part_files import keys_of
from core.runs.rebuild import mend
from core.runs.results import encoded, unit_rows
from core.runs.seal import load_seal, seal
from core.settings import part_bytes
from tests.audit.faults import BROKEN, FULL, KILL, KILLED, Faults, forked
from tests.runs.test_runs_rebuild import facts, run  # noqa: F401
from tests.support.made_run import made_run

UNITS = 6
# CI lets so many calls of each kind fail; `make nightly` every one.
EVERY, SOME = os.environ.get("LOUPE_EVERY_FAULT") == "1", 6


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of two or three of the small units, from the second file on."""
    monkeypatch.setattr(packing_of, "MOST_FILES", 1)
    monkeypatch.setattr("core.runs.part_files.GROUP_BYTES", 1)
    monkeypatch.setenv("LOUPE_PART", "0.03")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = made_run(tmp_path_factory.mktemp("packing") / "run", images=2 * UNITS, methods=("raw", "m2ib"))
    made.update_manifest(plan_sha256=made.plan.digest)
    assert changed_files(made) == [] and made.progress().done == UNITS
    return made


@pytest.fixture
def made(source: Run, tmp_path: Path) -> Run:
    """A copy of a finished run that can be packed; its dataset stays where it is."""
    shutil.copytree(source.folder, tmp_path / "copy")
    return Run(tmp_path / "copy")


def files_of(told: Run) -> list[str]:
    return sorted(path.name for path in (told.folder / "results").iterdir())


def same(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    # Rows hold lists, which a frame does not compare.
    return bool(left.to_json() == right.to_json())


def first_part(told: Run) -> Path:
    return told.folder / "results" / next(iter(parts_of(told)))


def test_parts_hold_the_rows_of_the_units_and_give_the_bytes_of_their_files(made: Run, source: Run) -> None:
    assert pack(made) == UNITS
    names = files_of(made)
    assert 2 <= len(names) < UNITS and all(name.startswith("part-") for name in names)
    assert names == sorted(parts_of(made))
    for name, told in parts_of(made).items():
        data = (made.folder / "results" / name).read_bytes()
        assert told["sha256"] == hashlib.sha256(data).hexdigest() and name == f"part-{told['sha256'][:32]}.parquet"
    assert sum(told["units"] for told in parts_of(made).values()) == UNITS
    assert same(made.results(), source.results())
    assert same(made.results(["image", "score"]), source.results(["image", "score"]))
    assert same(made.results_with("map", ["image", "map"]), source.results_with("map", ["image", "map"]))
    whole, columns = source.results(), ["text", "score"]
    first = [whole["image"].iloc[0]]
    some = whole.loc[whole["image"].isin(first), columns].reset_index(drop=True)
    assert 0 < len(some) < len(whole)
    assert same(made.results_of("image", first, columns), some)
    assert len(made.results_of("image", [], columns)) == 0 == len(made.snapshot().results_of("image", [], columns))
    read = source.snapshot()
    assert same(read.results_of("image", first, columns), some) and len(read.results()) == len(whole)
    assert same(read.results_of("image", first, columns), some)
    assert same(read_results(made.folder), read_results(source.folder))
    # What each unit recorded still says what its rows are.
    recorded = {unit["key"]: (unit["sha256"], unit["rows"]) for unit in made.store.units()}
    assert {key: told[:2] for key, told in packed_units(made).items()} == recorded
    one = made.done()[2]
    assert same(read_results(made.folder, units=[one]), read_results(source.folder, units=[one]))
    assert encoded(unit_rows(made.folder, one)) == (source.folder / "results" / f"{one}.parquet").read_bytes()
    assert changed_files(made) == []
    assert made.store.requeue(packed(made)) == 0
    # The companion: a unit that is nowhere is told, and one that no part holds is computed again.
    with pytest.raises(RunError, match=r"^results/0+\.parquet cannot be read"):
        read_results(made.folder, units=["0" * 64])
    assert made.store.requeue(packed(made) - {one}) == 1


def test_a_run_with_few_files_keeps_them(made: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing_of, "MOST_FILES", UNITS)
    before = files_of(made)
    assert pack(made) == 0 and files_of(made) == before and PARTS not in made.manifest
    monkeypatch.setattr(packing_of, "MOST_FILES", UNITS - 1)
    assert pack(made) == UNITS and pack(made) == 0


def test_only_the_groups_that_may_hold_a_unit_are_read(made: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_PART", "100")
    assert pack(made) == UNITS and len(files_of(made)) == 1
    read: list[int] = []
    plain = pq.ParquetFile.read_row_group

    def counted(self: Any, at: int, *arguments: Any, **named: Any) -> Any:
        read.append(at)
        return plain(self, at, *arguments, **named)

    monkeypatch.setattr("pyarrow.parquet.ParquetFile.read_row_group", counted)
    keys = sorted(made.done())
    assert set(read_results(made.folder, ["unit"], units=[keys[3]])["unit"]) == {keys[3]}
    assert set(read) == {3}
    assert len(read_results(made.folder, ["unit"], where=pc.field("unit") == keys[0])) > 0
    assert set(read) == set(range(UNITS))


@pytest.mark.parametrize("kind", [FULL, BROKEN, KILL])
def test_whichever_call_fails_no_row_is_lost_and_the_parts_become_the_same(
    made: Run, source: Run, tmp_path: Path, kind: str
) -> None:
    wanted = source.results().to_json()
    clean = Run(tmp_path / "clean")
    shutil.copytree(made.folder, clean.folder)
    counted = Faults(clean.folder, kind=kind)
    _, told = forked(lambda: packing(clean, counted, count=True), tmp_path / "log")
    calls = int(told.split("CALLS ")[1])
    expected = files_of(clean)
    assert calls > 20 and len(expected) >= 2
    every = list(range(1, calls + 1))
    for at in every if EVERY else random.Random(kind).sample(every, SOME):
        folder = tmp_path / f"{kind} {at}"
        shutil.copytree(made.folder, folder)
        torn = Run(folder)
        code, told = forked(partial(packing, torn, Faults(torn.folder, at, kind)), tmp_path / "log")
        assert code == (KILLED if kind == KILL else 3), (at, told)
        # It can be read as it lies, and after it was settled.
        assert Run(folder).results().to_json() == wanted, at
        sweep_run(torn)
        settle(torn)
        assert torn.store.requeue(packed(torn)) == 0, at
        pack(torn)
        assert changed_files(torn) == [] and torn.results().to_json() == wanted, at
        assert sum(told["units"] for told in parts_of(torn).values()) == UNITS, at
        assert all(name.startswith("part-") for name in files_of(torn)), at
        # Which units lie together depends on nothing but the order of their keys, and on where it went on.
        assert len(files_of(torn)) <= len(expected) + 1, at
        shutil.rmtree(folder)


def packing(told: Run, faults: Faults, count: bool = False) -> int:
    """Pack with faults, in a fork; 3 if one was told."""
    faults.install()
    try:
        pack(told)
    except (OSError, LoupeError):
        return 3
    if count:
        print(f"CALLS {len(faults.calls)}", file=sys.stderr)
    return 0


def test_a_part_that_was_changed_is_named_and_its_units_are_computed_again(made: Run) -> None:
    pack(made)
    part = first_part(made)
    lost = keys_of(part)
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(bytes(data))
    line = f"results/{part.name} is missing or changed"
    assert changed_files(made)[0] == line
    settle(made)
    assert not part.exists() and part.name not in parts_of(made)
    assert made.store.requeue(packed(made)) == len(lost - {path.stem for path in part.parent.glob("*.parquet")}) >= 1
    assert changed_files(made) == []


def test_a_part_that_the_manifest_does_not_name_is_believed_by_the_hashes_of_its_units_alone(made: Run) -> None:
    before = made.results()
    pack(made)
    # As when the manifest was lost, or changed under a seal.
    made.update_manifest(**{PARTS: {}})
    assert any(line.endswith("belongs to no finished unit") for line in changed_files(made))
    settle(made)
    assert not parts_of(made) and len(files_of(made)) == UNITS and changed_files(made) == []
    assert same(made.results(), before)
    # The companion: rows that no unit recorded are nobody's result.
    pack(made)
    part = first_part(made)
    keys = sorted(keys_of(part))
    made.update_manifest(**{PARTS: {name: told for name, told in parts_of(made).items() if name != part.name}})
    with made.store._write() as db:
        db.execute("UPDATE units SET sha256 = ? WHERE key = ?", ("0" * 64, keys[0]))
    settle(made)
    assert not (part.parent / f"{keys[0]}.parquet").exists() and (part.parent / f"{keys[1]}.parquet").exists()
    assert made.store.requeue(packed(made)) == 1


def test_a_part_with_units_that_the_run_has_no_more_gives_the_others_their_files(made: Run) -> None:
    pack(made)
    units = [(unit["key"], unit["images"]) for unit in made.store.units()]
    made.store.lay_anew([("f" * 64, units[0][1]), *units[1:]])
    part = next(name for name in files_of(made) if units[0][0] in keys_of(made.folder / "results" / name))
    rest = keys_of(made.folder / "results" / part) - {units[0][0]}
    settle(made)
    assert part not in files_of(made) and {f"{key}.parquet" for key in rest} <= set(files_of(made))
    assert made.store.requeue(packed(made)) == 0
    assert changed_files(made) == []


def test_a_lost_record_is_rebuilt_from_parts_and_the_seal_covers_them(run: Run) -> None:  # noqa: F811
    before = facts(run)
    assert pack(run) == len(before)
    seal(run)
    found = load_seal(run)
    assert found is not None and {f"results/{name}" for name in parts_of(run)} <= set(found[0].files)
    run.store.path.unlink()
    assert "complete results" in str(mend(run))
    assert facts(run) == before and changed_files(run) == []
    found = load_seal(run)
    assert found is not None and sealed_problems(run, found[0]) == []
    first_part(run).unlink()
    assert any("is missing" in line for line in sealed_problems(run, found[0]))


def test_the_size_of_a_part_is_a_positive_number_of_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOUPE_PART")
    assert 64e6 <= part_bytes() <= 256e6
    for wrong in ("0", "-1", "large", "nan", "inf"):
        monkeypatch.setenv("LOUPE_PART", wrong)
        with pytest.raises(InputError, match="LOUPE_PART must be a number of MB above 0"):
            part_bytes()
