"""Cards of the methods that read attention as it is: no gradient, no masked image."""

from __future__ import annotations

from pydantic import Field

from core.methods.info import MOST_LAYERS, Cost, MethodInfo, Options

# Share of a block's forward that its queries, keys, values and weights cost.
SHARE = 0.3


class LastAttentionOptions(Options):
    """Options of last attention."""

    layer: int | None = Field(
        None,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
        description="block whose attention is used, from 0 (negative: from the end); default: the tower's last "
        "attention, which is its attention pool where it has one",
    )


class RolloutOptions(Options):
    """Options of attention rollout."""

    layers: int | None = Field(
        None, ge=1, le=MOST_LAYERS, description="number of last blocks followed; default: all of them"
    )


class ClipPrsOptions(Options):
    """Options of the decomposition by head and token."""

    layers: int = Field(4, ge=1, le=MOST_LAYERS, description="number of last blocks summed")
    layer: int | None = Field(
        None,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
        description="use only this block, from 0 (negative: from the end); default: the last blocks",
    )
    head: int | None = Field(None, ge=0, le=MOST_LAYERS, description="use only this head, from 0; default: all heads")


def _rollout_cost(options: RolloutOptions, depth: int) -> Cost:
    tail = SHARE * min(options.layers or depth, depth) / max(depth, 1)
    return Cost(image=1.0 + tail, text=1.0 + tail)


def _prs_cost(options: ClipPrsOptions, depth: int) -> Cost:
    blocks = min(options.layers, depth) if options.layer is None else 1
    return Cost(image=1.0 + SHARE * blocks / max(depth, 1), text=1.0)


LAST_ATTENTION = MethodInfo(
    name="last_attention",
    title="Last attention",
    paper="Described as a baseline in Chefer, Gur, Wolf, ICCV 2021, arXiv:2103.15679, and Zhao et al., Grad-ECLIP, "
    "ICML 2024",
    year=2021,
    family="attention",
    idea="Shows what the read-out token attends to in the last block, averaged over heads. What you see is where the "
    "read-out takes its information from, whatever the text.",
    assumes="Attention in the last block indicates which patches matter, and all heads count equally.",
    fails="The map is the same for every text, so it cannot show which object a text refers to; heads without effect "
    "on the output count as much as the others.",
    differs="For towers that average their patches, the mean attention of those patches is shown; for towers with an "
    "attention pool, the attention of the pool, which is their last attention.",
    unit="attention (share of 1)",
    sides={"image": ("image_attention",), "text": ("text_attention",)},
    schema=LastAttentionOptions,
    cost_model=lambda options, depth: Cost(image=1.0 + SHARE / max(depth, 1), text=1.0 + SHARE / max(depth, 1)),
    text_free=True,
)

ROLLOUT = MethodInfo(
    name="rollout",
    title="Attention rollout",
    paper="Abnar, Zuidema: Quantifying Attention Flow in Transformers, ACL 2020, arXiv:2005.00928, eq. 1",
    year=2020,
    family="attention",
    idea="Multiplies the attention of all blocks, each averaged with the identity to account for the skip "
    "connection. What you see is where the read-out could have drawn information from, whatever the text.",
    assumes="Attention alone moves information, every head counts equally, and the skip connection carries half of it.",
    fails="The map is the same for every text. In deep towers it spreads over the whole image and follows attention "
    "sinks.",
    differs="Computed backwards as a single row, so that no product of full matrices is kept; the numbers are the "
    "same. Read from the class token, the mean of the patches or the attention pool, as the tower does; likewise for "
    "texts.",
    unit="attention (share of 1)",
    sides={"image": ("image_attention",), "text": ("text_attention",)},
    schema=RolloutOptions,
    cost_model=_rollout_cost,
    text_free=True,
)

CLIP_PRS = MethodInfo(
    name="clip_prs",
    title="CLIP-PRS decomposition",
    paper="Gandelsman, Efros, Steinhardt: Interpreting CLIP's Image Representation via Text-Based Decomposition, "
    "ICLR 2024, arXiv:2310.05916",
    year=2024,
    family="attention",
    idea="Decomposes the image embedding into a sum over blocks, heads and tokens of what attention wrote into the "
    "read-out, plus feed-forward parts and biases, and takes the product of each part with the text embedding.",
    assumes="The score depends mainly on what attention in the last blocks writes directly into the read-out.",
    fails="The state of a token is already a mixture of patches, and effects that pass through later blocks are not "
    "traced. Background texts and objects share heads.",
    differs="Divided by the length of the embedding, so that all parts sum to the cosine. The average over texts is "
    "not subtracted, so that the map of a text does not depend on the other texts. Average pooling and attention "
    "pools are decomposed as well; the feed-forward part of a pool counts as one part without a position. Models "
    "with an MLP as projection or with two pools in a row are not supported.",
    unit="part of the cosine",
    sides={"image": ("places", "image_attention")},
    schema=ClipPrsOptions,
    cost_model=_prs_cost,
    signed=True,
)

CARDS = (LAST_ATTENTION, ROLLOUT, CLIP_PRS)
