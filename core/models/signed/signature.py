"""What is known of a model's signature, as a manifest keeps it, and who vouches for it. No torch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from core.errors import InputError, ModelError, Refused, missing
from core.languages import say
from core.models.signed.check import check_signature
from core.sandbox import Allowance, Failure, call
from core.sandbox.files import named_file

SIGNATURE = "model.sig"
# The public keys and certificates of issuers that an audit trusts, kept in its run.
SIGNERS = "model_signers.pem"
MOST_BYTES = 64 * 2**20
_BLOCK = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----.*?-----END [A-Z0-9 ]+-----\n?", re.DOTALL)
State = Literal["none", "verified", "unverified", "uncovered", "unreadable"]
STATES: dict[State, str] = {
    "none": "the model has no signature (model.sig)",
    "verified": "verified: every file is as it was signed, and a given key or issuer vouches for the signer",
    "unverified": "not verified: every file is as the signature names it, but no given key or issuer vouches for it",
    "uncovered": "does not cover the model: files that it is made of lie elsewhere",
    "unreadable": "not checked: the hashes of its files cannot be computed here",
}  # messages


@dataclass(frozen=True)
class ModelSignature:
    """The signature of a model and what was found.

    scheme: "key", "certificate" or "transparency log". signer: the name in the certificate; empty for a bare key.
    signer_sha256: of the certificate, or of the key where it is known. root_sha256: what the statement is about.
    files: how many files or shards it names. why: why it is not verified. data: the bytes of `model.sig`.
    """

    state: State
    scheme: str
    signer: str
    signer_sha256: str
    subject: str
    root_sha256: str
    hash: str
    files: int
    file_sha256: str
    why: str = ""
    data: bytes = field(default=b"", repr=False)

    def told(self) -> dict[str, Any]:
        """As plain values, for a manifest."""
        return {name: value for name, value in vars(self).items() if name != "data"}

    def uncovered(self, names: str) -> ModelSignature:
        """The same where files of the model are not among those that were signed."""
        return replace(self, state="uncovered", why=f"not among the signed files: {names}")

    def unreadable(self, why: str) -> ModelSignature:
        """The same where its files cannot be compared."""
        return replace(self, state="unreadable", why=why)


def checked_signature(data: bytes, signers: Sequence[str] = ()) -> tuple[ModelSignature, dict[str, Any]]:
    """What a `model.sig` says, with `signers` (PEM) that are trusted, and the parts that it names.

    No file is looked at. Raises `Refused`, whose text continues its name, for one that cannot be read, and for a
    signature that does not fit.
    """
    allowance = Allowance(seconds=60 + len(data) / 1e6, wall=600)
    try:
        told: dict[str, Any] = call(check_signature, list(signers), data=data, allowance=allowance).value
    except Failure as failure:
        raise Refused(f"cannot be checked ({failure.name or failure.kind})") from failure
    if told["fits"] is False:
        raise Refused("is broken: the signature does not fit its statement")
    return found_signature(data, told), told


def found_signature(data: bytes, told: Mapping[str, Any]) -> ModelSignature:
    """What `check_signature` told of the bytes of a `model.sig`."""
    verified = told["fits"] and not told["why"]
    return ModelSignature(
        state="verified" if verified else "unverified",
        scheme=told["scheme"],
        signer=told["signer"],
        signer_sha256=told["signer_sha256"] or told["hint"],
        subject=told["subject"],
        root_sha256=told["root_sha256"],
        hash=told["hash"],
        files=len(told["parts"]),
        file_sha256=hashlib.sha256(data).hexdigest(),
        why=told["why"],
        data=data,
    )


def vouched(signature: ModelSignature | None, signers: Sequence[str]) -> ModelSignature | None:
    """The signature judged by the `signers` of an audit; with none of them it stays as it is.

    Raises `ModelError` if they do not vouch for the model: who names them requires its signature.
    """
    if not signers:
        return signature
    if signature is None:
        raise ModelError(f"the model has no {SIGNATURE}, and --model-signers requires one; leave it out to audit it so")
    if signature.state in ("uncovered", "unreadable"):
        raise ModelError(f"{SIGNATURE} does not cover this model ({signature.why}); use the files as signed")
    try:
        found, _ = checked_signature(signature.data, signers)
    except Refused as refused:
        raise ModelError(f"{SIGNATURE} {refused}; obtain the model again") from refused
    if found.state != "verified":
        raise ModelError(
            f"the {SIGNATURE} of the model was not made by a signer that --model-signers names ({found.why}); check "
            "the keys and certificates given"
        )
    return found


def given_signers(paths: Sequence[Path]) -> tuple[str, ...]:
    """The public keys and certificates in PEM files, one text each. Raises `InputError` for a file without one."""
    found: list[str] = []
    for path in paths:
        found += signers_in(named_file(path, 2**20), f"--model-signers {path}")
    return tuple(found)


def signers_of(folder: Path) -> tuple[str, ...]:
    """The public keys and certificates that the audit in a folder trusts; empty if it was given none."""
    path = folder / SIGNERS
    return tuple(signers_in(named_file(path, 2**20), SIGNERS)) if path.exists() else ()


def signers_in(data: bytes, name: str) -> list[str]:
    """The public keys and certificates in PEM, one text each. Raises `InputError` if there is none."""
    if lacks := missing("cryptography", "sign"):
        raise InputError(f"--model-signers {lacks}")
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    found = []
    try:
        for block in _BLOCK.findall(data):
            if b"CERTIFICATE-----" in block:
                found.append(x509.load_pem_x509_certificate(block).public_bytes(Encoding.PEM))
            else:
                key = load_pem_public_key(block)
                found.append(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{name} contains a block that is neither a public key nor a certificate") from error
    if not found:
        raise InputError(f"{name} contains neither a public key nor a certificate in PEM")
    return [each.decode() for each in found]


def signer_line(told: Mapping[str, Any]) -> str:
    """Who signed a model, by the values of a manifest."""
    by = str(told.get("signer") or "")
    named = say("{name}, by certificate", name=by) if by else say("the holder of a key")
    if told.get("scheme") == "transparency log":
        named = say("{name}, by a short-lived certificate; the transparency log was not asked", name=by)
    return f"{named} (SHA-256 {str(told.get('signer_sha256') or say('not given'))[:16]}\u2026)"
