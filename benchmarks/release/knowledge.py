"""Mutual knowledge as released: images and circled parts one by one, a full SVD, 1,000 rounds of transport, and a
table of matches for every removed concept.

How an ellipse is fitted and drawn is shared with ours; the release asks another library for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch import Tensor

from benchmarks.release.towers import image_blocks, unit_texts
from core.applications.work.visual_concepts import circled, ellipse_of, largest_patches
from core.models.model import DatasetImage, Model

Floats = NDArray[np.float64]
ROUNDS = 1000


@dataclass(frozen=True)
class Finding:
    """One image and one way of finding parts: concepts (most relevant first), score, and mean of the curve."""

    image: int
    way: str
    concepts: list[int]
    score: float
    auc: float


def literal(
    model: Model,
    images: list[DatasetImage],
    classes: list[str],
    descriptors: list[str],
    *,
    template: str = "a photo of a {}.",
    parts: int = 5,
    candidates: int = 500,
    slack: float = 0.02,
    per_part: int = 3,
    textual: int = 50,
    seed: int = 0,
) -> list[Finding]:
    """What each image shares with its zero-shot class, ordered by image and way ("kmeans", "pca")."""
    bank = unit_texts(model, descriptors).double().cpu().numpy()
    weights = unit_texts(model, [template.format(name) for name in classes]).double().cpu().numpy()
    read = [_read(model, model.preprocess([image])[0]) for image in images]
    chosen = [int((whole @ weights.T).argmax()) for _, whole, _ in read]
    of_class = np.argsort(-(weights @ bank.T), axis=1, kind="stable")[:, :textual]
    found = []
    for group in sorted(set(chosen)):
        members = [index for index, name in enumerate(chosen) if name == group]
        tokens = np.concatenate([read[index][0] for index in members])
        rows = _units(tokens)
        masks = _foreground(rows, len(members), read[members[0]][2])
        for way in ("kmeans", "pca"):
            labels = np.full(masks.size, -1)
            # Principal components of the tokens as they are, clusters of unit vectors.
            divided, divide = (rows, _clusters) if way == "kmeans" else (tokens, _principal)
            labels[masks.ravel()] = divide(divided[masks.ravel()], parts, seed)
            for at, index in enumerate(members):
                pixels = model.preprocess([images[index]])[0][0]
                vectors = _circled_parts(model, pixels, labels.reshape(masks.shape)[at])
                concepts = image_concepts(vectors, read[index][1], bank, candidates, slack, per_part)
                curve = _curve(concepts, of_class[group].tolist())
                found.append(Finding(index, way, concepts, curve[0], float(np.mean(curve))))
    return sorted(found, key=lambda one: (one.image, one.way))


def _read(model: Model, pixels: Tensor) -> tuple[Floats, Floats, tuple[int, int]]:
    kept: list[Tensor] = []
    hook = image_blocks(model)[-1].register_forward_hook(lambda module, given, out: kept.append(out))
    try:
        with torch.no_grad():
            whole = F.normalize(model.image.plain(pixels)[0].double(), dim=0)
    finally:
        hook.remove()
    grid = model.image.grid(kept[0], *pixels.shape[-2:])
    state = kept[0][0]
    tokens = state.flatten(1).T if model.image.layout == "maps" else state[model.image.prefix_tokens :]
    return tokens.double().cpu().numpy(), whole.cpu().numpy(), grid


def _foreground(rows: Floats, images: int, grid: tuple[int, int]) -> NDArray[np.bool_]:
    left, _, _ = np.linalg.svd(rows, full_matrices=False)
    second = left[:, 1].reshape(images, *grid)
    marked = second > 0
    if 0.5 < marked.mean() < 1:
        marked = second < 0
    kept = [largest_patches(mask) for mask in marked]
    return np.stack([mask if mask.any() else np.ones_like(mask) for mask in kept])


def _principal(rows: Floats, parts: int, seed: int) -> NDArray[np.int64]:
    # The exact solver: the default one draws at random for some shapes.
    values = PCA(parts, svd_solver="full").fit_transform(rows)
    low, high = values.min(axis=0), values.max(axis=0)
    return ((values - low) / np.maximum(high - low, 1e-300)).argmax(axis=1)


def _clusters(rows: Floats, parts: int, seed: int) -> NDArray[np.int64]:
    return KMeans(parts, n_init=4, max_iter=500, random_state=seed).fit(rows).labels_


def _circled_parts(model: Model, pixels: Tensor, labels: NDArray[Any]) -> Floats:
    vectors = []
    for part in [part for part in np.unique(labels) if part >= 0]:
        versions = circled(pixels, [ellipse_of(labels == part, *map(int, pixels.shape[-2:]))], model.preprocessing)[0]
        with torch.no_grad():
            units = [F.normalize(model.image.plain(version[None])[0].double(), dim=0) for version in versions]
        vectors.append(torch.stack(units).mean(dim=0).cpu().numpy())
    return np.stack(vectors)


def image_concepts(
    vectors: Floats, whole: Floats, bank: Floats, candidates: int, slack: float, per_part: int
) -> list[int]:
    """The concepts of one image, most relevant first, from its parts `(parts, width)` and its own unit embedding."""
    logits = vectors @ bank.T
    best = [set(np.argsort(-row, kind="stable")[:candidates].tolist()) for row in logits]
    kept = sorted(set.intersection(*best) or set.union(*best))
    cosines = {concept: float(bank[concept] @ whole) for concept in kept}
    least = sum(cosines.values()) / len(cosines) - slack
    kept = [concept for concept in kept if cosines[concept] >= least]
    plan = np.exp(2.5 * logits[:, kept])
    if len(vectors) > 1:
        for _ in range(ROUNDS):
            plan = plan / plan.sum(axis=1, keepdims=True)
            plan = plan / plan.sum(axis=0, keepdims=True)
    named = {kept[at] for row in plan for at in np.argsort(-row, kind="stable")[:per_part]}
    return sorted(named, key=lambda concept: (-cosines[concept], concept))


def _curve(visual: list[int], textual: list[int]) -> list[float]:
    shown: list[int | None] = list(visual)
    curve = [_score(shown, textual)]
    for at in range(len(visual)):
        shown[at] = None
        curve.append(_score(shown, textual))
    return curve


def _score(visual: list[int | None], textual: list[int]) -> float:
    table = np.array([[float(one == other) for other in textual] for one in visual])
    if table.sum() == 0:
        return 0.0
    joint = table / table.sum()
    entropy = -sum(p * np.log(p) for p in joint.ravel() if p > 0)
    return float(np.log(len(visual)) + np.log(len(textual)) + entropy)


def _units(rows: Floats) -> Floats:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
