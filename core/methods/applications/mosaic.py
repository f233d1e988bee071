"""Card of the mosaic pointing game on the audit's own pictures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.applications.info import ApplicationInfo
from core.methods.info import MOST_PICTURES, Options

# What the methods that fit in the default budget need for one mosaic of a picture's cost, in image forwards.
FORWARDS = 300.0


class MosaicOptions(Options):
    """Options of the mosaic pointing game."""

    mosaics: int = Field(
        12, ge=1, le=MOST_PICTURES, description="how many mosaics are made; their pictures are drawn with the seed"
    )
    tiles: int = Field(4, ge=2, le=4, description="pictures a mosaic; of three the last quarter stays grey")
    side: int = Field(448, ge=64, le=2048, description="side of a mosaic in pixels, before the model's own resizing")
    budget: float = Field(
        1200,
        gt=0,
        le=1_000_000_000,
        description="image forwards that a method may spend; a dearer one is run on fewer mosaics",
    )
    effort: Literal["quick", "planned"] = Field(
        "quick", description="quick: methods run with cheap settings; planned: with those of the audit"
    )


def _cost(options: MosaicOptions) -> float:
    return FORWARDS


CARD = ApplicationInfo(
    name="mosaic",
    title="Mosaic pointing game",
    paper="Boehle, Fritz, Schiele: Convolutional Dynamic Alignment Networks for Interpretable Classifications, "
    "CVPR 2021, arXiv:2104.00032",
    year=2021,
    question="In a mosaic of the audit's own pictures, does a text's map lie on the picture that the text belongs to?",
    idea="Up to four pictures are set side by side and explained with the text of each. Which tile is right is known "
    "because it was put there, so that no drawn object is needed.",
    assumes="A text belongs to its own picture and to no other of the mosaic.",
    fails="Mosaics have borders and several scenes, which training pictures haven't. Texts that fit two tiles count as "
    "misses; a map that finds the tile may still mark the wrong thing in it.",
    differs="Pictures and texts are the audit's own, not those that a classifier is surest of, and the texts of one "
    "mosaic differ.",
    needs=("embeddings",),
    schema=MosaicOptions,
    cost_model=_cost,
    limit="mosaics",
)
