"""The sweep over layers in the report: drops and increases by block, maps and words. No torch."""

from __future__ import annotations

from core.applications.layer_sweep.measures import by_block, drops_chart, grid
from core.applications.layer_sweep.record import BlockRow, LayerSweepRecord, of_run
from core.applications.layer_sweep.tables import DROPS, INCREASES, block_title, word_rows, words
from core.applications.phrases import PRIORS, own_text, passes
from core.applications.sampling import images_of
from core.content.assets import Assets
from core.content.charts import to_svg
from core.content.context import ReportContext
from core.content.heat import colour_bar, fit, geometry_of, overlay, value_range
from core.content.parts import Chart, Fact, Heat, Section
from core.content.promises import draws_interval, promised
from core.content.words import amount, number, shorten
from core.datasets import DatasetImage
from core.languages import localised, say
from core.runs import Run
from core.runs.rows import typed

PRINT_SIDE = 340
SHOWN, SHOWN_TEXTS = 3, 2
TITLE = "Information by layer"
TOWERS = {"image": "Image tower", "text": "Text tower"}  # messages
HOW = (  # messages
    "A bottleneck was optimised at several blocks of each tower, for each image and its own text. Then only what its "
    "map highlights was left: the image fades to the mean colour where the map is low, and a text keeps the words "
    "whose value is above the median. The drop is how far the cosine falls, and 0 where it rises; the increase is the "
    "share of images where it rises.",
    "A map that is high almost everywhere keeps almost everything, wherever it points. Each map is therefore compared "
    "with its own values in random positions. Nats belong to the state of a block and are not comparable across "
    "blocks. Intervals are not adjusted for the number of rows.",
)


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What the application `layer_sweep` measured in this run; nothing if it was not computed."""
    record = context.judged.record(of_run)
    if record is None:
        return ()
    parts = (
        _measured(record, context.assets),
        *_maps(context.run, record, context.assets),
        _words(record),
    )
    return tuple(part for part in parts if not part.empty)


def _measured(record: LayerSweepRecord, assets: Assets) -> Section:
    table = by_block(record)
    title = say("Drop of the cosine by block, map and random map")
    caption = say(
        "Drop of the cosine when only what the map of a block highlights is left, and the same for its values in "
        "random positions; means with 95 % interval over images, n in the table."
    )
    return Section(
        TITLE,
        facts=_facts(record),
        sentences=tuple(map(say, HOW)),
        charts=(
            Chart(assets.chart(to_svg(drops_chart(record), title)), title, promised(caption, draws_interval(table))),
        ),
        tables=(
            DROPS.table(say("Drop in confidence by block, means with 95 % interval over images"), table),
            INCREASES.table(say("Increase in confidence by block, with 95 % interval over images"), table),
        ),
    )


def _facts(record: LayerSweepRecord) -> tuple[Fact, ...]:
    about, options = record.about, record.about["options"]
    priors = {"image": about["prior"], "text": about["text_prior"]}
    return (
        Fact("Images", images_of(about)),
        Fact("Text", own_text(about["own"])),
        *(
            Fact(
                TOWERS[side],
                say(
                    "blocks {blocks} of {depth}; {prior} prior",
                    blocks=", ".join(map(str, about["blocks"][side])),
                    depth=about["depths"][side],
                    prior=say(PRIORS[priors[side]]),
                ),
            )
            for side in record.sides
        ),
        *(Fact(TOWERS[side], say("not run: {reason}", reason=reason)) for side, reason in about["reasons"].items()),
        Fact("Random maps per map", str(options["controls"])),
        Fact("Weight β", localised(f"{options['beta']:g}")),
        Fact(
            "Steps and noise samples",
            say("{steps} and {samples}", steps=options["steps"], samples=options["samples"]),
        ),
        Fact("Forward passes", passes(about)),
    )


def _maps(run: Run, record: LayerSweepRecord, assets: Assets) -> list[Section]:
    """The first images measured, a section each: their map at every block."""
    if "image" not in record.sides:
        return []
    known = {entry.id: entry for entry in run.dataset.images}
    shown = [image for image in record.images if image in known][:SHOWN]
    return [_maps_of(run, record, known[image], assets) for image in shown]


def _maps_of(run: Run, record: LayerSweepRecord, entry: DatasetImage, assets: Assets) -> Section:
    small = fit(run.dataset.open(entry), PRINT_SIDE)
    geometry = geometry_of(run, entry.width, entry.height)
    bar = assets.drawing(colour_bar())
    heats = [Heat(assets.photo(small), say("The image {name}", name=entry.name), say("Image"), shorten(entry.name, 40))]
    rows = list(typed(record.of(entry.id, "image"), BlockRow))
    for row in rows:
        values = grid(row)
        ends = value_range(values)
        printed = say("drop {drop}, random {random}", drop=number(row.drop), random=number(row.random_drop))
        title = block_title(row.block, row.default, head=True)
        alt = say(
            "{title} of {name}; raw {low} to {high} nats; {drops}",
            title=title,
            name=entry.name,
            low=amount(ends.low),
            high=amount(ends.high),
            drops=printed,
        )
        painted = assets.photo(overlay(small, values, geometry))
        heats.append(Heat(painted, alt, title, printed, bar, amount(ends.low), amount(ends.high)))
    return Section(
        say("Maps by block: {name}", name=shorten(entry.name, 40)),
        sentences=(
            say(
                "“{text}”. Each map has its own scale, in nats per cell; below it stands the drop of the cosine with "
                "this map and with its values in random positions, n = 1.",
                text=shorten(rows[0].text, 120),
            ),
        ),
        heats=tuple(heats),
    )


def _words(record: LayerSweepRecord) -> Section:
    if "text" not in record.sides:
        return Section("Words by block")
    spec = words(record.about["blocks"]["text"], record.about["default"]["text"])
    tables = []
    for image, name in list(record.images.items())[:SHOWN_TEXTS]:
        text = next(typed(record.of(image, "text"), BlockRow)).text
        rows = word_rows(record, image)
        if rows:
            tables.append(spec.table(say("{name}: “{text}”, n = 1", name=name, text=shorten(text, 120)), rows))
    told = say("Nats of each word, and whether it is among those that are kept for this block.")
    return Section(
        "Words by block",
        sentences=(told,) if tables else (),
        tables=tuple(tables),
    )
