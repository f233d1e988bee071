"""The glosses and the names of a vocabulary through a model's text tower, once a model."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from core.concepts.graph import ConceptGraph
from core.models.model import Model
from core.settings import workspace


def embed_glosses(model: Model, graph: ConceptGraph) -> NDArray[np.float32]:
    """Unit embeddings `(concepts, embedding)` of the glosses as they are: no lemma, no template.

    They are kept in the workspace under the model's and the vocabulary's digest, so that a second run reads them.
    """
    return _kept(model, graph.glosses, graph.digest)


def embed_names(model: Model, names: Sequence[str]) -> NDArray[np.float32]:
    """Unit embeddings `(names, embedding)` of bare names, kept likewise."""
    return _kept(model, names, hashlib.sha256("\n".join(["names", *names]).encode()).hexdigest())


def _kept(model: Model, texts: Sequence[str], digest: str) -> NDArray[np.float32]:
    folder = workspace() / "cache" / "glosses"
    file = folder / f"{model.digest[:20]}-{digest[:20]}.npy"
    if file.exists():
        kept = np.load(file, allow_pickle=False)
        if len(kept) == len(texts):
            return kept
    with torch.no_grad():
        found = model.embed_texts(texts).cpu().numpy().astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{file.stem}.{os.getpid()}.npy"
    np.save(draft, found)
    draft.replace(file)
    return found
