"""Card of the method that explains by regions of the picture instead of cells."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from core.methods.info import MOST_MASKS, Cost, Lines, MethodInfo, Options


class SemanticPriorsOptions(Options):
    """Options of semantic priors."""

    regions: Literal["auto", "semantic", "superpixels", "grid"] = Field(
        "auto",
        description="what the picture is cut into; auto: semantic regions of the model's features, or superpixels if "
        "the model doesn't show its features",
    )
    count: int = Field(10, ge=2, le=64, description="most regions of a picture")
    budget: int = Field(
        2048,
        ge=8,
        le=MOST_MASKS,
        description="most masked pictures; all coalitions are used if they fit, a paired sample otherwise",
    )
    removal: Literal["black", "mean", "blur"] = Field(
        "mean", description="what a removed pixel becomes: black, the model's mean colour, or a blurred picture"
    )
    bank: Lines = Field((), description="captions that describe a masked picture; caption values need two")
    value: Literal["similarity", "caption_soft", "caption_best"] = Field(
        "similarity",
        description="what a masked picture is worth for a text: its cosine, or the cosine of what the captions of the "
        "bank say of it (weighted, or the best one alone)",
    )
    scale: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="factor of the cosines in the softmax over the bank; none takes the model's own",
    )
    paper_exact: bool = Field(
        False,
        description="thresholded regions that overlap, black, the whole picture for the empty coalition, as released",
    )

    @field_validator("budget")
    @classmethod
    def _tells_regions_apart(cls, budget: int, known: ValidationInfo) -> int:
        least = known.data.get("count", 0) + 3
        if budget < least:
            raise ValueError(f"{budget} masked pictures can't tell the regions apart; give at least {least}")
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
    idea="Cuts the picture into the regions that the model's own features form, hides every combination of them and "
    "shares the score among the regions by Shapley values. What you see is what each region brings.",
    assumes="What looks alike to the model belongs together, and a picture with hidden regions can still be judged.",
    fails="A region is judged as a whole: a small object inside a large region paints all of it. Hidden areas are "
    "unusual pictures for the model.",
    differs="Regions are a partition (each place goes to its strongest component) instead of thresholded maps; the "
    "empty coalition is the fully hidden picture, where the release shows the whole one and so forces the values to "
    "sum to 0; values are exact, or sampled in pairs under the efficiency constraint, instead of cut at a budget.",
    unit="score (cosine) that the region brings",
    sides={"image": ("embeddings",)},
    schema=SemanticPriorsOptions,
    cost_model=lambda options, depth: Cost(
        image=1.0, pool=float(min(2 ** (options.count + options.paper_exact), options.budget)), text=1.0
    ),
    deterministic=True,
    paper_exact=True,
    signed=True,
)

CARDS = (SEMANTIC_PRIORS,)
