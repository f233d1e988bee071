"""The plan of an audit: everything that determines its results, validated, immutable and hashed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.errors import InputError, RunError
from core.methods import method_info
from core.methods.applications import application_info
from core.runs.files import base_name, file_digest
from core.settings import LIMITS

# Which shares of a text's words count as its best: of the paper's five those that differ for five to fifteen words.
WORD_SHARES = (0.2, 0.5)
# How else places may be hidden, when faithfulness is measured once more.
AGAIN = {"blur": "blurred", "road": "filled in from around them (ROAD)"}

# What a model of the hub is named by; its owner and repository are no folders.
HUB = "hf-hub:"

TextKind = Literal["caption", "prompt", "class"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSpec(_Part):
    """Which model: an embedded name, an open_clip name and tag, or a config file with local weights."""

    name: str = "demo"
    pretrained: str | None = None
    weights: str | None = None
    device: str = "auto"

    @property
    def title(self) -> str:
        """How a person names it."""
        shown = self.public()
        if shown.weights:
            return f"{shown.name} with {shown.weights}"
        return f"{shown.name} ({shown.pretrained})" if shown.pretrained else shown.name

    def public(self) -> ModelSpec:
        """A copy in which files and folders of this machine keep their name only."""
        named = self.name if self.name.startswith(HUB) else base_name(self.name)
        weights = None if self.weights is None else base_name(self.weights)
        pretrained = None if self.pretrained is None else base_name(self.pretrained)
        return self.model_copy(update={"name": named, "weights": weights, "pretrained": pretrained})


class TextPlan(_Part):
    """Which texts each picture is explained with.

    `captions` uses each picture's own first captions (at most `captions_each`), `prompts` are used for every
    picture, and of `classes` (scored for every picture through `templates`) the `top_classes` best are explained.
    """

    captions: bool = True
    captions_each: int = Field(1, ge=1, le=10)
    prompts: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    templates: tuple[str, ...] = ("a photo of a {}.",)
    top_classes: int = Field(1, ge=0, le=20)

    @field_validator("prompts", "classes")
    @classmethod
    def _bounded(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        if len(texts) > LIMITS.texts:
            raise ValueError(f"{len(texts)} texts; at most {LIMITS.texts} are accepted")
        for text in texts:
            if not text.strip():
                raise ValueError("an empty text can't be explained; remove it")
            if len(text) > LIMITS.text_characters:
                raise ValueError(f"a text has {len(text)} characters; at most {LIMITS.text_characters} are accepted")
        return texts

    @field_validator("templates")
    @classmethod
    def _has_slot(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        for template in templates:
            if template.count("{}") != 1:
                raise ValueError(f"template {template!r} must hold exactly one {{}}")
        return templates


class MethodPlan(_Part):
    """A method by name, with the options that differ from its defaults."""

    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _known(self) -> MethodPlan:
        try:
            method_info(self.name).parse(self.options)
        except InputError as error:
            raise ValueError(str(error)) from error
        return self


class ApplicationPlan(_Part):
    """An application by name, with the options that differ from its defaults."""

    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _known(self) -> ApplicationPlan:
        try:
            application_info(self.name).parse(self.options)
        except InputError as error:
            raise ValueError(str(error)) from error
        return self

    def files(self) -> list[tuple[str, str]]:
        """The options that name a file of this machine, with its path."""
        return [(name, self.options[name]) for name in application_info(self.name).files if self.options.get(name)]

    def public(self) -> ApplicationPlan:
        """A copy in which files of this machine keep their name only."""
        return self.model_copy(
            update={"options": self.options | {name: base_name(path) for name, path in self.files()}}
        )


class TrustPlan(_Part):
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
    resamples: int = Field(1000, ge=100, le=20_000, description="bootstrap resamples over images")


class Declared(_Part):
    """What people say about the audit; printed in the report as declared, checked by nobody."""

    title: str = "Audit of a vision-language model"
    purpose: str = ""
    provenance: str = ""
    licence: str = ""
    preparer: str = ""
    reviewer: str = ""
    confidentiality: str = "Internal"


class Plan(_Part):
    """The immutable plan. `digest` covers all that determines the results, not what is merely declared."""

    version: Literal[1] = 1
    dataset: str
    dataset_root: str
    images: tuple[str, ...] = Field(min_length=1, description="ids of the pictures, in order")
    model: ModelSpec = ModelSpec()
    texts: TextPlan = TextPlan()
    methods: tuple[MethodPlan, ...] = Field(description="empty: only applications are run")
    applications: tuple[ApplicationPlan, ...] = Field((), description="run over all pictures once they are explained")
    trust: TrustPlan = TrustPlan()
    seed: int = Field(0, ge=0)
    shard: int = Field(2, ge=1, le=64, description="pictures a unit")
    thresholds: str = Field("", description="SHA-256 of the thresholds file that judges the run; empty: the built-in")
    files: dict[str, str] = Field({}, description="SHA-256 of each file that an option names, by application.option")
    declared: Declared = Declared()

    @field_validator("methods", "applications")
    @classmethod
    def _once(cls, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [part.name for part in parts]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} is planned twice")
        return parts

    @model_validator(mode="after")
    def _something_to_do(self) -> Plan:
        if not self.methods and not self.applications:
            raise ValueError("methods: there is neither a method nor an application")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the plan without its declared part and without where files lie, as 64 hex digits."""
        free = {"declared", "dataset_root"} if self.files else {"declared", "dataset_root", "files"}
        return hashlib.sha256(canonical(self.public().model_dump(mode="json", exclude=free))).hexdigest()

    def public(self) -> Plan:
        """A copy with nothing of this machine in it: files keep their name only, the data set has no place.

        It has the plan's digest, and is what leaves the machine in reports and bundles.
        """
        parts = tuple(part.public() for part in self.applications)
        return self.model_copy(update={"dataset_root": "", "model": self.model.public(), "applications": parts})

    @property
    def resampling(self) -> dict[str, int]:
        """Resamples and seed of every interval, as keyword arguments."""
        return {"resamples": self.trust.resamples, "seed": self.seed}

    def shards(self) -> list[tuple[str, ...]]:
        """The picture ids of each unit, in order."""
        return [self.images[start : start + self.shard] for start in range(0, len(self.images), self.shard)]

    def save(self, path: Path) -> None:
        """Write the plan as JSON."""
        path.write_text(json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def make_plan(**parts: Any) -> Plan:
    """A validated plan; units hold one picture each up to 200 pictures, then more, unless `shard` says otherwise.

    Raises `InputError` in one line that names the part and what is wrong.
    """
    parts.setdefault("shard", max(1, min(32, len(parts.get("images", ())) // 100)))
    try:
        return _with_files(Plan(**parts))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        told = first["msg"].removeprefix("Value error, ")
        raise InputError(f"plan: {where}: {told}" if where else f"plan: {told}") from error


def _with_files(plan: Plan) -> Plan:
    """The plan with the hashes of the files that its options name. Raises `InputError` if one isn't what it was."""
    found = dict(plan.files)
    for part in plan.applications:
        for option, path in part.files():
            name = f"{part.name}.{option}"
            digest = file_digest(path)
            if digest and found.setdefault(name, digest) != digest:
                raise InputError(f"plan: {base_name(path)} ({name}) is not the file that the plan was made with")
    return plan.model_copy(update={"files": found})


def load_plan(path: Path) -> Plan:
    """Read a plan. Raises `RunError` if it is missing or damaged."""
    try:
        return Plan.model_validate_json(path.read_text())
    except FileNotFoundError as error:
        raise RunError(f"{path.parent} is no run directory: it has no {path.name}") from error
    except ValidationError as error:
        raise RunError(f"{path} is damaged or of another version: {error.errors()[0]['msg']}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} can't be read: {error}") from error


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, for hashing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
