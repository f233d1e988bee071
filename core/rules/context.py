"""What a rule is given: the run, its summary and the thresholds, each read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from core.evaluation.summary import Summary, summarise
from core.rules.thresholds import Thresholds, thresholds_of
from core.runs import Run

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

Record = TypeVar("Record")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Context:
    """A snapshot of a run as rules and chapters read it. Made once for a judgement and its report, and passed down."""

    run: Run
    _values: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "run", self.run.snapshot())

    @classmethod
    def of(cls, run: Run, summary: Summary | None = None, thresholds: Thresholds | None = None) -> Context:
        """A context with a summary or thresholds that are there already."""
        given = {"summary": summary, "thresholds": thresholds}
        context = cls(run)
        # Where `cached_property` keeps its values.
        context.__dict__.update({name: value for name, value in given.items() if value is not None})
        return context

    @cached_property
    def summary(self) -> Summary:
        """The run's summary."""
        return summarise(self.run)

    @cached_property
    def thresholds(self) -> Thresholds:
        """The thresholds that the run is judged by."""
        return thresholds_of(self.run)

    def record(self, of_run: Callable[[Run], Record]) -> Record:
        """What `of_run` reads of the run, such as an application's record; read once."""
        return self.run.once(of_run)

    def once(self, work_out: Callable[[Context], Value]) -> Value:
        """What `work_out` makes of this context, such as a value that several rules need; worked out once."""
        if work_out not in self._values:
            self._values[work_out] = work_out(self)
        value: Value = self._values[work_out]
        return value

    def rows(self, columns: tuple[str, ...]) -> pd.DataFrame:
        """These columns of the result rows, a copy that may be changed; the files are read once."""
        return self.run.results(list(columns))
