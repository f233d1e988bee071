"""The rules on predictions: how many are implausible, and their accuracy by a spot check and by labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from core.applications.predictions.labels import (
    Labelled,
    absorbing,
    labels_of,
    largest_confusions,
    least_right,
    wrong_first,
)
from core.applications.predictions.measures import (
    contradicted_share,
    implausible_share,
    least_error,
    listed,
    plausible,
    reasons,
    share_without_captions,
    signals_against,
)
from core.applications.predictions.record import PredictionRow, PredictionsRecord
from core.applications.predictions.score import without_captions
from core.applications.spot_check import accuracy, spot_check_of
from core.languages import say, typeset
from core.rules import Context, Outcome, Rule, Sample, Wording
from core.rules.decision import decision, status_of
from core.rules.parts import SAMPLES
from core.rules.power import Against
from core.rules.quantity import Quantity
from core.rules.writing import NONE, in_words
from core.runs.rows import typed
from core.runs.spot_check import counts
from core.statistics import Interval

IMPLAUSIBLE_SHARE = Quantity("share of images with an implausible prediction")
BARE = Quantity("share of images with an implausible prediction by the signals other than the caption")
CONTRADICTED = Quantity("share of captions that name another class, of those that name any")
LEAST_ERROR = Quantity("lower bound of the error rate if classes are mutually exclusive")
RIGHT = Quantity("share of labelled images whose predicted class is the label")
MARKED = Quantity("accuracy if every image without a clear mark is {side}")


def implausible_predictions(context: Context) -> Iterator[Outcome]:
    """The share of images with an implausible prediction."""
    record = context.record(PredictionsRecord.of_run)
    if record is None:
        return
    most = float(context.thresholds["predictions.implausible.most_share"])
    least_n = int(context.thresholds["general.least_images"])
    share, contradicted, bound = implausible_share(record), contradicted_share(record), least_error(record)
    bare, known = share_without_captions(record), context.record(labels_of)
    verdict = status_of([decision(share, most, at_most=True, least_n=least_n)])
    alone = decision(bare, most, at_most=True, least_n=least_n)
    finding = verdict == "finding"
    assert share.value is not None
    rows = record.predictions
    counted: dict[str, Any] = {
        "count": int(rows["implausible"].sum()),
        "contradicted": int((rows["implausible"] & (rows["relation"] == "other")).sum()),
        "rest": int((rows["implausible"] & (rows["relation"] != "other")).sum()),
        "signals": signals_against(record),
        "named": contradicted.n,
        "without": int(rows["relation"].isin(["", "none"]).sum()),
        "known": _known(known, record),
        "bare": _share(int(without_captions(rows).sum()), bare) if contradicted.n else say(NONE),
        "inspect": say(_INSPECT if known is None else _LABELLED),
    }
    evidence = [IMPLAUSIBLE_SHARE.of(share)]
    if contradicted.n:
        evidence.append(BARE.of(bare))
        evidence.append(CONTRADICTED.of(contradicted))
    if bound.n:
        evidence.append(LEAST_ERROR.of(bound))
    yield Outcome(
        verdict,
        n=share.n,
        likelihood=share.value,
        wording="captions" if finding and alone != "fails" else "",
        values={**vars(share), **counted},
        evidence=tuple(evidence),
        against=Against(most, percent=True, counts=True),
        samples=_samples(listed(record).head(SAMPLES)) if finding else (),
        counter=_samples(plausible(record).head(SAMPLES)) if finding else (),
    )


def _share(count: int, share: Interval) -> str:
    return typeset(say("{count} of {n}, {value:.0%} [{low:.0%}, {high:.0%}]", count=count, **vars(share)))


def _known(known: Labelled | None, record: PredictionsRecord) -> str:
    """How many of the implausible predictions are wrong, where labels state it."""
    if known is None:
        return say("Implausible predictions are not counted errors: a spot check estimates how many are wrong.")
    rows = known.rows.merge(record.predictions[["image", "implausible"]], on="image")
    parts = [rows[rows["implausible"]], rows[~rows["implausible"]]]
    wrong = [say("{part} of {whole}", part=int((~part["right"]).sum()), whole=len(part)) for part in parts]
    return say(
        "By the labels, {implausible} implausible and {other} other predictions are wrong.",
        implausible=wrong[0],
        other=wrong[1],
    )


def _samples(rows: pd.DataFrame) -> tuple[Sample, ...]:
    return tuple(
        Sample(image=row.image, image_name=row.image_name, text=row.predicted, note=reasons(row))
        for row in typed(rows, PredictionRow)
    )


_COUNTED = (
    "The predicted class is implausible for {count} of {n} images: {value:.0%} [{low:.0%}, {high:.0%}]. For "
    "{contradicted} of them the caption names another class of the list and not the predicted one. "
)
_BARE = "By the other signals alone, without the captions, images that would be implausible: {bare}. "
_AGAINST = "Signals against the other {rest}, several of which can apply to one image: {signals}."
_INSPECT = "then estimate the accuracy by a spot check (python -m core spot-check RUN --sheet)"  # messages
_LABELLED = "then see which of them the labels call wrong"  # messages
IMPLAUSIBLE = Rule(
    id="predictions.implausible",
    subject="model",
    question="Are the predicted classes plausible?",
    criterion="At most {most_share:.0%} of the images have an implausible prediction, that is, a score of "
    "implausibility above one half; the whole 95 % interval decides.",
    measure=implausible_predictions,
    thresholds=("predictions.implausible.most_share",),
    wordings={
        "finding": Wording(
            "{count} of {n} images have an implausible prediction",
            _COUNTED + _BARE + _AGAINST,
        ),
        "captions": Wording(
            "{count} of {n} images have an implausible prediction, mainly because the caption names another class",
            _COUNTED + _BARE + "Without the captions this would not be a finding: it holds only as far as the captions "
            "name what is visible. " + _AGAINST,
        ),
        "passed": Wording(
            "Predictions are plausible",
            "The predicted class is implausible for {count} of {n} images: {value:.0%} [{low:.0%}, {high:.0%}]. "
            + _BARE
            + "A model that is wrong with confidence can look plausible where captions name no class; that holds for "
            "{without} images.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: whether predictions are plausible",
            "The predicted class is implausible for {count} of {n} images: {value:.0%} [{low:.0%}, {high:.0%}]. "
            + _BARE
            + "The interval contains the limit, or there are too few images.",
        ),
    },
    cause="Hypothesis: the model does not distinguish some of these classes, the list lacks the class of some images, "
    "or captions name something else that is visible.",
    effect="Decisions based on these predictions may be wrong. {known}",
    recommendation="Inspect the images with implausible predictions, {inspect}. Add missing classes to the list, or "
    "do not use the model for the classes concerned.",
    samples="the least plausible predictions",
    counter="the most plausible predictions",
)


def spot_checked_accuracy(context: Context) -> Iterator[Outcome]:
    """The accuracy of the predicted classes by a spot check; nothing if none was marked."""
    check = context.record(spot_check_of)
    if check is None or not check.marks:
        return
    least = float(context.thresholds["predictions.accuracy.least_share"])
    least_n = int(context.thresholds["general.least_images"])
    verdicts = check.together()
    estimate = accuracy(check, verdicts)
    interval = estimate.interval
    verdict = status_of([decision(interval, least, at_most=False, least_n=least_n)])
    finding = verdict == "finding"
    given = counts(verdicts.values())
    wrong = [entry for entry in check.sample if verdicts.get(entry.image) == "wrong"]
    right = [entry for entry in check.sample if verdicts.get(entry.image) == "right"]
    yield Outcome(
        verdict,
        n=estimate.marked,
        likelihood=1 - (interval.value or 0.0),
        values={
            **vars(interval),
            **given,
            "marked": estimate.marked,
            "drawn": estimate.n,
            "population": check.population,
            "open": given["unsure"] + estimate.n - estimate.marked,
            "judges": in_words(check.judges),
            "lower": estimate.least.value,
            "upper": estimate.most.value,
        },
        evidence=(
            MARKED.of(estimate.least, side=say("wrong")),
            MARKED.of(estimate.most, side=say("right")),
        ),
        samples=tuple(_marked(entry, say("marked as wrong")) for entry in wrong[:SAMPLES]) if finding else (),
        counter=tuple(_marked(entry, say("marked as right")) for entry in right[:SAMPLES]) if finding else (),
    )


def _marked(entry: Any, note: str) -> Sample:
    return Sample(image=entry.image, image_name=entry.image_name, text=entry.statement, note=note)


_ESTIMATE = (
    "{drawn} of {population} images were drawn at random, stratified by plausibility and class; {judges} marked "
    "{marked}: {right} right, {wrong} wrong, {unsure} unsure. The accuracy over all images lies between {lower:.0%} "
    "and {upper:.0%}, depending on the {open} images without a clear mark; with sampling error [{low:.0%}, {high:.0%}]."
)
ACCURACY = Rule(
    id="predictions.accuracy",
    subject="model",
    question="How many predicted classes are right, by a spot check?",
    criterion="The accuracy of the predicted classes, estimated from a stratified random sample that people marked, is "
    "at least {least_share:.0%}; the whole 95 % interval decides, with images without a clear mark counted both ways.",
    measure=spot_checked_accuracy,
    thresholds=("predictions.accuracy.least_share",),
    wordings={
        "finding": Wording("By a spot check at most {high:.0%} of the predictions are right", _ESTIMATE),
        "passed": Wording("By a spot check at least {low:.0%} of the predictions are right", _ESTIMATE),
        "cannot_conclude": Wording(
            "Inconclusive: whether enough predictions are right",
            _ESTIMATE + " The interval contains the limit, or too few images are marked. Mark the remaining images, or "
            "draw a larger sample.",
        ),
    },
    cause="Hypothesis: the model does not recognise some of these classes, or the list lacks the class of some images.",
    effect="Decisions that rest on the predicted class may be wrong.",
    recommendation="Do not use the predicted class without a check by a person where errors matter; see which classes "
    "the errors concern.",
    samples="images that were marked as wrong, in random order",
    counter="images that were marked as right, in random order",
    reproduce="python -m core spot-check RUN && python -m core report RUN",
    view="spot-check",
)


def labelled_accuracy(context: Context) -> Iterator[Outcome]:
    """The accuracy of the predicted classes by the label column; nothing where no image has a label."""
    record = context.record(PredictionsRecord.of_run)
    known = context.record(labels_of)
    if record is None or known is None:
        return
    least = float(context.thresholds["predictions.labels.least_share"])
    share, rows = known.accuracy, known.rows
    decided = decision(share, least, at_most=False, least_n=int(context.thresholds["general.least_images"]))
    finding = decided == "fails"
    yield Outcome(
        status_of([decided]),
        n=share.n,
        likelihood=1 - (share.value or 0.0),
        values={
            **vars(share),
            "right": int(rows["right"].sum()),
            "wrong": int((~rows["right"]).sum()),
            "column": known.column,
            "worst": least_right(known),
            "confusions": largest_confusions(known),
            "absorbing": absorbing(known),
            "others": (
                _without_label(known.others) if known.others else say("Every image has a label among the candidates.")
            ),
        },
        evidence=(RIGHT.of(share),),
        against=Against(least, at_most=False, percent=True, counts=True),
        samples=_labelled(wrong_first(known)) if finding else (),
        counter=_labelled(rows[rows["right"]]) if finding else (),
    )


def _without_label(count: int) -> str:
    if count == 1:
        return say("1 image has no label among the candidates and is not counted.")
    return say("{count:,} images have no label among the candidates and are not counted.", count=count)


def _labelled(rows: pd.DataFrame) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            image=row.image, image_name=row.image_name, text=row.predicted, note=say("label: {label}", label=row.label)
        )
        for row in rows.head(SAMPLES).itertuples()
    )


_BY_LABELS = (
    "The predicted class is the label in the metadata column {column} for {right} of {n} images: {value:.0%} "
    "[{low:.0%}, {high:.0%}]. {others} Label with the lowest share of right predictions: {worst}. Most frequent "
    "errors: {confusions}. Class that is most often predicted wrongly: {absorbing}."
)
LABELS = Rule(
    id="predictions.labels",
    subject="model",
    question="How many predicted classes are right, by the labels of the dataset?",
    criterion="The predicted class is the label for at least {least_share:.0%} of the images that have a label among "
    "the candidates; the whole 95 % interval decides. Labels are taken as the truth.",
    measure=labelled_accuracy,
    thresholds=("predictions.labels.least_share", "general.least_images"),
    wordings={
        "finding": Wording("{wrong} of {n} predictions contradict the labels", _BY_LABELS),
        "passed": Wording("{right} of {n} predictions agree with the labels", _BY_LABELS),
        "cannot_conclude": Wording(
            "Inconclusive: whether enough predictions are right by the labels",
            _BY_LABELS + " The interval contains the limit, or there are too few labelled images.",
        ),
    },
    cause="Hypothesis: the model does not distinguish some of these classes, labels are wrong, or several classes fit "
    "an image that has one label.",
    effect="Decisions that rest on the predicted class may be wrong.",
    recommendation="Do not use the predicted class without a check by a person where errors matter, above all "
    "between classes that are confused. Check whether the labels themselves are right: the annex on predictions "
    "lists the agreement by label, the errors and every wrong prediction.",
    samples="images whose predicted class is not the label, those of the label with the least agreement first",
    counter="the first images, in the order of the dataset, whose predicted class is the label",
    view="classes",
)
RULES = (IMPLAUSIBLE, ACCURACY, LABELS)
