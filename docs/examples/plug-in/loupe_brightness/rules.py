"""A rule over any run. It never loads torch; its thresholds stand in `limits.toml` beside it."""

from __future__ import annotations

from collections.abc import Iterator

from core.rules import Context, Outcome, Rule, Wording
from core.rules.quantity import Quantity

CAPTIONED = Quantity("share of images with a caption", "share")


def captioned(context: Context) -> Iterator[Outcome]:
    """The share of the audited images that have a caption; no interval is needed where every image is counted."""
    planned = set(context.run.plan.images)
    images = [image for image in context.run.dataset.images if image.id in planned]
    share = sum(bool(image.captions) for image in images) / len(images)
    verdict = "finding" if share < context.thresholds["captioned.least"] else "passed"
    measured = CAPTIONED.at(share, len(images))
    yield Outcome(verdict, n=len(images), likelihood=1 - share, values={"share": share}, evidence=(measured,))


RULES = (
    Rule(
        id="captioned.images",
        subject="data",
        question="Do the images have captions?",
        criterion="At least {least:.0%} of the images have a caption.",
        measure=captioned,
        thresholds=("captioned.least",),
        wordings={
            "finding": Wording("Images lack captions", "{share:.0%} of the images have a caption."),
            "passed": Wording("The images have captions", "{share:.0%} of the images have a caption."),
        },
        cause="The table of the images has no caption for them.",
        effect="What the images show can be explained with prompts alone.",
        recommendation="Add captions to the table.",
    ),
)
