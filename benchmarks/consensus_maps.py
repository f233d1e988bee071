"""What an audit without labels knows of each method's maps, image by image: the maps and how far each can be trusted.

Trust is the faithfulness correlation: over random coalitions of cells, does the part of a map that stays in view go
with the score? The checks are those of an audit: re-initialised image towers must change the maps, and so must texts of
other images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.regions import Known
from core.attribution.contract import Work
from core.attribution.draws import cell_grid, kept_cells, pool_of
from core.attribution.explain import attribute
from core.evaluation.controls import control_maps
from core.evaluation.correlation import faithfulness_correlation
from core.models.geometry import Geometry
from core.models.model import Model
from core.models.randomised import Randomised
from core.models.trunk import ImageTrunk, TextTrunk
from core.statistics import spearman

# Methods that start from the states of one forward pass and depend on the text; none of them asks for masked images, so
# that the coalitions by which trust is measured have served no map.
METHODS = ("raw", "clip_surgery", "maskclip", "sclip", "clearclip", "naclip", "gem", "resclip", "sc_clip", "clip_prs",
           "gradcam", "gae", "legrad", "grad_eclip")  # fmt: skip
CONTROLS = ("random", "centre", "edge")
# The method that is defined on a label set: it gets every text of the benchmark.
ON_LABELS = ("clip_surgery",)
CELLS = 7


@dataclass(frozen=True)
class Explained:
    """One image. maps and trust: `(systems, pairs, rows, columns)` and `(systems, pairs)`, methods first, then
    controls; trust is NaN where it is not defined. weights and texts: `(methods,)`, the mean rank correlation of a
    method's maps with those of a re-initialised image tower and of a text of another image; NaN where the image was
    not checked.
    """

    maps: NDArray[np.float32]
    trust: NDArray[np.float64]
    weights: NDArray[np.float64]
    texts: NDArray[np.float64]
    geometry: Geometry


def explained(model: Model, known: Known, at: int, coalitions: int, checked: bool, store: Path | None) -> Explained:
    """The image at `at`; what `store` holds of it is read and not computed again."""
    path = None if store is None else store / f"{at:04d}-{coalitions}-{int(checked)}.npz"
    scene = known.scenes[at]
    geometry = model.preprocess([scene.path])[1][0]
    if path is not None and path.exists():
        with np.load(path) as kept:
            return Explained(**{name: kept[name] for name in ("maps", "trust", "weights", "texts")}, geometry=geometry)
    pixels = model.preprocess([scene.path])[0]
    texts = [pair.text for pair in scene.pairs]
    others = [pair.text for pair in known.scenes[(at + 1) % len(known.scenes)].pairs if pair.text not in texts]
    asked = [*texts, *others[:1]] if checked else texts
    work = Work(model, ImageTrunk(model, pixels), TextTrunk(model, asked))
    own = _maps(model, known, work)
    maps = np.concatenate([own[:, : len(texts)], _controls(work, len(texts))])
    found = Explained(
        maps, _trust(work, maps, coalitions), *_checks(model, known, work, own, len(texts), checked), geometry
    )
    if path is not None:
        np.savez(path, maps=found.maps, trust=found.trust, weights=found.weights, texts=found.texts)
    return found


def _maps(model: Model, known: Known, work: Work) -> NDArray[np.float32]:
    """`(methods, texts, rows, columns)`."""
    geometry = [Geometry(1, 1, 1, 1, 1.0, 1.0, 0.0, 0.0)]
    whole = list(known.texts.values())
    labels = Work(model, work.images, TextTrunk(model, whole))
    out = []
    for name in METHODS:
        if name in ON_LABELS:
            got = attribute(labels, name, geometry, sides=("image",), mode="labels").image
            assert got is not None
            out.append(got[0][[whole.index(text) for text in work.texts.texts]])
        else:
            got = attribute(work, name, geometry, sides=("image",)).image
            assert got is not None
            out.append(got[0])
    return np.stack(out)


def _controls(work: Work, pairs: int) -> NDArray[np.float32]:
    made = control_maps(work.images.pixels[0], *work.images.grid(), work.generator("control", work.image_keys[0]))
    return np.stack([np.repeat(made[name].numpy()[None], pairs, axis=0) for name in CONTROLS]).astype(np.float32)


def _trust(work: Work, maps: NDArray[np.float32], coalitions: int) -> NDArray[np.float64]:
    kept = kept_cells(work, 0, cell_grid(work, CELLS), coalitions)
    answers = (pool_of(work, 0, "auto").embeddings(kept) @ work.texts.embeddings.T).cpu().numpy()
    rows = kept.numpy()
    values = [[faithfulness_correlation(rows, answers[:, pair], one[pair]) for pair in range(len(one))] for one in maps]
    return np.array(values, dtype=float)


def _checks(
    model: Model, known: Known, work: Work, own: NDArray[np.float32], pairs: int, checked: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    unknown = np.full(len(own), np.nan)
    if not checked:
        return unknown, unknown
    # The last step of the cascade has the whole tower drawn anew.
    *_, (_, drawn) = Randomised(model).cascade(work.generator("randomised", work.image_keys[0]))
    texts = TextTrunk(model, work.texts.texts[:pairs])
    other = _maps(drawn, known, Work(drawn, ImageTrunk(drawn, work.images.pixels), texts))
    weights = [
        np.mean([spearman(a, b) or 0.0 for a, b in zip(mine, rest, strict=False)])
        for mine, rest in zip(own, other, strict=True)
    ]
    if own.shape[1] == pairs:
        return np.array(weights), unknown
    wrong = [np.mean([spearman(mine[at], mine[pairs]) or 0.0 for at in range(pairs)]) for mine in own]
    return np.array(weights), np.array(wrong)
