"""A lost or damaged run.sqlite is made again from the other files; what is whole is kept, the rest is done again."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import DamagedError, LoupeError, RunError, StorageError
from core.runs import Run
from core.runs.code import code_digest
from core.runs.database import damage, told
from core.runs.integrity import changed_files, sealed_problems
from core.runs.keys import key_of
from core.runs.lease import lease_end
from core.runs.rebuild import KEPT, adopt, mend
from core.runs.results import sound_unit, write_unit
from core.runs.seal import load_seal, seal
from core.runs.versions import made_elsewhere, recompute, refusal, remove_replaced
from core.storage import is_passing, storage_error, without_folders
from tests.support.made_run import made_run

MODEL = "f" * 64


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run whose units have the keys that its manifest gives."""
    made = made_run(tmp_path / "run", images=4)
    images = {image.id: image for image in made.dataset.images}
    keys = [key_of(made.plan, shard, images, MODEL, code_digest()) for shard in made.plan.shards()]
    rows = made.results().to_dict("records")
    made.store.lay_anew([(key, len(shard)) for key, shard in zip(keys, made.plan.shards(), strict=True)])
    remove_replaced(made)
    for unit, shard in zip(made.store.units(), made.plan.shards(), strict=True):
        own = [{**row, "unit": unit["key"], "map": None, "words": None, "tokens": None} for row in rows]
        own = [{name: value for name, value in row.items() if not is_missing(value)} for row in own]
        _, sha256, count = write_unit(made.folder, unit["key"], [row for row in own if row["image"] in shard])
        made.store.adopt(unit["position"], sha256, count)
    made.store.set(state="done", worker="")
    made.update_manifest(
        environment={"code_sha256": code_digest(), "loupe": "0.1.0", "commit": "c" * 40}, model={"digest": MODEL},
        plan_sha256=made.plan.digest, state="done",
    )  # fmt: skip
    assert made.progress().done == 2 and changed_files(made) == []
    return made


def is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def facts(run: Run) -> list[tuple[Any, ...]]:
    return [(unit["position"], unit["key"], unit["state"], unit["sha256"], unit["rows"]) for unit in run.store.units()]


def drop_log(path: Path) -> None:
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)


def bad_page(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-4096:] = b"\x5a" * 4096
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 100),
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "header": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "page": bad_page,
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_store_is_rebuilt_and_nothing_whole_is_repeated(run: Run, kind: str) -> None:
    before = facts(run)
    drop_log(run.store.path)
    assert mend(run) is None
    DAMAGE[kind](run.store.path)
    broken = run.store.path.read_bytes() if kind != "missing" else None
    assert damage(run.store.path) in ("damaged", "missing")
    line = mend(run)
    assert line is not None and "2 of 2 units have complete results" in line and "\n" not in line
    assert facts(run) == before
    assert run.progress().state == "done"
    assert run.store.events()[-1][1:] == ("rebuilt", line)
    assert run.manifest["rebuilt"] == [line]
    kept = run.folder / KEPT
    assert (kept.read_bytes() if kept.exists() else None) == broken
    assert mend(run) is None


def test_a_rebuilt_run_is_sealed_again_unless_something_else_was_changed(run: Run) -> None:
    seal(run)
    run.store.path.write_bytes(b"garbage" * 100)
    assert mend(run) is not None
    found = load_seal(run)
    assert found is not None and sealed_problems(run, found[0]) == []
    (run.folder / "findings.json").write_text("[]")
    run.store.path.write_bytes(b"garbage" * 100)
    assert mend(run) is not None
    assert any(line.startswith("findings.json") for line in sealed_problems(run, found[0]))


@pytest.mark.parametrize("change", [lambda data: data[:-9], lambda data: b"", lambda data: data + b" ", None])
def test_a_result_that_is_not_whole_is_done_again(run: Run, change: Callable[[bytes], bytes] | None) -> None:
    file = run.folder / "results" / f"{run.store.units()[0]['key']}.parquet"
    if change is None:
        file.unlink()
    else:
        file.write_bytes(change(file.read_bytes()))
    run.store.path.write_bytes(b"")
    assert "1 of 2" in (mend(run) or "")
    assert [unit["state"] for unit in run.store.units()] == ["waiting", "done"]
    assert run.progress().state == "cancelled"


def test_any_changed_byte_of_a_result_is_seen_without_a_hash(run: Run) -> None:
    unit = run.store.units()[0]
    shard = run.plan.shards()[0]
    file = run.folder / "results" / f"{unit['key']}.parquet"
    sound = file.read_bytes()
    assert sound_unit(file, unit["key"], shard) == (unit["sha256"], unit["rows"])
    for at in range(0, len(sound), max(1, len(sound) // 150)):
        file.write_bytes(sound[:at] + bytes([sound[at] ^ 0x41]) + sound[at + 1 :])
        assert sound_unit(file, unit["key"], shard) is None, at
    file.write_bytes(sound)
    # The companion: another unit's rows are whole, and not this one's.
    assert sound_unit(file, "0" * 32, shard) is None
    assert sound_unit(file, unit["key"], shard[:1]) is None


def test_a_unit_that_was_written_and_not_recorded_is_adopted(run: Run) -> None:
    unit = run.store.units()[1]
    with run.store._write() as db:
        db.execute("UPDATE units SET state = 'waiting', sha256 = NULL WHERE position = 1")
    assert adopt(run, run.plan.shards()) == 1
    assert run.store.units()[1]["sha256"] == unit["sha256"]
    with run.store._write() as db:
        db.execute(
            "UPDATE units SET state = 'running', owner = 'otherhost:1:1', lease = ? WHERE position = 1", (lease_end(),)
        )
    assert adopt(run, run.plan.shards()) == 0


def test_a_run_without_a_data_set_is_not_rebuilt_and_not_changed(run: Run) -> None:
    run.store.path.write_bytes(b"garbage" * 100)
    aside = run.dataset_root.rename(run.dataset_root.with_name("aside"))
    fresh = Run(run.folder)
    with pytest.raises(LoupeError, match="missing"):
        mend(fresh)
    assert run.store.path.read_bytes() == b"garbage" * 100
    aside.rename(run.dataset_root)
    assert mend(Run(run.folder)) is not None


# -- what an error means -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (sqlite3.SQLITE_FULL, StorageError, "disk is full"),
        (sqlite3.SQLITE_IOERR_WRITE, StorageError, "disk reported an error"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, StorageError, "cannot be written"),
        (sqlite3.SQLITE_CANTOPEN, StorageError, "cannot be opened"),
        (sqlite3.SQLITE_BUSY, RunError, "locked by another program"),
        (sqlite3.SQLITE_CORRUPT, DamagedError, "damaged"),
        (sqlite3.SQLITE_NOTADB, DamagedError, "damaged"),
        (sqlite3.SQLITE_ERROR, DamagedError, "damaged"),
    ],
)
def test_an_error_of_sqlite_is_told_as_what_it_is(code: int, kind: type[LoupeError], words: str) -> None:
    error = sqlite3.OperationalError("words of SQLite")
    error.sqlite_errorcode = code
    found = told(Path("/home/person/runs/mine/run.sqlite"), error)
    assert type(found) is kind and words in str(found) and str(found).startswith("mine/run.sqlite")
    assert "anew" not in str(found) and "\n" not in str(found)


MACHINE = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EIO, errno.EMFILE,
)  # fmt: skip


@pytest.mark.parametrize("number", MACHINE)
def test_an_error_of_the_machine_is_one_line_and_costs_no_try(number: int, tmp_path: Path) -> None:
    found = storage_error(OSError(number, "words", str(tmp_path / "a\nb")))
    assert found is not None and "\n" not in str(found) and ";" in str(found)
    assert is_passing(OSError(number, "words")) and is_passing(found)
    # The companion: other errors are left to whoever raised them.
    assert storage_error(OSError(12345, "words")) is None and storage_error(OSError("words")) is None
    assert not is_passing(OSError("words")) and not is_passing(ZeroDivisionError())


def test_places_are_taken_out_of_a_line_and_addresses_left_in() -> None:
    assert without_folders("/home/me/runs/a/plan.json is damaged: 'C:\\Users\\me\\x.png'") == (
        "plan.json is damaged: 'x.png'"
    )
    kept = "see https://example.org/a/b and results/k.parquet, 3/4 done, text and/or image"
    assert without_folders(kept) == kept


# -- another version ---------------------------------------------------------------------------------------------


def other_code(run: Run) -> None:
    was = run.manifest["environment"]
    run.update_manifest(environment={**was, "code_sha256": "a" * 64, "loupe": "0.0.9"})


def test_a_finished_run_of_another_version_is_done_and_says_whose_it_is(run: Run) -> None:
    assert made_elsewhere(run) is None
    other_code(run)
    line = made_elsewhere(run)
    assert line is not None and line.startswith("already done, nothing to do; it was made with another version")
    assert "Loupe 0.0.9 with code aaaaaaaa, commit cccccccccccc -> Loupe 0.1.0" in line
    # Unless something of it is missing: then there is something to do.
    next((run.folder / "results").iterdir()).unlink()
    assert made_elsewhere(run) is None


def test_a_refusal_names_what_differs_and_both_ways_on(run: Run) -> None:
    other_code(run)
    line = str(refusal(run, "0" * 64))
    assert "another version of the program (Loupe 0.0.9" in line and "other weights (ffffffff -> 00000000)" in line
    assert "finish it with Loupe 0.0.9 at commit cccccccccccc" in line and "--recompute" in line
    assert "plan (" not in line and "\n" not in line
    run.update_manifest(plan_sha256="b" * 64)
    assert "another plan (bbbbbbbb ->" in str(refusal(run, MODEL))


def test_what_is_computed_again_is_what_changed(run: Run) -> None:
    first, second = run.store.units()
    gone = recompute(run, [(first["key"], 2), ("0" * 32, 2)])
    assert gone == [second["key"]]
    assert [(unit["key"], unit["state"]) for unit in run.store.units()] == [
        (first["key"], "done"),
        ("0" * 32, "waiting"),
    ]
    assert [file.stem for file in (run.folder / "results").iterdir()] == [first["key"]]
    assert run.progress().state == "running" and run.store.replaced() == []


def test_files_of_replaced_units_go_also_after_a_kill_in_between(run: Run) -> None:
    keys = [unit["key"] for unit in run.store.units()]
    run.store.lay_anew([("0" * 32, 2), ("1" * 32, 2)])
    assert len(list((run.folder / "results").iterdir())) == 2 and run.store.replaced() == sorted(keys)
    remove_replaced(run)
    assert not list((run.folder / "results").iterdir()) and run.store.replaced() == []
