"""The opinion: it rests on findings about the model, the images, the texts and the audit, not about explanations."""

from __future__ import annotations

from typing import Any

import pytest

from core.datasets import Dataset
from core.findings.opinion import by_concern, dismissed_sentence, opinion
from core.outcome import outcome
from core.reporting.register import register, reliability
from core.rules.finding import SUBJECTS, Finding, Grade
from core.runs import Progress, Run
from core.runs.review import Review
from tests.findings.pinned import PINNED, with_values
from tests.support.made_run import made_run

REVIEW = Review("0" * 64)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("opinion") / "run", images=2, methods=("raw",))


def finding(subject: Any, status: Any = "finding", severity: Any = "high", **parts: Any) -> Finding:
    severity = severity if status == "finding" else "note"
    grade = Grade(impact=0.8, likelihood=0.9) if status == "finding" else None
    name = f"{subject}.{status}.{severity}"
    common: dict[str, Any] = {"id": name, "rule": name, "title": name, "condition": "c", "criterion": "k"} | parts
    return Finding(subject=subject, status=status, severity=severity, grade=grade, threshold="", **common)


SOUND = (finding("model", "passed"), finding("data", "passed"), finding("run", "passed"))


@pytest.mark.parametrize("subject", list(SUBJECTS))
def test_findings_about_explanations_alone_are_not_concerns(run: Run, subject: Any) -> None:
    word, reason = opinion(done(run), [*SOUND, finding(subject)])
    if subject == "explanations":
        assert word == "No material concern"
        assert "1 finding on how far the explanations can be trusted" in reason
    else:
        assert (word, reason) == (
            "Concerns",
            f"1 finding of high severity on {SUBJECTS[subject]}.",
        )


def test_without_a_check_of_the_model_there_is_no_opinion(run: Run) -> None:
    word, reason = opinion(done(run), [finding("data", "passed"), finding("explanations", "passed")])
    assert word == "Cannot conclude"
    # What passed is named: it is listed beside the opinion.
    about = "2 checks passed, but on the images and the explanations"
    assert reason == f"No check of the model was carried out; {about}."
    # Texts without a fault say nothing about the model.
    quick = [*SOUND[1:], finding("texts", "passed"), finding("model", "cannot_conclude")]
    assert opinion(done(run), quick) == (
        "Cannot conclude",
        "No check of the model passed: 1 check of it could not be decided; 3 checks passed, but on the images, "
        "the texts and the audit itself.",
    )
    _, reason = opinion(done(run), [finding("model", "cannot_conclude")])
    assert reason == "No check of the model passed: 1 check of it could not be decided."
    _, reason = opinion(done(run), [finding("model", severity="low"), finding("data", "passed")])
    assert reason == "No check of the model passed; 1 check passed, but on the images."
    assert opinion(done(run), []) == ("Cannot conclude", "No check of the model was carried out.")
    # The companion: one check of the model is enough.
    assert opinion(done(run), SOUND)[0] == "No material concern"
    unsure = [finding("model", "cannot_conclude", id=f"x{at}") for at in range(4)]
    assert opinion(done(run), [*SOUND, *unsure])[0] == "Cannot conclude"


def test_the_reason_names_the_severities_that_occur(run: Run) -> None:
    high, medium = finding("model"), finding("data", severity="medium")
    assert opinion(done(run), [medium])[1] == "1 finding of medium severity on the images."
    assert opinion(done(run), [high, medium, finding("texts", severity="low")])[1] == (
        "2 findings of high or medium severity on the model and the images."
    )


def test_a_dismissed_finding_is_said_to_count_where_it_does() -> None:
    counts, low, trust = finding("model"), finding("texts", severity="low"), finding("explanations")
    every = [counts, low, trust, finding("data", "passed")]
    assert dismissed_sentence(every, []) == ""
    first = dismissed_sentence(every, [counts])
    assert first.startswith("Dismissed in the review: 1 of 3 findings, \u201cmodel.finding.high\u201d.")
    assert first.endswith("What was dismissed still counts in the opinion.")
    for one in (low, trust):
        assert dismissed_sentence(every, [one]).endswith("The opinion does not rest on what was dismissed.")
    assert dismissed_sentence(every, every[:3]).endswith("Of the dismissed findings 1 of 3 still count in the opinion.")


def test_the_register_has_a_group_for_findings_about_explanations() -> None:
    findings = [
        finding("explanations", n=12),
        finding("texts", severity="low", n=9, unit="texts"),
        finding("model", "passed"),
    ]
    first, second = register(findings, REVIEW, PINNED), reliability(findings, REVIEW, PINNED)
    assert first is not None and second is not None
    assert [row[0] for row in first.rows] == ["texts.finding.low"]
    assert [row[0] for row in second.rows] == ["explanations.finding.high"]
    assert first.rows[0][4] == "9 texts" and second.rows[0][4] == "12 images"
    assert [one.subject for one in by_concern(findings)] == ["texts", "model", "explanations"]
    # Each states the limits that it was graded by, from the thresholds of the run.
    scale = "high from 0.40, medium from 0.15 to below 0.40, low below 0.15"
    assert scale in first.more and scale in second.more and "version 1)" in first.more
    changed = register(findings, REVIEW, with_values(PINNED, {"severity.high": 0.5}))
    assert changed is not None and "high from 0.50" in changed.more and scale not in changed.more
    assert reliability(findings[1:], REVIEW, PINNED) is None and register(findings[:1], REVIEW, PINNED) is None


def test_fail_on_counts_findings_about_explanations_too(run: Run) -> None:
    from core.findings import save_findings

    save_findings(run, (finding("explanations", severity="medium"),))
    assert outcome(run, "done", "medium")[1] == 1
    assert outcome(run, "done", "high")[1] == 0


def done(run: Run) -> Progress:
    progress = run.progress()
    assert progress.done
    return progress


def test_what_the_report_says_about_labels_follows_from_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.reporting.body import scope
    from core.reporting.labels import accuracy_limit
    from tests.support.contexts import context_of

    def facts(of: Run, *findings: Finding) -> dict[str, str]:
        (section,) = scope(context_of(of, findings=findings))
        return {fact.name: fact.value for fact in section.facts}

    assert accuracy_limit(run).startswith("No labels were used")
    assert facts(run)["Labels used"] == "None." and facts(run)["Out of scope"].startswith("Accuracy; differences and")
    compared = facts(run, finding("data", "passed", rule="groups.difference"))["Out of scope"]
    assert "whether a difference between groups is unfair" in compared
    monkeypatch.setattr(Dataset, "annotations", property(lambda _: run.folder))
    assert accuracy_limit(run).startswith(
        "Labels were used as the truth only for comparing maps with annotated objects"
    )
    assert facts(run)["Out of scope"].startswith("Accuracy beyond the use of labels")
