"""The parts of a plan: model, texts, methods, applications, tests and what is declared. Each is bounded and clean."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from core.characters import brief, line_of
from core.errors import InputError
from core.methods import MethodInfo, method_info
from core.methods.applications import ApplicationInfo, application_info
from core.methods.info import Line
from core.runs.files import base_name
from core.settings import LIMITS

TITLE = "Audit of a vision-language model"
# Which shares of a text's words count as its best: of the paper's five those that differ for five to fifteen words.
WORD_SHARES = (0.2, 0.5)
# How else places may be hidden, when faithfulness is measured once more.
AGAIN = {"blur": "blurred", "road": "filled in from around them (ROAD)"}

TextKind = Literal["caption", "prompt", "class"]
# A path or a name of at most so many characters, exactly as it was given, and a name of one line.
Place = Annotated[str, Field(max_length=LIMITS.path_characters)]
Name = Annotated[str, Field(max_length=200), BeforeValidator(line_of)]
Title = Annotated[str, Field(max_length=LIMITS.title_characters), BeforeValidator(line_of)]
Declaration = Annotated[str, Field(max_length=LIMITS.declared_characters), BeforeValidator(line_of)]
# As large as JSON's readers keep it exactly.
MOST_SEED = 2**53 - 1
Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]


class Part(BaseModel):
    """Nothing unknown, nothing that changes, no number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelSpec(Part):
    """Which model: an embedded name, an open_clip name and tag, or a config file with local weights."""

    name: Place = "demo"
    pretrained: Place | None = None
    weights: Place | None = None
    device: Name = "auto"

    @property
    def title(self) -> str:
        """How a person names it."""
        shown = self.public()
        if shown.weights:
            return f"{shown.name} with {shown.weights}"
        return f"{shown.name} ({shown.pretrained})" if shown.pretrained else shown.name

    def public(self) -> ModelSpec:
        """A copy in which files and folders of this machine keep their name only."""
        named = base_name(self.name)
        weights = None if self.weights is None else base_name(self.weights)
        pretrained = None if self.pretrained is None else base_name(self.pretrained)
        return self.model_copy(update={"name": named, "weights": weights, "pretrained": pretrained})


class TextPlan(Part):
    """Which texts each picture is explained with.

    `captions` uses each picture's own first captions (at most `captions_each`), `prompts` are used for every
    picture, and of `classes` (scored for every picture through `templates`) the `top_classes` best are explained.
    """

    captions: bool = True
    captions_each: int = Field(1, ge=1, le=10)
    prompts: tuple[Line, ...] = ()
    classes: tuple[Line, ...] = ()
    templates: tuple[Line, ...] = ("a photo of a {}.",)
    top_classes: int = Field(1, ge=0, le=20)

    @field_validator("prompts", "classes")
    @classmethod
    def _bounded(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        if len(texts) > LIMITS.texts:
            raise ValueError(f"{len(texts):,} texts; at most {LIMITS.texts:,} are accepted")
        if not all(texts):
            raise ValueError("an empty text cannot be explained; remove it")
        total = sum(map(len, texts))
        if total > LIMITS.all_text_characters:
            raise ValueError(f"{total:,} characters; at most {LIMITS.all_text_characters:,} are accepted together")
        return texts

    @field_validator("templates")
    @classmethod
    def _has_slot(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        if not 1 <= len(templates) <= LIMITS.templates:
            raise ValueError(f"{len(templates):,} templates; from 1 to {LIMITS.templates} are accepted")
        for template in templates:
            if template.count("{}") != 1:
                raise ValueError(f"template {brief(template, 80)!r} must hold exactly one {{}}")
        return templates


class _Choice(Part):
    """One of a catalogue by name, with the options that differ from its defaults."""

    name: Name
    options: dict[str, Any] = {}

    @classmethod
    def card(cls, name: str) -> Any:
        """What the catalogue says of a name. Raises `InputError` if there is none."""
        raise NotImplementedError

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return _told(cls.card, name).name

    @field_validator("options")
    @classmethod
    def _parsed(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return _clean(cls.card, options, info)


class MethodPlan(_Choice):
    """A method by name, with the options that differ from its defaults."""

    @classmethod
    def card(cls, name: str) -> MethodInfo:
        """The method's card. Raises `InputError` if there is none."""
        return method_info(name)


class ApplicationPlan(_Choice):
    """An application by name, with the options that differ from its defaults."""

    @classmethod
    def card(cls, name: str) -> ApplicationInfo:
        """The application's card. Raises `InputError` if there is none."""
        return application_info(name)

    def files(self) -> list[tuple[str, str]]:
        """The options that name a file of this machine, with its path."""
        return [(name, self.options[name]) for name in application_info(self.name).files if self.options.get(name)]

    def public(self) -> ApplicationPlan:
        """A copy in which files of this machine keep their name only."""
        return self.model_copy(
            update={"options": self.options | {name: base_name(path) for name, path in self.files()}}
        )


class TrustPlan(Part):
    """How far the explanations are tested."""

    curves: bool = Field(True, description="whether maps and words are tested at all")
    steps: int = Field(16, ge=2, le=64, description="steps of a deletion or insertion curve")
    removal: Literal["auto", "drop", "black", "mean", "blur"] = Field(
        "auto", description="auto: hidden cells' tokens are dropped where the model allows it, otherwise mean colour"
    )
    coalitions: int = Field(
        128,
        ge=0,
        le=4096,
        description="random coalitions behind faithfulness correlation, sensitivity-n and infidelity; 0: not measured",
    )
    confidence: bool = Field(True, description="confidence drop and increase: one forward a map")
    words: bool = Field(True, description="comprehensiveness and sufficiency of words: at most four texts a method")
    again: tuple[Literal["blur", "road"], ...] = Field(
        (), description="faithfulness once more with cells blurred, or filled in from around them (ROAD)"
    )
    again_steps: int = Field(4, ge=2, le=64, description="steps of those curves; each costs a whole forward")
    resamples: int = Field(1000, ge=100, le=20_000, description="of earlier versions; no interval resamples now")


class Declared(Part):
    """What people say about the audit; printed in the report as declared, checked by nobody."""

    title: Title = TITLE
    purpose: Declaration = ""
    provenance: Declaration = ""
    licence: Declaration = ""
    preparer: Declaration = ""
    reviewer: Declaration = ""
    confidentiality: Declaration = "Internal"

    @field_validator("title")
    @classmethod
    def _never_empty(cls, title: str) -> str:
        return title or TITLE


def _told(ask: Any, *arguments: Any) -> Any:
    """What `ask` gives; what it refuses is told as a wrong value of the field."""
    try:
        return ask(*arguments)
    except InputError as error:
        raise ValueError(str(error)) from error


def _clean(info_of: Any, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    """Options that the method or application accepts; their texts are in one line, paths stay as they are."""
    if "name" not in info.data:
        return {}
    card = info_of(info.data["name"])
    _told(card.parse, options)
    exact = getattr(card, "files", ())
    return {name: value if name in exact else line_of(value) for name, value in options.items()}
