"""The command `name-region`: what a model calls a region that a person has drawn on an image."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.arguments import checked, model_spec, texts_in
from core.commands import Answer
from core.datasets import ingest
from core.drafts import own_folder
from core.errors import InputError
from core.runs import TextPlan
from core.runs.leftovers import EXPLAINING, sweep_temporary

if TYPE_CHECKING:
    from PIL import Image

# Names that are printed; the data holds all.
SHOWN = 10
# A grey value from which a pixel of a mask belongs to the region.
LIGHT = 128


def name_region(chosen: argparse.Namespace) -> Answer:
    """Texts in the order in which they fit a region of one image. Raises a `LoupeError` for wrong input."""
    from core.attribution.contract import Work
    from core.attribution.mask_inversion import invert, region_shares
    from core.models.loading import load_model
    from core.models.trunk import ImageTrunk, TextTrunk

    texts, templates = _texts(chosen)
    if (chosen.mask is None) == (chosen.box is None):
        raise InputError("give the region either as --mask (an image, light where the region is) or as --box")
    sweep_temporary()
    with own_folder(EXPLAINING) as store:
        image = _opened(chosen.image, store / "image")
        mask = _boxed(chosen.box, image.size) if chosen.mask is None else _drawn(chosen.mask, store / "mask")
    spec = model_spec(chosen)
    model = load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
    pixels, (geometry,) = model.preprocess([image])
    work = Work(model, ImageTrunk(model, pixels), TextTrunk(model, list(texts), templates))
    grid = work.images.grid() if "image_layers" in model.capabilities else (1, 1)
    shares = region_shares(mask, geometry, grid)
    with model.meter.measuring() as spent:
        (found,) = invert(work, shares[None], steps=chosen.steps, alpha=chosen.alpha)
    scores, whole = found.scores.tolist(), found.scores_before.tolist()
    names = sorted(zip(texts, scores, whole, strict=True), key=lambda row: (-row[1], row[0]))
    data: dict[str, Any] = {
        "model": {"title": model.title, "digest": model.digest, "weights_sha256": model.weights_sha256},
        "image": chosen.image.name,
        "area": float(mask.mean()),
        "score": "cosine similarity",
        "fit": found.fit,
        "fit_before": found.fit_before,
        "steps": chosen.steps,
        "alpha": chosen.alpha,
        "templates": list(work.texts.templates),
        "forwards": spent.image,
        "names": [{"text": text, "region": score, "image": other} for text, score, other in names],
    }
    lines = [f"{'region':>7} {'image':>7}  text"]
    lines += [f"{score:7.3f} {other:7.3f}  {text}" for text, score, other in names[:SHOWN]]
    if len(names) > SHOWN:
        lines.append(f"... and {len(names) - SHOWN} more (--json lists all)")
    lines.append(f"fit of map and region: {found.fit:.2f} (embedding of the whole image: {found.fit_before:.2f})")
    if found.fit <= found.fit_before:
        lines.append("no embedding fits the region better than that of the whole image: its names are the image's")
    return {"text": "\n".join(lines), "data": data}, 0


def _texts(chosen: argparse.Namespace) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    given = dict.fromkeys([*chosen.text, *(texts_in(chosen.texts) if chosen.texts else ())])
    if len(given) < 2:
        raise InputError("give two or more texts with --text or --texts: a name is chosen among them")
    parts: dict[str, Any] = {"prompts": tuple(given)} | ({"templates": chosen.template} if chosen.template else {})
    plan = checked(TextPlan, parts)
    return tuple(dict.fromkeys(plan.prompts)), plan.templates if chosen.template else None


def _opened(path: Path, store: Path) -> Image.Image:
    """One image, checked and upright."""
    if not path.is_file():
        raise InputError(f"{path} does not exist or is not a file; give one image")
    dataset = ingest([path], store=store)
    if len(dataset.images) != 1:
        reason = f" {dataset.refusals[0].reason}" if dataset.refusals else " must hold one image"
        raise InputError(f"{path.name}{reason}")
    return dataset.open(dataset.images[0]).copy()


def _drawn(path: Path, store: Path) -> NDArray[np.bool_]:
    mask = np.asarray(_opened(path, store).convert("L")) >= LIGHT
    if not mask.any():
        raise InputError(f"{path.name} marks no region; paint the region white on black")
    return np.asarray(mask)


def _boxed(box: list[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    left, top, right, bottom = box
    width, height = size
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise InputError(f"--box must be LEFT TOP RIGHT BOTTOM in pixels within the image of {width} x {height}")
    mask = np.zeros((height, width), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask
