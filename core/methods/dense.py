"""Cards of the training-free dense methods: the last block runs with other attention, each place is then compared
with the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from core.methods.info import MOST_LAYERS, Cost, Lines, MethodInfo, Options, Side

# Shares of a block's forward: its attention, its feed-forward part, and one more pair of self-products in each of
# three projections.
ATTENTION, MLP, PRODUCTS = 0.3, 0.7, 0.15


class KeptOptions(Options):
    """Options of methods that keep the rest of the last block."""

    residual: bool = Field(True, description="keep the skip connection of the last block beside its new attention")
    mlp: bool = Field(True, description="keep the feed-forward part of the last block")


class ClearClipOptions(Options):
    """Options of ClearCLIP."""

    attention: Literal["qq", "kk", "vv", "qk"] = Field(
        "qq", description="what is compared: queries, keys or values with themselves, or queries with keys as trained"
    )


class NaClipOptions(Options):
    """Options of NACLIP."""

    std: float = Field(5.0, gt=0, le=1_000, description="standard deviation of the neighbourhood, in patches")
    reduced: bool = Field(
        True,
        description="omit the skip connection and the feed-forward part of the last block; otherwise both are kept",
    )


class GemOptions(Options):
    """Options of GEM."""

    depth: int = Field(
        6, ge=1, le=MOST_LAYERS, description="number of last blocks to which self-self attention is added"
    )
    iterations: int = Field(
        1, ge=0, le=100, description="number of times that queries, keys and values are averaged over similar ones"
    )
    sharpness: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="scale of the similarities in the softmax; default: the mean length of the block's normalised "
        "tokens divided by the square root of the head width",
    )


class ResClipOptions(Options):
    """Options of ResCLIP."""

    base: Literal["naclip", "clearclip", "sclip"] = Field(
        "naclip", description="base method whose last block is used and whose attention is mixed"
    )
    factor: float = Field(
        2.0,
        gt=0,
        le=1_000,
        description="factor of the mixed attention, as in the release; it matters most where the skip connection is "
        "kept (sclip). Without blend it is not applied",
    )
    blend: float = Field(
        0.5, ge=0, le=1, description="share of the attention of the middle blocks; 0 gives the base method"
    )
    first: int | None = Field(
        None,
        ge=0,
        le=MOST_LAYERS,
        description="first middle block, from 0; default: five twelfths of the depth, rounded down",
    )
    last: int | None = Field(
        None,
        ge=0,
        le=MOST_LAYERS,
        description="last middle block, inclusive; default: the one before three quarters of the depth",
    )
    std: float = Field(5.0, gt=0, le=1_000, description="standard deviation of NACLIP's neighbourhood, in patches")
    labels: Lines = Field((), description="labels for the preliminary segmentation that `refine` uses")
    refine: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the scores taken from the preliminary segmentation; above 0 it needs labels",
    )
    gain: float = Field(2.1, gt=0, le=1_000, description="scale of the scores into which a segmentation was mixed")

    @field_validator("refine")
    @classmethod
    def _has_labels(cls, value: float, known: ValidationInfo) -> float:
        if value > 0 and len(set(known.data.get("labels", ()))) < 2:
            raise ValueError("refine needs at least two labels for the preliminary segmentation")
        return value


def middle_blocks(options: ResClipOptions, depth: int) -> range:
    """The blocks whose attention ResCLIP averages: 6 to 9 of 12, counted from one, in proportion to the depth.

    May be empty or reach beyond the tower where the options say so.
    """
    first = 5 * depth // 12 if options.first is None else options.first
    last = max(3 * depth // 4 - 1, first) if options.last is None else options.last
    return range(first, last + 1)


def last_block_cost(mlp: bool, depth: int, more: float = 0.0) -> Cost:
    """What a second pass through the last block costs beside the forward, with `more` blocks' worth on top."""
    return Cost(image=1.0 + (ATTENTION + (MLP if mlp else 0.0) + more) / max(depth, 1), text=1.0)


def _gem_cost(options: GemOptions, depth: int) -> Cost:
    share = ATTENTION + PRODUCTS * (1 + options.iterations)
    return Cost(image=1.0 + share * min(options.depth, depth) / max(depth, 1), text=1.0)


def _resclip_cost(options: ResClipOptions, depth: int) -> Cost:
    middle = len(middle_blocks(options, depth)) if options.blend > 0 else 0
    again = ATTENTION + (MLP if options.base == "sclip" else 0.0) if options.refine > 0 else 0.0
    return last_block_cost(options.base == "sclip", depth, ATTENTION * middle + again)


@dataclass(frozen=True)
class MaskClipInfo(MethodInfo):
    """The card of MaskCLIP, which also serves models whose only attention is a pool over all places."""

    def reasons(self, capabilities: Iterable[str]) -> dict[Side, str | None]:
        """For each side, None if a model with these capabilities can serve it, otherwise why not."""
        offered = set(capabilities)
        return super().reasons(offered | ({"image_attention"} if "attention_pool" in offered else set()))


NEEDS: dict[Side, tuple[str, ...]] = {"image": ("places", "image_attention")}
UNIT = "cosine similarity"

MASKCLIP = MaskClipInfo(
    name="maskclip",
    title="MaskCLIP",
    paper="Zhou, Loy, Dai: Extract Free Dense Labels from CLIP, ECCV 2022, arXiv:2112.01071",
    year=2022,
    family="dense",
    idea="In the last attention each patch takes only its own value instead of a mixture, and is then compared with "
    "the text. What you see is what each patch represents before the last block mixes patches.",
    assumes="The mixing in the last block blurs positions, and a single value means the same as a mixture of values.",
    fails="Noisy, because no patch attends to another in the last block; in deep towers earlier blocks have already "
    "mixed the patches.",
    differs="Key smoothing and prompt denoising, which are defined on a label set, are omitted. For CLIP's ResNets "
    "the values are taken without the position embeddings of the pool, as in the paper.",
    unit=UNIT,
    sides=NEEDS,
    schema=KeptOptions,
    cost_model=lambda options, depth: last_block_cost(options.mlp, depth),
    signed=True,
)

SCLIP = MethodInfo(
    name="sclip",
    title="SCLIP",
    paper="Wang, Mei, Yuille: SCLIP, Rethinking Self-Attention for Dense Vision-Language Inference, ECCV 2024, "
    "arXiv:2312.01597",
    year=2023,
    family="dense",
    idea="In the last block each patch attends to patches with similar queries and with similar keys, instead of "
    "matching queries with keys, and is then compared with the text.",
    assumes="Patches with the same meaning have similar queries and similar keys.",
    fails="The skip connection of the last block is kept and can dominate; the map is then close to that of raw "
    "similarity.",
    differs="None in the map. The published segmentation adds sliding windows, background labels and thresholds.",
    unit=UNIT,
    sides=NEEDS,
    schema=KeptOptions,
    cost_model=lambda options, depth: last_block_cost(options.mlp, depth),
    signed=True,
)

CLEARCLIP = MethodInfo(
    name="clearclip",
    title="ClearCLIP",
    paper="Lan, Chen, Ke, Wang, Feng, Zhang: ClearCLIP, ECCV 2024, arXiv:2407.12442",
    year=2024,
    family="dense",
    idea="The last block without skip connection and feed-forward part: only its attention output, with queries "
    "compared with queries, is projected and compared with the text.",
    assumes="For a single patch the skip connection carries noise, and the attention output is the signal.",
    fails="A patch attends to similar patches anywhere in the image, so that distant regions of similar appearance "
    "are highlighted together.",
    differs="None in the map. The published segmentation adds sliding windows and background labels.",
    unit=UNIT,
    sides=NEEDS,
    schema=ClearClipOptions,
    cost_model=lambda options, depth: last_block_cost(False, depth),
    signed=True,
)

NACLIP = MethodInfo(
    name="naclip",
    title="NACLIP",
    paper="Hajimiri, Ben Ayed, Dolz: Pay Attention to Your Neighbours, WACV 2025, arXiv:2404.08181",
    year=2024,
    family="dense",
    idea="In the last block each patch attends to patches with similar keys and, through a Gaussian added to the "
    "scores, to its neighbours; the skip connection and the feed-forward part are omitted.",
    assumes="Neighbouring patches belong together, and similar keys mean similar content.",
    fails="Small objects are smoothed away: the neighbourhood is measured in patches, whatever their size.",
    differs="None in the map; the grid may have any shape. Refinement by the colours of the image (PAMR) is omitted.",
    unit=UNIT,
    sides=NEEDS,
    schema=NaClipOptions,
    cost_model=lambda options, depth: last_block_cost(not options.reduced, depth),
    signed=True,
)

GEM = MethodInfo(
    name="gem",
    title="GEM",
    paper="Bousselham, Petersen, Ferrari, Kuehne: Grounding Everything, CVPR 2024, arXiv:2312.00878",
    year=2023,
    family="dense",
    idea="Beside the unmodified stream, the last blocks add attention of queries, keys and values, each with "
    "themselves, which groups patches of similar meaning; the sum is compared with the text.",
    assumes="Averaging each projection over similar ones sharpens groups of patches, and the text describes such a "
    "group.",
    fails="Groups can be larger than the object, and an absent object still yields a map with a clear maximum.",
    differs="The map is not rescaled to 0..1, and position embeddings keep the model's own size.",
    unit=UNIT,
    sides=NEEDS,
    schema=GemOptions,
    cost_model=_gem_cost,
    signed=True,
)

RESCLIP = MethodInfo(
    name="resclip",
    title="ResCLIP",
    paper="Yang, Deng, Li, Duan: ResCLIP, Residual Attention for Training-free Dense Vision-language Inference, "
    "CVPR 2025, arXiv:2411.15851",
    year=2024,
    family="dense",
    idea="Mixes the self-self attention of the last block with the mean attention of middle blocks, in which queries "
    "and keys still locate objects, and compares each patch with the text. Given labels, a preliminary segmentation "
    "determines which patches belong together.",
    assumes="Middle blocks attend to patches of the same object, and their weights suit the values of the last block.",
    fails="Attention sinks of the middle blocks are included; errors of the base method are only diluted.",
    differs="Semantic feedback refinement runs only if it is given its own labels, so that the map of a text never "
    "depends on other texts; it takes the nearest label of each patch without smoothing. The attention of the middle "
    "blocks is also averaged over heads. The factor 2 of the release is the default, and an option.",
    unit=UNIT,
    sides=NEEDS,
    schema=ResClipOptions,
    cost_model=_resclip_cost,
    signed=True,
)

CARDS = (MASKCLIP, SCLIP, CLEARCLIP, NACLIP, GEM, RESCLIP)
