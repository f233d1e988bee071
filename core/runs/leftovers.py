"""What a process that died left half-written in a run and around it, and its removal. No torch."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core.datasets.store import tidy
from core.drafts import sweep
from core.runs.run import Run

# What lies where the system keeps temporary files: the renderer's folder, unpacked fonts, images to be explained.
RENDERING, FONT_COPIES, EXPLAINING = "loupe-pdf-", "loupe-fonts-", "loupe-explain-"


def sweep_run(run: Run) -> list[Path]:
    """Remove what dead processes left in the run's folder, its dataset's and the temporary one; returns what went.

    What a living process writes is left alone.
    """
    removed = sweep(run.folder, "*.part", "results/*.part", "report/*.part", shared=False)
    removed += sweep(
        run.folder, ".part-*", "report/.part-*", "report/versions/.part-*", "applications/.part-*", shared=False
    )
    tidy(run.dataset_root.parent)
    removed += sweep(run.dataset_root, "*.tmp", "thumbnails/*.tmp")
    return removed + sweep_temporary()


def sweep_temporary() -> list[Path]:
    """Remove what dead processes left in the temporary folder."""
    return sweep(Path(tempfile.gettempdir()), *(f"{prefix}*" for prefix in (RENDERING, FONT_COPIES, EXPLAINING)))
