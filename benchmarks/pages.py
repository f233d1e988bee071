"""How long every page takes, and how much memory the server holds, on a large store made without a model.

    PYTHONPATH=. python benchmarks/pages.py HOME [--images 5000] [--texts 5] [--methods 30] [--pages PAGE …]

HOME is a folder for the workspace; a store that lies there is used again. Each page is opened in a browser of its own
on a server that has not shown it (cold), then again in a new tab of the same browser (warm), then by a click in the
sidebar of the open app, from the glossary: the time until nothing runs and every picture is there, the processor time
of the server, which does not depend on the load, and the server's memory after
both, all of it and without the pages of files that are mapped, which the system takes back when it needs them. Prints
a table. Needs Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright

from benchmarks.support.large_store import large_run
from core.applications.registry import APPLICATIONS
from core.runs import open_run
from core.settings import ROOT

RUN = "20260115-093000-abcdef"
PAGES = (
    "", "dataset", "audit", "runs", "playground", "explore",
    *(name for name, application in APPLICATIONS.items() if application.page is not None),
    "compare", "user_study", "findings", "requirements", "report", "methods", "glossary",
)  # fmt: skip
DRAWN = "() => document.fonts.status === 'loaded' && [...document.images].every(image => image.complete)"
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def main() -> None:
    """Make the store where there is none, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--texts", type=int, default=5)
    parser.add_argument("--methods", type=int, default=30)
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=PAGES)
    parser.add_argument("--only-make", action="store_true", help="make the store and stop")
    chosen = parser.parse_args()
    home = chosen.home.absolute()
    if not (home / "runs" / RUN).is_dir():
        began = time.perf_counter()
        large_run(home, RUN, images=chosen.images, texts=chosen.texts, methods=chosen.methods)
        print(f"store made in {time.perf_counter() - began:.0f} s")
    run = open_run(home / "runs" / RUN)
    if chosen.only_make:
        return
    print(f"{len(run.plan.images):,} images, load {os.getloadavg()[0]:.1f}\n")
    print("| page | cold, s | processor, s | warm, s | processor, s | click, s | processor, s | memory, MB | own, MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        process, url = started(home)
        try:
            for page in chosen.pages:
                context = browser.new_context(viewport={"width": 1440, "height": 900})
                cold, warm = (opened(context, process.pid, f"{url}/{page}?run={RUN}") for _ in range(2))
                by_click = clicked(context, process.pid, url, page)
                context.close()
                cells = " | ".join(f"{value:.1f}" for value in (*cold, *warm, *by_click))
                held = " | ".join(f"{memory(process.pid, which):.0f}" for which in ("VmRSS", "RssAnon"))
                print(f"| {page or 'home'} | {cells} | {held} |", flush=True)
        finally:
            process.terminate()
            browser.close()
    print(f"\nload {os.getloadavg()[0]:.1f}")


def started(home: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A server of the app on `home`, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)],
        cwd=ROOT, env={**os.environ, "LOUPE_HOME": str(home)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)  # noqa: S310 - our own server
            return process, url
        except OSError:
            if process.poll() is not None:
                raise RuntimeError("the server did not start") from None
            time.sleep(0.2)


def opened(context: BrowserContext, pid: int, url: str) -> tuple[float, float]:
    """The seconds until the page is drawn, and the processor seconds of the server for it."""
    page = context.new_page()
    page.set_default_timeout(300_000)
    began, spent = time.perf_counter(), processor(pid)
    page.goto(url)
    drawn(page)
    took = time.perf_counter() - began
    page.close()
    return took, processor(pid) - spent


def clicked(context: BrowserContext, pid: int, url: str, name: str) -> tuple[float, float]:
    """The same for a click on the page's entry in the sidebar, where another page is open."""
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.goto(f"{url}/{'methods' if name == 'glossary' else 'glossary'}?run={RUN}")
    drawn(page)
    end = f'[href$="/{name}"]' if name else ":first-child"
    link = page.locator(f'[data-testid="stSidebarNavLink"]{end}').first
    title = link.inner_text().split("\n")[-1].strip() if name else "Loupe"
    began, spent = time.perf_counter(), processor(pid)
    link.click()
    page.get_by_role("heading", level=1, name=title, exact=True).wait_for()
    drawn(page)
    took = time.perf_counter() - began
    page.close()
    return took, processor(pid) - spent


def drawn(page: Page) -> None:
    """Wait until nothing runs, nothing is left of the page before, and every picture is there."""
    page.get_by_role("heading", level=1).first.wait_for()
    page.locator(IDLE).wait_for()
    page.locator('[data-testid="stSkeleton"], [data-stale="true"]').first.wait_for(state="detached")
    page.wait_for_function(DRAWN)


def processor(pid: int) -> float:
    """The processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int, which: str) -> float:
    """The memory of a process, in MB: `VmRSS`, or `RssAnon` without mapped files."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(which))
    return int(line.split()[1]) / 1000


if __name__ == "__main__":
    main()
