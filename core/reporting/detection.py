"""What a check is known to find: its record on planted flaws, printed beside each conclusion that rests on it.

The figures are data (`detection.toml`), measured once on small trained models; docs/planted.md states how.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.content.parts import Table
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import bounded, number
from core.rules import Finding
from core.statistics import wilson

NAME = "detection.toml"
FILE = Path(__file__).with_name(NAME)


class DetectionLimit(BaseModel):
    """One kind of planted flaw: in how many models it was found, and on how many clean twins it was reported."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flaw: str
    rules: tuple[str, ...] = Field(min_length=1)
    found: int = Field(ge=0)
    planted: int = Field(ge=1)
    alarms: int = Field(ge=0)
    twins: int = Field(ge=1)
    weakest: float | None = None
    scale: str = ""
    thresholds: str

    def about(self, rule: str) -> bool:
        """Whether the rule is one of those that had to find the flaw."""
        return any(fnmatchcase(rule, each) for each in self.rules)

    @property
    def recall(self) -> str:
        """Found of planted, with the 95 % interval of the share."""
        return _share(self.found, self.planted)

    @property
    def false_alarms(self) -> str:
        """Reported clean twins, with the 95 % interval of the share."""
        return _share(self.alarms, self.twins)


class DetectionRecord(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    measured: date
    limit: tuple[DetectionLimit, ...]

    def known(self, rules: Iterable[str]) -> tuple[DetectionLimit, ...]:
        """What is known about these rules, in the order of the file."""
        named = set(rules)
        return tuple(one for one in self.limit if any(one.about(rule) for rule in named))


@cache
def detection_record() -> DetectionRecord:
    """What was measured, as this version has it."""
    return read_detection(FILE.read_bytes())


def read_detection(data: bytes) -> DetectionRecord:
    """The record in the bytes of such a file. Raises `ValueError` if they are of another form."""
    try:
        return DetectionRecord.model_validate(tomllib.loads(data.decode("utf-8")))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def same_version(told: DetectionRecord) -> bool:
    """Whether figures of a bundle can be compared with those of this version of Loupe."""
    return told.version == detection_record().version


def limits_of_rule(rule: str) -> tuple[DetectionLimit, ...]:
    """The kinds of planted flaw that a rule was tested with; empty if it was not."""
    return detection_record().known([rule])


def detection_sentence(rule: str) -> str:
    """The record of a rule in one sentence, of the kind of flaw that was found least; empty if it was not tested."""
    known = limits_of_rule(rule)
    if not known:
        return ""
    least = min(known, key=lambda one: wilson(one.found, one.planted)[0])
    among = " by this check or another of its group" if len(least.rules) > 1 or "*" in least.rules[0] else ""
    return (
        f"Detection limit: planted flaws of the kind \u201c{least.flaw}\u201d were found{among} in {least.recall}; "
        f"clean models were reported in {least.false_alarms}."
    )


DETECTION = TableSpec(
    ColumnSpec("Planted flaw", "flaw", share=22),
    ColumnSpec("Checks", lambda one: ", ".join(one.rules), "code", 23),
    ColumnSpec("Found", "recall", "number", 17, "of the models in which the flaw was planted"),
    ColumnSpec("False alarms", "false_alarms", "number", 17, "of clean models"),
    ColumnSpec("Weakest", lambda one: _weakest(one), share=11, help="the weakest strength at which half were found"),
    ColumnSpec("Thresholds", lambda one: f"v{one.thresholds}", share=10),
)


def detection_table(findings: Sequence[Finding], thresholds: str) -> Table | None:
    """The record of every check of this report that has one; None if none has."""
    record = detection_record()
    rows = record.known(finding.rule for finding in findings)
    if not rows:
        return None
    note = (
        "Measured on small trained models and their clean twins, with 95 % intervals (Wilson); large models may "
        f"differ. This report is judged by version {thresholds} of the thresholds. A check without a row was not "
        f"tested in this way. Version {record.version} of these figures, {record.measured:%Y-%m-%d}; evidence.zip "
        f"contains them ({NAME})."
    )
    return DETECTION.table("Detection limits: planted flaws that the checks found", rows, note)


def _share(part: int, whole: int) -> str:
    low, high = wilson(part, whole)
    return f"{part} of {whole} ({bounded(part / whole, low, high)})"


def _weakest(one: DetectionLimit) -> str:
    return "not tested" if one.weakest is None else f"{number(one.weakest, 2)} ({one.scale})"
