"""Card of the methods that mask the image many times and watch the score."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import Cost, MethodInfo, Options


class RiseOptions(Options):
    """Options of RISE."""

    masks: int = Field(1000, ge=2, description="masked images")
    cells: int = Field(8, ge=2, description="cells along each side of a mask before it is enlarged")
    keep: float = Field(0.5, gt=0, lt=1, description="chance that a cell is kept")
    removal: Literal["black", "mean", "blur"] = Field(
        "mean", description="what a removed pixel becomes: black, the model's mean colour, or a blurred picture"
    )
    paper_exact: bool = Field(False, description="plain weighted sum of masks, as published, instead of centred scores")


RISE = MethodInfo(
    name="rise",
    title="RISE",
    paper="Petsiuk, Das, Saenko: RISE, BMVC 2018, arXiv:1806.07421, eq. 6",
    year=2018,
    family="perturbation",
    idea="Hides random parts of the picture many times, and averages the masks weighted by the score they leave. "
    "What you see is how much the score depends on each place being visible.",
    assumes="A masked picture is still something the model can judge.",
    fails="Noisy for few masks; hidden areas are unusual pictures for the model. Show the number of masks.",
    differs="Scores and masks are centred before weighting (same expectation up to a constant, far less noise); "
    "paper_exact=True gives the published sum. One set of masked images serves all texts. The map is averaged to the "
    "model's own grid.",
    unit="cosine above its mean when the place is visible",
    sides={"image": ("embeddings",)},
    schema=RiseOptions,
    cost_model=lambda options, depth: Cost(pool=float(options.masks), text=1.0),
    deterministic=False,
    paper_exact=True,
    signed=True,
)

CARDS = (RISE,)
