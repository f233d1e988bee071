"""Object storage for tests: a local server that speaks S3, and a file system in memory."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.request import Request, urlopen

import fsspec
import pytest


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket, "lake", of a local server that speaks S3, as s3fs sees it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {"ACCESS_KEY_ID": "id", "SECRET_ACCESS_KEY": "key", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    # What is stored outlives a server, and a file system that was made for one server serves the next.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST"))
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir("lake")
    yield SimpleNamespace(files=files, stop=server.stop)
    server.stop()


@pytest.fixture
def memory() -> Iterator[Any]:
    """The file system in memory, empty before and after."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()
