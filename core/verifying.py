"""The command that checks whether a run, an evidence bundle or a report is unchanged, and who signed it."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from core.datasets.names import printable
from core.errors import InputError, Refused
from core.run_commands import Answer
from core.runs import Run, open_run
from core.runs.seal import SEAL
from core.sandbox.files import head


def verify_arguments(parser: argparse.ArgumentParser) -> None:
    """What `verify` takes."""
    parser.add_argument("path", type=Path, help="run directory, evidence.zip or report.pdf")
    parser.add_argument("--sha256", metavar="HEX", help="the SHA-256 noted earlier, of the seal, the bundle or the PDF")
    parser.add_argument(
        "--pdf", type=Path, metavar="REPORT", help="a report.pdf that must belong to this run or bundle"
    )
    parser.add_argument(
        "--roots",
        type=Path,
        nargs="+",
        default=[],
        metavar="PEM",
        help="certificates of the issuers that are trusted; signatures are required and checked against them, offline",
    )


def verify(chosen: argparse.Namespace) -> Answer:
    """Check a run against its seal and its own records, an evidence bundle or the PDF of a report against itself.

    Exit code 0 only if all of it is sound; 1 if anything is missing, changed or added, or if a run is not sealed.
    """
    from core.reporting.attestation import given_roots
    from core.reporting.verdict import verify_bundle, verify_pdf, verify_run

    sha256 = (chosen.sha256 or "").strip().lower()
    if chosen.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise InputError("--sha256 takes the 64 hex digits that `verify` or a report prints")
    if chosen.pdf is not None and not chosen.pdf.is_file():
        raise InputError(f"--pdf {printable(str(chosen.pdf))} is not a file; give the report.pdf that names the bundle")
    roots = given_roots(chosen.roots)
    if chosen.path.is_dir():
        # A run whose plan is damaged or gone still has its seal, which says what it was.
        sealed = os.path.lexists(chosen.path / SEAL)
        run = Run(chosen.path) if sealed else open_run(chosen.path)
        verdict = verify_run(run, sha256=sha256, pdf=chosen.pdf, roots=roots)
    elif is_pdf(chosen.path):
        if chosen.pdf is not None:
            raise InputError("give the bundle first: `verify evidence.zip --pdf report.pdf`")
        verdict = verify_pdf(chosen.path, sha256=sha256, roots=roots)
    elif os.path.lexists(chosen.path):
        verdict = verify_bundle(chosen.path, sha256=sha256, pdf=chosen.pdf, roots=roots)
    else:
        told = printable(str(chosen.path))
        raise InputError(f"{told} does not exist; give a run directory, an evidence.zip or a report.pdf")
    return {"text": verdict.text, "data": verdict.data}, 0 if verdict.outcome == "sound" else 1


def is_pdf(path: Path) -> bool:
    """Whether a regular file begins as a PDF does."""
    try:
        return head(path, 5) == b"%PDF-"
    except Refused:
        return False
