"""What the scores rest on, in the report: places, kinds of regions, pictures and words. No torch."""

from __future__ import annotations

from core.applications.reliance_record import PLACES, RelianceRecord, of_run
from core.evaluation.reliance import EVERY
from core.reporting.assets import Assets
from core.reporting.charts import shorten
from core.reporting.content import Column, Fact, Heat, Section, Table
from core.reporting.heat import bar_ends, colour_bar, fit, geometry_of, overlay, value_range
from core.reporting.reliance_tables import (
    checks_shown,
    concepts_shown,
    fall_map,
    kinds_shown,
    least_words,
    places_shown,
)
from core.reporting.words import amount, bounded, measured, number, percent
from core.runs import Run

PRINT_SIDE = 340
SHOWN, MOST_ROWS, MOST_WORDS = 4, 16, 12
HOW = (
    "Places and regions are hidden and what the score loses is measured, beside the mean loss when the same shape is "
    "hidden elsewhere (control). A score is the cosine minus the mean cosine of the audit's other texts, so that what "
    "hiding does to every text alike doesn't count; shares are of what the whole picture has beyond an empty one.",
    "Regions that look alike over all pictures make a kind, named by the concept whose text is nearest. The names are "
    "the model's own: a shortcut that it takes for the class is named as the class, and only its place gives it away.",
    "Text that is already in a picture is not read here.",
)


def reliance_sections(run: Run, assets: Assets) -> tuple[Section, ...]:
    """What the application `reliance` found in this run; nothing if it was not computed."""
    record = of_run(run)
    if record is None:
        return ()
    parts = (_places(run, record), _concepts(run, record), _pictures(run, record, assets), _words(run, record))
    return tuple(part for part in parts if not part.empty)


def _places(run: Run, record: RelianceRecord) -> Section:
    about = record.about
    left_out = f"; {about['pictures_left_out']} of the audit left out" if about["pictures_left_out"] else ""
    table = places_shown(run, record)
    table = table.assign(first=table["topic"] != EVERY).sort_values(["first", "value"], ascending=[True, False])
    rows = tuple(
        (
            shorten(row.topic, 40),
            PLACES[row.place],
            percent(row.fall),
            measured(row.value, row.low, row.high, int(row.n)),
            number(row.p_adjusted),
        )
        for row in table.head(MOST_ROWS).itertuples()
    )
    columns = (
        Column("Texts", share=24),
        Column("Place", share=22),
        Column("Score lost", "number", 12),
        Column("Share beyond the control", "number", 30),
        Column("Adjusted p", "number", 12),
    )
    facts = (
        Fact("Pictures", f"{about['pictures']}{left_out}"),
        Fact("Regions", f"{about['regions']}, at most {about['options']['regions']} a picture"),
        Fact("Forwards", f"{about['image_forwards']:,.0f} image, {about['text_forwards']:,.0f} text"),
        *((Fact("Vocabulary", about["vocabulary_note"]),) if about["vocabulary_note"] else ()),
        *(() if about["foreground"] else (Fact("Background", "not known: the model doesn't show its features"),)),
    )
    more = f"{len(table) - MOST_ROWS} more rows are in the run." if len(table) > MOST_ROWS else ""
    caption = "Places: share of the score's gain, 95 % interval over pictures; p that it is above the threshold"
    return Section("What the scores rest on", facts=facts, sentences=HOW, tables=(Table(caption, columns, rows, more),))


def _concepts(run: Run, record: RelianceRecord) -> Section:
    table = concepts_shown(run, record)
    surprises = table[table["surprise"] & (table["value"] > 0)]
    rows = tuple(
        (
            shorten(row.topic, 30),
            row.concept,
            f"{row.related:.2f}",
            measured(row.value, row.low, row.high, int(row.n)),
            percent(row.share),
            percent(row.area),
            number(row.p_adjusted),
        )
        for row in surprises.head(MOST_ROWS).itertuples()
    )
    columns = (
        Column("Texts", share=18),
        Column("Concept", share=16),
        Column("Related", "number", 10),
        Column("Share beyond the control", "number", 26),
        Column("Attribution", "number", 11),
        Column("Area", "number", 8),
        Column("Adjusted p", "number", 11),
    )
    kinds = tuple(
        (row.concept, bounded(row.value, row.low, row.high), percent(row.area), row.beside)
        for row in kinds_shown(run, record).head(MOST_ROWS).itertuples()
    )
    kind_columns = (
        Column("Concept", share=28),
        Column("Share of pictures", "number", 30),
        Column("Area where it is", "number", 16),
        Column("Most often beside", share=26),
    )
    n = record.about["pictures"]
    tables = [Table(f"Concepts of the regions, n = {n} pictures, 95 % interval", kind_columns, kinds)]
    if rows:
        caption = "Surprise list: concepts unrelated to their texts whose removal costs more than the control"
        tables.insert(0, Table(caption, columns, rows, "Adjusted p below the significance makes a finding."))
    return Section(
        "Surprising reliances",
        sentences=(
            "Related is the concept's rank by nearness to the text among all candidates, from 0 to 1; a word of the "
            "text, or what WordNet has above or below one, is never a surprise. Rows of few pictures are leads only."
            if rows
            else "No unrelated concept costs more than its control when it is hidden.",
        ),
        tables=tuple(tables),
    )


def _pictures(run: Run, record: RelianceRecord, assets: Assets) -> Section:
    known = {picture.id: picture for picture in run.dataset.pictures}
    heats: list[Heat] = []
    told = []
    bar = assets.drawing(colour_bar(signed=True))
    for image in list(record.images)[:SHOWN]:
        rows = record.regions[record.regions["image"] == image]
        part = rows[(rows["text"] == rows.iloc[0]["text"]) & (rows["text_kind"] == rows.iloc[0]["text_kind"])]
        picture = known[image]
        small = fit(run.dataset.open(picture), PRINT_SIDE)
        geometry = geometry_of(run, picture.width, picture.height)
        heats.append(Heat(assets.photo(small), f"The picture {picture.name}", "Picture", shorten(picture.name, 40)))
        for title, column in (("Lost when hidden", "fall"), ("Alone", "only")):
            values = fall_map(part, column)
            found = value_range(values)
            low, high = bar_ends(found, signed=True)
            painted = overlay(small, values, geometry, signed=True)
            caption = f"raw {amount(found.low)} to {amount(found.high)}; cosine"
            about = f"{title}, regions of {picture.name}; {caption}"
            heats.append(Heat(assets.photo(painted), about, title, caption, bar, amount(low), amount(high)))
        first = part.loc[part["fall"].idxmax()]
        text = shorten(str(first["text"]), 70)
        told.append(
            f"{picture.name}, \u201c{text}\u201d: most is lost with \u201c{first['concept']}\u201d, "
            f"{number(first['fall'])} of {number(first['total'])}."
        )
    return Section(
        "Regions of some pictures",
        sentences=(f"The first {len(told)} pictures of the plan, with the first text of each.", *told),
        heats=tuple(heats),
    )


def _words(run: Run, record: RelianceRecord) -> Section:
    checks = tuple(
        (row.name, bounded(row.value, row.low, row.high), f"{row.n} {row.of}")
        for row in checks_shown(run, record).itertuples()
    )
    tables = []
    if checks:
        columns = (Column("Number", share=52), Column("Value", "number", 30), Column("n", "number", 18))
        tables.append(Table("Words, with 95 % interval over pictures or texts", columns, checks))
    words = tuple(
        (row.word, percent(row.value), f"{percent(row.low)} to {percent(row.high)}", str(int(row.n)))
        for row in least_words(record, MOST_WORDS).itertuples()
    )
    if words:
        word_columns = (
            Column("Word", share=30),
            Column("Mean", "number", 20),
            Column("Smallest to largest", "number", 32),
            Column("Sentences", "number", 18),
        )
        caption = "The words that change a text least when they are left out, relative to the typical word"
        tables.append(Table(caption, word_columns, words))
    return Section(
        "Words that move the scores, and words that don't",
        sentences=(
            "A spread is the standard deviation of a picture's cosines over the classes. Function words are articles, "
            "prepositions, pronouns and the like; below 0 they get less attribution than their number.",
        )
        if tables
        else (),
        tables=tuple(tables),
    )
