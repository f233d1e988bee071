"""A finished run of many images without a model, for measuring pages: images, rows with maps, and an embedding map."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.support.made_layout import write_layout
from core.datasets import Dataset, ingest
from core.methods import METHODS
from core.models.geometry import Preprocessing
from core.runs import Declared, MethodPlan, ModelSpec, Run, TextPlan, TrustPlan, create_run, make_plan, write_unit
from core.runs.keys import key_of

CLASSES = ("red circle", "green square", "blue triangle", "grey field", "bright sky", "dark room", "a street", "a face")
CONTROLS = ("random", "centre", "edge")
SIDE, POINTS, SHARD = 7, 9, 50
SHA = hashlib.sha256(b"made").hexdigest()


def image_folder(folder: Path, count: int, side: int = 64, seed: int = 0) -> Path:
    """A folder of `count` small JPEGs of `side` pixels, no two alike."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for at in range(count):
        cells = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(cells, "RGB").resize((side, side), Image.Resampling.BICUBIC).save(
            folder / f"image-{at:06d}.jpg", quality=80
        )
    return folder


def large_run(home: Path, name: str, *, images: int, texts: int, methods: int) -> Run:
    """A finished run `name` of the workspace `home`; about a minute for 150,000 rows of maps."""
    source = image_folder(home / "source", images)
    dataset = ingest([source], store=home / "datasets", name=f"{images:,} made images")
    explained = [method for method, info in METHODS.items() if "image" in info.sides][:methods]
    plan = make_plan(
        dataset=dataset.id,
        dataset_root=str(dataset.root),
        images=tuple(image.id for image in dataset.images),
        model=ModelSpec(name="demo"),
        texts=TextPlan(captions=False, classes=CLASSES, top_classes=texts),
        methods=tuple(MethodPlan(name=method, options={}) for method in explained),
        trust=TrustPlan(steps=POINTS - 1, resamples=200),
        seed=0,
        shard=SHARD,
        declared=Declared(title=f"{images:,} images × {texts} texts × {len(explained)} methods"),
    )
    run = create_run(home / "runs" / name, plan)
    run.update_manifest(**manifest_of(dataset), plan_sha256=plan.digest)
    known = {image.id: image for image in dataset.images}
    shards = plan.shards()
    store, random = run.store, np.random.default_rng(0)
    store.create([(key_of(plan, shard, known, SHA, SHA), len(shard)) for shard in shards])
    for shard in shards:
        unit = store.claim("maker")
        assert unit is not None
        rows = (row for image in shard for row in _rows(unit.key, known[image], texts, explained, random))
        _, digest, count = write_unit(run.folder, unit.key, rows)
        store.finish(unit, digest, count, 12.5)
    store.set(state="done", stage="", message="")
    spread = np.random.default_rng(1).normal(0, 0.35, (len(run.dataset.images), 2)).clip(-1, 1)
    write_layout(run, spread, perplexity=30.0, neighbours=15)
    return run


def _rows(
    unit: str, image: Any, texts: int, methods: list[str], random: np.random.Generator
) -> Iterator[dict[str, Any]]:
    base = {"unit": unit, "image": image.id, "image_name": image.name, "status": "ok"}
    scores = random.normal(0.2, 0.05, len(CLASSES))
    for text, score in zip(CLASSES, scores.tolist(), strict=True):
        yield {**base, "text": text, "text_kind": "class", "kind": "score", "score": score}
    common = random.random((SIDE * SIDE,), dtype=np.float32)
    for at in np.argsort(-scores)[:texts].tolist():
        pair = {**base, "text": CLASSES[at], "text_kind": "class", "score": float(scores[at])}
        noise = random.random((len(methods), SIDE * SIDE), dtype=np.float32)
        for method, values in zip(methods, (0.6 * common + 0.4 * noise).tolist(), strict=True):
            grid = {"rows": SIDE, "columns": SIDE, "map": values}
            yield {**pair, "kind": "method", "method": method, **grid, **_measures(0.3, random)}
        for control in CONTROLS:
            yield {**pair, "kind": "control", "method": control, **_measures(0.0, random)}


def _measures(skill: float, random: np.random.Generator) -> dict[str, Any]:
    value = skill + float(random.normal(0, 0.2))
    curve = np.linspace(0.3, 0.1, POINTS).tolist()
    return {
        "faithfulness": value, "insertion": 0.5 + value / 2, "deletion": 0.5 - value / 2, "correlation": value,
        "deletion_curve": curve, "insertion_curve": curve[::-1],
    }  # fmt: skip


def manifest_of(dataset: Dataset) -> dict[str, Any]:
    """What the manifest of a made run says of its model, its environment and its cost."""
    return {
        "dataset": {"id": dataset.id, "name": dataset.name},
        "model": {
            "title": "A made model", "name": "demo", "pretrained": None, "architecture": "ViT-Ti/32", "digest": SHA,
            "weights_sha256": SHA, "parameters": 5_600_000, "embed_dim": 256, "image_depth": 6, "text_depth": 4,
            "image_family": "vit", "text_family": "transformer", "rows": SIDE, "columns": SIDE,
            "capabilities": ["embeddings", "places"], "preprocessing": Preprocessing(224, 224).as_dict(),
            "device": "cpu", "dtype": "float32", "logit_scale": 38.2,
        },
        "environment": {"loupe": "0", "code_sha256": SHA, "commit": "0" * 40, "uncommitted_changes": False},
        "not_run": [], "cost": {"image_forwards": 0.0, "text_forwards": 0.0, "estimated_image_forwards": 0.0},
        "started": "2026-01-15T09:30:00+00:00", "ended": "2026-01-15T09:41:30+00:00", "class_names": list(CLASSES),
    }  # fmt: skip
