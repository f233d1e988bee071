"""Rules on the audit itself: work that failed or is missing, and audits without any result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from core.applications.registry import application_info
from core.content.words import plural
from core.languages import say
from core.rules import Context, Number, Outcome, Rule, Wording
from core.rules.parts import NAMED, title_of
from core.rules.quantity import Quantity
from core.runs import Run

NOTHING = "run.nothing"
# Cosines are float32: a difference below this is rounding.
_SAME = 1e-6
FAILED_SHARE = Quantity("share of explanations that failed", counted="explanations")
LOST = Quantity("images without results", "images")
FAILED_METHODS = Quantity("methods that failed on every image")
FAILED_APPLICATIONS = Quantity("applications that failed")
ROWS = Quantity("{name}", "rows")


def empty_audit(context: Context) -> Iterator[Outcome]:
    """Scores that are not finite or do not depend on image and text, or not a single explanation."""
    rows = context.rows(("image", "text", "text_kind", "kind", "status", "score", "message"))
    case = _no_score(rows) or _no_explanation(context.run, rows) or _no_dependence(rows)
    if case is not None:
        images = context.summary.images
        wording, values = case
        yield Outcome(
            "finding", n=images, likelihood=1.0, wording=wording, values=values, evidence=_counts(rows, images)
        )


def missing_work(context: Context) -> Iterator[Outcome]:
    """The share of explanations that failed and of images without results, whichever is larger. All are counted."""
    run, progress = context.run, context.run.progress()
    rows = context.rows(("kind", "status"))
    rows = rows[rows.kind == "method"]
    total, failed = len(rows), int((rows.status == "failed").sum())
    images = progress.images_total
    lost = images - progress.images_done
    parts = failed / total if total else 0.0, lost / images if images else 0.0
    outcome: dict[str, Any] = dict(
        n=images,
        values={"total": total, "failed": failed, "lost": lost, "images": images},
        evidence=(
            FAILED_SHARE.at(failed / total if total else None, total),
            LOST.at(float(lost), images),
        ),
    )
    if not total and not lost:
        yield Outcome("cannot_conclude", **outcome)
        return
    if max(parts) > float(context.thresholds["run.failures.most_share"]):
        reasons = {str(unit["error"]) for unit in run.store.units() if unit["error"]}
        reasons |= set(context.summary.failures.message.dropna())
        outcome["values"]["reasons"] = "; ".join(sorted(reasons)[:NAMED])
        yield Outcome("finding", likelihood=max(parts), **outcome)
        return
    # Failures beside the explanations have a rule of their own.
    complete = "explained" if failed_applications(run) else "passed"
    yield Outcome("passed", wording="within" if failed or lost else complete, **outcome)


def failed_methods(context: Context) -> Iterator[Outcome]:
    """Methods that failed on every image. Nothing is returned where every method failed: see `run.nothing`."""
    rows = context.rows(("image", "kind", "method", "status"))
    rows = rows[rows.kind == "method"]
    working = set(rows[rows.status == "ok"].method)
    planned = list(dict.fromkeys(rows.method))
    failed = [name for name in planned if name not in working]
    if not working or not failed:
        return
    images = int(rows[rows.method.isin(failed)].image.nunique())
    first = context.summary.failures.drop_duplicates("method").set_index("method").message
    yield Outcome(
        "finding",
        n=images,
        likelihood=1.0,
        values={
            "failed": len(failed),
            "planned": plural(len(planned), "method"),
            "images": plural(images, "image"),
            "reasons": _listed(
                [f"{title_of(name)}: {first.get(name, say('no reason was recorded'))}" for name in failed],
            ),
        },
        evidence=(FAILED_METHODS.at(float(len(failed)), images),),
    )


def failed_parts(context: Context) -> Iterator[Outcome]:
    """Applications that failed. One that the model cannot serve did not."""
    problems = failed_applications(context.run)
    if not problems:
        return
    images = len(context.run.plan.images)
    yield Outcome(
        "finding",
        n=images,
        likelihood=1.0,
        values={
            "failed": len(problems),
            "planned": plural(len(context.run.plan.applications), "application"),
            "reasons": _listed([f"{say(application_info(name).title)}: {line}" for name, line in problems.items()]),
        },
        evidence=(FAILED_APPLICATIONS.at(float(len(problems)), images),),
    )


def failed_applications(run: Run) -> dict[str, str]:
    """The planned applications that failed, with one line each."""
    problems = run.manifest.get("application_problems", {})
    return {part.name: str(problems[part.name]) for part in run.plan.applications if part.name in problems}


Case = tuple[str, dict[str, Any]]


def _no_score(rows: pd.DataFrame) -> Case | None:
    scores = rows[rows.kind == "score"]
    if scores.empty or np.isfinite(scores.score.to_numpy(float)).any():
        return None
    return "no score", {"scores": len(scores)}


def _no_explanation(run: Run, rows: pd.DataFrame) -> Case | None:
    explained = rows[rows.kind == "method"]
    if not run.plan.methods or (explained.status == "ok").any():
        return None
    if explained.empty:
        done = run.progress().done and not run.manifest.get("applications", {})
        return ("nothing explained", {}) if done else None
    reasons = [str(line) for line in explained.message.dropna().unique()[:NAMED]]
    return (
        "no explanation",
        {"total": len(explained), "images": explained.image.nunique(), "reasons": "; ".join(reasons)},
    )


def _no_dependence(rows: pd.DataFrame) -> Case | None:
    scores = rows[(rows.kind == "score") & rows.score.notna()]
    if len(scores) < 2:
        return None
    if (scores.score.to_numpy(float) == 0).all():
        return "zero", {"scores": len(scores)}
    for by, over in ((["text", "text_kind"], "image"), (["image"], "text")):
        spread = scores.groupby(by, dropna=False).agg(width=("score", np.ptp), different=(over, "nunique"))
        spread = spread[spread.different > 1]
        if len(spread) and float(spread.width.max()) <= _SAME:
            return "same", {
                "scores": len(scores),
                "over": say("image") if over == "image" else say("text"),
                "width": float(spread.width.max()),
            }
    return None


def _counts(rows: pd.DataFrame, images: int) -> tuple[Number, ...]:
    explained, scores = rows[rows.kind == "method"], rows[rows.kind == "score"]
    counts = {
        "explanations that worked": int((explained.status == "ok").sum()),
        "explanations planned": len(explained),
        "finite scores": int(np.isfinite(scores.score.to_numpy(float)).sum()),
        "scores": len(scores),
    }
    return tuple(ROWS.at(float(count), images, name=name) for name, count in counts.items())


def _listed(lines: list[str]) -> str:
    more = say("; and {count} more", count=len(lines) - NAMED) if len(lines) > NAMED else ""
    return "; ".join(lines[:NAMED]) + more


EMPTY = Rule(
    id=NOTHING,
    subject="run",
    question="Are there results to judge: explanations, and finite scores that depend on image and text?",
    criterion="At least one explanation works; scores are finite numbers that depend on the image and the text.",
    measure=empty_audit,
    wordings={
        "no score": Wording("The model gives no finite score", "None of {scores:,} scores is a finite number."),
        "nothing explained": Wording(
            "Nothing was explained",
            "No method of the plan could explain this model with these texts, and no application gave a result.",
        ),
        "no explanation": Wording(
            "No explanation worked", "All {total:,} explanations of {images} images failed. {reasons}"
        ),
        "zero": Wording("Every score is zero", "All {scores:,} scores are exactly 0."),
        "same": Wording(
            "The scores do not depend on the {over}",
            "In {scores:,} scores the largest difference between two {over}s is {width:.1g}.",
        ),
    },
    cause="Hypothesis: weights that are zero, constant, not finite or from another model, or preprocessing that blanks "
    "the image. For each method the report names what the model lacks.",
    effect="This audit supports no statement about the model. That it has few other findings means nothing.",
    recommendation="Check the weights, the configuration and the preprocessing, and repeat the audit.",
)
FAILURES = Rule(
    id="run.failures",
    subject="run",
    question="Was all planned work done?",
    criterion="At most {most_share:.0%} of the planned explanations fail, and at most {most_share:.0%} of the images "
    "have no result. All are counted.",
    measure=missing_work,
    thresholds=("run.failures.most_share",),
    wordings={
        "finding": Wording(
            "Part of the planned work is missing",
            "Images without a result: {lost} of {images}. Explanations that failed: {failed} of {total}. {reasons}",
        ),
        "passed": Wording("All planned work was done", "{total} explanations of {images} images; none failed."),
        "explained": Wording("No explanation failed", "{total} explanations of {images} images; none failed."),
        "within": Wording(
            "Little of the planned work is missing",
            "Images without a result: {lost} of {images}. Explanations that failed: {failed} of {total}.",
        ),
        "cannot_conclude": Wording(
            "Nothing was explained", "No method of the plan could explain this model with these texts."
        ),
    },
    cause="Given in the run log.",
    effect="The missing results may differ from those that were measured.",
    recommendation="Resume the run; failures that remain are listed in the run log.",
    reproduce="python -m core resume RUN",
)
METHODS = Rule(
    id="run.methods",
    subject="run",
    question="Is there a method that failed on every image?",
    criterion="Every method that the model can serve explains at least one image.",
    measure=failed_methods,
    wordings={
        "finding": Wording(
            "{failed} of {planned} failed on every image", "No explanation was obtained for any of {images}. {reasons}"
        )
    },
    cause="Given above for each method.",
    effect="The results of these methods are missing.",
    recommendation="Correct the cause and repeat the audit, or leave these methods out.",
)
APPLICATIONS = Rule(
    id="run.applications",
    subject="run",
    question="Is there an application that failed?",
    criterion="Every planned application that the model can serve gives its results.",
    measure=failed_parts,
    wordings={"finding": Wording("{failed} of {planned} failed", "{reasons}")},
    cause="Given above for each application.",
    effect="The results of these applications are missing.",
    recommendation="Correct the cause and resume the run: applications that failed are run again.",
)
