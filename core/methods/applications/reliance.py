"""Card of what the scores rest on: places, regions and words whose removal is measured."""

from __future__ import annotations

from pydantic import Field, field_validator

from core.methods.applications.info import ApplicationInfo
from core.methods.info import MOST_PICTURES, Lines, Options

# Hidden places of a picture: ring, four corners, background and foreground.
PLACES = 7
TEMPLATES = (
    "{}",
    "a photo of a {}.",
    "a picture of a {}.",
    "a close-up of a {}.",
    "there is a {} in the scene.",
    "a drawing of a {}.",
)


class RelianceOptions(Options):
    """Options of what the scores rest on."""

    pictures: int = Field(
        24, ge=2, le=MOST_PICTURES, description="most pictures that are measured, in the order of the plan"
    )
    texts: int = Field(2, ge=1, le=10, description="most texts a picture: first captions, best prompt, top classes")
    regions: int = Field(6, ge=2, le=10, description="most regions that a picture is cut into")
    kinds: int = Field(12, ge=2, le=60, description="most kinds of regions over all pictures, each named by a concept")
    controls: int = Field(
        2, ge=1, le=8, description="how often a hidden place is compared with the same shape elsewhere"
    )
    masks: int = Field(
        48, ge=0, le=1024, description="coalitions for attribution where the audit stored no map; 0: none"
    )
    stickers: int = Field(1, ge=0, le=8, description="places at which a word is pasted into each picture; 0: none")
    words: int = Field(60, ge=0, le=400, description="most content words that are tried in carrier sentences; 0: none")
    templates: Lines = Field(TEMPLATES, description="templates that are compared with those of the plan")
    concepts: Lines = Field((), description="concepts that regions may be named by, beside the vocabulary")
    everyday: bool = Field(True, description="whether the everyday things of WordNet join the vocabulary")

    @field_validator("templates")
    @classmethod
    def _have_a_place(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        for template in templates:
            if template.count("{}") != 1:
                raise ValueError(f"template {template!r} must hold exactly one {{}}")
        return templates


def _cost(options: RelianceOptions) -> float:
    hidden = 2 * options.regions + PLACES + options.controls * (options.regions + PLACES)
    # Where tokens are dropped, a set costs what it keeps; about two thirds on average.
    return 2.0 + 0.67 * (hidden + options.masks) + 2.0 * options.stickers


CARD = ApplicationInfo(
    name="reliance",
    title="What the scores rest on",
    paper="The list of surprising reliances follows Attributing Concept Components in CLIP (2025); typographic "
    "stickers Goh et al., Multimodal Neurons, Distill 2021; regions Cafagna et al., 2023",
    year=2026,
    question="On which part of the picture, and on which words, does each score rest, and is that part about the text?",
    idea="Places and regions are hidden and the fall of the score is measured, beside the same shape hidden elsewhere. "
    "Regions that look alike over all pictures make a kind, named by the nearest concept; a kind that carries a score "
    "and has nothing to do with its text is a surprise. Words are left out, pasted into pictures, or put into other "
    "sentences. No label is needed.",
    assumes="What is hidden leaves the picture without a trace; the model knows the words that kinds are named by.",
    fails="A shortcut that the model itself takes for the class is named as the class: there only place tells (border, "
    "corner, background). Names of regions are the model's own, and a weak model names badly. Text that is already in "
    "a picture is not read.",
    differs="Without a sparse autoencoder: concepts are regions, and what counts is the measured fall, not an "
    "attribution.",
    needs=("embeddings",),
    schema=RelianceOptions,
    cost_model=_cost,
)
