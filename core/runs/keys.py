"""The key of a unit: the hash of everything that determines its rows. It is the name of the unit's file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from core.datasets import DatasetImage
from core.runs.plan import Plan, canonical


def key_of(
    plan: Plan, shard: Sequence[str], images: Mapping[str, DatasetImage], model_digest: str, code_sha256: str
) -> str:
    """Over the plan, the weights, the code, and the images of the shard with names and captions; 32 hex digits."""
    body = {
        "plan": plan.digest,
        "model": model_digest,
        "code": code_sha256,
        "images": [[images[image].id, images[image].name, list(images[image].captions)] for image in shard],
    }
    return hashlib.sha256(canonical(body)).hexdigest()[:32]
