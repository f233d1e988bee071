"""Card of the method that asks image and text together: which places matter to which words."""

from __future__ import annotations

from pydantic import Field

from core.methods.info import MOST_CELLS, MOST_MASKS, Cost, MethodInfo, Options
from core.methods.perturbation import CELLS, REMOVAL, RemovalName, kept_share


class FixlipOptions(Options):
    """Options of FIxLIP."""

    masks: int = Field(
        512, ge=8, le=MOST_MASKS, description="coalitions of cells, shared with RISE, KernelSHAP and LIME"
    )
    words: int = Field(
        128,
        ge=4,
        le=MOST_MASKS,
        description="coalitions of words; a text with no more than this many uses all of them",
    )
    cells: int = Field(7, ge=0, le=MOST_CELLS, description=CELLS)
    keep: float = Field(0.5, gt=0, lt=1, description="probability that a cell or a word is kept")
    removal: RemovalName = Field("auto", description=REMOVAL)


FIXLIP = MethodInfo(
    name="fixlip",
    title="FIxLIP",
    paper="Baniecki et al.: Explaining Similarity in Vision-Language Encoders with Weighted Banzhaf Interactions, "
    "NeurIPS 2025",
    year=2025,
    family="perturbation",
    idea="Hides cells of the image and words of the text together. What you see is how much each region adds on "
    "average over the words that are kept; a separate table gives which region adds more because of which word.",
    assumes="The score is nearly a sum of contributions of cells, of words, and of pairs of a cell and a word.",
    fails="Interactions within the image, within the text, or of three or more parts are omitted: read the share "
    "that is explained (R²). Half of a text may have a different meaning from the whole text.",
    differs="Solved by one small system per side, which gives exactly the full least-squares fit. Only pairs of a "
    "cell and a word are fitted. For short texts every subset of the words is used. R² is computed on held-out "
    "coalitions.",
    unit="cosine, from hidden to visible, averaged over everything else",
    sides={"image": ("embeddings", "text_words"), "text": ("embeddings", "text_words")},
    schema=FixlipOptions,
    cost_model=lambda options, depth: Cost(
        pool=float(options.masks),
        # RISE and its like keep each cell with a probability of one half.
        shared=float(options.masks) if options.keep == 0.5 else 0.0,
        kept=kept_share(options.removal, options.keep),
        text=1.0,
        text_pair=float(options.words),
    ),
    deterministic=False,
    signed=True,
    efforts={"quick": {"masks": 96, "words": 32}, "standard": {"masks": 192, "words": 64}},
)

CARDS = (FIXLIP,)
