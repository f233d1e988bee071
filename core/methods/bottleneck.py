"""Card of the information bottleneck."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import MOST_LAYERS, MOST_SAMPLES, Cost, MethodInfo, Options


class M2ibOptions(Options):
    """Options of the multi-modal information bottleneck. Layers are counted from 0, negative ones from the end."""

    layer: int | None = Field(
        None,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
        description="block after which the bottleneck sits; default: third from the end",
    )
    beta: float = Field(0.1, ge=0, le=1_000_000, description="price of information against similarity")
    steps: int = Field(10, ge=1, le=MOST_SAMPLES, description="optimisation steps")
    samples: int = Field(10, ge=1, le=MOST_SAMPLES, description="noise samples a step")
    lr: float = Field(1.0, gt=0, le=1_000, description="learning rate of Adam")
    prior: Literal["auto", "standard", "channel"] = Field(
        "auto",
        description="what noise replaces: standard = N(0, 1); channel = each channel's own mean and spread; auto = "
        "standard for token towers (as published), channel for convolutional ones",
    )
    paper_exact: bool = Field(
        False, description="scale the values to 0..1 as the release does, special tokens included on the text side"
    )


def _cost(options: M2ibOptions, depth: int) -> Cost:
    layer = max(depth - 3, 0) if options.layer is None else options.layer % max(depth, 1)
    tail = max(depth - 1 - layer, 1) / max(depth, 1)
    work = 3.0 * tail * options.steps * options.samples
    return Cost(image=1.0, pair=work, text=1.0, text_pair=work)


M2IB = MethodInfo(
    name="m2ib",
    title="Information bottleneck (M2IB)",
    paper="Wang, Rudner, Wilson: Visual Explanations of Image-Text Representations via Multi-Modal Information "
    "Bottleneck Attribution, NeurIPS 2023, arXiv:2312.17174",
    year=2023,
    family="bottleneck",
    idea="Replaces part of a layer's features by noise and learns how little can be kept while the pair stays similar. "
    "What you see is how much information each place, or each word, had to keep.",
    assumes="Information that had to be kept is information the score uses.",
    fails="Random, so maps vary with the seed; on towers with a few large dimensions the map shows token norm.",
    differs="Numerically exact log(1 - lambda); loss summed over pairs so that a batch equals single runs; frozen "
    "weights and cached prefix; the released `var` option does nothing and is left out; special tokens are dropped "
    "before display. Convolutional towers use a prior per channel.",
    unit="nats kept (at least 0)",
    sides={"image": ("image_layers",), "text": ("text_layers",)},
    schema=M2ibOptions,
    cost_model=_cost,
    deterministic=False,
    paper_exact=True,
)


class NibOptions(Options):
    """Options of the narrowing bottleneck."""

    layer: int | None = Field(
        None,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
        description="block whose input is scaled, from 0, negative from the end; default: third from the end",
    )
    steps: int = Field(10, ge=1, le=200, description="how many scalings between nothing and the whole state")


def _nib_cost(options: NibOptions, depth: int) -> Cost:
    block = max(depth - 3, 0) if options.layer is None else options.layer % max(depth, 1)
    tail = (depth - block) / max(depth, 1) * options.steps
    return Cost(image=1.0 + tail, pair=2.0 * tail, text=1.0 + tail, text_pair=2.0 * tail)


NIB = MethodInfo(
    name="nib",
    title="Narrowing bottleneck (NIB)",
    paper="Zhu et al.: Narrowing Information Bottleneck Theory for Multimodal Image-Text Representations "
    "Interpretability, ICLR 2025, arXiv:2502.14889",
    year=2025,
    family="bottleneck",
    idea="Fades a layer's features in from nothing and adds up how much each place, or each word, moves the "
    "similarity on the way. The deterministic partner of the information bottleneck: no noise, no seed.",
    assumes="The way from nothing to the whole state passes through states that the rest of the tower can read.",
    fails="A norm inside a block ignores scale, so much of the way changes little and the first steps decide.",
    differs="None in the formula; the sign is kept, blocks before the one that is read run once, and all texts share "
    "one forward a step.",
    unit="share of the cosine (signed)",
    sides={"image": ("image_layers",), "text": ("text_layers",)},
    schema=NibOptions,
    cost_model=_nib_cost,
    signed=True,
)

CARDS = (M2IB, NIB)
