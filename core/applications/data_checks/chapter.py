"""Images and texts, in the report. No torch."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass

from core.applications.data_checks.measures import copy_groups, issues
from core.applications.data_checks.record import DataRecord, KindRow
from core.applications.data_checks.tables import COPIES, KINDS, LANGUAGES, issue_table
from core.content.context import ReportContext
from core.content.heat import fit
from core.content.parts import Fact, Heat, Section
from core.content.promises import prints_interval, promised
from core.content.words import bounded, plural, rest_of, shorten
from core.datasets.languages import name_of
from core.languages import say
from core.rules import Thresholds
from core.runs.rows import typed

PRINTED, SHEET, SIDE = 20, 6, 240
HOW = (  # messages
    "Every image was measured. An issue is a property of the pixels and not in itself an error: a night scene is dark. "
    "The definitions and limits are those of cleanvision 0.3.7.",
    "Copies are images whose reduced pixels correlate by at least 0.9 when they are aligned. Images of another kind "
    "lie far from the rest in colours or texture and are nearest to each other in the model's embedding.",
)


@dataclass(frozen=True)
class LanguageRow:
    """How many texts of a kind are in a language, with an example."""

    kind: str
    language: str
    count: int
    example: str


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What the application `data_checks` measured in this run; nothing if it was not computed."""
    record = context.judged.record(DataRecord.of_run)
    if record is None:
        return ()
    return tuple(
        part for part in (_measured(record, context.judged.thresholds), _sheet(context, record)) if not part.empty
    )


def language_rows(record: DataRecord) -> list[LanguageRow]:
    """The languages of the texts by kind, the most frequent first."""
    rows = []
    for (kind, code), texts in record.texts.groupby(["kind", "language"], sort=True):
        name = name_of(str(code)) if code else say("not certain")
        rows.append(LanguageRow(str(kind), name, len(texts), str(texts["text"].iloc[0])))
    return sorted(rows, key=lambda row: (row.kind, -row.count, row.language))


def _measured(record: DataRecord, thresholds: Thresholds) -> Section:
    groups, kinds = copy_groups(record), record.kinds
    facts: tuple[Fact, ...] = (
        Fact("Images", str(record.about["images"])),
        Fact("Texts", str(record.about["texts"])),
        Fact("Copies", f"{plural(len(groups), 'group')}, {plural(sum(len(g.images) for g in groups), 'image')}"),
        Fact("Images of another kind", str(len(kinds))),
    )
    if record.about.get("context_length"):
        count = int(record.texts["unread"].sum())
        read = say("{count}; {length} tokens are read", count=count, length=record.about["context_length"])
        facts += (Fact("Texts longer than the model reads", read),)
    drift = record.about.get("drift")
    if drift:
        text = bounded(drift["value"], drift["low"], drift["high"])
        name = say("Area under the ROC curve against reference images, 95 % interval")
        told = say("{area}; {own} and {others} images", area=text, own=drift["own"], others=drift["others"])
        facts += (Fact(promised(name, prints_interval([text])), told),)
    tables = [issue_table(thresholds).table(say("Issues of images"), issues(record), place="body")]
    if groups:
        tables.append(COPIES.table(say("Groups of copies"), groups[:PRINTED], _rest(groups, "copies")))
    if len(kinds):
        tables.append(KINDS.table(say("Images of another kind"), kinds.head(PRINTED), _rest(kinds, "kinds")))
    languages = language_rows(record)
    if languages:
        tables.append(
            LANGUAGES.table(
                say("Languages of the texts"),
                languages[:PRINTED],
                _rest(languages, "texts"),
            )
        )
    return Section("Images and texts", facts=facts, sentences=tuple(map(say, HOW)), tables=tuple(tables))


def _rest(rows: Sized, table: str) -> str:
    return rest_of(len(rows), PRINTED, DataRecord.file_of(table))


def _sheet(context: ReportContext, record: DataRecord) -> Section:
    """Images of another kind, and two of each group of copies."""
    run, known = context.run, {image.id: image for image in context.run.dataset.images}
    wanted = [(row.image, say("of another kind")) for row in typed(record.kinds.head(SHEET), KindRow)]
    for at, group in enumerate(copy_groups(record)[: SHEET // 2]):
        wanted += [(image, say("copies, group {number}", number=at + 1)) for image in group.images[:2]]
    heats = [
        Heat(
            context.assets.photo(fit(run.dataset.open(known[image]), SIDE)),
            say("The image {name}: {note}", name=known[image].name, note=note),
            shorten(known[image].name, 28),
            note,
        )
        for image, note in wanted
        if image in known
    ]
    return Section("Images to inspect", heats=tuple(heats))
