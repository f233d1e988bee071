"""The state of a run: who may work on what, what happens to the work of the dead, and what a reader sees."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.errors import RunError
from core.processes import machine, owner_of, runs_here, this_owner
from core.runs import RunStore, store
from core.runs.lease import LEASE_SECONDS
from core.runs.queue import TRIES, Unit
from core.runs.results import file_sha256


@pytest.fixture
def runs(tmp_path: Path) -> RunStore:
    made = RunStore(tmp_path)
    made.create([("a", 2), ("b", 2), ("c", 1)])
    return made


@pytest.fixture(scope="module")
def dead() -> str:
    """The owner string of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = owner_of(child.pid)
    assert runs_here(owner)
    child.communicate()
    return owner


class Clock:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(store.time, "time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def states(runs: RunStore) -> list[str]:
    return [unit["state"] for unit in runs.units()]


def claim(runs: RunStore, owner: str = "") -> Unit:
    unit = runs.claim(owner or this_owner())
    assert unit is not None
    return unit


def finish(runs: RunStore, unit: Unit, seconds: float = 1.0, data: bytes = b"rows") -> None:
    file = runs.folder / "results" / f"{unit.key}.parquet"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    runs.finish(unit, file_sha256(file), 1, seconds)


def test_units_are_claimed_in_order_and_each_once(runs: RunStore) -> None:
    units = [claim(runs) for _ in range(3)]
    assert [(unit.position, unit.key, unit.tries) for unit in units] == [(0, "a", 0), (1, "b", 0), (2, "c", 0)]
    assert runs.claim(this_owner()) is None
    assert states(runs) == ["running"] * 3


def test_a_finished_unit_keeps_its_hash_and_is_never_claimed_again(runs: RunStore) -> None:
    finish(runs, claim(runs), 4.0)
    unit = runs.units()[0]
    assert (unit["state"], unit["owner"], unit["rows"], unit["seconds"]) == ("done", None, 1, 4.0)
    assert unit["sha256"] == file_sha256(runs.folder / "results" / "a.parquet")
    assert {claim(runs).key, claim(runs).key} == {"b", "c"}


def test_creating_again_keeps_what_is_there(runs: RunStore) -> None:
    finish(runs, claim(runs))
    created = runs.get("created")
    runs.create([("a", 2), ("b", 2), ("c", 1)])
    assert states(runs) == ["done", "waiting", "waiting"]
    assert runs.get("created") == created
    assert runs.get("nothing", "default") == "default"


def test_a_unit_that_is_given_back_without_an_error_costs_no_try(runs: RunStore) -> None:
    for _ in range(TRIES + 2):
        unit = claim(runs)
        assert unit.key == "a"
        runs.give_back(unit)
    assert runs.units()[0]["tries"] == 0


def test_tries_with_an_error_run_out_and_come_after_fresh_work(runs: RunStore) -> None:
    order = []
    while (unit := runs.claim(this_owner())) is not None:
        order.append(unit.key)
        if unit.key == "a":
            runs.give_back(unit, "broken")
        else:
            finish(runs, unit)
    assert order == ["a", "b", "c"] + ["a"] * (TRIES - 1)
    assert states(runs) == ["failed", "done", "done"]
    assert runs.units()[0]["error"] == "broken"


def test_the_work_of_a_dead_process_is_taken_back_at_once(runs: RunStore, dead: str, clock: Clock) -> None:
    assert claim(runs, dead).key == "a"
    assert not runs_here(dead)
    taken = [claim(runs).key for _ in range(3)]
    assert sorted(taken) == ["a", "b", "c"]
    assert runs.units()[0]["tries"] == 2


def test_the_work_of_a_living_process_is_left_alone_until_its_lease_is_over(runs: RunStore, clock: Clock) -> None:
    mine = this_owner()
    claim(runs, mine)
    clock.now += LEASE_SECONDS - 1
    assert claim(runs).key == "b"
    assert states(runs)[0] == "running"
    clock.now += 2
    assert claim(runs).key == "c"
    assert claim(runs).key == "a"


def test_a_heartbeat_keeps_a_lease(runs: RunStore, clock: Clock) -> None:
    mine = this_owner()
    claim(runs, mine)
    clock.now += LEASE_SECONDS - 1
    runs.beat("somebody else")
    runs.beat(mine)
    clock.now += LEASE_SECONDS - 1
    assert [claim(runs).key, claim(runs).key] == ["b", "c"]
    assert runs.claim(mine) is None


def test_a_unit_whose_worker_dies_each_time_fails(runs: RunStore, dead: str) -> None:
    for _ in range(TRIES):
        while claim(runs, dead).key != "a":
            pass
    while (unit := runs.claim(this_owner())) is not None:
        finish(runs, unit)
    assert states(runs)[0] == "failed"
    assert runs.units()[0]["error"] == "the worker died each time"


def test_late_words_about_a_unit_that_somebody_else_finished_change_nothing(runs: RunStore, clock: Clock) -> None:
    slow = claim(runs)
    clock.now += LEASE_SECONDS + 1
    again = next(unit for _ in range(3) if (unit := claim(runs)).key == slow.key)
    finish(runs, again)
    runs.give_back(slow, "too late")
    runs.give_back(slow)
    runs.finish(slow, "another hash", 9, 9.0)
    unit = runs.units()[0]
    assert (unit["state"], unit["error"], unit["rows"]) == ("done", None, 1)


def test_requeue_puts_back_failed_missing_and_changed_units_only(runs: RunStore) -> None:
    runs.create([("a", 2), ("b", 2), ("c", 1), ("d", 1), ("e", 1)])
    for _ in range(3):
        finish(runs, claim(runs))
    runs.give_back(Unit(*[(unit := claim(runs)).position, unit.key, TRIES - 1]), "broken")
    (runs.folder / "results" / "a.parquet").unlink()
    (runs.folder / "results" / "b.parquet").write_bytes(b"changed")
    assert states(runs) == ["done", "done", "done", "failed", "waiting"]
    assert runs.requeue() == 3
    assert states(runs) == ["waiting", "waiting", "done", "waiting", "waiting"]
    assert {(unit["tries"], unit["error"]) for unit in runs.units() if unit["state"] == "waiting"} == {(0, None)}
    assert runs.requeue() == 0


def _take_all(folder: str, ready: Any, found: Any) -> None:
    runs = RunStore(Path(folder))
    ready.wait()
    mine = []
    while (unit := runs.claim(this_owner())) is not None:
        mine.append(unit.key)
        runs.finish(unit, "", 0, 0.0)
    found.put(mine)


def test_processes_that_claim_at_once_never_share_a_unit(tmp_path: Path) -> None:
    keys = [f"{index:03d}" for index in range(60)]
    RunStore(tmp_path).create([(key, 1) for key in keys])
    context = multiprocessing.get_context("fork")
    ready, found = context.Barrier(2), context.Queue()
    workers = [context.Process(target=_take_all, args=(str(tmp_path), ready, found)) for _ in range(2)]
    for worker in workers:
        worker.start()
    shares = [found.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
    assert sorted(shares[0] + shares[1]) == keys
    assert not set(shares[0]) & set(shares[1])
    assert all(unit["tries"] == 1 for unit in RunStore(tmp_path).units())


def test_a_reader_sees_the_state_before_while_somebody_writes(runs: RunStore) -> None:
    with runs._write() as db:
        db.execute("UPDATE units SET state = 'done'")
        assert runs.progress().done == 0
        assert states(runs) == ["waiting"] * 3
    assert states(runs) == ["done"] * 3
    with sqlite3.connect(runs.path) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_transaction_that_fails_leaves_nothing(runs: RunStore) -> None:
    with pytest.raises(ZeroDivisionError), runs._write() as db:
        db.execute("UPDATE units SET state = 'done'")
        raise ZeroDivisionError
    assert states(runs) == ["waiting"] * 3


def test_progress_counts_images_and_tells_the_time_left(runs: RunStore) -> None:
    before = runs.progress()
    assert (before.state, before.total, before.images_total, before.seconds_left) == ("planned", 3, 5, None)
    assert before.share == 0.0
    finish(runs, claim(runs), 6.0)
    after = runs.progress()
    assert (after.done, after.images_done, after.share) == (1, 2, pytest.approx(1 / 3))
    assert after.seconds_left == pytest.approx(3.0 * 3)
    failed = claim(runs)
    runs.give_back(Unit(failed.position, failed.key, TRIES - 1), "broken")
    last = runs.progress()
    assert (last.failed, last.share, last.seconds_left) == (1, pytest.approx(2 / 3), pytest.approx(3.0))


def test_a_run_without_units_has_no_share(tmp_path: Path) -> None:
    runs = RunStore(tmp_path)
    runs.create()
    assert runs.progress().share == 0.0
    assert runs.claim(this_owner()) is None


def test_the_log_is_kept_in_order(runs: RunStore, clock: Clock) -> None:
    for index in range(4):
        runs.log("kind", f"line {index}")
        clock.now += 1
    assert [message for _, _, message in runs.events()] == [f"line {index}" for index in range(4)]
    assert [message for _, _, message in runs.events(2)] == ["line 2", "line 3"]
    assert runs.events()[0][0] == 1_000.0


def test_one_living_worker_holds_a_run(runs: RunStore, dead: str) -> None:
    elsewhere = "another-machine:1:1"
    assert runs.take(dead)
    assert runs.take(elsewhere)
    assert not runs.take(this_owner())
    assert runs.get("worker") == elsewhere
    assert runs.progress().alive
    runs.set(worker=this_owner())
    assert runs.take(this_owner())


def test_only_the_process_itself_is_alive_under_its_name(dead: str) -> None:
    mine = this_owner()
    host, pid, started = mine.rsplit(":", 2)
    assert (host, int(pid)) == (f"{socket.gethostname()}/{machine()}", os.getpid())
    assert runs_here(mine)
    assert not runs_here(f"{host}:{pid}:{int(started) + 1}"), "the process id was given to somebody else"
    assert not runs_here(dead)
    assert not runs_here("")
    assert not runs_here("another-machine:1:1")
    # Another name of the machine changes nothing; an owner of an earlier version says no machine, only the host.
    assert runs_here(f"renamed/{machine()}:{pid}:{started}")
    assert runs_here(f"{socket.gethostname()}:{pid}:{started}")


def test_a_process_that_nobody_has_waited_for_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = owner_of(child.pid)
    assert child.stdin is not None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child.pid}").exists()
    assert not runs_here(owner)
    child.wait()


@pytest.mark.parametrize("call", ["units", "progress", "events", "requeue"])
def test_a_folder_without_a_run_says_so(tmp_path: Path, call: str) -> None:
    with pytest.raises(RunError, match="is not a run directory"):
        getattr(RunStore(tmp_path), call)()
    with pytest.raises(RunError, match="is not a run directory"):
        RunStore(tmp_path).set(state="done")
    assert not list(tmp_path.iterdir())


def test_a_damaged_store_is_told_in_one_line(runs: RunStore) -> None:
    for file in runs.folder.glob("run.sqlite*"):
        file.unlink()
    runs.path.write_bytes(b"no database at all, but long enough to be read as one" * 30)
    for call in (runs.progress, lambda: runs.set(state="done")):
        with pytest.raises(RunError, match=r"run\.sqlite is damaged .*resume") as caught:
            call()
        assert "\n" not in str(caught.value)
