"""Families of tests: which p-values are adjusted together, and the sentence that a report prints about it.

The families of an application are defined in its folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.languages import say, say_count

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd


@dataclass(frozen=True)
class Family:
    """Tests whose p-values are adjusted together, by Holm's method.

    `test` names one test, `members` what its members are (the p-values are adjusted over these), and `within` the
    column whose values make families of their own, if one does; `each` names one of these values.
    """

    name: str
    test: str
    members: str
    within: str = ""
    each: str = ""

    def adjusted(self, frame: pd.DataFrame, column: str = "p") -> pd.Series:
        """The adjusted p-values of the rows of `frame`, each within its family; NaN where there is none."""
        p = frame[column].astype(float)
        if not self.within or not len(frame):
            return adjusted(p)
        return p.groupby(frame[self.within]).transform(adjusted)

    @property
    def over(self) -> str:
        """What stands in the head of a table: `Holm over methods, within each control`."""
        if not self.within:
            return say("Holm over {members}", members=say(self.members))
        return say("Holm over {members}, within each {each}", members=say(self.members), each=say(self.each))

    @property
    def title(self) -> str:
        """What one adjusted p-value is called: `sign-flip test, Holm over methods, within each control`."""
        return f"{say(self.test)}, {self.over}"

    def sentence(self, frame: pd.DataFrame, column: str = "p") -> str:
        """What a report says of the tests in `frame`: how many were made and which were adjusted together."""
        known = frame[frame[column].notna()] if len(frame) else frame
        count = len(known)
        if count == 1:
            return say("1 {test} was made, so that its p-value needs no adjustment.", test=say(self.test))
        values = {"count": count, "test": say(self.test), "members": say(self.members), "each": say(self.each)}
        if not self.within or not count:
            return say(
                "{count} {test}s were made; their p-values are adjusted by Holm's method over all {members} together.",
                **values,
            )
        return say(
            "{count} {test}s were made; their p-values are adjusted by Holm's method over {members}, within each "
            "{each} ({families}) and not across {each}s.",
            families=say_count(known[self.within].nunique(), "family", "families"),
            **values,
        )


# A method is said to be above the controls, or below one of them, for each kind of text: any of these statements can be
# wrong, so that all of their tests are one family.
CONTROLS = Family("trust.controls", "sign-flip test", "methods, controls and kinds of text")
# The same for every measure by itself: nothing is concluded from one measure about another.
MEASURES = Family("trust.measures", "sign-flip test", CONTROLS.members, within="metric", each="measure")
MODELS = Family("comparison", "sign-flip test", "methods of one compared model")
# Only pairs whose upper bound is known: without it there is no limit to test against.
PAIRS = Family("agreement.methods", "sign-flip test", "pairs of methods whose upper bound is known")


def holm(p_values: NDArray[Any]) -> NDArray[np.float64]:
    """Holm's step-down adjusted p-values for a family of tests."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    found = np.empty_like(p)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p) - rank) * p[index]))
        found[index] = running
    return found


def adjusted(p_values: pd.Series) -> pd.Series:
    """Holm's adjusted p-values of those that are known; the others stay NaN and count for nothing."""
    known = p_values.notna()
    found = pd.Series(np.nan, index=p_values.index, dtype=float)
    found[known] = holm(p_values[known].to_numpy(float))
    return found
