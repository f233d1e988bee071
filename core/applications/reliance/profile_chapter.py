"""The profiles of classes and prompts in the report, and the names of concept regions with their images. No torch."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.applications.reliance.declared import declared_table
from core.applications.reliance.measures import EVERY, pairs_left_out
from core.applications.reliance.profile import (
    consensus_shares,
    examples,
    profile_rows,
    profile_table,
    surroundings_profile,
    without_image,
)
from core.applications.reliance.record import PLACES_PART, RelianceRecord
from core.applications.reliance.rows import RegionRow
from core.applications.reliance.specs import DECLARED, NAMES, PROFILE, SURROUNDINGS, ProfileRow
from core.applications.reliance.standing import UNNAMED, concept_title, kind_title, name_checks, standing
from core.content.context import ReportContext
from core.content.heat import fit, geometry_of, overlay
from core.content.parts import Heat, Section
from core.content.words import percent, plural, shorten
from core.evaluation.gains import LEAST_GAIN
from core.languages import say
from core.rules.parts import kind_words, names_of
from core.runs.rows import typed
from core.statistics import FEWEST

MOST_CONCEPTS, MOST_TOPICS, MOST_HEATS = 4, 24, 3
PRINT_SIDE = 240
# Where a share is not determined, as either section states it.
SMALL = (
    "A share is not determined where the mean gain is below {least:g} of the median gain of the pairs whose score the "
    "image raises."
)  # messages
RELIES = (
    "For each class and prompt, the concepts that its score relies on, whether or not a rule reports them. Share: what "
    "of the image's contribution to the score is lost when the regions of the concept are hidden, beyond the same "
    "shapes hidden elsewhere, over the n images that show the concept.",
    "Samples lose most with the concept, relative to the mean gain; counter-samples show it and lose at most "
    "{limit}. Related: the concept is a word of the text, above or below one in WordNet, or among the nearest of all "
    "names.",
)  # messages
SURROUNDED = (
    "A scene is recognised by its surroundings as well: a share here is a property of the class, and is reported as a "
    "flaw only where the region also looks the same in the images of the class (alike: 1 the same, 0 no more alike "
    "than with other images), or where a declared concept forbids it.",
    "Corners: the mean over the four corners, each shown alone. The share beyond other images subtracts what the same "
    "region of other images adds to the score of the class. Where this is below 0, because other images speak against "
    "the class, the share exceeds that in total, and may exceed 100 %.",
)  # messages
ROLES = ("Sample, {share} of the mean gain", "Counter-sample, {share} of the mean gain")  # messages


def profile_sections(context: ReportContext) -> tuple[Section, ...]:
    """Profiles, declared concepts and names of regions; nothing if the application was not computed."""
    record = standing(context.judged)
    if record is None:
        return ()
    return tuple(
        part
        for part in (_profiles(context, record), _surroundings(record), _declared(context), _names(context, record))
        if not part.empty
    )


def _profiles(context: ReportContext, record: RelianceRecord) -> Section:
    thresholds = context.thresholds
    limit = float(thresholds["reliance.concept.least_share"])
    rows = profile_rows(record, consensus_shares(record, context.judged, context.consensus))
    table = profile_table(rows, most_related=float(thresholds["reliance.concept.most_related"]), look=record.look)
    table, unread = read(table)
    topics = list(dict.fromkeys(table["topic"]))
    printed = [
        # Parts of a share that is not determined are not either.
        ProfileRow.of(row, ([], []) if pd.isna(row.value) else examples(rows, topic, row.concept, limit))
        for topic in topics[:MOST_TOPICS]
        for row in table[table["topic"] == topic].head(MOST_CONCEPTS).itertuples()
    ]
    texts = context.run.plan.texts
    absent = without_image(record, [*texts.classes, *texts.prompts], rows)
    methods = _consensus_of(context) if table["mapped"].any() else ""
    sentences = [f"{say(RELIES[0])} {say(SMALL, least=LEAST_GAIN)}", say(RELIES[1], limit=percent(limit))]
    sentences.append(
        say(
            "Attribution: the share of the consensus map (mean of the ranks of the maps of {methods}) inside these "
            "regions, beside their share of the area. For each kind of text these are the methods that are shown to "
            "beat every control for it by faithfulness, or all that fail no check where none is.",
            methods=methods,
        )
        if methods
        else say("Attribution is not stated: no trusted method has a map of these images and texts.")
    )
    if unread:
        source = RelianceRecord.file_of("regions")
        sentences.append(
            say(
                "{rows} of concepts without a confirmed name has no interval or no determined share, and is not "
                "printed; all follow from {source} in evidence.zip."
                if unread == 1
                else "{rows} of concepts without a confirmed name have no interval or no determined share, and are not "
                "printed; all follow from {source} in evidence.zip.",
                rows=plural(unread, "row"),
                source=source,
            )
        )
    if absent:
        sentences.append(say("No image for a profile of: {texts}.", texts=", ".join(absent)))
    left = len(topics) - MOST_TOPICS
    more = [say("{count} more texts are in the run.", count=left)] if left > 0 else []
    more = [pairs_left_out(rows, say("n counts the images of the text that show the concept")), *more]
    caption = say(
        "Profiles: up to {count} concepts of each text, largest share first, 95 % interval over images",
        count=MOST_CONCEPTS,
    )
    tables = (PROFILE.table(caption, printed, " ".join(more)),) if printed else ()
    heats = _heats(context, record, table, rows, limit)
    return Section("What each text relies on", sentences=tuple(sentences), tables=tables, heats=heats)


def _consensus_of(context: ReportContext) -> str:
    """The methods whose maps are the consensus, for the kinds of texts that have a profile."""
    texts = context.run.plan.texts
    kinds = [kind for kind, given in (("class", texts.classes), ("prompt", texts.prompts)) if given]
    each = [(kind_words(kind), names_of(context.consensus[kind])) for kind in kinds if context.consensus.get(kind)]
    if len({names for _, names in each}) == 1:
        return each[0][1]
    return "; ".join(say("{methods} for {kinds}", methods=names, kinds=words) for words, names in each)


def read(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The rows of a profile table that can be read, and how many of unnamed concepts without an interval are left out.

    A row of a concept with a confirmed name stays: its name can be checked in its images.
    """
    unnamed = table["concept"].str.startswith(f"{UNNAMED} ")
    unread = unnamed & (table["value"].isna() | table["low"].isna() | (table["n"] < FEWEST))
    return table[~unread].reset_index(drop=True), int(unread.sum())


def _heats(
    context: ReportContext, record: RelianceRecord, table: pd.DataFrame, rows: pd.DataFrame, limit: float
) -> tuple[Heat, ...]:
    """The regions of the leading concept of the most frequent class or prompt, in its samples and counter-samples."""
    own = table[(table["topic"] != EVERY) & (table["value"] > 0) & (table["n"] >= FEWEST)]
    if own.empty:
        return ()
    first = own.iloc[0]
    parts = examples(rows, first["topic"], first["concept"], limit)
    return tuple(
        _region(
            context,
            record,
            each.image,
            each.name,
            first["concept"],
            say(role, share=percent(each.part)),
        )
        for role, group in zip(ROLES, parts, strict=True)
        for each in group
    )


def _region(context: ReportContext, record: RelianceRecord, image: str, name: str, concept: str, caption: str) -> Heat:
    """An image with the regions of one concept marked."""
    run = context.run
    entry = next(each for each in run.dataset.images if each.id == image)
    small = fit(run.dataset.open(entry), PRINT_SIDE)
    rows = record.regions[(record.regions["image"] == image) & (record.regions["concept"] == concept)]
    mask = np.max([record.cells(row) for row in typed(rows.drop_duplicates("region"), RegionRow)], axis=0)
    painted = overlay(small, mask, geometry_of(run, entry.width, entry.height))
    title = concept_title(concept)
    alt = say("Regions “{concept}” of {name}: {caption}", concept=title, name=name, caption=caption)
    return Heat(context.assets.photo(painted), alt, say("“{text}”", text=title), f"{shorten(name, 30)}: {caption}")


def _surroundings(record: RelianceRecord) -> Section:
    record = record.measured(PLACES_PART)
    table = surroundings_profile(record)
    sentences: tuple[str, ...] = (
        f"{say(SURROUNDED[0])} {say(SMALL, least=LEAST_GAIN)}",
        say(SURROUNDED[1]),
    )
    if table.empty:
        return Section("")
    unknown = table[table["own"].isna()]
    if len(unknown):
        names = ", ".join(dict.fromkeys(unknown["topic"].astype(str)))
        sentences = (
            *sentences,
            say("Classes whose share is not determined, and which are not in the table: {names}.", names=names),
        )
        table = table[table["own"].notna()]
    own = record.alone[record.alone["best"].astype(bool)]
    caption = say("The border and the corners shown alone, by the best class of each image, 95 % interval")
    note = pairs_left_out(own, say("n counts the images whose best class it is"))
    tables = (SURROUNDINGS.table(caption, table.head(2 * MOST_TOPICS), note),)
    return Section("What surroundings carry", sentences=sentences, tables=tables)


def _declared(context: ReportContext) -> Section:
    table = context.judged.once(declared_table)
    if table is None:
        return Section("")
    note = say(
        "Detectable: the share that would have been shown with 90 % power. Adjusted p: Holm over declared concepts."
    )
    title = say("Declared concepts and what the scores rest on")
    return Section("Declared concepts", tables=(DECLARED.table(title, table, note),))


def _names(context: ReportContext, record: RelianceRecord) -> Section:
    names = ("least_area", "least_near", "most_rank")
    least, near, rank = (float(context.thresholds[f"reliance.names.{name}"]) for name in names)
    checks = name_checks(record, context.thresholds)
    sentences = (
        say(
            "A name is chosen on a third of the images and checked on the others. It is confirmed if the lower bound "
            "of its area under the ROC curve is above {least:g}, if every other name is shown to be farther from these "
            "regions, if it is among the three nearest names of at least {near} of them, and if it is among the first "
            "{rank:g} names by what whole images lose when these regions are hidden. Where other names are as near, "
            "the narrowest common term is used, such as “plant” for grass and trees. Otherwise the regions are called "
            "by a number. n: images with and without such regions.",
            least=least,
            near=percent(near),
            rank=rank,
        ),
        say("The check shows how the model names these regions. A person may call them something else."),
    )
    if checks.empty:
        return Section("")
    results: tuple[str, ...] = ()
    if not checks["stands"].any():
        results = (
            say(
                "None of the {kinds} of regions has a confirmed name: whether a part that carries a score is related "
                "to the text is not known, and the check for unrelated concepts could not run.",
                kinds=plural(len(checks), "kind"),
            ),
        )
    heats = []
    for row in checks[~checks["stands"]].head(2).itertuples():
        part = record.regions[record.regions["kind"] == row.kind].drop_duplicates("image").head(MOST_HEATS)
        title = kind_title(row.kind)
        heats += [
            _region(context, record, each.image, each.image_name, title, say("region"))
            for each in typed(part, RegionRow)
        ]
    tables = (NAMES.table(say("Names of the concept regions, checked on held-out images, 95 % interval"), checks),)
    return Section("Names of concept regions", sentences=sentences, tables=tables, heats=tuple(heats), results=results)
