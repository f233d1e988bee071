"""Copies of runs behind a URL: what is sent comes back the same; a copy that was interrupted or changed says so."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from core.datasets import Remote
from core.errors import InputError
from core.runs import Run, open_run
from core.runs.copies import INDEX, RunCopy, fetch
from tests.support.buckets import memory as memory
from tests.support.made_run import made_run

HERE = Remote("memory://lake/run")


def contents(run: Run) -> dict[str, bytes]:
    """The files of a run but those of SQLite, by name."""
    found = {path.relative_to(run.folder).as_posix(): path for path in run.folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith("run.sqlite")}


def dump(run: Run) -> list[str]:
    with sqlite3.connect(run.store.path) as db:
        return list(db.iterdump())


def index_of(files: Any) -> dict[str, Any]:
    return dict(json.loads(files.cat_file(f"/lake/run/{INDEX}")))


def test_a_run_comes_back_as_it_was_sent(memory: Any, tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    (run.folder / "worker.log").write_text(f"began in {tmp_path}")
    (run.folder / "results" / "half.part").write_bytes(b"x")
    sent = RunCopy(run, HERE).send()
    again = fetch(HERE, tmp_path / "other" / "run")
    whole = contents(run)
    assert {name for name in whole if name not in contents(again)} == {"worker.log", "results/half.part"}
    assert all(whole[name] == data for name, data in contents(again).items())
    assert sent == len(contents(again)) + 1 and dump(again) == dump(run)
    assert again.progress().state == run.progress().state and len(again.results()) == len(run.results())
    # Result rows lie under their own names, for programs that read Parquet.
    assert set(memory.glob("/lake/run/results/*.parquet")) == {f"/lake/run/results/{key}.parquet" for key in run.done()}


def test_only_what_changed_is_sent_and_what_went_is_removed(memory: Any, tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", finished=False)
    copy = RunCopy(run, HERE)
    assert copy.send() == 4 and copy.send() == 0 and RunCopy(run, HERE).send() == 0
    before = {name: memory.created(name) for name in memory.find("/lake/run")}
    run.update_manifest(note="changed")
    first = min((run.folder / "results").glob("*.parquet"))
    first.unlink()
    assert copy.send() == 1
    after = memory.find("/lake/run")
    assert f"/lake/run/results/{first.name}" in before and f"/lake/run/results/{first.name}" not in after
    # The earlier manifest went with the index that named it.
    assert len([name for name in after if "/versions/" in name]) == len(
        [name for name in before if "/versions/" in name]
    )
    assert fetch(HERE, tmp_path / "other").manifest["note"] == "changed"


def test_a_copy_that_was_interrupted_is_the_one_before(memory: Any, tmp_path: Path, monkeypatch: Any) -> None:
    run = made_run(tmp_path / "run", finished=False)
    RunCopy(run, HERE).send()
    earlier = contents(run)
    run.update_manifest(note="changed")
    write = RunCopy._write

    def dying(copy: RunCopy, place: str, data: bytes) -> None:
        if place == INDEX:
            raise KeyboardInterrupt
        write(copy, place, data)

    monkeypatch.setattr(RunCopy, "_write", dying)
    with pytest.raises(KeyboardInterrupt):
        RunCopy(run, HERE).send()
    assert contents(fetch(HERE, tmp_path / "other")) == earlier


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files, place: files.pipe_file(place, files.cat_file(place) + b"x"), "is not as it was sent"),
        (lambda files, place: files.pipe_file(place, b"x" * len(files.cat_file(place))), "is not as it was sent"),
        (lambda files, place: files.rm_file(place), r"memory://lake/run cannot be read \("),
    ],
    ids=["longer", "other bytes", "gone"],
)
def test_a_file_that_is_not_as_it_was_sent_is_told_and_nothing_is_left(
    memory: Any, tmp_path: Path, change: Any, said: str
) -> None:
    run = made_run(tmp_path / "run")
    RunCopy(run, HERE).send()
    change(memory, next(iter(memory.glob("/lake/run/results/*.parquet"))))
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=said):
        fetch(HERE, tmp_path / "other" / "run")
    assert not list((tmp_path / "other").iterdir())


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/cron.d/x", "a/../../b", "a//b", "a\\b", "a\x00b", ".", "plan.json/below", "x" * 300]
)
@pytest.mark.parametrize("where", ["name", "at"])
def test_an_index_that_leads_out_of_the_run_is_refused(memory: Any, tmp_path: Path, name: str, where: str) -> None:
    run = made_run(tmp_path / "run")
    RunCopy(run, HERE).send()
    index = index_of(memory)
    file = index["files"]["manifest.json"]
    if where == "name":
        index["files"][name] = file
    elif name == "plan.json/below":
        pytest.skip("a place may lie anywhere below the URL")
    else:
        index["files"]["manifest.json"] = {**file, "at": name}
    memory.pipe_file(f"/lake/run/{INDEX}", json.dumps(index).encode())
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=rf"^memory://lake/run: {INDEX} (names a file outside|has a file that)"):
        fetch(HERE, tmp_path / "other" / "run")
    assert not list((tmp_path / "other").iterdir())


def test_what_is_no_copy_is_told_in_one_line(memory: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^memory://lake/run holds no copy of a run \({INDEX}\); check the URL$"):
        fetch(HERE, tmp_path / "run")
    memory.pipe_file(f"/lake/run/{INDEX}", b"{")
    with pytest.raises(InputError, match=f"^memory://lake/run: {INDEX} is damaged or from another version"):
        fetch(HERE, tmp_path / "run")
    run = made_run(tmp_path / "own")
    memory.rm_file(f"/lake/run/{INDEX}")
    RunCopy(run, HERE).send()
    with pytest.raises(InputError, match=r"^own exists already; name a new folder$"):
        fetch(HERE, run.folder)
    assert open_run(run.folder).progress().state == "done"
