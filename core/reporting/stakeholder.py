"""The stakeholder edition's own words: no commands, no references to chapters that it lacks, and open questions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.content.words import plural
from core.findings import Finding, every_rule
from core.findings.opinion import TRUST
from core.languages import language, say

# So many open questions are printed, and so many of one application.
MOST_QUESTIONS, OF_ONE_APPLICATION = 5, 2
_ORDER = ("model", "data", "texts", "run", TRUST)
_COMMAND = re.compile(r" \(python -m [^)]*\)")
_BARE_COMMAND = re.compile(r"python -m core [^.;,)]*")
# By language, what is said of the full report in place of a chapter, an annex or a list that the edition lacks: a place
# in brackets, a part of the report that does something, one that something is in, and things that it lists.
_REFERENCES = {
    "en": (
        (r" \((?:see )?(?:the )?(?:chapter|section|annex)[^)]*\)", ""),
        (
            r"\b(the|The) (?:chapter|section|annex)(?: on [\w ,]*?\w| [A-Z](?:\.\d+)?)? "
            r"(?=(?:lists?|states?|gives?|has)\b)",
            r"\1 full report ",
        ),
        (r"\b(?:the (?:chapter|section|annex) on [\w ]+|annex [A-Z](?:\.\d+)?)(?=[.,;)])", "the full report"),
        (r"\bthe listed (\w+(?: and \w+)*)", r"the \1 that the full report lists"),
    ),
    "de": (
        (r" \((?:siehe )?(?:Kapitel|Abschnitt|Anhang)[^)]*\)", ""),
        (
            r"\b([Dd])(?:er|as) (?:Kapitel|Abschnitt|Anhang)(?: zu den [\w ]*?\w)? (?=(?:führt|enthält|nennt|gibt)\b)",
            r"\1er vollständige Bericht ",
        ),
        (r"\b[Ii]m (?:Kapitel|Abschnitt|Anhang) zu den [\w ]*?\w(?= angegeben)", "im vollständigen Bericht"),
        (r"\b([Dd]ie) aufgeführten\b", r"\1 im vollständigen Bericht aufgeführten"),
    ),
}


def for_stakeholders(text: str) -> str:
    """The text without command lines; what it says of chapters and lists is said of the full report."""
    text = _BARE_COMMAND.sub(say("the command line"), _COMMAND.sub("", text))
    for pattern, told in _REFERENCES.get(language(), ()):
        text = re.sub(pattern, told, text)
    return text


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
    # A title may begin with these words.
    few = sum(say("too few") in finding.title.lower() for finding in open_ones)
    parts = [say("{checks} could not be decided", checks=plural(len(open_ones), "check"))]
    if trust:
        parts.append(say("{count} of them on how far the heat maps can be trusted", count=trust))
    if few:
        parts.append(say("{count} with too few images or other data", count=few))
    rest = say("The full report states for each what was measured and what would decide it.")
    return f"{'; '.join(parts)}. {rest}"
