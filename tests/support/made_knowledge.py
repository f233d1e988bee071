"""A record of mutual knowledge made without a model, in a made run: what its page is tested on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from core.applications.knowledge.overlap import overlap
from core.applications.knowledge.record import VERSION, KnowledgeRecord
from core.runs import Run

BANK = tuple(f"with {number} spots" for number in range(40))


def made_knowledge(run: Run, *, seed: int = 0, labels: bool = False, templates: tuple[str, ...] = ("a {}",)) -> None:
    """Write a record for every image of the run; numbers are random, concepts and their overlap consistent."""
    random = np.random.default_rng(seed)
    classes = list(run.plan.texts.classes)
    textual = {name: random.permutation(len(BANK))[:10] for name in classes}
    rows: list[dict[str, Any]] = []
    concepts: list[dict[str, Any]] = []
    for image in run.dataset.images:
        predicted = classes[int(random.integers(len(classes)))]
        for variant in ("kmeans", "pca"):
            order = random.permutation(len(BANK))[: int(random.integers(6, 12))]
            rows.append(_row(image, variant, predicted, overlap(order, textual[predicted]), labels, random))
            ranks = {int(at): rank for rank, at in enumerate(textual[predicted])}
            concepts += [
                {"image": image.id, "variant": variant, "rank": rank, "descriptor": BANK[at],
                 "relevance": 1 - rank / 99, "parts": [rank % 3], "class_rank": ranks.get(int(at), -1)}
                for rank, at in enumerate(order)
            ]  # fmt: skip
    named = [
        {"class": name, "rank": rank, "descriptor": BANK[at], "cosine": 0.3 - rank / 99}
        for name, chosen in textual.items()
        for rank, at in enumerate(chosen)
    ]
    about = {
        "version": VERSION, "model": run.plan.model.title, "digest": "0" * 64, "classes": classes, "modality_gap": 0.8,
        "templates": list(templates), "assignment": "labels" if labels else "zero-shot", "groups": [], "seed": seed,
        "unlabelled": 0 if labels else None, "options": {"parts": 5}, "candidates": 20,
        "bank": {"size": len(BANK), "digest": "1" * 64, "sources": {"own": len(BANK)}, "senses": {}, "note": "",
                 "unknown": [], "dropped": []},
    }  # fmt: skip
    tables = (pd.DataFrame(table) for table in (rows, concepts, named))
    KnowledgeRecord(about, *tables).save(KnowledgeRecord.folder_of(run))


def _row(image: Any, variant: str, predicted: str, found: Any, labels: bool, random: np.random.Generator) -> dict:
    curves = {
        f"{prefix}{which}_curve": np.sort(random.uniform(0, 1, found.visual + 1)).tolist()
        for prefix in ("", "control_")
        for which in ("deletion", "insertion")
    }
    return {
        "image": image.id, "image_name": image.name, "variant": variant, "whole": False, "fallback": False,
        "rows": 3, "columns": 3, "parts": [-1, 0, 1, 2, 0, -1, 0, 0, -1], "ellipses": [[1.0, 1.0, 2.0, 1.0, 0.0]],
        "predicted": predicted, "assigned": predicted, "label": predicted if labels else None, "through": predicted,
        "without": "none", "shared": found.shared, "visual": found.visual, "textual": found.textual,
        "expected_shared": found.visual / 4, "score": found.score, "jaccard": found.jaccard,
        "overlap": found.coefficient, "auc": found.auc, "curve": found.curve.tolist(), "control_shared": 1.0,
        "control_score": found.score / 2, "control_auc": found.auc / 2, "control_curve": (found.curve / 2).tolist(),
        "deletion": float(np.mean(curves["deletion_curve"])), "insertion": float(np.mean(curves["insertion_curve"])),
        "control_deletion": 0.6, "control_insertion": 0.2, "margin": float(random.uniform(0, 0.1)),
        "confidence": float(random.uniform(0.3, 1)), "template_agrees": True, **curves,
    }  # fmt: skip
