"""Who holds a run: by process on this machine, by time anywhere, and never for ever."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core import processes
from core.drafts import draft_folder, draft_path, own_folder, sweep
from core.processes import machine, this_owner
from core.runs import RunStore, lease
from core.runs.lease import LEASE_SECONDS, holder

ELSEWHERE = "otherhost:1:1"


class Clock:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(lease.time, "time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    made = RunStore(tmp_path)
    made.create([("a", 1), ("b", 1)])
    return made


def test_a_process_elsewhere_holds_as_long_as_its_lease(clock: Clock) -> None:
    found = holder(ELSEWHERE, clock.now + 42)
    assert found is not None and found.seconds == pytest.approx(42)
    assert found.title == "a process on host 'otherhost'"
    clock.now += 43
    assert holder(ELSEWHERE, 1_042.0) is None


@pytest.mark.parametrize("end", [9e9, 1_000.0 + 2 * LEASE_SECONDS, None, "", "soon", float("nan")])
def test_a_lease_that_no_clock_of_ours_would_give_is_not_believed_elsewhere(
    clock: Clock, end: float | str | None
) -> None:
    assert holder(ELSEWHERE, end) is None


def test_clocks_that_differ_a_little_are_believed(clock: Clock) -> None:
    assert holder(ELSEWHERE, clock.now + LEASE_SECONDS + 3) is not None


def test_a_process_here_holds_while_it_runs_and_renews(clock: Clock) -> None:
    mine = this_owner()
    assert holder(mine, clock.now + 5) is not None
    assert holder(mine, None) is not None
    # The clock was set back by a day: the process runs and will renew.
    assert holder(mine, clock.now + 86_400) is not None
    # It hangs: it runs and has not renewed.
    assert holder(mine, clock.now - 1) is None
    assert holder(f"{mine}1", clock.now + 5) is None


@pytest.mark.parametrize("owner", ["", None, "maker", "a:b", "host:x:1", f"host/{'0' * 12}:1:1"])
def test_what_names_no_process_of_this_machine_holds_nothing_without_a_lease(owner: str | None) -> None:
    assert holder(owner, None) is None


def test_a_new_name_of_the_machine_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = processes.owner_of(ended.pid)
    ended.communicate()
    monkeypatch.setattr(processes.socket, "gethostname", lambda: "container2")
    assert holder(owner, None) is None, "a dead process would hold the run under the name before"
    assert holder(this_owner(), None) is not None
    # The companion: another boot, or another numbering of processes, is another machine.
    there = owner.replace(machine(), "0" * 12)
    assert holder(there, lease.lease_end()) is not None


def test_a_run_is_taken_over_once_the_lease_is_over_and_the_late_worker_changes_nothing(
    store: RunStore, clock: Clock
) -> None:
    assert store.take(ELSEWHERE)
    unit = store.claim(ELSEWHERE)
    mine = this_owner()
    assert unit is not None and not store.take(mine)
    clock.now += LEASE_SECONDS - 1
    assert store.beat(ELSEWHERE)
    clock.now += LEASE_SECONDS - 1
    assert not store.take(mine)
    clock.now += 2
    assert store.holder() is None
    assert store.take(mine)
    again = [store.claim(mine), store.claim(mine)]
    assert {found.key for found in again if found} == {"a", "b"}
    # The one before wakes up.
    assert not store.beat(ELSEWHERE)
    store.finish(unit, "its hash", 1, 1.0)
    store.give_back(unit, "its error")
    store.leave(ELSEWHERE)
    assert [row["state"] for row in store.units()] == ["running", "running"]
    assert store.get("worker") == mine
    store.leave(mine)
    assert store.holder() is None


def test_a_unit_of_another_worker_is_waited_for_and_no_longer_than_its_lease(store: RunStore, clock: Clock) -> None:
    assert store.claim(ELSEWHERE) is not None
    mine = this_owner()
    assert store.claim(mine) is not None
    assert store.claim(mine) is None
    other = store.elsewhere(mine)
    assert other is not None and other.owner == ELSEWHERE and other.seconds == pytest.approx(LEASE_SECONDS)
    clock.now += LEASE_SECONDS + 1
    assert store.elsewhere(mine) is None
    assert {unit.key for unit in (store.claim(mine), store.claim(mine)) if unit} == {"a", "b"}


def test_a_run_without_a_living_worker_is_cancelled_at_once_and_one_that_ended_keeps_its_state(store: RunStore) -> None:
    store.set(state="running")
    store.take(ELSEWHERE)
    assert store.cancel() == "cancelling"
    store.set(lease="1.0")
    assert store.cancel() == "cancelled"
    for state in ("done", "failed", "done_with_errors", "cancelled"):
        store.set(state=state)
        assert store.cancel() == state


def test_a_launched_worker_gets_the_run_from_whoever_started_it(store: RunStore) -> None:
    mine = this_owner()
    store.take(mine)
    store.hand_over(ELSEWHERE, "heir:1:1")
    assert store.get("worker") == mine
    store.hand_over(mine, ELSEWHERE)
    assert store.get("worker") == ELSEWHERE


# -- what processes leave behind ---------------------------------------------------------------------------------


def left_by_a_dead_process(tmp_path: Path) -> list[Path]:
    code = (
        "import sys; from pathlib import Path; from core.drafts import draft_folder, draft_path\n"
        "place = Path(sys.argv[1]); made = [draft_folder('.part-', place), draft_path(place / 'run.json')]\n"
        "made[1].write_text('half'); (made[0] / 'file').write_text('half'); print(*made, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    return [Path(line) for line in done.stdout.splitlines()]


def test_what_the_dead_left_goes_and_what_the_living_write_stays(tmp_path: Path) -> None:
    dead = left_by_a_dead_process(tmp_path)
    mine = [draft_folder(".part-", tmp_path), draft_path(tmp_path / "run.json")]
    mine[1].write_text("half")
    (tmp_path / "run.json").write_text("whole")
    assert all(path.exists() for path in dead)
    assert sorted(sweep(tmp_path, ".part-*", "*.part")) == sorted(dead)
    assert sorted(tmp_path.iterdir()) == sorted([*mine, tmp_path / "run.json"])


def test_unnamed_leftovers_go_at_once_from_a_place_of_our_own_and_after_a_day_from_a_shared_one(tmp_path: Path) -> None:
    (tmp_path / ".part-old").mkdir()
    (tmp_path / f".part-x-1_2_{'0' * 12}-y").mkdir()
    assert sweep(tmp_path, ".part-*") == []
    assert [path.name for path in sweep(tmp_path, ".part-*", shared=False)] == [".part-old"]
    os.utime(tmp_path / f".part-x-1_2_{'0' * 12}-y", (0, 0))
    assert len(sweep(tmp_path, ".part-*")) == 1


def test_a_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / ".part-link").symlink_to(tmp_path / "kept")
    assert len(sweep(tmp_path / "place", ".part-*", shared=False)) == 1
    assert (tmp_path / "kept").is_dir()


def test_an_own_folder_goes_at_the_end_also_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), own_folder(".part-", tmp_path) as folder:
        assert folder.is_dir()
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_an_own_folder_goes_although_a_call_fails_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove, calls = os.rmdir, []

    def fails_once(*arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError(errno.EIO, "input/output error")
        remove(*arguments, **options)

    monkeypatch.setattr(os, "rmdir", fails_once)
    with own_folder(".part-", tmp_path) as folder:
        (folder / "a.txt").write_text("a")
    assert len(calls) == 2 and not list(tmp_path.iterdir())
