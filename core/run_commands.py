"""Commands about a run that exists: go on with it, stop it, say where it stands."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from core.audit import launch
from core.errors import DamagedError, LoupeError, RunError
from core.runs import STOPPED, Progress, Run, load_seal, open_run, sealed_problems
from core.runs.database import damage
from core.runs.opened import is_opened
from core.runs.shelf import close_elsewhere, listed_run, open_elsewhere, shelf, shelf_id
from core.settings import opened_folder, runs_folder

Answer = tuple[dict[str, Any], int]


def find_run(name: str) -> Run:
    """A run by directory, by id in the workspace, or by the name under which the app lists it. Raises `RunError`."""
    for folder in (Path(name), runs_folder() / name, opened_folder() / name):
        if (folder / "plan.json").exists():
            return open_run(folder)
    if (listed := listed_run(name)) is not None:
        return listed
    raise RunError(f"there is no run {name!r}; give its directory, or an id listed by `python -m core status`")


def cancel(chosen: argparse.Namespace) -> Answer:
    """Ask the worker of a run to stop; a run without one is cancelled at once."""
    run = find_run(chosen.run_directory)
    before = run.progress().state
    state = launch.cancel(run)
    other = run.store.holder()
    if before in STOPPED:
        text = f"{run.handle} is not running: {before}"
    elif state == "cancelling" and other is not None:
        text = (
            f"{run.handle}: {other.title} was asked to stop and does so within seconds; if it is dead, its lease ends "
            f"in {other.seconds:.0f} s"
        )
    else:
        text = f"{run.handle}: cancelled; finished work is kept, and `python -m core resume` continues from there"
    return {"text": text, "data": {"run": str(run.folder), "before": before, "state": state}}, 0


def open_arguments(parser: argparse.ArgumentParser) -> None:
    """What `open` takes."""
    parser.add_argument(
        "run_directory", metavar="run", help="run directory, or an evidence bundle (ZIP) made elsewhere"
    )
    parser.add_argument("--close", action="store_true", help="take it off the list; the run or bundle stays as it is")


def open_in_app(chosen: argparse.Namespace) -> Answer:
    """List a run of any folder, or a bundle, in the app, or take it off the list; it stays as it is itself."""
    from core.reporting.unbundling import forget_bundle, open_bundle

    bundle = Path(chosen.run_directory)
    run = open_bundle(bundle) if bundle.is_file() else find_run(chosen.run_directory)
    if chosen.close:
        known = forget_bundle(run) or close_elsewhere(run)
        text = f"{run.folder} is {'no longer' if known else 'not'} listed as opened from elsewhere"
    elif is_opened(run):
        text = f"{bundle.name} is sound, and listed in the app as {shelf_id(run)}, read only"
    else:
        run = open_elsewhere(run.folder)
        text = f"{run.folder} is listed in the app as {shelf_id(run)}"
        text = "\n".join([text, *_unlike_seal(run)])
    return {"text": text, "data": {"run": str(run.folder), "id": shelf_id(run), "open": not chosen.close}}, 0


def _unlike_seal(run: Run) -> list[str]:
    """That a run is not as it was sealed, in a line; its images are not decoded."""
    try:
        found = load_seal(run)
        problems = sealed_problems(run, found[0], images=False) if found else []
    except LoupeError as error:
        problems = [str(error)]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return [f"warning: it is not as it was sealed: {problems[0]}{more}"] if problems else []


def status(chosen: argparse.Namespace) -> Answer:
    """Where one run, or every run that the app lists, stands. Nothing is written."""
    runs, given = shelf(), chosen.run_directory
    if given:
        run = find_run(given)
        runs = {given if given in runs else run.id: run}
    data: list[dict[str, Any]] = []
    lines = []
    for name, run in runs.items():
        try:
            told, line = _standing(run, name)
        except LoupeError as error:
            if chosen.run_directory:
                raise
            # One damaged run must not hide the others.
            told = {"run": name, "folder": str(run.folder), "state": "damaged", "message": str(error)}
            line = f"{name}  damaged  {error}"
        data.append(told)
        lines.append(line)
    return {"text": "\n".join(lines) or "no runs yet", "data": data[0] if chosen.run_directory else data}, 0


def _standing(run: Run, name: str) -> tuple[dict[str, Any], str]:
    """Where a run stands, as plain values and in one line that begins with its name."""
    progress = run.progress()
    found = damage(run.store.path)
    if found is not None:
        raise DamagedError(f"{run.handle}: run.sqlite is {found}; `python -m core resume {run.handle}` rebuilds it")
    state = "died" if progress.died else progress.state
    message = _died(run, progress) if progress.died else progress.message
    data = {
        "run": name,
        "folder": str(run.folder),
        **dataclasses.asdict(progress),
        "state": state,
        "message": message,
        "share": round(progress.share, 4),
    }
    stage = f" ({progress.stage})" if progress.stage else ""
    done = f"{progress.images_done}/{progress.images_total} images"
    return data, f"{name}  {state}{stage}  {done}  {message}"


def _died(run: Run, progress: Progress) -> str:
    asked = " after it was asked to stop" if progress.state == "cancelling" else ""
    return f"the worker died{asked}; `python -m core resume {run.handle}` continues"
