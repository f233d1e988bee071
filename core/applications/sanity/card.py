"""Card of the sanity checks of the methods: randomised weights, other texts, seeds, small changes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.applications.card import ApplicationInfo
from core.applications.sampling import MOST_FORWARDS, SAMPLE_BUDGET, Sampled
from core.statistics import FEWEST

# What is measured on fewer images than this has no interval, so that nothing can be judged.
LEAST_IMAGES = FEWEST
# Where few methods are planned, they are checked on up to so many for the same forward passes.
MOST_IMAGES = 12
# How many times its budget a method may spend to be checked on so many.
FLOOR = 9
# What thirty methods need per image on a transformer with the default budget, in image forwards, as measured.
BUDGET, FORWARDS = 250.0, 1000.0


class SanityOptions(Sampled):
    """Options of the sanity checks."""

    forwards: int = Field(6000, ge=1, le=MOST_FORWARDS, description=SAMPLE_BUDGET)
    wrong: int = Field(2, ge=1, le=10, description="number of texts of other images with which each image is explained")
    seeds: int = Field(3, ge=3, le=20, description="number of seeds for stochastic methods")
    noise: float = Field(
        0.02, gt=0, le=0.5, description="maximum change of a colour value (in a range of 1) when the image is perturbed"
    )
    draws: int = Field(2, ge=1, le=20, description="number of perturbations of the image")
    budget: float = Field(
        BUDGET,
        gt=0,
        le=1_000_000_000,
        description="image forward passes available to a method; a more expensive one is run for the judged checks "
        f"only, and on fewer images, but on {LEAST_IMAGES} if that costs at most {FLOOR} times as much",
    )
    effort: Literal["quick", "planned"] = Field(
        "quick", description="quick: methods run with inexpensive settings; planned: with those of the audit"
    )


def _cost(options: SanityOptions) -> float:
    return FORWARDS * options.budget / BUDGET


CARD = ApplicationInfo(
    name="sanity",
    title="Sanity checks of the methods",
    paper="Adebayo et al.: Sanity Checks for Saliency Maps, NeurIPS 2018, arXiv:1810.03292; Yeh et al.: On the "
    "(In)fidelity and Sensitivity of Explanations, NeurIPS 2019, arXiv:1901.09392",
    year=2018,
    question="Do the maps depend on what the model has learned and on the text, and do they stay the same where they "
    "should?",
    idea="Every planned method explains a few images again: with re-initialised weights, with texts of other images, "
    "with other seeds, mirrored, shifted, slightly perturbed, and with the text reworded. Rank correlations measure "
    "how much the maps change.",
    assumes="A map of learned weights should differ from one of random weights, and the map of one text from that of "
    "another.",
    fails="It cannot detect a map that depends on everything it should and still marks the wrong regions: an "
    "inverted map passes. This is tested by faithfulness compared with controls. Similar captions have similar maps.",
    differs="Weights are drawn with the mean and standard deviation of each tensor, independently for each image, so "
    "that no single draw determines the result; the text tower is re-initialised separately; inexpensive settings "
    "are used unless planned ones are selected.",
    needs=("embeddings",),
    inputs=({"maps": 1}, {"captions": 1, "prompts": 1, "classes": 1}),
    schema=SanityOptions,
    cost_model=_cost,
    fewest=LEAST_IMAGES,
    efforts={"quick": {"forwards": 4000}},
)
