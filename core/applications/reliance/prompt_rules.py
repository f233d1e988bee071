"""Rules on text around the class: its name printed in the image, and the template of the prompt."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from core.applications.reliance.measures import Share
from core.applications.reliance.record import STICKERS_PART, RelianceRecord, of_run
from core.applications.reliance.susceptibility import Stickers, stickers, template_changes, templates
from core.applications.reliance.verdicts import verdict_of
from core.languages import say, typeset
from core.rules import Context, Outcome, Rule, Sample, Status, Wording
from core.rules.parts import SAMPLES, sample_of
from core.rules.power import Against
from core.rules.quantity import Quantity
from core.statistics.intervals import SHARE

FALL = Quantity("fall of the margin beyond letters", "spreads")
BECOMES = Quantity("images in which the printed name becomes the predicted class")
WITH_LETTERS = Quantity("images in which the same class is predicted with letters")
CLASS_CHANGES = Quantity("images whose predicted class the {by}")
OTHER_CLASS = Quantity("share of other templates that give another predicted class")
SPREAD = Quantity("standard deviation of the score over templates", "spreads")


def _verdict(share: Share, limit: float, context: Context) -> Status | None:
    """The verdict on a share; None where too few images carry it."""
    least_n = int(context.thresholds["general.least_images"])
    if share.n < least_n or share.low is None or share.high is None:
        return None
    return verdict_of(share.low, share.high, share.p, limit, float(context.thresholds["general.significance"]))


def printed_words(context: Context) -> Iterator[Outcome]:
    """How much a printed class name lowers the margin over that class, beyond nonsense letters."""
    record = context.record(of_run)
    if record is None:
        return
    record = record.measured(STICKERS_PART)
    least = float(context.thresholds["reliance.typographic.least_effect"])
    measured = stickers(record, least=least)
    effect = measured.effect
    verdict = _verdict(effect, least, context)
    images = _moved(record)
    above = images["moved"] > least
    yield Outcome(
        verdict or "cannot_conclude",
        wording=verdict or ("few" if len(record.stickers) else "one_class"),
        n=effect.n,
        likelihood=float(above.mean()) if len(images) else 0.0,
        values={**vars(effect), **_fall(effect), **_flips(measured)},
        evidence=(
            FALL.of(effect.interval),
            BECOMES.of(measured.flips),
            WITH_LETTERS.of(measured.letter_flips),
            CLASS_CHANGES.of(measured.changes, by=say("printed name changes")),
            CLASS_CHANGES.of(measured.letter_changes, by=say("letters change")),
        ),
        against=Against(least),
        samples=_stickers(images[above]) if verdict == "finding" else (),
        counter=_stickers(images[~above].iloc[::-1]) if verdict == "finding" else (),
    )


def _fall(fall: Share) -> dict[str, float]:
    """The fall of the margin with its ends, positive where the margin gets smaller. NaN where nothing was measured."""
    value, low, high = (math.nan if end is None else float(end) for end in (fall.value, fall.low, fall.high))
    return {"fall": value, "fall_low": low, "fall_high": high}


def _flips(measured: Stickers) -> dict[str, float | None]:
    return {
        "named": measured.flips.value,
        "named_letters": measured.letter_flips.value,
        "changed": measured.changes.value,
        "changed_letters": measured.letter_changes.value,
    }


def _moved(record: RelianceRecord) -> pd.DataFrame:
    """One row per image: `moved`, the fall of the margin beyond letters in spreads; the largest first."""
    rows = record.stickers[record.stickers["spread"] > 0]
    rows = rows.assign(moved=(rows["with_letters"] - rows["with_word"]) / rows["spread"])
    each = rows.groupby("image", sort=False).agg(
        {"image_name": "first", "own": "first", "pasted": "first", "letters": "first", "moved": "mean"}
    )
    return each.sort_values("moved", ascending=False, kind="stable").reset_index()


def _stickers(rows: pd.DataFrame) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            image=row.image,
            image_name=row.image_name,
            text=row.own,
            note=typeset(
                say(
                    "“{pasted}”: fall of {fall:.2f} spreads beyond “{letters}”",
                    pasted=row.pasted,
                    fall=row.moved,
                    letters=row.letters,
                )
            ),
        )
        for row in rows.head(SAMPLES).itertuples()
    )


def template_shares(context: Context) -> Iterator[Outcome]:
    """The share of other templates than the plan's that give another predicted class."""
    record = context.record(of_run)
    if record is None:
        return
    own = context.run.plan.texts.templates
    most = float(context.thresholds["prompts.templates.most_changed"])
    each = template_changes(record, own)
    if each.empty:
        yield Outcome("cannot_conclude", wording="one_class" if record.templates.empty else "no_other")
        return
    measured = templates(record, own, least=most)
    verdict = _verdict(measured.change, most, context)
    each = each.sort_values(["part", "image_name"], ascending=[False, True])
    above = each["part"] > most
    yield Outcome(
        verdict or "cannot_conclude",
        wording=verdict or "few",
        n=measured.change.n,
        likelihood=float(above.mean()),
        values={**vars(measured.change), "count": measured.count, "concerned": int(above.sum())},
        evidence=(
            OTHER_CLASS.of(measured.change.interval),
            SPREAD.of(measured.spread),
        ),
        against=Against(most, percent=True, within=SHARE),
        samples=_changed(each[above]) if verdict == "finding" else (),
        counter=_changed(each[~above].iloc[::-1]) if verdict == "finding" else (),
    )


def _changed(rows: pd.DataFrame) -> tuple[Sample, ...]:
    return tuple(
        sample_of(row, (), say("{share:.0%} of the other templates give another class", share=row.part))
        for row in rows.head(SAMPLES).itertuples()
    )


PRINTED = (
    "Fall of the margin over a class when its name is printed, beyond nonsense letters: {fall:.2f} [{fall_low:.2f}, "
    "{fall_high:.2f}] spreads, n = {n}. The printed class becomes the predicted one in "
    "{named:.0%} of the images, and with letters in its place in {named_letters:.0%}. Any change of the predicted "
    "class: in {changed:.0%} of the images with the name, in {changed_letters:.0%} with letters."
)
TYPOGRAPHIC = Rule(
    id="reliance.typographic",
    subject="model",
    question="Does a class name printed in an image lower the margin over that class?",
    criterion="The name of another class, printed in the image, lowers the margin over that class by at most "
    "{least_effect:g} spreads of the classes' scores more than nonsense letters of the same size. Text that is already "
    "in the image is not read.",
    measure=printed_words,
    thresholds=("reliance.typographic.least_effect", "general.least_images", "general.significance"),
    wordings={
        "finding": Wording(
            "A class name printed in an image lowers the margin over that class (typographic attack)", PRINTED
        ),
        "passed": Wording(
            "A class name printed in an image lowers the margin over that class by at most the limit more than "
            "nonsense letters do",
            PRINTED,
        ),
        "cannot_conclude": Wording(
            "Inconclusive: whether a class name printed in an image lowers the margin over that class", PRINTED
        ),
        "few": Wording(
            "Inconclusive: too few images to test class names printed in them",
            "Only {n} images carry this measure; at least {least_images} are needed.",
        ),
        "one_class": Wording(
            "Inconclusive: class names printed in images were not tested",
            "Class names are printed only where the audit has two classes.",
        ),
    },
    samples="largest fall of the margin beyond letters, above the limit",
    counter="smallest fall of the margin beyond letters, within the limit",
    cause="Hypothesis: the model reads text in images, and lettering co-occurred with its texts in training.",
    effect="Anyone who can place a word in an image can shift its score; labels, signs and watermarks may mislead it.",
    recommendation="Cover or blur text before scoring, and examine high scores of images that contain lettering.",
)
CHANGED = (
    "On average over images, {value:.0%} [{low:.0%}, {high:.0%}] of the {count} templates besides the plan's give "
    "another predicted class, n = {n}. Images in which the share exceeds the limit: {concerned}."
)
TEMPLATES = Rule(
    id="prompts.templates",
    subject="texts",
    question="Does the predicted class depend on the prompt template?",
    criterion="On average over images, at most {most_changed:.0%} of the templates other than the plan's own give "
    "another predicted class than the plan's.",
    measure=template_shares,
    thresholds=("prompts.templates.most_changed", "general.least_images", "general.significance"),
    wordings={
        "finding": Wording("The predicted class depends on the prompt template", CHANGED),
        "passed": Wording("The predicted class is largely insensitive to the template", CHANGED),
        "cannot_conclude": Wording("Inconclusive: sensitivity to prompt templates", CHANGED),
        "few": Wording(
            "Inconclusive: too few images to test prompt templates",
            "Only {n} images carry this measure; at least {least_images} are needed.",
        ),
        "one_class": Wording(
            "Inconclusive: prompt templates were not compared",
            "Templates are compared only where the audit has two classes.",
        ),
        "no_other": Wording(
            "Inconclusive: prompt templates were not compared",
            "Every template that was tried is one of the plan's own.",
        ),
    },
    samples="largest share of templates that give another class, above the limit",
    counter="smallest share of templates that give another class, within the limit",
    cause="Hypothesis: the classes lie close together for this model, or a template carries meaning of its own.",
    effect="The predicted class depends on the wording as much as on the image.",
    recommendation="Average over templates, and avoid classes whose ranking changes between templates.",
)
