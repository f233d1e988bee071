"""Imports in processes of their own: copied under numbers, stopped, found again, cleared away however they end."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import streamlit as st

from core.datasets import Upload, job
from core.errors import InputError
from core.settings import LIMITS
from pages.parts import imports
from tests.datasets.made import coded, noise
from tests.pages.test_pages import opened, words

START = job.start
PAUSE = "import signal; print('ready', flush=True); signal.pause()"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {PAUSE}"


class Usage(NamedTuple):
    free: int


def upload(name: str = "a.png", data: bytes | None = None) -> Upload:
    return Upload(name, io.BytesIO(coded(noise(1)) if data is None else data))


def full_disk(given: job.Job, folder: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def left() -> list[str]:
    """Everything in the folder of imports."""
    return sorted(str(path.relative_to(imports.imports_folder())) for path in imports.imports_folder().rglob("*"))


class Children(list[subprocess.Popen[bytes]]):
    """Processes in the place of imports, which do nothing until they are told to end."""

    code = PAUSE

    def start(self, given: job.Job, folder: Path) -> subprocess.Popen[bytes]:
        """Like `job.start`."""
        job._write(folder / "job.json", given)
        job._write(folder / "report.json", job.Report())
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            handles = (lock.fileno(),)
            process = subprocess.Popen([sys.executable, "-c", self.code], stdout=subprocess.PIPE, pass_fds=handles)
            lock.write(str(process.pid))
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        self.append(process)
        return process


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Iterator[Children]:
    made = Children()
    monkeypatch.setattr(job, "start", made.start)
    yield made
    for process in made:
        process.kill()
        process.wait()


def test_an_import_runs_in_its_own_process_and_leaves_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "start", START)
    begun = imports.begin([upload("a.png"), upload("b.png", b"no image")], "two")
    (process,) = imports._children
    assert process.wait() == 0
    (found,) = imports.imports()
    assert found.id == begun and found.report.over
    dataset = job.dataset(found.folder)
    assert dataset.name == "two" and [image.name for image in dataset.images] == ["a.png"]
    assert [refusal.name for refusal in dataset.refusals] == ["b.png"]
    imports.sweep()
    assert not (found.folder / "files").exists()
    imports.remove(found)
    assert left() == []


def test_names_are_data_and_never_paths(workspace: Path, child: Children) -> None:
    names = ["../../out.png", "/etc/passwd", "a\x00b", "x" * 5000, "..", "", "\udcff.png"]
    begun = imports.begin([upload(name, b"1") for name in names], None)
    folder = imports.imports_folder() / begun
    assert sorted(file.name for file in (folder / "files").iterdir()) == [str(n) for n in range(len(names))]
    listed = json.loads((folder / "job.json").read_text())["sources"]
    assert {Path(source["path"]).parent for source in listed} == {folder / "files"}
    assert [source["name"][:11] for source in listed][:3] == ["../../out.png"[:11], "/etc/passwd", "a b"]
    assert sorted(path.name for path in workspace.iterdir()) == ["imports"]
    assert oct(folder.stat().st_mode)[-3:] == "700"


def test_limits_and_a_full_disk_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch, child: Children) -> None:
    monkeypatch.setattr(imports, "LIMITS", replace(LIMITS, upload_bytes=10, files=2, imports=1))
    for given, told in (
        ([upload("a", b"123456"), upload("b", b"123456")], "more than 10 bytes in all"),
        ([upload()] * 3, "more than 2 files"),
    ):
        with pytest.raises(InputError, match=told):
            imports.begin(given, None)
        assert left() == []
    with monkeypatch.context() as full:
        full.setattr(imports.shutil, "disk_usage", lambda path: Usage(imports.SPARE - 1))
        with pytest.raises(InputError, match="disk is almost full"):
            imports.begin([upload("a", b"1")], None)
    with monkeypatch.context() as broken:
        broken.setattr(job, "start", full_disk)
        with pytest.raises(InputError, match="No space left"):
            imports.begin([upload("a", b"1")], None)
    assert left() == []
    imports.begin([upload("a", b"1")], None)
    with pytest.raises(InputError, match="wait for one or cancel it"):
        imports.begin([upload("a", b"1")], None)


def test_stopping_is_asked_for_first_and_then_forced(monkeypatch: pytest.MonkeyPatch, child: Children) -> None:
    imports.begin([upload()], None)
    imports.stop(imports.imports()[0])
    assert child[0].wait() == -signal.SIGTERM
    (found,) = imports.imports()
    assert found.stopping and found.report.state == "cancelled"
    imports.remove(found)
    assert left() == []
    child.code = DEAF
    imports.begin([upload()], None)
    for patience in (10.0, 10.0, -1.0):
        monkeypatch.setattr(imports, "PATIENCE", patience)
        assert not imports.imports()[0].report.over
        imports.stop(imports.imports()[0])
    assert child[1].wait() == -signal.SIGKILL
    # Asked once more, it finds nobody to stop.
    imports.stop(imports.imports()[0])


def test_a_dead_import_is_told_and_its_copies_go(child: Children) -> None:
    begun = imports.begin([upload()], None)
    child[0].kill()
    child[0].wait()
    assert (imports.imports_folder() / begun / "files" / "0").exists()
    app = opened("dataset", **{"import": begun})
    assert "stopped from outside; start it again" in app.error[0].value and "import" not in app.query_params
    assert left() == []
    # Nobody asks for this one: its copies go at once, and the rest after a day.
    begun = imports.begin([upload()], None)
    child[1].kill()
    child[1].wait()
    st.cache_resource.clear()
    # The first page that a server shows is enough.
    opened("audit")
    folder = imports.imports_folder() / begun
    assert folder.exists() and not (folder / "files").exists()
    os.utime(folder, (0, 0))
    opened("dataset")
    assert left() == []


def test_every_session_sees_a_running_import_and_can_stop_it(child: Children) -> None:
    begun = imports.begin([upload("**bold** <b>.zip"), upload()], None)
    told = job.Report(state="reading", done=3, total=12)
    (imports.imports_folder() / begun / "report.json").write_text(told.model_dump_json())
    app = opened("dataset")
    assert "**bold**" not in words(app) and "and 1 more" in words(app)
    assert app.get("progress")[0].proto.text == "3 of 12 files read"
    app.button(key=f"stop-{begun}").click().run()
    assert child[0].wait() == -signal.SIGTERM
    app.run()
    assert not app.exception and "The import was cancelled" in words(app) and left() == []


def test_damaged_notes_of_an_import_stop_no_page() -> None:
    folder = imports.imports_folder() / "20260101-000000-abcdef"
    for content in ("", "[]", "{", '{"state": "done", "dataset": "../.."}', '{"state": "done"}', "\udcff"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("label.json", "job.json", "report.json", "lock", "copying"):
            (folder / name).write_text(content, errors="surrogateescape")
        app = opened("dataset", **{"import": folder.name})
        assert len(app.error) <= 1 and not app.exception


def test_an_upload_that_is_still_copied_counts_as_running() -> None:
    folder = imports.imports_folder() / "20260101-000000-abcdef"
    (folder / "files").mkdir(parents=True)
    with imports._copying(folder):
        imports.sweep()
        assert not imports.imports()[0].report.over and (folder / "files").exists()
    imports.sweep()
    assert imports.imports()[0].report.state == "failed" and not (folder / "files").exists()
