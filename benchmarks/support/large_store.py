"""A finished run of many images, for measuring pages: rows with maps made without a model, repeated records beside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.support.made_layout import write_layout
from benchmarks.support.repeated_records import repeat_records
from core.datasets import Dataset, ingest, read_texts, write_csv
from core.demonstration import SAMPLE
from core.methods import METHODS
from core.models.geometry import Preprocessing
from core.request import AuditRequest, applications_at, begin, methods_at, trust_at
from core.runs import (
    FINISHED,
    Declared,
    MethodPlan,
    ModelSpec,
    Run,
    TextPlan,
    TrustPlan,
    create_run,
    make_plan,
    write_unit,
)
from core.runs.keys import key_of

# What the small audit is of: so many images of the sample, a few methods of several families.
SMALL = 12
SMALL_METHODS = ("raw", "clip_surgery", "gradcam", "rise", "grad_eclip", "gae", "saliency")
CONTROLS = ("random", "centre", "edge")
SIDE, POINTS, SHARD = 7, 9, 50
SHA = hashlib.sha256(b"made").hexdigest()


def image_folder(folder: Path, count: int, size: tuple[int, int] = (64, 64), seed: int = 0) -> Path:
    """A folder of `count` small JPEGs of `size` (width, height) in pixels, no two alike."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for at in range(count):
        cells = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(cells, "RGB").resize(size, Image.Resampling.BICUBIC).save(
            folder / f"image-{at:06d}.jpg", quality=80
        )
    return folder


def small_run(folder: Path) -> Run:
    """An audit of a few images of the sample with the embedded model and every application, made if it is not there."""
    # Loaded here: it brings torch, which nothing else of this file needs.
    from core.audit.worker import work

    request = AuditRequest.build(
        out=folder,
        images=(SAMPLE / "images",),
        table=SAMPLE / "captions.csv",
        limit=SMALL,
        texts=TextPlan(classes=read_texts(SAMPLE / "classes.txt")),
        methods=methods_at("quick", SMALL_METHODS),
        applications=applications_at("quick"),
        trust=trust_at("quick"),
    )
    run = begin(request)
    if run.progress().state not in FINISHED:
        work(run, print, report=False)
    return run


def large_run(home: Path, name: str, *, images: int, texts: int, methods: int) -> Run:
    """A finished run `name` of the workspace `home`; about a minute for 150,000 rows of maps.

    Before it the small audit, a few minutes of the processor, whose records it repeats.
    """
    small = small_run(home / "small")
    source = image_folder(home / "source", images)
    like = [image for image in small.dataset.images if image.id in small.plan.images]
    columns = ("file", "caption", *small.dataset.columns)
    described = (like[at % len(like)] for at in range(images))
    rows = (
        {"file": f"image-{at:06d}.jpg", "caption": image.captions[0], **image.metadata}
        for at, image in enumerate(described)
    )
    write_csv(source / "captions.csv", rows, columns)
    dataset = ingest([source], store=home / "datasets", name=f"{images:,} made images")
    classes = small.plan.texts.classes
    explained = [method for method, info in METHODS.items() if "image" in info.sides][:methods]
    plan = make_plan(
        dataset=dataset.id,
        dataset_root=str(dataset.root),
        images=tuple(image.id for image in dataset.images),
        model=ModelSpec(name="demo"),
        texts=TextPlan(captions=False, classes=classes, top_classes=texts),
        methods=tuple(MethodPlan(name=method, options={}) for method in explained),
        applications=applications_at("standard"),
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
        rows = (row for image in shard for row in _rows(unit.key, known[image], classes, texts, explained, random))
        _, digest, count = write_unit(run.folder, unit.key, rows)
        store.finish(unit, digest, count, 12.5)
    store.set(state="done", stage="", message="")
    spread = np.random.default_rng(1).normal(0, 0.35, (len(run.dataset.images), 2)).clip(-1, 1)
    write_layout(run, spread, perplexity=30.0, neighbours=15)
    repeat_records(small, run)
    return run


def _rows(
    unit: str,
    image: Any,
    classes: Sequence[str],
    texts: int,
    methods: list[str],
    random: np.random.Generator,
) -> Iterator[dict[str, Any]]:
    base = {"unit": unit, "image": image.id, "image_name": image.name, "status": "ok"}
    scores = random.normal(0.2, 0.05, len(classes))
    for text, score in zip(classes, scores.tolist(), strict=True):
        yield {**base, "text": text, "text_kind": "class", "kind": "score", "score": score}
    common = random.random((SIDE * SIDE,), dtype=np.float32)
    for at in np.argsort(-scores)[:texts].tolist():
        pair = {**base, "text": classes[at], "text_kind": "class", "score": float(scores[at])}
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
        "deletion_curve": curve, "insertion_curve": curve[::-1], "curve_shares": np.linspace(0, 1, POINTS).tolist(),
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
        "started": "2026-01-15T09:30:00+00:00", "ended": "2026-01-15T09:41:30+00:00",
    }  # fmt: skip
