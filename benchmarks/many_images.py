"""What a dataset of 100,000 images costs: to take in, to load, and to look at on the page Dataset.

    PYTHONPATH=. python benchmarks/many_images.py HOME [--images 100000] [--only-ingest]

HOME is a folder for the workspace; images and dataset that lie there are used again. The images are JPEG files of
64 × 48 pixels, no two alike, each with a caption and a group in a table beside them. Prints processor seconds, which
do not depend on the load of the machine, and the largest memory: of the import (with the time of its child processes),
of a process that loads the dataset, and of the server after each step on the page. Needs Chromium.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.intake import spent
from core.datasets import ingest, load_dataset, write_csv

SIZE = (64, 48)
GROUPS = ("indoors", "outdoors", "unknown")


def main() -> None:
    """Make and take in what is not there, then load it and look at it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--only-ingest", action="store_true")
    chosen = parser.parse_args()
    home = chosen.home.absolute()
    source, store = home / "source", home / "datasets"
    if not source.is_dir():
        from benchmarks.support.large_store import image_folder

        image_folder(source, chosen.images, SIZE)
        rows = (
            {"file": f"image-{at:06d}.jpg", "caption": f"colours number {at}", "place": GROUPS[at % 3]}
            for at in range(chosen.images)
        )
        write_csv(source / "captions.csv", rows, ("file", "caption", "place"))
    print("| step | processor s | largest memory, MB |")
    print("| --- | ---: | ---: |")
    if not list(store.glob("*/dataset.json")):
        print(f"| import of {chosen.images:,} images | {apart(take_in, source, store)} |", flush=True)
    if chosen.only_ingest:
        return
    (root,) = (file.parent for file in store.glob("*/dataset.json"))
    print(f"| loading of the dataset | {apart(load_dataset, root)} |", flush=True)
    looked_at(home, f"number {chosen.images - 1}")


def apart(work: Callable[..., object], *arguments: object) -> str:
    """The processor seconds of `work` in a process of its own, children included, and its largest memory in MB."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=_measured, args=(answers, work, *arguments))
    process.start()
    seconds, most = answers.get()
    process.join()
    return f"{seconds:.1f} | {most:.0f}"


def _measured(answers: multiprocessing.Queue[tuple[float, float]], work: Callable[..., object], *given: object) -> None:
    seconds = spent(lambda: work(*given))
    answers.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000))


def take_in(source: Path, store: Path) -> None:
    """The folder as a dataset of the workspace."""
    ingest([source], store=store, name="made images")


def looked_at(home: Path, words: str) -> None:
    """The page Dataset: opened twice, its next page of images, a search; and two other pages."""
    # Loaded here: the processes that are measured load this module too.
    from playwright.sync_api import sync_playwright

    from benchmarks.pages import drawn, memory, processor, started

    process, url = started(home)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(60_000)
            steps: dict[str, Callable[[], object]] = {
                "page, first time": lambda: page.goto(f"{url}/dataset"),
                "page, again": page.reload,
                "next images": lambda: page.get_by_role("button", name="Next page").click(),
                "the same images again": lambda: page.get_by_role("button", name="Previous page").click(),
                "search": lambda: searched(page, words),
                "page Audit": lambda: page.goto(f"{url}/audit"),
                "page Runs": lambda: page.goto(f"{url}/runs"),
            }
            for name, step in steps.items():
                before, began = processor(process.pid), time.perf_counter()
                step()
                drawn(page)
                held = memory(process.pid, "RssAnon")
                told = f"{processor(process.pid) - before:.1f} | {held:.0f}"
                print(f"| {name} ({time.perf_counter() - began:.1f} s by the clock) | {told} |", flush=True)
            browser.close()
    finally:
        process.terminate()
    print(f"\nload {os.getloadavg()[0]:.1f}")


def searched(page: Any, words: str) -> None:
    """A search for words that one caption has."""
    field = page.get_by_label("Search names and captions")
    field.fill(words)
    field.press("Enter")
    page.get_by_text(words).first.wait_for()


if __name__ == "__main__":
    main()
