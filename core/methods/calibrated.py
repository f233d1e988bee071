"""Card of SC-CLIP, a dense method that calibrates the last block by earlier ones."""

from __future__ import annotations

from pydantic import Field

from core.methods.dense import ATTENTION, NEEDS, UNIT, last_block_cost
from core.methods.info import MOST_LAYERS, Cost, MethodInfo, Options


class ScClipOptions(Options):
    """Options of SC-CLIP."""

    neighbours: int = Field(30, ge=1, le=1_000, description="nearest patches by which an outlier is recognised")
    anomalies: float = Field(
        0.05, ge=0, lt=1, description="share of patches that are repaired as outliers; 0 repairs none"
    )
    floor: float = Field(
        0.4, ge=0, le=1, description="likeness (a cosine) below which one patch gives nothing to another"
    )
    sharpness: float = Field(
        3.0, ge=0, le=10_000, description="scale of the likeness in the softmax that stands beside key-key attention"
    )
    class_share: float = Field(0.3, ge=0, le=1_000, description="share of the class token that is added to every patch")
    fuse: bool = Field(True, description="pass the sum of several blocks through the last one as well")
    middle: int | None = Field(
        None,
        ge=0,
        le=MOST_LAYERS,
        description="block, from 0, whose likeness calibrates the last one; default: the one before three quarters of "
        "the depth",
    )
    early: int | None = Field(
        None,
        ge=0,
        le=MOST_LAYERS,
        description="block whose likeness gathers the result; default: the last of the first third",
    )
    first: int | None = Field(
        None, ge=0, le=MOST_LAYERS, description="first block that is summed; default: the same as early"
    )
    last: int | None = Field(
        None,
        ge=0,
        le=MOST_LAYERS,
        description="last block that is summed, inclusive; default: the one before five sixths of the depth",
    )
    paper_exact: bool = Field(
        False,
        description="recognise outliers as the release does: by squared distances and each patch's farthest neighbour",
    )


def calibrating_blocks(options: ScClipOptions, depth: int) -> tuple[int, int, int, int]:
    """The middle and the early block of SC-CLIP and the first and last that it sums: 8, 3, 3 and 9 of 12, from 0.

    In proportion to the depth, but never the last block, unless the options say so.
    """
    before = max(depth - 2, 0)
    middle = min(max(3 * depth // 4 - 1, 0), before) if options.middle is None else options.middle
    early = min(max(depth // 3 - 1, 0), before) if options.early is None else options.early
    first = early if options.first is None else options.first
    last = max(min(5 * depth // 6 - 1, before), first) if options.last is None else options.last
    return middle, early, first, last


def _cost(options: ScClipOptions, depth: int) -> Cost:
    return last_block_cost(False, depth, ATTENTION if options.fuse else 0.0)


SC_CLIP = MethodInfo(
    name="sc_clip",
    title="SC-CLIP",
    paper="Bai, Liu, Han, Zhang, Tang, Zhou, Lu: Self-Calibrated CLIP for Training-Free Open-Vocabulary Segmentation, "
    "IEEE Transactions on Image Processing 2025, arXiv:2411.15869",
    year=2024,
    family="dense",
    idea="Replaces outlying patches before the last block by their neighbours, lets the likeness of patches in a "
    "middle block decide which belong together, and adds what the last block makes of several earlier ones; each "
    "patch is then compared with the text.",
    assumes="Middle blocks know which patches form one object, and outliers before the last block carry no position.",
    fails="A fixed share of patches is always replaced, whether they are outliers or not; small objects that look like "
    "their surroundings in the middle block are absorbed.",
    differs="Outliers are recognised by the local outlier factor as published; the release compares squared distances "
    "to each patch's own farthest neighbour (paper_exact). Likeness is averaged within one image. Blocks scale with "
    "the depth. Sliding windows and background labels are omitted.",
    unit=UNIT,
    sides=NEEDS,
    schema=ScClipOptions,
    cost_model=_cost,
    paper_exact=True,
    signed=True,
)

CARDS = (SC_CLIP,)
