"""What `verify` says: whether a run or a bundle is sound, what was compared with what, and what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.datasets.names import printable
from core.errors import InputError, LoupeError, Refused
from core.reporting.attachment import read_attached
from core.reporting.attestation import Attestation
from core.reporting.evidence import EXPORTS_FOLDER, json_bytes, run_parts
from core.reporting.exports.files import EXPORTS
from core.reporting.inspection import Inspection, inspect_bundle
from core.reporting.report import REQUIRED, SHORT
from core.reporting.signatures.statement import STATEMENT
from core.reporting.versions import chain_problems
from core.runs import FINISHED, Run, changed_files, load_seal, sealed_problems
from core.runs.integrity import image_problems
from core.runs.seal import SEAL, Seal, file_seal
from core.sandbox.files import opened

MOST_LINES = 50
MOST_CHARACTERS = 300
# What no bundle can prove of itself.
UNCHECKED = (
    "the images themselves: a bundle contains their hashes (images.csv)",
    "what is declared (title, purpose, names), the log, the entries of the manifest on machine, cost and work not "
    "run, the origin of the rows of a compared run, and records of applications on "
    "which no finding is based",
)

Outcome = Literal["sound", "changed", "not_sealed", "not_trusted"]


@dataclass(frozen=True)
class Verdict:
    """The outcome for `path`: problems one line each, and the SHA-256 of the seal or the bundle.

    `count` is how many problems there are, also beyond those that are listed. What was compared with what (`checked`)
    and what was not is told of what is sound; `signed` names who signed it.
    """

    path: Path
    outcome: Outcome
    problems: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    sha256: str = ""
    count: int = 0
    unchecked: tuple[str, ...] = ()
    signed: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What a person reads: the problems; or that it is sound, what that was found by, and its SHA-256."""
        if self.outcome == "sound":
            lines = [f"{cleaned(str(self.path))}: sound", *(f"compared: {line}" for line in self.checked)]
            lines += [f"signed: {cleaned(line)}" for line in self.signed]
            lines += [f"not compared: {line}" for line in self.unchecked]
            return "\n".join([*lines, f"sha256: {self.sha256}"])
        more = self.count - len(self.problems)
        return "\n".join([*self.problems, *([f"and {more:,} more"] if more > 0 else [])])

    @property
    def data(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "path": str(self.path),
            "outcome": self.outcome,
            "problems": list(self.problems),
            "count": self.count,
            "checked": list(self.checked),
            "unchecked": list(self.unchecked),
            "signed": list(self.signed),
            "sha256": self.sha256,
        }


def verify_run(run: Run, *, sha256: str = "", pdf: Path | None = None, roots: Sequence[str] = ()) -> Verdict:
    """Whether a run is what was sealed when it ended: by the seal with `sha256`, reported by `pdf`, if these are given.

    Signatures are checked against `roots`, certificates in PEM; with roots, only what they vouch for is sound.

    A run that has not ended, or was made before there were seals, is checked as far as its own records go, and is never
    called sound.
    """
    by = Attestation(roots)
    try:
        found = load_seal(run)
        if found is None:
            return _unsealed(run, pdf, by)
        seal, digest = found
        problems = sealed_problems(run, seal)
        if sha256 and digest != sha256:
            problems.insert(0, f"{SEAL} has the SHA-256 {digest}, not the one given")
        checked = [
            f"{len(seal.files) + len(seal.dataset.files)} files, {len(seal.units)} units and the log with the seal, "
            f"{len(seal.dataset.images)} stored images with their content ids"
        ]
        unchecked: list[str] = []
        if not problems:
            problems = [*changed_files(run), *_report_problems(run, seal, pdf, checked, unchecked, by)]
    except LoupeError as error:
        return _changed(run.folder, [str(error)])
    if problems:
        return _changed(run.folder, problems, digest)
    return _sound(run.folder, checked, unchecked, by, digest)


def verify_bundle(path: Path, *, sha256: str = "", pdf: Path | None = None, roots: Sequence[str] = ()) -> Verdict:
    """Whether an evidence bundle is sound in itself, has the given `sha256`, and is the one that `pdf` names.

    A signed statement beside it is checked too, and signatures against `roots` (certificates in PEM). Raises
    `InputError` if the path leads to no regular file.
    """
    try:
        with opened(path):
            pass
    except Refused as refused:
        raise InputError(f"{cleaned(str(path))} {refused}") from refused
    try:
        found = inspect_bundle(path)
    except Refused as refused:
        return _changed(path, [f"{path.name} {refused}"])
    problems, checked, by = list(found.problems), list(found.checked), Attestation(roots)
    if (path.parent / STATEMENT).exists():
        problems += by.statement(path.parent / STATEMENT, {"evidence.zip": found.sha256, **_own(found)})
        checked.append(f"its SHA-256 with that of {STATEMENT}")
    if sha256:
        checked.append("its SHA-256 with the one given")
        if found.sha256 != sha256:
            problems.insert(0, f"{path.name} has the SHA-256 {found.sha256}, not the one given")
    if pdf is not None:
        checked.append(f"its SHA-256, plan and findings with those that {pdf.name} carries")
        problems += [*_pdf_problems(pdf, found, by), *by.pdf_problems()]
    if problems:
        return _changed(path, problems, found.sha256, len(problems) + found.count - len(found.problems))
    return _sound(path, checked, UNCHECKED, by, found.sha256)


def verify_pdf(path: Path, *, sha256: str = "", roots: Sequence[str] = ()) -> Verdict:
    """Whether the PDF of a report is as it was rendered or signed, by its own digest and its signatures.

    Raises `InputError` if the path leads to no regular file.
    """
    by = Attestation(roots)
    try:
        digest = file_seal(path).sha256
        told = read_attached(path)
    except Refused as refused:
        return _changed(path, [f"{path.name} {refused}"])
    found, problems = by.pdf(path, told)
    if found is not None and not found.carries_digest and not problems:
        problems = [f"{path.name} carries no digest of itself: it was changed, or is of an earlier version"]
    checked = ["every byte with the digest that the PDF carries of itself"]
    if sha256:
        checked.append("its SHA-256 with the one given")
        if digest != sha256:
            problems.insert(0, f"{path.name} has the SHA-256 {digest}, not the one given")
    if problems:
        return _changed(path, problems, digest)
    bundle = (
        f"the bundle that it names, SHA-256 {str(told['evidence'].get('sha256'))[:64]}: give evidence.zip and --pdf"
    )
    return _sound(path, checked, [bundle], by, digest)


def verify_evidence(path: Path) -> list[str]:
    """What is wrong with a bundle, one line each; an empty list means that it is sound in itself."""
    try:
        return list(inspect_bundle(path).problems)
    except Refused as refused:
        return [f"{path.name} {refused}"]


def cleaned(line: str) -> str:
    """One line that is safe to print: without control characters or direction marks, cut to `MOST_CHARACTERS`."""
    plain = printable(line)
    return plain if len(plain) <= MOST_CHARACTERS else plain[: MOST_CHARACTERS - 1] + "\u2026"


def _sound(path: Path, checked: Sequence[str], unchecked: Sequence[str], by: Attestation, sha256: str) -> Verdict:
    """The verdict on what is sound in itself: with roots, they have to vouch for it too."""
    told = tuple(by.lines)
    if by.untrusted:
        lines = tuple(cleaned(line) for line in by.untrusted)
        return Verdict(path, "not_trusted", lines, tuple(checked), sha256, len(lines), (), told)
    return Verdict(path, "sound", (), tuple(checked), sha256, 0, (*unchecked, *by.unchecked), told)


def _unsealed(run: Run, pdf: Path | None, by: Attestation) -> Verdict:
    progress = run.progress()
    problems = [*changed_files(run), *image_problems(run.dataset), *_report_problems(run, None, pdf, [], [], by)]
    if problems:
        return _changed(run.folder, problems)
    line = f"not sealed yet: the run has not ended ({progress.state}, {progress.done} of {progress.total} units done)"
    if progress.state in FINISHED:
        line = (
            f"not sealed: the run has ended without {SEAL}; it was removed, or the run was made before seals existed "
            "(`python -m core report` seals it)"
        )
    return Verdict(run.folder, "not_sealed", (f"{cleaned(str(run.folder))}: {line}",), count=1)


def _report_problems(
    run: Run, seal: Seal | None, pdf: Path | None, checked: list[str], unchecked: list[str], by: Attestation
) -> Iterator[str]:
    """Whether report, findings and bundle are about this run and about each other. Says what was compared."""
    missing = [name for name in REQUIRED if not (run.report / name).exists()]
    if missing:
        # It was sealed like that: the work was done without a report.
        unchecked.append(f"the report, which has no {', '.join(missing)}")
        if pdf is not None:
            yield f"the run has no complete report with which {pdf.name} could be compared"
        return
    try:
        found = inspect_bundle(run.report / "evidence.zip")
        findings = {name: file_seal(run.folder / name).sha256 for name in ("findings.json", "report/findings.json")}
        html = file_seal(run.report / "report.html").sha256
        exports = [name for name in EXPORTS if (run.report / name).exists()]
        exported = {f"{EXPORTS_FOLDER}/{name}": file_seal(run.report / name).sha256 for name in exports}
    except Refused as refused:
        yield f"report/evidence.zip {refused}"
        return
    yield from (f"report/evidence.zip: {line}" for line in found.problems)
    for name, digest in findings.items():
        if digest != found.files.get("findings.json"):
            yield f"{name} contains other findings than report/evidence.zip"
    bundled = {name: digest for name, digest in found.files.items() if name.startswith(f"{EXPORTS_FOLDER}/")}
    for name in sorted({*exported, *bundled}):
        if exported.get(name) != bundled.get(name):
            yield f"report/{name.removeprefix(f'{EXPORTS_FOLDER}/')} is not the one in report/evidence.zip"
    # The manifest of a bundle is from before the seal, and a run without a seal may have gone on.
    if seal is not None:
        for name, data in run_parts(run):
            if hashlib.sha256(data).hexdigest() != found.files.get(name):
                yield f"report/evidence.zip: {name} is not that of this run"
    editions = [name for name in ("report.pdf", SHORT) if (run.report / name).exists()]
    for name in editions:
        yield from _pdf_problems(run.report / name, found, by, html, "report/")
    if pdf is not None:
        yield from _pdf_problems(pdf, found, by, html)
    yield from chain_problems(run)
    if (run.report / STATEMENT).exists():
        files = {"evidence.zip": found.sha256, "report.html": html, **_own(found)}
        yield from by.statement(run.report / STATEMENT, files)
        yield from by.pdf_problems()
    checked += [f"report/evidence.zip: {line}" for line in found.checked]
    unchecked += UNCHECKED[1:]
    checked.append(
        f"{', '.join(editions)}, report.html, findings.json and report/evidence.zip with each other and with the run"
    )


def _own(found: Inspection) -> dict[str, str]:
    return {name: found.files[name] for name in ("plan.json", "findings.json") if name in found.files}


def _pdf_problems(pdf: Path, found: Inspection, by: Attestation, html: str = "", where: str = "") -> Iterator[str]:
    """Whether a PDF is as it was made, and reports the bundle `found` and, if its SHA-256 is given, `report.html`."""
    name = f"{where}{pdf.name}"
    try:
        told = read_attached(pdf)
    except Refused as refused:
        yield f"{name} {refused}"
        return
    evidence = told["evidence"]
    if evidence.get("sha256") != found.sha256:
        yield f"{name} reports another evidence.zip: it names the SHA-256 {str(evidence.get('sha256'))[:64]}"
    elif hashlib.sha256(json_bytes(told.get("findings"))).hexdigest() != found.files.get("findings.json"):
        yield f"{name} carries other findings than evidence.zip"
    if html and told.get("report_html_sha256") != html:
        yield f"{name} was made with another report.html"
    yield from by.pdf(pdf, told, where)[1]


def _changed(path: Path, problems: Sequence[str], sha256: str = "", count: int = 0) -> Verdict:
    told = tuple(cleaned(line) for line in problems[:MOST_LINES])
    return Verdict(path, "changed", told, (), sha256, max(count, len(problems)))
