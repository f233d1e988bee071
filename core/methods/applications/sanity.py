"""Card of the sanity checks of the methods: randomised weights, other texts, seeds, small changes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.applications.info import ApplicationInfo
from core.methods.info import MOST_PICTURES, Options

# What is measured on fewer pictures than this is not judged.
LEAST_PICTURES = 4
# How many times its budget a method may spend to be checked on so many.
FLOOR = 5
# What thirty methods need for a picture on a transformer with the default budget, in image forwards, as measured.
BUDGET, FORWARDS = 250.0, 1000.0


class SanityOptions(Options):
    """Options of the sanity checks."""

    pictures: int = Field(
        6, ge=1, le=MOST_PICTURES, description="most pictures that are checked, in the order of the plan"
    )
    wrong: int = Field(2, ge=1, le=10, description="how many texts of other pictures each picture is explained with")
    seeds: int = Field(3, ge=3, le=20, description="with how many seeds a method that draws is run")
    noise: float = Field(
        0.02, gt=0, le=0.5, description="most change of a colour (of a range of 1) when the picture is disturbed"
    )
    draws: int = Field(2, ge=1, le=20, description="how often the picture is disturbed")
    budget: float = Field(
        BUDGET,
        gt=0,
        le=1_000_000_000,
        description="image forwards that a method may spend; a dearer one is run for the judged checks only, and on "
        f"fewer pictures, but on {LEAST_PICTURES} if that costs at most {FLOOR} times as much",
    )
    effort: Literal["quick", "planned"] = Field(
        "quick", description="quick: methods run with cheap settings; planned: with those of the audit"
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
    idea="Every planned method explains a few pictures again: with weights drawn anew, with texts of other pictures, "
    "with other seeds, mirrored, shifted, slightly disturbed, and with the text reworded. Rank correlations say how "
    "much the maps change.",
    assumes="A map of learned weights has no reason to look like one of random weights, nor one text's like another's.",
    fails="It can't see a map that depends on what it should and still shows the wrong places: one with its sign "
    "turned passes. Faithfulness against controls is there for that. Captions that are alike have like maps.",
    differs="Weights are drawn with the mean and spread of each tensor, anew for each picture, so that no single draw "
    "decides; the text tower is drawn anew by itself; cheap settings are used unless planned ones are asked for.",
    needs=("embeddings",),
    schema=SanityOptions,
    cost_model=_cost,
)
