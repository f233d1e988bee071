"""Groups of images, in the report. No torch."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from core.applications.columns import confounded, value_words
from core.applications.subgroups.association import ASSOCIATIONS, Association, associations
from core.applications.subgroups.comparisons import COMPARISONS, Effect, effects, planned_images
from core.applications.subgroups.record import GroupsRecord
from core.applications.subgroups.tables import ASSOCIATED, EFFECTS
from core.content.context import ReportContext
from core.content.parts import Fact, Section
from core.content.words import p_value, percent, rest_of
from core.languages import say
from core.rules import Context

PRINTED, WORST, MOST_CONFOUNDED = 25, 3, 6
HOW = (
    "Each group is compared with the other images that have a value in the same column. The effect is the share of "
    "pairs of an image of the group and another image in which that of the group has the higher value, or the lower "
    "one where that is more frequent: 0.5 means no difference, 1 complete separation.",
    "A numeric column with more than 20 values is split at its terciles; a column of texts with more than 20 values "
    "makes no groups. Groups of the same images are compared once.",
    "A measure is marked as stated where the metadata that define the group state it themselves, such as brightness by "
    "a column of lighting: a difference then confirms the metadata and does not become a finding.",
)  # messages
GROUPS_SOURCE = "dataset.json and the records of the applications"  # messages


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What the application `subgroups` compared in this run; nothing if it was not computed."""
    record = context.judged.record(GroupsRecord.of_run)
    if record is None:
        return ()
    every = by_size(effects(context.judged))
    facts = (
        Fact("Columns", ", ".join(record.about["columns"])),
        Fact("Groups", str(len({(effect.group.column, effect.group.value) for effect in every}))),
        Fact("Measures", str(len({effect.measure.name for effect in every}))),
    )
    more = rest_of(len(every), PRINTED, say(GROUPS_SOURCE))
    table = EFFECTS.table(say("The largest effects"), every[:PRINTED], more, "body")
    sentences = (*(say(sentence) for sentence in HOW), family(every))
    groups = Section(
        "Groups of images",
        facts=facts,
        sentences=sentences,
        tables=(table,) if every else (),
        results=(*error_sentences(every), *confounded_sentences(context.judged)),
    )
    words = _words(record, associations(context.judged))
    return (groups, words) if words is not None else (groups,)


def error_sentences(every: Sequence[Effect]) -> tuple[str, ...]:
    """In which groups the predicted class is least often the label; nothing without labels."""
    stated = [effect for effect in every if effect.measure.states_errors and not effect.group.parents]
    if not stated:
        return ()
    worst = sorted(stated, key=lambda effect: effect.mean)[:WORST]
    lines = [
        say(
            "“{value}” ({column}) {share} against {other} of the other images (n = {n} and {others}, adjusted p = {p})",
            value=effect.group.value_words,
            column=effect.group.column_words,
            share=percent(effect.mean),
            other=percent(effect.other_mean),
            n=effect.n,
            others=effect.others,
            p=p_value(effect.p_adjusted),
        )
        for effect in worst
    ]
    groups = "; ".join(lines)
    return (say("Share of images whose predicted class is the label, the lowest groups: {groups}.", groups=groups),)


def confounded_sentences(context: Context) -> tuple[str, ...]:
    """Which groups lie wholly in one group of another column; nothing where none does."""
    found = confounded(planned_images(context), int(context.thresholds["groups.least_group"]))
    if not found:
        return ()
    lines = [
        say(
            "all {images} images of {values} ({column}) are “{value}” ({other}), as are {share} of all",
            images=row.images,
            values=", ".join(say("“{text}”", text=value_words(value)) for value in row.values),
            column=row.column,
            value=value_words(row.value),
            other=row.other,
            share=percent(row.share),
        )
        for row in found[:MOST_CONFOUNDED]
    ]
    more = [say("and {count} more", count=len(found) - MOST_CONFOUNDED)] if len(found) > MOST_CONFOUNDED else []
    return (
        say(
            "Confounded columns: {columns}. A difference of such a group can come from either column.",
            columns="; ".join([*lines, *more]),
        ),
    )


def _words(record: GroupsRecord, rows: Sequence[Association]) -> Section | None:
    if not rows:
        return None
    more = rest_of(len(rows), PRINTED, GroupsRecord.file_of("words"))
    table = ASSOCIATED.table(say("The largest effect sizes"), rows[:PRINTED], more)
    return Section("Association with words", sentences=words_told(record, rows), tables=(table,))


def words_told(record: GroupsRecord, rows: Sequence[Association]) -> tuple[str, ...]:
    """What an association is, and what was tested together, in sentences."""
    against = ", ".join(say("“{text}”", text=word) for word in record.about.get("against", ()))
    return (
        say(
            "The association of an image with a word is their cosine less that with {against}, as a mean where there "
            "are several. The effect size is that of the Word-Embedding Association Test with images instead of target "
            "words: the mean of the group less that of the other images, in standard deviations of all.",
            against=against or say("the texts of the audit"),
        ),
        say(
            "An association describes the model's embeddings of these images. Groups that show different subjects are "
            "associated with different words for that reason alone."
        ),
        ASSOCIATIONS.sentence(pd.DataFrame({"p": [row.p for row in rows]}, dtype=float)),
    )


def by_size(every: Sequence[Effect]) -> list[Effect]:
    """The effects, the farthest from 0.5 first."""
    return sorted(every, key=lambda effect: -abs(effect.value - 0.5))


def family(every: Sequence[Effect]) -> str:
    """What was tested together, in a sentence."""
    return COMPARISONS.sentence(pd.DataFrame({"p": [effect.p for effect in every]}, dtype=float))
