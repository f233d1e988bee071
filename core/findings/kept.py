"""Summary and findings of a large run, worked out in a process of their own, once, and kept in the workspace.

The process that shows pages would otherwise hold all rows of a run at once, and keep that memory. The worker keeps both
at the end of an audit; for a run that came from elsewhere, they are worked out when a page first asks. What is kept
lies outside of the run: nothing that a stranger wrote is taken for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd

from core.drafts import own_folder
from core.errors import RunError
from core.evaluation.gains import Gains
from core.evaluation.summary import Summary, summarise
from core.findings.judgement import judge
from core.findings.stored import read_findings, written
from core.rules.finding import Finding
from core.runs import Run
from core.settings import ROOT, VERSION, kept_folder
from core.statistics import Interval

# Many scores without a map take few bytes in files, but as much memory as any other rows.
LARGE_BYTES, LARGE_ROWS = 16 * 2**20, 200_000
MOST_KEPT = 24
ABOUT, FINDINGS = "about.json", "findings.json"
# Tables whose columns are pairs of names.
PAIRED = ("image_agreement",)
# What changes without changing a summary or a finding.
_OTHER = ("report", "run.sqlite", "run.sqlite-wal", "run.sqlite-shm", "worker.log", "review.jsonl")


def is_large(run: Run) -> bool:
    """Whether its rows are too many for the process that shows pages."""
    stored = sum(file.stat().st_size for file in (run.folder / "results").glob("*.parquet"))
    return stored > LARGE_BYTES or sum(unit["rows"] or 0 for unit in run.store.units()) > LARGE_ROWS


def kept_summary(run: Run) -> Summary:
    """The summary of the run as it is now. Raises `RunError` if it cannot be worked out."""
    return _read_summary(_there(run))


def kept_findings(run: Run) -> tuple[Finding, ...]:
    """The findings of the run as it is now. Raises `RunError` if it cannot be judged."""
    return read_findings(_there(run) / FINDINGS)


def keep(run: Run, summary: Summary, findings: tuple[Finding, ...]) -> None:
    """Keep what was worked out of the run as it is now; the oldest of what is kept goes."""
    place = _place(run)
    place.parent.mkdir(parents=True, exist_ok=True)
    with own_folder("loupe-kept-", place.parent) as draft:
        told: dict[str, Any] = {}
        for part in fields(summary):
            value = getattr(summary, part.name)
            if isinstance(value, pd.DataFrame):
                _flat(value, part.name).to_parquet(draft / f"{part.name}.parquet")
            else:
                told[part.name] = asdict(value) if isinstance(value, Interval | Gains) else value
        (draft / ABOUT).write_text(json.dumps(told))
        (draft / FINDINGS).write_bytes(written(findings))
        if not place.exists():
            draft.rename(place)
    others = sorted(place.parent.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for old in others[MOST_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def _there(run: Run) -> Path:
    """The folder of what is kept of the run, made by a process of its own where there is none."""
    place = _place(run)
    if not (place / FINDINGS).is_file():
        command = [sys.executable, "-m", "core.findings.kept", str(run.folder.absolute())]
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RunError(f"the results of {run.handle} cannot be summed up: {_last_line(done.stderr)}")
        place = _place(run)
    return place


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason was given"])[-1][:300]


def _place(run: Run) -> Path:
    """Where what is known of the run in its present state is kept; another state has another place."""
    state: list[Any] = [VERSION, str(run.folder.resolve()), run.plan.digest]
    state += sorted(_files(str(run.folder), ""))
    return kept_folder() / hashlib.sha256(json.dumps(state).encode()).hexdigest()[:32]


def _files(folder: str, above: str) -> Iterator[tuple[str, int, int]]:
    """Name, size and time of change of each file that what is known of a run depends on. Every page asks for them."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{above}{entry.name}"
            if name in _OTHER:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, f"{name}/")
            elif entry.is_file():
                there = entry.stat()
                yield name, there.st_size, there.st_mtime_ns


def _flat(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    if name not in PAIRED:
        return frame
    return frame.set_axis([json.dumps(list(pair)) for pair in frame.columns], axis=1)


def _read_summary(folder: Path) -> Summary:
    told: Mapping[str, Any] = json.loads((folder / ABOUT).read_text())
    parts: dict[str, Any] = dict(told)
    for part in fields(Summary):
        if part.name not in told:
            frame = pd.read_parquet(folder / f"{part.name}.parquet")
            if part.name in PAIRED:
                pairs = [tuple(json.loads(column)) for column in frame.columns]
                frame.columns = pd.MultiIndex.from_tuples(pairs, names=["a", "b"])
            parts[part.name] = frame
    parts["methods"] = tuple(told["methods"])
    parts["not_run"] = tuple(tuple(one) for one in told["not_run"])
    return Summary(**(parts | {"ceiling": Interval(**told["ceiling"]), "gains": Gains(**told["gains"])}))


def main(folder: str) -> None:
    """Work out and keep what is known of the run in a folder."""
    run = Run(Path(folder))
    summary = summarise(run)
    keep(run, summary, judge(run, summary))


if __name__ == "__main__":
    main(sys.argv[1])
