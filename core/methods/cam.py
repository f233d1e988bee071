"""Cards of the class activation methods that weigh channels by masked forwards. Grad-CAM is with the gradients."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import MOST_LAYERS, MOST_MASKS, Cost, MethodInfo, Options

# What a card expects of a tower whose channels aren't known: a CLIP ResNet-50's last map.
EVERY_CHANNEL = 2048
LAYER = (
    "block whose input is read, from 0 (negative: from the end); default: a ViT's last block, a CNN's last feature map"
)


class ScoreCamOptions(Options):
    """Options of Score-CAM."""

    channels: int = Field(
        300, ge=1, le=MOST_MASKS, description="most channels that are used: those whose values range widest"
    )
    layer: int | None = Field(None, ge=-MOST_LAYERS, le=MOST_LAYERS, description=LAYER)
    scale: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="factor of the cosines in the softmax over channels; none takes the model's own",
    )
    removal: Literal["black", "mean", "blur"] = Field(
        "mean", description="what a hidden pixel becomes: black, the model's mean colour, or a blurred picture"
    )
    paper_exact: bool = Field(False, description="every channel, as published, however many there are")


class GScoreCamOptions(Options):
    """Options of gScoreCAM."""

    channels: int = Field(
        300, ge=1, le=MOST_MASKS, description="channels of a text: those with the largest mean gradient"
    )
    layer: int | None = Field(None, ge=-MOST_LAYERS, le=MOST_LAYERS, description=LAYER)
    scale: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="factor of the cosines in the softmax over channels; none takes the model's own",
    )
    removal: Literal["black", "mean", "blur"] = Field(
        "mean", description="what a hidden pixel becomes: black, the model's mean colour, or a blurred picture"
    )
    paper_exact: bool = Field(
        False, description="as released: no masked pictures, weights from being among the chosen channels alone"
    )


SCORE_CAM = MethodInfo(
    name="score_cam",
    title="Score-CAM",
    paper="Wang et al.: Score-CAM, CVPR Workshops 2020, arXiv:1910.01279, eq. 3-8",
    year=2020,
    family="cam",
    idea="Shows the model the picture through each feature channel of a layer and weighs the channel by the score that "
    "is left. What you see is where those channels are active that show what the text says.",
    assumes="What a channel is active on is what it stands for, and a picture seen through it can still be judged.",
    fails="One forward a channel. Where many channels leave nearly the same score the map is nearly their mean, "
    "whatever the text.",
    differs="Masked pictures are embedded once and serve all texts. The 300 channels that range widest are used, all "
    "with paper_exact. Scores are multiplied by the model's own scale before the softmax; cosines alone would give "
    "nearly equal weights.",
    unit="weighted activation (at least 0)",
    sides={"image": ("image_layers",)},
    schema=ScoreCamOptions,
    cost_model=lambda options, depth: Cost(
        image=1.0, pool=float(EVERY_CHANNEL if options.paper_exact else options.channels), text=1.0
    ),
    paper_exact=True,
)


def _gscorecam_cost(options: GScoreCamOptions, depth: int) -> Cost:
    tail = 1.0
    if options.layer is not None:
        block = options.layer + depth if options.layer < 0 else options.layer
        tail = float(max(depth - block, 1))
    masked = 0.0 if options.paper_exact else float(options.channels)
    return Cost(image=1.0 + tail / max(depth, 1), pair=2.0 * tail / max(depth, 1) + masked, text=1.0)


GSCORECAM = MethodInfo(
    name="gscorecam",
    title="gScoreCAM",
    paper="Chen, Li, Biaz, Bui, Nguyen: gScoreCAM: What Objects Is CLIP Looking At?, ACCV 2022",
    year=2022,
    family="cam",
    idea="Score-CAM with the channels that the gradient of the score picks for the text. What you see is where those "
    "channels are active that both raise the score and, shown alone, keep it.",
    assumes="A channel's mean gradient tells the channels of this text from the others.",
    fails="Costs as many forwards a text as channels are chosen, less what texts share; as coarse as the layer.",
    differs="As the paper describes it: chosen channels are weighed by the score of the picture seen through them. In "
    "the release that score is switched off and the weights are a softmax over chosen (1) or not (0), so that "
    "every channel keeps some weight; paper_exact gives that. Masked pictures are shared by texts.",
    unit="weighted activation (at least 0)",
    sides={"image": ("image_layers",)},
    schema=GScoreCamOptions,
    cost_model=_gscorecam_cost,
    paper_exact=True,
)

CARDS = (SCORE_CAM, GSCORECAM)
