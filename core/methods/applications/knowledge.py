"""Card of mutual knowledge: which textual concepts both towers share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from core.methods.applications.info import ApplicationInfo
from core.methods.info import MOST_PICTURES, Line, Lines, Options
from core.settings import LIMITS

RENDERINGS = 3
# One picture in so many is split by further seeds of k-means, and no more than so many pictures.
SPREAD_SHARE, SPREAD_PICTURES = 4, 12


class KnowledgeOptions(Options):
    """Options of mutual knowledge."""

    parts: int = Field(5, ge=2, le=12, description="parts that the foreground of a group of pictures is split into")
    variants: Literal["both", "pca", "kmeans"] = Field(
        "both", description="how parts are found: principal components, k-means, or both side by side"
    )
    features: Literal["tokens", "keys"] = Field(
        "tokens", description="what is split: the last block's output, or the keys of its attention"
    )
    foreground: Literal["auto", "first", "second", "third"] = Field(
        "auto", description="the component whose sign marks the foreground; auto: the one that best avoids the border"
    )
    candidates: int = Field(
        500, ge=1, le=20_000, description="best descriptors of a part that are kept for the intersection"
    )
    slack: float = Field(
        0.02, ge=0, le=1, description="how far below the mean cosine with the picture a descriptor may lie"
    )
    per_part: int = Field(3, ge=1, le=10, description="descriptors a part is named by")
    seeds: int = Field(
        3,
        ge=1,
        le=10,
        description="seeds of k-means by which the spread of the scores is measured, on every fourth picture and at "
        "most 12; 1: not measured",
    )
    transport: bool = Field(True, description="share descriptors out over the parts; false: each part takes its best")
    temperature: float = Field(
        1.0, gt=0, le=10_000, description="of the transport: larger spreads descriptors more evenly"
    )
    class_concepts: int = Field(50, ge=1, le=500, description="best descriptors of a class that count as its concepts")
    least_group: int = Field(
        8, ge=1, le=MOST_PICTURES, description="a class with fewer pictures is pooled with its nearest class"
    )
    largest_group: int = Field(
        64, ge=2, le=MOST_PICTURES, description="a class with more pictures is split in groups of at most this"
    )
    bank: Literal["auto", "wordnet", "attributes"] = Field(
        "auto",
        description="where descriptors come from: WordNet glosses and parts with attributes, or attributes alone; "
        "auto: WordNet if it is found",
    )
    descriptors: Lines = Field((), description="descriptors to use instead of a bank of our own")
    bank_size: int = Field(2000, ge=20, le=20_000, description="the most descriptors of a bank of our own")
    labels: Line = Field(
        "", description="metadata column with each picture's true class; empty: pictures are assigned by zero-shot"
    )
    paper_exact: bool = Field(
        False,
        description="second component with the minority as foreground, no pooling of small classes, no cap of the "
        "candidates at half the bank",
    )

    @field_validator("descriptors")
    @classmethod
    def _bounded(cls, descriptors: tuple[str, ...]) -> tuple[str, ...]:
        if len(descriptors) > 20_000:
            raise ValueError(f"{len(descriptors):,} descriptors; at most 20,000 are accepted")
        for text in descriptors:
            if not text.strip():
                raise ValueError("an empty descriptor says nothing; remove it")
            if len(text) > LIMITS.text_characters:
                raise ValueError(f"a descriptor has {len(text)} characters; at most {LIMITS.text_characters}")
        return descriptors

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways in which parts are found."""
        return ("pca", "kmeans") if self.variants == "both" else (self.variants,)


def _cost(options: KnowledgeOptions) -> float:
    # Parts that further seeds find again aren't embedded again, so this is the most they cost.
    further = (options.seeds - 1) / SPREAD_SHARE if "kmeans" in options.ways else 0.0
    return 1.0 + RENDERINGS * options.parts * (len(options.ways) + further)


CARD = ApplicationInfo(
    name="knowledge",
    title="Mutual knowledge",
    paper="Sammani, Deligiannis: Interpreting and Analysing CLIP's Zero-Shot Image Classification via Mutual "
    "Knowledge, NeurIPS 2024, arXiv:2410.13016",
    year=2024,
    question="Which describable concepts does the model see in a picture and also connect with the class it names?",
    idea="Splits the foreground of each picture into parts, names the parts with short descriptors that don't mention "
    "any class, and compares these names with the descriptors that lie nearest to the predicted class's text.",
    assumes="An ellipse drawn round a part makes the model describe that part, and the descriptors cover what matters.",
    fails="A small or one-sided list of descriptors makes overlap an accident: read it beside the overlap with other "
    "classes and the one expected by chance. Coarse grids leave few cells to a part.",
    differs="The component that marks the foreground is chosen by the picture's border instead of by hand; segments "
    "are not refined by a conditional random field, and one preprocessing serves segments and scores; ellipses come "
    "from second moments, which no small part breaks; an empty intersection falls back to the union. The released "
    "score adds the joint entropy where mutual information subtracts it, so it is called a score, and the number of "
    "shared concepts, Jaccard and overlap coefficient stand beside it. No language model writes the descriptors.",
    needs=("embeddings", "image_layers"),
    schema=KnowledgeOptions,
    cost_model=_cost,
)
