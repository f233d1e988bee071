"""A signed statement over an evidence bundle: in-toto Statement v1 in a DSSE envelope, one JSON line."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

from core.errors import Refused
from core.reporting.signatures.pades import digest_of

STATEMENT = "bundle.intoto.jsonl"
PAYLOAD = "application/vnd.in-toto+json"
TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:loupe:audit-evidence:v1"


def statement(subjects: Mapping[str, str], about: Mapping[str, Any]) -> bytes:
    """The statement that files with these names have these SHA-256, and what they are about."""
    listed = [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in sorted(subjects.items())]
    value = {"_type": TYPE, "subject": listed, "predicateType": PREDICATE, "predicate": dict(about)}
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def signed_statement(payload: bytes, signer: Any, earlier: bytes = b"") -> bytes:
    """The line of the envelope. Signatures over the same payload in the envelope `earlier` are kept."""
    from asn1crypto import pem
    from securesystemslib.dsse import Envelope

    envelope = Envelope(payload, PAYLOAD, {})
    raw = asyncio.run(signer.async_sign_raw(envelope.pae(), digest_of(signer)))
    chain = [signer.signing_cert, *(each for each in signer.cert_registry if each != signer.signing_cert)]
    texts = [pem.armor("CERTIFICATE", each.dump()).decode() for each in chain]
    entry = {"keyid": key_id(signer.signing_cert), "sig": base64.b64encode(raw).decode(), "certificates": texts}
    kept = []
    if earlier:
        old = opened_envelope(earlier)
        kept = [each for each in old["signatures"] if each.get("keyid") != entry["keyid"]]
        kept = kept if base64.b64decode(old["payload"]) == payload else []
    value = {"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD, "signatures": [*kept, entry]}
    return (json.dumps(value, sort_keys=True) + "\n").encode()


def opened_envelope(data: bytes) -> dict[str, Any]:
    """The one envelope of a file. Raises `Refused` if it is none; the text continues its name."""
    try:
        value = json.loads(data)
        base64.b64decode(value["payload"], validate=True)
        fine = value["payloadType"] == PAYLOAD and isinstance(value["signatures"], list)
        fine = fine and all(isinstance(each, dict) for each in value["signatures"]) and bool(value["signatures"])
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise Refused("is not a DSSE envelope with an in-toto statement") from error
    if not fine:
        raise Refused("is not a DSSE envelope with an in-toto statement")
    return dict(value)


def key_id(certificate: Any) -> str:
    """The SHA-256 of a certificate's public key, in hex: how an envelope names a key."""
    import hashlib

    return hashlib.sha256(certificate.public_key.dump()).hexdigest()
