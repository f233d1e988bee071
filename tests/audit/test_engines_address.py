"""A Ray cluster that is running already: units computed at its address, also after the driver was killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.audit.engines import Engine, cluster
from core.datasets import Dataset
from core.errors import RunError
from core.settings import ROOT
from tests.audit.test_engines_cluster import descendants, goes_on
from tests.audit.test_engines_local import expected, six, small_run, until  # noqa: F401

ACTOR = "UnitActor"


@pytest.fixture
def head() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a cluster with two processors, and the process that keeps it."""
    pytest.importorskip("ray")
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": cluster._token(), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    environment = {**os.environ, **own, **cluster._PATIENCE}
    # Ray gives its processes thirty seconds to start, which a busy machine may not keep.
    for _ in range(cluster.STARTS):
        # The paths of its sockets must be short.
        folder = Path(tempfile.mkdtemp(prefix="loupe-ray-"))
        start = [
            str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--port=0",
            "--node-ip-address=127.0.0.1", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats",
            f"--temp-dir={folder}", f"--object-store-memory={cluster.STORE_BYTES}",
        ]  # fmt: skip
        child = subprocess.Popen(start, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        named = folder / "ray_current_cluster"
        try:
            if until(lambda child=child, named=named: child.poll() is not None or named.exists()) and named.exists():
                yield named.read_text().strip(), child
                return
        finally:
            for pid in (child.pid, *descendants(child.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            child.wait()
            shutil.rmtree(folder, ignore_errors=True)
    pytest.fail("no cluster could be started")


def test_an_address_that_nothing_listens_at_is_told_at_once_and_in_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(RunError, match=f"^no Ray cluster at {address} answers: nothing accepts connections there$"):
            cluster._settings_at(address)
        # The companion: once something listens, it is asked, and on loopback, as it is not on the network.
        free.listen()
        assert cluster._settings_at(address).items() >= {**cluster._LOOPBACK, "RAY_AUTH_MODE": "token"}.items()


@pytest.mark.nightly
def test_a_driver_that_is_killed_leaves_a_running_cluster_on_which_the_run_is_resumed(
    tmp_path: Path,
    six: Dataset,  # noqa: F811
    vit: Path,
    expected: dict[str, str],  # noqa: F811
    head: tuple[str, subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, keeper = head
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_AUTH_TOKEN", cluster._token())
    run = small_run(tmp_path / "run", six, vit)
    command = [sys.executable, "-m", "core", "worker", str(run.folder), "--engine", "ray", "--workers", "2"]
    command += ["--ray-address", address]
    # Whoever has another token is refused, in one line, and nothing is computed.
    other = {**os.environ, "RAY_AUTH_TOKEN": "0" * 64}
    refused = subprocess.run(command, cwd=ROOT, env=other, capture_output=True, text=True)
    assert refused.returncode == 2 and f"no Ray cluster at {address} answers" in refused.stderr
    assert {unit["state"] for unit in run.store.units()} == {"waiting"}
    child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    until(lambda: run.progress().done or child.poll() is not None)
    child.kill()
    child.wait()
    until(lambda: not actors(keeper.pid))
    goes_on(run, vit, expected, Engine("ray", 2, 1, address))
    # The cluster is somebody else's: it goes on, without our actors.
    until(lambda: not actors(keeper.pid))
    assert keeper.poll() is None


def actors(pid: int) -> list[int]:
    """The processes below one that hold an actor of ours."""
    found = []
    for below in descendants(pid):
        with suppress(OSError):
            if ACTOR in Path(f"/proc/{below}/cmdline").read_text(errors="replace"):
                found.append(below)
    return found
