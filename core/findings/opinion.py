"""The overall opinion of an audit."""

from __future__ import annotations

from collections.abc import Sequence

from core.content.words import plural
from core.findings.work_rules import NOTHING
from core.rules.finding import SUBJECTS, Finding
from core.rules.writing import in_words
from core.runs import FINISHED, Progress

# Findings about explanations say how far the measurements can be trusted. They are not concerns about the model.
TRUST = "explanations"


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
        return "Cannot conclude", f"{nothing.title}: this audit gives no information about the model."
    trust = _trust(findings)
    if material:
        graded = [finding for finding in misses if finding.severity in ("high", "medium")]
        about = in_words([words for name, words in SUBJECTS.items() if any(one.subject == name for one in graded)])
        return (
            "Concerns",
            f"{plural(material, 'finding')} of high or medium severity on {about}{_shared(graded)}{trust}.",
        )
    if progress.state not in FINISHED and progress.state != "reporting":
        return "Cannot conclude", "The run did not finish; what it did not reach was not judged."
    if not any(finding.status == "passed" and finding.subject in ("model", "texts") for finding in judged):
        tried = any(finding.subject in ("model", "texts") for finding in judged)
        outcome = "passed" if tried else "was carried out"
        return "Cannot conclude", f"No check of the model or of the texts {outcome}{trust}."
    if unsure > passed:
        about = "Of the checks on the model, the data, the texts and the run"
        return "Cannot conclude", f"{about}, {unsure} could not be decided and {passed} passed{trust}."
    minor = f"; {plural(len(misses), 'finding')} of low severity" if misses else ""
    open_checks = f"; {plural(unsure, 'check')} could not be decided" if unsure else ""
    return "No material concern", f"{plural(passed, 'check')} passed{minor}{open_checks}{trust}."


SCALE = (
    "The opinion is one of three. No material concern: checks on the model or the texts passed, and no finding on the "
    "model, the images, the texts or the audit itself is of high or medium severity. Concerns: at least one is. Cannot "
    "conclude: the audit is incomplete, no check on the model or the texts passed, or more checks are inconclusive "
    "than passed. Findings on the explanations do not enter it."
)


def _shared(findings: Sequence[Finding]) -> str:
    """How many of the images that these findings print are printed by more than one of them; empty for one finding."""
    each = [{sample.image for sample in finding.samples} for finding in findings if finding.samples]
    if len(each) < 2:
        return ""
    every = set().union(*each)
    common = sum(sum(image in images for images in each) > 1 for image in every)
    verb = "belongs" if common == 1 else "belong"
    return f"; of the {len(every)} images shown as samples, {common or 'none'} {verb} to more than one finding"


def by_concern(findings: Sequence[Finding]) -> list[Finding]:
    """The findings in their order, those that the opinion rests on first."""
    return sorted(findings, key=lambda finding: finding.subject == TRUST)


def _trust(findings: Sequence[Finding]) -> str:
    count = sum(finding.subject == TRUST and finding.status == "finding" for finding in findings)
    return f"; {plural(count, 'finding')} on how far the explanations can be trusted" if count else ""
