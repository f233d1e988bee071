"""Rules about an audit that gave nothing: no explanation, no score, methods or applications that failed altogether."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from core.evaluation.summary import Summary
from core.findings.finding import Finding, Grade, Number
from core.findings.grading import word_of
from core.findings.parts import NAMED, again, title_of
from core.findings.thresholds import Thresholds
from core.methods.applications import application_info
from core.runs import Run

NOTHING = "run.nothing"
# Cosines are float32: a difference below this is rounding.
_SAME = 1e-6
# What failed is counted, not sampled: nothing is uncertain about it.
_SURE = 1.0


def nothing_worked(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Is there anything to judge at all: one explanation, finite scores, scores that depend on image and text?"""
    rows = run.results(["image", "text", "text_kind", "kind", "status", "score", "message"])
    told = _no_score(rows) or _no_explanation(run, rows) or _no_dependence(rows)
    if told is None:
        return
    title, condition, cause = told
    yield Finding(
        id=NOTHING,
        rule=NOTHING,
        status="finding",
        severity="high",
        grade=Grade(impact=1.0, likelihood=1.0, confidence=_SURE),
        title=title,
        condition=condition,
        criterion="At least one explanation works; scores are finite numbers that depend on the image and the text.",
        threshold="",
        evidence=_counts(rows, summary.images),
        cause=cause,
        effect="This audit says nothing about the model. That it has few other findings means nothing.",
        recommendation="Check the weights, the configuration and the preprocessing, and run the audit again.",
        reproduce=again(run),
    )


def methods_failed(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Did a method fail on every image? Says nothing where every method did: then nothing worked."""
    rows = run.results(["image", "kind", "method", "status"])
    rows = rows[rows.kind == "method"]
    worked = set(rows[rows.status == "ok"].method)
    tried = list(dict.fromkeys(rows.method))
    failed = [name for name in tried if name not in worked]
    if not worked or not failed:
        return
    n = int(rows[rows.method.isin(failed)].image.nunique())
    first = summary.failures.drop_duplicates("method").set_index("method").message
    each = "; ".join(f"{title_of(name)}: {first.get(name, 'no reason was recorded')}" for name in failed[:NAMED])
    grade = Grade(impact=round(0.25 + 0.5 * len(failed) / len(tried), 2), likelihood=1.0, confidence=_SURE)
    yield Finding(
        id="run.methods",
        rule="run.methods",
        status="finding",
        severity=word_of(grade, thresholds),
        grade=grade,
        title=f"{len(failed)} of {len(tried)} methods failed on every image",
        condition=f"They gave no explanation on any of {n} images. {each}{_more(len(failed))}",
        criterion="Every method that the model can serve explains at least one image.",
        threshold="",
        evidence=(Number(name="methods that failed on every image", value=float(len(failed)), n=n, unit="methods"),),
        cause="Named above for each method.",
        effect="What these methods would have shown was not measured.",
        recommendation="Correct the cause and run the audit again, or leave these methods out.",
        reproduce=again(run),
    )


def applications_failed(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Did an application fail? One that the model cannot serve did not."""
    problems = failed_applications(run)
    if not problems:
        return
    planned = len(run.plan.applications)
    grade = Grade(impact=round(0.25 + 0.5 * len(problems) / planned, 2), likelihood=1.0, confidence=_SURE)
    each = "; ".join(f"{application_info(name).title}: {line}" for name, line in list(problems.items())[:NAMED])
    yield Finding(
        id="run.applications",
        rule="run.applications",
        status="finding",
        severity=word_of(grade, thresholds),
        grade=grade,
        title=f"{len(problems)} of {planned} applications failed",
        condition=f"{each}{_more(len(problems))}",
        criterion="Every planned application that the model can serve gives its results.",
        threshold="",
        evidence=(
            Number(
                name="applications that failed", value=float(len(problems)), n=len(run.plan.images), unit="applications"
            ),
        ),
        cause="Named above for each application.",
        effect="What these applications would have shown was not measured.",
        recommendation="Correct the cause and resume the run: applications that failed are run again.",
        reproduce=again(run),
    )


def failed_applications(run: Run) -> dict[str, str]:
    """The planned applications that failed, with one line each."""
    problems = run.manifest.get("application_problems", {})
    return {part.name: str(problems[part.name]) for part in run.plan.applications if part.name in problems}


def _no_score(rows: pd.DataFrame) -> tuple[str, str, str] | None:
    scores = rows[rows.kind == "score"]
    if scores.empty or np.isfinite(scores.score.to_numpy(float)).any():
        return None
    return (
        "The model gives no finite score",
        f"None of {len(scores):,} scores is a finite number.",
        "Hypothesis: the weights hold values that are not finite, or overflow on the way through the model.",
    )


def _no_explanation(run: Run, rows: pd.DataFrame) -> tuple[str, str, str] | None:
    explained = rows[rows.kind == "method"]
    if not run.plan.methods or (explained.status == "ok").any():
        return None
    if explained.empty:
        given = set(run.manifest.get("applications", {}))
        if given or not run.progress().done:
            return None
        return (
            "Nothing was explained",
            "No method of the plan could explain this model with these texts, and no application gave a result.",
            "The report names for each method what the model lacks.",
        )
    reasons = [str(line) for line in explained.message.dropna().unique()[:NAMED]]
    return (
        "No explanation worked",
        f"All {len(explained):,} explanations of {explained.image.nunique()} images failed. {'; '.join(reasons)}",
        "Named above; if every method fails, the model itself is the likely cause.",
    )


def _no_dependence(rows: pd.DataFrame) -> tuple[str, str, str] | None:
    scores = rows[(rows.kind == "score") & rows.score.notna()]
    if len(scores) < 2:
        return None
    values = scores.score.to_numpy(float)
    cause = "Hypothesis: weights that are zero, constant or from another model, or preprocessing that blanks the image."
    if (values == 0).all():
        return "Every score is zero", f"All {len(scores):,} scores are exactly 0.", cause
    for by, over, what in ((["text", "text_kind"], "image", "image"), (["image"], "text", "text")):
        spread = scores.groupby(by, dropna=False).agg(width=("score", np.ptp), different=(over, "nunique"))
        spread = spread[spread.different > 1]
        if len(spread) and float(spread.width.max()) <= _SAME:
            told = f"In {len(scores):,} scores the largest difference between two {what}s is {spread.width.max():.1g}."
            return f"The scores do not depend on the {what}", told, cause
    return None


def _counts(rows: pd.DataFrame, images: int) -> tuple[Number, ...]:
    explained, scores = rows[rows.kind == "method"], rows[rows.kind == "score"]
    parts: dict[str, Any] = {
        "explanations that worked": int((explained.status == "ok").sum()),
        "explanations planned": len(explained),
        "finite scores": int(np.isfinite(scores.score.to_numpy(float)).sum()),
        "scores": len(scores),
    }
    return tuple(Number(name=name, value=float(count), n=images, unit="rows") for name, count in parts.items())


def _more(count: int) -> str:
    return f"; and {count - NAMED} more" if count > NAMED else ""
