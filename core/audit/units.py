"""One unit of an audit: some images, every text, every method, then the measures. Returns rows, writes nothing.

A unit's rows depend only on what its key hashes, never on which units ran before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.applications.registry import application_info
from core.attribution.context import estimate_context
from core.attribution.contract import Attribution, Context, Work
from core.attribution.explain import attribute
from core.attribution.kept import KeptCrops
from core.attribution.word_games import WORDS
from core.audit.measures import Explained, Group, Item, measured
from core.audit.rows import method_values, scored
from core.datasets import DatasetImage
from core.errors import CapabilityError, InputError, first_line
from core.methods import METHODS
from core.methods.info import Side
from core.models.geometry import Geometry
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.runs import Plan, Run
from core.runs.code import plan_code
from core.runs.keys import key_of
from core.runs.parts import MethodPlan
from core.statistics.sampling import random_positions
from core.storage import without_folders

CONTEXT_IMAGES = 64
CONTEXT_BATCH = 8


@dataclass(frozen=True)
class Bench:
    """What every unit of a run shares: the model, the class embeddings, the context, what cannot run."""

    run: Run
    model: Model
    classes: Tensor | None
    context: Context
    sides: dict[str, tuple[Side, ...]]
    not_run: tuple[tuple[str, str, str], ...]
    words: dict[Any, Any] = field(default_factory=dict)
    # The embeddings of the last texts: those of the next image are the same where a plan has prompts alone.
    embedded: dict[tuple[str, ...], Tensor] = field(default_factory=dict)
    kept: KeptCrops = field(default_factory=KeptCrops)


def unit_key(plan: Plan, shard: Sequence[str], images: dict[str, DatasetImage], model_digest: str) -> str:
    """The hash of everything that determines a unit's rows: plan, weights, code, images with captions, place."""
    return key_of(plan, shard, images, model_digest, plan_code(plan))


def prepare(run: Run, model: Model) -> Bench:
    """What all units share. The context is estimated on at most `CONTEXT_IMAGES` images, drawn at random."""
    plan = run.plan
    sides: dict[str, tuple[Side, ...]] = {}
    not_run: list[tuple[str, str, str]] = []
    for method in plan.methods:
        info = METHODS[method.name]
        unfit = info.unfit(info.parse(method.options), model.depths)
        reasons = {side: reason or unfit.get(side) for side, reason in info.reasons(model.capabilities).items()}
        sides[method.name] = tuple(side for side, reason in reasons.items() if reason is None)
        not_run += [(method.name, side, reason) for side, reason in reasons.items() if reason is not None]
    classes = None
    with torch.no_grad():
        if plan.texts.classes:
            classes = model.embed_texts(plan.texts.classes, plan.texts.templates)
        asked = any(application_info(part.name).crops for part in plan.applications)
    kept = KeptCrops() if asked else KeptCrops(most=0)
    return Bench(run, model, classes, _context(run, model, sides), sides, tuple(not_run), kept=kept)


def run_unit(bench: Bench, key: str, shard: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of one unit (see `core.runs.results.SCHEMA`), image by image."""
    rows: list[dict[str, Any]] = []
    images = {entry.id: entry for entry in bench.run.dataset.images}
    for image in shard:
        rows += _image_rows(bench, key, images[image])
    return rows


def _image_rows(bench: Bench, key: str, image: DatasetImage) -> list[dict[str, Any]]:
    plan, model = bench.run.plan, bench.model
    base = {"unit": key, "image": image.id, "image_name": image.name}
    pixels, geometry = model.preprocess([bench.run.dataset.open(image)])
    images = ImageTrunk(model, pixels)
    rows: list[dict[str, Any]] = []
    items = [Item(text, "caption") for text in image.captions[: plan.texts.captions_each] if plan.texts.captions]
    items += [Item(text, "prompt") for text in plan.texts.prompts]
    items = list(dict.fromkeys(items))
    # Masked images do not depend on the text, so both groups use the same ones; texts without some of their words
    # do not depend on the image.
    pools: dict[Any, Any] = {WORDS: bench.words}
    plain = _group(bench, images, items, pools)
    groups = [plain] if plain is not None else []
    if bench.classes is not None:
        scores = (images.embeddings @ bench.classes.T)[0].cpu().numpy()
        best = np.argsort(-scores, kind="stable")[: plan.texts.top_classes].tolist()
        for index, name in enumerate(plan.texts.classes):
            rows.append(
                {
                    **base,
                    "text": name,
                    "text_kind": "class",
                    "kind": "score",
                    **scored(float(scores[index])),
                }
            )
        if best:
            groups.append(_class_group(bench, images, best, pools))
    explained: list[Explained] = []
    for number, group in enumerate(groups):
        told, found = _explain_group(bench, base, group, number, geometry)
        rows += told
        explained += found
    bench.kept.keep(pools)
    rows += [entry.row for entry in explained]
    return rows + measured(plan, base, groups, explained)


def _group(bench: Bench, images: ImageTrunk, items: list[Item], pools: dict[Any, Any]) -> Group | None:
    if not items:
        return None
    texts = TextTrunk(bench.model, [item.text for item in items])
    told = tuple(texts.texts)
    if told in bench.embedded:
        texts.embeddings = bench.embedded[told]
    else:
        bench.embedded.clear()
        bench.embedded[told] = texts.embeddings
    return Group(_work(bench, images, texts, pools), items)


def _class_group(bench: Bench, images: ImageTrunk, best: list[int], pools: dict[Any, Any]) -> Group:
    plan = bench.run.plan
    items = [Item(plan.texts.classes[index], "class") for index in best]
    texts = TextTrunk(bench.model, [item.text for item in items], plan.texts.templates)
    assert bench.classes is not None
    texts.embeddings = bench.classes[best]
    labels = TextTrunk(bench.model, plan.texts.classes, plan.texts.templates)
    labels.embeddings = bench.classes
    return Group(_work(bench, images, texts, pools), items, _work(bench, images, labels, pools), tuple(best))


def _work(bench: Bench, images: ImageTrunk, texts: TextTrunk, pools: dict[Any, Any]) -> Work:
    return Work(bench.model, images, texts, bench.run.plan.seed, bench.context, pools)


def _explain_group(
    bench: Bench, base: dict[str, Any], group: Group, number: int, geometry: list[Geometry]
) -> tuple[list[dict[str, Any]], list[Explained]]:
    """The score rows of a group (classes have theirs already, every one of them) and its methods' rows."""
    scores = group.work.scores[0].cpu().numpy()
    heads = [
        {**base, "text": item.text, "text_kind": item.kind, **scored(float(scores[index]))}
        for index, item in enumerate(group.items)
    ]
    told = [] if group.labels is not None else [{**head, "kind": "score"} for head in heads]
    explained = []
    for method in bench.run.plan.methods:
        if not bench.sides[method.name]:
            continue
        got, problem = _attempt(bench, group, method, geometry)
        for index, head in enumerate(heads):
            row = {**head, "kind": "method", "method": method.name}
            values = None
            if got is None:
                row |= {"status": "failed", "message": problem}
            elif head["status"] == "ok":
                row |= method_values(got, index)
                values = None if got.image is None else got.image[0, index]
            explained.append(Explained(row, number, index, values))
    return told, explained


def _attempt(
    bench: Bench, group: Group, method: MethodPlan, geometry: list[Geometry]
) -> tuple[Attribution | None, str | None]:
    """A method's result, or the one line that says why there is none: one bad image must not stop an audit."""
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
        return None, without_folders(first_line(error))
    for values, side in ((got.image, "image"), (got.text, "text")):
        if values is not None and not np.isfinite(values).all():
            return None, f"{method.name} gave non-finite values on the {side} side"
    if on_set and got.image is not None:
        chosen = list(group.chosen)
        details = {name: values[:, chosen] for name, values in got.details.items()}
        got = replace(got, image=got.image[:, chosen], details=details)
    return got, None


def _context(run: Run, model: Model, sides: dict[str, tuple[Side, ...]]) -> Context:
    blocks = []
    for method in run.plan.methods:
        asks = METHODS[method.name].needs_context and "image" in sides[method.name]
        if asks and model.image.layout == "maps":
            layer = method.options.get("layer")
            depth = model.image.depth
            blocks.append(max(depth - 3, 0) if layer is None else layer % depth)
    if not blocks:
        return Context()
    images = {entry.id: entry for entry in run.dataset.images}
    positions = random_positions(len(run.plan.images), CONTEXT_IMAGES, run.plan.seed)
    chosen = [images[run.plan.images[at]] for at in positions]
    batches = (
        model.preprocess([run.dataset.open(entry) for entry in chosen[start : start + CONTEXT_BATCH]])[0]
        for start in range(0, len(chosen), CONTEXT_BATCH)
    )
    return estimate_context(model, batches, blocks)
