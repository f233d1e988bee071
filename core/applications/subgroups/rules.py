"""Rules on groups of images: measures of the model, or properties of the images, differ between them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import numpy as np

from core.applications.subgroups.comparisons import COMPARISONS, Effect, beyond, effects
from core.applications.subgroups.power import images_for_none, smallest_shown
from core.applications.subgroups.record import GroupsRecord
from core.content.words import number, percent, plural
from core.datasets.annotations import labels_column
from core.languages import say, typeset
from core.rules import Context, Number, Outcome, Rule, Sample, Status, Wording
from core.rules.parts import NAMED, SAMPLES
from core.rules.quantity import Quantity, tested

_MEASURES = {
    "model": ("measure of the model differs", "measures of the model differ"),
    "data": ("property of the images differs", "properties of the images differ"),
}  # messages: nouns
_SELECTS = (
    "A single threshold on these values selects a different share of the group than of the other images."  # messages
)
_CLASSES = (
    "A group that is a class of the labels shows other subjects, which alone can make the difference."  # messages
)
_COMPARE = (
    "Compare images of the same subjects and the same quality across groups before drawing conclusions."  # messages
)
_COMPARE_CLASSES = (
    "Do not report one result for all classes: report results by class and, where needed, restrict the use of the "
    "model to some of them. Check the images of these classes for quality and for other subjects first."
)  # messages
HIGHER = Quantity("{measure} {side} in “{value}” ({column}), share of pairs")


def differences(context: Context, /, *, subject: Literal["model", "data"], threshold: str) -> Iterator[Outcome]:
    """The effects of groups on the measures of one subject, against a limit of the probability of a higher value."""
    if context.record(GroupsRecord.of_run) is None:
        return
    limit, significance = float(context.thresholds[threshold]), float(context.thresholds["general.significance"])
    measured = [effect for effect in effects(context) if effect.measure.subject == subject]
    every = [effect for effect in measured if not effect.stated]
    stated = [effect for effect in measured if effect.stated]
    confirmed = _listed(beyond(stated, limit, significance)) or say("none")
    if not every:
        yield Outcome("cannot_conclude", wording="stated" if stated else "none", values={"confirmed": confirmed})
        return
    exceeding = beyond(every, limit, significance)
    undecided = [effect for effect in every if not effect.within(limit)]
    verdict: Status = "finding" if exceeding else "cannot_conclude" if undecided else "passed"
    rows = exceeding or sorted(undecided or every, key=lambda effect: -abs(effect.value - 0.5))
    first = rows[0]
    members, counter = _members(context, first)
    tested_in_all = len(effects(context))
    yield Outcome(
        verdict,
        n=first.n + first.others,
        likelihood=_concerned(exceeding),
        values={
            **_values(first),
            "tested": tested_in_all,
            "mine": plural(len(every), "comparison"),
            "count": (count := sum(effect.exceeds(limit, significance) for effect in every)),
            "left": count - len(exceeding) or say("none"),
            "measures": plural(len({effect.measure.name for effect in exceeding}), *_MEASURES[subject]),
            "unfavourable": sum(effect.favour == "unfavourable" for effect in exceeding) or say("none"),
            "favourable": sum(effect.favour == "favourable" for effect in exceeding) or say("none"),
            **_texts(labels_column(context.run.dataset), exceeding, every),
            "list": _listed(rows) if len(rows) > 1 else say("none"),
            "undecided": len(undecided),
            "stated": plural(len(stated), "comparison") if stated else say("none"),
            "confirmed": confirmed,
            "detectable": smallest_shown(every, tested_in_all, limit, significance),
            "needed": say("{count:,}", count=images_for_none(every, limit)),
        },
        evidence=tuple(_number(effect) for effect in rows[:NAMED]),
        samples=members if exceeding else (),
        counter=counter if exceeding else (),
    )


_SAMPLES = "images of the group that lie furthest from the median of the other images, towards the effect"
_COUNTER = "images of the group whose value lies on the other side of that median"


def _texts(column: str | None, exceeding: list[Effect], every: list[Effect]) -> dict[str, str]:
    """What the effect and the recommendation of a finding say: of groups, or of the classes of a label column."""
    errors = [effect for effect in every if effect.measure.states_errors]
    lower = [effect for effect in exceeding if effect.measure.states_errors and effect.side == "lower"]
    classes = [effect for effect in exceeding if column in effect.columns]
    if not errors:
        wrong = say(
            "No labels are known, so that the comparison does not consider which predictions are right and does not "
            "show that more are wrong there."
        )
    elif lower:
        wrong = say("More predictions are wrong there: {groups}.", groups=_listed(lower))
    else:
        worst = min(errors, key=lambda effect: effect.mean)
        wrong = typeset(
            say(
                "The labels do not show that more predictions are wrong in any group; the largest share of wrong "
                "predictions, {share:.0%} of {n} against {other:.0%} of {others}, is that of “{group}” ({column}), "
                "adjusted p = {p:.2g}.",
                share=1 - worst.mean,
                n=worst.n,
                other=1 - worst.other_mean,
                others=worst.others,
                group=worst.group.value_words,
                column=worst.group.column_words,
                p=worst.p_adjusted,
            )
        )
    return {
        "selects": say(_SELECTS) + (f" {say(_CLASSES)}" if classes else ""),
        "wrong": wrong,
        "compare": say(_COMPARE_CLASSES if classes and len(classes) == len(exceeding) else _COMPARE),
        "by_class": (
            say(
                "{part} of these {whole} differences (column {column}); such a group is a class, not a group of users",
                part=len(classes),
                whole=len(exceeding),
                column=column,
            )
            if classes
            else say("none")
        ),
    }


def _concerned(exceeding: list[Effect]) -> float:
    """The share of the compared images that lie in at least one of these groups."""
    members = {image for effect in exceeding for image in effect.group.members}
    every = members.union(*(effect.group.others for effect in exceeding))
    return len(members) / max(len(every), 1)


def _values(effect: Effect) -> dict[str, Any]:
    share, *ends = effect.one_sided
    return {
        "column": effect.group.column_words,
        "group": effect.group.value_words,
        "title": effect.measure.title,
        "side": _side(effect),
        "share": share,
        "low": ends[0],
        "high": ends[1],
        "mean": effect.mean,
        "other_mean": effect.other_mean,
        "n": effect.n,
        "others": effect.others,
        "p": effect.p_adjusted,
    }


def _side(effect: Effect) -> str:
    return say("higher") if effect.side == "higher" else say("lower")


def _favour(effect: Effect) -> str:
    return say("favourable") if effect.favour == "favourable" else say("unfavourable")


def _line(effect: Effect) -> str:
    share = effect.one_sided[0]
    return say(
        "“{group}” ({column}), {title} {side} in {share} of pairs{favour}",
        group=effect.group.value_words,
        column=effect.group.column_words,
        title=effect.measure.title,
        side=_side(effect),
        share=percent(share),
        favour=f", {_favour(effect)}" if effect.favour else "",
    )


def _listed(rows: list[Effect]) -> str:
    more = [say("and {count} more", count=len(rows) - NAMED)] if len(rows) > NAMED else []
    return "; ".join([*map(_line, rows[:NAMED]), *more])


def _number(effect: Effect) -> Number:
    share, low, high = effect.one_sided
    group = effect.group
    n = effect.n + effect.others
    words = {"value": group.value_words, "column": group.column_words}
    number = HIGHER.at(share, n, low, high, measure=effect.measure.title, side=_side(effect), **words)
    return tested(number, effect.p_adjusted, COMPARISONS)


def _members(context: Context, effect: Effect) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Members of the group on its side of the others' median, the farthest first; and those on the other side."""
    names = {image.id: image.name for image in context.run.dataset.images}
    values = effect.measure.values
    middle = float(np.median([values[image] for image in effect.group.others if image in values]))
    sign = -1 if effect.side == "lower" else 1
    distances = [(sign * (values[image] - middle), image) for image in effect.group.members if image in values]
    ordered = sorted(distances, key=lambda entry: (-entry[0], names[entry[1]]))

    def sample(image: str) -> Sample:
        note = f"{effect.measure.title} {number(values[image])}"
        return Sample(image=image, image_name=names[image], text=effect.measure.texts.get(image), note=note)

    own = [image for distance, image in ordered if distance > 0]
    against = [image for distance, image in ordered[::-1] if distance <= 0]
    return tuple(map(sample, own[:SAMPLES])), tuple(map(sample, against[:SAMPLES]))


LARGEST = (
    "“{group}” ({column}): {title} {side} in {share:.0%} [{low:.0%}, {high:.0%}] of pairs of one image of the group "
    "and one other image; mean {mean:.3g} against {other_mean:.3g}, n = {n} and {others}"
)
FAMILY = "{mine} (p-values adjusted by Holm's method over all {tested} comparisons of groups, intervals not adjusted)"

DECIDES = (
    "the whole 95 % interval and an adjusted p below {significance} decide. Groups are the values of each column of "
    "the metadata and the intersections of two columns."
)


STATED = (
    " Left out, because the metadata that define the group state the measured property itself: {stated}. "
    "Of these the measurement confirms beyond the limit: {confirmed}."
)


def _wordings(finding: str, passed: str, undecided: str) -> dict[str, Wording]:
    """The wordings of a rule on groups, from the title of each outcome."""
    return {
        "finding": Wording(
            finding,
            f"The limit is exceeded in {{count}} of {FAMILY}. Intersections of a group that "
            "itself exceeds the limit in the same measure, counted but not listed here: {left}. The largest effect "
            f"listed: {LARGEST}, "
            "adjusted p = {p:.2g}. In order: {list}. Unfavourable to the group: {unfavourable}. Favourable: "
            "{favourable}. Groups made by the column of labels: {by_class}." + STATED,
        ),
        "passed": Wording(
            passed,
            f"In each of {FAMILY}, the whole interval lies within the limit. The largest effect: {LARGEST}." + STATED,
        ),
        "cannot_conclude": Wording(
            undecided,
            f"Undecided: {{undecided}} of {FAMILY}. The largest of these effects: {LARGEST}. In the smallest group "
            "{detectable}. If there were no "
            "difference, {needed} images in groups of the same proportions would show that of the smallest group with "
            "a probability of about 90 %." + STATED,
        ),
        "none": Wording(
            "Inconclusive: no group can be compared",
            "No column of the metadata defines a group of at least {least_group} measured images with as many others.",
        ),
        "stated": Wording(
            "Inconclusive: no group can be compared but by what the metadata state",
            "Every comparison of groups restates its metadata. The measurement confirms beyond the limit: {confirmed}.",
        ),
    }


DIFFERENCE = Rule(
    id="groups.difference",
    subject="model",
    question="Do scores and other measures of the model differ between groups of images?",
    criterion="No group of at least {least_group} images has higher, or lower, values of a measure of the model (such "
    "as the score of the best class) than the other images in more than {least_effect:.0%} of pairs of images; "
    + DECIDES,
    measure=partial(differences, subject="model", threshold="groups.difference.least_effect"),
    thresholds=("groups.difference.least_effect", "groups.least_group", "general.significance"),
    wordings=_wordings(
        "{measures} between groups of images; largest: {title}, {side} for “{group}” ({column})",
        "No measure of the model differs between groups by more than the limit",
        "Inconclusive: whether measures of the model differ between groups",
    ),
    samples=_SAMPLES,
    counter=_COUNTER,
    cause="Hypothesis: the model has learned more, or less, from such images; the images of the group are of another "
    "quality; or the groups show different subjects.",
    effect="{selects} {wrong}",
    recommendation="{compare}",
)
QUALITY = Rule(
    id="groups.quality",
    subject="data",
    question="Do the images of groups differ in brightness, contrast, sharpness, colour or size?",
    criterion="No group of at least {least_group} images has higher, or lower, values of one of these properties than "
    "the other images in more than {least_effect:.0%} of pairs of images; " + DECIDES,
    measure=partial(differences, subject="data", threshold="groups.quality.least_effect"),
    thresholds=("groups.quality.least_effect", "groups.least_group", "general.significance"),
    wordings=_wordings(
        "{measures} between groups; largest: {title}, {side} for “{group}” ({column})",
        "No property of the images differs between groups by more than the limit",
        "Inconclusive: whether properties of the images differ between groups",
    ),
    samples=_SAMPLES,
    counter=_COUNTER,
    cause="Hypothesis: another camera, exposure, resolution or processing; or other subjects.",
    effect="A difference between groups in scores may come from their images and not from the model.",
    recommendation="Standardise image quality, or compare groups within images of equal quality.",
)
RULES = (DIFFERENCE, QUALITY)
