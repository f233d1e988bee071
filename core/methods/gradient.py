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
        description="block whose input is used, from 0 (negative: from the end); default: the last block of a ViT "
        "(element: the one before), the last feature map of a CNN",
    )
    relu: bool = Field(True, description="keep only positive values, which raise the score")
    weighting: Literal["channel", "element"] = Field(
        "channel",
        description="channel: one weight per channel, its mean gradient (Grad-CAM); element: gradient times activation",
    )
    average: Literal["patches", "tokens"] = Field(
        "patches",
        description="what the gradient of a channel is averaged over on a transformer: patches, as in "
        "pytorch-grad-cam; tokens: class and register tokens as well, as in the release of Grad-ECLIP",
    )


class GaeOptions(Options):
    """Options of generic attention explainability."""

    start_layer: Literal["last", "all"] = Field(
        "last", description="last: the release's default, only the last block; all: every block of the tower"
    )
    scale: float | None = Field(
        None,
        gt=0,
        le=1_000,
        description="factor by which the cosine is multiplied before it is differentiated; none: the model's own "
        "scale, so that the logit is differentiated as in the release",
    )


class LeGradOptions(Options):
    """Options of LeGrad."""

    layers: int = Field(2, ge=1, le=MOST_LAYERS, description="number of last blocks used")


class GradEclipOptions(Options):
    """Options of Grad-ECLIP."""

    text_layers: int = Field(
        8, ge=1, le=MOST_LAYERS, description="number of last blocks of the text tower that are summed"
    )
    paper_exact: bool = Field(
        False,
        description="as released: the last image block, and the last `text_layers` text blocks, run as one wide head; "
        "a text's similarities are scaled over every position of the padded text; its values are divided by their sum",
    )


class AttnLrpOptions(Options):
    """Options of AttnLRP."""

    layer: int = Field(
        0,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
        description="block at whose input relevance is taken, from 0 (negative: from the end)",
    )


GRADCAM = MethodInfo(
    name="gradcam",
    title="Grad-CAM",
    paper="Selvaraju et al., ICCV 2017, arXiv:1610.02391; for a ViT as in pytorch-grad-cam, or by option as in Zhao et "
    "al., Grad-ECLIP, ICML 2024",
    year=2017,
    family="gradient",
    idea="Weights each feature channel by the mean gradient of the image-text cosine and sums the channels. What you "
    "see is where features that raise the score are active.",
    assumes="A channel has the same effect at every position, so that one weight per channel is enough.",
    fails="The map is as coarse as the layer; on attention-pooled models it can point away from the object.",
    differs="The paper treats convolutional classifiers. For a ViT, a channel's weight is the mean gradient of the "
    "patches at the input of the last block, as in pytorch-grad-cam; average='tokens' includes the class token, as in "
    "the release of Grad-ECLIP, and weighting='element' gives the element-wise form of the NIB release.",
    unit="cosine change, linearised",
    sides={"image": ("image_layers",)},
    schema=GradCamOptions,
    cost_model=lambda options, depth: Cost(image=1.0, pair=3.0 / max(depth, 1), text=1.0),
    representative=True,
)

GAE = MethodInfo(
    name="gae",
    title="Generic attention explainability",
    paper="Chefer, Gur, Wolf: Generic Attention-model Explainability, ICCV 2021, arXiv:2103.15679, eq. 5-6",
    year=2021,
    family="gradient",
    idea="Multiplies each attention weight by its gradient, keeps the positive part, averages the heads, and follows "
    "the flow through the blocks to the token that is read out.",
    assumes="Attention carries the information; values and MLPs do not redirect it.",
    fails="With several objects in an image it hardly distinguishes texts; on large ViTs it spreads over the context.",
    differs="Towers without a class token are read at the mean of their tokens, without the relevance of each token "
    "for itself (the identity that the recursion starts from). start_layer='last' is the default of the release, "
    "'all' the formula of the paper. As in the release the logit is differentiated, the cosine times the model's own "
    "scale: over several blocks the map depends on that factor. Text values are not divided by their sum.",
    unit="relevance (unitless, at least 0)",
    sides={"image": ("image_attention",), "text": ("text_attention",)},
    schema=GaeOptions,
    cost_model=lambda options, depth: Cost(
        image=1.0,
        pair=3.0 / max(depth, 1) if options.start_layer == "last" else 3.0,
        text=1.0,
        text_pair=3.0 / max(depth, 1) if options.start_layer == "last" else 3.0,
    ),
    own_scale="its values have no unit",
)

LEGRAD = MethodInfo(
    name="legrad",
    title="LeGrad",
    paper="Bousselham et al.: LeGrad, ICCV 2025, arXiv:2404.03214",
    year=2024,
    family="gradient",
    idea="For each of the last blocks, scores the pooled tokens of that block against the text and takes the "
    "positive gradient of that score with respect to the block's attention weights.",
    assumes="The tokens of earlier blocks can be read with the final norm and projection.",
    fails="Sums blocks of different meaning; with several objects in an image it distinguishes texts only in part.",
    differs="The tails of all texts share one forward pass and no second-order graph is kept. As in the release, the "
    "tokens are averaged; rescaling is left to the display.",
    unit="cosine gradient per attention weight (at least 0)",
    sides={"image": ("image_attention",)},
    schema=LeGradOptions,
    cost_model=lambda options, depth: Cost(image=1.0, pair=3.0 * options.layers / max(depth, 1), text=1.0),
)


def _grad_eclip_cost(options: GradEclipOptions, depth: int) -> Cost:
    tail = 1.0 / max(depth, 1)
    text = min(options.text_layers, max(depth, 1)) * tail
    # As released the padded texts pass through the tower once more, otherwise the states that are kept serve.
    return Cost(
        image=1.0 + tail, pair=2.0 * tail, text=2.0 if options.paper_exact else 2.0 + text, text_pair=2.0 * text
    )


GRAD_ECLIP = MethodInfo(
    name="grad_eclip",
    title="Grad-ECLIP",
    paper="Zhao et al.: Gradient-based Visual Explanation for Transformer-based CLIP (Grad-ECLIP), ICML 2024",
    year=2024,
    family="gradient",
    idea="Weights the value that each patch contributes to the last attention by the gradient of the score at the "
    "attention output, and by the similarity of the patch's key to the query of the token that is read out.",
    assumes="The last attention is where patches become the embedding, and the similarity of keys and queries "
    "indicates better than the softmax how much of a patch is passed on.",
    fails="The similarity is rescaled to 0..1 in every image, so that some patch is always zero. On towers that pool "
    "all tokens each patch is read from every other one, and the map is blurred.",
    differs="All heads of the model are used; the release runs the last image block and the last 8 text blocks with "
    "one head each, so that a different network is explained, and scales a text's similarities over all 77 positions, "
    "padding included (paper_exact reproduces both). Towers without a class token are read at all of their tokens. "
    "Texts: the last 8 blocks, not divided by their sum unless paper_exact is set.",
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
    idea="Decomposes the score from the last layer to the first by rules that conserve relevance. What you see is "
    "the signed share of each patch, or word, in the cosine.",
    assumes="Each layer can be decomposed by its local rule alone.",
    fails="In deep towers the shares grow large with both signs and then cancel, which shows as grain. Biases, "
    "positions and the softmax retain a part.",
    differs="Implemented as input times gradient with modified backward rules: the scale of a norm is treated as "
    "constant, an activation passes its relevance through, a product splits it equally. The gamma rule, which the "
    "authors tune for each vision model, is omitted. The score is a cosine, whose length is treated as constant as "
    "well.",
    unit="cosine (signed share)",
    sides={"image": ("image_attention",), "text": ("text_attention",)},
    schema=AttnLrpOptions,
    cost_model=_attnlrp_cost,
    signed=True,
    opt_in=True,
    notice="The reference implementation of AttnLRP states that layer-wise relevance propagation is patented and "
    "free only for personal and scientific use. The licence of Loupe grants no patent rights: obtain permission from "
    "the rights holders first, in particular for commercial use.",
)


CARDS = (GRADCAM, GAE, LEGRAD, GRAD_ECLIP, ATTNLRP)
