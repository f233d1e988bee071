"""The card of an application: what attribution is good for, over a whole data set. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.applications.sampling import images_within
from core.methods.capability import reason_missing
from core.methods.info import HOLDS_ANNOTATIONS, HOLDS_DECLARED, IS_FILE, OptionInfo, Options, options_of, parse_options
from core.rules.writing import in_words

# What an audit may give an application: the words for one and for several of it.
INPUTS = {
    "captions": ("captions", "captions of {} images"),
    "prompts": ("a prompt", "{} prompts"),
    "classes": ("a class", "{} classes"),
    "images": ("an image", "{} images"),
    "metadata": ("a column of metadata in which images differ", "{} columns of metadata in which images differ"),
    "maps": ("a selected method that makes image maps", "{} selected methods that make image maps"),
}


def _input(name: str, least: int) -> str:
    one, several = INPUTS.get(name, (f"the option {name}", ""))
    return one if least == 1 else several.format(least)


@dataclass(frozen=True)
class ApplicationInfo:
    """An application's card.

    `cost_model` gives image forward-equivalents an image, or of whatever the option named in `limit` counts; that
    option, where the schema has it, says how many are worked on. Images may also be limited by a budget of forward
    passes (`core.applications.sampling`), but not below `fewest`. `efforts` holds the options of each effort by its
    name. `embeds`: it needs the embedding of every image, which all such applications share and `cost_model` leaves
    out. `shortcuts`: it tests for what a score must not rely on. `reference`: the option that names a dataset of the
    run's reference images. `crops`: as of a method; those that methods embed are kept for it. `beside`: a
    demonstration also runs it on the models that it compares with the audited one. `inputs`: what an audit must give
    it; of each mapping, at least one input in at least that number. An input is one of `INPUTS` or an option.
    """

    name: str
    title: str
    paper: str
    year: int
    question: str
    idea: str
    assumes: str
    fails: str
    differs: str
    needs: tuple[str, ...]
    schema: type[Options]
    cost_model: Callable[[Any], float]
    limit: str = "images"
    fewest: int = 1
    efforts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    embeds: bool = False
    shortcuts: bool = False
    reference: str = ""
    crops: Callable[[Any], Mapping[str, int]] | None = None
    beside: bool = False
    inputs: tuple[Mapping[str, int], ...] = ()

    def preset(self, effort: str) -> dict[str, Any]:
        """The options of an effort that differ from the defaults; empty where the application keeps its defaults."""
        return dict(self.efforts.get(effort, {}))

    @property
    def options(self) -> dict[str, OptionInfo]:
        """The options by name, with default, kind and description."""
        return options_of(self.schema)

    @property
    def files(self) -> tuple[str, ...]:
        """The options that name a file of this machine."""
        return self._marked(IS_FILE)

    @property
    def annotations(self) -> tuple[str, ...]:
        """The options that name a file of annotations."""
        return self._marked(HOLDS_ANNOTATIONS)

    @property
    def declared(self) -> tuple[str, ...]:
        """The options that hold the concepts which an auditor declares."""
        return self._marked(HOLDS_DECLARED)

    def parse(self, options: Mapping[str, Any] | None = None) -> Any:
        """The validated options, defaults filled in. Raises `InputError` in one line."""
        return parse_options(self.name, self.schema, options)

    def cost(self, options: Mapping[str, Any], images: int) -> float:
        """Image forward-equivalents on a data set of so many images. Raises `InputError` for wrong options."""
        parsed = self.parse(options)
        return self.measured(parsed, images) * float(self.cost_model(parsed))

    def measured(self, options: Any, images: int) -> int:
        """How many of so many images are measured with parsed options, or how many of what `limit` counts."""
        if self.limit != "images":
            return int(getattr(options, self.limit, images))
        return images_within(options, self.cost_model(options), images, self.fewest)

    def reason(self, capabilities: Iterable[str]) -> str | None:
        """None if a model with these capabilities can serve it, otherwise why not."""
        return reason_missing(self.needs, set(capabilities))

    def lacks(self, given: Mapping[str, int], options: Mapping[str, Any] | None = None) -> str | None:
        """None if an audit gives it enough, otherwise what it needs. `given` counts each of `INPUTS`."""
        chosen = options or {}
        for wanted in self.inputs:
            if not any(given.get(name, 0) >= least or chosen.get(name) for name, least in wanted.items()):
                needed = in_words([_input(name, least) for name, least in wanted.items()], "or")
                return f"it needs {needed}"
        return None

    def _marked(self, mark: str) -> tuple[str, ...]:
        return tuple(name for name, part in self.schema.model_fields.items() if mark in part.metadata)
