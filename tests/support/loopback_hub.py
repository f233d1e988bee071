"""A hub on this machine's loopback: what huggingface_hub asks for, from folders, with a note of everything asked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """The hub's address, and the path of every request in order."""

    address: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def loopback_hub(folder: Path) -> Iterator[Hub]:
    """A hub that serves `folder/owner/repository/file` until the block ends."""
    hub = Hub("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(False)

        def do_GET(self) -> None:
            self._answer(True)

        def _answer(self, body: bool) -> None:
            path = self.path.partition("?")[0]
            hub.asked.append(path)
            repository, _, file = path.strip("/").partition("/resolve/")
            file = file.partition("/")[2]
            place = folder / repository / file
            if not file or not place.is_file():
                there = (folder / repository).is_dir()
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound" if there else "RepoNotFound")
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            data = place.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
