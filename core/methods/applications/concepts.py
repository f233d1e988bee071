"""Card of the concept maps of a data set: ConVis with WordNet."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.applications.info import ApplicationInfo
from core.methods.concept import CONVIS, CROPS
from core.methods.info import Lines, OptionalLine, Options


class ConceptsOptions(Options):
    """Options of the concept maps."""

    preset: Literal["exact", "fast"] = Field(
        "exact", description="exact: 730 crops a picture, maps of 14 x 14; fast: 164 crops, 7 x 7"
    )
    vocabulary: Literal["everyday", "broad", "own"] = Field(
        "everyday",
        description="concepts to rank against: everyday things and what is above them, the most used nouns for "
        "visible things, or only your own",
    )
    own: Lines = Field((), description="concepts of your own, one an entry: name | text that the model reads | parent")
    size: int = Field(4000, ge=100, le=8000, description="nouns of the broad vocabulary, most used first")
    scale_weight: Literal["sum", "mean"] = Field(
        "sum", description="sum: large crops weigh four times as much as small ones, as released; mean: the same"
    )
    margin: Literal["mean", "noise"] = Field(
        "mean", description="what lies around a picture in crops over its edge: the model's mean colour, or noise"
    )
    penalty: float = Field(
        0.2, gt=0, lt=1, description="how much a word must explain to be one of those that rebuild a picture (SpLiCE)"
    )
    in_distribution: OptionalLine = Field(
        None, description="a synset like bird.n.01 that all pictures should show; they are scored by how well they fit"
    )


CARD = ApplicationInfo(
    name="concepts",
    title="Concepts (ConVis)",
    paper=CONVIS.paper,
    year=CONVIS.year,
    question="What does the model see in these pictures, and where?",
    idea="Embeds 730 crops of each picture and the glosses of a graph of concepts. In every crop the concepts are "
    "ranked; a concept counts where it, or anything below it, ranks high. Afterwards the map of any concept is a "
    "matrix product.",
    assumes="A gloss says what the model knows by another name, and the vocabulary holds what the pictures show.",
    fails="A rank is relative: with little to compare, something always ranks first. Large groups reach the top by "
    "chance; compare with the chance level. Some glosses attract every picture.",
    differs="730 instead of 1,800 crops with the same maps; float32 ranks, equal glosses share a rank; an even or "
    "seeded margin; absolute scores beside every map. The word list is our own.",
    needs=("embeddings",),
    schema=ConceptsOptions,
    cost_model=lambda options: 1.0 + CROPS[options.preset],
)
