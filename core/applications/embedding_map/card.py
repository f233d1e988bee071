"""Card of the embedding map: the method of the layout and what may be read from it."""

from __future__ import annotations

from pydantic import Field

from core.applications.card import ApplicationInfo
from core.methods.info import Options


class LayoutOptions(Options):
    """Options of the embedding map. All images are laid out."""

    perplexity: float = Field(
        30.0, ge=2, le=100, description="number of neighbours that each image is held near to, roughly; at most n / 3"
    )
    steps: int = Field(
        500, ge=50, le=5000, description="optimisation steps after 250 in which groups are drawn together"
    )
    neighbours: int = Field(
        10, ge=1, le=100, description="nearest images by which the layout is compared with the embeddings"
    )


CARD = ApplicationInfo(
    name="embedding_map",
    title="Embedding map",
    paper="van der Maaten and Hinton: Visualizing Data using t-SNE, JMLR 9, 2008; started from principal components "
    "as in Kobak and Berens: The art of using t-SNE for single-cell transcriptomics, Nature Communications 10, 2019; "
    "trustworthiness after Venna and Kaski, ICANN 2001",
    year=2008,
    question="Which images does the model see as similar, and how much of that does a layout in two dimensions show?",
    idea="The embeddings of all images are laid out in two dimensions so that images which are nearest neighbours for "
    "the model are near each other. How many of the nearest neighbours stay neighbours is counted, beside the same "
    "count for the principal components alone and for the same positions in random order.",
    assumes="What is asked of the layout concerns neighbourhoods: which images lie together, and with what.",
    fails="Distances between groups, their sizes and the space between them have no meaning in t-SNE. Points that look "
    "like a group may have no common property, and images that lie apart may be neighbours for the model: "
    "the share of neighbours that is preserved says how often.",
    differs="The start, the seed, the number of threads and the order of the images are fixed, so that a repeated "
    "audit gives the same layout. Below 10 images the layout consists of the principal components.",
    needs=("stored",),
    schema=LayoutOptions,
    cost_model=lambda options: 0.0,
    embeds=True,
    efforts={"quick": {"steps": 250}},
)
