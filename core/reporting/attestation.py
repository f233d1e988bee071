"""What signatures add to a verdict: who signed a report or a bundle, what it covers, and what nobody signed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import InputError, Refused, missing
from core.reporting.signatures.check import Signature, SignedPdf, read_pdf, read_statement
from core.sandbox.files import named_file

UNSIGNED = (
    "who made it: it has no signature. Whoever can write to it can make all of it again in a consistent way; only a "
    "signature (`python -m core sign`), or a digest that was noted elsewhere (`--sha256`), shows this"
)
NO_ROOTS = "whether the signers are who they say: give the certificates of their issuers with --roots"


@dataclass
class Attestation:
    """The signatures of one verdict, checked against `roots` (certificates in PEM; none: nobody is trusted)."""

    roots: Sequence[str] = ()
    signatures: list[Signature] = field(default_factory=list)
    pdfs: dict[str, SignedPdf] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)

    def pdf(self, path: Path, told: Mapping[str, Any] | None, where: str = "") -> tuple[SignedPdf | None, list[str]]:
        """The PDF at `path`, which carries `told`, and what is wrong with it, one line each."""
        name = f"{where}{path.name}"
        try:
            found = read_pdf(path, self.roots)
        except Refused as refused:
            return None, [f"{name} {refused}"]
        self.signatures += found.signatures
        self.pdfs[name] = found
        return found, list(self._pdf_problems(name, found, told or {}))

    def statement(self, path: Path, files: Mapping[str, str]) -> Iterator[str]:
        """What is wrong with the signed statement at `path` over `files` (SHA-256 by name), one line each."""
        try:
            subjects, signatures = read_statement(path, self.roots)
        except Refused as refused:
            yield f"{path.name} {refused}"
            return
        self.signatures += signatures
        self.subjects = subjects
        yield from _broken(signatures)
        if "evidence.zip" not in subjects:
            yield f"{path.name} does not name evidence.zip"
        for name, sha256 in sorted(files.items()):
            if name in subjects and subjects[name] != sha256:
                yield f"{path.name} was signed for another {name}"

    def pdf_problems(self) -> Iterator[str]:
        """Which PDFs are not the ones that the signed statement names, one line each, once all of them were read."""
        for name, found in self.pdfs.items():
            known = self.subjects.get(unsigned_name(Path(name).name))
            if known and known != found.original_sha256:
                yield f"the statement was signed for another {name}"

    @property
    def untrusted(self) -> list[str]:
        """Why the given roots do not vouch for what was checked, one line each; empty if they do, or without roots."""
        if not self.roots:
            return []
        if not self.signatures:
            return ["nothing is signed, so that the given roots show nothing"]
        named = set(self.subjects.values())
        alone = [
            name for name, found in self.pdfs.items() if not found.signatures and found.original_sha256 not in named
        ]
        return [
            *(f"signed: {each.line(True)}" for each in self.signatures if not each.trusted),
            *(f"{name} is not signed, and no signed statement names it" for name in alone),
        ]

    @property
    def unchecked(self) -> list[str]:
        """What only a signature, or only roots, would show."""
        if not self.signatures:
            return [UNSIGNED]
        return [] if self.roots else [NO_ROOTS]

    @property
    def lines(self) -> list[str]:
        """Who signed, one line each."""
        return [each.line(bool(self.roots)) for each in self.signatures]

    def _pdf_problems(self, name: str, found: SignedPdf, told: Mapping[str, Any]) -> Iterator[str]:
        if not found.carries_digest:
            # Reports have named their version for as long as they have carried a digest.
            if "version" in told:
                yield f"{name} was changed: the digest that it carries of itself is missing"
        elif not found.original:
            yield f"{name} was changed: it is not the file whose digest it carries"
        elif found.size > found.original and not found.signatures:
            yield f"{name} was changed: {found.size - found.original:,} bytes outside any signature were appended"
        yield from _broken(found.signatures)
        if found.signatures and found.original < found.size and not found.signatures[-1].whole:
            yield f"{name} was changed after it was signed: the last signature does not cover all of it"


def unsigned_name(pdf: str) -> str:
    """How a signed statement names a PDF as it was before any signature."""
    return f"{pdf} without signatures"


def given_roots(paths: Sequence[Path]) -> tuple[str, ...]:
    """The certificates in PEM files, one text each. Raises `InputError` for a file without one."""
    if lacks := missing("pyhanko", "sign"):
        raise InputError(f"--roots {lacks}")
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    texts: list[str] = []
    for path in paths:
        try:
            certificates = x509.load_pem_x509_certificates(named_file(path, 2**20))
        except ValueError as error:
            raise InputError(f"--roots {path} contains no certificate in PEM") from error
        texts += [each.public_bytes(Encoding.PEM).decode() for each in certificates]
    return tuple(texts)


def _broken(signatures: Sequence[Signature]) -> Iterator[str]:
    for each in signatures:
        if each.state == "broken":
            yield f"{each.file}: the signature of {each.signer} does not fit what it covers"
        elif each.state == "changed":
            yield f"{each.file} was changed after {each.signer} signed it"
        if each.stamp == "broken":
            yield f"{each.file}: the time stamp of the signature of {each.signer} does not fit it"
