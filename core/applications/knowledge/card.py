"""Card of mutual knowledge: which textual concepts both towers share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from core.applications.card import ApplicationInfo
from core.methods.info import MOST_IMAGES, Line, Lines, Options
from core.settings import LIMITS

RENDERINGS = 3
# One image in so many is split by further seeds and signs, and no more than so many images.
SPREAD_SHARE, SPREAD_IMAGES = 4, 12


class KnowledgeOptions(Options):
    """Options of mutual knowledge."""

    parts: int = Field(
        5, ge=2, le=12, description="number of parts into which the foreground of a group of images is divided"
    )
    variants: Literal["both", "pca", "kmeans"] = Field(
        "both", description="how parts are found: principal components, k-means, or both side by side"
    )
    features: Literal["tokens", "keys"] = Field(
        "tokens", description="features that are divided: the output of the last block, or the keys of its attention"
    )
    foreground: Literal["auto", "first", "second", "third"] = Field(
        "auto", description="the component whose sign marks the foreground; auto: the one that best avoids the border"
    )
    candidates: int = Field(
        500, ge=1, le=20_000, description="number of best descriptors of a part used for the intersection"
    )
    slack: float = Field(
        0.02, ge=0, le=1, description="how far the cosine of a descriptor with the image may lie below the mean"
    )
    per_part: int = Field(3, ge=1, le=10, description="descriptors per part")
    seeds: int = Field(
        3,
        ge=1,
        le=10,
        description="number of k-means seeds, and of choices of the components' signs, for the spread of the scores, "
        "on a quarter of the images, drawn at random, and at most 12; 1: not measured",
    )
    transport: bool = Field(True, description="distribute descriptors over the parts; false: each part takes its best")
    temperature: float = Field(
        1.0, gt=0, le=10_000, description="temperature of the transport: a larger value spreads descriptors more evenly"
    )
    class_concepts: int = Field(
        50, ge=1, le=500, description="number of best descriptors of a class that count as its concepts"
    )
    least_group: int = Field(
        8, ge=1, le=MOST_IMAGES, description="a class with fewer images is pooled with its nearest class"
    )
    largest_group: int = Field(
        64, ge=2, le=MOST_IMAGES, description="a class with more images is split into groups of at most this size"
    )
    bank: Literal["auto", "wordnet", "attributes"] = Field(
        "auto",
        description="source of the descriptors: WordNet glosses and parts with attributes, or attributes alone; "
        "auto: WordNet if it is available",
    )
    descriptors: Lines = Field((), description="custom descriptors, used instead of a generated bank")
    bank_size: int = Field(2000, ge=20, le=20_000, description="maximum number of descriptors in a generated bank")
    labels: Line = Field(
        "",
        description="metadata column with the true class of each image; empty: images are assigned by zero-shot "
        "classification",
    )
    paper_exact: bool = Field(
        False,
        description="second component with the minority as foreground, principal components of the features with their "
        "lengths and with scikit-learn's signs, no pooling of small classes, no limit of the candidates to half the "
        "bank",
    )

    @field_validator("descriptors")
    @classmethod
    def _bounded(cls, descriptors: tuple[str, ...]) -> tuple[str, ...]:
        if len(descriptors) > 20_000:
            raise ValueError(f"{len(descriptors):,} descriptors; at most 20,000 are accepted")
        for text in descriptors:
            if not text.strip():
                raise ValueError("an empty descriptor has no meaning; remove it")
            if len(text) > LIMITS.text_characters:
                raise ValueError(f"a descriptor has {len(text)} characters; at most {LIMITS.text_characters}")
        return descriptors

    @property
    def ways(self) -> tuple[Literal["pca", "kmeans"], ...]:
        """The ways in which parts are found."""
        return ("pca", "kmeans") if self.variants == "both" else (self.variants,)


def _cost(options: KnowledgeOptions) -> float:
    # Parts that further seeds find again aren't embedded again, so this is the most they cost.
    further = (options.seeds - 1) / SPREAD_SHARE
    return 1.0 + RENDERINGS * options.parts * len(options.ways) * (1 + further)


CARD = ApplicationInfo(
    name="knowledge",
    title="Mutual knowledge",
    paper="Sammani, Deligiannis: Interpreting and Analysing CLIP's Zero-Shot Image Classification via Mutual "
    "Knowledge, NeurIPS 2024, arXiv:2410.13016",
    year=2024,
    question="Which describable concepts does the model recognise in an image and also associate with the predicted "
    "class?",
    idea="Divides the foreground of each image into parts, names the parts with short descriptors that do not "
    "mention any class, and compares these names with the descriptors that are nearest to the text of the predicted "
    "class.",
    assumes="An ellipse drawn around a part makes the model describe that part, and the descriptors cover what "
    "matters.",
    fails="With a small or one-sided list of descriptors overlap is accidental: compare it with the overlap with "
    "other classes and with the expected random overlap. Coarse grids leave few cells per part.",
    differs="The component that marks the foreground is selected by the border of the image instead of by hand; "
    "segments are not refined by a conditional random field, and one preprocessing is used for segments and scores; "
    "ellipses come from second moments, which work for parts of any size; an empty intersection falls back to the "
    "union. The released score adds the joint entropy where mutual information subtracts it, so it is called a "
    "score, and the number of shared concepts, Jaccard and overlap coefficient are given beside it. Principal "
    "components are those of unit vectors, as k-means takes them, where the release leaves the features their "
    "lengths; their arbitrary signs follow a rule, and the spread over other signs is reported. No language model "
    "writes the descriptors.",
    needs=("embeddings", "image_layers"),
    inputs=({"classes": 2},),
    schema=KnowledgeOptions,
    cost_model=_cost,
)
