"""Cards of the methods that follow the gradient of the score."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import Cost, MethodInfo, Options


class GradCamOptions(Options):
    """Options of Grad-CAM."""

    layer: int | None = Field(
        None,
        description="block whose input is read, from 0 (negative: from the end); default: a ViT's last block "
        "(element: the one before), a CNN's last feature map",
    )
    relu: bool = Field(True, description="keep only what raises the score")
    weighting: Literal["channel", "element"] = Field(
        "channel",
        description="channel: one weight a channel, its mean gradient (Grad-CAM); element: gradient times activation",
    )


class GaeOptions(Options):
    """Options of generic attention explainability."""

    start_layer: Literal["last", "all"] = Field(
        "last", description="last: the release's default, only the last block; all: every block of the tower"
    )


class LeGradOptions(Options):
    """Options of LeGrad."""

    layers: int = Field(2, ge=1, description="how many last blocks are read")


GRADCAM = MethodInfo(
    name="gradcam",
    title="Grad-CAM",
    paper="Selvaraju et al., ICCV 2017, arXiv:1610.02391; ViT form as in Zhao et al., Grad-ECLIP, ICML 2024",
    year=2017,
    family="gradient",
    idea="Weighs each feature channel by the mean gradient of the image-text cosine and sums the channels. What you "
    "see is where features that raise the score are active.",
    assumes="A channel's effect is the same everywhere, so that one weight a channel is enough.",
    fails="The map is as coarse as the layer; on attention-pooled models it can point away from the object.",
    differs="For ViT the tokens' mean gradient at the input of the last block; options give the element-wise form.",
    unit="cosine change, linearised",
    sides={"image": ("image_layers",)},
    schema=GradCamOptions,
    cost_model=lambda options, depth: Cost(image=1.0, pair=3.0 / max(depth, 1), text=1.0),
)

GAE = MethodInfo(
    name="gae",
    title="Generic attention explainability",
    paper="Chefer, Gur, Wolf: Generic Attention-model Explainability, ICCV 2021, arXiv:2103.15679, eq. 5-6",
    year=2021,
    family="gradient",
    idea="Multiplies each attention weight by its gradient, keeps the positive part, averages the heads, and follows "
    "the flow through the blocks to the token that is read out.",
    assumes="Attention carries the information; values and MLPs don't redirect it.",
    fails="With several objects it hardly separates texts; on large ViTs it spreads over the context.",
    differs="Towers without a class token are read at the mean of their tokens, without each token's relevance for "
    "itself (the identity that the recursion starts from). start_layer='last' is the release's "
    "default, 'all' the paper's formula.",
    unit="relevance (unitless, at least 0)",
    sides={"image": ("image_attention",), "text": ("text_attention",)},
    schema=GaeOptions,
    cost_model=lambda options, depth: Cost(
        image=1.0,
        pair=3.0 / max(depth, 1) if options.start_layer == "last" else 3.0,
        text=1.0,
        text_pair=3.0 / max(depth, 1) if options.start_layer == "last" else 3.0,
    ),
)

LEGRAD = MethodInfo(
    name="legrad",
    title="LeGrad",
    paper="Bousselham et al.: LeGrad, ICCV 2025, arXiv:2404.03214",
    year=2024,
    family="gradient",
    idea="For each of the last blocks, scores the pooled tokens of that block against the text and takes the positive "
    "gradient of that score with respect to the block's attention weights.",
    assumes="Tokens of earlier blocks can be read by the final norm and projection.",
    fails="Sums blocks of different meaning; with several objects it separates texts only in part.",
    differs="Tails of all texts share one forward and no second-order graph is kept. As in the release the tokens are "
    "averaged; min-max is left to the display.",
    unit="cosine gradient per attention weight (at least 0)",
    sides={"image": ("image_attention",)},
    schema=LeGradOptions,
    cost_model=lambda options, depth: Cost(image=1.0, pair=3.0 * options.layers / max(depth, 1), text=1.0),
)

CARDS = (GRADCAM, GAE, LEGRAD)
