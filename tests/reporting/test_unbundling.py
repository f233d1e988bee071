"""A bundle made elsewhere becomes a run that can be read: the same findings, no images, and nothing that changes it."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.audit import launch
from core.cli import main
from core.errors import InputError, LoupeError, RunError
from core.evaluation.summary import summarise
from core.findings import judge
from core.reporting import unbundling
from core.reporting.evidence import write_evidence
from core.reporting.unbundling import MOST_OPENED, forget_bundle, open_bundle
from core.runs import Run, check_before_rewriting
from core.runs.access import Actor
from core.runs.opened import is_opened
from core.runs.review import REVIEW, add_entry, load_review, obstacle
from core.runs.shelf import is_own, may_work, shelf
from core.runs.spot_check import add_marks
from core.runs.succession import duplicate
from core.settings import opened_folder
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_run(tmp_path_factory.mktemp("elsewhere") / "run", images=4, methods=("raw", "rise"), failed=1)
    add_entry(run, "A. Auditor", "comment", why="Made elsewhere")
    run.update_manifest(state="done_with_errors")
    summary = summarise(run)
    write_evidence(run, summary, judge(run, summary), run.folder / "evidence.zip")
    return run


@pytest.fixture
def bundle(made: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundle in a folder of its own, and an empty workspace."""
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    path = tmp_path / "theirs.zip"
    path.write_bytes((made.folder / "evidence.zip").read_bytes())
    return path


def left(home: Path) -> list[str]:
    """Every file of a workspace."""
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_the_run_of_a_bundle_says_the_same(made: Run, bundle: Path) -> None:
    run = open_bundle(bundle)
    assert run.folder == opened_folder() / hashlib.sha256(bundle.read_bytes()).hexdigest()[:16]
    assert run.plan.digest == made.plan.digest and is_opened(run) and not is_own(run) and not may_work(run)
    pairs = zip(judge(run, summarise(run)), judge(made, summarise(made)), strict=True)
    for ours, theirs in pairs:
        assert ours.model_dump(exclude={"reproduce"}) == theirs.model_dump(exclude={"reproduce"})
    assert run.results().equals(made.results())
    assert [entry.why for entry in load_review(run).entries] == ["Made elsewhere"]
    now, then = run.progress(), made.progress()
    assert (now.state, now.done, now.failed, now.images_total) == (
        then.state,
        then.done,
        then.failed,
        then.images_total,
    )
    assert [event[1:] for event in run.store.events()] == [event[1:] for event in made.store.events()]
    assert list(shelf().values()) == [run] and not run.dataset.has_images
    # Opened again, it is the same run; taken off the list, nothing is left, and the bundle is as it was.
    assert open_bundle(bundle) == run and main(["verify", str(run.report / "evidence.zip")]) == 0
    assert forget_bundle(run) and left(opened_folder()) == [] and shelf() == {}
    assert bundle.read_bytes() == (made.folder / "evidence.zip").read_bytes()


def test_nothing_of_it_can_be_changed(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = open_bundle(bundle)
    before = left(run.folder)
    attempts: list[Callable[[], object]] = [
        lambda: add_entry(run, "A. Auditor", "comment", why="why"),
        lambda: add_marks(run, "A. Auditor", {}),
        lambda: launch.start(run),
        lambda: duplicate(run),
        lambda: check_before_rewriting(run),
    ]
    for attempt in attempts:
        with pytest.raises(RunError, match="opened from a bundle and is read only"):
            attempt()
    for command in ("resume", "report", "worker"):
        assert main([command, run.id]) == 2
        assert "opened from a bundle and is read only" in capsys.readouterr().err
    assert "read only" in obstacle(run, load_review(run), Actor("A. Auditor"), "reviewed")
    assert left(run.folder) == before


def repacked(path: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """The bundle with some files changed and its sums made anew."""
    with zipfile.ZipFile(path) as bundle:
        files = {name: bundle.read(name) for name in bundle.namelist() if name != "SHA256SUMS"}
    change(files)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in {**files, "SHA256SUMS": sums.encode()}.items():
            bundle.writestr(name, data)
    path.write_bytes(stream.getvalue())


def _review_of_another(files: dict[str, bytes]) -> None:
    files[REVIEW] = files[REVIEW].replace(b"Made elsewhere", b"Made nowhere..")


CHANGES: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "findings": (lambda files: files.update({"findings.json": b"[]\n"}), "findings.json lacks"),
    "log": (_review_of_another, "changed after it was written"),
    "foreign": (lambda files: files.update({"results/run.sh": b"x"}), "does not belong in a bundle"),
    "outside": (lambda files: files.update({"../../outside": b"x"}), "does not belong in a bundle"),
    "missing": (lambda files: files.pop("dataset.json"), "dataset.json is missing"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_bundle_is_refused_in_one_line_and_nothing_is_left(
    bundle: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, told = CHANGES[name]
    repacked(bundle, change)
    assert main(["open", str(bundle)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("loupe: theirs.zip is not opened, as it is not sound: ")
    assert told in lines[0]
    assert not opened_folder().exists() and not (bundle.parent.parent / "outside").exists()


def test_what_fails_while_it_is_unpacked_leaves_nothing(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unbundling, "lay_bundle", open_bundle)
    with pytest.raises(LoupeError, match=r"^theirs.zip "):
        open_bundle(bundle)
    assert not opened_folder().exists()


def test_links_and_folders_are_no_bundles(bundle: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    for path in (tmp_path, tmp_path / "none.zip", tmp_path / "pipe.zip"):
        with pytest.raises(InputError):
            open_bundle(path)
    assert not opened_folder().exists()


def test_no_more_than_so_many_are_open(bundle: Path) -> None:
    for number in range(MOST_OPENED):
        (opened_folder() / str(number)).mkdir(parents=True)
    with pytest.raises(InputError, match="take some of them off the list"):
        open_bundle(bundle)
    assert len(list(opened_folder().iterdir())) == MOST_OPENED


def test_the_command_lists_a_bundle_and_takes_it_off(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["open", str(bundle)]) == 0
    (run,) = shelf().values()
    assert capsys.readouterr().out == f"theirs.zip is sound, and listed in the app as {run.id}, read only\n"
    assert main(["status", run.id]) == 0 and main(["open", run.id, "--close"]) == 0
    assert shelf() == {} and bundle.is_file()
