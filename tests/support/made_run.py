"""A complete run directory made without a model: what the report, the findings and the pages are tested on."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.datasets import Dataset, DatasetImage, ingest
from core.models.geometry import Preprocessing
from core.runs import (
    ApplicationPlan,
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
from core.runs.store import TRIES, Unit
from core.settings import datasets_folder, runs_folder

CLASSES = ("red circle", "green square", "blue triangle")
CONTROLS = ("random", "centre", "edge")
STEPS = 16
MODEL_SHA256 = hashlib.sha256(b"weights as loaded").hexdigest()
CODE_SHA256 = hashlib.sha256(b"code").hexdigest()
SIZES = ((320, 240), (240, 320), (300, 300), (420, 200), (200, 360), (360, 270))
_COLOURS = ((196, 52, 44), (38, 138, 74), (42, 88, 176))
_GRIDS = {"rise": 14, "m2ib": 14}
_TEXT_METHODS = ("m2ib", "gae")
_START, _END = "2026-01-15T09:30:00+00:00", "2026-01-15T09:41:30+00:00"


def made_run(
    folder: Path,
    *,
    images: int = 4,
    methods: Sequence[str] = ("raw", "m2ib", "rise", "gradcam"),
    failed: int = 0,
    finished: bool = True,
    seed: int = 0,
    prefix: str = "shape",
    note: str = "",
    failed_rows: int = 0,
    further: bool = False,
    applications: Sequence[str] = (),
) -> Run:
    """A run in `folder` whose rows, units, log and manifest look like a real one's.

    `failed` units (of two images each, from the end) fail for good; `finished=False` leaves the last unit waiting and
    the run cancelled; `failed_rows` rows of the first unit carry an error instead of a map; `further` adds the measures
    that an older run doesn't have; `applications` are planned, and their records left to others. `prefix` starts the
    images' names, `note` ends each caption (tests put markup there). The same arguments give the same results.
    """
    random = np.random.default_rng(seed)
    dataset = _dataset(folder.parent / f"{folder.name}-data", images, prefix, note)
    plan = make_plan(
        dataset=dataset.id,
        dataset_root=str(dataset.root),
        images=tuple(image.id for image in dataset.images),
        model=ModelSpec(name="demo"),
        texts=TextPlan(captions=True, classes=CLASSES, top_classes=1),
        methods=tuple(MethodPlan(name=name, options={"masks": 400} if name == "rise" else {}) for name in methods),
        applications=tuple(ApplicationPlan(name=name) for name in applications),
        trust=TrustPlan(steps=STEPS, resamples=200),
        seed=seed,
        shard=2,
        declared=Declared(
            title="Audit of the made model",
            purpose="Shows which places and words the score of an image and a text depends on.",
            provenance="Shapes drawn for a test.",
            licence="CC0",
            preparer="A. Preparer",
            reviewer="B. Reviewer",
        ),
    )
    run = create_run(folder, plan)
    shards = plan.shards()
    known = {image.id: image for image in dataset.images}
    keys = [key_of(plan, shard, known, MODEL_SHA256, CODE_SHA256) for shard in shards]
    store = run.store
    store.create([(key, len(shard)) for key, shard in zip(keys, shards, strict=True)])
    run.update_manifest(**_manifest(dataset), plan_sha256=plan.digest)
    store.log("start", "worker started")
    by_id = {image.id: (index, image) for index, image in enumerate(dataset.images)}
    good = len(shards) - failed - (0 if finished else 1)
    for index, (key, shard) in enumerate(zip(keys, shards, strict=True)):
        unit = store.claim("maker")
        assert unit is not None and unit.key == key
        if index < good:
            rows = [row for name in shard for row in _rows(key, *by_id[name], methods, random)]
            if further:
                _measure_further(rows)
            _fail(rows, failed_rows if index == 0 else 0)
            _, digest, count = write_unit(folder, key, rows)
            store.finish(unit, digest, count, 12.5)
        elif index < good + failed:
            _exhaust(run, unit.position)
            store.log("unit failed", f"unit {index}: the image could not be embedded")
        else:
            store.give_back(unit)
    if finished:
        state = "done_with_errors" if failed or failed_rows else "done"
        store.log("end", "all units finished")
    else:
        state = "cancelled"
        store.log("cancel", "cancelled by the user")
    store.set(state=state, stage="", message="")
    return run


def workspace_run(name: str, **parts: Any) -> Run:
    """A made run of the workspace, called `name`, whose dataset lies where the app keeps them."""
    made = made_run(runs_folder() / name, **parts)
    root = datasets_folder() / made.dataset_root.name
    datasets_folder().mkdir(parents=True)
    shutil.move(made.dataset_root, root)
    plan = made.plan.model_copy(update={"dataset_root": os.path.relpath(root, made.folder)})
    (made.folder / "plan.json").unlink()
    plan.save(made.folder / "plan.json")
    return Run(made.folder)


def blob(rows: int, columns: int, y: float, x: float, width: float = 0.18) -> NDArray[np.float64]:
    """A Gaussian hill (rows, columns) with its top at (y, x), both from 0 to 1."""
    down = (np.arange(rows) + 0.5) / rows - y
    across = (np.arange(columns) + 0.5) / columns - x
    hill: NDArray[np.float64] = np.exp(-(down[:, None] ** 2 + across[None, :] ** 2) / (2 * width**2))
    return hill


def _dataset(folder: Path, images: int, prefix: str, note: str) -> Dataset:
    source = folder / "source"
    source.mkdir(parents=True, exist_ok=True)
    rows = [("file", "caption")]
    for index in range(images):
        width, height = SIZES[index % len(SIZES)]
        name = f"{prefix}-{index:02d}.{'jpg' if index % 2 else 'png'}"
        _draw(index, width, height).save(source / name)
        rows.append((name, f"a photo of a {CLASSES[index % 3]} on a plain wall{note}"))
    with (source / "captions.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    first = next(path for path in sorted(source.iterdir()) if path.suffix in {".png", ".jpg"})
    (source / f"z copy of {first.name}").write_bytes(first.read_bytes())
    (source / "broken.png").write_bytes(first.read_bytes()[:60])
    return ingest([source], store=folder / "store", name="drawn shapes")


def _draw(index: int, width: int, height: int) -> Image.Image:
    ramp = np.linspace(212, 172, height)[:, None, None] + np.linspace(0, 24, width)[None, :, None]
    noise = np.random.default_rng(index).normal(0, 5, (height, width, 1))
    image = Image.fromarray(np.clip(ramp + noise + np.array([0, -4, -12]), 0, 255).astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(image)
    x, y = _place(index)
    side = 0.2 * min(width, height)
    box = (x * width - side, y * height - side, x * width + side, y * height + side)
    colour = _COLOURS[index % 3]
    if index % 3 == 0:
        draw.ellipse(box, fill=colour)
    elif index % 3 == 1:
        draw.rectangle(box, fill=colour)
    else:
        draw.polygon(((box[0], box[3]), (box[2], box[3]), (x * width, box[1])), fill=colour)
    return image


def _place(index: int) -> tuple[float, float]:
    return 0.35 + 0.3 * ((index * 7) % 5) / 4, 0.4 + 0.2 * ((index * 3) % 4) / 3


def _rows(
    unit: str, index: int, image: DatasetImage, methods: Sequence[str], random: np.random.Generator
) -> list[dict[str, Any]]:
    best = index % 3
    scores = {
        name: float(0.31 if at == best else 0.19) + float(random.normal(0, 0.015)) for at, name in enumerate(CLASSES)
    }
    pairs = [(caption, "caption", 0.33 + float(random.normal(0, 0.02))) for caption in image.captions[:1]]
    pairs.append((CLASSES[best], "class", scores[CLASSES[best]]))
    base = {"unit": unit, "image": image.id, "image_name": image.name, "status": "ok"}
    rows: list[dict[str, Any]] = []
    for name, score in scores.items():
        rows.append({**base, "text": name, "text_kind": "class", "kind": "score", "score": score})
    for text, kind, score in pairs:
        pair = {**base, "text": text, "text_kind": kind, "score": score}
        if kind != "class":
            rows.append({**pair, "kind": "score"})
        for method in methods:
            rows.append({**pair, "kind": "method", "method": method, **_explained(method, index, text, score, random)})
        for control in CONTROLS:
            rows.append({**pair, "kind": "control", "method": control, **_curves(_skill(control), score, random)})
    return rows


def _explained(method: str, index: int, text: str, score: float, random: np.random.Generator) -> dict[str, Any]:
    side = _GRIDS.get(method, 7)
    x, y = _place(index)
    values = blob(side, side, y, x) + random.normal(0, 0.06, (side, side))
    if method == "raw":
        values = 0.12 - 0.2 * values  # The sign most ViTs show: the background scores higher.
    if method in {"m2ib", "gae", "gradcam"}:
        values = np.maximum(values, 0)
    row: dict[str, Any] = {"rows": side, "columns": side, "map": values.astype(np.float32).ravel().tolist()}
    if method in _TEXT_METHODS:
        tokens = text.split()
        row |= {
            "tokens": tokens,
            "token_values": [float(len(token)) / 10 + float(random.uniform()) for token in tokens],
        }
    return row | _curves(_skill(method), score, random)


def _skill(name: str) -> float:
    skills = {"raw": -0.12, "m2ib": 0.34, "rise": 0.41, "gradcam": 0.22, "centre": 0.14, "edge": 0.02, "random": 0.0}
    return skills.get(name, 0.18)


def _curves(skill: float, score: float, random: np.random.Generator) -> dict[str, Any]:
    share = np.linspace(0, 1, STEPS + 1)
    power = float(np.exp(2.2 * skill + random.normal(0, 0.12)))
    insertion, deletion = share ** (1 / power), 1 - share ** (1 / power)
    up, down = float(np.trapezoid(insertion, share)), float(np.trapezoid(deletion, share))
    return {
        "correlation": float(np.tanh(2 * (up - down))),
        "additive_share": 0.8 - 0.1 * score,
        "deletion_curve": (0.1 + (score - 0.1) * deletion).astype(np.float32).tolist(),
        "insertion_curve": (0.1 + (score - 0.1) * insertion).astype(np.float32).tolist(),
        "curve_shares": share.astype(np.float32).tolist(),
        "deletion": down,
        "insertion": up,
        "faithfulness": up - down,
    }


def _measure_further(rows: list[dict[str, Any]]) -> None:
    # By arithmetic, so that no other value of the run changes.
    for row in rows:
        if row["kind"] in ("method", "control") and row["status"] == "ok":
            skill, score = _skill(row["method"]), row["score"]
            row |= {
                "sensitivity_n": skill,
                "infidelity": 0.6 - skill,
                "blur_faithfulness": skill / 2,
                "road_faithfulness": skill / 3,
                "confidence_drop": score * (0.5 - skill),
                "relative_drop": 0.5 - skill,
                "confidence_increase": float(skill > score),
                "sparseness": 0.4 + skill / 2,
                "entropy": 0.9 - skill / 2,
                "effective_area": 0.3 - score / 4,
            }
            if row.get("tokens") or row["method"] == "random":
                row |= {"comprehensiveness": 0.02 + skill * score / 10, "sufficiency": 0.03 - skill * score / 10}


def _fail(rows: list[dict[str, Any]], count: int) -> None:
    for row in [row for row in rows if row["kind"] == "method"][:count]:
        kept = ("unit", "image", "image_name", "text", "text_kind", "kind", "method")
        for name in set(row) - set(kept):
            del row[name]
        row |= {"status": "failed", "message": "the gradient is not finite"}


def _exhaust(run: Run, position: int) -> None:
    # The claimed unit has one try; two more claims would reorder the queue, so the last try is given back directly.
    key = run.store.units()[position]["key"]
    run.store.give_back(Unit(position, key, TRIES - 1), error="the image could not be embedded")


def _manifest(dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": {"id": dataset.id, "name": dataset.name},
        "model": {
            "title": "Loupe demo",
            "name": "demo",
            "pretrained": None,
            "architecture": "ViT-Ti/32",
            "digest": MODEL_SHA256,
            "weights_sha256": hashlib.sha256(b"file").hexdigest(),
            "parameters": 5_600_000,
            "embed_dim": 256,
            "image_depth": 6,
            "text_depth": 4,
            "image_family": "vit",
            "text_family": "transformer",
            "rows": 7,
            "columns": 7,
            "capabilities": ["embeddings", "places", "image_layers", "image_attention", "text_layers"],
            "preprocessing": Preprocessing(224, 224).as_dict(),
            "device": "cpu",
            "dtype": "float32",
            "logit_scale": 38.2,
            "card": {
                "data": "Drawn shapes with generated captions.",
                "licence": "CC0",
                "figures": [["top-1 on drawn shapes", 0.91]],
                "cannot": "Anything but drawn shapes.",
            },
        },
        "environment": {
            "loupe": "0.1.0",
            "code_sha256": CODE_SHA256,
            "commit": "0" * 40,
            "uncommitted_changes": False,
            "python": "3.11.7",
            "platform": "Linux-6.1-x86_64",
            "machine": "x86_64",
            "cpus": 2,
            "packages": {"torch": "2.15.0", "numpy": "2.4.6", "weasyprint": "70.0", "streamlit": None},
        },
        "not_run": [["gae", "text", "needs a model that has text self-attention whose weights can be read"]],
        "cost": {"image_forwards": 2480.5, "text_forwards": 96.0, "estimated_image_forwards": 2600.0},
        "started": _START,
        "ended": _END,
        "class_names": list(CLASSES),
    }
