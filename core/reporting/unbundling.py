"""A bundle that was made elsewhere, opened as a run that can be read: checked, then unpacked as data. No torch.

Both are done in a child with limits, on a copy that nobody else can change meanwhile. Nothing is left of one that is
refused.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.characters import brief
from core.datasets.dataset import ANNOTATIONS, MANIFEST, WITHOUT_IMAGES
from core.datasets.dataset import IMAGES as IMAGES_FOLDER
from core.drafts import own_folder, sweep
from core.errors import InputError, Refused
from core.reporting.bundle import OpenBundle, check_size
from core.reporting.evidence import EXPORTS_FOLDER, SUMS
from core.reporting.inspection import Inspection, failure_text, inspect_bundle
from core.runs import Run, RunStore, open_run
from core.runs.files import base_name
from core.runs.opened import MARK, lay_state
from core.sandbox import Allowance, Failure, call
from core.sandbox.files import chunks, opened
from core.settings import LIMITS, opened_folder

DATASET, BUNDLE = "dataset", "evidence.zip"
_DRAFT = ".opening-"
# Of how many bundles copies are kept; each is a few times as large as its bundle.
MOST_OPENED = 200


def open_bundle(path: Path, title: str = "") -> Run:
    """The run that a bundle describes, unpacked in the workspace; one that was opened before is returned as it is.

    `title` is how the bundle is called; the name of its file unless given.

    Raises `InputError` in one line for what is no sound bundle or is larger than may be, leaving nothing behind.
    """
    title = title or brief(path.name, 80)
    home = opened_folder()
    try:
        with opened(path) as (_, size):
            check_size(size)
    except Refused as refused:
        raise InputError(f"{title} {refused}") from refused
    new = not home.exists()
    home.mkdir(parents=True, exist_ok=True)
    sweep(home, f"{_DRAFT}*")
    try:
        with own_folder(_DRAFT, home) as draft:
            return _opened(path, title, draft, home)
    finally:
        if new and not any(home.iterdir()):
            home.rmdir()


def _opened(path: Path, title: str, draft: Path, home: Path) -> Run:
    try:
        copy = draft / BUNDLE
        with copy.open("wb") as target:
            for piece in chunks(path):
                target.write(piece)
        found = inspect_bundle(copy)
    except Refused as refused:
        raise InputError(f"{title} {refused}") from refused
    if found.problems:
        more = f" (and {found.count - 1:,} more; `python -m core verify` lists them)" if found.count > 1 else ""
        raise InputError(f"{title} is not opened, as it is not sound: {brief(found.problems[0], 400)}{more}")
    target_folder = home / found.sha256[:16]
    if (target_folder / MARK).is_file():
        return open_run(target_folder)
    if sum(1 for folder in home.iterdir() if not folder.name.startswith(".")) >= MOST_OPENED:
        raise InputError(f"{MOST_OPENED} bundles are open; take some of them off the list of runs first")
    _unpack(copy, title, draft / "run", found)
    (draft / "run").replace(target_folder)
    return open_run(target_folder)


def _unpack(bundle: Path, title: str, folder: Path, found: Inspection) -> None:
    """Lay the checked bundle into a new folder, as a run."""
    size = bundle.stat().st_size
    allowance = Allowance(
        seconds=LIMITS.verify_seconds + size / 1e6,
        wall=10 * (LIMITS.verify_seconds + size / 1e6),
        memory=LIMITS.verify_memory + 4 * size,
        answer=2**20,
        # A result file may be as large as the bundle; the whole is bounded as it is read.
        written=max(LIMITS.bundle_part_bytes, 2 * size),
    )
    folder.mkdir()
    try:
        call(lay_bundle, str(bundle.absolute()), str(folder.absolute()), allowance=allowance)
    except Refused as refused:
        raise InputError(f"{title} {refused}") from refused
    except Failure as failure:
        raise InputError(f"{title} {failure_text(failure, allowance, 'unpacked')}") from failure
    report = folder / "report"
    report.mkdir(exist_ok=True)
    bundle.replace(report / BUNDLE)
    told = {"bundle": title, "sha256": found.sha256, "checked": list(found.checked)}
    (folder / MARK).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def warm_up() -> None:
    """Load what reading a bundle takes, once for all children."""
    from core.reporting import binding  # noqa: F401 - to be loaded


def lay_bundle(data: bytes, path: str, target: str) -> tuple[Any, bytes]:
    """The task of `_unpack`, in a child: write the files of the bundle at `path` into the empty folder `target`."""
    from core.reporting.binding import read_content

    folder = Path(target)
    with opened(path) as (handle, size), open(handle, "rb", closefd=False) as stream:
        bundle = OpenBundle(stream, size)
        content = read_content(bundle)
        for name in sorted(bundle.names - {SUMS, "plan.json", "dataset.json", "units.csv", "log.csv"}):
            _write(bundle, name, folder / _place(name))
        (folder / "results").mkdir(exist_ok=True)
        (folder / DATASET / IMAGES_FOLDER).mkdir(parents=True, exist_ok=True)
        (folder / DATASET / MANIFEST).write_bytes(bundle.read("dataset.json"))
        (folder / DATASET / WITHOUT_IMAGES).touch()
        log = bundle.rows("log.csv", ("at", "kind", "message"))
    lay_state(RunStore(folder), content.units, str(content.manifest.get("state", "cancelled")), list(_events(log)))
    # The public plan says nothing of where its images lie.
    content.plan.model_copy(update={"dataset_root": DATASET}).save(folder / "plan.json")
    return None, b""


def _place(name: str) -> str:
    """Where a file of a bundle lies in a run. Its names were checked: none leads anywhere else."""
    if name == ANNOTATIONS:
        return f"{DATASET}/{name}"
    return f"report/{base_name(name)}" if name.startswith(f"{EXPORTS_FOLDER}/") else name


def _write(bundle: OpenBundle, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as stream:
        for piece in bundle.pieces(name):
            stream.write(piece)


def _events(rows: list[dict[str, str]]) -> Iterator[tuple[float, str, str]]:
    """The log; a line without a time is left out."""
    for row in rows:
        try:
            yield float(row["at"]), row["kind"][:100], row["message"][:500]
        except ValueError:
            continue


def forget_bundle(run: Run) -> bool:
    """Remove the unpacked copy of a bundle; False for any other run. The bundle itself stays where it is."""
    if run.folder.resolve().parent != opened_folder().resolve() or not (run.folder / MARK).is_file():
        return False
    trash = run.folder.with_name(f"{_DRAFT}{run.folder.name}-{os.getpid()}")
    run.folder.rename(trash)
    shutil.rmtree(trash)
    return True
