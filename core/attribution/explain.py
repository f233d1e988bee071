"""The one door to every method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from core.attribution.contract import Attribution, Context, Measured, Work
from core.attribution.registry import brought, method_module
from core.errors import CapabilityError, InputError, LoupeError, first_line
from core.methods import MethodInfo
from core.methods.info import Side
from core.models.geometry import Geometry
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.models.words import text_words


def explain(
    model: Model,
    images: Sequence[Image.Image | str | Path] | Image.Image | str | Path | Tensor,
    texts: Sequence[str] | str,
    method: str,
    *,
    seed: int = 0,
    templates: Sequence[str] | str | None = None,
    sides: Sequence[Side] | None = None,
    context: Context | None = None,
    **options: Any,
) -> Attribution:
    """Attribute the cosine of every image with every text by `method`.

    `images` are images, paths or preprocessed pixels `(images, 3, height, width)`; `texts` are embedded as they are
    unless `templates` are given. `sides` asks for "image" and "text" by name; by default every side that the method
    has and the model can serve, but never without the method's first side. `options` are the method's own.
    Returns an `Attribution`. Raises `InputError` for wrong input and `CapabilityError` if the model cannot serve the
    method.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise InputError("texts must be one or more strings")
    pixels, geometry = model.preprocess(images)
    work = Work(model, ImageTrunk(model, pixels), TextTrunk(model, texts, templates), seed, context or Context())
    return attribute(work, method, geometry, sides=sides, **options)


def attribute(
    work: Work,
    method: str,
    geometry: list[Geometry],
    *,
    sides: Sequence[Side] | None = None,
    **options: Any,
) -> Attribution:
    """`explain` on work that other methods share."""
    info, module = method_module(method)
    parsed = info.parse(options)
    reasons = info.reasons(work.model.capabilities)
    unfit = info.unfit(parsed, work.model.depths)
    asked = tuple(sides) if sides is not None else _served(info, reasons, unfit)
    for side in asked:
        if side not in info.sides:
            raise InputError(f"{method} has no {side} attribution")
        if reasons[side] is not None:
            raise CapabilityError(f"{method} cannot explain {work.model.title}: the {side} side {reasons[side]}")
        if side in unfit:
            raise InputError(f"{method}: {unfit[side]}")
    image, text, tokens = None, None, [pieces for _, pieces in work.texts.content]
    half_width, details = None, {}
    # Methods differentiate, also where the caller has switched that off.
    with torch.inference_mode(False), torch.enable_grad():
        if "image" in asked:
            found = _measured(_asked(info, module.attribute_image, work, parsed))
            if info.module:
                _fits(info, found.values, tuple(work.scores.shape))
            image = _array(found.values)
            half_width = None if found.half_width is None else _array(found.half_width)
            details = {name: _array(values) for name, values in found.details.items()}
        if "text" in asked:
            text = _content(work, _measured(_asked(info, module.attribute_text, work, parsed)).values)
    return Attribution(
        method=info,
        options=parsed.model_dump(),
        image=image,
        text=text,
        tokens=tokens,
        scores=_array(work.scores),
        geometry=geometry,
        seed=work.seed,
        unit=info.unit,
        model_digest=work.model.digest,
        templates=work.texts.templates,
        not_run={
            side: reason
            for side in info.sides
            if side not in asked and (reason := reasons[side] or unfit.get(side)) is not None
        },
        image_half_width=half_width,
        details=details,
        words=text_words(work.texts),
    )


def _asked(info: MethodInfo, function: Callable[[Work, Any], Any], work: Work, options: Any) -> Any:
    """What a method computes. Whatever the code of a plug-in raises is one line, and its own fault alone."""
    if not info.module:
        return function(work, options)
    try:
        return function(work, options)
    except (LoupeError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise InputError(f"the {brought(info.name)} failed: {type(error).__name__}: {first_line(error)}") from error


def _fits(info: MethodInfo, values: Any, shape: tuple[int, ...]) -> None:
    """Raise `InputError` unless a plug-in gave a tensor (images, texts, rows, columns)."""
    if not isinstance(values, Tensor):
        raise InputError(f"the {brought(info.name)} returned {type(values).__name__}, not a tensor")
    if values.ndim != 4 or tuple(values.shape[:2]) != shape:
        wanted = f"({shape[0]}, {shape[1]}, rows, columns)"
        raise InputError(f"the {brought(info.name)} returned values of shape {tuple(values.shape)}, not {wanted}")


def _measured(found: Tensor | Measured) -> Measured:
    return found if isinstance(found, Measured) else Measured(found)


def _served(info: MethodInfo, reasons: dict[Side, str | None], unfit: dict[Side, str]) -> tuple[Side, ...]:
    """The sides that are run by default: those that the model can serve and that have the layer asked for.

    The first side is always among them if the model cannot serve it, or if no side has the layer, so that this is an
    error and never an empty result.
    """
    first = next(iter(info.sides))
    able = tuple(side for side in info.sides if side == first or reasons[side] is None)
    fitting = tuple(side for side in able if side not in unfit or reasons[side] is not None)
    return fitting or able


def _content(work: Work, values: Tensor) -> NDArray[np.float32]:
    positions = [positions for positions, _ in work.texts.content]
    width = max((len(row) for row in positions), default=0)
    out = torch.zeros(*values.shape[:2], width)
    for text, row in enumerate(positions):
        out[:, text, : len(row)] = values[:, text, row].cpu()
    return _array(out)


def _array(values: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.detach().to("cpu", torch.float32).numpy())
