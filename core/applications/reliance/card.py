"""Card of what the scores rest on: image regions and words whose removal is measured."""

from __future__ import annotations

from pydantic import Field, field_validator

from core.applications.card import ApplicationInfo
from core.applications.declared import DeclaredOption
from core.applications.sampling import MOST_FORWARDS, SAMPLE_BUDGET, Sampled
from core.methods.info import Lines

# Fixed regions of an image that are hidden: border, four corners, background and foreground.
FIXED_REGIONS = 7
TEMPLATES = (
    "{}",
    "a photo of a {}.",
    "a picture of a {}.",
    "a close-up of a {}.",
    "there is a {} in the scene.",
    "a drawing of a {}.",
)


class RelianceOptions(Sampled):
    """Options of what the scores rest on."""

    forwards: int = Field(8000, ge=1, le=MOST_FORWARDS, description=SAMPLE_BUDGET)
    texts: int = Field(
        2,
        ge=1,
        le=10,
        description="maximum number of texts per image: first captions, top-ranked prompt, top-ranked classes",
    )
    regions: int = Field(6, ge=2, le=10, description="maximum number of regions per image")
    kinds: int = Field(
        16, ge=2, le=60, description="maximum number of kinds of regions over all images, each named by a concept"
    )
    controls: int = Field(
        1, ge=1, le=8, description="number of control positions for each hidden region; the corners share twice as many"
    )
    masks: int = Field(
        0,
        ge=0,
        le=1024,
        description="coalitions for attribution where the audit stored no map; 0: regions hidden and alone",
    )
    stickers: int = Field(1, ge=0, le=8, description="positions at which a word is pasted into each image; 0: none")
    words: int = Field(
        60, ge=0, le=400, description="maximum number of content words tested in carrier sentences; 0: none"
    )
    templates: Lines = Field(TEMPLATES, description="templates compared with those of the plan")
    sequential: bool = Field(
        True,
        description="whether images are added in batches until the verdicts are settled; false: all at once",
    )
    concepts: Lines = Field((), description="concepts by which regions may be named, in addition to the vocabulary")
    declared: DeclaredOption = Field(
        (), description="concepts that scores should or must not rest on: class | concept | expected or forbidden"
    )
    everyday: bool = Field(True, description="whether the everyday objects of WordNet are added to the vocabulary")

    @field_validator("templates")
    @classmethod
    def _have_a_slot(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        for template in templates:
            if template.count("{}") != 1:
                raise ValueError(f"template {template!r} must contain exactly one {{}}")
        return templates


def _cost(options: RelianceOptions) -> float:
    # Hidden and alone; the background alone is what is left without the foreground. Corners share their controls.
    hidden = 2 * (options.regions + FIXED_REGIONS) - 2 + options.controls * (options.regions + FIXED_REGIONS - 2)
    # Where tokens are dropped, a set costs what it keeps; about two thirds on average.
    return 2.0 + 0.67 * (hidden + options.masks) + 2.0 * options.stickers


CARD = ApplicationInfo(
    name="reliance",
    title="Drivers of the scores",
    paper="The list of unexpected dependencies follows Attributing Concept Components in CLIP (2025); typographic "
    "stickers Goh et al., Multimodal Neurons, Distill 2021; regions Cafagna et al., 2023",
    year=2026,
    question="On which part of the image, and on which words, does each score depend, and is that part related to "
    "the text?",
    idea="Parts and regions of the image are hidden and the fall of the score is measured, compared with the same "
    "shape hidden elsewhere. Regions with similar features over all images form a kind, named by the nearest "
    "concept; a kind that carries score but is unrelated to the text is unexpected. Words are removed, pasted into "
    "images, or inserted into other sentences. No labels are needed.",
    assumes="Hiding a region removes its information completely; the model understands the words by which kinds are "
    "named.",
    fails="A shortcut that the model associates with the class is named like the class: only its position reveals it "
    "(border, corner, background). Names of regions come from the model, and a weak model gives poor names. Text "
    "that is already in an image is not tested.",
    differs="Without a sparse autoencoder: concepts are regions, and the measured fall of the score is used, not an "
    "attribution.",
    needs=("embeddings",),
    inputs=({"captions": 1, "prompts": 1, "classes": 1},),
    schema=RelianceOptions,
    cost_model=_cost,
    fewest=2,
    shortcuts=True,
    efforts={"quick": {"forwards": 2500}},
)
