"""Commands about a run that exists: cancel, status of the dead and the damaged, and the errors of a disk."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core import run_commands
from core.audit.launch import STARTING
from core.cli import main
from core.processes import owner_of, this_owner
from core.runs import Run
from core.runs.seal import seal
from tests.support.made_run import made_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_run(tmp_path / "run", images=2, finished=False)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_dead_worker_is_told_as_dead(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for state in ("running", "reporting", "cancelling"):
        run.store.set(state=state, worker=this_owner() + "1", lease=repr(9e9))
        code, out, _ = told(capsys, "status", str(run.folder))
        assert code == 0 and out.startswith("run  died") and "the worker died" in out and "resume" in out
        data = json.loads(told(capsys, "status", str(run.folder), "--json")[1])
        assert (data["state"], data["alive"]) == ("died", False)
    # The companion: a living one is at work.
    run.store.set(state="running", worker=this_owner())
    data = json.loads(told(capsys, "status", str(run.folder), "--json")[1])
    assert (data["state"], data["alive"]) == ("running", True)


def test_a_run_that_was_opened_is_found_by_the_name_that_the_app_shows(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    name = json.loads(told(capsys, "open", str(run.folder), "--json")[1])["id"]
    assert name.startswith("run-")
    assert told(capsys, "status")[1].startswith(f"{name}  ") and told(capsys, "status", name)[1].startswith(f"{name}  ")
    data = json.loads(told(capsys, "status", "--json")[1])
    assert [(one["run"], one["folder"]) for one in data] == [(name, str(run.folder.resolve()))]
    # `sign` finds it too: what it lacks is a seal.
    code, _, error = told(capsys, "sign", name, "--pkcs12", "none.p12")
    assert code == 2 and "is not sealed" in error and "there is no run" not in error
    # The companion: one that is no longer listed is not found by its name.
    told(capsys, "open", "--close", name)
    code, _, error = told(capsys, "status", name)
    assert code == 2 and "there is no run" in error and told(capsys, "status")[1] == "no runs yet\n"


def test_a_run_that_is_opened_says_that_it_was_changed_since_it_was_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    run = made_run(tmp_path / "run", images=2)
    seal(run)
    assert "not as it was sealed" not in told(capsys, "open", str(run.folder))[1]
    (run.folder / "added.txt").write_text("by somebody")
    assert "warning: it is not as it was sealed: added.txt was added" in told(capsys, "open", str(run.folder))[1]


def test_status_writes_nothing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (run.folder / "report").mkdir(exist_ok=True)
    (run.folder / "report" / ".part-old").mkdir()
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if not path.name.startswith("run.sqlite")}
    assert told(capsys, "status", str(run.folder))[0] == 0
    after = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if not path.name.startswith("run.sqlite")}
    assert before == after


@pytest.mark.parametrize("damage", [b"garbage" * 1000, b"", None])
def test_a_damaged_record_is_told_with_the_way_out(
    run: Run, damage: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in run.folder.glob("run.sqlite*"):
        file.unlink()
    if damage is not None:
        run.store.path.write_bytes(damage)
    for command in ("status", "cancel"):
        code, _, error = told(capsys, command, str(run.folder))
        assert code == 2 and error.count("\n") == 1
        assert "python -m core resume" in error and "anew" not in error
        assert ("damaged" if damage is not None else "missing") in error


def test_a_run_is_cancelled_on_the_command_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.store.set(state="running")
    run.store.take(this_owner())
    code, out, _ = told(capsys, "cancel", str(run.folder))
    assert code == 0 and "was asked to stop and does so within seconds" in out and f"process {os.getpid()}" in out
    assert run.progress().state == "cancelling"
    # Its worker died before it could.
    run.store.leave(this_owner())
    code, out, _ = told(capsys, "cancel", str(run.folder), "--json")
    assert code == 0 and json.loads(out)["state"] == "cancelled" == run.progress().state
    assert "is not running: cancelled" in told(capsys, "cancel", str(run.folder))[1]
    run.store.set(state="done")
    assert "is not running: done" in told(capsys, "cancel", str(run.folder))[1]
    assert run.progress().state == "done"


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENAMETOOLONG, errno.EIO, errno.ENOENT]
)
def test_an_error_of_the_disk_is_one_line_for_every_command(
    run: Run, number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> Any:
        raise OSError(number, os.strerror(number), str(run.folder / "a"))

    monkeypatch.setattr(run_commands, "find_run", fails)
    code, _, error = told(capsys, "status", str(run.folder))
    assert code == 2 and error.startswith("loupe: ") and error.count("\n") == 1 and ";" in error


def test_a_path_that_is_too_long_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = told(capsys, "status", "x" * 5000)
    assert code == 2 and error.count("\n") == 1 and "too long" in error and len(error) < 400


def test_an_error_that_is_none_of_the_disk_keeps_its_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise OSError("a defect")

    monkeypatch.setattr(run_commands, "find_run", fails)
    with pytest.raises(OSError, match="a defect"):
        main(["status", str(run.folder)])


def test_a_worker_that_still_loads_its_libraries_is_ended(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """It could not look at a request before it has loaded them, and has nothing in hand."""
    worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        run.store.set(state="running", stage=STARTING)
        run.store.take(owner_of(worker.pid))
        code, out, _ = told(capsys, "cancel", str(run.folder))
        assert code == 0 and "cancelled; finished work is kept" in out
        assert worker.wait(30) == -signal.SIGKILL
        assert run.progress().state == "cancelled" and run.store.holder() is None
    finally:
        worker.kill()
        worker.wait()
        assert worker.stdin is not None
        worker.stdin.close()
