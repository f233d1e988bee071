"""What `verify` says: whether a run or a bundle is sound, what was compared with what, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.datasets.names import printable
from core.errors import LoupeError
from core.reporting.evidence import verify_evidence
from core.runs import FINISHED, Run, changed_files, load_seal, sealed_problems
from core.runs.seal import SEAL

MOST_LINES = 50
MOST_CHARACTERS = 300

Outcome = Literal["sound", "changed", "not_sealed"]


@dataclass(frozen=True)
class Verdict:
    """The outcome for `path`: problems one line each, what was compared, and the SHA-256 of the seal or the bundle."""

    path: Path
    outcome: Outcome
    problems: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def text(self) -> str:
        """What a person reads: the problems, or in one line that it is sound and what that was found by."""
        where = cleaned(str(self.path))
        if self.outcome == "sound":
            return "\n".join([f"{where}: sound", *self.checked, *([f"sha256 {self.sha256}"] if self.sha256 else [])])
        more = len(self.problems) - MOST_LINES
        return "\n".join([*self.problems[:MOST_LINES], *([f"and {more:,} more"] if more > 0 else [])])

    @property
    def data(self) -> dict[str, Any]:
        """The same as plain values; at most `MOST_LINES` problems, and how many there are."""
        return {
            "path": str(self.path),
            "outcome": self.outcome,
            "problems": list(self.problems[:MOST_LINES]),
            "count": len(self.problems),
            "checked": list(self.checked),
            "sha256": self.sha256,
        }


def verify_run(run: Run) -> Verdict:
    """Whether a run is what was sealed when it ended.

    A run that has not ended, or was made before there were seals, is checked as far as its own records go, and is never
    called sound.
    """
    try:
        found = load_seal(run)
    except LoupeError as error:
        return _changed(run.folder, [str(error)])
    if found is None:
        return _unsealed(run)
    seal, sha256 = found
    problems = sealed_problems(run, seal) or [*changed_files(run), *_bundle_problems(run)]
    if problems:
        return _changed(run.folder, problems, sha256)
    checked = (
        f"{len(seal.files) + len(seal.dataset.files)} files and {len(seal.units)} units as they were sealed, "
        f"{len(seal.dataset.images)} images by their content",
    )
    return Verdict(run.folder, "sound", (), checked, sha256)


def verify_bundle(path: Path) -> Verdict:
    """Whether an evidence bundle is sound in itself."""
    problems = verify_evidence(path)
    return _changed(path, problems) if problems else Verdict(path, "sound")


def cleaned(line: str) -> str:
    """One line that is safe to print: without control characters or direction marks, cut to `MOST_CHARACTERS`."""
    plain = printable(line)
    return plain if len(plain) <= MOST_CHARACTERS else plain[: MOST_CHARACTERS - 1] + "\u2026"


def _unsealed(run: Run) -> Verdict:
    try:
        progress = run.progress()
        problems = [*changed_files(run), *_bundle_problems(run)]
    except LoupeError as error:
        return _changed(run.folder, [str(error)])
    if problems:
        return _changed(run.folder, problems)
    if progress.state in FINISHED:
        line = (
            f"not sealed: the run has ended without {SEAL}; it was removed, or the run is from before there were seals "
            "(`python -m core report` seals it)"
        )
    else:
        line = f"not sealed yet: the run has not ended ({progress.state}, {progress.done} of {progress.total} units)"
    return Verdict(run.folder, "not_sealed", (f"{cleaned(str(run.folder))}: {line}",))


def _bundle_problems(run: Run) -> list[str]:
    bundle = run.report / "evidence.zip"
    return verify_evidence(bundle) if bundle.exists() else []


def _changed(path: Path, problems: Sequence[str], sha256: str = "") -> Verdict:
    return Verdict(path, "changed", tuple(cleaned(line) for line in problems), (), sha256)
