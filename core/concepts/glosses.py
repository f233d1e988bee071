"""The glosses of a vocabulary through a model's text tower, once a model."""

from __future__ import annotations

import os

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
    folder = workspace() / "cache" / "glosses"
    file = folder / f"{model.digest[:20]}-{graph.digest[:20]}.npy"
    if file.exists():
        kept = np.load(file, allow_pickle=False)
        if len(kept) == len(graph):
            return kept
    with torch.no_grad():
        found = model.embed_texts(graph.glosses).cpu().numpy().astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{file.stem}.{os.getpid()}.npy"
    np.save(draft, found)
    draft.replace(file)
    return found
