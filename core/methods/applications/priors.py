"""Card of semantic priors over a data set."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.applications.info import ApplicationInfo
from core.methods.info import MOST_PICTURES, OptionalFile, Options


class PriorsOptions(Options):
    """Options of semantic priors over a data set."""

    pictures: int = Field(12, ge=1, le=MOST_PICTURES, description="most pictures that are explained")
    texts: int = Field(2, ge=1, le=20, description="most texts a picture is explained with")
    regions: int = Field(7, ge=2, le=11, description="most regions of a picture; each more doubles the cost")
    baselines: bool = Field(True, description="also cut the pictures into superpixels and a grid, to compare")
    removal: Literal["black", "mean", "blur"] = Field(
        "mean", description="what a hidden pixel becomes: black, the model's mean colour, or a blurred picture"
    )
    bank: int = Field(
        200, ge=0, le=20_000, description="most of the audit's texts that serve as caption bank; 0 leaves it out"
    )
    generate: bool = Field(True, description="explain generated captions where a model that writes captions is at hand")
    caption_regions: int = Field(5, ge=2, le=11, description="most regions of a picture whose caption is explained")
    caption_length: int = Field(20, ge=6, le=77, description="most tokens of a generated caption")
    captioner: OptionalFile = Field(
        None, description="a CoCa model that writes the captions; none takes the audited model if it writes any"
    )
    captioner_pretrained: OptionalFile = Field(None, description="the captioner's pretrained tag")
    captioner_weights: OptionalFile = Field(None, description="the captioner's file of weights")
    encoder: OptionalFile = Field(
        None, description="a model whose text tower gives captions their meaning; none takes the audited model's"
    )
    encoder_pretrained: OptionalFile = Field(None, description="the encoder's pretrained tag")
    encoder_weights: OptionalFile = Field(None, description="the encoder's file of weights")


def _cost(options: PriorsOptions) -> float:
    priors = 3 if options.baselines else 1
    generated = 2**options.caption_regions if options.generate and options.captioner else 0
    return float(1 + priors * (2**options.regions + generated))


CARD = ApplicationInfo(
    name="priors",
    title="Semantic priors",
    paper="Cafagna, Rojas-Barahona, van Deemter, Gatt: Interpreting vision and language generative models with "
    "semantic visual priors, Frontiers in Artificial Intelligence 6:1220476",
    year=2023,
    question="Which parts of a picture, as the model itself divides it, carry what it says as a whole?",
    idea="Each picture is cut into the regions that the model's features form, and every combination of regions is "
    "shown to it once. Shapley values share the score of a text, or the meaning of a whole caption, among the regions.",
    assumes="Regions of like features belong together, and a picture with hidden regions can still be judged.",
    fails="Small objects that share a region with their surroundings can't be told from them. Meaning is what the "
    "sentence encoder makes of a caption: it may call opposite statements alike.",
    differs="The empty coalition is the hidden picture, regions are a partition, values are exact; superpixels, a grid "
    "and token-by-token explanation are computed beside it and compared in one table.",
    needs=("embeddings",),
    schema=PriorsOptions,
    cost_model=_cost,
)
