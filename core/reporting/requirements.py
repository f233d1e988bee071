"""Which requirements of laws and standards the findings of an audit support evidence for.

Each framework is a file in `frameworks/`; another one is added by adding a file. A requirement names the rules that
bear on it, or the declarations. What a report may say of it follows from the outcomes of these rules and from whether
something was declared, and never that it is complied with.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from core import plugins
from core.applications.registry import APPLICATIONS, application_info
from core.content.parts import Section
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import plural
from core.errors import InputError
from core.findings.judgement import every_rule
from core.languages import day, say
from core.reporting.letters import LETTERS
from core.rules import Context, Finding
from core.runs.parts import Declared

FOLDER = Path(__file__).parent / "frameworks"
State = Literal["supported", "in part", "unknown", "not addressed"]
STATES: dict[State, str] = {
    "supported": "provides evidence for it",
    "in part": "provides evidence for part of it",
    "unknown": "unknown",
    "not addressed": "not addressed",
}  # messages


class Requirement(BaseModel):
    """A requirement in a paraphrase, the rules that bear on it (`data.*`: all of a kind), and what they leave out.

    declared: the declarations of the plan that it needs as well. Nobody checks them.
    whole: whether an audit of a model can show all of it by these rules; otherwise they bear on a part, whatever their
        outcomes are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    paraphrase: str
    rules: tuple[str, ...]
    limits: str
    declared: tuple[Literal["purpose", "provenance", "licence", "preparer", "reviewer"], ...] = ()
    whole: bool = False


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

    missing: the declarations that it needs and the plan lacks. absent: the rules that bear on it
    and were not judged.
    """

    requirement: Requirement
    findings: int
    passed: int
    inconclusive: int
    missing: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """Supported where checks that cover it were all carried out and decided; unknown where none was decided.

        A declaration supports a requirement in part, because it was not checked; a missing one leaves it unknown.
        """
        given = len(self.requirement.declared) - len(self.missing)
        if not self.requirement.rules and not self.requirement.declared:
            return "not addressed"
        if not self.findings + self.passed + given:
            return "unknown"
        partial = self.inconclusive or self.absent or self.requirement.declared or not self.requirement.whole
        return "in part" if partial else "supported"

    @property
    def outcomes(self) -> str:
        """The outcomes in words."""
        if not self.requirement.rules and not self.requirement.declared:
            return say("no check of this audit bears on it")
        carried_out = self.findings + self.passed + self.inconclusive
        parts = (
            plural(self.findings, "finding") if self.findings else "",
            say("{count} passed", count=self.passed) if self.passed else "",
            say("{count} inconclusive", count=self.inconclusive) if self.inconclusive else "",
            say("{count} not carried out", count=len(self.absent)) if self.absent and carried_out else "",
            *(
                say("{name} not declared" if name in self.missing else "{name} declared, not checked", name=say(name))
                for name in self.requirement.declared
            ),
        )
        return ", ".join(part for part in parts if part) or say("no check was carried out")


@cache
def frameworks(folder: Path = FOLDER) -> tuple[Framework, ...]:
    """All frameworks, in the order of their file names, then those of plug-ins.

    Raises `InputError` in one line for a file of the folder that is not one.
    """
    own = tuple(_read(path) for path in sorted(folder.glob("*.toml")))
    return (*own, *plugins.offered(plugins.FRAMEWORKS, usable, {one.id for one in own}).values())


def usable(name: str, part: Any) -> Framework:
    """The framework in the file whose path a plug-in offers. Raises `InputError` for anything else."""
    if not isinstance(part, str | Path):
        raise InputError(f"it is {type(part).__name__}, not the path of a TOML file")
    framework = _read(Path(part))
    if framework.id.replace("-", "_") != name:
        raise InputError(f"its id is {framework.id!r}; the entry point needs the same name, with underscores")
    return framework


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
                tuple(sorted(bearing - judged)),
            )
        )
    return tuple(rows)


MATRIX = TableSpec(
    ColumnSpec("Framework", lambda row: say(row[0].title), share=48),
    ColumnSpec("Supported", lambda row: str(row[1]["supported"]), "number", 12),
    ColumnSpec("In part", lambda row: str(row[1]["in part"]), "number", 12),
    ColumnSpec("Unknown", lambda row: str(row[1]["unknown"]), "number", 12),
    ColumnSpec("Not addressed", lambda row: str(row[1]["not addressed"]), "number", 16),
)
DETAILS = TableSpec(
    ColumnSpec("Requirement", lambda row: say(row.requirement.id), share=16),
    ColumnSpec("Paraphrase", lambda row: say(row.requirement.paraphrase), share=27),
    ColumnSpec("This report", lambda row: say(STATES[row.state]), share=16),
    ColumnSpec("Outcomes", "outcomes", share=18),
    ColumnSpec("Limits", lambda row: say(row.requirement.limits or NO_LIMITS), share=23),
)
NO_LIMITS = "none stated"  # messages
# The declarations that a requirement may need, as its outcomes name them.
DECLARATIONS = ("purpose", "provenance", "licence", "preparer", "reviewer")  # messages
NOT_RAISED = "Nothing in this run raises the question."  # messages
WORDS = (
    "A requirement is supported where checks of Loupe cover it and all of them were carried out and decided, in part "
    "where some were decided or where they cover a part of it, and unknown where none was decided. What is only "
    "declared supports a requirement in part, because nobody checked it; without the declaration the requirement is "
    "unknown. A finding counts as evidence as much as a passed check does: it shows what was tested, not that the "
    "requirement is met. Requirements are paraphrased; the text of the law or standard prevails. Nothing here "
    "states compliance."
)  # messages


def matrix(findings: Sequence[Finding], declared: Declared) -> Section:
    """How many requirements of each framework the audit provides evidence for."""
    caption = say("Number of requirements by the evidence that this report provides")
    more = say("Annex {letter} lists every requirement.", letter=LETTERS["requirements"])
    table = MATRIX.table(caption, counted(findings, declared), more)
    return Section("Coverage of requirements", sentences=(say(WORDS),), tables=(table,))


def counted(findings: Sequence[Finding], declared: Declared) -> list[tuple[Framework, Counter[State]]]:
    """Each framework with the number of its requirements by state."""
    return [
        (framework, Counter(row.state for row in coverage(framework, findings, declared))) for framework in frameworks()
    ]


ABSENT = TableSpec(ColumnSpec("Reason", 0, share=36), ColumnSpec("Checks", 1, "code"))


@dataclass(frozen=True)
class AbsentCheck:
    """A rule without an outcome in a run, its question, and why there is none."""

    id: str
    question: str
    reason: str


def absent_checks(context: Context, findings: Sequence[Finding]) -> tuple[AbsentCheck, ...]:
    """Every rule that was not judged in a run, in the order of the catalogue."""
    judged = {finding.rule for finding in findings}
    reasons = {rule: reason for name in APPLICATIONS for rule, reason in _reasons(context, name)}
    return tuple(
        AbsentCheck(rule.id, rule.question, reasons.get(rule.id, say(NOT_RAISED)))
        for rule in every_rule()
        if rule.id not in judged
    )


def _reasons(context: Context, name: str) -> Iterator[tuple[str, str]]:
    """The rules of an application that did not run, with the reason."""
    run, title = context.run, say(application_info(name).title)
    left_out = {part: reason for part, _, reason in run.manifest.get("not_run", [])}
    problems = run.manifest.get("application_problems", {})
    if name not in {part.name for part in run.plan.applications}:
        reason = say("The analysis \u201c{title}\u201d is not part of the plan.", title=title)
    elif name in left_out:
        reason = say("The analysis \u201c{title}\u201d was not run: {reason}.", title=title, reason=left_out[name])
    elif name in problems:
        reason = say("The analysis \u201c{title}\u201d failed.", title=title)
    else:
        return
    yield from ((rule.id, reason) for rule in APPLICATIONS[name].rules())


def details(findings: Sequence[Finding], declared: Declared, absent: Sequence[AbsentCheck] = ()) -> Section:
    """Every requirement, a table and a sentence on the source per framework; then the checks that were not judged."""
    tables = [
        DETAILS.table(say(framework.title), coverage(framework, findings, declared)) for framework in frameworks()
    ]
    if absent:
        reasons: dict[str, list[str]] = {}
        for check in absent:
            reasons.setdefault(check.reason, []).append(check.id)
        rows = [(reason, ", ".join(ids)) for reason, ids in reasons.items()]
        title = say("Checks that were not carried out, {count}, by reason", count=len(absent))
        tables.append(ABSENT.table(title, rows))
    return Section(
        "Requirements in full",
        sentences=tuple(
            say(
                "{title}: {edition}. {source}, checked on {day}. {note}",
                title=say(framework.title),
                edition=say(framework.edition),
                source=framework.source,
                day=day(framework.checked),
                note=say(framework.note),
            )
            for framework in frameworks()
        ),
        tables=tuple(tables),
    )
