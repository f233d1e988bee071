"""One unit of an audit: some pictures, every text, every method, then the measures. Returns rows, writes nothing.

A unit's rows depend only on what its key hashes, never on which units ran before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.attribution.context import estimate_context
from core.attribution.contract import Attribution, Context, Work
from core.attribution.explain import attribute
from core.datasets import Picture
from core.errors import CapabilityError, InputError
from core.evaluation.controls import control_maps
from core.evaluation.curves import Curves, curves
from core.methods import METHODS
from core.methods.info import Side
from core.models.geometry import Geometry
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.runs import Plan, Run
from core.runs.manifest import code_digest
from core.runs.plan import MethodPlan, canonical

CONTEXT_IMAGES = 64
CONTEXT_BATCH = 8


@dataclass(frozen=True)
class Item:
    """One text that one picture is explained with. `template` texts are embedded through the plan's templates."""

    text: str
    kind: str


@dataclass(frozen=True)
class Bench:
    """What every unit of a run shares: the model, the class embeddings, the context, what can't run."""

    run: Run
    model: Model
    classes: Tensor | None
    context: Context
    sides: dict[str, tuple[Side, ...]]
    not_run: tuple[tuple[str, str, str], ...]


def unit_key(plan: Plan, shard: Sequence[str], pictures: dict[str, Picture], model_digest: str) -> str:
    """The hash of everything that determines a unit's rows: plan, weights, code, pictures with captions, place."""
    body = {
        "plan": plan.digest,
        "model": model_digest,
        "code": code_digest(),
        "pictures": [[pictures[image].id, pictures[image].name, list(pictures[image].captions)] for image in shard],
    }
    return hashlib.sha256(canonical(body)).hexdigest()[:32]


def prepare(run: Run, model: Model) -> Bench:
    """What all units share. The context is estimated on the first pictures of the plan, at most `CONTEXT_IMAGES`."""
    plan = run.plan
    sides: dict[str, tuple[Side, ...]] = {}
    not_run: list[tuple[str, str, str]] = []
    for method in plan.methods:
        info = METHODS[method.name]
        reasons = info.reasons(model.capabilities)
        sides[method.name] = tuple(side for side, reason in reasons.items() if reason is None)
        not_run += [(method.name, side, reason) for side, reason in reasons.items() if reason is not None]
    classes = None
    with torch.no_grad():
        if plan.texts.classes:
            classes = model.embed_texts(plan.texts.classes, plan.texts.templates)
    return Bench(run, model, classes, _context(run, model, sides), sides, tuple(not_run))


def run_unit(bench: Bench, key: str, shard: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of one unit (see `core.runs.results.SCHEMA`), picture by picture."""
    rows: list[dict[str, Any]] = []
    pictures = {picture.id: picture for picture in bench.run.dataset.pictures}
    for image in shard:
        rows += _picture_rows(bench, key, pictures[image])
    return rows


def _picture_rows(bench: Bench, key: str, picture: Picture) -> list[dict[str, Any]]:
    plan, model = bench.run.plan, bench.model
    base = {"unit": key, "image": picture.id, "image_name": picture.name}
    pixels, geometry = model.preprocess([bench.run.dataset.open(picture)])
    images = ImageTrunk(model, pixels)
    rows: list[dict[str, Any]] = []
    items = [Item(text, "caption") for text in picture.captions[: plan.texts.captions_each] if plan.texts.captions]
    items += [Item(text, "prompt") for text in plan.texts.prompts]
    items = list(dict.fromkeys(items))
    plain = _group(bench, images, items)
    groups = [plain] if plain is not None else []
    if bench.classes is not None:
        scores = (images.embeddings @ bench.classes.T)[0].cpu().numpy()
        best = np.argsort(-scores, kind="stable")[: plan.texts.top_classes].tolist()
        for index, name in enumerate(plan.texts.classes):
            rows.append({**base, "text": name, "text_kind": "class", "kind": "score", "status": "ok", "score": float(scores[index])})
        if best:
            groups.append(_class_group(bench, images, best))
    for group in groups:
        rows += _group_rows(bench, base, group, geometry)
    return rows


@dataclass
class _Group:
    """Texts of one picture that are explained together.

    `labels` holds the whole label set, and `chosen` where the items stand in it, for methods defined on a set.
    """

    work: Work
    items: list[Item]
    labels: Work | None = None
    chosen: tuple[int, ...] = ()


def _group(bench: Bench, images: ImageTrunk, items: list[Item]) -> _Group | None:
    if not items:
        return None
    texts = TextTrunk(bench.model, [item.text for item in items])
    return _Group(_work(bench, images, texts), items)


def _class_group(bench: Bench, images: ImageTrunk, best: list[int]) -> _Group:
    plan = bench.run.plan
    items = [Item(plan.texts.classes[index], "class") for index in best]
    texts = TextTrunk(bench.model, [item.text for item in items], plan.texts.templates)
    assert bench.classes is not None
    texts.embeddings = bench.classes[best]
    labels = TextTrunk(bench.model, plan.texts.classes, plan.texts.templates)
    labels.embeddings = bench.classes
    return _Group(_work(bench, images, texts), items, _work(bench, images, labels), tuple(best))


def _work(bench: Bench, images: ImageTrunk, texts: TextTrunk) -> Work:
    return Work(bench.model, images, texts, bench.run.plan.seed, bench.context)


def _group_rows(bench: Bench, base: dict[str, Any], group: _Group, geometry: list[Geometry]) -> list[dict[str, Any]]:
    scores = group.work.scores[0].cpu().numpy()
    rows: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    if group.labels is None:
        # Classes have their scores already, every one of them.
        told = [{**base, "text": item.text, "text_kind": item.kind, "kind": "score", "status": "ok",
                 "score": float(scores[index])} for index, item in enumerate(group.items)]
    maps: dict[tuple[str, int], NDArray[Any]] = {}
    for method in bench.run.plan.methods:
        if not bench.sides[method.name]:
            continue
        got, problem = _attempt(bench, group, method, geometry)
        for index, item in enumerate(group.items):
            row = {**base, "text": item.text, "text_kind": item.kind, "kind": "method", "method": method.name,
                   "score": float(scores[index]), "status": "ok" if got else "failed", "message": problem}
            if got is not None:
                row |= _values(got, index)
                if got.image is not None:
                    maps[method.name, index] = got.image[0, index]
            rows.append(row)
    return told + rows + _measured(bench, base, group, rows, maps, scores)


def _attempt(
    bench: Bench, group: _Group, method: MethodPlan, geometry: list[Geometry]
) -> tuple[Attribution | None, str | None]:
    """A method's result, or the one line that says why there is none: one bad picture must not stop an audit."""
    sides = bench.sides[method.name]
    work, options = group.work, dict(method.options)
    on_set = METHODS[method.name].label_set and group.labels is not None
    if on_set and group.labels is not None:
        work = group.labels
    elif METHODS[method.name].label_set and options.get("mode", "auto") == "auto":
        # Captions and prompts are no label set: each stands on its own.
        options["mode"] = "single"
    try:
        got = attribute(work, method.name, geometry, sides=sides, **options)
    except (InputError, CapabilityError, torch.OutOfMemoryError, FloatingPointError, ArithmeticError) as error:
        return None, str(error).splitlines()[0]
    for values, side in ((got.image, "image"), (got.text, "text")):
        if values is not None and not np.isfinite(values).all():
            return None, f"{method.name} gave values that are no finite numbers on the {side} side"
    if on_set and got.image is not None:
        got = replace(got, image=got.image[:, list(group.chosen)])
    return got, None


def _values(got: Attribution, index: int) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if got.image is not None:
        values = got.image[0, index]
        row |= {"rows": values.shape[0], "columns": values.shape[1], "map": values.ravel().tolist()}
    if got.text is not None:
        tokens = got.tokens[index]
        row |= {"tokens": tokens, "token_values": got.text[0, index, : len(tokens)].tolist()}
    return row


def _measured(
    bench: Bench,
    base: dict[str, Any],
    group: _Group,
    rows: list[dict[str, Any]],
    maps: dict[tuple[str, int], NDArray[Any]],
    scores: NDArray[Any],
) -> list[dict[str, Any]]:
    """Curves of every map and of the controls. Fills the methods' rows and returns the controls' rows."""
    plan = bench.run.plan
    if not plan.trust.curves or not maps:
        return []
    work = group.work
    grid = work.images.grid() if "image_layers" in bench.model.capabilities else (14, 14)
    generator = work.generator("control", work.image_keys[0])
    controls = control_maps(work.images.pixels[0], *grid, generator)
    every = dict(maps)
    for name, values in controls.items():
        every |= {(f"control:{name}", index): values.numpy() for index in range(len(group.items))}
    found = curves(
        bench.model, work.images.pixels[0], every, work.texts.embeddings, steps=plan.trust.steps,
        removal=plan.trust.removal,
    )
    position = {item: index for index, item in enumerate(group.items)}
    for row in rows:
        row |= _curve_values(found.get((row["method"], position[Item(row["text"], row["text_kind"])])))
    out = []
    for name in controls:
        for index, item in enumerate(group.items):
            out.append({**base, "text": item.text, "text_kind": item.kind, "kind": "control", "method": name,
                        "status": "ok", "score": float(scores[index]),
                        **_curve_values(found.get((f"control:{name}", index)))})
    return out


def _curve_values(curve: Curves | None) -> dict[str, Any]:
    if curve is None:
        return {}
    return {
        "deletion_curve": curve.deletion.tolist(),
        "insertion_curve": curve.insertion.tolist(),
        "deletion": curve.deletion_area,
        "insertion": curve.insertion_area,
        "faithfulness": curve.faithfulness,
    }


def _context(run: Run, model: Model, sides: dict[str, tuple[Side, ...]]) -> Context:
    blocks = []
    for method in run.plan.methods:
        if method.name == "m2ib" and "image" in sides["m2ib"] and model.image.layout == "maps":
            layer = method.options.get("layer")
            depth = model.image.depth
            blocks.append(depth - 3 if layer is None else layer % depth)
    if not blocks:
        return Context()
    pictures = {picture.id: picture for picture in run.dataset.pictures}
    chosen = [pictures[image] for image in run.plan.images[:CONTEXT_IMAGES]]
    batches = (
        model.preprocess([run.dataset.open(picture) for picture in chosen[start : start + CONTEXT_BATCH]])[0]
        for start in range(0, len(chosen), CONTEXT_BATCH)
    )
    return estimate_context(model, batches, blocks)
