"""What the scores rest on, in the report: regions, concepts, images and words. No torch."""

from __future__ import annotations

import pandas as pd

from core.applications.phrases import passes
from core.applications.reliance import families
from core.applications.reliance.card import CARD
from core.applications.reliance.measures import EVERY, pairs_left_out, pooled
from core.applications.reliance.profile_chapter import profile_sections
from core.applications.reliance.record import PLACES_PART, STICKERS_PART, RelianceRecord
from core.applications.reliance.specs import CONCEPT_SHARES, LEAST_WORDS, PREVALENCE, REGION_SHARES, WORDS
from core.applications.reliance.standing import concept_title, standing
from core.applications.reliance.tables import (
    concept_prevalence,
    concept_shares,
    least_words,
    region_map,
    region_shares,
    word_measures,
)
from core.applications.sampling import images_of
from core.content.assets import Assets
from core.content.context import ReportContext
from core.content.heat import bar_ends, colour_bar, fit, geometry_of, overlay, value_range
from core.content.parts import Fact, Heat, Section
from core.content.words import amount, number, percent, rest_of, shorten
from core.languages import localised, say
from core.rules import Context
from core.rules.writing import in_words
from core.runs import Run

PRINT_SIDE = 340
# How the images are cut into regions.
KINDS = {"semantic": "semantic", "superpixels": "superpixels"}  # messages
NO_BACKGROUND = "not known: the model does not expose patch features"  # messages
RELATEDNESS = (
    "Relatedness is the concept's rank by nearness to the text among all candidates, from 0 to 1. A word of the text, "
    "or a concept above or below one of its words in WordNet, is never listed. Rows of few images are indicative only."
)  # messages
NO_SURPRISE = "No unrelated concept costs more than its control when it is hidden."  # messages
NO_NAME = "No kind of region has a confirmed name, so that unrelated concepts cannot be recognised."  # messages
MOST_IMAGES, MOST_ROWS, MOST_WORDS, WIDEST = 4, 16, 12, 1.0
METHOD = (
    "Regions of the image are hidden, and the loss of the score is measured and compared with the mean loss when the "
    "same shape is hidden elsewhere (control). A score is the cosine minus the mean cosine of the audit's other texts, "
    "so that effects of hiding on all texts alike cancel. Shares are relative to what the whole image adds to the "
    "score beyond an empty one.",
    "Regions that look alike across images form a kind, which is named after a near concept if that name separates "
    "them from other regions on held-out images. The names are the model's own: a shortcut that the model treats as "
    "the class is named after the class, and only its position and its look reveal it.",
    "Text that is already in an image is not read.",
)  # messages
# What the maps of single images show of each region.
SHOWN = {"fall": "Lost when hidden", "only": "Shown alone"}  # messages


def sections(context: ReportContext) -> tuple[Section, ...]:
    """The chapter of the application `reliance`; nothing if it was not computed."""
    record = standing(context.judged)
    if record is None:
        return ()
    parts = (
        _regions(context.judged, record),
        *profile_sections(context),
        _concepts(context.judged, record),
        _images(context.run, record, context.assets),
        _words(context.judged, record),
    )
    return tuple(part for part in parts if not part.empty)


SETTLED = {PLACES_PART: "regions at fixed places", STICKERS_PART: "printed words"}  # messages


def looks_fact(record: RelianceRecord) -> tuple[Fact, ...]:
    """After how many images the verdicts were judged; nothing where all images were measured at once."""
    ends = record.about.get("design", {}).get("looks", [])
    if len(ends) < 2 and record.look != "interim":
        return ()
    after = in_words([localised(f"{end:,}") for end in ends])
    parts = record.about.get("design", {}).get("settled", {})
    early = "; ".join(
        say("{part} settled after {count:,} images and not measured further", part=say(SETTLED[part]), count=end)
        for part, end in parts.items()
    )
    told = say("after {counts} images; intervals and p-values account for these looks", counts=after)
    return (Fact("Verdicts judged", "; ".join(filter(None, (told, early)))),)


def _regions(context: Context, record: RelianceRecord) -> Section:
    about = record.about
    table = region_shares(record, context)
    table = table.assign(first=table["topic"] != EVERY).sort_values(["first", "value"], ascending=[True, False])
    facts = (
        Fact("Images", images_of(about)),
        *looks_fact(record),
        Fact(
            "Regions",
            say(
                "{kind}, at most {most} per image",
                kind=say(KINDS.get(about["regions"], about["regions"])),
                most=about["options"]["regions"],
            ),
        ),
        Fact("Forward passes", passes(about)),
        *((Fact("Vocabulary", say(about["vocabulary_note"])),) if about["vocabulary_note"] else ()),
        *(() if about["foreground"] else (Fact("Background", say(NO_BACKGROUND)),)),
    )
    thresholds = context.thresholds
    border, background = (percent(thresholds[f"reliance.{name}.least_share"]) for name in ("border", "background"))
    note = say(
        "Adjusted p: one-sided test of whether the share exceeds {border} (border and corners, one family) or "
        "{background} (background, another); {family}.",
        border=border,
        background=background,
        family=families.REGIONS.over,
    )
    # An interval as wide as the whole gain of the score says nothing of a share of it.
    wide = int((table["high"] - table["low"] > WIDEST).sum())
    table = table[~(table["high"] - table["low"] > WIDEST)]
    more = rest_of(len(table), MOST_ROWS, RelianceRecord.file_of("places"))
    if wide:
        lost = (
            say("{count} row is left out, whose interval is wider than the whole gain.", count=wide)
            if wide == 1
            else say("{count:,} rows are left out, whose intervals are wider than the whole gain.", count=wide)
        )
        more = f"{lost} {more}"
    left = pairs_left_out(record.measured(PLACES_PART).places, say("n counts the images of the text"))
    caption = say("Regions: share of the score's gain, 95 % interval over images")
    note = " ".join(part for part in (note, left, pooled(), more) if part)
    tables = (REGION_SHARES.table(caption, table.head(MOST_ROWS), note, "body"),)
    return Section(CARD.title, facts=facts, sentences=tuple(say(sentence) for sentence in METHOD), tables=tables)


def _concepts(context: Context, record: RelianceRecord) -> Section:
    table = concept_shares(record, context)
    surprises = table[table["surprise"] & (table["value"] > 0)]
    n = record.about["images"]
    prevalence = concept_prevalence(record).head(MOST_ROWS)
    caption = say("Concepts of the regions, n = {n} images, 95 % interval", n=n)
    tables = [PREVALENCE.table(caption, prevalence)]
    if len(surprises):
        least, enough, significance = (
            context.thresholds[name]
            for name in ("reliance.concept.least_share", "reliance.topics.least_images", "general.significance")
        )
        caption = say(
            "Unexpected dependencies: concepts unrelated to their texts whose removal costs more than the control"
        )
        note = say(
            "Adjusted p: one-sided test of whether the share exceeds {share}; {family} in at least {enough} images. It "
            "is a finding below {significance:g} if the whole interval exceeds the share as well.",
            share=percent(least),
            family=families.CONCEPTS.over,
            enough=enough,
            significance=significance,
        )
        more = rest_of(len(surprises), MOST_ROWS, RelianceRecord.file_of("regions"))
        note = " ".join(part for part in (note, pooled(), more) if part)
        tables.insert(0, CONCEPT_SHARES.table(caption, surprises.head(MOST_ROWS), note))
    return Section(
        "Unexpected dependencies",
        sentences=(
            say(RELATEDNESS if len(surprises) else NO_SURPRISE if record.regions["related"].notna().any() else NO_NAME),
        ),
        tables=tuple(tables),
    )


def _images(run: Run, record: RelianceRecord, assets: Assets) -> Section:
    images = {image.id: image for image in run.dataset.images}
    heats: list[Heat] = []
    sentences = []
    bar = assets.drawing(colour_bar(signed=True))
    for name in list(record.image_names)[:MOST_IMAGES]:
        rows = record.regions[record.regions["image"] == name]
        part = rows[(rows["text"] == rows.iloc[0]["text"]) & (rows["text_kind"] == rows.iloc[0]["text_kind"])]
        image = images[name]
        small = fit(run.dataset.open(image), PRINT_SIDE)
        geometry = geometry_of(run, image.width, image.height)
        heats.append(
            Heat(assets.photo(small), say("The image {name}", name=image.name), say("Image"), shorten(image.name, 40))
        )
        for column, english in SHOWN.items():
            title = say(english)
            values = region_map(part, column)
            extent = value_range(values)
            low, high = bar_ends(extent, signed=True)
            painted = overlay(small, values, geometry, signed=True)
            caption = say("raw {low} to {high}; cosine", low=amount(extent.low), high=amount(extent.high))
            alt = say("{title}, regions of {name}; {caption}", title=title, name=image.name, caption=caption)
            heats.append(Heat(assets.photo(painted), alt, title, caption, bar, amount(low), amount(high)))
        text = shorten(str(part["text"].iloc[0]), 70)
        sentences.append(say("{name}, “{text}”: {told}", name=image.name, text=text, told=extremes(part)))
    return Section(
        "Regions of single images",
        sentences=(
            say("The first {count} images measured, with the first text of each.", count=len(sentences)),
            *sentences,
        ),
        heats=tuple(heats),
    )


def extremes(part: pd.DataFrame) -> str:
    """Which region of one image and text lowers the score most when it is hidden, and which raises it most."""
    low, high = part.loc[part["fall"].idxmax()], part.loc[part["fall"].idxmin()]
    told = [
        say(
            "hiding a region named “{concept}” ({area} of the image) lowers the score most, by {change}"
            if sign > 0
            else "hiding a region named “{concept}” ({area} of the image) raises the score most, by {change}",
            concept=concept_title(row["concept"]),
            area=percent(row["area"]),
            change=number(abs(row["fall"])),
        )
        for row, sign in ((low, 1), (high, -1))
        if sign * row["fall"] > 0
    ]
    whole = say("the whole image adds {gain} to the score.", gain=number(low["total"]))
    return f"{'; '.join(told) or say('hiding no region changes the score')}; {whole}"


def _words(context: Context, record: RelianceRecord) -> Section:
    measures, words = word_measures(record, context), least_words(record, MOST_WORDS)
    tables = []
    if len(measures):
        tables.append(WORDS.table(say("Words, with 95 % interval over images or texts"), measures))
    if len(words):
        caption = say(
            "The words that change fixed sentences least when they are left out, relative to the typical word"
        )
        tables.append(LEAST_WORDS.table(caption, words))
    return Section(
        "Effects of words on the scores",
        sentences=(
            say(
                "A spread is the standard deviation of an image's cosines over the classes; the fall of the margin is "
                "the mean fall divided by the mean spread of the images. Function words are "
                "articles, prepositions, pronouns and similar; a value below 0 means less attribution than their share "
                "of the words."
            ),
        )
        if tables
        else (),
        tables=tuple(tables),
    )
