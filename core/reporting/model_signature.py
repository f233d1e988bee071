"""The signature of the audited model: what the report prints of it, and whether a bundle has it as it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.content.parts import Fact
from core.content.words import plural
from core.errors import InputError, Refused
from core.languages import say
from core.models.signed.check import check_signature
from core.models.signed.signature import (
    MOST_BYTES,
    SIGNATURE,
    SIGNERS,
    STATES,
    found_signature,
    signer_line,
    signers_in,
)
from core.reporting.binding import Content
from core.reporting.bundle import OpenBundle, plain_values


def signature_facts(model: Mapping[str, Any]) -> tuple[Fact, ...]:
    """What the chapter on the subject prints; nothing for a run of an earlier version, which did not look."""
    told = model.get("signature")
    if not told:
        return ()
    state = say(STATES[told["state"]])
    state = f"{state[0].upper()}{state[1:]}"
    if told["state"] == "none":
        return (Fact("Signature of the model", f"{state}."),)
    why = f" ({told['why']})" if told["why"] else ""
    parts = plural(told["files"], "file or part of a file", "files and parts of files")
    return (
        Fact("Signature of the model", say("{state}{why}. It names {parts}.", state=state, why=why, parts=parts)),
        Fact("Signed by", signer_line(told)),
        Fact("Signed content, SHA-256", told["root_sha256"], code=True),
    )


def signature_problems(bundle: OpenBundle, content: Content, checked: list[str]) -> list[str]:
    """Whether the manifest tells of the model's signature what the one in the bundle says, one line each.

    The files of the model are not in the bundle: that they are those which were signed is what the audit found; of
    weights in one file, their hash is compared with the one that was signed.
    """
    model = plain_values(content.manifest.get("model"))
    told = plain_values(model.get("signature"))
    here = SIGNATURE in bundle.names
    if told.get("state", "none") == "none":
        return [f"{SIGNATURE} belongs to no model of manifest.json"] if here else []
    if not here:
        return [f"{SIGNATURE}, which manifest.json names, is missing"]
    try:
        signers = signers_in(bundle.read(SIGNERS, 2**20), SIGNERS) if SIGNERS in bundle.names else []
        data = bundle.read(SIGNATURE, MOST_BYTES)
        value, _ = check_signature(data, signers)
        if value["fits"] is False:
            raise Refused("is broken: the signature does not fit its statement")
    except Refused as refused:
        return [f"{SIGNATURE} {refused}"]
    except InputError as error:
        return [str(error)]
    found = found_signature(data, value).told()
    found |= {name: told.get(name) for name in ("state", "why") if told.get("state") in ("uncovered", "unreadable")}
    problems = [
        f"the signature in manifest.json is not what {SIGNATURE} says: {name}"
        for name in found
        if found[name] != told.get(name)
    ]
    digests = {digest for _, digest, _, end in value["parts"] if end is None}
    weights = model.get("weights_sha256")
    # Of shards that an index lists, and of a pair of towers, the manifest has a hash over the list.
    covered = told.get("state") in ("verified", "unverified") and value["hash"] == "sha256"
    if covered and digests and len(model_files(value)) == 1 and weights not in digests:
        problems.append(f"the weights of manifest.json are not those that {SIGNATURE} names")
    checked.append(f"the signature of the model, by {signer_line(told)}: {STATES[found['state']].partition(':')[0]}")
    return problems


def model_files(value: Mapping[str, Any]) -> list[str]:
    """The files of weights among those that a signature names."""
    return [name for name, *_ in value["parts"] if name.endswith((".safetensors", ".pt", ".bin", ".pth", ".onnx"))]
