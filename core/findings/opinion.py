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
# What an opinion is on: files and texts without a fault say nothing about it.
MODEL = "model"


def opinion(progress: Progress, findings: Sequence[Finding]) -> tuple[str, str]:
    """The overall opinion (`No material concern`, `Concerns` or `Cannot conclude`) and the reason in one sentence.

    It rests on the findings about the model, the images, the texts and the audit itself. Those about explanations are
    counted in the reason.
    """
    judged = [finding for finding in findings if finding.subject != TRUST]
    misses = [finding for finding in judged if finding.status == "finding"]
    material = sum(finding.severity in ("high", "medium") for finding in misses)
    passed = sum(finding.status == "passed" for finding in judged)
    unsure = sum(finding.status == "cannot_conclude" for finding in judged)
    nothing = next((finding for finding in misses if finding.id == NOTHING), None)
    if nothing is not None:
        return "Cannot conclude", say("{title}: this audit gives no information about the model.", title=nothing.title)
    trust = _trust(findings)
    if material:
        graded = [finding for finding in misses if finding.severity in ("high", "medium")]
        about = in_words([say(words) for name, words in SUBJECTS.items() if any(one.subject == name for one in graded)])
        return (
            "Concerns",
            say(
                "{findings} of high or medium severity on {about}{trust}.",
                findings=plural(material, "finding"),
                about=about,
                trust=trust,
            ),
        )
    if progress.state not in FINISHED and progress.state != "reporting":
        return "Cannot conclude", say("The run did not finish; what it did not reach was not judged.")
    of_model = [finding for finding in judged if finding.subject == MODEL]
    if not any(finding.status == "passed" for finding in of_model):
        if of_model:
            return "Cannot conclude", say("No check of the model passed{trust}.", trust=trust)
        return "Cannot conclude", say("No check of the model was carried out{trust}.", trust=trust)
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


SCALE = (
    "The opinion is one of three. No material concern: at least one check on the model passed, and no finding on the "
    "model, the images, the texts or the audit itself is of high or medium severity. Concerns: at least one is. Cannot "
    "conclude: the audit is incomplete, no check on the model passed, or more checks are inconclusive "
    "than passed. Findings on the explanations do not enter it."
)  # messages


def by_concern(findings: Sequence[Finding]) -> list[Finding]:
    """The findings in their order, those that the opinion rests on first."""
    return sorted(findings, key=lambda finding: finding.subject == TRUST)


def _trust(findings: Sequence[Finding]) -> str:
    count = sum(finding.subject == TRUST and finding.status == "finding" for finding in findings)
    if not count:
        return ""
    return say("; {findings} on how far the explanations can be trusted", findings=plural(count, "finding"))
