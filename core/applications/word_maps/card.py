"""Card of the maps of single words: which word of a text looks where."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.applications.card import ApplicationInfo
from core.applications.sampling import MOST_FORWARDS, SAMPLE_BUDGET, Sampled
from core.methods.info import MOST_MASKS
from core.methods.perturbation import REMOVAL, RemovalName

# Maps that are linear in the text's embedding, so that words share them at no cost on the image.
SharedMap = Literal["raw", "maskclip", "sclip", "clearclip", "naclip", "gem", "resclip", "sc_clip", "clip_prs"]


class WordMapsOptions(Sampled):
    """Options of the maps of single words."""

    forwards: int = Field(1600, ge=1, le=MOST_FORWARDS, description=SAMPLE_BUDGET)
    masks: int = Field(192, ge=8, le=MOST_MASKS, description="coalitions of cells per image")
    words: int = Field(64, ge=4, le=MOST_MASKS, description="coalitions of words that are hidden together with cells")
    cells: int = Field(7, ge=1, le=16, description="cells along each side that are hidden")
    removal: RemovalName = Field("auto", description=REMOVAL)
    method: SharedMap | Literal["auto"] = Field(
        "auto",
        description="method whose map is shared among the words; auto: maskclip, or raw where a model has no attention",
    )
    budget: int = Field(
        256, ge=8, le=MOST_MASKS, description="maximum number of coalitions of words for the shared map"
    )


def _cost(options: WordMapsOptions) -> float:
    return 1.0 + options.masks


CARD = ApplicationInfo(
    name="word_maps",
    title="Maps of single words",
    paper="Baniecki et al.: Explaining Similarity in Vision-Language Encoders with Weighted Banzhaf Interactions, "
    "NeurIPS 2025; beside it MetaGame, preprint of 2026",
    year=2025,
    question="Which word of a text is each part of the image attributed to, and do articles receive as much "
    "attribution as the names of objects?",
    idea="Two procedures are compared. Interactions: cells and words are hidden together, and the value of a pair of "
    "a cell and a word is its contribution beyond their separate contributions. Shared map: the map of the whole "
    "text is divided among its words by Shapley values, so that the parts sum to the map. Where the two agree on a "
    "word, its map can be interpreted.",
    assumes="A text without some of its words is still understood in a similar way.",
    fails="Words are not independent players: without a negation the rest has another meaning. A shared map is no "
    "better than the map that it divides, and interactions omit effects that need three players.",
    differs="Interactions are solved by one small system per side, omitting pairs within a side; the agreement of "
    "the two procedures, with the maps of other words as the control, is an addition of Loupe.",
    needs=("embeddings", "text_layers"),
    inputs=({"captions": 1, "prompts": 1, "classes": 2},),
    schema=WordMapsOptions,
    cost_model=_cost,
    efforts={"quick": {"forwards": 600, "cells": 5, "masks": 96, "words": 32, "budget": 64}},
)
