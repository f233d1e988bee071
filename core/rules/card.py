"""The card of a rule, and what its measure returns. `judge` makes findings of the two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.rules.context import Context
from core.rules.finding import Number, Sample, Status, Subject
from core.rules.power import Against


@dataclass(frozen=True)
class Wording:
    """Title and condition of one kind of outcome. Names in braces are filled from the outcome's `values`."""

    title: str
    condition: str


@dataclass(frozen=True)
class Outcome:
    """What a measure saw.

    verdict: "finding" where the criterion is shown to be missed, "passed" where it is shown to hold, otherwise
        "cannot_conclude".
    wording: which wording of the rule's card says it; the verdict's own by default.
    values: what fills the braces of the card's texts.
    n, unit: how many independent units the verdict rests on, and what they are: the card's unit by default.
    likelihood: the share, from 0 to 1, of those units that the finding concerns; with the impact it gives the severity.
    against: the limit that the first piece of evidence is compared with; where nothing could be concluded, the effect
        that would have been seen and the number of units that would decide are stated from it.
    part: tells apart several outcomes of one rule; it is appended to the finding's id.
    """

    verdict: Status
    n: int = 0
    unit: str = ""
    likelihood: float = 0.0
    wording: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[Number, ...] = ()
    samples: tuple[Sample, ...] = ()
    counter: tuple[Sample, ...] = ()
    against: Against | None = None
    part: str = ""


class Measure(Protocol):
    """Measures what a rule asks. Nothing is returned where the question does not arise in this run."""

    def __call__(self, context: Context, /) -> Iterable[Outcome]: ...


@dataclass(frozen=True)
class Rule:
    """A rule as a reader sees it. All its texts are here; its measure returns numbers and samples only.

    criterion, cause, effect, recommendation, samples, counter: may hold names in braces, filled from the last part of
        each threshold's name and from the outcome's `values`; `{least:.0%}` formats as Python does.
    thresholds: dotted names of values of the thresholds file that the criterion rests on.
        The weight of a finding, from 0 to 1, is there too: `impact.` and the rule's id.
    wordings: by verdict, or by the name an outcome gives.
    unit: the independent units that n counts ("images", "texts", "sentences"...).
    view: the view of its application's page that shows what it found; empty where the page opens with it.
    english: whether it rests on lists of English words or on WordNet, and means nothing for texts in other languages.
    """

    id: str
    subject: Subject
    question: str
    criterion: str
    measure: Measure
    wordings: Mapping[str, Wording]
    thresholds: tuple[str, ...] = ()
    unit: str = "images"
    cause: str = ""
    effect: str = ""
    recommendation: str = ""
    samples: str = ""
    counter: str = ""
    reproduce: str = "python -m core reproduce RUN"
    view: str = ""
    english: bool = False
