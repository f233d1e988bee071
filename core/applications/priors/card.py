"""Card of semantic priors over a data set."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from core.applications.card import ApplicationInfo
from core.applications.sampling import MOST_FORWARDS, SAMPLE_BUDGET, Sampled
from core.methods.info import Line, OptionalFile


class PriorsOptions(Sampled):
    """Options of semantic priors over a data set."""

    forwards: int = Field(4700, ge=1, le=MOST_FORWARDS, description=SAMPLE_BUDGET)
    texts: int = Field(2, ge=1, le=20, description="maximum number of texts per image")
    regions: int = Field(
        7, ge=2, le=11, description="maximum number of regions per image; each additional one doubles the cost"
    )
    baselines: bool = Field(True, description="also divide the images into superpixels and a grid, for comparison")
    drawn: bool = Field(
        False,
        description="also divide the images into the regions drawn on them: one for each label of the dataset's "
        "annotations, and the rest of the image",
    )
    question: Line = Field("question", description="metadata column with a question about the image, if there is one")
    answer: Line = Field("answer", description="metadata column with the answer to the question")
    question_form: Line = Field(
        "Q: {question} A: {answer}", description="how question and answer become a text, with both names in braces"
    )
    removal: Literal["black", "mean", "blur"] = Field(
        "mean", description="value of a hidden pixel: black, the model's mean colour, or a blurred image"
    )
    bank: int = Field(
        200, ge=0, le=20_000, description="maximum number of the audit's texts used as caption bank; 0 omits it"
    )
    generate: bool = Field(True, description="explain generated captions where a captioning model is available")
    caption_regions: int = Field(
        5, ge=2, le=11, description="maximum number of regions of an image whose caption is explained"
    )
    caption_length: int = Field(20, ge=6, le=77, description="maximum number of tokens of a generated caption")
    captioner: OptionalFile = Field(
        None, description="a CoCa model that generates the captions; none: the audited model, if it can"
    )
    captioner_pretrained: OptionalFile = Field(None, description="pretrained tag of the captioner")
    captioner_weights: OptionalFile = Field(None, description="weights file of the captioner")
    encoder: OptionalFile = Field(
        None, description="a model whose text tower gives captions their meaning; none: the audited model"
    )
    encoder_pretrained: OptionalFile = Field(None, description="pretrained tag of the encoder")
    encoder_weights: OptionalFile = Field(None, description="weights file of the encoder")

    @field_validator("question_form")
    @classmethod
    def _names_both(cls, form: str) -> str:
        if form.count("{question}") != 1 or form.count("{answer}") != 1 or form.index("{q") > form.index("{a"):
            raise ValueError("write {question} and, behind it, {answer}, each once")
        return form


def _cost(options: PriorsOptions) -> float:
    priors = (3 if options.baselines else 1) + options.drawn
    generated = 2**options.caption_regions if options.generate and options.captioner else 0
    return float(1 + priors * 2**options.regions + (priors - options.drawn) * generated)


CARD = ApplicationInfo(
    name="priors",
    title="Semantic priors",
    paper="Cafagna, Rojas-Barahona, van Deemter, Gatt: Interpreting vision and language generative models with "
    "semantic visual priors, Frontiers in Artificial Intelligence 6:1220476",
    year=2023,
    question="Which parts of an image, as divided by the model's own features, carry the meaning that the model "
    "assigns to the whole?",
    idea="Each image is divided into the regions formed by the model's features, and every combination of regions is "
    "shown to it once. Shapley values distribute the score of a text, or the meaning of a whole caption, among the "
    "regions.",
    assumes="Regions with similar features belong together, and the model can judge an image with hidden regions.",
    fails="Small objects that share a region with their surroundings cannot be separated from them. Meaning is the "
    "embedding of a caption by the sentence encoder, which may be similar for opposite statements.",
    differs="The empty coalition is the hidden image, regions are a partition, values are exact; superpixels, a grid "
    "and token-by-token explanation are computed in addition and compared in one table.",
    needs=("embeddings",),
    inputs=({"captions": 1, "prompts": 1, "classes": 1},),
    schema=PriorsOptions,
    cost_model=_cost,
    efforts={"quick": {"forwards": 600, "regions": 5}, "standard": {"forwards": 1600, "regions": 6}},
)
