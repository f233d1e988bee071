"""A run that cannot go on is left as it was, and goes on once it can: refusals, full disks, lost leases, upgrades."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Any

import pytest

from core.audit import hold, units, worker
from core.audit.engines import local, record
from core.audit.worker import work
from core.datasets import Dataset
from core.errors import LoupeError, RunError, ScopeError
from core.runs import ApplicationPlan, Run, lease
from core.runs.rebuild import KEPT
from tests.audit.small import loaded, new_run, plan_for, result_hashes, save_model, take_in
from tests.audit.test_audit_stages import card
from tests.support.applications import add_application

ELSEWHERE = "otherhost:1:1"


@pytest.fixture
def run(tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str]) -> Run:
    """A finished run."""
    made = new_run(tmp_path / "run", plan_for(dataset, vit))
    assert work(made, model=loaded(vit)) == "done"
    return made


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An application of a test; what stands under `error` is raised by it."""
    asked: dict[str, Any] = {"error": None, "first": lambda: True}

    def apply(subject: Any, options: Any, out: Path, tell: Any) -> None:
        assert asked["first"]()
        if asked["error"] is not None:
            raise asked["error"]
        (out / "found.json").write_text("{}")

    add_application(monkeypatch, card("counting"), apply)
    return asked


class Clock:
    """A clock that goes on when somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        monkeypatch.setattr(lease.time, "time", lambda: self.now)
        monkeypatch.setattr(hold, "pause", self.wait)

    def wait(self, seconds: float) -> None:
        self.now += seconds


def lines(run: Run) -> list[str]:
    return [message for _, _, message in run.store.events()]


def test_a_refusal_leaves_a_finished_run_as_it_was(run: Run, tmp_path: Path, vit: Path) -> None:
    before = (run.progress(), result_hashes(run), (run.folder / "seal.json").read_bytes())
    root = run.dataset_root
    other = save_model(tmp_path / "other", "vit", seed=1)
    with pytest.raises(RunError, match="was started with other weights"):
        work(Run(run.folder), model=loaded(other))
    root.rename(tmp_path / "aside")
    with pytest.raises(LoupeError, match=r"dataset .* is missing"):
        work(Run(run.folder), model=loaded(vit))
    (tmp_path / "aside").rename(root)
    assert (run.progress(), result_hashes(run), (run.folder / "seal.json").read_bytes()) == before


def test_a_model_that_is_gone_leaves_a_finished_run_done_and_a_new_one_failed(
    run: Run, tmp_path: Path, dataset: Dataset, vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise LoupeError("weights.safetensors is missing; restore it")

    monkeypatch.setattr(worker, "load_model", gone)
    fresh = new_run(tmp_path / "fresh", plan_for(dataset, vit))
    for one, state in ((run, "done"), (fresh, "failed")):
        with pytest.raises(LoupeError, match="restore it"):
            work(one)
        assert (one.progress().state, one.progress().stage) == (state, "")
    assert fresh.progress().message == "weights.safetensors is missing; restore it"


def test_what_other_weights_made_is_computed_again_on_request(run: Run, tmp_path: Path, vit: Path) -> None:
    old = result_hashes(run)
    other = loaded(save_model(tmp_path / "other", "vit", seed=1))
    assert work(run, model=other, recompute=True) == "done"
    assert len(result_hashes(run)) == len(old) and not set(result_hashes(run)) & set(old)
    assert run.manifest["model"]["digest"] == other.digest
    # The companion: without a request nothing of it is continued.
    with pytest.raises(RunError, match="other weights"):
        work(run, model=loaded(vit))


def test_a_finished_run_of_another_version_is_done_and_an_unfinished_one_names_both_ways(
    run: Run, vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.runs import versions

    for module in (units, versions):
        monkeypatch.setattr(module, "plan_code", lambda _: "9" * 64)
    told: list[str] = []
    before = result_hashes(run)
    assert work(run, told.append, loaded(vit)) == "done"
    assert told[0].startswith("already done, nothing to do; it was made with another version")
    assert result_hashes(run) == before
    next((run.folder / "results").iterdir()).unlink()
    with pytest.raises(RunError, match=r"another version of the program .* or add --recompute"):
        work(run, model=loaded(vit))
    assert run.progress().state == "done"
    assert work(run, told.append, loaded(vit), recompute=True) == "done"
    assert "4 of 4 units are recomputed" in told


def test_a_unit_that_is_held_elsewhere_is_waited_for_and_taken_over(
    run: Run, vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = result_hashes(run)
    clock = Clock(monkeypatch)
    with run.store._write() as db:
        db.execute(
            "UPDATE units SET state = 'running', owner = ?, lease = ? WHERE position = 1", (ELSEWHERE, clock.now + 40)
        )
        db.execute("UPDATE run SET value = 'cancelled' WHERE key = 'state'")
    next(file for file in (run.folder / "results").iterdir() if file.stem == run.store.units()[1]["key"]).unlink()
    told: list[str] = []
    assert work(run, told.append, loaded(vit)) == "done"
    assert any("held by a process on host 'otherhost'; its lease ends in 40 s" in line for line in told)
    assert clock.now >= 1_000_040.0
    assert run.progress().done == 4 and result_hashes(run) == sound


def test_a_unit_that_is_never_given_up_leaves_the_run_unfinished(
    run: Run, vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)

    def held_for_ever(seconds: float) -> None:
        clock.now += seconds
        with run.store._write() as db:
            db.execute("UPDATE units SET lease = ? WHERE position = 1", (clock.now + 50,))

    monkeypatch.setattr(hold, "pause", held_for_ever)
    with run.store._write() as db:
        db.execute(
            "UPDATE units SET state = 'running', owner = ?, lease = ? WHERE position = 1", (ELSEWHERE, clock.now + 50)
        )
        db.execute("UPDATE run SET value = 'cancelled' WHERE key = 'state'")
    with pytest.raises(RunError, match=r"is unfinished: a unit is still held by a process on host 'otherhost'"):
        work(run, model=loaded(vit))
    assert run.progress().state == "failed" and run.progress().done == 3


def test_a_worker_that_was_replaced_stops_and_changes_nothing(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = units.run_unit

    def replaced(bench: Any, key: str, shard: Any) -> Any:
        bench.run.store.set(worker=ELSEWHERE, lease=repr(lease.lease_end()), state="running", message="theirs")
        return plain(bench, key, shard)

    monkeypatch.setattr(local, "run_unit", replaced)
    run = new_run(tmp_path / "run", plan_for(dataset, vit))
    with pytest.raises(RunError, match="another worker took"):
        work(run, model=loaded(vit))
    assert (run.store.get("worker"), run.progress().message, run.progress().state) == (ELSEWHERE, "theirs", "running")
    assert rendered == []


def test_a_full_disk_costs_no_try_and_the_run_goes_on_to_the_same_bytes(
    run: Run, tmp_path: Path, dataset: Dataset, vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = new_run(tmp_path / "other", run.plan)

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", "/home/person/runs/other/results/k.part")

    with monkeypatch.context() as patch:
        patch.setattr(record, "write_unit", full)
        for _ in range(4):
            with pytest.raises(OSError, match="No space"):
                work(other, model=loaded(vit))
    assert {(unit["state"], unit["tries"]) for unit in other.store.units()} == {("waiting", 0)}
    assert other.progress().state == "failed" and "the disk is full; free space" in other.progress().message
    assert not any("/home" in line for line in lines(other))
    assert work(other, model=loaded(vit)) == "done"
    assert result_hashes(other) == result_hashes(run)


def test_a_failed_application_makes_errors_and_is_done_again(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], application: dict[str, Any]
) -> None:
    plan = plan_for(dataset, vit, applications=(ApplicationPlan(name="counting"),))
    run = new_run(tmp_path / "run", plan)
    application["error"] = ZeroDivisionError(f"division by zero in {tmp_path}/secret/file.py\nand more")
    assert work(run, model=loaded(vit)) == "done_with_errors" == run.progress().state
    assert run.manifest["application_problems"] == {"counting": "ZeroDivisionError: division by zero in file.py"}
    # One line in the log, no place of this machine; the traceback lies beside it.
    assert all("\n" not in line and str(tmp_path) not in line for line in lines(run))
    assert "Traceback" in (run.folder / "errors.log").read_text()
    application["error"] = None
    assert work(run, model=loaded(vit)) == "done"
    assert run.manifest["application_problems"] == {}
    assert (run.folder / "applications" / "counting" / "found.json").exists()


def test_an_application_without_anything_to_work_on_is_not_run_and_no_error(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], application: dict[str, Any]
) -> None:
    application["error"] = ScopeError("counting needs labels; give classes")
    run = new_run(tmp_path / "run", plan_for(dataset, vit, applications=(ApplicationPlan(name="counting"),)))
    assert work(run, model=loaded(vit)) == "done"
    assert ["counting", "data set", "counting needs labels; give classes"] in run.manifest["not_run"]


def test_a_run_is_cancelled_after_its_last_application_too(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], application: dict[str, Any]
) -> None:
    run = new_run(tmp_path / "run", plan_for(dataset, vit, applications=(ApplicationPlan(name="counting"),)))
    application["first"] = lambda: run.store.cancel() == "cancelling"
    assert work(run, model=loaded(vit)) == "cancelled" == run.progress().state
    assert rendered == [] and run.progress().done == 4
    application["first"] = lambda: True
    assert work(run, model=loaded(vit)) == "done"


def test_a_launched_worker_of_a_run_that_was_cancelled_since_does_nothing(
    tmp_path: Path, dataset: Dataset, vit: Path
) -> None:
    run = new_run(tmp_path / "run", plan_for(dataset, vit))
    run.store.set(state="cancelling")
    assert work(run, model=loaded(vit), launched=True) == "cancelled"
    assert run.progress().total == 0


def test_a_lost_record_costs_nothing_that_was_done(run: Run, vit: Path, rendered: list[str]) -> None:
    sound = {file.name: file.stat().st_mtime_ns for file in (run.folder / "results").iterdir()}
    run.store.path.write_bytes(b"garbage" * 1000)
    told: list[str] = []
    assert work(run, told.append, loaded(vit)) == "done"
    assert "run.sqlite was damaged and has been rebuilt; 4 of 4 units have complete results" in told
    assert {file.name: file.stat().st_mtime_ns for file in (run.folder / "results").iterdir()} == sound
    assert (run.folder / KEPT).exists() and run.manifest["rebuilt"] == told[:1]


def test_a_report_that_cannot_be_made_leaves_a_finished_run_done(
    run: Run, vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise RunError("the PDF could not be made")

    monkeypatch.setattr(sys.modules["core.reporting"], "render_report", fails)
    with pytest.raises(RunError, match="could not be made"):
        work(run, model=loaded(vit))
    assert run.progress().state == "done" and (run.folder / "seal.json").exists()


def test_what_a_dead_worker_left_is_removed_when_work_goes_on(tmp_path: Path, vit: Path, rendered: list[str]) -> None:
    own = take_in(tmp_path / "own", 2)
    run = new_run(tmp_path / "run", plan_for(own, vit))
    (run.folder / "report").mkdir()
    left = [run.folder / "report" / ".part-abc", own.root.parent / ".incoming-abc"]
    for folder in left:
        folder.mkdir()
    (run.folder / "results" / "k.123.part").write_text("half")
    assert work(run, model=loaded(vit)) == "done"
    assert not any(folder.exists() for folder in left)
    assert not list((run.folder / "results").glob("*.part"))
