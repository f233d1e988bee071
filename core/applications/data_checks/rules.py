"""Rules on images: quality, copies, images of another kind. Those on drift and texts have files of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.applications.data_checks.drift_rules import DRIFT
from core.applications.data_checks.kinds import LEAST_GROUP, LIMIT, SIGNALS
from core.applications.data_checks.measures import copy_groups, issues
from core.applications.data_checks.record import DataRecord
from core.applications.data_checks.text_rules import TEXT_RULES
from core.content.words import percent
from core.languages import say
from core.rules import Context, Outcome, Rule, Sample, Wording
from core.rules.parts import NAMED, SAMPLES
from core.rules.quantity import Quantity

ISSUE = Quantity("share of images: {issue}")
REPEATED = Quantity("share of images that repeat another one")
OTHER = Quantity("images of another kind")


def quality(context: Context) -> Iterator[Outcome]:
    """The share of images with each kind of issue: a count of all images, not a sample."""
    record = context.record(DataRecord.of_run)
    if record is None:
        return
    n, most = len(record.images), float(context.thresholds["data.quality.most_share"])
    every = issues(record)
    beyond = sorted((issue for issue in every if issue.share > most), key=lambda issue: -issue.share)
    present = [issue for issue in every if issue.count]
    concerned = {image for issue in beyond for image in issue.images["image"]}
    yield Outcome(
        "finding" if beyond else "passed",
        n=n,
        likelihood=len(concerned) / max(n, 1),
        wording="" if beyond or present else "none",
        values={
            "n": n,
            "kinds": ", ".join(say(issue.name) for issue in beyond),
            "listed": "; ".join(f"{say(issue.name)} {issue.count} ({percent(issue.share)})" for issue in present),
        },
        evidence=tuple(ISSUE.at(issue.share, n, issue=issue.name) for issue in (beyond or every)[:NAMED]),
        samples=tuple(
            _sample(row, say(issue.name)) for issue in beyond for row in issue.images.head(SAMPLES).itertuples()
        )[:SAMPLES],
        counter=tuple(
            _sample(row, say("no issue")) for row in record.images[~record.images["image"].isin(concerned)].itertuples()
        )[:SAMPLES]
        if beyond
        else (),
    )


def duplicates(context: Context) -> Iterator[Outcome]:
    """The share of images that repeat another one: a count of all images, not a sample."""
    record = context.record(DataRecord.of_run)
    if record is None:
        return
    groups, n = copy_groups(record), len(record.images)
    extra = sum(len(group.images) - 1 for group in groups)
    share = extra / max(n, 1)
    finding = share > float(context.thresholds["data.duplicates.most_share"])
    exact = sum(entry.kind == "exact" for entry in context.run.dataset.duplicates)
    rest = say("; and {count} more", count=len(groups) - NAMED) if len(groups) > NAMED else ""
    yield Outcome(
        "finding" if finding else "passed",
        n=n,
        likelihood=share,
        wording="" if finding or groups else "none",
        values={
            "n": n,
            "extra": extra,
            "share": share,
            "groups": len(groups),
            "exact": exact,
            "listed": "; ".join(" = ".join(group.names) for group in groups[:NAMED]) + rest,
        },
        evidence=(REPEATED.at(share, n),),
        samples=tuple(
            Sample(
                image=image,
                image_name=name,
                note=say("group {group}, correlation {value:.2f}", group=at + 1, value=group.correlation),
            )
            for at, group in enumerate(groups)
            for image, name in zip(group.images[:2], group.names[:2], strict=True)
        )[: 2 * SAMPLES]
        if finding
        else (),
    )


def other_kinds(context: Context) -> Iterator[Outcome]:
    """Groups of images of another kind than the rest."""
    record = context.record(DataRecord.of_run)
    if record is None:
        return
    n, rows = len(record.images), record.kinds
    if n < int(context.thresholds["general.least_images"]):
        yield Outcome("cannot_conclude", n=n, wording="few", values={"n": n})
        return
    first = rows[rows["group"] == rows["group"].min()]
    yield Outcome(
        "finding" if len(rows) else "passed",
        n=n,
        likelihood=len(rows) / n,
        values={
            "n": n,
            "count": len(rows),
            "groups": rows["group"].nunique(),
            "signal": say(SIGNALS.get(str(first["signal"].iloc[0]), "")) if len(rows) else "",
            "z": float(first["z"].mean()) if len(rows) else 0.0,
            "names": ", ".join(rows["image_name"].head(2 * NAMED)) + (", …" if len(rows) > 2 * NAMED else ""),
        },
        evidence=(OTHER.at(float(len(rows)), n),),
        samples=tuple(
            _sample(row, say("{signal}, robust z {value:+.1f}", signal=say(SIGNALS[row.signal]), value=row.z))
            for row in rows.head(SAMPLES).itertuples()
        ),
    )


def _sample(row: Any, note: str) -> Sample:
    return Sample(image=row.image, image_name=row.image_name, note=note)


QUALITY = Rule(
    id="data.quality",
    subject="data",
    question="Are there images that are dark, bright, blurred, nearly empty, grey, or of an odd size or shape?",
    criterion="Each kind of issue concerns at most {most_share:.0%} of the images. All images are counted; the "
    "definitions are those of cleanvision 0.3.7.",
    measure=quality,
    thresholds=("data.quality.most_share",),
    wordings={
        "finding": Wording(
            "Many images have issues: {kinds}",
            "The issues among {n} images are: {listed}. An image may have several.",
        ),
        "passed": Wording("Few images have issues", "The issues among {n} images are: {listed}."),
        "none": Wording("No image has an issue", "None of {n} images is dark, bright, blurred, nearly empty or odd."),
    },
    cause="Hypothesis: another camera, exposure or processing; or scenes that look so by nature.",
    effect="Scores of such images may be low for a reason that has nothing to do with their content.",
    recommendation="Inspect the listed images; audit them separately or exclude them, and report this.",
    samples="the first images by name of each kind of issue beyond the limit",
    counter="the first images without such an issue",
)
DUPLICATES = Rule(
    id="data.duplicates",
    subject="data",
    question="Are the images different from each other, as intervals assume?",
    criterion="At most {most_share:.0%} of the images repeat another one: their reduced pixels, aligned over parts of "
    "80 to 100 % of the sides, correlate by at least 0.9. Images of one scene from different viewpoints are not "
    "detected in this way.",
    measure=duplicates,
    thresholds=("data.duplicates.most_share",),
    wordings={
        "finding": Wording(
            "Images that repeat another one: {extra} of {n}",
            "Copies of another image: {extra} ({share:.0%}); groups of copies: {groups} ({listed}). Exact duplicates, "
            "each audited once only: {exact}.",
        ),
        "passed": Wording(
            "Few images repeat another one",
            "Copies of another image: {extra} of {n}; groups of copies: {groups} ({listed}). Exact duplicates, each "
            "audited once only: {exact}.",
        ),
        "none": Wording(
            "No image repeats another one",
            "No copy was detected among {n} images. Exact duplicates, each audited once only: {exact}.",
        ),
    },
    cause="Hypothesis: frames of one scene, or several saved copies.",
    effect="Intervals treat images as independent and are too narrow.",
    recommendation="Keep one image of each group and repeat the audit.",
    samples="two images of each group, the largest groups first",
)
OUTLIERS = Rule(
    id="data.outliers",
    subject="data",
    question="Are there images of another kind than the rest, such as scans or drawings among photographs?",
    criterion=f"No group of at least {LEAST_GROUP} images lies more than {LIMIT:g} robust standard deviations from "
    "the median in colour, number of colours, even area or fineness of texture while its images are nearest to each "
    "other in the model's embedding. All images are counted.",
    measure=other_kinds,
    thresholds=("general.least_images",),
    wordings={
        "finding": Wording(
            "{count} of {n} images are of another kind than the rest",
            "{names}. Groups: {groups}. The images of the first group are nearest to each other in the model's "
            "embedding and differ from the rest above all in {signal} (mean robust z {z:+.1f}).",
        ),
        "passed": Wording(
            "No group of images differs in kind from the rest",
            "Among {n} images, no group differs from the rest in colours or texture and lies together in "
            "the model's embedding.",
        ),
        "few": Wording(
            "Inconclusive: too few images to compare kinds of images",
            "Only {n} images were measured; at least {least_images} are needed.",
        ),
    },
    cause="Hypothesis: another source than the one that the texts were made for: scans, drawings, screenshots.",
    effect="Scores of such images have a different meaning, and averages mix both kinds.",
    recommendation="Examine them; audit them separately or exclude them, and report this.",
    samples="the first images of the group",
)
RULES = (QUALITY, DUPLICATES, OUTLIERS, DRIFT, *TEXT_RULES)
