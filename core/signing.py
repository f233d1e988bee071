"""The command that signs: PAdES in both editions of a sealed run's report, and an in-toto statement over its bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.drafts import write_whole
from core.errors import InputError, RunError, missing
from core.run_commands import Answer, find_run
from core.runs import Run, load_seal
from core.runs.results import file_sha256
from core.runs.review import load_review, standing
from core.runs.seal import seal

# Files of a report that a statement names beside the PDF.
SUBJECTS = ("evidence.zip", "report.html", "findings.json")


def sign_arguments(parser: argparse.ArgumentParser) -> None:
    """What `sign` takes."""
    parser.add_argument("run_directory", help="run directory or id")
    parser.add_argument(
        "--as",
        dest="role",
        choices=("preparer", "reviewer", "approver"),
        default="preparer",
        help="the field that is signed (default: preparer)",
    )
    parser.add_argument("--pkcs12", type=Path, metavar="FILE", help="a file with key and certificates (.p12, .pfx)")
    parser.add_argument("--key", type=Path, metavar="PEM", help="a private key, with --certificate")
    parser.add_argument(
        "--certificate", type=Path, metavar="PEM", help="the certificate of --key, then those of its issuers"
    )
    parser.add_argument("--pkcs11", type=Path, metavar="LIBRARY", help="the PKCS #11 library of a token")
    parser.add_argument("--token", default="", help="label of the token")
    parser.add_argument("--label", default="", help="label of the certificate and its key on the token")
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="a file whose first line opens the key or the token"
    )
    parser.add_argument("--reason", default="", help="reason of the signature, as PDF readers show it")
    parser.add_argument(
        "--timestamp-url", default="", metavar="URL", help="server (RFC 3161) from which a time stamp is requested"
    )


def sign(chosen: argparse.Namespace) -> Answer:
    """Sign both editions of the report in the field of a role, sign the bundle, and seal the run again.

    The signature is appended to each PDF: what was there stays as it is, earlier signatures included. Nothing is
    signed in a run that is not sealed or was changed since.
    """
    if lacks := missing("pyhanko", "sign"):
        raise InputError(f"a signature {lacks}")
    from core.reporting.attestation import unsigned_name
    from core.reporting.signatures.credentials import Credentials
    from core.reporting.signatures.field import ROWS
    from core.reporting.signatures.pades import signed_pdf, signer_name
    from core.reporting.signatures.statement import STATEMENT, signed_statement, statement

    run = find_run(chosen.run_directory)
    _check(run)
    credentials = Credentials(
        pkcs12=chosen.pkcs12,
        key=chosen.key,
        certificate=chosen.certificate,
        pkcs11=chosen.pkcs11,
        token=chosen.token,
        label=chosen.label,
        passphrase=chosen.passphrase_file,
    )
    attested = run.report / STATEMENT
    # A report of an earlier version has no stakeholder edition.
    editions = {run.report / name: row for name, row in ROWS.items() if (run.report / name).is_file()}
    with credentials.signer() as signer:
        asked = {"role": chosen.role, "reason": chosen.reason, "timestamp_url": chosen.timestamp_url}
        subjects = {name: file_sha256(run.report / name) for name in SUBJECTS}
        signed = {}
        for path, row in editions.items():
            data = path.read_bytes()
            signed[path] = signed_pdf(data, signer, row=row, **asked)
            subjects[unsigned_name(path.name)] = _original(path.name, data)
        payload = statement(subjects, _about(run))
        line = signed_statement(payload, signer, attested.read_bytes() if attested.exists() else b"")
        who = signer_name(signer.signing_cert)
    for path, content in signed.items():
        write_whole(path, content)
    write_whole(attested, line)
    digest = seal(run)
    paths = [str(path) for path in editions]
    lines = [*paths, str(attested), f"signed as {chosen.role} by {who}; the run was sealed again", f"sha256: {digest}"]
    note = _unlike_log(run, chosen.role)
    told = {"report": paths[0], "editions": paths, "statement": str(attested), "signer": who, "seal": digest}
    return {"text": "\n".join([*lines, *note]), "data": told | {"notes": note}}, 0


def _unlike_log(run: Run, role: str) -> list[str]:
    """Where the review log does not say what a signature in a role says, in a line."""
    from core.reporting.signatures.field import ENTERED

    now = standing(load_review(run))
    if role == "preparer" or getattr(now, ENTERED[role]) is not None:
        return []
    return [
        f"note: the review log has version {now.version} as {now.status}, and so does the cover of the report; "
        f"`python -m core review` enters that it was {ENTERED[role]}, and the report is signed after that"
    ]


def _check(run: Run) -> None:
    """Raises `RunError` if the run is not sealed, has no report, or is not as it was sealed."""
    from core.reporting.verdict import verify_run

    if load_seal(run) is None:
        raise RunError(f"{run.handle} is not sealed; only the report of a run that has ended can be signed")
    if not (run.report / "report.pdf").is_file():
        raise RunError(f"{run.handle} has no report; `python -m core report {run.handle}` makes it")
    verdict = verify_run(run)
    if verdict.outcome != "sound":
        raise RunError(f"{run.handle} is not as it was sealed and is not signed: {verdict.problems[0]}")


def _original(name: str, data: bytes) -> str:
    """The SHA-256 of the PDF as it was before any signature. Raises `InputError` for one of an earlier version."""
    import hashlib

    from core.reporting.pdf_digest import original_length

    length = original_length(data)
    if not length:
        raise InputError(f"{name} is of an earlier version of Loupe; `python -m core report` makes one to sign")
    return hashlib.sha256(data[:length]).hexdigest()


def _about(run: Run) -> dict[str, Any]:
    from core.reporting.versions import latest

    manifest = run.public_manifest
    return {
        "run": run.id,
        "plan": run.plan.digest,
        "dataset": run.plan.dataset,
        "model": manifest.get("model", {}).get("digest", ""),
        "loupe": manifest.get("environment", {}).get("loupe", ""),
        "report_version": latest(run).number,
    }
