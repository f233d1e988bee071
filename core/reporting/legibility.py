"""Whether the fonts of this machine can draw what a report prints; otherwise the report says so itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.content.assets import Assets
from core.content.glyphs import unreadable, warning
from core.runs import Run

_MOST = 512 * 2**20  # bytes of a report that is looked through


def missing_fonts(page: str, assets: Assets, files: Sequence[Path] | None = None) -> str:
    """What no font can draw of a page and its charts, and what to install; empty if there is nothing.

    `files` are the fonts to be looked at in place of those of the machine.
    """
    drawn = [asset.data.decode() for asset in assets.items.values() if asset.media == "image/svg+xml"]
    return warning(unreadable(_characters(page, *drawn), files))


def font_warning(run: Run, files: Sequence[Path] | None = None) -> str:
    """What of a run's report the fonts of this machine cannot draw, and what to install; empty if there is nothing."""
    path = run.report / "report.html"
    if not path.is_file() or path.stat().st_size > _MOST:
        return ""
    return warning(unreadable(_characters(path.read_text(encoding="utf-8", errors="replace")), files))


def _characters(*texts: str) -> str:
    return "".join(set().union(*texts))
