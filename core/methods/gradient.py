"""Cards of the methods that follow the gradient of the score."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import MOST_LAYERS, Cost, MethodInfo, Options


class GradCamOptions(Options):
    """Options of Grad-CAM."""

    layer: int | None = Field(
        None,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
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

    layers: int = Field(2, ge=1, le=MOST_LAYERS, description="how many last blocks are read")


class GradEclipOptions(Options):
    """Options of Grad-ECLIP."""

    text_layers: int = Field(8, ge=1, le=MOST_LAYERS, description="how many last blocks of the text tower are added up")
    paper_exact: bool = Field(
        False,
        description="as released: the last image block runs as one wide head, and a text's values are divided by their "
        "sum",
    )


class AttnLrpOptions(Options):
    """Options of AttnLRP."""

    layer: int = Field(
        0,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
        description="block at whose input relevance is read, from 0 (negative: from the end)",
    )


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


def _grad_eclip_cost(options: GradEclipOptions, depth: int) -> Cost:
    tail = 1.0 / max(depth, 1)
    text = min(options.text_layers, max(depth, 1)) * tail
    return Cost(image=1.0 + tail, pair=2.0 * tail, text=2.0 + text, text_pair=2.0 * text)


GRAD_ECLIP = MethodInfo(
    name="grad_eclip",
    title="Grad-ECLIP",
    paper="Zhao et al.: Gradient-based Visual Explanation for Transformer-based CLIP (Grad-ECLIP), ICML 2024",
    year=2024,
    family="gradient",
    idea="Weighs what each place offers the last attention, its value, by the gradient of the score at the attention's "
    "output, and by how much the place's key resembles the query of the token that is read out.",
    assumes="The last attention is where places become the embedding, and how alike keys and queries are says how "
    "much of a place gets through better than the softmax does.",
    fails="The resemblance is stretched to 0..1 in every picture, so a place is always fully dark. On towers that pool "
    "all tokens each place is read from every other one, and the map blurs.",
    differs="All heads of the model are used; the release runs the last block with one head, so another network is "
    "explained (paper_exact does that). Towers without a class token are read at all of their tokens. Texts: the last "
    "8 blocks, not divided by their sum unless paper_exact.",
    unit="cosine change, linearised (at least 0)",
    sides={"image": ("image_attention",), "text": ("text_attention",)},
    schema=GradEclipOptions,
    cost_model=_grad_eclip_cost,
    paper_exact=True,
)


def _attnlrp_cost(options: AttnLrpOptions, depth: int) -> Cost:
    block = options.layer + depth if options.layer < 0 else options.layer
    tail = max(depth - block, 1) / max(depth, 1)
    return Cost(image=1.0 + tail, pair=2.0 * tail, text=2.0 + tail, text_pair=2.0 * tail)


ATTNLRP = MethodInfo(
    name="attnlrp",
    title="AttnLRP",
    paper="Achtibat et al.: AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers, ICML 2024, "
    "arXiv:2402.05602",
    year=2024,
    family="gradient",
    idea="Takes the score apart from the last layer to the first by rules that hand on relevance without making any: "
    "what you see is the signed share of each place, or word, in the cosine.",
    assumes="Each layer can be taken apart by its local rule alone.",
    fails="Shares grow large and of both signs in deep towers and then cancel, which shows as grain. Biases, positions "
    "and the softmax keep a part.",
    differs="Written as input times gradient with changed backward rules: a norm's spread is constant, an activation "
    "passes its relevance through, a product splits it equally. No gamma rule, which the authors tune for each "
    "vision model. The score is a cosine, whose length is constant too.",
    unit="cosine (signed share)",
    sides={"image": ("image_attention",), "text": ("text_attention",)},
    schema=AttnLrpOptions,
    cost_model=_attnlrp_cost,
    signed=True,
    opt_in=True,
    notice="The reference implementation of AttnLRP states that layer-wise relevance propagation is patented and free "
    "only for personal and scientific use. Loupe's licence grants no patent rights: clear the use with the right "
    "holders first, above all in a commercial setting.",
)


CARDS = (GRADCAM, GAE, LEGRAD, GRAD_ECLIP, ATTNLRP)
