"""Which texts the scores of an image belong to, and against which other texts they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from core.applications.work.subject import Subject
from core.datasets import DatasetImage
from core.models.model import Model

# Others beyond this many hardly move their mean.
MOST_OTHERS = 256


@dataclass(frozen=True)
class Pair:
    """One text of one image: its place in the bank, and the direction that the score is read along."""

    text: str
    kind: str
    sentence: str
    direction: Tensor


class Bank:
    """The audit's texts, embedded once: classes through the plan's templates, captions and prompts as they are."""

    def __init__(
        self, model: Model, classes: Sequence[str], templates: Sequence[str], sentences: Sequence[str]
    ) -> None:
        self.model = model
        self.classes = list(dict.fromkeys(classes))
        self.templates = tuple(templates) or ("{}",)
        self.sentences = list(dict.fromkeys(sentences))[:MOST_OTHERS]

    @classmethod
    def of(cls, subject: Subject, images: Sequence[DatasetImage]) -> Bank:
        """The bank of a run: its classes, its prompts, and the captions of these images."""
        plan = subject.run.plan.texts
        sentences = [*plan.prompts, *(text for image in images for text in subject.texts(image))]
        return cls(subject.model, plan.classes, plan.templates, sentences)

    @cached_property
    def class_embeddings(self) -> Tensor:
        """Unit embeddings `(classes, embedding)`."""
        return self.model.embed_texts(self.classes, self.templates)

    @cached_property
    def sentence_embeddings(self) -> Tensor:
        """Unit embeddings `(sentences, embedding)`."""
        return self.model.embed_texts(self.sentences)

    @cached_property
    def all_embeddings(self) -> Tensor:
        """Everything that an image may be nearest to: the classes, or the sentences where there are no classes."""
        return self.class_embeddings if self.classes else self.sentence_embeddings

    @cached_property
    def class_directions(self) -> Tensor:
        """For each class the direction `(classes, embedding)` against the mean of the others, as in `of_class`."""
        every = self.class_embeddings
        return every - (every.sum(dim=0) - every) / (len(every) - 1) if len(every) > 1 else every

    @property
    def names(self) -> list[str]:
        """What `all_embeddings` are of."""
        return self.classes or self.sentences

    def pairs(self, image: Tensor, captions: Sequence[str], prompts: Sequence[str], top: int, most: int) -> list[Pair]:
        """At most `most` texts of an image `(embedding,)`: the `top` best classes, its captions, its best prompt.

        The best class comes first, then a caption, so that a small number holds both.
        """
        first: list[Pair] = []
        if self.classes and top:
            order = (self.class_embeddings @ image).argsort(descending=True, stable=True)[:top].tolist()
            first = [self.of_class(at) for at in order]
        known = {text: at for at, text in enumerate(self.sentences)}
        named = [(text, "caption") for text in dict.fromkeys(captions) if text in known]
        asked = [text for text in dict.fromkeys(prompts) if text in known]
        if asked:
            best = max(asked, key=lambda text: float(self.sentence_embeddings[known[text]] @ image))
            named.append((best, "prompt"))
        told = [self.of_sentence(known[text], kind, set(captions)) for text, kind in named]
        return [*first[:1], *told, *first[1:]][:most]

    def of_class(self, at: int) -> Pair:
        """The pair of one class, read against the mean of the other classes."""
        sentence = self.templates[0].format(self.classes[at])
        return Pair(self.classes[at], "class", sentence, _against(self.class_embeddings, at, set()))

    def of_sentence(self, at: int, kind: str, own: set[str]) -> Pair:
        """The pair of one caption or prompt, read against the sentences that aren't `own` to the image."""
        skip = {index for index, text in enumerate(self.sentences) if text in own}
        return Pair(self.sentences[at], kind, self.sentences[at], _against(self.sentence_embeddings, at, skip))


def _against(every: Tensor, at: int, skip: set[int]) -> Tensor:
    others = [index for index in range(len(every)) if index != at and index not in skip]
    return every[at] - every[others].mean(dim=0) if others else every[at]


def softmax_confidence(cosines: Tensor, scale: float) -> float:
    """The probability of the best of some texts `(texts,)` at the model's own temperature."""
    return float((scale * cosines.double()).softmax(dim=0).max())


def spread_of(cosines: Tensor) -> float:
    """The standard deviation of an image's cosines over texts, 0 for a single one."""
    return float(cosines.double().std(unbiased=False)) if len(cosines) > 1 else 0.0


def stacked(pairs: Sequence[Pair]) -> Tensor:
    """The directions of some pairs `(pairs, embedding)`."""
    return torch.stack([pair.direction for pair in pairs])
