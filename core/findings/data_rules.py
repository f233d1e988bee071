"""Rules about what came in and what went wrong: refused files, duplicates, failed work."""

from __future__ import annotations

from collections.abc import Iterator

from core.evaluation.summary import Summary
from core.findings.finding import Finding, Number, Sample
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.thresholds import Thresholds
from core.findings.work_rules import failed_applications
from core.runs import Run


def refused(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Were files refused?"""
    dataset = run.dataset
    total = len(dataset.pictures) + len(dataset.refusals)
    share = len(dataset.refusals) / total if total else 0.0
    most = float(thresholds["data.refused.most_share"])
    common = dict(
        id="data.refused",
        rule="data.refused",
        threshold=thresholds.label("data.refused.most_share"),
        criterion=f"At most {most:.0%} of the files that were brought are refused.",
        evidence=(Number(name="share of files refused", value=share, n=total),),
        reproduce="see the list of refused files in the data section",
    )
    if share <= most:
        lost = len(dataset.refusals)
        title = "Few files were refused" if lost else "Every file could be used"
        told = f"{lost} of {total} files were refused." if lost else f"{total} files were read, none was refused."
        yield passed(title=title, condition=told, **common)
        return
    made, word = grade(0.5, share, total, thresholds)
    first = "; ".join(f"{entry.name}: {entry.reason}" for entry in dataset.refusals[:5])
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"{len(dataset.refusals)} of {total} files were refused",
        condition=f"They are not part of any result. The first: {first}",
        effect="What they show was not audited; if they differ from the rest, the results don't hold for them.",
        recommendation="Repair or replace the refused files and audit again, or state why they may be left out.",
        cause="Named for each file in the data section.",
        **common,  # type: ignore[arg-type]
    )


def duplicates(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Are there so many duplicates that intervals are too narrow?"""
    dataset = run.dataset
    n = len(dataset.pictures)
    near = len({entry.name for entry in dataset.duplicates if entry.kind == "near"})
    exact = sum(entry.kind == "exact" for entry in dataset.duplicates)
    share = near / n if n else 0.0
    most = float(thresholds["data.duplicates.most_share"])
    common = dict(
        id="data.duplicates",
        rule="data.duplicates",
        threshold=thresholds.label("data.duplicates.most_share"),
        criterion=f"At most {most:.0%} of the audited pictures are near-duplicates of another one.",
        evidence=(Number(name="share of near-duplicates", value=share, n=n),),
        reproduce="see the list of duplicates in the data section",
    )
    told = f"{exact} exact duplicates were audited once; {near} pictures nearly repeat another one."
    if share <= most:
        yield passed(title="Few pictures repeat each other", condition=told, **common)
        return
    made, word = grade(0.4, share, n, thresholds)
    samples = tuple(
        Sample(image=picture.id, image_name=picture.name, text=None, note=f"near {entry.of}")
        for entry in [e for e in dataset.duplicates if e.kind == "near"][:3]
        for picture in dataset.pictures
        if picture.name == entry.name
    )
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title="Pictures repeat each other",
        condition=told,
        samples=samples,
        rule_of_samples="first by name",
        effect="Intervals treat pictures as independent and come out too narrow.",
        recommendation="Keep one of each group and run the audit again.",
        cause="Hypothesis: frames of one scene, or saved copies.",
        **common,  # type: ignore[arg-type]
    )


def failures(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Did work fail?"""
    progress = run.progress()
    rows = run.results(["kind", "status"])
    rows = rows[rows.kind == "method"]
    failed_rows = int((rows.status == "failed").sum())
    total = len(rows)
    lost = progress.images_total - progress.images_done
    share = max(failed_rows / total if total else 0.0, lost / progress.images_total if progress.images_total else 0.0)
    most = float(thresholds["run.failures.most_share"])
    common = dict(
        id="run.failures",
        rule="run.failures",
        threshold=thresholds.label("run.failures.most_share"),
        criterion=f"At most {most:.0%} of the planned work fails or is missing.",
        evidence=(
            Number(
                name="share of explanations that failed", value=failed_rows / total if total else None, n=summary.images
            ),
            Number(name="pictures without results", value=float(lost), n=progress.images_total, unit="pictures"),
        ),
        reproduce="python -m core resume RUN",
    )
    if not total and not lost:
        yield cannot_conclude(
            title="Nothing was explained",
            condition="No method of the plan could explain this model with these texts.",
            **common,
        )  # type: ignore[arg-type]
        return
    if share <= most:
        title = "Little of the planned work is missing"
        if not (failed_rows or lost):
            # What failed beside the explanations has a rule of its own.
            title = "Every explanation was made" if failed_applications(run) else "All planned work was done"
        told = f"{failed_rows} failed and {lost} pictures have no result" if failed_rows or lost else "none failed"
        yield passed(
            title=title,
            condition=f"{total} explanations of {summary.images} pictures, {told}.",
            **common,
        )
        return
    made, word = grade(0.7, share, progress.images_total, thresholds)
    reasons = sorted(
        {str(unit["error"]) for unit in run.store.units() if unit["error"]} | set(summary.failures.message.dropna())
    )
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title="Part of the planned work is missing",
        condition=f"{lost} pictures have no result and {failed_rows} explanations failed. " + "; ".join(reasons[:3]),
        effect="What is missing may differ from what was measured.",
        recommendation="Resume the run; what fails again is named in the run log.",
        cause="Named in the run log.",
        **common,  # type: ignore[arg-type]
    )
