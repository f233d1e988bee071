"""The overall opinion of an audit."""

from __future__ import annotations

from collections.abc import Sequence

from core.content.words import plural
from core.findings.work_rules import NOTHING
from core.languages import say
from core.rules.finding import SUBJECTS, Finding
from core.rules.writing import in_words
from core.runs import FINISHED, Progress

# The opinions, as they are printed.
OPINIONS = ("No material concern", "Concerns", "Cannot conclude")  # messages
# Findings about explanations say how far the measurements can be trusted. They are not concerns about the model.
TRUST = "explanations"
# The severities that make a concern, and what is said of findings of these, by those that occur.
MATERIAL = ("high", "medium")
GRADED = {
    ("high",): "{findings} of high severity on {about}{trust}.",
    ("medium",): "{findings} of medium severity on {about}{trust}.",
    ("high", "medium"): "{findings} of high or medium severity on {about}{trust}.",
}  # messages
# What an opinion is on: files and texts without a fault say nothing about it.
MODEL = "model"


def opinion(progress: Progress, findings: Sequence[Finding]) -> tuple[str, str]:
    """The overall opinion (`No material concern`, `Concerns` or `Cannot conclude`) and the reason in one sentence.

    It rests on the findings about the model, the images, the texts and the audit itself. Those about explanations are
    counted in the reason.
    """
    judged = [finding for finding in findings if finding.subject != TRUST]
    misses = [finding for finding in judged if finding.status == "finding"]
    graded = [finding for finding in misses if finding.severity in MATERIAL]
    passed = sum(finding.status == "passed" for finding in judged)
    unsure = sum(finding.status == "cannot_conclude" for finding in judged)
    nothing = next((finding for finding in misses if finding.id == NOTHING), None)
    if nothing is not None:
        return "Cannot conclude", say("{title}: this audit gives no information about the model.", title=nothing.title)
    trust = _trust(findings)
    if graded:
        about = in_words([say(words) for name, words in SUBJECTS.items() if any(one.subject == name for one in graded)])
        told = GRADED[tuple(name for name in MATERIAL if any(one.severity == name for one in graded))]
        return "Concerns", say(told, findings=plural(len(graded), "finding"), about=about, trust=trust)
    if progress.state not in FINISHED and progress.state != "reporting":
        return "Cannot conclude", say("The run did not finish; what it did not reach was not judged.")
    of_model = [finding for finding in judged if finding.subject == MODEL]
    if not any(finding.status == "passed" for finding in of_model):
        return "Cannot conclude", _nothing_on_model(findings, of_model, trust)
    if unsure > passed:
        return "Cannot conclude", say(
            "Of the checks on the model, the data, the texts and the run, {unsure} could not be decided and {passed} "
            "passed{trust}.",
            unsure=unsure,
            passed=passed,
            trust=trust,
        )
    minor = say("; {findings} of low severity", findings=plural(len(misses), "finding")) if misses else ""
    open_checks = say("; {checks} could not be decided", checks=plural(unsure, "check")) if unsure else ""
    return "No material concern", say(
        "{checks} on the model, the images, the texts and the audit passed{minor}{open_checks}{trust}.",
        checks=plural(passed, "check"),
        minor=minor,
        open_checks=open_checks,
        trust=trust,
    )


def _nothing_on_model(findings: Sequence[Finding], of_model: Sequence[Finding], trust: str) -> str:
    """That no check of the model passed, and what the checks that did pass are about: they are listed beside it."""
    about = in_words(
        [
            say(words)
            for name, words in SUBJECTS.items()
            if any(_passed(one) and one.subject == name for one in findings)
        ]
    )
    elsewhere = ""
    if about:
        passed = plural(sum(_passed(one) for one in findings), "check")
        elsewhere = say("; {checks} passed, but on {about}", checks=passed, about=about)
    if not of_model:
        return say("No check of the model was carried out{elsewhere}{trust}.", elsewhere=elsewhere, trust=trust)
    unsure = sum(finding.status == "cannot_conclude" for finding in of_model)
    if not unsure:
        return say("No check of the model passed{elsewhere}{trust}.", elsewhere=elsewhere, trust=trust)
    return say(
        "No check of the model passed: {checks} of it could not be decided{elsewhere}{trust}.",
        checks=plural(unsure, "check"),
        elsewhere=elsewhere,
        trust=trust,
    )


def _passed(finding: Finding) -> bool:
    return finding.status == "passed"


def dismissed_sentence(findings: Sequence[Finding], gone: Sequence[Finding]) -> str:
    """How many of the findings were dismissed, which, and how many of them count in the opinion; empty if none was."""
    if not gone:
        return ""
    told = say(
        "Dismissed in the review: {count} of {findings}, {titles}.",
        count=len(gone),
        findings=plural(sum(finding.status == "finding" for finding in findings), "finding"),
        titles="; ".join(f"\u201c{finding.title}\u201d" for finding in gone),
    )
    counted = sum(finding.subject != TRUST and finding.severity in MATERIAL for finding in gone)
    if not counted:
        rest = say("The opinion does not rest on what was dismissed.")
    elif counted == len(gone):
        rest = say("What was dismissed still counts in the opinion.")
    else:
        rest = say(
            "Of the dismissed findings {count} of {all} still count in the opinion.", count=counted, all=len(gone)
        )
    return f"{told} {rest}"


SCALE = (
    "The opinion is one of three. No material concern: at least one check on the model passed, and no finding on the "
    "model, the images, the texts or the audit itself is of high or medium severity. Concerns: there is such a "
    "finding, even if other checks are inconclusive. Cannot conclude: the audit gives no information about the model; "
    "or there is no such finding, and the audit is incomplete, no check on the model passed, or more checks are "
    "inconclusive than passed. Checks of the explanations do not affect the opinion."
)  # messages


def by_concern(findings: Sequence[Finding]) -> list[Finding]:
    """The findings in their order, those that the opinion rests on first."""
    return sorted(findings, key=lambda finding: finding.subject == TRUST)


def _trust(findings: Sequence[Finding]) -> str:
    count = sum(finding.subject == TRUST and finding.status == "finding" for finding in findings)
    if not count:
        return ""
    return say("; {findings} on how far the explanations can be trusted", findings=plural(count, "finding"))
