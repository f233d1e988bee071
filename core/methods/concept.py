"""Card of the method that looks at crops of the image: ConVis."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.crops import CROPS, even_crops
from core.methods.info import Cost, MethodInfo, Options


class ConvisOptions(Options):
    """Options of ConVis for any text."""

    preset: Literal["exact", "fast"] = Field(
        "exact",
        description="exact: 730 crops, a map of 14 x 14; fast: every second position, 164 crops, a map of 7 x 7",
    )
    score: Literal["similarity", "rank", "gamma"] = Field(
        "similarity",
        description="value of a crop for the text: its cosine, the rank of the text within the everyday vocabulary, or "
        "that rank made sharper, so that only the first ones count",
    )
    reach: int = Field(91, ge=1, le=1_000_000, description="number of first ranks that count with score gamma")
    scale_weight: Literal["sum", "mean"] = Field(
        "sum",
        description="sum: large crops count four times as much as small ones, as released; mean: both sizes "
        "count the same",
    )
    margin: Literal["mean", "noise"] = Field(
        "mean",
        description="fill of the margin in crops that extend beyond the image: the model's mean colour, or noise",
    )
    paper_exact: bool = Field(
        False, description="ranks, summed scales, a noise margin, and each map rescaled to 0..1, as released"
    )


CONVIS = MethodInfo(
    name="convis",
    title="ConVis",
    paper="Giulivi, Boracchi: Concept Visualization: Explaining the CLIP Multi-modal Embedding Using WordNet, "
    "arXiv:2405.14563",
    year=2024,
    family="concept",
    idea="Cuts the image into overlapping crops of two sizes and embeds each. What you see is how well the crops "
    "that cover a region match the text. The same crops serve every text and every concept.",
    assumes="The model judges an enlarged crop as it judges a whole image, and the content of a crop is spread "
    "evenly over it.",
    fails="Coarse: the smaller crops measure 2/7 of the side, so small objects blur. A crop also shows context. Maps "
    "of absent objects look similar to those of present ones; read the absolute values.",
    differs="730 crops instead of 1,800 give the same map. Crops keep their full size (in the release they lack one "
    "pixel), ranks are computed in float32, the margin is uniform or seeded noise, and values are not rescaled; "
    "paper_exact=True gives noise, ranks and rescaled maps. WordNet concepts together with all their hyponyms are "
    "available as an application.",
    unit="mean cosine (or rank) of the crops that cover a position",
    sides={"image": ("embeddings",)},
    schema=ConvisOptions,
    cost_model=lambda options, depth: Cost(pool=float(CROPS[options.preset]), text=1.0),
    paper_exact=True,
    crops=even_crops,
    efforts={"quick": {"preset": "fast"}, "standard": {"preset": "fast"}},
    coarse={"preset": "fast", "score": "similarity", "paper_exact": False},
)

CARDS = (CONVIS,)
