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

    residual: bool = Field(True, description="keep the state that enters the last block beside its new attention")
    mlp: bool = Field(True, description="keep the feed-forward part of the last block")


class ClearClipOptions(Options):
    """Options of ClearCLIP."""

    attention: Literal["qq", "kk", "vv", "qk"] = Field(
        "qq", description="what is compared: queries, keys or values with themselves, or queries with keys as trained"
    )


class NaClipOptions(Options):
    """Options of NACLIP."""

    std: float = Field(
        5.0, gt=0, le=1_000, description="standard deviation of the neighbourhood, in places of the grid"
    )
    reduced: bool = Field(
        True, description="without skip connection and feed-forward part in the last block; otherwise both are kept"
    )


class GemOptions(Options):
    """Options of GEM."""

    depth: int = Field(6, ge=1, le=MOST_LAYERS, description="how many last blocks add self-self attention")
    iterations: int = Field(
        1, ge=0, le=100, description="how often queries, keys and values are averaged with their like"
    )
    sharpness: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="factor of the cosines in the softmax; default: the mean length of the block's normed tokens over "
        "the root of the head width",
    )


class ResClipOptions(Options):
    """Options of ResCLIP."""

    base: Literal["naclip", "clearclip", "sclip"] = Field(
        "naclip", description="the method whose last block is used, and whose attention is mixed"
    )
    blend: float = Field(0.5, ge=0, le=1, description="share of the middle blocks' attention; 0 gives the base method")
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
        description="last middle block, included; default: the one before three quarters of the depth",
    )
    std: float = Field(
        5.0, gt=0, le=1_000, description="standard deviation of NACLIP's neighbourhood, in places of the grid"
    )
    labels: Lines = Field((), description="names by which the picture is segmented first, for `refine`")
    refine: float = Field(
        0.0, ge=0, le=1, description="share of the scores that a first segmentation gives; above 0 it needs labels"
    )
    gain: float = Field(2.1, gt=0, le=1_000, description="factor of scores that a segmentation was mixed into")

    @field_validator("refine")
    @classmethod
    def _has_labels(cls, value: float, known: ValidationInfo) -> float:
        if value > 0 and len(set(known.data.get("labels", ()))) < 2:
            raise ValueError("refine needs at least two labels to segment the picture by")
        return value


def middle_blocks(options: ResClipOptions, depth: int) -> range:
    """The blocks whose attention ResCLIP averages: 6 to 9 of 12, counted from one, in proportion to the depth.

    May be empty or reach beyond the tower where the options say so.
    """
    first = 5 * depth // 12 if options.first is None else options.first
    last = max(3 * depth // 4 - 1, first) if options.last is None else options.last
    return range(first, last + 1)


def _last_block(mlp: bool, depth: int, more: float = 0.0) -> Cost:
    return Cost(image=1.0 + (ATTENTION + (MLP if mlp else 0.0) + more) / max(depth, 1), text=1.0)


def _gem_cost(options: GemOptions, depth: int) -> Cost:
    share = ATTENTION + PRODUCTS * (1 + options.iterations)
    return Cost(image=1.0 + share * min(options.depth, depth) / max(depth, 1), text=1.0)


def _resclip_cost(options: ResClipOptions, depth: int) -> Cost:
    middle = len(middle_blocks(options, depth)) if options.blend > 0 else 0
    again = ATTENTION + (MLP if options.base == "sclip" else 0.0) if options.refine > 0 else 0.0
    return _last_block(options.base == "sclip", depth, ATTENTION * middle + again)


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
    idea="In the last attention each place takes only its own value instead of a mixture, and is then compared with "
    "the text. What you see is what each place says before the last block mixes places.",
    assumes="The last block's mixing blurs where things are, and a value means the same at one place as when mixed.",
    fails="Noisy, because no place looks at another in the last block; on deep towers earlier blocks have mixed "
    "already.",
    differs="Key smoothing and prompt denoising, which are defined on a label set, are left out. On CLIP's ResNets the "
    "values come without the pool's positions, as in the paper.",
    unit=UNIT,
    sides=NEEDS,
    schema=KeptOptions,
    cost_model=lambda options, depth: _last_block(options.mlp, depth),
    signed=True,
)

SCLIP = MethodInfo(
    name="sclip",
    title="SCLIP",
    paper="Wang, Mei, Yuille: SCLIP, Rethinking Self-Attention for Dense Vision-Language Inference, ECCV 2024, "
    "arXiv:2312.01597",
    year=2023,
    family="dense",
    idea="In the last block a place attends to places with like queries and with like keys, instead of queries to "
    "keys, and is then compared with the text.",
    assumes="Places of the same meaning have like queries and like keys.",
    fails="The state that enters the last block is kept and can dominate; then the map is close to the raw one.",
    differs="None in the map. The published segmentation adds sliding windows, background words and thresholds.",
    unit=UNIT,
    sides=NEEDS,
    schema=KeptOptions,
    cost_model=lambda options, depth: _last_block(options.mlp, depth),
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
    assumes="What the skip connection carries is noise for a single place, and the attention output is the signal.",
    fails="A place looks at its like anywhere in the image, so that far places of the same look light up together.",
    differs="None in the map. The published segmentation adds sliding windows and background words.",
    unit=UNIT,
    sides=NEEDS,
    schema=ClearClipOptions,
    cost_model=lambda options, depth: _last_block(False, depth),
    signed=True,
)

NACLIP = MethodInfo(
    name="naclip",
    title="NACLIP",
    paper="Hajimiri, Ben Ayed, Dolz: Pay Attention to Your Neighbours, WACV 2025, arXiv:2404.08181",
    year=2024,
    family="dense",
    idea="In the last block a place attends to places with like keys and, by a Gaussian added to the scores, to its "
    "neighbours; without skip connection and feed-forward part.",
    assumes="Neighbours belong together, and like keys mean like content.",
    fails="Small things are smoothed away: the neighbourhood is counted in places, however large they are.",
    differs="None in the map; the grid may have any shape. Refinement by picture colours (PAMR) is left out.",
    unit=UNIT,
    sides=NEEDS,
    schema=NaClipOptions,
    cost_model=lambda options, depth: _last_block(not options.reduced, depth),
    signed=True,
)

GEM = MethodInfo(
    name="gem",
    title="GEM",
    paper="Bousselham, Petersen, Ferrari, Kuehne: Grounding Everything, CVPR 2024, arXiv:2312.00878",
    year=2023,
    family="dense",
    idea="Beside the untouched stream, the last blocks add attention of queries, keys and values each with "
    "themselves, which gathers places of like meaning; the sum is compared with the text.",
    assumes="Averaging each projection with its like sharpens groups of places, and the text names such a group.",
    fails="Groups can be larger than the object, and an absent object still gets a map with a clear maximum.",
    differs="The map isn't scaled to 0..1, and position embeddings stay those of the model's own size.",
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
    idea="Mixes the last block's self-self attention with the mean attention of middle blocks, where queries with keys "
    "still find the right places, and compares each place with the text. Given labels, a first segmentation by them "
    "says which places belong together.",
    assumes="Middle blocks attend to places of the same thing, and their weights fit the last block's values.",
    fails="Attention sinks of the middle blocks come along; what the base method gets wrong is only diluted.",
    differs="Semantic feedback refinement runs if it is given labels of its own, so that no text's map depends on "
    "other texts; it takes the nearest label at each place as it is, without smoothing. Middle attention is averaged "
    "over heads too.",
    unit=UNIT,
    sides=NEEDS,
    schema=ResClipOptions,
    cost_model=_resclip_cost,
    signed=True,
)

CARDS = (MASKCLIP, SCLIP, CLEARCLIP, NACLIP, GEM, RESCLIP)
