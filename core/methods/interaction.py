"""Card of the method that asks picture and text together: which places matter to which words."""

from __future__ import annotations

from pydantic import Field

from core.methods.info import MOST_CELLS, MOST_MASKS, Cost, MethodInfo, Options
from core.methods.perturbation import CELLS, REMOVAL, RemovalName


class FixlipOptions(Options):
    """Options of FIxLIP."""

    masks: int = Field(
        512, ge=8, le=MOST_MASKS, description="coalitions of cells, shared with RISE, KernelSHAP and LIME"
    )
    words: int = Field(
        128,
        ge=4,
        le=MOST_MASKS,
        description="coalitions of words; where a text has no more than this many, all of them",
    )
    cells: int = Field(7, ge=0, le=MOST_CELLS, description=CELLS)
    keep: float = Field(0.5, gt=0, lt=1, description="chance that a cell or a word is kept")
    removal: RemovalName = Field("auto", description=REMOVAL)


FIXLIP = MethodInfo(
    name="fixlip",
    title="FIxLIP",
    paper="Baniecki et al.: Explaining Similarity in Vision-Language Encoders with Weighted Banzhaf Interactions, "
    "NeurIPS 2025",
    year=2025,
    family="perturbation",
    idea="Hides cells of the picture and words of the text together. What you see is how much each place adds on the "
    "mean over the words that are kept; a further table says which place adds more because of which word.",
    assumes="The score is nearly a sum of what cells, words, and pairs of a cell and a word add.",
    fails="Pairs within the picture or within the text, and whatever needs three, are left out: read the share that is "
    "explained (R2). Half of a text may mean another thing than the text.",
    differs="Solved by the two sides' own small systems, exactly what the whole least-squares fit gives. Only pairs of "
    "a cell and a word are fitted. Short texts have every set of their words. R2 is that of unseen coalitions.",
    unit="cosine, from hidden to seen, mean over everything else",
    sides={"image": ("embeddings", "text_layers"), "text": ("embeddings", "text_layers")},
    schema=FixlipOptions,
    cost_model=lambda options, depth: Cost(pool=float(options.masks), text=1.0, text_pair=float(options.words)),
    deterministic=False,
    signed=True,
)

CARDS = (FIXLIP,)
