"""Pictures of every page of the app in three sizes and both themes, and sheets of them to look over.

    PYTHONPATH=. python benchmarks/screenshots.py HOME RUN OUT [--pages PAGE …]

HOME is a workspace, RUN the id of an audit in it. OUT gets a WebP for each page, size and theme, and a sheet for each
size and theme. Needs Chromium.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Page, sync_playwright

from benchmarks.pages import PAGES, drawn, started

SIZES = ((1440, 900), (1024, 768), (390, 844))
THEMES = ("light", "dark")
QUALITY = 60
ACROSS, WIDTH = 5, 480


def main() -> None:
    """Take the pictures, then lay them on sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("run")
    parser.add_argument("out", type=Path)
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=PAGES)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    process, url = started(chosen.home.absolute())
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_context().new_page()
            page.set_default_timeout(120_000)
            for name in chosen.pages:
                page.set_viewport_size({"width": 1440, "height": 900})
                page.goto(f"{url}/{name}?run={chosen.run}")
                page.get_by_role("heading", level=1).first.wait_for()
                pictures(page, name or "home", chosen.out)
            browser.close()
    finally:
        process.terminate()
    for width, height in SIZES:
        for theme in THEMES:
            sheet(chosen.out, f"{width}x{height}-{theme}")


def pictures(page: Page, name: str, out: Path) -> None:
    """One page in every size and theme."""
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            # Charts are drawn for the theme in which the page was opened.
            page.reload()
            drawn(page)
            shot = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
            shot.convert("RGB").save(out / f"{name}-{width}x{height}-{theme}.webp", quality=QUALITY, method=4)


def sheet(out: Path, end: str) -> None:
    """All pages of one size and theme on one picture."""
    files = sorted(out.glob(f"*-{end}.webp"))
    if not files:
        return
    small = []
    for file in files:
        with Image.open(file) as opened:
            small.append(opened.resize((WIDTH, round(WIDTH * opened.height / opened.width))))
    tall = small[0].height + 22
    laid = Image.new("RGB", (ACROSS * WIDTH, -(-len(small) // ACROSS) * tall), "white")
    draw = ImageDraw.Draw(laid)
    for at, (file, one) in enumerate(zip(files, small, strict=True)):
        x, y = at % ACROSS * WIDTH, at // ACROSS * tall
        draw.text((x + 6, y + 5), file.name.removesuffix(f"-{end}.webp"), fill="black")
        laid.paste(one, (x, y + 22))
    laid.save(out / f"sheet-{end}.webp", quality=QUALITY)


if __name__ == "__main__":
    main()
