"""A server of the app on a free port with a workspace of its own, and a real browser that looks at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from core.reporting import render_report
from core.settings import ROOT
from core.system import WITHOUT_BROWSER
from tests.support.made_layout import write_layout
from tests.support.made_run import made_run

FINISHED = "20260115-093000-abcdef"
HOSTS = {"127.0.0.1", "localhost"}
STEP_MS = 60_000
# Streamlit nests the sections of its navigation as ul > div > li, which no app can change.
NAVIGATION = {"list", "listitem"}
AROUND = "item => item.closest('[data-testid=stSidebarNavItems]')?.dataset.testid ?? ''"
# A wait that has no limit of its own; two cores that also run a model are slow.
expect.set_options(timeout=STEP_MS)


@dataclass(frozen=True)
class Server:
    """A running app."""

    url: str
    home: Path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium."""
    found = found_program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An app on an empty workspace."""
    with served(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture(scope="session")
def home_with_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the finished run `FINISHED` and its report."""
    home = tmp_path_factory.mktemp("home")
    run = made_run(home / "runs" / FINISHED, failed_rows=1)
    write_layout(run)
    render_report(run)
    return home


@pytest.fixture(scope="module")
def server_with_run(home_with_run: Path) -> Iterator[Server]:
    """An app on the workspace with a finished run."""
    with served(home_with_run) as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a context of its own. The test fails if it asks any other machine, or breaks the app's policy."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(STEP_MS)
    with watched(context):
        yield context.new_page()


def barriers(page: Page) -> list[str]:
    """What axe calls a serious or critical barrier on the page, one line per element."""
    return [
        f"{item['id']}: {node['html'][:160]} {node['any'][0]['message'][:200] if node['any'] else ''}"
        for item in Axe().run(page, options={"iframes": False}).response["violations"]
        if item["impact"] in {"serious", "critical"}
        for node in item["nodes"]
        if not (item["id"] in NAVIGATION and "stSidebarNav" in page.locator(node["target"][0]).evaluate(AROUND))
    ]


def found_program(*names: str) -> str:
    """The path of the first of these programs that this machine has.

    The test fails if it has none, and is skipped only where `LOUPE_WITHOUT_BROWSER` says so.
    """
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    line = f"{names[0]} is not installed"
    if os.environ.get(WITHOUT_BROWSER):
        pytest.skip(line)
    pytest.fail(f"{line}; `make system-test` installs it or names the command, {WITHOUT_BROWSER}=1 skips these tests")


@contextmanager
def watched(context: BrowserContext) -> Iterator[None]:
    """Closes the context at the end and fails if a page in it asked any other machine, or broke the app's policy."""
    foreign: list[str] = []
    broken: list[str] = []

    def look(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob", "about"} and address.hostname not in HOSTS:
            foreign.append(request.url)

    def read(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            broken.append(message.text)

    context.on("request", look)
    context.on("console", read)
    yield
    context.close()
    assert not foreign, foreign
    assert not broken, broken


@contextmanager
def served(
    home: Path, *options: str, script: Path = ROOT / "app.py", port: int = 0, **variables: str
) -> Iterator[Server]:
    """A server of `script`, on a free port without another, with `home` as workspace and more variables."""
    port = port or free_port()
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), *options],
            cwd=ROOT,
            env={**os.environ, "LOUPE_HOME": str(home), **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/_stcore/health", process)
        yield Server(url, home)
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Wait until a server answers there. Raises `RuntimeError` if it ends before, or does not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the app ended with {process.returncode} before it answered")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"{url} did not answer within {seconds:.0f} s")
