"""A signer of model folders for tests: the format of OpenSSF Model Signing, with a key that lives in the test alone."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PAYLOAD = "application/vnd.in-toto+json"


class ModelSigner:
    """A key on the curve P-256."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, folder: Path, names: Sequence[str] | None = None) -> Path:
        """Sign the files of a folder (or those `names`); the path of the signature."""
        listed = names or sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        digests = {name: hashlib.sha256((folder / name).read_bytes()) for name in listed if name != "model.sig"}
        root = hashlib.sha256(b"".join(digest.digest() for digest in digests.values())).hexdigest()
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": folder.name, "digest": {"sha256": root}}],
            "predicateType": "https://model_signing/signature/v1.0",
            "predicate": {
                "serialization": {
                    "method": "files",
                    "hash_type": "sha256",
                    "allow_symlinks": False,
                    "ignore_paths": [],
                },
                "resources": [
                    {"name": name, "digest": digest.hexdigest(), "algorithm": "sha256"}
                    for name, digest in digests.items()
                ],
            },
        }
        payload = json.dumps(statement).encode()
        encoded = f"DSSEv1 {len(PAYLOAD)} {PAYLOAD} {len(payload)} ".encode() + payload
        raw = self._key.sign(encoded, ec.ECDSA(hashes.SHA256()))
        bundle = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": hashlib.sha256(self.pem).hexdigest()}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": PAYLOAD,
                "signatures": [{"sig": base64.b64encode(raw).decode(), "keyid": ""}],
            },
        }
        (folder / "model.sig").write_text(json.dumps(bundle))
        return folder / "model.sig"
