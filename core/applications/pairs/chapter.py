"""Captions and images, in the report. No torch."""

from __future__ import annotations

from core.applications.pairs.card import BORDER, fraction
from core.applications.pairs.measures import SUSPECT, mismatch, named_classes, naming_share, retrieval, suspects
from core.applications.pairs.record import CaptionRow, PairsRecord
from core.applications.pairs.tables import NAMES, RANKS, SUSPECTS
from core.content.context import ReportContext
from core.content.heat import fit
from core.content.parts import Fact, Heat, Section
from core.content.words import measured, percent, plural, rest_of, shorten
from core.languages import localised, say
from core.runs.rows import typed

PRINTED, SHEET, SIDE = 20, 6, 240
HOW = (  # messages
    "Every caption was compared with every image. A caption and an image that do not belong together show which "
    "similarity arises without any relation; where a caption fits its own image no better than that, it is suspect. "
    "Similarities are standardised over the images and over the captions, because some captions are close to every "
    "image.",
    "The share of captions that do not fit is estimated as {times:g} times the share of captions where more than "
    "{border} of the unrelated pairs fit at least as well (Storey, 2002). A caption that the model does not "
    "understand counts as one that does not fit.",
)
# What a caption that names a class takes from the agreement of the two.
_DEPENDENT = (  # messages
    "Where a caption names a class, results on that caption and on that class are not independent: agreement of "
    "the two is one observation, not two. That the predicted class differs from what a caption names shows a "
    "conflict of model and caption, and not which of the two is wrong. Classes or labels that were taken from the "
    "captions cannot confirm them."
)


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What the application `pairs` measured in this run; nothing if it was not computed."""
    record = context.judged.record(PairsRecord.of_run)
    if record is None:
        return ()
    return tuple(part for part in (_measured(record), _names(record), _sheet(context, record)) if not part.empty)


def how() -> tuple[str, ...]:
    """How captions were compared, and how the share of those that do not fit is estimated."""
    return tuple(say(sentence, times=1 / (1 - BORDER), border=fraction(BORDER)) for sentence in HOW)


def estimate_sentence(record: PairsRecord) -> str:
    """The estimated share in one sentence."""
    share = mismatch(record)
    text = measured(share.value, share.low, share.high, share.n)
    return say(
        "Estimated share of captions that do not fit their image, with 95 % interval over images: {share}.", share=text
    )


def _measured(record: PairsRecord) -> Section:
    about, listed = record.about, suspects(record)
    captions, images = plural(about["captions"], "caption"), plural(about["images"], "image")
    facts = (
        Fact("Compared", say("{captions} with {images}", captions=captions, images=images)),
        Fact("Images without a caption", str(about["without_captions"])),
        Fact("Unrelated pairs", localised(f"{about['unrelated']:,}")),
    )
    ranks = RANKS.table(say("How often the right one ranks first"), retrieval(record), place="body")
    suspect = SUSPECTS.table(
        say(
            "Suspect captions: more than {most} of unrelated pairs fit at least as well; the worst first",
            most=percent(SUSPECT),
        ),
        listed.head(PRINTED),
        rest_of(len(listed), PRINTED, PairsRecord.file_of("captions")),
    )
    tables = (ranks, suspect) if len(listed) else (ranks,)
    return Section(
        "Captions and images", facts=facts, sentences=how(), tables=tables, results=(estimate_sentence(record),)
    )


def naming_sentences(record: PairsRecord) -> tuple[str, ...]:
    """How many captions name a class, and what follows; nothing where the plan has no classes."""
    share = naming_share(record)
    if not share.n:
        return ()
    text = measured(share.value, share.low, share.high, share.n)
    return (
        say(
            "Share of images whose caption names a class of the plan: {share}. A class counts as named "
            "by its own word, a synonym or a narrower word of WordNet.",
            share=text,
        ),
        say(_DEPENDENT),
    )


def _names(record: PairsRecord) -> Section:
    rows = named_classes(record)
    more = rest_of(len(rows), PRINTED, PairsRecord.file_of("names"))
    table = NAMES.table(say("Classes that captions name"), rows[:PRINTED], more)
    return Section("Captions that name a class", sentences=naming_sentences(record), tables=(table,) if rows else ())


def _sheet(context: ReportContext, record: PairsRecord) -> Section:
    """The worst captions with their images."""
    run, images = context.run, {image.id: image for image in context.run.dataset.images}
    heats = []
    for row in typed(suspects(record).head(SHEET), CaptionRow):
        if row.image in images:
            small = fit(run.dataset.open(images[row.image]), SIDE)
            caption = say(
                "“{caption}”; {share} of unrelated pairs fit as well",
                caption=shorten(row.caption, 80),
                share=percent(row.unrelated_share),
            )
            heats.append(
                Heat(
                    context.assets.photo(small),
                    say("The image {name}, whose caption is: {caption}", name=row.image_name, caption=row.caption),
                    shorten(row.image_name, 28),
                    caption,
                )
            )
    return Section("Captions with the worst fit", heats=tuple(heats))
