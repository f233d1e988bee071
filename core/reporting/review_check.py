"""Whether the review log and the earlier run of a bundle are what its manifest and its plan name."""

from __future__ import annotations

from core.errors import LoupeError
from core.findings.earlier import EARLIER, parse_earlier
from core.reporting.binding import Content
from core.reporting.bundle import OpenBundle
from core.runs.review import REVIEW, cut_off, parse_review


def review_problems(bundle: OpenBundle, content: Content, checked: list[str]) -> list[str]:
    """What is wrong with the log and with the findings of the earlier run, one line each; adds what was compared."""
    problems = []
    try:
        data = bundle.read(REVIEW) if REVIEW in bundle.names else b""
        review = parse_review(data, content.plan.digest, content.plan.declared.preparer)
        problem = cut_off(review, content.manifest.get("review"))
        problems += [problem] if problem else []
        if review.entries:
            checked.append(f"{len(review.entries)} entries of the review log with the plan and the manifest")
        if EARLIER in bundle.names:
            parse_earlier(bundle.read(EARLIER), content.plan.digest)
    except LoupeError as error:
        problems.append(str(error))
    return problems
