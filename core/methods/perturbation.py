"""Cards of the methods that mask the image many times and watch the score."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import MOST_CELLS, MOST_MASKS, Cost, MethodInfo, Options

RemovalName = Literal["auto", "drop", "black", "mean", "blur"]
REMOVAL = (
    "value of a hidden cell: drop (its token is removed), black, the model's mean colour, or a blurred image; auto: "
    "drop where the tower supports it, otherwise mean"
)
CELLS = (
    "cells along each side: the model's own grid, or this many where that grid is finer; 0: always the model's own grid"
)


class RiseOptions(Options):
    """Options of RISE."""

    masks: int = Field(
        512, ge=8, le=MOST_MASKS, description="coalitions of cells (masked images); with stop_at, the maximum"
    )
    cells: int = Field(7, ge=2, le=MOST_CELLS, description="cells along each side of the image")
    keep: float = Field(0.5, gt=0, lt=1, description="probability that a cell is kept")
    estimator: Literal["least_squares", "centred"] = Field(
        "least_squares",
        description="least_squares: ridge regression on hard cells; centred: the weighted sum of soft, shifted masks "
        "with centred scores",
    )
    stop_at: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="stop when the split-half rank correlation, corrected to full length, reaches this value (for "
        "each text separately); empty: use every coalition",
    )
    removal: RemovalName = Field("auto", description=REMOVAL + "; soft masks use mean for auto and drop")
    paper_exact: bool = Field(False, description="the published weighted sum of soft, shifted masks")


class KernelShapOptions(Options):
    """Options of KernelSHAP."""

    masks: int = Field(512, ge=8, le=MOST_MASKS, description="coalitions shared with RISE and LIME")
    extra: int = Field(
        256, ge=8, le=MOST_MASKS, description="additional coalitions, with sizes drawn according to the Shapley kernel"
    )
    cells: int = Field(7, ge=0, le=MOST_CELLS, description=CELLS)
    words: int = Field(
        1024,
        ge=4,
        le=MOST_MASKS,
        description="maximum number of coalitions of the words of a text; by default all of them for up to ten words",
    )
    removal: RemovalName = Field("auto", description=REMOVAL)


class LimeOptions(Options):
    """Options of LIME."""

    masks: int = Field(512, ge=8, le=MOST_MASKS, description="coalitions shared with RISE and KernelSHAP")
    cells: int = Field(7, ge=0, le=MOST_CELLS, description=CELLS)
    width: float = Field(
        0.25,
        gt=0,
        le=1_000,
        description="kernel width: how quickly the weight of a coalition falls with its distance from the whole image",
    )
    penalty: float = Field(1.0, gt=0, le=1_000_000, description="ridge penalty")
    removal: RemovalName = Field("auto", description=REMOVAL)


class OcclusionOptions(Options):
    """Options of occlusion."""

    cells: int = Field(0, ge=0, le=MOST_CELLS, description=CELLS)
    window: int = Field(
        2, ge=1, le=MOST_CELLS, description="side of the hidden window, in cells; the window is clipped at the border"
    )
    removal: RemovalName = Field("auto", description=REMOVAL)


def kept_share(removal: str, share: float) -> float:
    """How much of a forward pass a coalition with this share of the cells costs: all of it where cells are blanked."""
    return share if removal in ("auto", "drop") else 1.0


def _rise_cost(options: RiseOptions, depth: int) -> Cost:
    masks = float(options.masks)
    if options.paper_exact or options.estimator == "centred":
        return Cost(pool=masks, text=1.0)
    return Cost(pool=masks, shared=masks, kept=kept_share(options.removal, options.keep), text=1.0)


RISE = MethodInfo(
    name="rise",
    title="RISE",
    paper="Petsiuk, Das, Saenko: RISE, BMVC 2018, arXiv:1806.07421, eq. 6",
    year=2018,
    family="perturbation",
    idea="Hides random parts of the image many times and measures how much the score depends on each part. What you "
    "see is how much the score rises when a region is visible, averaged over what else is visible.",
    assumes="The model can still judge an image with parts missing; the contributions of regions add up.",
    fails="Where the contributions of regions do not add up (low R²), any map is only a part of the answer; masked "
    "images are unusual inputs for the model. Check the half-widths and R².",
    differs="The same quantity is estimated by ridge regression on hard cells, with an interval for each cell and "
    "the share of the score's variance that the map explains; about an eighth of the masked images give the same "
    "precision. estimator='centred' keeps the soft masks, paper_exact=True gives the published sum. One set of "
    "coalitions serves all texts and other methods.",
    unit="cosine, from hidden to visible",
    sides={"image": ("embeddings",)},
    schema=RiseOptions,
    cost_model=_rise_cost,
    deterministic=False,
    paper_exact=True,
    signed=True,
    additive=True,
    representative=True,
    removal_rank=2,
    efforts={"quick": {"masks": 96}, "standard": {"masks": 192}},
)

KERNEL_SHAP = MethodInfo(
    name="kernel_shap",
    title="KernelSHAP",
    paper="Lundberg, Lee: A Unified Approach to Interpreting Model Predictions, NeurIPS 2017; constrained form: "
    "Covert, Lee, AISTATS 2021",
    year=2017,
    family="perturbation",
    idea="Distributes the rise of the score from an empty image to the whole image among the regions: each gets its "
    "mean contribution over all orders in which regions could be added.",
    assumes="An empty image is a fair starting point, and the model can judge images with few visible regions.",
    fails="Coalitions of very few or nearly all cells have the largest weights; a model that is erratic there gives "
    "noisy values.",
    differs="Sums to the rise exactly (by a constraint, not a large weight). Coalitions come from the pool that RISE "
    "uses and from a draw by size; importance weights make the mixture represent the Shapley kernel. Up to ten cells "
    "are enumerated. The players of a text are its words: their tokens are removed from the sequence instead of "
    "being replaced.",
    unit="cosine; all cells sum to the rise from the hidden to the whole image, all words to the rise from the empty "
    "text",
    sides={"image": ("embeddings",), "text": ("text_words",)},
    schema=KernelShapOptions,
    cost_model=lambda options, depth: Cost(
        pool=float(options.masks + options.extra + 2),
        shared=float(options.masks),
        kept=kept_share(options.removal, 0.5),
        text=1.0,
        text_pair=float(options.words),
    ),
    deterministic=False,
    signed=True,
    additive=True,
    representative=True,
    removal_rank=1,
    efforts={"quick": {"masks": 96, "extra": 64, "words": 128}, "standard": {"masks": 192, "extra": 128, "words": 256}},
)

LIME = MethodInfo(
    name="lime",
    title="LIME",
    paper="Ribeiro, Singh, Guestrin: Why Should I Trust You?, KDD 2016, arXiv:1602.04938",
    year=2016,
    family="perturbation",
    idea="Fits a linear model of the score on images with parts missing, in which images with little missing have "
    "the largest weights.",
    assumes="Near the whole image the score is close to linear in what is visible.",
    fails="The kernel width defines the neighbourhood: with a small width few images count, and the values are noisy.",
    differs="Cells instead of superpixels, so that its coalitions are those of the shared pool.",
    unit="cosine, from hidden to visible, near the whole image",
    sides={"image": ("embeddings",)},
    schema=LimeOptions,
    cost_model=lambda options, depth: Cost(
        pool=float(options.masks), shared=float(options.masks), kept=kept_share(options.removal, 0.5), text=1.0
    ),
    deterministic=False,
    signed=True,
    additive=True,
    removal_rank=3,
    efforts={"quick": {"masks": 96}, "standard": {"masks": 192}},
)

OCCLUSION = MethodInfo(
    name="occlusion",
    title="Occlusion",
    paper="Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, ECCV 2014",
    year=2014,
    family="perturbation",
    idea="Hides one window at a time. What you see is how much the score falls when a region and its surroundings "
    "are hidden.",
    assumes="The relevant evidence fits into one window.",
    fails="Misses redundant evidence: hiding one of two copies changes nothing.",
    differs="The fall is averaged over all windows that hide a cell; windows consist of cells of the model's own grid.",
    unit="fall of the cosine when hidden",
    sides={"image": ("embeddings",)},
    schema=OcclusionOptions,
    cost_model=lambda options, depth: Cost(pool=float(((options.cells or 14) + options.window - 1) ** 2 + 1), text=1.0),
    signed=True,
    removal_rank=4,
    efforts={"quick": {"cells": 7}},
    coarse={"cells": 4},
)

CARDS = (RISE, KERNEL_SHAP, LIME, OCCLUSION)
