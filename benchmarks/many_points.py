"""The embedding map of 50,000 images from end to end: the layout, the page, and what an interaction with it costs.

    PYTHONPATH=. python benchmarks/many_points.py HOME [--images 50000]

HOME is a folder for the workspace; a run that lies there is used again. Embeddings of 256 dimensions are drawn in forty
groups of different sizes, with scores of eight classes; the application lays them out as in any audit. Then the page is
opened: the processor time of the server, and for each interaction also that of the browser's main thread, which is
what makes a page stutter (a frame at 60 Hz has 0.017 s). Needs Chromium; WebGL is drawn by its software renderer here.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from playwright.sync_api import CDPSession, Page, sync_playwright

from benchmarks.pages import drawn, memory, processor, started
from benchmarks.queries import described
from benchmarks.support.large_store import SHA, manifest_of
from core.applications.embedding_map.card import CARD
from core.applications.embedding_map.record import LayoutRecord
from core.applications.embedding_map.work import work
from core.applications.registry import application_plan
from core.drafts import write_whole
from core.runs import SCHEMA, ModelSpec, Run, TextPlan, create_run, make_plan, open_run
from core.runs.keys import key_of
from core.runs.results import encoded

RUN = "20260115-093000-fedcba"
CLASSES = tuple(f"class {at}" for at in range(8))
GROUPS, WIDTH, SPREAD, SHARD = 40, 256, 0.6, 64


def main() -> None:
    """Make and lay out what is not there, then use the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--images", type=int, default=50_000)
    chosen = parser.parse_args()
    home = chosen.home.absolute()
    folder = home / "runs" / RUN
    run = open_run(folder) if (folder / "plan.json").exists() else made(home, embeddings(chosen.images))
    if not LayoutRecord.folder_of(run).is_dir():
        laid_out(run, embeddings(chosen.images))
    used(home, len(run.plan.images))


def embeddings(count: int) -> NDArray[np.float64]:
    """Unit vectors `(images, 256)` in groups of different sizes."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(GROUPS, WIDTH))
    group = random.choice(GROUPS, count, p=random.dirichlet(np.full(GROUPS, 2.0)))
    drawn = centres[group] + SPREAD * random.normal(size=(count, WIDTH))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def made(home: Path, vectors: NDArray[np.float64]) -> Run:
    """A finished run with the scores of eight classes; of its images there is the description alone."""
    dataset = described(home / "datasets" / "made", len(vectors))
    plan = make_plan(
        dataset=dataset.id, dataset_root=str(dataset.root), images=tuple(image.id for image in dataset.images),
        model=ModelSpec(name="demo"), texts=TextPlan(captions=False, classes=CLASSES, top_classes=1), shard=SHARD,
        applications=(application_plan("embedding_map", {}),), methods=(),
    )  # fmt: skip
    run = create_run(home / "runs" / RUN, plan)
    run.update_manifest(**manifest_of(dataset), plan_sha256=plan.digest)
    texts = np.random.default_rng(1).normal(size=(len(CLASSES), WIDTH))
    scores = vectors @ (texts / np.linalg.norm(texts, axis=1, keepdims=True)).T
    known, shards = {image.id: image for image in dataset.images}, plan.shards()
    place = {image.id: at for at, image in enumerate(dataset.images)}
    run.store.create([(key_of(plan, shard, known, SHA, SHA), len(shard)) for shard in shards])
    for shard in shards:
        unit = run.store.claim("maker")
        assert unit is not None
        count = len(shard) * len(CLASSES)
        given = {
            "unit": [unit.key] * count, "text": [*CLASSES] * len(shard), "text_kind": ["class"] * count,
            "image": [image for image in shard for _ in CLASSES], "kind": ["score"] * count, "status": ["ok"] * count,
            "image_name": [known[image].name for image in shard for _ in CLASSES],
            "score": scores[[place[image] for image in shard]].ravel(),
        }  # fmt: skip
        columns = [
            pa.array(given[field.name], field.type) if field.name in given else pa.nulls(count, field.type)
            for field in SCHEMA
        ]
        data = encoded(pa.table(columns, schema=SCHEMA))
        write_whole(run.folder / "results" / f"{unit.key}.parquet", data)
        run.store.finish(unit, hashlib.sha256(data).hexdigest(), count, 1.0)
    run.store.set(state="done", stage="", message="")
    return run


def laid_out(run: Run, vectors: NDArray[np.float64]) -> None:
    """Let the application do its work on these embeddings; prints the processor seconds of each part."""
    last, began = "", time.process_time()
    spent: dict[str, float] = {}

    def tell(line: str) -> None:
        nonlocal last, began
        now = time.process_time()
        spent[last] = spent.get(last, 0.0) + now - began
        last, began = ("steps" if ": step" in line else line.removeprefix("embedding map: ")), now

    @contextmanager
    def measuring() -> Any:
        yield SimpleNamespace(image=0.0)

    subject: Any = SimpleNamespace(
        images=run.dataset.images, run=run, embeddings=lambda images, tell: vectors,
        model=SimpleNamespace(title="made embeddings", meter=SimpleNamespace(measuring=measuring)),
    )  # fmt: skip
    work(subject, CARD.parse({}), LayoutRecord.folder_of(run), tell)
    tell("")
    for part, seconds in spent.items():
        if part:
            print(f"| {part} | {seconds:.0f} |")


def used(home: Path, images: int) -> None:
    """Open the page twice, zoom, move, change the colours, select by the lasso, save the selection."""
    process, url = started(home)
    print("| step | server, processor s | browser's main thread, processor s | server's memory, MB |")
    print("| --- | ---: | ---: | ---: |")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(120_000)
            thread = page.context.new_cdp_session(page)
            thread.send("Performance.enable", {"timeDomain": "threadTicks"})

            def step(name: str, act: Callable[[], object]) -> None:
                server, main, began = processor(process.pid), busy(thread), time.perf_counter()
                act()
                settled(page)
                held = memory(process.pid, "RssAnon")
                told = f"{processor(process.pid) - server:.2f} | {busy(thread) - main:.2f} | {held:.0f}"
                print(f"| {name} ({time.perf_counter() - began:.1f} s by the clock) | {told} |", flush=True)

            step("the page, first time", lambda: page.goto(f"{url}/embedding_map?run={RUN}"))
            step("the page, again", page.reload)
            step("zoom, ten turns of the wheel", lambda: zoomed(page))
            step("move, forty positions of the pointer", lambda: moved(page))
            step("other colours, until the legend has changed", lambda: recoloured(page))
            step("lasso, eighty positions, until its images are shown", lambda: lassoed(page))
            step("save as a view", lambda: saved(page, images))
            browser.close()
    finally:
        process.terminate()
    print(f"\nload {os.getloadavg()[0]:.1f}")


def busy(thread: CDPSession) -> float:
    """The processor seconds of the page's main thread so far."""
    metrics = thread.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def settled(page: Page) -> None:
    """Wait until nothing runs and every picture is there."""
    drawn(page)
    page.locator(".gl-canvas").first.wait_for(state="attached")


def middle(page: Page) -> tuple[float, float, float, float]:
    """The middle of the map, and half of its width and height."""
    box = page.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"] / 2, box["height"] / 2


def zoomed(page: Page) -> None:
    """Ten turns of the wheel over the middle, in and out."""
    x, y, _, _ = middle(page)
    page.mouse.move(x, y)
    for turn in range(10):
        page.mouse.wheel(0, -120 if turn < 5 else 120)


def moved(page: Page) -> None:
    """The map moved by a fifth of its width."""
    page.locator('[data-title="Pan"]').first.click()
    x, y, width, _ = middle(page)
    drag(page, [(x, y), (x + 0.4 * width, y)], 40)
    page.locator('[data-title="Lasso Select"]').first.click()


def recoloured(page: Page) -> None:
    """All points coloured by the score of a class in place of the best class."""
    page.get_by_role("combobox", name="Colour by").click()
    page.get_by_role("option", name=f"score of the class: {CLASSES[0]}").click()
    # A scale for numbers takes the place of the names.
    page.locator(".colorbar").first.wait_for(state="attached")


def lassoed(page: Page) -> None:
    """A lasso around the middle quarter."""
    x, y, width, height = middle(page)
    w, h = width / 2, height / 2
    drag(page, [(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h), (x - w, y - h)], 20)
    page.get_by_role("heading", name="Selected images").wait_for()


def saved(page: Page, images: int) -> None:
    """The selection becomes a view, which the page says."""
    page.get_by_label("Name of a view").fill("the middle")
    page.get_by_role("button", name="Save as a view").click()
    page.get_by_text(f"of {images:,} images").first.wait_for()
    print("|", page.get_by_text("view the middle").first.inner_text(), "| | | |")


def drag(page: Page, corners: list[tuple[float, float]], steps: int) -> None:
    """The pointer, held, from corner to corner."""
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=steps)
    page.mouse.up()


if __name__ == "__main__":
    main()
