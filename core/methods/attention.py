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
        description="block whose attention is read, from 0 (negative: from the end); default: the tower's last "
        "attention, which is its attention pool where it has one",
    )


class RolloutOptions(Options):
    """Options of attention rollout."""

    layers: int | None = Field(
        None, ge=1, le=MOST_LAYERS, description="how many last blocks are followed; default: all of them"
    )


class ClipPrsOptions(Options):
    """Options of the decomposition by head and token."""

    layers: int = Field(4, ge=1, le=MOST_LAYERS, description="how many last blocks are summed")
    layer: int | None = Field(
        None,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
        description="this block alone, from 0 (negative: from the end); default: the last ones",
    )
    head: int | None = Field(None, ge=0, le=MOST_LAYERS, description="this head alone, from 0; default: all heads")


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
    idea="Shows what the token that is read out attends to in the last block, averaged over heads. What you see is "
    "where the model looked, whatever the text.",
    assumes="Attention in the last block says which places matter, and all heads count alike.",
    fails="It is the same for every text, so it can't tell which object a text means; heads without effect count too.",
    differs="Towers that read the mean of their places show the mean of those places' attention; towers with an "
    "attention pool show the pool's, which is their last attention.",
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
    idea="Multiplies the attention of all blocks, each mixed half and half with the identity for the skip connection. "
    "What you see is where the read-out could have drawn from, whatever the text.",
    assumes="Attention alone moves information, every head counts alike, and the skip carries half of it.",
    fails="It is the same for every text. On deep towers it spreads over everything and follows attention sinks.",
    differs="Followed backwards as one row, so that no product of whole matrices is kept; the same numbers. Read from "
    "the class token, the mean of the places or the attention pool, as the tower does; text likewise.",
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
    idea="Writes the image embedding as a sum over blocks, heads and tokens of what attention moved into the read-out, "
    "plus feed-forward parts and biases, and takes each part's product with the text.",
    assumes="What attention carries directly into the read-out in the last blocks is what the score rests on.",
    fails="A token's state is already a mixture of places, and effects through later blocks aren't followed. "
    "Background texts and objects share heads.",
    differs="Divided by the embedding's length, so that all parts sum to the cosine. The average over texts isn't "
    "subtracted, so that a text's map doesn't depend on the others. Averaged places and attention pools are "
    "decomposed too; a pool's own feed-forward part counts as one part without place. An MLP as projection or two "
    "pools in a row are refused.",
    unit="part of the cosine",
    sides={"image": ("places", "image_attention")},
    schema=ClipPrsOptions,
    cost_model=_prs_cost,
    signed=True,
)

CARDS = (LAST_ATTENTION, ROLLOUT, CLIP_PRS)
