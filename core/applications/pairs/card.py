"""Card of the check of captions against images."""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field

from core.applications.card import ApplicationInfo
from core.methods.info import Options

# Captions that fit no better than this share of unrelated pairs are counted. A lower border counts more of those that
# do not fit, so that fewer images show them, and some that do fit: of 75 images with 15 % exchanged captions, a border
# of a half shows it in 74 to 77 % of draws, one of a third in 92 to 99 % (`docs/pairs.md`).
BORDER = 1 / 3


def fraction(value: float) -> str:
    """A share as a fraction of small whole numbers, such as "1/3"."""
    return str(Fraction(value).limit_denominator(100))


class PairsOptions(Options):
    """Options of the check of captions against images."""

    captions: int = Field(1, ge=1, le=10, description="captions of each image that are tested, the first ones")


def _cost(options: PairsOptions) -> float:
    return 0.0


# Fewer images with captions give no distribution of unrelated pairs that deserves the name.
FEWEST = 8

CARD = ApplicationInfo(
    name="pairs",
    title="Captions and images",
    paper="Storey: A direct approach to false discovery rates, Journal of the Royal Statistical Society B 64, 2002; "
    "similarity scaled as in Conneau et al.: Word Translation Without Parallel Data, ICLR 2018, arXiv:1710.04087",
    year=2002,
    question="Does each caption fit its own image better than it fits the other images?",
    idea="Every caption is compared with every image. Captions and images of different pairs show which similarity "
    "arises without any relation; a pair whose own similarity is no higher than that is suspect. The share of such "
    f"pairs is estimated from how many pairs lie in the lower {fraction(1 - BORDER)} of that distribution, where pairs "
    "that belong together are rare.",
    assumes="Most captions of other images do not describe the image, and the model recognises most pairs that belong "
    "together.",
    fails="A pair that the model does not understand looks like an exchanged caption, and a caption that was exchanged "
    "between similar images looks right. The images therefore have to be inspected before a caption is called wrong.",
    differs="Similarities are standardised over the captions and over the images and averaged, because some captions "
    "are close to every image.",
    needs=("stored",),
    inputs=({"captions": FEWEST},),
    schema=PairsOptions,
    cost_model=_cost,
    embeds=True,
)
