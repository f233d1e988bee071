"""The card of a method and the model of its options and cost."""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.characters import brief, line_of
from core.errors import InputError
from core.methods.capability import reason_missing
from core.settings import LIMITS

Side = Literal["image", "text"]
# Marks an option that is the path of a file: only its name may leave this machine.
IS_FILE = "a file of this machine"
OptionalFile = Annotated[str | None, IS_FILE, Field(max_length=LIMITS.path_characters)]
FileOption = Annotated[str, IS_FILE, Field(max_length=LIMITS.path_characters)]
HOLDS_ANNOTATIONS = "a file of annotations in COCO's form"
HOLDS_DECLARED = "concepts that an auditor declares"
AnnotationsOption = Annotated[str, IS_FILE, HOLDS_ANNOTATIONS, Field(max_length=LIMITS.path_characters)]
# A text of one line, and a list of them, as every option of a method or an application holds them.
Line = Annotated[str, Field(max_length=LIMITS.text_characters), BeforeValidator(line_of)]
OptionalLine = Annotated[Line | None, Field()]
Lines = Annotated[tuple[Line, ...], Field(max_length=LIMITS.concepts)]
# What an option may ask for at most: random masks, blocks of a tower, cells a side, samples or steps, images.
MOST_MASKS, MOST_LAYERS, MOST_CELLS, MOST_SAMPLES, MOST_IMAGES = 65_536, 1_000, 64, 1_000, LIMITS.files
Card = TypeVar("Card")


class Options(BaseModel):
    """The options of a method: typed, bounded, with a description each. Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class OptionInfo:
    """One option as a person sees it."""

    name: str
    default: Any
    kind: str
    description: str


@dataclass(frozen=True)
class Cost:
    """What a method costs, in forward-equivalents: one plain forward of the image (or text) tower counts 1.

    A backward pass counts as two forwards. `image` is paid once an image, `pair` once an (image, text) pair and
    `text` once a text (in text-tower forwards); `pool` is the number of masked images an image needs. Methods of one
    audit share the first `shared` of them; where tokens are dropped, each costs `kept` of a forward (1: as a whole).
    """

    image: float = 0.0
    pair: float = 0.0
    text: float = 0.0
    text_pair: float = 0.0
    pool: float = 0.0
    shared: float = 0.0
    kept: float = 1.0

    def total(self, images: int, texts: int) -> float:
        """Image forward-equivalents for `images` images explained with `texts` texts each."""
        return images * (self.image + self.pool + texts * self.pair)

    def total_text(self, images: int, texts: int) -> float:
        """Text forward-equivalents, likewise."""
        return texts * self.text + images * texts * self.text_pair


@dataclass(frozen=True)
class MethodInfo:
    """A method's card: everything about it that can be known without running it.

    A method that is `opt_in` runs only where it is asked for by name; "all methods" leaves it out. `notice` is what
    people must read before they choose it, and is shown wherever it is offered.

    Traits let other parts of an audit choose methods without naming them. `additive`: the values of a map are the terms
    of a sum that stands for the score. `needs_context`: the method may ask for the spread of each channel over the
    audited images. `representative`: it stands for its family where only a few methods are run. `removal_rank`: 1 for
    the first choice among methods whose map rests on hidden parts of the image, 0 for all others. `efforts` holds the
    options of each effort that differ from the defaults, `coarse` those below the quick effort, for checks that run a
    method many times per image. `misfits` tells which sides' towers, of given depths, lack the block that the options
    name. `crops` tells the crops of each image that the options ask for and that an audit embeds once for all who ask,
    as number by name of the grid. `module` is the module that computes the maps, where a plug-in brings the method.
    """

    name: str
    title: str
    paper: str
    year: int
    family: str
    idea: str
    assumes: str
    fails: str
    differs: str
    unit: str
    sides: Mapping[Side, tuple[str, ...]]
    schema: type[Options]
    cost_model: Callable[[Any, int], Cost]
    deterministic: bool = True
    label_set: bool = False
    text_free: bool = False  # its maps are the same for every text
    own_scale: str = ""  # why the maps of two texts cannot be subtracted; empty where they can
    paper_exact: bool = False
    signed: bool = False
    templates: tuple[str, ...] = field(default=())
    opt_in: bool = False
    notice: str = ""
    additive: bool = False
    needs_context: bool = False
    representative: bool = False
    removal_rank: int = 0
    efforts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    coarse: Mapping[str, Any] = field(default_factory=dict)
    misfits: Callable[[Any, Mapping[Side, int]], Mapping[Side, str]] | None = None
    crops: Callable[[Any], Mapping[str, int]] | None = None
    module: str = ""

    @property
    def needs(self) -> frozenset[str]:
        """Every capability that any side of the method needs."""
        return frozenset(need for needs in self.sides.values() for need in needs)

    @property
    def options(self) -> dict[str, OptionInfo]:
        """The options by name, with default, kind and description."""
        return options_of(self.schema)

    def parse(self, options: Mapping[str, Any] | None = None) -> Any:
        """The validated options, defaults filled in. Raises `InputError` in one line."""
        return parse_options(self.name, self.schema, options)

    def preset(self, effort: str) -> dict[str, Any]:
        """The options of an effort that differ from the defaults; empty where the method keeps its defaults."""
        return dict(self.efforts.get(effort, {}))

    def cost(self, options: Mapping[str, Any] | None = None, depth: int = 12) -> Cost:
        """The cost in forward-equivalents on a tower of `depth` blocks."""
        return self.cost_model(self.parse(options), depth)

    def reasons(self, capabilities: Iterable[str]) -> dict[Side, str | None]:
        """For each side, None if a model with these capabilities can serve it, otherwise why not."""
        offered = set(capabilities)
        return {side: reason_missing(needs, offered) for side, needs in self.sides.items()}

    def unfit(self, options: Any, depths: Mapping[Side, int]) -> dict[Side, str]:
        """The sides whose tower lacks the block that the parsed options name, each with one line that says why."""
        return {} if self.misfits is None else dict(self.misfits(options, depths))


def options_of(schema: type[Options]) -> dict[str, OptionInfo]:
    """The options of a method or an application by name."""
    found = {}
    for name, part in schema.model_fields.items():
        found[name] = OptionInfo(
            name, part.get_default(call_default_factory=True), _kind(part.annotation), part.description or ""
        )
    return found


def _kind(annotation: Any) -> str:
    """A type as a person reads it, without its bounds."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(parts[0])
    if origin in (Union, types.UnionType):
        return " | ".join(_kind(part) for part in parts)
    if origin is tuple:
        return f"tuple[{_kind(parts[0])}, ...]"
    if annotation is type(None):
        return "None"
    return str(annotation) if origin else str(getattr(annotation, "__name__", annotation))


def parse_options(name: str, schema: type[Options], options: Mapping[str, Any] | None) -> Any:
    """The validated options of `name`, defaults filled in. Raises `InputError` in one line."""
    try:
        return schema(**dict(options or {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = brief(".".join(str(part) for part in first["loc"]), 80)
        known = ", ".join(schema.model_fields) or "none"
        raise InputError(f"{name}: option {where!r}: {brief(first['msg'])} (its options: {known})") from error


def named(cards: Mapping[str, Card], name: str, kind: str) -> Card:
    """The card called `name`. Raises `InputError` naming the nearest known ones; `kind` says what they are."""
    if name in cards:
        return cards[name]
    asked = brief(name, 80)
    near = difflib.get_close_matches(asked, cards, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(cards)}"
    raise InputError(f"no {kind} is called {asked!r}; {hint}")
