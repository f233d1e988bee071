"""An import as a process of its own: progress, result, cancel, and what is left when it dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from core.datasets import Upload, ingest, job
from core.errors import InputError
from tests.datasets.made import coded, folder_of, noise


def given(tmp_path: Path, count: int = 3) -> Path:
    files = {f"{number}.png": coded(noise(number)) for number in range(count)}
    return folder_of(tmp_path / "given", {**files, "bad.png": b"no image"})


def test_a_job_gives_the_same_as_a_call(tmp_path: Path) -> None:
    folder = given(tmp_path)
    spooled = tmp_path / "0001"
    spooled.write_bytes(coded(noise(9)))
    sources = (job.Source(path=folder), job.Source(path=spooled, name="nine.png"))
    process = job.start(job.Job(store=tmp_path / "store", sources=sources, name="mine"), tmp_path / "job")
    assert process.wait() == job.DONE
    told = job.report(tmp_path / "job")
    assert (told.state, told.done, told.total, told.over) == ("done", 5, 5, True)
    made = job.dataset(tmp_path / "job")
    assert [image.name for image in made.images] == ["0.png", "1.png", "2.png", "nine.png"]
    assert [refusal.name for refusal in made.refusals] == ["bad.png"] and made.name == "mine"
    again = ingest([folder, Upload("nine.png", spooled)], store=tmp_path / "other", name="mine")
    assert again.id == made.id and again.refusals == made.refusals


def test_wrong_input_is_one_line(tmp_path: Path) -> None:
    process = job.start(job.Job(store=tmp_path, sources=(job.Source(path=tmp_path / "no"),)), tmp_path / "job")
    assert process.wait() == job.WRONG_INPUT
    assert job.report(tmp_path / "job").error == f"{tmp_path / 'no'} cannot be found; check the path"
    with pytest.raises(InputError, match="cannot be found; check the path"):
        job.dataset(tmp_path / "job")


def _stopped(tmp_path: Path, number: int) -> tuple[int, job.Report]:
    process = job.start(
        job.Job(store=tmp_path / "store", sources=(job.Source(path=given(tmp_path, 400)),)), tmp_path / "job"
    )
    while job.report(tmp_path / "job").done == 0 and process.poll() is None:
        os.sched_yield()
    if number == signal.SIGTERM:
        job.cancel(tmp_path / "job")
    else:
        os.kill(process.pid, number)
    return process.wait(), job.report(tmp_path / "job")


def test_cancel_leaves_nothing(tmp_path: Path) -> None:
    code, told = _stopped(tmp_path, signal.SIGTERM)
    assert (code, told.state) == (job.CANCELLED, "cancelled")
    assert list((tmp_path / "store").iterdir()) == []


def test_a_killed_job_is_told_as_failed(tmp_path: Path) -> None:
    code, told = _stopped(tmp_path, signal.SIGKILL)
    assert (code, told.state) == (-signal.SIGKILL, "failed")
    assert told.error == "the import was stopped from outside; start it again"
    job.cancel(tmp_path / "job")
