"""One application as the rest of the product sees it: its card, and its parts, each loaded when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.applications.card import ApplicationInfo

if TYPE_CHECKING:
    from pandas import DataFrame

    from core.applications.image_measures import ImageMeasure
    from core.applications.record import Record
    from core.applications.work.subject import Subject, Tell
    from core.content.context import ReportContext
    from core.content.parts import Section
    from core.content.side_by_side import SideBySide
    from core.rules.card import Rule
    from core.rules.thresholds import Thresholds
    from core.runs import Run


class Work(Protocol):
    """Computes an application and writes its record into the empty folder `out`; `tell` takes lines of progress."""

    def __call__(self, subject: Subject, options: Any, out: Path, tell: Tell, /) -> None: ...


class Chapter(Protocol):
    """The sections of the report on a run; none if the application was not computed."""

    def __call__(self, context: ReportContext, /) -> Iterable[Section]: ...


class MethodChecks(Protocol):
    """What an application that tests the methods themselves contributes to every conclusion of a report."""

    def failed(self, run: Run, thresholds: Thresholds, /) -> dict[str, str]:
        """The methods that fail, each with the reason; empty if the checks were not run."""

    def limits(self, run: Run, /) -> str:
        """What these checks do not show, in a sentence or two; empty if they were not run."""

    def reliability(self, run: Run, /) -> dict[str, float]:
        """How far each method's maps agree with themselves, from 0 to 1; only methods of which it was measured."""


class ImageFlags(Protocol):
    """Marks single images of a run as unusual."""

    def __call__(self, run: Run, /) -> Mapping[str, tuple[str, ...]]:
        """The words for each marked image, by its id; nothing where the application was not computed."""


class ImageMeasures(Protocol):
    """What an application measured of single images, for comparisons of groups; nothing if it was not computed."""

    def __call__(self, run: Run, /) -> Iterable[ImageMeasure]: ...


class LabelUse(Protocol):
    """For what an application used labels in a run, as the object of "were used for"; empty if it used none."""

    def __call__(self, run: Run, /) -> str: ...


class Population(Protocol):
    """What a spot check of a run draws from: one row for each image, with a statement that is right or wrong of it.

    Columns: `image`, `image_name`, `statement`, `band` and `kind` (together the stratum, the second of which may be
    merged with others), and `spread`, the standard deviation that is expected of right and wrong within the band.
    None where the run has no such statements.
    """

    def __call__(self, run: Run, /) -> DataFrame | None: ...


class AcrossModels(Protocol):
    """What an application measured of several models on the same images, from their runs by the model's name.

    The first run is the one that the others are compared with.
    """

    def __call__(self, runs: Mapping[str, Run], /) -> SideBySide: ...


@dataclass(frozen=True)
class Page:
    """The page in the dashboard: its title and its icon. Its file is `pages/<name>.py`."""

    title: str
    icon: str


def _no_record() -> type[Record] | None:
    return None


def _no_rules() -> tuple[Rule, ...]:
    return ()


@dataclass(frozen=True)
class Application:
    """An application. `order` sorts them wherever several are listed; `page` is None where there is none of its own.

    `method_checks` is there where the application tests the methods of the audit, `labels` where it can use labels,
    `image_measures` where it has values of single images that groups of images can be compared by,
    `image_flags` where it marks single images as unusual,
    `spot_check` where it makes a statement about each image that a person can mark as right or wrong,
    `across_models` where its figures can be set side by side for any number of models.
    """

    card: ApplicationInfo
    order: int
    work: Callable[[], Work]
    chapter: Callable[[], Chapter]
    rules: Callable[[], tuple[Rule, ...]] = _no_rules
    record: Callable[[], type[Record] | None] = _no_record
    page: Page | None = None
    method_checks: Callable[[], MethodChecks] | None = None
    labels: Callable[[], LabelUse] | None = None
    image_measures: Callable[[], ImageMeasures] | None = None
    image_flags: Callable[[], ImageFlags] | None = None
    spot_check: Callable[[], Population] | None = None
    across_models: Callable[[], AcrossModels] | None = None

    @property
    def name(self) -> str:
        """The name of the application and of its folder."""
        return self.card.name
