"""Versions of a report: a new one never overwrites an earlier one, which it names by the hash of its PDF.

People read their number as that of a revision: what they know as the version is the one of the review log, which goes
on only where a superseded report is prepared again.

`report/` holds the latest version, `report/versions/N/` each earlier one as it was. A report that would be the same
but for its signatures is no new version.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from core.drafts import own_folder, write_whole
from core.errors import Refused, RunError
from core.findings import Finding
from core.reporting.attachment import read_attached
from core.reporting.pdf_digest import carries_digest, original_length
from core.reporting.report_log import log_of
from core.runs import SEALED_REPORT, Run, load_seal
from core.runs.results import file_sha256
from core.runs.review import Review
from core.runs.seal import file_seal

FOLDER = "versions"
_FINDINGS = TypeAdapter(tuple[Finding, ...])
PDF = "report.pdf"
# Both determine the PDFs.
_CONTENT = ("evidence.zip", "report.html")


@dataclass(frozen=True)
class Version:
    """The number of a version, from 1, the SHA-256 of the PDF that it replaces (empty for the first), and that one's
    findings and review log; None for the first, and where this version of Loupe cannot read them.
    """

    number: int = 1
    predecessor: str = ""
    findings: tuple[Finding, ...] | None = None
    review: Review | None = None


def latest(run: Run) -> Version:
    """The version of the report that lies, or would be the first to lie, in the run's report folder."""
    number = number_of(run)
    return _after(run, _place(run, number - 1), number) if number > 1 else Version()


def following(run: Run) -> Version:
    """The version after `latest`."""
    return _after(run, run.report, number_of(run) + 1)


def number_of(run: Run) -> int:
    """The number of `latest`."""
    return _earlier(run) + 1


def replaces(run: Run, draft: Path) -> bool:
    """Whether the report in `draft` differs from a whole one that lies in the run's report folder."""
    if not _whole(run):
        return False
    return any((draft / name).read_bytes() != (run.report / name).read_bytes() for name in _CONTENT)


def set_aside(run: Run, version: Version) -> None:
    """Copy the report that `version` will replace to its own folder, complete or not at all."""
    target = _place(run, version.number - 1)
    target.parent.mkdir(exist_ok=True)
    with own_folder(".part-", target.parent) as draft:
        inner = draft / "report"
        inner.mkdir()
        for file in sorted(run.report.iterdir()):
            if file.is_file():
                shutil.copy2(file, inner / file.name)
        inner.replace(target)


def take_back(run: Run) -> None:
    """Undo a new version that ended before its PDF was in place: the report is again the one that was set aside.

    The PDF comes last of all files, and no version has the PDF of the one that replaces it.
    """
    number = _earlier(run)
    aside = _place(run, number)
    if not number or not (run.report / PDF).is_file():
        return
    if file_sha256(aside / PDF) == file_sha256(run.report / PDF):
        for file in sorted(aside.iterdir()):
            write_whole(run.report / file.name, file.read_bytes())
        shutil.rmtree(aside)


def continues(old: Path, new: Path) -> bool:
    """Whether the PDF `old` is `new` with nothing but parts that were appended, such as signatures."""
    if not old.is_file():
        return False
    data, made = old.read_bytes(), new.read_bytes()
    return data.startswith(made) and original_length(data) == len(made)


def chain_problems(run: Run) -> Iterator[str]:
    """Whether each version of a report is the one that the next names, one line each."""
    name = f"report/{PDF}"
    try:
        told = read_attached(run.report / PDF)
    except Refused:
        # That it is no report has been told.
        return
    number, before = told.get("version", 1), told.get("predecessor", "")
    if number != _earlier(run) + 1:
        yield f"{name} is revision {number!r}, and report/{FOLDER} contains {_earlier(run)} earlier ones"
        return
    for at in range(_earlier(run), 0, -1):
        earlier = f"report/{FOLDER}/{at}/{PDF}"
        try:
            if file_seal(_place(run, at) / PDF).sha256 != before:
                yield f"{earlier} is not the report that {name} replaces"
                return
            before = read_attached(_place(run, at) / PDF).get("predecessor", "")
        except Refused as refused:
            yield f"{earlier} {refused}"
            return
        name = earlier


def _whole(run: Run) -> bool:
    """Whether there is a sealed report that is as it was sealed. One that was changed is restored, and one that was
    never sealed, because the audit was interrupted before, is completed; neither is kept as a version.
    """
    files = [run.report / name for name in (PDF, *_CONTENT)]
    if not all(file.is_file() for file in files):
        return False
    data = files[0].read_bytes()
    if carries_digest(data) and not original_length(data):
        return False
    try:
        found = load_seal(run)
    except RunError:
        return False
    if found is None:
        # Work on the run has gone on since, which takes the seal off.
        return run.store.get(SEALED_REPORT) == file_sha256(files[0])
    sealed = found[0].files
    names = [f"report/{file.name}" for file in files]
    return all(name not in sealed or file_seal(run.folder / name) == sealed[name] for name in names)


def _after(run: Run, before: Path, number: int) -> Version:
    """The version that replaces the report in the folder `before`."""
    return Version(number, file_sha256(before / PDF), _findings(before), log_of(run, before))


def _findings(folder: Path) -> tuple[Finding, ...] | None:
    try:
        return _FINDINGS.validate_json((folder / "findings.json").read_bytes())
    except (OSError, ValidationError):
        return None


def _earlier(run: Run) -> int:
    """How many earlier versions there are."""
    number = 0
    while (_place(run, number + 1) / PDF).is_file():
        number += 1
    return number


def _place(run: Run, number: int) -> Path:
    return run.report / FOLDER / str(number)
