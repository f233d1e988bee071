"""The Ray cluster that actors run on: one that is there, or one of this machine's own, for as long as it is needed."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from core.audit.engines import Engine
from core.errors import RunError, first_line
from core.settings import ROOT

# The least that Ray accepts is 75 MB; images and rows of the few units under way need far less.
STORE_BYTES = 100 * 2**20
# Ray gives its processes thirty seconds to start, which a busy machine may not keep; so often it is tried.
STARTS = 5
CONNECT_SECONDS = 10.0
_NO_STATISTICS = {"RAY_USAGE_STATS_ENABLED": "0"}
# Named after the systems that Ray listens on loopback for by default; set, it does so on this one too.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_WAIT = "RAY_gcs_server_port_wait_time_s"  # how often a cluster that is running is tried, about once a second
_PATIENCE = {"RAY_worker_register_timeout_seconds": "300"}


@contextmanager
def cluster(engine: Engine, threads: int) -> Iterator[Any]:
    """The module `ray`, connected to the cluster of the engine until the end.

    A cluster of this machine's own listens on loopback alone, asks for a token that was drawn for it, and has neither a
    dashboard nor usage statistics. A cluster at an address is asked with a token too, unless RAY_AUTH_MODE says
    otherwise. Raises `RunError` in one line if there is no connection.
    """
    own = not engine.address
    folder = tempfile.mkdtemp(prefix="loupe-ray-") if own else ""
    try:
        settings = _NO_STATISTICS | (_own_settings() if own else _settings_at(engine.address))
        with _environment(settings):
            import ray

            _read_settings(ray)
            try:
                _connect(ray, engine, threads, folder)
            except Exception as error:
                where = "on this machine" if own else f"at {engine.address}"
                raise RunError(f"no Ray cluster {where} answers: {first_line(error)[:300]}") from error
            try:
                yield ray
            finally:
                ray.shutdown()
    finally:
        if own:
            shutil.rmtree(folder, ignore_errors=True)


def node_environment(threads: int) -> dict[str, str]:
    """The environment of an actor: where Loupe lies on its node, and how many threads its libraries start."""
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "OMP_NUM_THREADS": str(threads),
        "GOMP_SPINCOUNT": "10000",
    }


def _connect(ray: Any, engine: Engine, threads: int, folder: str) -> None:
    quiet = {"logging_level": "error", "log_to_driver": False}
    if engine.address:
        ray.init(address=engine.address, **quiet)
        return
    for attempt in range(1, STARTS + 1):
        try:
            ray.init(
                address="local", num_cpus=engine.workers * threads, include_dashboard=False,
                object_store_memory=STORE_BYTES, _temp_dir=folder, **quiet,
            )  # fmt: skip
            return
        except Exception:
            ray.shutdown()
            if attempt == STARTS:
                raise


def _own_settings() -> dict[str, str]:
    return {**_LOOPBACK, **_PATIENCE, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token()}


def _settings_at(address: str) -> dict[str, str]:
    """The settings for a cluster that is running. Raises `RunError` if nothing accepts connections at its address.

    Ray itself would try for many minutes; and it takes a loopback address for that of the machine on its network, where
    a cluster that listens on loopback alone is not to be found.
    """
    host, _, port = address.rpartition(":")
    found: dict[str, str] = {"RAY_AUTH_MODE": _mode(), _WAIT: os.environ.get(_WAIT, "5")}
    if not port.isdecimal():
        # Not a plain address ("auto", "ray://…"): Ray says what is wrong with it.
        return found
    if not _answers(host, int(port)):
        raise RunError(f"no Ray cluster at {address} answers: nothing accepts connections there")
    if host in ("localhost", "127.0.0.1") and not _answers(_network_address(), int(port)):
        found |= _LOOPBACK
    return found


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host.strip("[]"), port), timeout=CONNECT_SECONDS):
            return True
    except (OSError, OverflowError):
        return False


def _network_address() -> str:
    """The address of this machine on its network; without one, a name that nothing answers to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: this only asks which interface would be used.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "no.network.invalid"
        return str(probe.getsockname()[0])


@cache
def _token() -> str:
    # One for each process, because Ray reads it once.
    return secrets.token_hex(32)


def _mode() -> str:
    return os.environ.get("RAY_AUTH_MODE", "token")


def _read_settings(ray: Any) -> None:
    """Have Ray read the environment now: parts of it are read once, when it is imported."""
    ray._raylet.Config.initialize("")
    ray._private.ray_constants.ENABLE_RAY_CLUSTER = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in os.environ


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
