"""The noise of a bottleneck that follows the channels of the audited images: whether it is used, and its estimate."""

from __future__ import annotations

from collections.abc import Iterable

from core.applications.work.subject import Subject
from core.attribution.context import estimate_context
from core.attribution.contract import Context
from core.datasets import DatasetImage
from core.models.model import Model
from core.statistics.sampling import random_positions

# As in an audit's own maps: the prior of a convolutional tower is estimated on a random sample of the images.
CONTEXT_IMAGES, CONTEXT_BATCH = 64, 8


def per_channel(model: Model, prior: str) -> bool:
    """Whether the option `prior` gives the image tower one prior per channel."""
    return prior == "channel" or (prior == "auto" and model.image.layout == "maps")


def channel_context(subject: Subject, prior: str, blocks: Iterable[int]) -> Context:
    """Mean and spread of the channels behind `blocks`, over the audited images; empty where the prior needs none."""
    model = subject.model
    if not per_channel(model, prior):
        return Context()
    chosen: list[DatasetImage] = [
        subject.images[at] for at in random_positions(len(subject.images), CONTEXT_IMAGES, subject.run.plan.seed)
    ]
    batches = (
        model.preprocess([subject.open(image) for image in chosen[start : start + CONTEXT_BATCH]])[0]
        for start in range(0, len(chosen), CONTEXT_BATCH)
    )
    return estimate_context(model, batches, blocks)
