"""The plan of an audit: everything that determines its results, validated, immutable and hashed."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from core.characters import brief
from core.errors import InputError, LoupeError, Refused, RunError
from core.plugins import canonical as canonical_name
from core.plugins import provided
from core.runs.parts import (
    ApplicationPlan,
    Declared,
    MethodPlan,
    ModelSpec,
    Name,
    Part,
    Place,
    PluginPlan,
    Seed,
    TextPlan,
    TrustPlan,
)
from core.sandbox import read_file
from core.settings import LIMITS

# A plan has few hundred methods and applications at most, and an option names a file only where one is known.
_PARTS, _FILES = 200, 50
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# Ids are looked up and compared; one that could be a path has no place in a plan.
Id = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


class Plan(Part):
    """The immutable plan. `digest` covers all that determines the results, not what is merely declared."""

    version: Literal[1] = 1
    dataset: Id
    dataset_root: Place
    images: tuple[Id, ...] = Field(min_length=1, max_length=LIMITS.files, description="ids of the images, in order")
    model: ModelSpec = ModelSpec()
    texts: TextPlan = TextPlan()
    methods: tuple[MethodPlan, ...] = Field(max_length=_PARTS, description="empty: only applications are run")
    applications: tuple[ApplicationPlan, ...] = Field(
        (), max_length=_PARTS, description="run over all images after they have been explained"
    )
    plugins: tuple[PluginPlan, ...] = Field(
        (), max_length=_PARTS, description="installed distributions that bring methods or applications of this plan"
    )
    trust: TrustPlan = TrustPlan()
    seed: Seed = 0
    shard: int = Field(2, ge=1, le=64, description="images per unit")
    thresholds: Digest | Literal[""] = Field(
        "", description="SHA-256 of the thresholds file by which the run is judged; empty: the built-in file"
    )
    files: dict[Name, Digest] = Field(
        {}, max_length=_FILES, description="SHA-256 of each file named by an option, by application.option"
    )
    declared: Declared = Declared()

    @field_validator("images")
    @classmethod
    def _different(cls, images: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(images)) < len(images):
            raise ValueError("an image appears twice in the plan")
        return images

    @field_validator("methods", "applications")
    @classmethod
    def _once(cls, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [part.name for part in parts]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} appears twice in the plan")
        return parts

    @model_validator(mode="before")
    @classmethod
    def _installed(cls, parts: Any) -> Any:
        """Name a plug-in that is not there before its methods are called unknown."""
        named = parts.get("plugins") if isinstance(parts, dict) else None
        for part in named if isinstance(named, list) else ():
            wanted = part.get("distribution") if isinstance(part, dict) else None
            if isinstance(wanted, str) and canonical_name(wanted) not in provided():
                told = brief(f"{wanted} {part.get('version', '')}".strip(), 120)
                raise ValueError(f"it needs the plug-in {told}, which is not installed here, or not allowed")
        return parts

    @model_validator(mode="after")
    def _something_to_do(self) -> Plan:
        if not self.methods and not self.applications:
            raise ValueError("methods: the plan has neither a method nor an application")
        return self

    @model_validator(mode="after")
    def _printable(self) -> Plan:
        parts = tuple(part.lines(self.file_options(part.name)) for part in self.applications)
        if parts != self.applications:
            object.__setattr__(self, "applications", parts)
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the plan without its declared part and without where files lie, as 64 hex digits."""
        free = {"declared", "dataset_root", *(name for name in ("files", "plugins") if not getattr(self, name))}
        return hashlib.sha256(canonical(self.public().model_dump(mode="json", exclude=free))).hexdigest()

    def public(self) -> Plan:
        """A copy with nothing of this machine in it: files keep their name only, the dataset has no place.

        It has the plan's digest, and is what leaves the machine in reports and bundles.
        """
        parts = tuple(part.public(self.file_options(part.name)) for part in self.applications)
        return self.model_copy(update={"dataset_root": "", "model": self.model.public(), "applications": parts})

    def file_options(self, application: str) -> tuple[str, ...]:
        """The options of an application that name a file of this machine, by `files`."""
        prefix = f"{application}."
        return tuple(name.removeprefix(prefix) for name in self.files if name.startswith(prefix))

    def shards(self) -> list[tuple[str, ...]]:
        """The image ids of each unit, in order."""
        return [self.images[start : start + self.shard] for start in range(0, len(self.images), self.shard)]

    def save(self, path: Path) -> None:
        """Write the plan as JSON."""
        body = json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False)
        path.write_text(body + "\n", encoding="utf-8")


def make_plan(**parts: Any) -> Plan:
    """A validated plan; units hold one image each up to 200 images, then more, unless `shard` says otherwise.

    Raises `InputError` in one line that names the part and what is wrong.
    """
    parts.setdefault("shard", max(1, min(32, len(parts.get("images", ())) // 100)))
    try:
        return Plan(**parts)
    except ValidationError as error:
        raise InputError(f"plan: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong with a value, and where, in one line."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = brief(".".join(str(part) for part in first["loc"]), 80)
    told = brief(first["msg"].removeprefix("Value error, "), 400)
    return f"{where}: {told}" if where else told


def load_plan(path: Path) -> Plan:
    """Read a plan. Raises `RunError` in one line if it is missing, too large, damaged or of another version."""
    if not os.path.lexists(path):
        raise RunError(f"{path.parent} is not a run directory: it has no {path.name}")
    try:
        data = read_file(path, LIMITS.plan_bytes)
    except Refused as refused:
        raise RunError(f"{path} {refused}") from refused
    try:
        return parse_plan(data)
    except LoupeError as error:
        raise RunError(f"{path} is damaged or from another version: {error}") from error


def parse_plan(data: bytes) -> Plan:
    """The plan in the bytes of a file. Raises `InputError` in one line that says what is wrong with it."""
    if len(data) > LIMITS.plan_bytes:
        raise InputError(f"it has more than {LIMITS.plan_bytes:,} bytes")
    try:
        content = json.loads(data.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_no_constant)
        return Plan.model_validate(content)
    except ValidationError as error:
        raise InputError(first_problem(error)) from error
    except RecursionError as error:
        raise InputError("it is nested too deeply") from error
    except ValueError as error:
        raise InputError(f"it is not valid JSON ({brief(str(error), 120)})") from error


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{brief(name, 40)!r} appears twice in it")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, for hashing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
