"""Card of the information a pair keeps: seeds, prices, and texts that don't belong to the picture."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from core.methods.applications.info import ApplicationInfo
from core.methods.info import MOST_LAYERS, MOST_PICTURES, MOST_SAMPLES, Options

NIB_STEPS = 5
# Two blocks lie behind the bottleneck, of 7 to 12 that a tower usually has.
TAIL = 0.25


Price = Annotated[float, Field(ge=0, le=1_000_000)]


class InformationOptions(Options):
    """Options of the information a pair keeps. Layers are counted from 0, negative ones from the end."""

    pictures: int = Field(
        16, ge=2, le=MOST_PICTURES, description="most pictures that are measured, in the order of the plan"
    )
    seeds: int = Field(3, ge=3, le=20, description="how often each bottleneck is optimised, each time with other noise")
    wrong: int = Field(1, ge=1, le=10, description="how many texts of other pictures each picture is measured with")
    prices: tuple[Price, ...] = Field(
        (0.1, 3.0),
        max_length=5,
        description="prices of information (beta) that are compared; the first is the published one",
    )
    steps: int = Field(10, ge=1, le=MOST_SAMPLES, description="optimisation steps")
    samples: int = Field(4, ge=1, le=MOST_SAMPLES, description="noise samples a step")
    layer: int | None = Field(
        None,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
        description="block of the image tower before the bottleneck; none: third last",
    )
    text_layer: int | None = Field(
        None,
        ge=-MOST_LAYERS,
        le=MOST_LAYERS,
        description="block of the text tower before the bottleneck; none: third last",
    )
    prior: Literal["auto", "standard", "channel"] = Field(
        "auto", description="what noise replaces, on both sides; see the method's own options"
    )

    @field_validator("prices")
    @classmethod
    def _few_and_apart(cls, prices: tuple[float, ...]) -> tuple[float, ...]:
        if not 1 <= len(prices) <= 5 or len(set(prices)) < len(prices) or min(prices) < 0:
            raise ValueError("give one to five different prices, none below 0")
        return prices


def _cost(options: InformationOptions) -> float:
    texts = 1 + options.wrong
    runs = len(options.prices) * options.seeds * texts
    bottlenecks = runs * options.samples * (3.0 * options.steps + 1.0)
    return 1.0 + TAIL * (bottlenecks + NIB_STEPS * (1 + 2 * texts))


CARD = ApplicationInfo(
    name="information",
    title="Information a pair keeps",
    paper="Wang, Rudner, Wilson: Visual Explanations of Image-Text Representations via Multi-Modal Information "
    "Bottleneck Attribution, NeurIPS 2023, arXiv:2312.17174; beside it Zhu et al., ICLR 2025, arXiv:2502.14889",
    year=2023,
    question="Does a text that belongs to its picture hold on to more information than one that doesn't, and how much "
    "of a map is chance?",
    idea="The bottleneck is optimised for the picture's own text and for texts of other pictures, on both sides, each "
    "with several seeds and prices. What is left, in nats, is compared pair by pair; the spread over seeds says how "
    "far a map can be read, and the deterministic narrowing bottleneck stands beside it.",
    assumes="A text of another picture doesn't describe this one; captions that are alike make the comparison harder.",
    fails="At the published price the result depends on model and side: for a wrong text the mask can keep as much or "
    "more, because it searches for whatever raises the cosine. Compare nats at one price only, never across models.",
    differs="The released method has one seed, one price and one text. The cosine that the bottleneck reaches and the "
    "one that noise alone gives are recorded beside the nats.",
    needs=("image_layers",),
    schema=InformationOptions,
    cost_model=_cost,
)
