"""The stakeholder edition's own words: no commands, no references to chapters that it lacks, and open questions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.content.words import plural
from core.findings import Finding, every_rule
from core.findings.opinion import TRUST
from core.languages import say

# So many open questions are printed, and so many of one application.
MOST_QUESTIONS, OF_ONE_APPLICATION = 5, 2
_ORDER = ("model", "data", "texts", "run", TRUST)
_COMMAND = re.compile(r" \(python -m [^)]*\)")
_BARE_COMMAND = re.compile(r"python -m core [^.;,)]*")
# A part of the full report that does something, and one that something is in.
_DOES = re.compile(
    r"\b(the|The) (?:chapter|section|annex)(?: on [\w ,]*?\w| [A-Z](?:\.\d+)?)? (?=(?:lists?|states?|gives?|has)\b)"
)
_PLACE = re.compile(r" \((?:see )?(?:the )?(?:chapter|section|annex)[^)]*\)")
_IN = re.compile(r"\b(?:the (?:chapter|section|annex) on [\w ]+|annex [A-Z](?:\.\d+)?)(?=[.,;)])")
_LISTED = re.compile(r"\bthe listed (\w+(?: and \w+)*)")


def for_stakeholders(text: str) -> str:
    """The text without command lines; what it says of chapters and lists is said of the full report."""
    text = _BARE_COMMAND.sub("the command line", _COMMAND.sub("", text))
    text = _DOES.sub(lambda found: f"{found[1]} full report ", _PLACE.sub("", text))
    return _LISTED.sub(r"the \1 that the full report lists", _IN.sub("the full report", text))


def open_questions(findings: Sequence[Finding]) -> tuple[str, ...]:
    """What could not be decided, as the questions of the rules: those on the model first, each once, and the rest as
    a number. Empty if every check was decided.
    """
    open_ones = [finding for finding in findings if finding.status == "cannot_conclude"]
    asked = {rule.id: say(rule.question) for rule in every_rule()}
    ranked = sorted(open_ones, key=lambda finding: _ORDER.index(finding.subject))
    questions: dict[str, str] = {}
    for finding in ranked:
        questions.setdefault(asked.get(finding.rule, finding.title), finding.rule.partition(".")[0])
    chosen: list[str] = []
    for question, application in questions.items():
        beside = sum(questions[one] == application for one in chosen)
        if len(chosen) < MOST_QUESTIONS and beside < OF_ONE_APPLICATION:
            chosen.append(question)
    return tuple(chosen)


def open_sentence(findings: Sequence[Finding]) -> str:
    """How many checks could not be decided, and how many of them are about the explanations; empty if none is open."""
    open_ones = [finding for finding in findings if finding.status == "cannot_conclude"]
    if not open_ones:
        return ""
    trust = sum(finding.subject == TRUST for finding in open_ones)
    few = sum(say("too few") in finding.title for finding in open_ones)
    parts = [say("{checks} could not be concluded", checks=plural(len(open_ones), "check"))]
    if trust:
        parts.append(say("{count} of them concern how far the heat maps can be trusted", count=trust))
    if few:
        parts.append(say("{count} had too few images", count=few))
    rest = say("The full report states for each what was measured and what would decide it.")
    return f"{'; '.join(parts)}. {rest}"
