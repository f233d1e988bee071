"""Card of the method that explains by regions of the image instead of cells."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from core.methods.info import MOST_MASKS, Cost, Lines, MethodInfo, Options


class SemanticPriorsOptions(Options):
    """Options of semantic priors."""

    regions: Literal["auto", "semantic", "superpixels", "grid"] = Field(
        "auto",
        description="how the image is divided; auto: semantic regions of the model's features, or superpixels if the "
        "model does not expose its features",
    )
    count: int = Field(10, ge=2, le=64, description="maximum number of regions per image")
    budget: int = Field(
        2048,
        ge=8,
        le=MOST_MASKS,
        description="maximum number of masked images; all coalitions are used if they fit, otherwise a paired sample",
    )
    removal: Literal["black", "mean", "blur"] = Field(
        "mean", description="value of a removed pixel: black, the model's mean colour, or a blurred image"
    )
    bank: Lines = Field(
        (), description="captions that describe a masked image; the values based on captions need at least two"
    )
    value: Literal["similarity", "caption_soft", "caption_best"] = Field(
        "similarity",
        description="value of a masked image for a text: its cosine, or the cosine of the captions of the bank that "
        "describe it (weighted, or only the best one)",
    )
    scale: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="scale of the cosines in the softmax over the bank; none: the model's own scale",
    )
    paper_exact: bool = Field(
        False,
        description="thresholded regions that overlap, black, the whole image for the empty coalition, as released",
    )

    @field_validator("budget")
    @classmethod
    def _tells_regions_apart(cls, budget: int, known: ValidationInfo) -> int:
        least = known.data.get("count", 0) + 3
        if budget < least:
            raise ValueError(f"{budget} masked images are too few to separate the regions; give at least {least}")
        return budget

    @field_validator("value")
    @classmethod
    def _has_a_bank(cls, value: str, known: ValidationInfo) -> str:
        if value != "similarity" and len(set(known.data.get("bank", ()))) < 2:
            raise ValueError(f"{value} needs a bank of at least two captions")
        return value


SEMANTIC_PRIORS = MethodInfo(
    name="semantic_priors",
    title="Semantic priors",
    paper="Cafagna, Rojas-Barahona, van Deemter, Gatt: Interpreting vision and language generative models with "
    "semantic visual priors, Frontiers in Artificial Intelligence 6:1220476",
    year=2023,
    family="regional",
    idea="Divides the image into the regions formed by the model's own features, hides every combination of them and "
    "distributes the score among the regions by Shapley values. What you see is what each region contributes.",
    assumes="What is similar in the model's features belongs together, and the model can judge an image with hidden "
    "regions.",
    fails="A region is judged as a whole: a small object inside a large region colours all of it. Masked images are "
    "unusual inputs for the model.",
    differs="Regions form a partition (each position belongs to its strongest component) instead of thresholded "
    "maps; the empty coalition is the fully hidden image, whereas the release uses the whole image and so forces the "
    "values to sum to 0; values are exact, or sampled in pairs under the efficiency constraint, instead of truncated "
    "at a budget.",
    unit="score (cosine) contributed by the region",
    sides={"image": ("embeddings",)},
    schema=SemanticPriorsOptions,
    cost_model=lambda options, depth: Cost(
        image=1.0, pool=float(min(2 ** (options.count + options.paper_exact), options.budget)), text=1.0
    ),
    deterministic=True,
    paper_exact=True,
    signed=True,
    efforts={"quick": {"count": 6}, "standard": {"count": 7}},
    coarse={"count": 4},
)

CARDS = (SEMANTIC_PRIORS,)
