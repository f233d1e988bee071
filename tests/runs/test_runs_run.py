"""Run directories: made once for one plan, read without harm, damaged ones named."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest

from core.errors import RunError
from core.runs import Run, create_run, environment, list_runs, manifest, new_run_id, open_run, text_id
from core.runs.code import code_digest
from core.runs.manifest import write_json
from core.runs.packages import installed
from core.settings import ROOT, VERSION
from tests.support.distributions import descriptions_read
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("made") / "run", images=3, finished=False)


def test_a_new_run_can_be_read_before_any_work(run: Run, tmp_path: Path) -> None:
    fresh = create_run(tmp_path / "a" / "run", run.plan)
    assert open_run(fresh.folder).plan == run.plan
    assert fresh.progress().state == "planned"
    assert fresh.manifest == {}
    assert len(fresh.results()) == 0
    assert fresh.report == fresh.folder / "report"


def test_the_same_plan_is_the_same_run_and_another_plan_is_refused(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    create_run(folder, run.plan).store.set(message="kept")
    free = run.plan.model_copy(update={"dataset_root": "elsewhere"})
    assert create_run(folder, free).progress().message == "kept"
    before = (folder / "plan.json").read_bytes()
    with pytest.raises(RunError, match="already contains a run with another plan"):
        create_run(folder, run.plan.model_copy(update={"seed": 9}))
    assert (folder / "plan.json").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".part") == []


def test_results_are_those_of_finished_units_only(run: Run) -> None:
    done = [unit["key"] for unit in run.store.units() if unit["state"] == "done"]
    assert set(run.results().unit) == set(done)
    assert len(done) < len(run.store.units())
    stray = run.folder / "results" / "stray.parquet"
    stray.write_bytes((run.folder / "results" / f"{done[0]}.parquet").read_bytes())
    assert set(run.results().unit) == set(done)
    assert len(run.results(["image"])) == len(run.results())
    stray.unlink()


def test_the_images_are_found_from_the_run_folder(run: Run, tmp_path: Path) -> None:
    root = Path(run.plan.dataset_root)
    (tmp_path / "run").mkdir()
    (tmp_path / "data").symlink_to(root.parent)
    relative = create_run(tmp_path / "run", run.plan.model_copy(update={"dataset_root": f"../data/{root.name}"}))
    assert relative.dataset.id == run.dataset.id
    gone = create_run(tmp_path / "gone", run.plan.model_copy(update={"dataset_root": str(tmp_path / "nowhere")}))
    with pytest.raises(RunError, match=r"dataset of .* is missing"):
        _ = gone.dataset
    other = create_run(tmp_path / "other", run.plan.model_copy(update={"dataset": "0" * 16}))
    with pytest.raises(RunError, match="contains a dataset other than"):
        _ = other.dataset


def test_a_folder_without_a_plan_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run directory"):
        open_run(tmp_path)


def test_a_damaged_manifest_is_named(run: Run, tmp_path: Path) -> None:
    fresh = create_run(tmp_path / "run", run.plan)
    fresh.update_manifest(a=1, b={"c": 2})
    fresh.update_manifest(b=3)
    assert fresh.manifest == {"a": 1, "b": 3}
    (fresh.folder / "manifest.json").write_text("{")
    with pytest.raises(RunError, match=r"manifest\.json is damaged"):
        _ = fresh.manifest


def test_runs_are_listed_newest_first(run: Run, tmp_path: Path) -> None:
    for name in ("20260101-000000-a", "20260301-000000-b", "20260201-000000-c"):
        create_run(tmp_path / name, run.plan)
    (tmp_path / "no run").mkdir()
    assert [found.id[-1] for found in list_runs(tmp_path)] == ["b", "c", "a"]
    assert list_runs(tmp_path / "nowhere") == []


def test_run_ids_differ_and_texts_have_stable_ids() -> None:
    assert len({new_run_id() for _ in range(50)}) == 50
    assert text_id("a cat") == text_id("a cat") != text_id("a cat ")
    assert len(text_id("é")) == 12


def test_the_environment_names_program_packages_and_machine(run: Run) -> None:
    found = environment(run.plan, installed())
    assert found["loupe"] == VERSION
    assert found["code_sha256"] == code_digest()
    assert found["packages"]["torch"] == metadata.version("torch")
    assert found["packages"]["open_clip_torch"] == metadata.version("open_clip_torch")
    assert set(found["packages"]) == set(manifest.PACKAGES)
    assert set(environment(run.plan, [])["packages"].values()) == {None}
    json.dumps(found)


def test_descriptions_of_packages_are_read_once_for_environment_and_list(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = descriptions_read(monkeypatch)
    environment(run.plan, installed())
    assert len(read) == len(set(read)) > 100


def test_the_environment_is_compared_with_the_lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "ROOT", tmp_path)
    versions = {"numpy": "2.1.0+cpu", "open-clip-torch": "3.0"}
    assert manifest._lock(versions) == {"lock_sha256": None, "packages_unlike_lock": None}
    text = "# a comment\nnumpy==2.1.0\nno-such-package-at-all==1.0\nopen_clip_torch==3.0\n"
    (tmp_path / "requirements.lock").write_text(text)
    assert manifest._lock(versions) == {
        "lock_sha256": hashlib.sha256(text.encode()).hexdigest(), "packages_unlike_lock": 0,
    }  # fmt: skip
    (tmp_path / "requirements.lock").write_text(text.replace("numpy==2.1.0", "numpy==0.1"))
    assert manifest._lock(versions)["packages_unlike_lock"] == 1


def test_a_tree_without_git_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "ROOT", tmp_path)
    assert manifest._git("rev-parse", "HEAD") is None
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert manifest._git("rev-parse", "HEAD") is None


def test_json_is_sorted_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": "é"})
    assert path.read_text() == '{\n "a": "é",\n "b": 1\n}\n'
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text())["b"] == 1
    assert ROOT.is_dir()


def test_a_copied_run_keeps_the_date_of_its_work(tmp_path: Path) -> None:
    run = made_run(tmp_path / "first", images=2, methods=("raw",))
    run.update_manifest(started="2026-01-15T09:30:00+00:00")
    copy = Run(shutil.copytree(run.folder, tmp_path / "copy"))
    os.utime(copy.folder / "plan.json")
    assert copy.requested == run.requested == datetime(2026, 1, 15, 9, 30, tzinfo=UTC).timestamp()
    # An id with a date tells it; without a start, or with a damaged one, the plan does.
    assert Run(tmp_path / "20260203-101112-abcdef").requested == time.mktime((2026, 2, 3, 10, 11, 12, 0, 0, -1))
    for damage in ('{"started": 5}', '{"started": "soon"}', "{", "{}"):
        (copy.folder / "manifest.json").write_text(damage)
        assert copy.requested == (copy.folder / "plan.json").stat().st_mtime
