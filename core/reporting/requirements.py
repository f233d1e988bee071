"""Which requirements of laws and standards the findings of an audit support evidence for.

Each framework is a file in `frameworks/`; another one is added by adding a file. A requirement names the rules that
bear on it, or the declarations. What a report may say of it follows from the outcomes of these rules and from whether
something was declared, and never that it is complied with.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from core.content.parts import Section
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import plural
from core.errors import InputError
from core.findings.judgement import every_rule
from core.reporting.letters import LETTERS
from core.rules import Finding
from core.runs.parts import Declared

FOLDER = Path(__file__).parent / "frameworks"
State = Literal["supported", "in part", "unknown", "not addressed"]
STATES: dict[State, str] = {
    "supported": "supports evidence for it",
    "in part": "supports evidence for part of it",
    "unknown": "unknown",
    "not addressed": "not addressed",
}


class Requirement(BaseModel):
    """A requirement in a paraphrase, the rules that bear on it (`data.*`: all of a kind), and what they leave out.

    declared: the declarations of the plan that it needs as well. Nobody checks them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    paraphrase: str
    rules: tuple[str, ...]
    limits: str
    declared: tuple[Literal["purpose", "provenance", "licence", "preparer", "reviewer"], ...] = ()


class Framework(BaseModel):
    """A law or a standard: where its text is, and when that was last checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    edition: str
    source: str
    checked: date
    note: str
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True)
class Coverage:
    """A requirement with the number of outcomes that bear on it: findings, passed and inconclusive checks.

    missing: the declarations that it needs and the plan lacks. absent: checks that bear on it and were not carried out.
    """

    requirement: Requirement
    findings: int
    passed: int
    inconclusive: int
    missing: tuple[str, ...] = ()
    absent: int = 0

    @property
    def state(self) -> State:
        """Supported where every check that bears on it was carried out and decided; unknown where none was decided.

        A declaration supports a requirement in part, because it was not checked; a missing one leaves it unknown.
        """
        given = len(self.requirement.declared) - len(self.missing)
        if not self.requirement.rules and not self.requirement.declared:
            return "not addressed"
        if not self.findings + self.passed + given:
            return "unknown"
        partial = self.inconclusive or self.absent or self.requirement.declared
        return "in part" if partial else "supported"

    @property
    def outcomes(self) -> str:
        """The outcomes in words."""
        if not self.requirement.rules and not self.requirement.declared:
            return "no check of this audit bears on it"
        parts = (
            plural(self.findings, "finding") if self.findings else "",
            f"{self.passed} passed" if self.passed else "",
            f"{self.inconclusive} inconclusive" if self.inconclusive else "",
            f"{self.absent} not carried out" if self.absent and self.findings + self.passed + self.inconclusive else "",
            *(
                f"{name} {'not declared' if name in self.missing else 'declared, not checked'}"
                for name in self.requirement.declared
            ),
        )
        return ", ".join(part for part in parts if part) or "no check was carried out"


@cache
def frameworks(folder: Path = FOLDER) -> tuple[Framework, ...]:
    """All frameworks, in the order of their file names. Raises `InputError` in one line for a file that is not one."""
    return tuple(_read(path) for path in sorted(folder.glob("*.toml")))


def _read(path: Path) -> Framework:
    try:
        return Framework.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path.name} is not a framework: {where}: {first['msg']}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not TOML: {error}") from error


def coverage(framework: Framework, findings: Sequence[Finding], declared: Declared) -> tuple[Coverage, ...]:
    """What the outcomes and declarations of an audit say on each requirement of a framework."""
    rows, judged, known = [], {finding.rule for finding in findings}, [rule.id for rule in every_rule()]
    for requirement in framework.requirements:
        bearing = {rule for rule in known if any(fnmatchcase(rule, pattern) for pattern in requirement.rules)}
        status = Counter(
            finding.status
            for finding in findings
            if any(fnmatchcase(finding.rule, pattern) for pattern in requirement.rules)
        )
        missing = tuple(name for name in requirement.declared if not getattr(declared, name))
        rows.append(
            Coverage(
                requirement,
                status["finding"],
                status["passed"],
                status["cannot_conclude"],
                missing,
                len(bearing - judged),
            )
        )
    return tuple(rows)


def _number(state: State) -> ColumnSpec:
    return ColumnSpec(state.capitalize(), lambda row: str(row[1][state]), "number", 15)


MATRIX = TableSpec(ColumnSpec("Framework", lambda row: row[0].title, share=40), *(_number(state) for state in STATES))
DETAILS = TableSpec(
    ColumnSpec("Requirement", lambda row: row.requirement.id, share=16),
    ColumnSpec("Paraphrase", lambda row: row.requirement.paraphrase, share=30),
    ColumnSpec("This report", lambda row: STATES[row.state], share=14),
    ColumnSpec("Outcomes", "outcomes", share=16),
    ColumnSpec("Limits", lambda row: row.requirement.limits or "none stated", share=24),
)
WORDS = (
    "A requirement is supported where every check of Loupe that bears on it was carried out and decided, in part where "
    "some were, and unknown where none was decided. What is only declared supports a requirement in part, because "
    "nobody checked it; without the declaration the requirement is unknown. A finding counts as evidence as much as a "
    "passed check does: it shows what was tested, not that the requirement is met. Requirements are paraphrased; the "
    "text of the law or standard prevails. Nothing here states compliance."
)


def matrix(findings: Sequence[Finding], declared: Declared) -> Section:
    """How many requirements of each framework the audit supports evidence for."""
    caption = "Number of requirements by the evidence that this report supports"
    table = MATRIX.table(
        caption, counted(findings, declared), f"Annex {LETTERS['requirements']} has every requirement."
    )
    return Section("Coverage of requirements", sentences=(WORDS,), tables=(table,))


def counted(findings: Sequence[Finding], declared: Declared) -> list[tuple[Framework, Counter[State]]]:
    """Each framework with the number of its requirements by state."""
    return [
        (framework, Counter(row.state for row in coverage(framework, findings, declared))) for framework in frameworks()
    ]


def details(findings: Sequence[Finding], declared: Declared) -> Section:
    """Every requirement of every framework: a table and a sentence on its source each."""
    return Section(
        "Requirements in full",
        sentences=tuple(
            f"{framework.title}: {framework.edition}. {framework.source}, checked on {framework.checked:%Y-%m-%d}. "
            f"{framework.note}"
            for framework in frameworks()
        ),
        tables=tuple(
            DETAILS.table(framework.title, coverage(framework, findings, declared)) for framework in frameworks()
        ),
    )
