"""What a process that died left half-written in a run and around it, and its removal. No torch."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core.drafts import sweep
from core.runs.run import Run

# The renderer's own folders, where the system keeps temporary ones.
RENDERING = "loupe-pdf-"
INCOMING = ".incoming-*"


def sweep_run(run: Run) -> list[Path]:
    """Remove what dead processes left in the run's folder, its data set's and the temporary one; returns what went.

    What a living process writes is left alone.
    """
    removed = sweep(run.folder, "*.part", ".part-*", "*.part-*", "report/.part-*", "results/*.part", shared=False)
    removed += sweep(run.folder, "applications/.part-*", "report/*.part", shared=False)
    removed += sweep(run.dataset_root.parent, INCOMING)
    # A run of the command line has its data set to itself.
    if run.dataset_root.parent.parent == run.folder.resolve():
        removed += sweep(run.dataset_root.parent, INCOMING, shared=False)
    return removed + sweep_temporary()


def sweep_temporary() -> list[Path]:
    """Remove what dead renderers left in the temporary folder."""
    return sweep(Path(tempfile.gettempdir()), f"{RENDERING}*")
