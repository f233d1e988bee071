"""Whether a run is still what it was: against its seal if it has one, and against its own records."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from core.datasets import Dataset, DatasetImage, load_dataset
from core.datasets.dataset import ANNOTATIONS, IMAGES, THUMBNAILS
from core.drafts import write_whole
from core.errors import LoupeError, Refused, RunError
from core.runs import review
from core.runs.manifest import write_json
from core.runs.opened import check_changeable
from core.runs.packing import parts_of, sound_parts
from core.runs.part_files import keys_of
from core.runs.results import file_sha256
from core.runs.run import Run
from core.runs.seal import (
    FREE,
    MOST_LINES,
    SEAL,
    FileSeal,
    Seal,
    UnitSeal,
    content_digest,
    file_seal,
    listed,
    load_seal,
)
from core.runs.spot_check import SPOT_CHECK

APPLICATIONS = "applications"
AFTER = "after the run was sealed"
# What `report`, `compare` and a spot check write anew, and what a person may add to a dataset without changing its id.
_WRITTEN_ANEW = (
    "report/",
    "findings.json",
    "comparison.json",
    "compared/",
    "earlier.json",
    "house_style.json",
    SPOT_CHECK,
)
# Where the store of a run keeps the SHA-256 of the report that its last seal named, once the seal is off.
SEALED_REPORT = "sealed_report"
# Earlier versions of the report stay as they are.
_KEPT = "report/versions/"


def sealed_problems(run: Run, seal: Seal, *, images: bool = True) -> list[str]:
    """What is missing, changed or added in a run and its dataset since `seal`, one line each; empty if nothing is.

    With `images` every stored image is decoded and compared with its content id. Reading only.
    """
    root, wrong = _dataset_root(run, seal)
    files, other = listed(run.folder, {root.resolve()} if root else set())
    present = {name: run.folder / name for name in files if name not in FREE}
    problems = [f"{name} is not a regular file" for name in other]
    problems += _differences(seal.files, present, "")
    # A changed plan is told once.
    problems += [line for line in wrong if not any(told.startswith("plan.json ") for told in problems)]
    problems += _database(run, seal)
    if root is not None:
        problems += _dataset_problems(root, seal, images)
    return problems


def changed_files(run: Run) -> list[str]:
    """What is missing, changed or added in a run's results and in the folders of its applications, one line each.

    Results are checked against the units, files of applications against the hashes that the manifest names; the
    thresholds against the plan. Works without a seal. Raises `RunError` if the run's own records are damaged.
    """
    manifest = run.manifest
    problems = []
    if manifest.get("plan_sha256", run.plan.digest) != run.plan.digest:
        problems.append("plan.json is not the plan for which the work was done")
    done = {f"{unit['key']}.parquet": unit["sha256"] for unit in run.store.units() if unit["state"] == "done"}
    parts, sound = parts_of(run), sound_parts(run)
    problems += [f"results/{name} is missing or changed" for name in parts if name not in sound]
    # A unit lies in a part or has a file, and not both.
    lying = {f"{key}.parquet" for file in sound.values() for key in keys_of(file)}
    loose = {name: sha256 for name, sha256 in done.items() if name not in lying}
    for name, sha256 in loose.items():
        if not _same(run.folder / "results" / name, sha256):
            problems.append(f"results/{name} is missing or changed")
    problems += [
        f"the unit {name.removesuffix('.parquet')} lies in a part but is not finished"
        for name in sorted(lying - set(done))
    ]
    results = run.folder / "results"
    known = {*loose, *parts}
    strays = sorted(set(listed(results, set())[0]) - known) if results.is_dir() else []
    problems += [f"results/{name} belongs to no finished unit" for name in strays if name.endswith(".parquet")]
    for name in manifest.get(APPLICATIONS, {}):
        problems += application_problems(run, name)
    own, planned = run.folder / "thresholds.toml", run.plan.thresholds
    if not _same(own, planned) if planned else os.path.lexists(own):
        problems.append("thresholds.toml is not the thresholds file named in the plan")
    return problems + review.problems(run)


def application_problems(run: Run, name: str) -> list[str]:
    """What is missing, changed or added in the folder of one application, against the hashes in the manifest."""
    named: Mapping[str, str] = run.manifest.get(APPLICATIONS, {}).get(name, {}).get("files", {})
    problems = [
        f"{file} is missing or changed" for file, sha256 in named.items() if not _same(run.folder / file, sha256)
    ]
    folder = run.folder / APPLICATIONS / name
    regular, other = listed(folder, set()) if folder.is_dir() else ([], [])
    present = sorted(f"{APPLICATIONS}/{name}/{file}" for file in [*regular, *other])
    return problems + [f"{file} was added after the work was done" for file in present if file not in named]


def image_problems(dataset: Dataset) -> list[str]:
    """Which stored images are missing, damaged or show something else than their content id says, one line each."""

    def problem(image: DatasetImage) -> str:
        try:
            dataset.open(image)
        except LoupeError:
            return f"dataset: {IMAGES}/{image.id}.png does not show the image that its id identifies"
        return ""

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return [line for line in pool.map(problem, dataset.images) if line]


@contextmanager
def rewriting(run: Run) -> Iterator[None]:
    """The seal is off while a report is made anew, so that a command that is killed meanwhile can be repeated.

    It is put back where an error left everything as it was. Raises `RunError` as `check_before_rewriting` does.
    """
    path, sealed = run.folder / SEAL, check_before_rewriting(run)
    if sealed is None:
        yield
        return
    _take_off(run, sealed)
    try:
        yield
    except BaseException:
        if not os.path.lexists(path) and not sealed_problems(run, sealed, images=False):
            write_whole(path, sealed.encoded())
        raise


def check_before_rewriting(run: Run) -> Seal | None:
    """Before a report is made anew and the run sealed again: nothing that this rests on may have changed.

    Otherwise a new seal would vouch for what somebody changed under the old one. Raises `RunError`; a run without a
    seal passes. Returns the seal.
    """
    check_changeable(run)
    found = load_seal(run)
    if found is None:
        return None
    expected = [SEAL, *_WRITTEN_ANEW, f"dataset: {ANNOTATIONS}"]
    problems = [
        line
        for line in sealed_problems(run, found[0], images=False)
        if not line.startswith(tuple(expected)) or (line.startswith(_KEPT) and not _set_aside(run, found[0], line))
    ]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        remedy = "restore what was changed, or let `python -m core resume` compute it again"
        if all(line.startswith(_KEPT) for line in problems):
            remedy = "restore the earlier versions of the report: remove what was added, put back what was changed"
        raise RunError(f"{run.folder}: {problems[0]}{more}; {remedy}")
    return found[0]


def _set_aside(run: Run, seal: Seal, line: str) -> bool:
    """Whether a problem is a copy of the sealed report: a new version was begun, and ended before it was sealed."""
    name = line.removesuffix(f" was added {AFTER}")
    sealed = seal.files.get(f"report/{name.rpartition('/')[2]}")
    return name != line and sealed is not None and not _differs(run.folder / name, sealed)


def break_seal(run: Run) -> list[str]:
    """Take the seal off a run before work on it goes on. Returns what was changed under it.

    The store keeps which report was sealed. Results are checked against the units by whoever goes on. A changed
    manifest is not believed any more: it names the files of applications, so all of them are forgotten and run again.
    """
    path = run.folder / SEAL
    if not os.path.lexists(path):
        return []
    try:
        found = load_seal(run)
        problems = sealed_problems(run, found[0], images=False) if found else []
        _take_off(run, found[0] if found else None)
    except RunError as error:
        problems = [str(error)]
    path.unlink(missing_ok=True)
    if any(line.startswith(("manifest.json", SEAL)) for line in problems):
        try:
            kept = {name: value for name, value in run.manifest.items() if name in ("compare_with", "predecessor")}
        except RunError:
            kept = {}
        write_json(run.folder / "manifest.json", kept)
    return problems


def _take_off(run: Run, sealed: Seal | None) -> None:
    report = sealed.files.get("report/report.pdf") if sealed else None
    run.store.set(**{SEALED_REPORT: report.sha256 if report else ""})
    (run.folder / SEAL).unlink(missing_ok=True)


def _differences(sealed: Mapping[str, FileSeal], present: Mapping[str, Path], where: str) -> Iterator[str]:
    for name in sorted({*sealed, *present}):
        if name not in present:
            yield f"{where}{name} is missing"
        elif name not in sealed:
            yield f"{where}{name} was added {AFTER}"
        elif _differs(present[name], sealed[name]):
            yield f"{where}{name} was changed {AFTER}"


def _differs(path: Path, sealed: FileSeal) -> bool:
    try:
        return path.stat().st_size != sealed.bytes or file_seal(path) != sealed
    except (OSError, Refused):
        return True


def _database(run: Run, seal: Seal) -> Iterator[str]:
    """What differs in run.sqlite: damage, the run's state, its units, its log as far as it was sealed."""
    if not (run.folder / "run.sqlite").is_file():
        yield "run.sqlite is missing"
        return
    try:
        damage = run.store.damage()
        units, state, log = run.store.units(), run.progress().state, run.store.events(MOST_LINES)
        now = [tuple(unit[name] for name in UnitSeal.model_fields) for unit in units]
    except (RunError, sqlite3.Error, KeyError, TypeError, ValueError, UnicodeError) as error:
        yield f"run.sqlite is damaged ({type(error.__cause__ or error).__name__})"
        return
    if damage:
        yield f"run.sqlite is damaged: {damage}"
    if state != seal.state:
        yield f"run.sqlite gives the state of the run as {state}; it was sealed as {seal.state}"
    then = [tuple(unit.model_dump().values()) for unit in seal.units]
    if now != then:
        known = (at for at, (new, old) in enumerate(zip(now, then, strict=False)) if new != old)
        at = next(known, min(len(now), len(then)))
        yield f"run.sqlite: unit {at} was changed {AFTER}"
    elif content_digest(list(unit.values()) for unit in units) != seal.units_sha256:
        yield f"run.sqlite: the units table was changed {AFTER}"
    if len(log) < seal.log_lines or content_digest(log[: seal.log_lines]) != seal.log_sha256:
        yield f"run.sqlite: the log was changed {AFTER}"


def _dataset_root(run: Run, seal: Seal) -> tuple[Path | None, list[str]]:
    """Where the dataset lies, and what is wrong with the plan that says so."""
    try:
        root, digest, dataset = run.dataset_root, run.plan.digest, run.plan.dataset
    except LoupeError:
        # The plan itself is told as changed; the dataset may still lie where audits of the command line keep it.
        root = run.folder / "dataset" / seal.dataset.id
        return (root, []) if root.is_dir() else (None, ["the dataset cannot be found without the plan"])
    problems = []
    if digest != seal.plan_sha256:
        problems.append(f"plan.json is not the plan that was sealed ({digest[:12]}, sealed: {seal.plan_sha256[:12]})")
    if dataset != seal.dataset.id:
        problems.append(f"the plan names the dataset {dataset}, the seal {seal.dataset.id}")
    if not root.is_dir():
        return None, [*problems, f"the dataset {seal.dataset.id} is missing"]
    return root, problems


def _dataset_problems(root: Path, seal: Seal, images: bool) -> list[str]:
    names, other = listed(root, {(root / THUMBNAILS).resolve()})
    problems = [f"dataset: {name} is not a regular file" for name in other]
    problems += _differences(seal.dataset.files, {name: root / name for name in names}, "dataset: ")
    try:
        dataset = load_dataset(root)
    except LoupeError as error:
        # A missing image, say, has been told already, by its name.
        return problems or [f"dataset: {error}"]
    if dataset.id != seal.dataset.id or sorted(image.id for image in dataset.images) != seal.dataset.images:
        problems.append("dataset: dataset.json is not that of the sealed dataset")
    elif images:
        told = {line.split()[1] for line in problems}
        problems += [line for line in image_problems(dataset) if line.split()[1] not in told]
    return problems


def _same(file: Path, sha256: str) -> bool:
    return file.is_file() and file_sha256(file) == sha256
