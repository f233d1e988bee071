"""Answering one question: the scores first, then map by map, each told as soon as it is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from core.attribution.contract import BY_IMAGE, Work
from core.attribution.explain import attribute
from core.attribution.mask_inversion import invert, region_shares
from core.audit.playground.question import Box, Question, Region, Scores, quick_options
from core.datasets import load_dataset
from core.errors import CapabilityError, InputError, first_line
from core.methods import method_info
from core.models.geometry import Geometry
from core.models.loading import load_model
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.storage import without_folders

MAX_THREADS = 8
Tell = Callable[..., None]


class Bench:
    """The model that was asked last and its last image, kept for the next question."""

    def __init__(self) -> None:
        torch.set_num_threads(min(torch.get_num_threads(), MAX_THREADS))
        self._model: tuple[Any, Model] | None = None
        self._image: tuple[Any, ImageTrunk, list[Geometry], dict[Any, Any]] | None = None

    def answer(self, question: Question, methods: Sequence[str], box: Box | None, tell: Tell) -> None:
        """Tell the scores, then each map, then the box. Raises a `LoupeError` if the question cannot be answered."""
        try:
            self._answer(question, methods, box, tell)
        except BaseException:
            # What was being filled when that happened may be half full.
            self._image = None
            raise

    def forget(self) -> None:
        """Load the model anew for the next question."""
        self._model = self._image = None

    def _answer(self, question: Question, methods: Sequence[str], box: Box | None, tell: Tell) -> None:
        model = self._loaded(question, tell)
        trunk, geometry, pools = self._opened(question, model)
        work = Work(model, trunk, TextTrunk(model, list(question.texts)), pools=dict(pools))
        tell({"kind": "scores", "scores": asdict(_scores(work, question))})
        for name in methods:
            tell({"kind": "stage", "stage": name})
            self._map(work, name, geometry, tell)
            # What a method has found of the image alone serves the next question about it.
            pools.update({key: kept for key, kept in work.pools.items() if _by_image(key)})
        if box is not None:
            tell({"kind": "stage", "stage": "box"})
            tell({"kind": "region", "region": asdict(_region(work, geometry[0], question, box))})

    def _loaded(self, question: Question, tell: Tell) -> Model:
        spec, key = question.model, (question.model, question.state)
        if self._model is None or self._model[0] != key:
            tell({"kind": "stage", "stage": "model"})
            # First, so that never two of them are in memory.
            self._model = self._image = None
            loaded = load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
            if "stored" in loaded.capabilities:
                raise InputError("a table of stored values cannot answer questions about single images")
            self._model = (key, loaded)
        return self._model[1]

    def _opened(self, question: Question, model: Model) -> tuple[ImageTrunk, list[Geometry], dict[Any, Any]]:
        key = (question.root, question.image)
        if self._image is None or self._image[0] != key or self._image[1].model is not model:
            pixels, geometry = model.preprocess([_image(question)])
            self._image = (key, ImageTrunk(model, pixels), geometry, {})
        return self._image[1:]

    def _map(self, work: Work, name: str, geometry: list[Geometry], tell: Tell) -> None:
        info = method_info(name)
        began, problem, values = time.monotonic(), "", None
        try:
            values = attribute(work, name, geometry, sides=("image",), **quick_options(info)).image
        except (InputError, CapabilityError, ArithmeticError) as error:
            problem = without_folders(first_line(error))
        if values is not None and not np.isfinite(values).all():
            values, problem = None, "gave non-finite values"
        seconds = time.monotonic() - began
        told = {"kind": "map", "method": name, "seconds": round(seconds, 4), "problem": problem}
        if values is None:
            tell(told)
        else:
            found = np.ascontiguousarray(values[0], dtype=np.float32)
            tell({**told, "shape": list(found.shape)}, found.tobytes())


def _image(question: Question) -> Any:
    dataset = load_dataset(question.root)
    entry = next((entry for entry in dataset.images if entry.id == question.image), None)
    if entry is None:
        raise InputError("this image is no longer stored; choose it again")
    return dataset.open(entry)


def _scores(work: Work, question: Question) -> Scores:
    model, cosines = work.model, work.scores[0].float()
    shares: list[float] = []
    if len(cosines) > 1:
        shares = torch.softmax(model.logit_scale * cosines, dim=0).tolist()
    return Scores(
        title=model.title,
        cosines=tuple(cosines.tolist()),
        shares=tuple(shares),
        unread=tuple(model.unread(question.texts)),
        context=int(model.text.context),
        capabilities=tuple(sorted(model.capabilities)),
        preprocessing=model.preprocessing.as_dict(),
    )


def _region(work: Work, geometry: Geometry, question: Question, box: Box) -> Region:
    image = _image(question)
    left, top, right, bottom = box
    if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
        raise InputError(f"the box must lie within the image of {image.width} x {image.height} pixels")
    model = work.model
    pixels, _ = model.preprocess([image.crop(box)])
    crop = tuple((model.embed_images(pixels) @ work.texts.embeddings.T)[0].tolist())
    mask = np.zeros((image.height, image.width), dtype=bool)
    mask[top:bottom, left:right] = True
    try:
        grid = work.images.grid() if "image_layers" in model.capabilities else (1, 1)
        (found,) = invert(work, region_shares(mask, geometry, grid)[None])
    except (InputError, CapabilityError) as error:
        return Region(crop, problem=without_folders(first_line(error)))
    return Region(crop, tuple(found.scores.tolist()), found.fit, found.fit_before)


def _by_image(key: Any) -> bool:
    return isinstance(key, tuple) and len(key) > 0 and key[0] in BY_IMAGE
