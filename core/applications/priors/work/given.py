"""What people give of an image: texts, a question with its answer, and regions that they drew."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.applications.priors.card import PriorsOptions
from core.applications.priors.record import REST
from core.applications.truth import Truth
from core.applications.work.subject import Subject
from core.datasets import DatasetImage
from core.models.geometry import Geometry


@dataclass(frozen=True)
class DrawnLabels:
    """The number of each pixel's region `(height, width)` as the model sees it, and the names, by number."""

    labels: Tensor
    names: tuple[str, ...]


@dataclass(frozen=True)
class QuestionText:
    """A question with its answer as one text, and the question alone: the same text up to the answer."""

    text: str
    question: str


def question_text(image: DatasetImage, options: PriorsOptions) -> QuestionText | None:
    """The text of an image's question and answer, None if its metadata lacks one of the two.

    The form is filled as it stands; the question alone ends where the answer would begin.
    """
    question, answer = (_said(image, column) for column in (options.question, options.answer))
    if not question or not answer:
        return None
    before, _, after = options.question_form.partition("{answer}")
    # Filled in turn and once each, so that braces in a stranger's text stay text.
    head, _, rest = before.partition("{question}")
    asked = f"{head}{question}{rest}"
    return QuestionText(f"{asked}{answer}{after}", asked.rstrip())


def texts_of(subject: Subject, image: DatasetImage, asked: QuestionText | None) -> list[str]:
    """The image's question with its answer, its captions and the prompts; where there is none, the classes in the
    plan's first template.
    """
    plan = subject.run.plan.texts
    template = next(iter(plan.templates), "{}")
    first = [] if asked is None else [asked.text]
    return list(dict.fromkeys([*first, *subject.texts(image)])) or [template.format(name) for name in plan.classes]


def bank_of(subject: Subject, options: PriorsOptions) -> list[str]:
    """Every caption, prompt and class of the audit, each once, in the order of the images."""
    plan = subject.run.plan.texts
    template = next(iter(plan.templates), "{}")
    captions = chain.from_iterable(subject.texts(image) for image in subject.images)
    return list(dict.fromkeys([*captions, *(template.format(name) for name in plan.classes)]))[: options.bank]


def drawn_labels(truth: Truth, image: DatasetImage, geometry: Geometry, most: int) -> DrawnLabels | None:
    """The drawn regions of an image at the model's input: one for each label, and the rest of the image.

    Where objects overlap, the smaller one counts. Of more than `most` regions the labels of the smallest area join the
    rest. None if nothing is drawn on the image, or if the model sees fewer than two regions.
    """
    known = sorted(truth.labels(image) or ())
    whole = truth.mask(image, known, (image.width, image.height)) if known else None
    if whole is None:
        return None
    seen = _seen(whole, geometry)
    areas = np.bincount(seen.ravel(), minlength=len(known) + 1)
    labels = np.argsort(-areas[1:], kind="stable")[: most - 1] + 1
    kept = sorted(int(label) for label in labels if areas[label])
    numbers = np.zeros(len(known) + 1, dtype=np.int64)
    numbers[kept] = np.arange(1, len(kept) + 1)
    merged = numbers[seen]
    names = [REST, *(known[label - 1] for label in kept)]
    present = np.unique(merged).tolist()
    if len(present) < 2:
        return None
    return DrawnLabels(torch.from_numpy(merged), tuple(names[number] for number in present))


def _seen(whole: NDArray[np.int32], geometry: Geometry) -> NDArray[np.int64]:
    """The numbers of a mask of the original image at the centres of the input's pixels; 0 for crowds and padding."""
    x = np.array([geometry.to_original(at + 0.5, 0.0)[0] for at in range(geometry.input_width)])
    y = np.array([geometry.to_original(0.0, at + 0.5)[1] for at in range(geometry.input_height)])
    inside = ((y >= 0) & (y < geometry.height))[:, None] & ((x >= 0) & (x < geometry.width))[None, :]
    rows = np.clip(y.astype(np.int64), 0, geometry.height - 1)
    columns = np.clip(x.astype(np.int64), 0, geometry.width - 1)
    found = whole[rows[:, None], columns[None, :]].astype(np.int64)
    return np.where(inside, np.maximum(found, 0), 0)


def _said(image: DatasetImage, column: str) -> str:
    value = image.metadata.get(column)
    return "" if value is None else " ".join(str(value).split())
