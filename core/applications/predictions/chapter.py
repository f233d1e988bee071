"""The predictions of a run and their spot check, in the report. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.applications.predictions.labels import (
    Labelled,
    by_label,
    confusions,
    labels_of,
    largest_confusions,
    least_right,
    wrong_first,
)
from core.applications.predictions.measures import (
    by_class,
    contradicted_share,
    implausible_share,
    least_error,
    listed,
    share_without_captions,
)
from core.applications.predictions.record import PredictionRow, PredictionsRecord
from core.applications.predictions.score import weights_sentence
from core.applications.predictions.tables import (
    AGREEMENT,
    BY_LABEL,
    CLASSES,
    CONFUSIONS,
    JUDGES,
    LISTED,
    STRATA,
    WRONG,
    matrix,
)
from core.applications.spot_check import Accuracy, accuracy, agreements, spot_check_of
from core.content.context import ReportContext
from core.content.heat import fit
from core.content.parts import Fact, Heat, Section, Table
from core.content.words import measured, percent, plural, rest_of, shorten
from core.languages import localised, say
from core.runs.rows import typed
from core.runs.spot_check import PROTOCOL, SpotCheck, counts

PRINTED, SHEET, SIDE = 20, 9, 240
# A table of up to `LONGEST` rows stands whole in the body; an annex prints no more than `MOST`; a table of labels by
# classes has at most `MOST_CLASSES` of each.
LONGEST, MOST, MOST_CLASSES = 40, 500, 14
SOURCE = PredictionsRecord.file_of("predictions")
HOW = (
    "The predicted class is the one with the highest similarity. The score of implausibility, from 0 to 1, combines "
    "what the caption names, how clear the decision between the classes is, the agreement over small changes of the "
    "image, and the classes of the nearest images. Above one half a prediction counts as implausible.",
    "Implausible does not mean wrong, and plausible does not mean right: the score does not use labels. Labels or a "
    "spot check by people estimate the accuracy.",
)  # messages


@dataclass(frozen=True)
class JudgeRow:
    """What one judge marked, and the accuracy by these marks."""

    name: str
    right: int
    wrong: int
    unsure: int
    accuracy: Accuracy


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What the application `predictions` measured in this run, and its spot check; nothing if it was not computed."""
    record = context.judged.record(PredictionsRecord.of_run)
    if record is None:
        return ()
    parts = [_measured(context, record), _sheet(context, record)]
    check = context.judged.record(spot_check_of)
    if check is not None and check.marks:
        parts.append(spot_check_section(check))
    return tuple(part for part in parts if not part.empty)


def share_sentence(record: PredictionsRecord) -> str:
    """The share of implausible predictions in one sentence."""
    share = implausible_share(record)
    value = measured(share.value, share.low, share.high, share.n)
    return say("Share of images with an implausible prediction: {value}.", value=value)


def label_sentence(known: Labelled | None) -> str:
    """The accuracy by the label column in one or two sentences; empty where no image has a label."""
    if known is None:
        return ""
    share = known.accuracy
    others = ""
    if known.others:
        images = plural(known.others, "image")
        others = " " + say("Left out: {images} without a label among the candidates.", images=images)
    value = measured(share.value, share.low, share.high, share.n)
    told = say(
        "Share of images whose predicted class is the label in the metadata column {column}: {value}.",
        column=known.column,
        value=value,
    )
    return told + others


def _measured(context: ReportContext, record: PredictionsRecord) -> Section:
    about, found = record.about, listed(record)
    facts = [
        Fact("Images", str(about["images"])),
        Fact("Candidates", f"{len(about['classes'])} {say(about['kind'])}"),
        Fact("Changes of each image", ", ".join(say(name) for name in about["disturbances"]) or say("none")),
        Fact("Forward passes of the image tower", localised(f"{about['image_forwards']:g}")),
    ]
    contradicted, bound, bare = contradicted_share(record), least_error(record), share_without_captions(record)
    known = context.judged.record(labels_of)
    results = [share_sentence(record)]
    if contradicted.n:
        value = measured(bare.value, bare.low, bare.high, bare.n)
        results.append(say("By the other signals alone, without the captions, the share is: {value}.", value=value))
        value = measured(contradicted.value, contradicted.low, contradicted.high, contradicted.n)
        results.append(
            say(
                "Of the images whose captions name a class, the share with another predicted class: {value}.",
                value=value,
            )
        )
    if bound.n:
        value = measured(bound.value, bound.low, bound.high, bound.n)
        results.append(
            say(
                "Lower bound of the error on images and their changed copies, from disagreement alone: {value}. It "
                "holds if an image shows one of the classes at most and the changes do not alter it.",
                value=value,
            )
        )
    if by_labels := label_sentence(known):
        results.append(by_labels)
    if known is not None and (named := largest_confusions(known)) != say("none"):
        results.append(say("Most frequent errors by label: {named}.", named=named))
    if known is not None and (worst := least_right(known)) != say("none"):
        results.append(say("Label with the lowest share of right predictions: {worst}.", worst=worst))
    title = say("Implausible predictions, the least plausible first")
    table = LISTED.table(title, found.head(LONGEST), rest_of(len(found), LONGEST, SOURCE), "body")
    if len(found) > LONGEST:
        # The body names the first; the annex has all, so that each can be looked at.
        more = say("All {count:,} are in the annex.", count=len(found))
        table = LISTED.table(title, found.head(PRINTED), more, "body")
    rows = by_class(record)
    classes = CLASSES.table(say("By predicted class"), rows[:PRINTED], rest_of(len(rows), PRINTED, SOURCE))
    tables = (table, classes) if len(found) else (classes,)
    if len(found) > LONGEST:
        tables = (
            *tables,
            LISTED.table(say("All implausible predictions"), found.head(MOST), rest_of(len(found), MOST, SOURCE)),
        )
    if known is not None:
        tables = (*label_tables(known, record), *tables)
    return Section(
        "Plausibility of predictions",
        facts=tuple(facts),
        sentences=(*(say(sentence) for sentence in HOW), weights_sentence()),
        tables=tables,
        results=tuple(results),
    )


def label_tables(known: Labelled, record: PredictionsRecord) -> tuple[Table, ...]:
    """The agreement by label, the confusions, and every wrong prediction."""
    labels, pairs = by_label(known), confusions(known)
    column = known.column
    title = say("By label, least agreement first (metadata column {column})", column=column)
    tables = [BY_LABEL.table(title, labels[:MOST], rest_of(len(labels), MOST, SOURCE))]
    if not pairs:
        return tuple(tables)
    if len(labels) <= MOST_CLASSES and known.rows["predicted"].nunique() <= MOST_CLASSES:
        tables.append(matrix(known))
    else:
        title = say("Confusions, the most images first (metadata column {column})", column=column)
        tables.append(CONFUSIONS.table(title, pairs[:MOST], rest_of(len(pairs), MOST, SOURCE)))
    more = record.predictions[["image", "probability", "implausible"]]
    wrong = wrong_first(known).merge(more, on="image")
    title = say("Wrong predictions, the label with the least agreement first (metadata column {column})", column=column)
    return (*tables, WRONG.table(title, wrong.head(MOST), rest_of(len(wrong), MOST, SOURCE)))


def _sheet(context: ReportContext, record: PredictionsRecord) -> Section:
    """The least plausible predictions with their images; their reasons are in the table above."""
    run, images = context.run, {image.id: image for image in context.run.dataset.images}
    heats = []
    for row in typed(listed(record).head(SHEET), PredictionRow):
        if row.image in images:
            small = fit(run.dataset.open(images[row.image]), SIDE)
            heats.append(
                Heat(
                    context.assets.photo(small),
                    say(
                        "The image {name}, for which the model prefers the class {predicted}",
                        name=row.image_name,
                        predicted=row.predicted,
                    ),
                    shorten(row.image_name, 34),
                    shorten(say("predicted: {predicted}", predicted=row.predicted), 60),
                )
            )
    return Section("Least plausible predictions", heats=tuple(heats))


def judge_rows(check: SpotCheck) -> list[JudgeRow]:
    """One row for each judge, and one for all together if there are several."""
    parts = [(judge, check.verdicts(judge)) for judge in check.judges]
    if len(parts) > 1:
        parts.append((say("together; unsure where they differ"), check.together()))
    return [JudgeRow(name, **counts(given.values()), accuracy=accuracy(check, given)) for name, given in parts]


def accuracy_sentence(check: SpotCheck) -> str:
    """The accuracy by all marks in one or two sentences."""
    estimate = accuracy(check, check.together())
    open_images = estimate.unsure + estimate.n - estimate.marked
    low, high = estimate.interval.low, estimate.interval.high
    assert estimate.least.value is not None and estimate.most.value is not None and low is not None and high is not None
    values = {
        "images": plural(check.population, "image"),
        "least": percent(estimate.least.value),
        "low": percent(low),
        "high": percent(high),
    }
    if not open_images:
        return say(
            "Estimated accuracy over all {images}: {least}, 95 % interval [{low}, {high}], from {marked}.",
            marked=plural(estimate.n, "marked image"),
            **values,
        )
    return say(
        "Estimated accuracy over all {images}: {least} if every image without a clear mark ({open} of {drawn} drawn) "
        "is wrong, {most} if every one is right; with the 95 % sampling error of both, [{low}, {high}].",
        open=open_images,
        drawn=estimate.n,
        most=percent(estimate.most.value),
        **values,
    )


def spot_check_section(check: SpotCheck) -> Section:
    """Accuracy, judges, sampling design."""
    facts = (
        Fact(
            "Sample",
            say(
                "{drawn} of {images}, seed {seed}",
                drawn=len(check.sample),
                images=plural(check.population, "image"),
                seed=check.seed,
            ),
        ),
        Fact(
            "Judges",
            ", ".join(
                f"{judge} ({say('identity verified' if check.is_verified(judge) else 'name as typed')})"
                for judge in check.judges
            ),
        ),
        Fact("Question", say(PROTOCOL)),
    )
    sentences = (
        say(
            "From each stratum a simple random sample was drawn; implausible predictions were drawn with a higher "
            "probability. The estimate weights each image by the inverse of its probability (Horvitz and Thompson, "
            "1952). Its interval is Wilson's on the effective sample size of this design (Korn and Graubard, 1998)."
        ),
    )
    agreement = agreements(check)
    tables = [JUDGES.table(say("Marks and accuracy by judge"), judge_rows(check))]
    if agreement:
        tables.append(AGREEMENT.table(say("Agreement of judges"), agreement))
    tables.append(STRATA.table(say("Sampling design"), check.strata))
    return Section(
        "Accuracy by a spot check",
        facts=facts,
        sentences=sentences,
        tables=tuple(tables),
        results=(accuracy_sentence(check),),
    )
