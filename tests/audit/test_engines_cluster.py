"""A real Ray cluster of this machine: the bytes of one process, also when an actor or the whole worker is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core.audit.engines import Engine, cluster
from core.audit.engines import ray as engine_ray
from core.audit.worker import work
from core.datasets import Dataset
from core.processes import runs_here
from core.runs import Run
from core.settings import ROOT
from tests.audit.small import loaded, result_hashes
from tests.audit.test_engines_local import expected, kill, six, small_run, until  # noqa: F401

ray = pytest.importorskip("ray")
TWO = Engine("ray", workers=2, threads=1)


@pytest.mark.nightly
def test_an_actor_that_is_killed_is_replaced_and_the_bytes_are_the_same(
    tmp_path: Path,
    six: Dataset,  # noqa: F811
    vit: Path,
    expected: dict[str, str],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = small_run(tmp_path / "run", six, vit)
    record = engine_ray.Crew._record
    killed: list[str] = []
    hosts: set[str] = set()

    def watched(crew: Any, unit: Any, given: Any) -> None:
        record(crew, unit, given)
        if not killed:
            hosts.update(node["NodeManagerAddress"] for node in ray.nodes())
            slot = next(slot for slot in crew._slots if slot.units and slot.units[0][0] is unit)
            killed.append(slot.owner)
            kill(slot.owner)

    monkeypatch.setattr(engine_ray.Crew, "_record", watched)
    assert work(run, model=loaded(vit), report=False, engine=TWO) == "done"
    assert result_hashes(run) == expected
    assert killed and not runs_here(killed[0])
    assert hosts == {"127.0.0.1"}
    lost = [message for _, kind, message in run.store.events() if kind == "worker ended"]
    assert len(lost) == 1
    assert not ray.is_initialized()


@pytest.mark.nightly
def test_a_worker_that_is_killed_takes_its_cluster_with_it_and_the_run_is_resumed(
    tmp_path: Path,
    six: Dataset,  # noqa: F811
    vit: Path,
    expected: dict[str, str],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run = small_run(tmp_path / "run", six, vit)
    command = [sys.executable, "-m", "core", "worker", str(run.folder), "--engine", "ray", "--workers", "2"]
    child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    until(lambda: run.progress().done or child.poll() is not None)
    below = descendants(child.pid)
    assert below
    child.kill()
    child.wait()
    until(lambda: not [pid for pid in below if Path(f"/proc/{pid}").exists()])
    goes_on(run, vit, expected, TWO)


@pytest.mark.nightly
def test_a_cluster_of_this_machine_answers_nobody_without_its_token() -> None:
    ask = "import ray, sys; ray.init(address=sys.argv[1], logging_level='error'); print(len(ray.nodes()))"
    with cluster.cluster(Engine("ray", workers=1, threads=1), 1) as connected:
        address = connected.get_runtime_context().gcs_address
        assert address.startswith("127.0.0.1:")
        for token, code in ((os.environ["RAY_AUTH_TOKEN"], 0), ("0" * 64, 1)):
            own = {**os.environ, "RAY_AUTH_TOKEN": token, "RAY_AUTH_MODE": "token"}
            done = subprocess.run([sys.executable, "-c", ask, address], env=own, capture_output=True, text=True)
            assert done.returncode == code, done.stderr


def goes_on(run: Run, vit: Path, wanted: dict[str, str], engine: Engine) -> None:
    """A run whose worker was killed halfway is finished by this process: nothing that was done is done again."""
    done = {unit["key"]: unit["tries"] for unit in run.store.units() if unit["state"] == "done"}
    assert 1 <= len(done) < len(wanted)
    finished = result_hashes(run)
    assert work(run, model=loaded(vit), report=False, engine=engine) == "done"
    assert {unit["key"]: unit["tries"] for unit in run.store.units() if unit["key"] in done} == done
    assert finished.items() <= result_hashes(run).items()
    assert result_hashes(run) == wanted


def descendants(pid: int) -> list[int]:
    """The processes below one, children of children included."""
    below: list[int] = []
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # A process may end while they are listed.
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    ahead = [pid]
    while ahead:
        children = [child for child, parent in parents.items() if parent == ahead[-1]]
        ahead.pop()
        below += children
        ahead += children
    return below
