"""The chapters on what the applications measured, in the order of the plan."""

from __future__ import annotations

from collections.abc import Sequence

from core.applications.absent import absent
from core.applications.application import Application
from core.applications.registry import application
from core.characters import brief
from core.content.context import ReportContext
from core.content.parts import Fact, Section
from core.content.words import first_sentences, plural
from core.errors import first_line
from core.findings import Finding
from core.languages import say
from core.plugins import APPLICATIONS, provider
from core.reporting.abridged import Chapter

# Outcomes of one application that the body prints, and the characters of each.
MOST_OUTCOMES, MOST_CONDITION = 5, 200


def applications(context: ReportContext) -> tuple[Chapter, ...]:
    """A chapter for every planned application; those that failed or could not run are listed with the reason."""
    chapters: list[Chapter] = []
    missing: list[Fact] = []
    reasons = absent(context.run)
    for part in context.run.plan.applications:
        one = application(part.name)
        if part.name in reasons:
            missing.append(Fact(say(one.card.title), reasons[part.name]))
        elif sections := _sections(one, context, missing):
            rules = {rule.id for rule in one.rules()}
            said = outcomes([finding for finding in context.findings if finding.rule in rules])
            chapters.append(Chapter(one.card.title, sections, one.card.question, said))
    if missing:
        chapters.append(
            Chapter("", (Section("Analyses without a result", facts=tuple(missing), place="body"),)),
        )
    return tuple(chapters)


def _sections(one: Application, context: ReportContext, missing: list[Fact]) -> tuple[Section, ...]:
    """The sections of an application; where the chapter of a plug-in fails, it is listed as missing with the reason."""
    entry = provider(APPLICATIONS, one.name)
    if entry is None:
        return tuple(one.chapter()(context))
    try:
        return tuple(one.chapter()(context))
    except Exception as error:  # noqa: BLE001
        told = brief(f"{type(error).__name__}: {first_line(error)}", 200)
        failed = say("The chapter of the {part} ended with an error: {error}.", part=entry.title, error=told)
        missing.append(Fact(say(one.card.title), failed))
        return ()


def outcomes(findings: Sequence[Finding]) -> tuple[str, ...]:
    """What the rules of an application concluded, one sentence each: findings first, then passed checks.

    Of more than `MOST_OUTCOMES` the rest is counted, and so are the inconclusive checks.
    """
    decided = [one for status in ("finding", "passed") for one in findings if one.status == status]
    said = [f"{one.title}. {first_sentences(one.condition, MOST_CONDITION)}" for one in decided[:MOST_OUTCOMES]]
    more, undecided = len(decided) - len(said), len(findings) - len(decided)
    counted = [plural(more, "further outcome")] if more else []
    counted += [plural(undecided, "inconclusive check")] if undecided else []
    if counted:
        both = f" {say('and')} ".join(counted)
        said.append(say("The chapter on findings lists {outcomes} of this analysis.", outcomes=both))
    return tuple(said)
