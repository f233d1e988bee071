"""Card of the method that looks at crops of the picture: ConVis."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import Cost, MethodInfo, Options

CROPS = {"exact": 730, "fast": 164}


class ConvisOptions(Options):
    """Options of ConVis for any text."""

    preset: Literal["exact", "fast"] = Field(
        "exact", description="exact: 730 crops, a map of 14 x 14; fast: every second position, 164 crops, 7 x 7"
    )
    score: Literal["similarity", "rank"] = Field(
        "similarity",
        description="what a crop says of the text: its cosine, or the text's rank among the everyday vocabulary",
    )
    scale_weight: Literal["sum", "mean"] = Field(
        "sum", description="sum: large crops weigh four times as much as small ones, as released; mean: the same"
    )
    margin: Literal["mean", "noise"] = Field(
        "mean", description="what lies around the picture in crops over its edge: the model's mean colour, or noise"
    )
    paper_exact: bool = Field(
        False, description="ranks, summed scales, a margin of noise, and each map stretched to 0 to 1, as released"
    )


CONVIS = MethodInfo(
    name="convis",
    title="ConVis",
    paper="Giulivi, Boracchi: Concept Visualization: Explaining the CLIP Multi-modal Embedding Using WordNet, "
    "arXiv:2405.14563",
    year=2024,
    family="concept",
    idea="Cuts the picture into overlapping crops of two sizes and embeds each. What you see is how well the crops "
    "that cover a place fit the text. The crops serve every text and every concept.",
    assumes="The model judges an enlarged crop as it judges a whole picture, and what a crop holds is spread over it.",
    fails="Coarse: the smaller crops are 2/7 of the side, so small things blur. A crop shows context too. Maps of "
    "absent things look alike; read the absolute values.",
    differs="730 crops instead of 1,800 give the same map. Crops keep their full size (released ones lack a pixel), "
    "ranks are taken in float32, the margin is even or seeded noise, and values are not stretched; paper_exact=True "
    "gives noise, ranks and stretched maps. Concepts of WordNet with all that is below them are an application.",
    unit="mean cosine (or rank) of the crops over a place",
    sides={"image": ("embeddings",)},
    schema=ConvisOptions,
    cost_model=lambda options, depth: Cost(pool=float(CROPS[options.preset]), text=1.0),
    paper_exact=True,
)

CARDS = (CONVIS,)
