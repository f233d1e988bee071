"""Card of the concept maps of a data set: ConVis with WordNet."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.applications.card import ApplicationInfo
from core.methods.concept import CONVIS
from core.methods.crops import CROPS, even_crops
from core.methods.info import Lines, OptionalLine, Options


class ConceptsOptions(Options):
    """Options of the concept maps."""

    preset: Literal["exact", "fast"] = Field(
        "exact", description="exact: 730 crops per image, maps of 14 x 14; fast: 164 crops, 7 x 7"
    )
    vocabulary: Literal["everyday", "broad", "own"] = Field(
        "everyday",
        description="concepts to rank against: everyday objects with their hypernyms, the most frequent nouns for "
        "visible objects, or only the custom concepts",
    )
    own: Lines = Field((), description="custom concepts, one per entry: name | text that the model reads | parent")
    size: int = Field(4000, ge=100, le=8000, description="number of nouns in the broad vocabulary, most frequent first")
    scale_weight: Literal["sum", "mean"] = Field(
        "sum",
        description="sum: large crops count four times as much as small ones, as released; mean: both sizes "
        "count the same",
    )
    margin: Literal["mean", "noise"] = Field(
        "mean", description="fill of the margin in crops beyond the image: the model's mean colour, or noise"
    )
    penalty: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="penalty on the number of words that reconstruct an image (SpLiCE): a larger "
        "value gives fewer words",
    )
    in_distribution: OptionalLine = Field(
        None,
        description="a synset such as bird.n.01 that all images should show; images are scored by their "
        "similarity to it",
    )


CARD = ApplicationInfo(
    name="concepts",
    title="Concepts (ConVis)",
    paper=CONVIS.paper,
    year=CONVIS.year,
    question="Which concepts does the model recognise in these images, and where?",
    idea="Embeds 730 crops of each image and the glosses of a graph of concepts. In every crop the concepts are "
    "ranked; a concept is present where it, or one of its hyponyms, ranks high. Afterwards the map of any concept is "
    "a matrix product.",
    assumes="The model recognises a concept by its gloss, and the vocabulary covers what the images show.",
    fails="A rank is relative: with few concepts to compare, something always ranks first. Concepts with many "
    "hyponyms often reach the top at random; compare with the chance level. Some glosses are similar to every image.",
    differs="730 instead of 1,800 crops with the same maps; float32 ranks, equal glosses share a rank; a uniform or "
    "seeded margin; absolute scores beside every map. The list of words was compiled for Loupe.",
    needs=("embeddings",),
    schema=ConceptsOptions,
    cost_model=lambda options: 1.0 + CROPS[options.preset],
    efforts={"quick": {"preset": "fast"}, "standard": {"preset": "fast"}},
    crops=even_crops,
)
