"""What other pages and other machines can do with a running app: not connect, not frame it, not make it ask anybody."""

from __future__ import annotations

import base64
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from core.settings import ROOT
from tests.browser.conftest import STEP_MS, Server, served
from tests.browser.test_app import open_page

pytestmark = pytest.mark.browser

# Notes every name that is looked up and every address that is called, and lets none but loopback pass.
LISTENER = """
import os, sys
def listen(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        asked = arguments[0] if event.startswith("socket.get") else arguments[1]
        name = asked[0] if isinstance(asked, tuple) else asked
        if isinstance(name, str) and name not in ("127.0.0.1", "localhost", "::1", ""):
            with open(os.environ["HEARD"], "a") as file:
                file.write(name + "\\n")
            raise OSError("only loopback in this test")
sys.addaudithook(listen)
"""


@contextmanager
def overheard(folder: Path, script: Path = ROOT / "app.py") -> Iterator[tuple[Server, Path]]:
    """A server, and the file with the names and addresses off this machine that it has asked for."""
    (folder / "hooks").mkdir()
    (folder / "hooks" / "sitecustomize.py").write_text(LISTENER)
    heard = folder / "heard.txt"
    heard.touch()
    with served(folder, script=script, PYTHONPATH=str(folder / "hooks"), HEARD=str(heard)) as server:
        yield server, heard


def answer_to(server: Server, origin: str | None, host: str | None = None) -> str:
    """The first line of the answer to a browser that wants to open the app's socket."""
    address = urlsplit(server.url)
    lines = [
        "GET /_stcore/stream HTTP/1.1", f"Host: {host or address.netloc}", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *([f"Origin: {origin}"] if origin else []), "", "",
    ]  # fmt: skip
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return connection.recv(4096).split(b"\r\n")[0].decode()


def test_a_foreign_origin_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    with overheard(tmp_path) as (server, heard):
        own = server.url
        assert " 101 " in answer_to(server, own) and " 101 " in answer_to(server, None)
        for origin in ("http://evil.test", "https://127.0.0.1.evil.test", "null", "http://localhost:3000", "file://"):
            assert " 403 " in answer_to(server, origin), origin
        assert " 403 " in answer_to(server, "http://evil.test", host="evil.test")
        assert heard.read_text() == ""


def test_without_the_guard_streamlit_asks_for_its_external_address(tmp_path: Path) -> None:
    plain = tmp_path / "plain.py"
    plain.write_text("import streamlit as st\nst.text('plain')\n")
    with overheard(tmp_path, script=plain) as (server, heard):
        assert " 403 " in answer_to(server, "http://evil.test")
        assert "checkip.amazonaws.com" in heard.read_text()


@contextmanager
def other_site(folder: Path, frame: str) -> Iterator[str]:
    """The address of a site of its own, with a page that frames `frame` and itself."""
    (folder / "inner.html").write_text("<p>inner</p>")
    (folder / "index.html").write_text(f'<iframe src="{frame}"></iframe><iframe src="inner.html"></iframe>')

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, directory=str(folder), **options)  # type: ignore[arg-type]

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_address[1]}/index.html"
        site.shutdown()


def framed(browser: Browser, folder: Path, url: str) -> tuple[str, str, list[str]]:
    """What the two frames of a page of another site show, and what the browser said."""
    context = browser.new_context()
    said: list[str] = []

    def read(message: ConsoleMessage) -> None:
        said.append(message.text)

    context.on("console", read)
    with other_site(folder, url) as address:
        page = context.new_page()
        page.goto(address, wait_until="load")
        app, inner = page.frames[1], page.frames[2]
        shown = app.url, inner.locator("p").inner_text(), said
        context.close()
        return shown


def test_a_page_of_another_site_cannot_frame_the_app(browser: Browser, server: Server, tmp_path: Path) -> None:
    app, inner, said = framed(browser, tmp_path, server.url)
    assert app.startswith("chrome-error:") and any("frame-ancestors 'none'" in line for line in said), (app, said)
    # The same page shows a frame that may be framed, so that it is the header that stopped the other.
    assert inner == "inner"


def test_the_policy_stops_what_a_page_has_no_use_for(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page: Page = context.new_page()
    open_page(page, server, "Dataset")
    stopped = page.evaluate(
        """async () => {
            const found = [];
            document.addEventListener('securitypolicyviolation', event => found.push(event.effectiveDirective));
            const script = document.createElement('script');
            script.textContent = 'window.ran = true';
            document.body.append(script);
            await fetch('http://127.0.0.1:9/').catch(() => null);
            const image = new Image();
            image.src = 'http://127.0.0.1:9/a.png';
            await new Promise(done => { image.onerror = done; });
            return [window.ran === undefined, found.sort()];
        }"""
    )
    assert stopped == [True, ["connect-src", "img-src", "script-src-elem"]]
    expect(page.get_by_role("heading", level=1, name="Dataset")).to_be_visible(timeout=STEP_MS)
    context.close()
