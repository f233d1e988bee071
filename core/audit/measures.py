"""What is measured about the explanations of one image: every map, every control, all texts at once.

Forwards are shared wherever a measure allows it: orders share sets of cells, coalitions serve all maps and all texts
(and are those that the perturbation methods asked for), texts without some of their words serve all images. Only the
image that a map fades, for confidence, costs a forward of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.attribution.contract import Work
from core.attribution.draws import cell_grid, kept_cells, pool_of
from core.attribution.word_games import word_pool
from core.audit.rows import curve_values, scored
from core.evaluation.compactness import compactness
from core.evaluation.confidence import confidence, faded_embeddings
from core.evaluation.controls import control_maps
from core.evaluation.correlation import additive_share, faithfulness_correlation, infidelity, sensitivity_n
from core.evaluation.curves import curves
from core.evaluation.imputation import ImputedPool
from core.evaluation.word_faithfulness import word_faithfulness
from core.runs import Plan

# The cells of RISE, KernelSHAP and LIME, so that their coalitions serve here too.
TRUST_CELLS = 7
CONTROL = "control:"
# The control that also has an order of words.
BLIND = f"{CONTROL}random"

Key = tuple[str, int]
Maps = dict[Key, NDArray[Any]]
Values = dict[Key, dict[str, Any]]


@dataclass(frozen=True)
class Item:
    """One text that one image is explained with. `class` texts are embedded through the plan's templates."""

    text: str
    kind: str


@dataclass
class Explained:
    """One row of a method, the map behind it, and which text of which group it explains."""

    row: dict[str, Any]
    group: int
    index: int
    values: NDArray[Any] | None


@dataclass
class Group:
    """Texts of one image that are explained together.

    `labels` holds the whole label set, and `chosen` where the items stand in it, for methods defined on a set.
    """

    work: Work
    items: list[Item]
    labels: Work | None = None
    chosen: tuple[int, ...] = ()


def measured(plan: Plan, base: dict[str, Any], groups: list[Group], explained: list[Explained]) -> list[dict[str, Any]]:
    """Fills the methods' rows with what was measured and returns the controls' rows."""
    if not plan.trust.curves or not groups:
        return []
    first = np.cumsum([0, *(len(group.items) for group in groups)])
    keys = [(str(entry.row["method"]), int(first[entry.group]) + entry.index) for entry in explained]
    values: Values = {}
    names: list[str] = []
    if any(entry.values is not None for entry in explained):
        maps = {key: entry.values for key, entry in zip(keys, explained, strict=True) if entry.values is not None}
        controls = _controls(groups[0].work)
        names += controls
        maps |= {(CONTROL + name, text): grid for name, grid in controls.items() for text in range(int(first[-1]))}
        _of_maps(plan, groups, maps, values)
    if plan.trust.words and any(entry.row.get("word_values") is not None for entry in explained):
        names += [] if names else [BLIND.removeprefix(CONTROL)]
        _of_words(groups, dict(zip(keys, explained, strict=True)), values)
    for key, entry in zip(keys, explained, strict=True):
        entry.row |= values.get(key, {})
    scores = torch.cat([group.work.scores[0] for group in groups]).cpu().tolist()
    items = [item for group in groups for item in group.items]
    return [
        {
            **base,
            "text": item.text,
            "text_kind": item.kind,
            "kind": "control",
            "method": name,
            **scored(scores[text]),
            **values.get((CONTROL + name, text), {}),
        }
        for name in names
        for text, item in enumerate(items)
    ]


def _controls(work: Work) -> dict[str, NDArray[Any]]:
    grid = work.images.grid() if "image_layers" in work.model.capabilities else (14, 14)
    made = control_maps(work.images.pixels[0], *grid, work.generator("control", work.image_keys[0]))
    return {name: values.numpy() for name, values in made.items()}


def _of_maps(plan: Plan, groups: list[Group], maps: Maps, values: Values) -> None:
    work = groups[0].work
    texts = torch.cat([group.work.texts.embeddings for group in groups])
    pool = pool_of(work, 0, plan.trust.removal)
    for key, curve in curves(pool, maps, texts, steps=plan.trust.steps).items():
        values[key] = curve_values(curve)
    for key, grid in maps.items():
        values[key] = values.get(key, {}) | compactness(grid)
    if plan.trust.coalitions:
        kept = kept_cells(work, 0, cell_grid(work, TRUST_CELLS), plan.trust.coalitions)
        answers = (pool.embeddings(kept) @ texts.T).cpu()
        whole = (work.images.embeddings @ texts.T)[0].cpu().tolist()
        ceiling, rows = additive_share(kept, answers), kept.numpy()
        for key, grid in maps.items():
            seen, share = answers[:, key[1]].numpy(), float(ceiling[key[1]])
            values[key] |= {
                "correlation": faithfulness_correlation(rows, seen, grid),
                "sensitivity_n": sensitivity_n(rows, seen, grid),
                "infidelity": infidelity(rows, seen, whole[key[1]], grid),
                "additive_share": share if np.isfinite(share) else None,
            }
    for way in plan.trust.again:
        other = pool_of(work, 0, "blur") if way == "blur" else _imputed(work)
        for key, curve in curves(other, maps, texts, steps=plan.trust.again_steps).items():
            values[key][f"{way}_faithfulness"] = curve.faithfulness
    if plan.trust.confidence:
        _confidences(groups, maps, values)


def _imputed(work: Work) -> ImputedPool:
    return ImputedPool(work.model, work.images.pixels[0], work.generator("imputed", work.image_keys[0]))


def _confidences(groups: list[Group], maps: Maps, values: Values) -> None:
    """Of a class its probability among all classes, of any other text its cosine."""
    work = groups[0].work
    faded = faded_embeddings(work.model, work.images.pixels[0], maps)
    first = 0
    for group in groups:
        asked = {key: faded[key] for key in faded if first <= key[1] < first + len(group.items)}
        if asked:
            seen = torch.cat([group.work.images.embeddings, torch.stack(list(asked.values()))])
            answers = seen @ (group.labels or group.work).texts.embeddings.T
            if group.labels is not None:
                answers = (work.model.logit_scale * answers).softmax(dim=1)[:, list(group.chosen)]
            whole, *others = answers.cpu().tolist()
            for (name, text), row in zip(asked, others, strict=True):
                found = confidence(whole[text - first], row[text - first])
                values[name, text] |= {
                    "confidence_drop": found.drop,
                    "relative_drop": found.relative_drop,
                    "confidence_increase": found.increase,
                }
        first += len(group.items)


def _of_words(groups: list[Group], explained: dict[Key, Explained], values: Values) -> None:
    """Of every method with a text side, and of one random order of words for each image and text."""
    first = 0
    for group in groups:
        work = group.work
        for index, text in enumerate(work.texts.texts):
            at = first + index
            pool = word_pool(work, index)
            words = [word for word, _ in pool.words]
            orders = {
                name: np.asarray(entry.row["word_values"])
                for (name, place), entry in explained.items()
                if place == at and entry.row.get("words") == words
            }
            if not orders:
                continue
            generator = work.generator("control words", work.image_keys[0], text)
            orders[BLIND] = torch.rand(len(words), generator=generator).numpy()
            for name, found in word_faithfulness(pool, work.images.embeddings[0], orders).items():
                told = {"comprehensiveness": found.comprehensiveness, "sufficiency": found.sufficiency}
                values[name, at] = values.get((name, at), {}) | told
        first += len(group.items)
