"""Card of the information a pair keeps: seeds, prices, and texts that don't belong to the image."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from core.applications.card import ApplicationInfo
from core.applications.sampling import MOST_FORWARDS, SAMPLE_BUDGET, Sampled
from core.methods.info import MOST_LAYERS, MOST_SAMPLES

NIB_STEPS = 5
# Two blocks lie behind the bottleneck, of 7 to 12 that a tower usually has.
TAIL = 0.25


Price = Annotated[float, Field(ge=0, le=1_000_000)]


class InformationOptions(Sampled):
    """Options of the information a pair keeps. Layers are counted from 0, negative ones from the end."""

    forwards: int = Field(6100, ge=1, le=MOST_FORWARDS, description=SAMPLE_BUDGET)
    seeds: int = Field(
        3, ge=3, le=20, description="number of times each bottleneck is optimised, each time with different noise"
    )
    wrong: int = Field(1, ge=1, le=10, description="number of texts of other images per image")
    prices: tuple[Price, ...] = Field(
        (0.1, 3.0),
        max_length=5,
        description="weights β of the information term that are compared; the first is the published one",
    )
    steps: int = Field(10, ge=1, le=MOST_SAMPLES, description="optimisation steps")
    samples: int = Field(4, ge=1, le=MOST_SAMPLES, description="noise samples per step")
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
        "auto", description="distribution of the noise, on both sides; see the options of the method"
    )

    @field_validator("prices")
    @classmethod
    def _few_and_apart(cls, prices: tuple[float, ...]) -> tuple[float, ...]:
        if not 1 <= len(prices) <= 5 or len(set(prices)) < len(prices) or min(prices) < 0:
            raise ValueError("give one to five different weights, none below 0")
        return prices


def _cost(options: InformationOptions) -> float:
    texts = 1 + options.wrong
    runs = len(options.prices) * options.seeds * texts
    bottlenecks = runs * options.samples * (3.0 * options.steps + 1.0)
    return 1.0 + TAIL * (bottlenecks + NIB_STEPS * (1 + 2 * texts))


CARD = ApplicationInfo(
    name="information",
    title="Information retained by a pair",
    paper="Wang, Rudner, Wilson: Visual Explanations of Image-Text Representations via Multi-Modal Information "
    "Bottleneck Attribution, NeurIPS 2023, arXiv:2312.17174; beside it Zhu et al., ICLR 2025, arXiv:2502.14889",
    year=2023,
    question="Does a text that belongs to its image retain more information than one that does not, and how much of "
    "a map is random?",
    idea="The bottleneck is optimised for the text of the image and for texts of other images, on both sides, with "
    "several seeds and weights each. The information retained, in nats, is compared pair by pair; the spread over "
    "seeds shows how far a map can be interpreted, and the deterministic narrowing bottleneck is given for "
    "comparison.",
    assumes="A text of another image does not describe this one; similar captions make the comparison harder.",
    fails="At the published weight the result depends on model and side: for a wrong text the mask can retain as "
    "much or more, because it searches for anything that raises the cosine. Compare nats at one weight only, never "
    "across models.",
    differs="The released method has one seed, one weight and one text. The cosine that the bottleneck reaches and "
    "the one obtained from noise alone are recorded beside the nats.",
    needs=("image_layers",),
    inputs=({"images": 2}, {"captions": 2, "prompts": 2, "classes": 2}),
    schema=InformationOptions,
    cost_model=_cost,
    fewest=2,
    efforts={"quick": {"forwards": 2300, "samples": 3}, "standard": {"forwards": 4600}},
)
