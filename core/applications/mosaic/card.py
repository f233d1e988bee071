"""Card of the mosaic pointing game on the audit's own images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.applications.card import ApplicationInfo
from core.methods.info import MOST_IMAGES, Options
from core.statistics import FEWEST

# What the methods that fit in the default budget need for one mosaic of an image's cost, in image forwards.
FORWARDS = 300.0


class MosaicOptions(Options):
    """Options of the mosaic pointing game."""

    mosaics: int = Field(
        12, ge=1, le=MOST_IMAGES, description="number of mosaics; their images are drawn with the seed"
    )
    tiles: int = Field(4, ge=2, le=4, description="images per mosaic; with three the last quarter stays grey")
    side: int = Field(448, ge=64, le=2048, description="side of a mosaic in pixels, before the model's own resizing")
    budget: float = Field(
        1200,
        gt=0,
        le=1_000_000_000,
        description="image forward passes available to a method; a more expensive one is run on fewer mosaics",
    )
    effort: Literal["quick", "planned"] = Field(
        "quick", description="quick: methods run with inexpensive settings; planned: with those of the audit"
    )


def _cost(options: MosaicOptions) -> float:
    return FORWARDS


CARD = ApplicationInfo(
    name="mosaic",
    title="Mosaic pointing game",
    paper="Boehle, Fritz, Schiele: Convolutional Dynamic Alignment Networks for Interpretable Classifications, "
    "CVPR 2021, arXiv:2104.00032",
    year=2021,
    question="In a mosaic of the audit's own images, does the map of a text lie on the image that the text belongs to?",
    idea="Up to four images are arranged side by side and explained with the text of each. The correct tile is known "
    "by construction, so that no drawn object is needed.",
    assumes="A text belongs to its own image and to no other image of the mosaic.",
    fails="Mosaics have borders and several scenes, unlike training images. Texts that match two tiles count as "
    "misses; a map that finds the tile may still mark the wrong object in it.",
    differs="Images and texts are those of the audit, not those on which a classifier is most confident, and the "
    "texts of one mosaic differ.",
    needs=("embeddings",),
    inputs=({"maps": 1}, {"captions": 2, "prompts": 2, "classes": 2}),
    schema=MosaicOptions,
    cost_model=_cost,
    limit="mosaics",
    efforts={"quick": {"mosaics": FEWEST, "budget": 350}},
)
