"""Checking signatures that anybody may have made: offline, against given roots, in a child with limits."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from core.content.words import plural
from core.errors import Refused, missing
from core.reporting.pdf_digest import carries_digest, original_length
from core.reporting.signatures.field import ROLES
from core.reporting.signatures.pades import signer_name
from core.reporting.signatures.statement import TYPE, key_id, opened_envelope
from core.sandbox import Allowance, Failure, call
from core.sandbox.files import opened, read_file
from core.settings import LIMITS

_MOST_SIGNATURES, _MOST_CERTIFICATES = 16, 10
# Who looks for later changes compares every object of the document, one signature after the other.
_SECONDS, _BYTES_A_SECOND = 120, 5e4
State = Literal["valid", "broken", "changed"]
Stamp = Literal["", "trusted", "untrusted", "broken"]
_STAMPS: dict[Stamp, str] = {
    "": "by the clock of the signer",
    "trusted": "by time stamp",
    "untrusted": "by the clock of the signer; its time stamp was not issued by a given root",
    "broken": "by the clock of the signer; its time stamp does not fit it",
}


@dataclass(frozen=True)
class Signature:
    """One signature: whose it is by its certificate, and what was found.

    `state` is valid if it fits what it covers and nothing was changed afterwards, except that further signatures were
    added; `trusted` says whether one of the given roots issued the certificate, and `why` why not; `whole` whether
    nothing was added afterwards. `stamp` says what its time stamp is, if it has one; `time` is of a trusted one only.
    `role` is that of the field of a report in which it stands.
    """

    file: str
    signer: str
    certificate_sha256: str
    state: State
    covers: str
    time: str = ""
    stamp: Stamp = ""
    trusted: bool = False
    why: str = ""
    whole: bool = True
    role: str = ""

    def line(self, roots: bool) -> str:
        """What a person reads; `roots` says whether roots were given."""
        when = f" on {self.time} ({_STAMPS[self.stamp]})" if self.time else ""
        told = f"{self.file} by {self.signer}{when}; it covers {self.covers}"
        if not roots:
            return f"{told}; certificate SHA-256 {self.certificate_sha256}"
        return f"{told}; {'issued by a given root' if self.trusted else f'not issued by a given root ({self.why})'}"


@dataclass(frozen=True)
class SignedPdf:
    """A PDF: how many of its bytes are as they were rendered (0 if it was changed), and its signatures."""

    size: int
    original: int
    carries_digest: bool
    original_sha256: str
    signatures: tuple[Signature, ...]


def read_pdf(path: Path, roots: Sequence[str] = ()) -> SignedPdf:
    """What a PDF says of itself and who signed it; `roots` are certificates in PEM.

    Raises `Refused` if it cannot be read; the text continues its name.
    """
    value = _asked(check_pdf, path, roots)
    return SignedPdf(**{**value, "signatures": tuple(Signature(**each) for each in value["signatures"])})


def read_statement(path: Path, roots: Sequence[str] = ()) -> tuple[dict[str, str], tuple[Signature, ...]]:
    """The SHA-256 that a signed statement gives for files by name, and who signed it. Raises `Refused`."""
    value = _asked(check_statement, path, roots)
    return value["subjects"], tuple(Signature(**each) for each in value["signatures"])


def _asked(task: Any, path: Path, roots: Sequence[str]) -> Any:
    with opened(path) as (_, size):
        seconds = _SECONDS + size / _BYTES_A_SECOND
    allowance = Allowance(seconds=seconds, wall=10 * seconds)
    try:
        return call(task, str(path.absolute()), list(roots), allowance=allowance).value
    except Failure as failure:
        raise Refused(f"has signatures that cannot be checked ({failure.name or failure.kind})") from failure


def check_pdf(data: bytes, path: str, roots: list[str]) -> tuple[Any, bytes]:
    """The task of `read_pdf`, in a child."""
    import hashlib
    from io import BytesIO

    content = read_file(path, LIMITS.bundle_bytes)
    length = original_length(content)
    signatures = []
    if b"/ByteRange" in content or b"/Sig" in content:
        if lacks := missing("pyhanko", "sign"):
            raise Refused(f"may be signed, and the check of a signature {lacks}")
        from pyhanko.pdf_utils.misc import PdfError
        from pyhanko.pdf_utils.reader import PdfFileReader

        try:
            embedded = list(PdfFileReader(BytesIO(content)).embedded_regular_signatures)
        except (PdfError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise Refused("is not a readable PDF") from error
        if len(embedded) > _MOST_SIGNATURES:
            raise Refused(f"has more than {_MOST_SIGNATURES} signatures")
        signatures = [_pdf_signature(each, Path(path).name, roots) for each in embedded]
    return {
        "size": len(content),
        "original": length,
        "carries_digest": carries_digest(content),
        "original_sha256": hashlib.sha256(content[:length]).hexdigest() if length else "",
        "signatures": [asdict(each) for each in signatures],
    }, b""


def _pdf_signature(embedded: Any, file: str, roots: list[str]) -> Signature:
    from pyhanko.sign.diff_analysis import ModificationLevel
    from pyhanko.sign.validation import async_validate_pdf_signature
    from pyhanko.sign.validation.settings import KeyUsageConstraints
    from pyhanko.sign.validation.status import SignatureCoverageLevel

    usage = KeyUsageConstraints(key_usage={"digital_signature", "non_repudiation"}, match_all_key_usages=False)
    certificate = embedded.signer_cert
    about = {"file": file, "signer": signer_name(certificate), "certificate_sha256": certificate.sha256.hex()}
    about["role"] = {role.field: name for name, role in ROLES.items()}.get(str(embedded.field_name), "")
    try:
        found = asyncio.run(async_validate_pdf_signature(embedded, _context(roots), key_usage_settings=usage))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's signature may be wrong in any way
        return Signature(**about, state="broken", covers="nothing that can be checked", why=type(error).__name__)
    whole = found.coverage == SignatureCoverageLevel.ENTIRE_FILE
    later = found.modification_level or ModificationLevel.NONE
    kept = found.coverage >= SignatureCoverageLevel.ENTIRE_REVISION and later <= ModificationLevel.FORM_FILLING
    state: State = "valid" if kept and found.docmdp_ok else "changed"
    if not (found.intact and found.valid):
        state = "broken"
    stamped = found.timestamp_validity
    stamp = _stamp(stamped)
    time = stamped.timestamp if stamped is not None and stamp == "trusted" else found.signer_reported_dt
    return Signature(
        **about,
        state=state,
        covers="the whole document" if whole else "the document before a later signature was added",
        time=time.strftime("%Y-%m-%d %H:%M UTC%z").replace("UTC+0000", "UTC") if time else "",
        stamp=stamp,
        trusted=bool(found.trusted),
        whole=whole,
        why="" if found.trusted else _why(found.trust_problem_indic),
    )


def _stamp(found: Any) -> Stamp:
    if found is None:
        return ""
    if not (found.intact and found.valid):
        return "broken"
    return "trusted" if found.trusted else "untrusted"


def check_statement(data: bytes, path: str, roots: list[str]) -> tuple[Any, bytes]:
    """The task of `read_statement`, in a child."""
    if lacks := missing("pyhanko", "sign"):
        raise Refused(f"is signed, and the check of a signature {lacks}")
    envelope = opened_envelope(read_file(path, 2**20))
    payload = base64.b64decode(envelope["payload"])
    try:
        told = json.loads(payload)
        subjects = {str(each["name"]): str(each["digest"]["sha256"]) for each in told["subject"]}
        fine = told["_type"] == TYPE
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise Refused("contains a statement of another form") from error
    if not fine or len(envelope["signatures"]) > _MOST_SIGNATURES:
        raise Refused("contains a statement of another form")
    file = Path(path).name
    signatures = [_statement_signature(each, envelope, payload, file, roots) for each in envelope["signatures"]]
    return {"subjects": subjects, "signatures": [asdict(each) for each in signatures]}, b""


def _statement_signature(
    entry: dict[str, Any], envelope: dict[str, Any], payload: bytes, file: str, roots: list[str]
) -> Signature:
    from cryptography import x509
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
    from securesystemslib.signer import Signature as Raw
    from securesystemslib.signer import SSlibKey

    texts = [str(each) for each in entry.get("certificates", [])][:_MOST_CERTIFICATES]
    try:
        certificates = [x509.load_pem_x509_certificate(each.encode()) for each in texts]
        parsed = [_parsed(each) for each in texts]
        certificate = parsed[0]
    except (ValueError, IndexError) as error:
        raise Refused("has a signature without a certificate") from error
    # PKCS #1 v1.5 is what `Credentials` sign with; the library expects PSS of RSA keys.
    scheme = "rsa-pkcs1v15-sha256" if certificate.public_key.algorithm == "rsa" else None
    key = SSlibKey.from_crypto(certificates[0].public_key(), key_id(certificate), scheme)
    about = {"file": file, "signer": signer_name(certificate), "certificate_sha256": certificate.sha256.hex()}
    covers = f"{plural(len(json.loads(payload)['subject']), 'file')} by SHA-256"
    try:
        raw = base64.b64decode(str(entry.get("sig")), validate=True).hex()
        key.verify_signature(Raw(key.keyid, raw), Envelope(payload, envelope["payloadType"], {}).pae())
    except (UnverifiedSignatureError, VerificationError, ValueError):
        return Signature(**about, state="broken", covers=covers)
    why = _untrusted(certificate, parsed[1:], roots)
    return Signature(**about, state="valid", covers=covers, trusted=not why, why=why)


def _untrusted(certificate: Any, others: list[Any], roots: list[str]) -> str:
    """Why a certificate is not issued by one of the roots for signing; empty if it is."""
    from pyhanko_certvalidator import CertificateValidator

    validator = CertificateValidator(certificate, others, validation_context=_context(roots))
    try:
        asyncio.run(validator.async_validate_usage({"digital_signature"}))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's certificate may be wrong in any way
        return type(error).__name__
    return ""


def _context(roots: list[str]) -> Any:
    from pyhanko_certvalidator import ValidationContext

    return ValidationContext(trust_roots=[_parsed(each) for each in roots], allow_fetching=False)


def _parsed(text: str) -> Any:
    from asn1crypto import pem, x509

    return x509.Certificate.load(pem.unarmor(text.encode())[2])


def _why(indication: Any) -> str:
    return str(getattr(indication, "name", None) or "no path to a root").replace("_", " ").lower()
