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
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from core.content.parts import Table
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import bounded, number
from core.findings.judgement import every_rule
from core.languages import day, say
from core.rules import Finding, Thresholds
from core.statistics import wilson

NAME = "detection.toml"
FILE = Path(__file__).with_name(NAME)
# On fewer models a share is printed as a count, without a rate.
FEWEST_MODELS = 10


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
    limits: dict[str, float] = Field(default_factory=dict)
    since: str = ""

    def about(self, rule: str) -> bool:
        """Whether the rule is one of those that had to find the flaw."""
        return any(fnmatchcase(rule, each) for each in self.rules)

    def absent(self, carried_out: Iterable[str]) -> tuple[str, ...]:
        """Those of its rules that an audit with these rules did not carry out."""
        rules = tuple(carried_out)
        return tuple(each for each in self.rules if not any(fnmatchcase(rule, each) for rule in rules))

    def changes(self, thresholds: Thresholds) -> str:
        """Which limits of these checks differ from those at which they were measured, and what else has changed."""
        if not self.limits:
            limits = say("limits not recorded")
        else:
            differ = [
                say("{name} {value:g}, now {now:g}", name=name, value=value, now=now)
                for name, value in self.limits.items()
                if (now := float(thresholds[name])) != value
            ]
            new = sorted(limits_needed(self) - set(self.limits))
            parts = (*differ, *(say("{name} is new", name=name) for name in new))
            limits = "; ".join(parts) or say("same limits")
        return f"{limits}; {say(self.since)}" if self.since else limits

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


def limits_needed(one: DetectionLimit) -> set[str]:
    """The names of the thresholds that the checks with this record are judged by now."""
    return {name for rule in every_rule() if one.about(rule.id) for name in rule.thresholds}


def limits_of_rule(rule: str) -> tuple[DetectionLimit, ...]:
    """The kinds of planted flaw that a rule was tested with; empty if it was not."""
    return detection_record().known([rule])


def detection_sentence(rule: str, carried_out: Iterable[str]) -> str:
    """The record of a rule in one sentence, with its name before it; empty if it was not tested."""
    told = detection_rate(rule, carried_out)
    return say("Detection rate: {told}", told=told) if told else ""


def detection_rate(rule: str, carried_out: Iterable[str]) -> str:
    """The record of a rule, of the kind of flaw that was found least; empty if it was not tested.

    What other checks of its group found counts as well: those that this audit did not carry out are named.
    """
    known = limits_of_rule(rule)
    if not known:
        return ""
    least = min(known, key=lambda one: wilson(one.found, one.planted)[0])
    among = (
        say(
            " The rate counts what this check or another of its group found; it does not show that this check alone "
            "finds such flaws."
        )
        if len(least.rules) > 1 or "*" in least.rules[0]
        else ""
    )
    absent = least.absent((rule, *carried_out))
    without = (
        say(
            " The rate includes what checks found that this audit did not carry out: {checks}.",
            checks=", ".join(absent),
        )
        if absent
        else ""
    )
    return _rate(least) + among + without


def _rate(least: DetectionLimit) -> str:
    if least.planted < FEWEST_MODELS:
        return say(
            "not known. Planted flaws of the kind \u201c{flaw}\u201d were tried on {planted} models only: found in "
            "{found}, clean models reported: {alarms}.",
            flaw=say(least.flaw),
            planted=least.planted,
            found=least.found,
            alarms=least.alarms,
        )
    return say(
        "planted flaws of the kind \u201c{flaw}\u201d were found in {recall}; clean models were reported in {alarms}.",
        flaw=say(least.flaw),
        recall=least.recall,
        alarms=least.false_alarms,
    )


DETECTION = TableSpec(
    ColumnSpec("Planted flaw", lambda row: say(row.limit.flaw), share=14),
    ColumnSpec("Checks", lambda row: row.checks, "code", 21),
    ColumnSpec("Found", lambda row: row.limit.recall, "number", 13, "of the models in which the flaw was planted"),
    ColumnSpec("False alarms", lambda row: row.limit.false_alarms, "number", 13, "of clean models"),
    ColumnSpec(
        "Weakest", lambda row: _weakest(row.limit), share=12, help="the weakest strength at which half were found"
    ),
    ColumnSpec("Measured at, now", lambda row: row.versions, share=10, help="versions of the thresholds"),
    ColumnSpec("Limits since then", lambda row: row.changes, share=17),
)


class DetectionRow(NamedTuple):
    """A row of the table: the record, its checks, the versions of the thresholds then and now, and what has changed."""

    limit: DetectionLimit
    checks: str
    versions: str
    changes: str


def detection_table(findings: Sequence[Finding], thresholds: Thresholds) -> Table | None:
    """The record of every check of this report that has one; None if none has."""
    record = detection_record()
    rules = [finding.rule for finding in findings]
    known = record.known(rules)
    if not known:
        return None
    rows = [
        DetectionRow(one, _checks(one, rules), f"v{one.thresholds}, v{thresholds.version}", one.changes(thresholds))
        for one in known
    ]
    note = say(
        "Measured on small trained models and their clean twins, with 95 % intervals (Wilson); large models may "
        "differ. This report is judged by version {judged} of the thresholds. The figures are rates on these models, "
        "not the weakest flaw that a check can find; fewer than {fewest} models give no rate. A check without a row "
        "was not tested in this way, and a rate counts what any of its checks found, also those not run in this "
        "audit. Version {version} of these figures, {measured}; evidence.zip contains them "
        "({file}).",
        judged=str(thresholds.version),
        fewest=FEWEST_MODELS,
        version=record.version,
        measured=day(record.measured),
        file=NAME,
    )
    return DETECTION.table(say("Detection rates on planted flaws"), rows, note)


def _share(part: int, whole: int) -> str:
    if whole < FEWEST_MODELS:
        return say("{part:,} of {whole:,}", part=part, whole=whole)
    low, high = wilson(part, whole)
    told = bounded(part / whole, low, high)
    return say("{part} of {whole} ({share})", part=part, whole=whole, share=told)


def _checks(one: DetectionLimit, rules: Sequence[str]) -> str:
    absent = one.absent(rules)
    return ", ".join(say("{check} (not run)", check=each) if each in absent else each for each in one.rules)


def _weakest(one: DetectionLimit) -> str:
    return say("not tested") if one.weakest is None else f"{number(one.weakest, 2)} ({say(one.scale)})"
