"""A run that is planned from another: a copy of it, what it takes over, and which run it came from."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from core.characters import brief
from core.errors import LoupeError
from core.runs.opened import check_changeable
from core.runs.parts import ModelSpec
from core.runs.run import Run, create_run, new_run_id
from core.settings import runs_folder

# Files of a run beside its plan: `core.content.house_style`, `core.models.signed`.
STYLE, SIGNERS = "house_style.json", "model_signers.pem"


def duplicate(run: Run) -> Run:
    """A new run of the same plan in the workspace, which is not started and names the other as its predecessor.

    It has what an audit is asked for beside its plan, too: what `follow` takes over, its own thresholds, the severity
    at which it fails, and the runs of other models that it is compared with.

    Raises `RunError` for a run that was opened from a bundle: its images are not here.
    """
    check_changeable(run)
    folder = runs_folder() / new_run_id()
    root = os.path.relpath(run.dataset_root.resolve(), folder.resolve())
    if (run.folder / "thresholds.toml").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(run.folder / "thresholds.toml", folder / "thresholds.toml")
    new = create_run(folder, run.plan.model_copy(update={"dataset_root": root}))
    follow(new, run)
    others = [(run.folder / str(other)).resolve() for other in run.manifest.get("compare_with", ())]
    beside = [os.path.relpath(other, new.folder.resolve()) for other in others]
    asked = {"fail_on": run.manifest.get("fail_on"), "compare_with": beside}
    new.update_manifest(**{name: value for name, value in asked.items() if value})
    return new


def follow(new: Run, earlier: Run) -> None:
    """Record in a run that was just made that it was planned from another, and take over what lies beside the plan.

    That is the reference images, language and house style of the report, and, for the same model, the signers of whom
    one must have signed it; each only where the new run has none of its own.
    """
    reference = earlier.folder / "reference"
    if reference.is_dir() and not (new.folder / "reference").exists():
        shutil.copytree(reference, new.folder / "reference")
    if _copied(earlier.folder / STYLE, new.folder / STYLE):
        new.update_manifest(house_style=hashlib.sha256((new.folder / STYLE).read_bytes()).hexdigest())
    if _model_of(earlier) == new.plan.model:
        _copied(earlier.folder / SIGNERS, new.folder / SIGNERS)
    new.update_manifest(predecessor={"run": earlier.id, "plan_sha256": plan_sha256(earlier)})


def _copied(source: Path, target: Path) -> bool:
    """Copy a file of a run to where there is none yet; whether it was. A link is not followed."""
    if target.exists() or source.is_symlink() or not source.is_file():
        return False
    shutil.copyfile(source, target)
    return True


def _model_of(run: Run) -> ModelSpec | None:
    try:
        return run.plan.model
    except LoupeError:
        return None


def plan_sha256(run: Run) -> str:
    """The digest of the plan of a run; empty for a plan that this version cannot read."""
    try:
        return run.plan.digest
    except LoupeError:
        return ""


def predecessor_of(run: Run) -> str:
    """The id of the run from which one was planned; empty if it was planned from none."""
    told = run.manifest.get("predecessor")
    return brief(str(told.get("run", "")), 80) if isinstance(told, dict) else ""
