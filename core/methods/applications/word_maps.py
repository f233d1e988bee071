"""Card of the maps of single words: which word of a text looks where."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.applications.info import ApplicationInfo
from core.methods.info import MOST_MASKS, MOST_PICTURES, Options
from core.methods.perturbation import REMOVAL, RemovalName

# Maps that are linear in the text's embedding, so that words share them at no cost on the picture.
SharedMap = Literal["raw", "maskclip", "sclip", "clearclip", "naclip", "gem", "resclip", "clip_prs"]


class WordMapsOptions(Options):
    """Options of the maps of single words."""

    pictures: int = Field(
        8, ge=2, le=MOST_PICTURES, description="most pictures that are explained, in the order of the plan"
    )
    masks: int = Field(192, ge=8, le=MOST_MASKS, description="coalitions of cells a picture")
    words: int = Field(
        64, ge=4, le=MOST_MASKS, description="coalitions of words where they are hidden together with cells"
    )
    cells: int = Field(7, ge=1, le=16, description="cells a side that are hidden")
    removal: RemovalName = Field("auto", description=REMOVAL)
    method: SharedMap | Literal["auto"] = Field(
        "auto", description="whose map is shared among the words; auto: maskclip, or raw where a model has none"
    )
    budget: int = Field(256, ge=8, le=MOST_MASKS, description="most sets of words that are asked for the shared map")


def _cost(options: WordMapsOptions) -> float:
    return 1.0 + options.masks


CARD = ApplicationInfo(
    name="word_maps",
    title="Which word looks where",
    paper="Baniecki et al.: Explaining Similarity in Vision-Language Encoders with Weighted Banzhaf Interactions, "
    "NeurIPS 2025; beside it MetaGame, preprint of 2026",
    year=2025,
    question="Which word of a text is each part of the picture owed to, and do articles own as much as things do?",
    idea="Two ways, side by side. Interactions: cells and words are hidden together, and each pair of a cell and a "
    "word gets what it adds beyond both. Shared map: the map of the whole text is divided among its words, by Shapley "
    "values, so that the parts sum to the map. Where the two agree on a word, its map can be read.",
    assumes="A text without some of its words is still read in a similar way.",
    fails="Words aren't independent players: without a negation the rest means another thing. A shared map can be no "
    "better than the map it divides, and interactions leave out whatever needs three players.",
    differs="Interactions are solved by the two sides' own small systems, pairs within a side left out; the agreement "
    "of the two ways, with other words' maps as the control, is ours.",
    needs=("embeddings", "text_layers"),
    schema=WordMapsOptions,
    cost_model=_cost,
)
