"""Card of the information bottleneck."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import Cost, MethodInfo, Options


class M2ibOptions(Options):
    """Options of the multi-modal information bottleneck. Layers are counted from 0, negative ones from the end."""

    layer: int | None = Field(None, description="block after which the bottleneck sits; default: third from the end")
    beta: float = Field(0.1, ge=0, description="price of information against similarity")
    steps: int = Field(10, ge=1, description="optimisation steps")
    samples: int = Field(10, ge=1, description="noise samples a step")
    lr: float = Field(1.0, gt=0, description="learning rate of Adam")
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

CARDS = (M2IB,)
