"""Cards of the class activation methods that weigh channels by masked forwards. Grad-CAM is with the gradients."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import MOST_LAYERS, MOST_MASKS, Cost, MethodInfo, Options

# What a card expects of a tower whose channels are not known: a CLIP ResNet-50's last map.
EVERY_CHANNEL = 2048
LAYER = (
    "block whose input is used, from 0 (negative: from the end); default: the last block of a ViT, the last feature "
    "map of a CNN"
)


class ScoreCamOptions(Options):
    """Options of Score-CAM."""

    channels: int = Field(
        300, ge=1, le=MOST_MASKS, description="maximum number of channels: those with the widest range of values"
    )
    layer: int | None = Field(None, ge=-MOST_LAYERS, le=MOST_LAYERS, description=LAYER)
    scale: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="scale of the cosines in the softmax over channels; none: the model's own scale",
    )
    removal: Literal["black", "mean", "blur"] = Field(
        "mean", description="value of a hidden pixel: black, the model's mean colour, or a blurred image"
    )
    paper_exact: bool = Field(False, description="use every channel, as published, however many there are")


class GScoreCamOptions(Options):
    """Options of gScoreCAM."""

    channels: int = Field(
        300, ge=1, le=MOST_MASKS, description="number of channels per text: those with the largest mean gradient"
    )
    layer: int | None = Field(None, ge=-MOST_LAYERS, le=MOST_LAYERS, description=LAYER)
    scale: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="scale of the cosines in the softmax over channels; none: the model's own scale",
    )
    removal: Literal["black", "mean", "blur"] = Field(
        "mean", description="value of a hidden pixel: black, the model's mean colour, or a blurred image"
    )
    weighting: Literal["scores", "selection"] = Field(
        "scores",
        description="what the softmax over channels is taken of: scores of masked images, as in the paper and the "
        "release; selection: 1 if a channel was selected, otherwise 0, without masked images, as in a second class of "
        "the release",
    )
    paper_exact: bool = Field(
        False,
        description="as released: the softmax runs over all channels, and the score of one that was not selected is 0",
    )


SCORE_CAM = MethodInfo(
    name="score_cam",
    title="Score-CAM",
    paper="Wang et al.: Score-CAM, CVPR Workshops 2020, arXiv:1910.01279, eq. 3-8",
    year=2020,
    family="cam",
    idea="Masks the image with each feature channel of a layer and weights the channel by the score of the masked "
    "image. What you see is where the channels are active that preserve the match with the text.",
    assumes="A channel stands for the area where it is active, and the model can still judge a masked image.",
    fails="One forward pass per channel. Where many channels give nearly the same score, the map is close to their "
    "mean, whatever the text.",
    differs="Masked images are embedded once and shared by all texts. The 300 channels with the widest range are "
    "used, or all of them with paper_exact. Scores are multiplied by the model's own scale before the softmax; with "
    "plain cosines all weights would be nearly equal.",
    unit="weighted activation (at least 0)",
    sides={"image": ("image_layers",)},
    schema=ScoreCamOptions,
    cost_model=lambda options, depth: Cost(
        image=1.0, pool=float(EVERY_CHANNEL if options.paper_exact else options.channels), text=1.0
    ),
    paper_exact=True,
    efforts={"quick": {"channels": 32}, "standard": {"channels": 96}},
    coarse={"channels": 16},
    own_scale="its weights are normalised for each text",
)


def _gscorecam_cost(options: GScoreCamOptions, depth: int) -> Cost:
    tail = 1.0
    if options.layer is not None:
        block = options.layer + depth if options.layer < 0 else options.layer
        tail = float(max(depth - block, 1))
    masked = float(options.channels) if options.weighting == "scores" else 0.0
    return Cost(image=1.0 + tail / max(depth, 1), pair=2.0 * tail / max(depth, 1) + masked, text=1.0)


GSCORECAM = MethodInfo(
    name="gscorecam",
    title="gScoreCAM",
    paper="Chen, Li, Biaz, Bui, Nguyen: gScoreCAM: What Objects Is CLIP Looking At?, ACCV 2022",
    year=2022,
    family="cam",
    idea="Score-CAM restricted to the channels that the gradient of the score selects for the text. What you see is "
    "where the channels are active that raise the score and, when shown alone, preserve it.",
    assumes="The mean gradient of a channel separates the channels that matter for this text from the others.",
    fails="Needs one forward pass per selected channel and text, less what texts share; the map is as coarse as the "
    "layer.",
    differs="As described in the paper: selected channels are weighted by the softmax of the scores of the masked "
    "images. In the release the softmax runs over all channels, and a channel that was not selected has the score 0, "
    "so that it keeps some weight where the scores of the selected ones are small; paper_exact reproduces this. Texts "
    "share masked images.",
    unit="weighted activation (at least 0)",
    sides={"image": ("image_layers",)},
    schema=GScoreCamOptions,
    cost_model=_gscorecam_cost,
    paper_exact=True,
    efforts={"quick": {"channels": 16}, "standard": {"channels": 32}},
    coarse={"channels": 8},
    own_scale="its weights are normalised for each text",
)

CARDS = (SCORE_CAM, GSCORECAM)
