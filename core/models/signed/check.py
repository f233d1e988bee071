"""Whether the signature in a `model.sig` fits its statement, and who vouches for it. Offline; runs in a child."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from core.errors import Refused, missing
from core.models.signed.envelope import PAYLOAD, Envelope, opened_envelope

_CERTIFICATE = "CERTIFICATE-----"


def check_signature(data: bytes, signers: list[str]) -> tuple[Any, bytes]:
    """The task: `data` is a `model.sig`, `signers` are public keys and certificates in PEM that are trusted.

    Gives what the file says of files and signer, whether the signature fits (None where the key that made it is not
    known), and why no given signer vouches for it. Raises `Refused`; the text continues the file's name.
    """
    envelope = opened_envelope(data)
    scheme = "certificate" if envelope.certificates else "key"
    told = {"scheme": scheme, "signer": "", "signer_sha256": "", "hint": envelope.hint, "fits": None}
    if lacks := missing("pyhanko", "sign"):
        told |= {"why": f"the check of a signature {lacks}"}
    elif envelope.certificates:
        told |= _by_certificate(envelope, [each for each in signers if _CERTIFICATE in each])
    else:
        told |= _by_key(envelope, _keys(signers))
    value = {
        "subject": envelope.subject,
        "root_sha256": envelope.root,
        "hash": envelope.hashed,
        "logged": envelope.logged,
        "ignored": list(envelope.ignored),
        "parts": [[part.name, part.digest, part.start, part.end] for part in envelope.parts],
        **told,
    }
    return value, b""


def _by_key(envelope: Envelope, keys: Sequence[Any]) -> dict[str, Any]:
    by = next((key for key in keys if _fits(key, envelope)), None)
    named = next((key for key in keys if _hint(key) == envelope.hint), None)
    if by is not None:
        return {"signer_sha256": _key_digest(by), "fits": True, "why": ""}
    # The very key that it names did not make it; of a key that is not known nothing can be said.
    return {"fits": False if named else None, "why": "no given key made it" if keys else "no key was given"}


def _by_certificate(envelope: Envelope, roots: Sequence[str]) -> dict[str, Any]:
    from asn1crypto import x509 as plain
    from cryptography import x509

    try:
        key = x509.load_der_x509_certificate(envelope.certificates[0]).public_key()
        chain = [plain.Certificate.load(each) for each in envelope.certificates]
        told = {
            "scheme": "transparency log" if envelope.logged else "certificate",
            "signer": _name(chain[0]),
            "signer_sha256": chain[0].sha256.hex(),
        }
    except (ValueError, TypeError, KeyError) as error:
        raise Refused("is damaged: it holds something else than a certificate") from error
    if not _fits(key, envelope):
        return {**told, "fits": False, "why": "it was made by another key than that of its certificate"}
    if envelope.logged:
        # Its certificate is valid for minutes, and the log alone shows that the key signed in these.
        return {**told, "fits": True, "why": "the transparency log, which shows when it was made, is not asked offline"}
    return {**told, "fits": True, "why": _untrusted(chain, roots)}


def _fits(key: Any, envelope: Envelope) -> bool:
    """Whether a public key verifies the envelope: ECDSA with the hash of the curve's size, as the format lays down."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from securesystemslib.dsse import Envelope as Dsse

    kinds = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.key_size not in kinds:
        return False
    try:
        key.verify(envelope.signature, Dsse(envelope.payload, PAYLOAD, {}).pae(), ec.ECDSA(kinds[key.curve.key_size]))
    except InvalidSignature:
        return False
    return True


def _untrusted(chain: Sequence[Any], roots: Sequence[str]) -> str:
    """Why no root issued the first certificate for signing; empty if one did.

    The time of the signature is not known, so that the certificate is judged at the time from which it was valid, as
    the format lays down. Nothing is fetched: a revocation is not seen.
    """
    from asn1crypto import pem, x509
    from pyhanko_certvalidator import CertificateValidator, ValidationContext

    if not roots:
        return "no certificate of an issuer was given"
    trusted = [x509.Certificate.load(pem.unarmor(each.encode())[2]) for each in roots]
    try:
        context = ValidationContext(
            trust_roots=trusted,
            moment=chain[0]["tbs_certificate"]["validity"]["not_before"].native,
            allow_fetching=False,
            revocation_mode="soft-fail",
        )
        validator = CertificateValidator(chain[0], list(chain[1:]), validation_context=context)
        asyncio.run(validator.async_validate_usage({"digital_signature"}))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's certificate may be wrong in any way
        return f"no given certificate issued it ({type(error).__name__})"
    return ""


def _keys(signers: Sequence[str]) -> list[Any]:
    """The public keys among what was given; `signers_in` has checked them."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return [load_pem_public_key(each.encode()) for each in signers if _CERTIFICATE not in each]


def _hint(key: Any) -> str:
    """How the format names a key: the SHA-256 of its PEM."""
    import hashlib

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _key_digest(key: Any) -> str:
    import hashlib

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _name(certificate: Any) -> str:
    """Whose certificate it is: the name of its subject, or the address or URI that it was issued to."""
    named = certificate.subject.native
    told = named.get("common_name") or named.get("organization_name")
    if told:
        return str(told)[:200]
    other = certificate.subject_alt_name_value
    return str(other.native[0])[:200] if other is not None and len(other) else "a certificate without a name"
