"""A time stamp authority on the loopback interface, which also answers in wrong ways."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from asn1crypto import keys, pem, tsp, x509
from pyhanko.sign.timestamps import DummyTimeStamper

REPLY = "application/timestamp-reply"


@contextmanager
def stamp_server(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the paths that were asked for. `folder` is one of `made_signers`.

    `/` stamps; `/moved` redirects there; `/other` stamps another digest, `/nonce` with another nonce; `/refused`
    refuses; `/page` sends HTML, `/noise` no DER, `/long` too much, `/broken` status 500.
    """
    key = keys.PrivateKeyInfo.load(pem.unarmor((folder / "clock.key").read_bytes())[2])
    certificate = x509.Certificate.load(pem.unarmor((folder / "clock.pem").read_bytes())[2])
    stamper = DummyTimeStamper(certificate, key)
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            request = tsp.TimeStampReq.load(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/moved":
                self.send_response(307)
                self.send_header("Location", "/")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if self.path == "/other":
                request["message_imprint"]["hashed_message"] = b"\0" * 32
            if self.path == "/nonce":
                request["nonce"] = 1
            body = stamper.request_tsa_response(request).dump()
            if self.path == "/refused":
                status = tsp.PKIStatusInfo({"status": "rejection", "status_string": ["no"]}).dump()
                # An answer without a token, which asn1crypto cannot build.
                body = bytes([0x30, len(status)]) + status
            body = {"/noise": b"noise", "/long": b"0" * 2**19}.get(self.path, body)
            self.send_response(500 if self.path == "/broken" else 200)
            self.send_header("Content-Type", "text/html" if self.path == "/page" else REPLY)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
