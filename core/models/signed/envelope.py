"""The file `model.sig` as data: a Sigstore bundle with a DSSE envelope around an in-toto statement.

Format: github.com/ossf/model-signing-spec, version 1.0. Nothing in it is believed here; `check` looks at the signature.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from core.errors import Refused

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://model_signing/signature/v1.0"
# Of a bundle of Sigstore, whose minor version does not matter here.
_MEDIA = re.compile(r"application/vnd\.dev\.sigstore\.bundle(\.v0\.\d+\+json|\+json;version=0\.\d+)")
_HEX = re.compile(r"[0-9a-f]{64,128}")
_ALGORITHM = re.compile(r"[a-z0-9-]{3,40}")
MOST_CERTIFICATES, MOST_PARTS = 10, 200_000
# The name of the one part of a signature that covers a single file.
ITSELF = "."


@dataclass(frozen=True)
class Part:
    """A file that the statement names, or the bytes from `start` to `end` of it, with its hash in hex."""

    name: str
    digest: str
    start: int = 0
    end: int | None = None


@dataclass(frozen=True)
class Envelope:
    """What a signature file holds.

    subject, root: the name of the model and the SHA-256 over the hashes of its parts. hashed: the hash function.
    certificates: DER, that of the signer first; empty where a bare key signed, which `hint` names. logged: whether it
    has an entry of a transparency log.
    """

    payload: bytes
    signature: bytes
    certificates: tuple[bytes, ...]
    hint: str
    logged: bool
    subject: str
    root: str
    hashed: str
    parts: tuple[Part, ...]
    ignored: tuple[str, ...]


def opened_envelope(data: bytes) -> Envelope:
    """The content of a `model.sig`. Raises `Refused` if it is none; the text continues its name."""
    try:
        value = json.loads(data)
        if not _MEDIA.fullmatch(str(value["mediaType"])):
            raise Refused(f"is of a form other than a Sigstore bundle ({str(value['mediaType'])[:80]!r})")
        envelope, material = value["dsseEnvelope"], value["verificationMaterial"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        if envelope["payloadType"] != PAYLOAD or len(envelope["signatures"]) != 1:
            raise Refused("contains no in-toto statement with one signature")
        signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        certificates = _certificates(material)
        hint = str((material.get("publicKey") or {}).get("hint") or "")[:128]
        told = json.loads(payload)
        if told["_type"] != STATEMENT or told["predicateType"] != PREDICATE:
            raise Refused(f"contains a statement of another form ({str(told['predicateType'])[:80]!r})")
        (subject,) = told["subject"]
        predicate = told["predicate"]
        serialization = predicate["serialization"]
        parts = tuple(_part(each, serialization["method"]) for each in predicate["resources"])
        hashed = str(serialization["hash_type"])
        ignored = tuple(_inside(str(name)) for name in serialization.get("ignore_paths", ()))
        root = str(subject["digest"]["sha256"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("is damaged: it is not a signature of OpenSSF Model Signing") from error
    if not parts or len(parts) > MOST_PARTS or len({(part.name, part.start) for part in parts}) < len(parts):
        raise Refused("is damaged: it names no file, too many, or one twice")
    if not _ALGORITHM.fullmatch(hashed):
        raise Refused("is damaged: its hash function has no valid name")
    whole = hashlib.sha256(b"".join(bytes.fromhex(part.digest) for part in parts)).hexdigest()
    if whole != root:
        raise Refused("contradicts itself: the hash of its statement does not follow from the files that it names")
    logged = bool(material.get("tlogEntries"))
    return Envelope(
        payload, signature, certificates, hint, logged, str(subject["name"])[:200], root, hashed, parts, ignored
    )


def _certificates(material: dict[str, Any]) -> tuple[bytes, ...]:
    single = material.get("certificate")
    chain = [single] if single else (material.get("x509CertificateChain") or {}).get("certificates", [])
    return tuple(base64.b64decode(each["rawBytes"], validate=True) for each in chain[:MOST_CERTIFICATES])


def _part(told: dict[str, Any], method: str) -> Part:
    name, digest = str(told["name"]), str(told["digest"])
    if not _HEX.fullmatch(digest):
        raise ValueError("no hash")
    if method == "files":
        return Part(name if name == ITSELF else _inside(name), digest)
    if method != "shards":
        raise ValueError("an unknown method")
    path, start, end = name.rsplit(":", 2)
    first, last = int(start), int(end)
    if not 0 <= first < last:
        raise ValueError("no range")
    return Part(path if path == ITSELF else _inside(path), digest, first, last)


def _inside(name: str) -> str:
    """The name of a file below the model's folder. Raises `ValueError` for one that leads elsewhere."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ValueError("a name that leads out of the folder")
    return path.as_posix()
