"""Cards of the methods that mask the image many times and watch the score."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import MOST_CELLS, MOST_MASKS, Cost, MethodInfo, Options

RemovalName = Literal["auto", "drop", "black", "mean", "blur"]
REMOVAL = (
    "what happens to a hidden cell: drop (its token leaves the picture), black, the model's mean colour, or a blurred "
    "picture; auto: drop where the tower allows it, otherwise mean"
)
CELLS = "players a side: the model's own grid, or this many where that is finer; 0: always the model's own grid"


class RiseOptions(Options):
    """Options of RISE."""

    masks: int = Field(
        512, ge=8, le=MOST_MASKS, description="coalitions of cells (masked images); the most of them with stop_at"
    )
    cells: int = Field(7, ge=2, le=MOST_CELLS, description="cells along each side of the picture")
    keep: float = Field(0.5, gt=0, lt=1, description="chance that a cell is kept")
    estimator: Literal["least_squares", "centred"] = Field(
        "least_squares",
        description="least_squares: ridge regression on hard cells; centred: the weighted sum of soft, shifted masks "
        "with centred scores",
    )
    stop_at: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="stop once the rank correlation of two halves, stepped up to the whole, reaches this (each text "
        "by itself); empty: use every coalition",
    )
    removal: RemovalName = Field("auto", description=REMOVAL + "; soft masks take mean for auto and drop")
    paper_exact: bool = Field(False, description="the published plain weighted sum of soft, shifted masks")


class KernelShapOptions(Options):
    """Options of KernelSHAP."""

    masks: int = Field(512, ge=8, le=MOST_MASKS, description="coalitions shared with RISE and LIME")
    extra: int = Field(
        256, ge=8, le=MOST_MASKS, description="more coalitions, with sizes drawn as the Shapley kernel weighs them"
    )
    cells: int = Field(7, ge=0, le=MOST_CELLS, description=CELLS)
    words: int = Field(
        1024,
        ge=4,
        le=MOST_MASKS,
        description="most coalitions of a text's words; up to ten words the default takes all of them",
    )
    removal: RemovalName = Field("auto", description=REMOVAL)


class LimeOptions(Options):
    """Options of LIME."""

    masks: int = Field(512, ge=8, le=MOST_MASKS, description="coalitions shared with RISE and KernelSHAP")
    cells: int = Field(7, ge=0, le=MOST_CELLS, description=CELLS)
    width: float = Field(
        0.25, gt=0, le=1_000, description="how fast a coalition far from the whole picture stops to count"
    )
    penalty: float = Field(1.0, gt=0, le=1_000_000, description="ridge penalty")
    removal: RemovalName = Field("auto", description=REMOVAL)


class OcclusionOptions(Options):
    """Options of occlusion."""

    cells: int = Field(0, ge=0, le=MOST_CELLS, description=CELLS)
    window: int = Field(
        2, ge=1, le=MOST_CELLS, description="side of the hidden window, in cells; at the border it is cut"
    )
    removal: RemovalName = Field("auto", description=REMOVAL)


def _kept(removal: str, share: float) -> float:
    return share if removal in ("auto", "drop") else 1.0


def _rise_cost(options: RiseOptions, depth: int) -> Cost:
    masks = float(options.masks)
    if options.paper_exact or options.estimator == "centred":
        return Cost(pool=masks, text=1.0)
    return Cost(pool=masks, shared=masks, kept=_kept(options.removal, options.keep), text=1.0)


RISE = MethodInfo(
    name="rise",
    title="RISE",
    paper="Petsiuk, Das, Saenko: RISE, BMVC 2018, arXiv:1806.07421, eq. 6",
    year=2018,
    family="perturbation",
    idea="Hides random parts of the picture many times and asks how much the score depends on each part being seen. "
    "What you see is how much the score rises when a place is shown, whatever else is shown.",
    assumes="A picture with parts missing is still something the model can judge; places add up.",
    fails="Where places don't add up (low R2) any map is only a part of the answer; hidden areas are unusual pictures "
    "for the model. Look at the half-widths and at R2.",
    differs="The same quantity is estimated by ridge regression on hard cells, with an interval for each and the share "
    "of the score that the map explains; about an eighth of the masked images give the same precision. "
    "estimator='centred' keeps the soft masks, paper_exact=True gives the published sum. One set of coalitions serves "
    "all texts and other methods.",
    unit="cosine, from hidden to seen",
    sides={"image": ("embeddings",)},
    schema=RiseOptions,
    cost_model=_rise_cost,
    deterministic=False,
    paper_exact=True,
    signed=True,
)

KERNEL_SHAP = MethodInfo(
    name="kernel_shap",
    title="KernelSHAP",
    paper="Lundberg, Lee: A Unified Approach to Interpreting Model Predictions, NeurIPS 2017; constrained form: "
    "Covert, Lee, AISTATS 2021",
    year=2017,
    family="perturbation",
    idea="Shares the whole rise of the score, from an empty to the whole picture, among the places: each gets its mean "
    "contribution over all orders in which places could appear.",
    assumes="An empty picture is a fair start, and pictures with a few places are something the model can judge.",
    fails="Coalitions of very few or nearly all places weigh most; a model that is erratic there gives noisy values.",
    differs="Sums to the rise exactly (constraint, not a large weight). Coalitions come from the pool that RISE uses "
    "and from a draw by size; importance weights make the mixture stand for the Shapley kernel. Ten or fewer cells are "
    "enumerated. The players of a text are its words: their tokens leave the sequence instead of being blanked.",
    unit="cosine; all places sum to the rise from the hidden to the whole picture, all words to that from no word",
    sides={"image": ("embeddings",), "text": ("text_layers",)},
    schema=KernelShapOptions,
    cost_model=lambda options, depth: Cost(
        pool=float(options.masks + options.extra + 2),
        shared=float(options.masks),
        kept=_kept(options.removal, 0.5),
        text=1.0,
        text_pair=float(options.words),
    ),
    deterministic=False,
    signed=True,
)

LIME = MethodInfo(
    name="lime",
    title="LIME",
    paper="Ribeiro, Singh, Guestrin: Why Should I Trust You?, KDD 2016, arXiv:1602.04938",
    year=2016,
    family="perturbation",
    idea="Fits a linear model of the score on pictures with parts missing, those that miss little counting most.",
    assumes="Near the whole picture the score is close to linear in what is shown.",
    fails="The width decides what near means: small widths leave few pictures that count, and noise.",
    differs="Cells instead of superpixels, so that its coalitions are those of the shared pool.",
    unit="cosine, from hidden to seen, near the whole picture",
    sides={"image": ("embeddings",)},
    schema=LimeOptions,
    cost_model=lambda options, depth: Cost(
        pool=float(options.masks), shared=float(options.masks), kept=_kept(options.removal, 0.5), text=1.0
    ),
    deterministic=False,
    signed=True,
)

OCCLUSION = MethodInfo(
    name="occlusion",
    title="Occlusion",
    paper="Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, ECCV 2014",
    year=2014,
    family="perturbation",
    idea="Hides one window at a time. What you see is how much the score falls when a place and its neighbours are "
    "hidden.",
    assumes="What matters fits into one window.",
    fails="Misses evidence that is there twice: hiding one copy changes nothing.",
    differs="The fall is averaged over all windows that hide a cell; windows are sets of the model's own cells.",
    unit="fall of the cosine when hidden",
    sides={"image": ("embeddings",)},
    schema=OcclusionOptions,
    cost_model=lambda options, depth: Cost(pool=float(((options.cells or 14) + options.window - 1) ** 2 + 1), text=1.0),
    signed=True,
)

CARDS = (RISE, KERNEL_SHAP, LIME, OCCLUSION)
