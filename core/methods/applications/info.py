"""The card of an application: what attribution is good for, over a whole data set. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.methods.capability import reason_missing
from core.methods.info import IS_FILE, OptionInfo, Options, options_of, parse_options


@dataclass(frozen=True)
class ApplicationInfo:
    """An application's card.

    `cost_model` gives image forward-equivalents a picture, or of whatever the option named in `limit` counts; that
    option, where the schema has it, says how many are worked on.
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
    limit: str = "pictures"

    @property
    def options(self) -> dict[str, OptionInfo]:
        """The options by name, with default, kind and description."""
        return options_of(self.schema)

    @property
    def files(self) -> tuple[str, ...]:
        """The options that name a file of this machine."""
        return tuple(name for name, part in self.schema.model_fields.items() if IS_FILE in part.metadata)

    def parse(self, options: Mapping[str, Any] | None = None) -> Any:
        """The validated options, defaults filled in. Raises `InputError` in one line."""
        return parse_options(self.name, self.schema, options)

    def cost(self, options: Mapping[str, Any], pictures: int) -> float:
        """Image forward-equivalents on a data set of so many pictures. Raises `InputError` for wrong options."""
        parsed = self.parse(options)
        most = getattr(parsed, self.limit, pictures)
        return (min(pictures, most) if self.limit == "pictures" else most) * self.cost_model(parsed)

    def reason(self, capabilities: Iterable[str]) -> str | None:
        """None if a model with these capabilities can serve it, otherwise why not."""
        return reason_missing(self.needs, set(capabilities))
