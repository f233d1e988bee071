"""Cards of the information bottlenecks, and which blocks of a tower their layers name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from core.methods.info import MOST_LAYERS, MOST_SAMPLES, Cost, MethodInfo, Options, Side


def block_of(layer: int | None, depth: int) -> int:
    """The block that a layer names, from 0; it may lie outside the tower. None names the third from the end."""
    return max(depth - 3, 0) if layer is None else layer + depth if layer < 0 else layer


def layer_of(options: M2ibOptions | NibOptions, side: Side) -> int | None:
    """The layer of one side's tower."""
    return options.layer if side == "image" or options.text_layer is None else options.text_layer


class M2ibOptions(Options):
    """Options of the multi-modal information bottleneck. Layers are counted from 0, negative ones from the end."""

    layer: int | None = Field(
        None,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
        description="block after which the bottleneck is inserted; default: third from the end. A tower without such a "
        "block is not run",
    )
    text_layer: int | None = Field(
        None, ge=-MOST_LAYERS, le=MOST_LAYERS, description="the same for the text tower; none: as `layer`"
    )
    beta: float = Field(
        0.1, ge=0, le=1_000_000, description="weight β of the information term relative to the similarity"
    )
    steps: int = Field(10, ge=1, le=MOST_SAMPLES, description="optimisation steps")
    samples: int = Field(10, ge=1, le=MOST_SAMPLES, description="noise samples per step")
    lr: float = Field(1.0, gt=0, le=1_000, description="learning rate of the Adam optimiser")
    prior: Literal["auto", "standard", "channel"] = Field(
        "auto",
        description="distribution of the noise: standard = N(0, 1); channel = mean and standard deviation of each "
        "channel; auto = standard for transformers (as published), channel for convolutional towers",
    )
    paper_exact: bool = Field(
        False,
        description="rescale the values to 0..1 as the release does, including the special tokens on the text side",
    )


def m2ib_misfit(layer: int | None, depth: int, side: Side) -> str | None:
    """Why no bottleneck can follow the block in a tower of `depth` blocks; None if it can."""
    if 0 <= block_of(layer, depth) < depth - 1 or (depth == 1 and block_of(layer, depth) == 0):
        return None
    return f"at least one block must follow the layer: 0 to {depth - 2} on the {side} side, not {layer}"


def _misfits(options: M2ibOptions, depths: Mapping[Side, int]) -> dict[Side, str]:
    found = {side: m2ib_misfit(layer_of(options, side), depth, side) for side, depth in depths.items()}
    return {side: reason for side, reason in found.items() if reason is not None}


def _cost(options: M2ibOptions, depth: int) -> Cost:
    depth = max(depth, 1)

    def work(side: Side) -> float:
        tail = max(depth - 1 - block_of(layer_of(options, side), depth) % depth, 1) / depth
        return 3.0 * tail * options.steps * options.samples

    return Cost(image=1.0, pair=work("image"), text=1.0, text_pair=work("text"))


M2IB = MethodInfo(
    name="m2ib",
    title="Information bottleneck (M2IB)",
    paper="Wang, Rudner, Wilson: Visual Explanations of Image-Text Representations via Multi-Modal Information "
    "Bottleneck Attribution, NeurIPS 2023, arXiv:2312.17174",
    year=2023,
    family="bottleneck",
    idea="Replaces part of a layer's features by noise and learns how little information is enough to keep image and "
    "text similar. What you see is how much information about each patch, or each word, had to be retained.",
    assumes="The score uses the information that had to be retained.",
    fails="The method is random, so maps vary with the seed; on towers with a few dominant dimensions the map "
    "reflects the norms of the tokens.",
    differs="Numerically exact log(1 - lambda); the loss is summed over pairs, so that a batch gives the same result "
    "as single runs; weights are frozen and the prefix of the tower is cached; the released option `var` has no "
    "effect and is omitted; special tokens are removed before display. Convolutional towers use one prior per "
    "channel.",
    unit="nats retained (at least 0)",
    sides={"image": ("image_layers",), "text": ("text_layers",)},
    schema=M2ibOptions,
    cost_model=_cost,
    misfits=_misfits,
    deterministic=False,
    paper_exact=True,
    needs_context=True,
    representative=True,
    efforts={"quick": {"samples": 4}, "standard": {"samples": 5}},
    coarse={"samples": 3},
)


class NibOptions(Options):
    """Options of the narrowing bottleneck."""

    layer: int | None = Field(
        None,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
        description="block whose input is scaled, from 0 (negative: from the end); default: third from the end. A "
        "tower without such a block is not run",
    )
    text_layer: int | None = Field(
        None, ge=-MOST_LAYERS, le=MOST_LAYERS, description="the same for the text tower; none: as `layer`"
    )
    steps: int = Field(10, ge=1, le=200, description="number of scaling steps between zero and the full state")


def nib_misfit(layer: int | None, depth: int, side: Side) -> str | None:
    """Why no block of a tower of `depth` blocks can be read; None if it can."""
    if 0 <= block_of(layer, depth) < depth:
        return None
    return f"layer must be a block of the {side} side, 0 to {depth - 1}, not {layer}"


def _nib_misfits(options: NibOptions, depths: Mapping[Side, int]) -> dict[Side, str]:
    found = {side: nib_misfit(layer_of(options, side), depth, side) for side, depth in depths.items()}
    return {side: reason for side, reason in found.items() if reason is not None}


def _nib_cost(options: NibOptions, depth: int) -> Cost:
    depth = max(depth, 1)
    image, text = (
        (depth - block_of(layer_of(options, side), depth) % depth) / depth * options.steps for side in ("image", "text")
    )
    return Cost(image=1.0 + image, pair=2.0 * image, text=1.0 + text, text_pair=2.0 * text)


NIB = MethodInfo(
    name="nib",
    title="Narrowing bottleneck (NIB)",
    paper="Zhu et al.: Narrowing Information Bottleneck Theory for Multimodal Image-Text Representations "
    "Interpretability, ICLR 2025, arXiv:2502.14889",
    year=2025,
    family="bottleneck",
    idea="Fades a layer's features in from zero and adds up how much each patch, or each word, changes the "
    "similarity along the way. It is the deterministic counterpart of the information bottleneck: no noise, no seed.",
    assumes="The scaled states between zero and the full state are states that the rest of the tower can process.",
    fails="Normalisation inside a block ignores scale, so most of the path changes little and the first steps "
    "dominate.",
    differs="None in the formula; the sign is kept, the blocks before the bottleneck run once, and all texts share "
    "one forward pass per step.",
    unit="share of the cosine (signed)",
    sides={"image": ("image_layers",), "text": ("text_layers",)},
    schema=NibOptions,
    cost_model=_nib_cost,
    misfits=_nib_misfits,
    signed=True,
    efforts={"quick": {"steps": 5}},
    own_scale="its values are shares of the cosine of their own text",
)

CARDS = (M2IB, NIB)
