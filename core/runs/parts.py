"""The parts of a plan: model, texts, methods, applications, tests and what is declared. Each is bounded and clean."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from core.characters import brief, line_of
from core.errors import InputError
from core.methods import method_info
from core.methods.info import Line
from core.runs.files import base_name
from core.settings import LIMITS

TITLE = "Audit of a vision-language model"  # messages
# Which shares of a text's words count as its best: of the paper's five those that differ for five to fifteen words.
WORD_SHARES = (0.2, 0.5)
# How else places may be hidden, when faithfulness is measured once more.
AGAIN = {"blur": "blurred", "road": "filled in from their surroundings (ROAD)"}  # messages

TextKind = Literal["caption", "prompt", "class"]
# A path or a name of at most so many characters, exactly as it was given, and a name of one line.
Place = Annotated[str, Field(max_length=LIMITS.path_characters)]
Name = Annotated[str, Field(max_length=200), BeforeValidator(line_of)]
Title = Annotated[str, Field(max_length=LIMITS.title_characters), BeforeValidator(line_of)]
Declaration = Annotated[str, Field(max_length=LIMITS.declared_characters), BeforeValidator(line_of)]
# As large as JSON's readers keep it exactly.
MOST_SEED = 2**53 - 1
# No application has nearly so many.
_OPTIONS = 200
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
    """Which texts each image is explained with.

    `captions` uses each image's own first captions (at most `captions_each`), `prompts` are used for every
    image, and of `classes` (scored for every image through `templates`) the `top_classes` best are explained.
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
                raise ValueError(f"template {brief(template, 80)!r} must contain exactly one {{}}")
        return templates


class MethodPlan(Part):
    """A method by name, with the options that differ from its defaults."""

    name: Name
    options: dict[str, Any] = {}

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return _told(method_info, name).name

    @field_validator("options")
    @classmethod
    def _parsed(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "name" not in info.data:
            return {}
        _told(method_info(info.data["name"]).parse, options)
        return {name: line_of(value) for name, value in options.items()}


class ApplicationPlan(Part):
    """An application by name, with the options that differ from its defaults.

    Which applications there are, and which options each accepts, is known to the rooms above: `checked` of
    `core.applications.registry` says whether a plan can be run by this version.
    """

    name: Name
    options: dict[Name, Any] = Field({}, max_length=_OPTIONS)

    def public(self, files: Collection[str]) -> ApplicationPlan:
        """A copy in which paths keep their base name only: those of the options in `files`, and absolute ones."""
        options = {
            name: base_name(value) if isinstance(value, str) and value and (name in files or _is_path(value)) else value
            for name, value in self.options.items()
        }
        return self.model_copy(update={"options": options})

    def lines(self, files: Collection[str]) -> ApplicationPlan:
        """A copy whose texts are lines that can be printed; the paths among them stay exactly as they were given."""
        options = {
            name: value if name in files or _is_path(value) else line_of(value) for name, value in self.options.items()
        }
        return self.model_copy(update={"options": options})


class PluginPlan(Part):
    """An installed distribution that brings methods or applications of a plan."""

    distribution: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    version: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9.!+_-]+$")]


class TrustPlan(Part):
    """How far the explanations are tested."""

    curves: bool = Field(True, description="whether maps and words are evaluated at all")
    steps: int = Field(16, ge=2, le=64, description="number of steps of a deletion or insertion curve")
    removal: Literal["auto", "drop", "black", "mean", "blur"] = Field(
        "auto",
        description="auto: the tokens of hidden cells are dropped where the model supports it, otherwise mean colour",
    )
    coalitions: int = Field(
        128,
        ge=0,
        le=4096,
        description="random coalitions for faithfulness correlation, sensitivity-n and infidelity; 0: not measured",
    )
    confidence: bool = Field(True, description="confidence drop and increase: one forward pass per map")
    words: bool = Field(True, description="comprehensiveness and sufficiency of words: at most four texts per method")
    again: tuple[Literal["blur", "road"], ...] = Field(
        (), description="faithfulness measured again with cells blurred, or filled in from their surroundings (ROAD)"
    )
    again_steps: int = Field(
        4, ge=2, le=64, description="number of steps of those curves; each costs a full forward pass"
    )
    resamples: int = Field(
        1000, ge=100, le=20_000, description="used by earlier versions; no interval is resampled any more"
    )


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


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and (PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute())
