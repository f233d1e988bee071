"""The information that pairs keep, in the report: own against wrong texts, seeds, maps and tokens. No torch."""

from __future__ import annotations

from typing import Any

from core.applications.information.measures import (
    MEASURES,
    PER_PLACE,
    common_range,
    grid,
    own_against_wrong,
    pairs_chart,
    seed_table,
    shared_overlay,
)
from core.applications.information.record import SIDES, InformationRecord, MapRow, of_run
from core.applications.information.tables import OWN_AND_WRONG, SEEDS, token_rows, tokens
from core.applications.phrases import PRIORS, listed, own_text, passes, raw_range
from core.applications.sampling import images_of
from core.content.assets import Assets
from core.content.charts import to_svg
from core.content.context import ReportContext
from core.content.heat import bar_ends, colour_bar, fit, geometry_of, overlay, value_range
from core.content.parts import Chart, Fact, Heat, Place, Section
from core.content.words import amount, measured, number, plural, shorten
from core.languages import say
from core.runs import Run
from core.runs.rows import typed

PRINT_SIDE = 340
SHOWN = 4
SHOWN_TEXTS = 2
# The weight of the published method.
PUBLISHED = 0.1
# Texts differ in length, so that their nats are compared by the token.
PRINTED = {"image": ("nats", "cosine", "efficiency"), "text": ("per_place", "cosine", "efficiency")}


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What the application `information` found in this run; nothing if it was not computed."""
    run, assets = context.run, context.assets
    record = context.judged.record(of_run)
    if record is None:
        return ()
    parts = (
        _comparison(record, assets),
        _seeds(record),
        _maps(run, record, assets),
        _tokens(record),
    )
    return tuple(part for part in parts if not part.empty)


HOW = (  # messages
    "A bottleneck after one block mixes the state with noise and is optimised to retain as little information as "
    "possible while the cosine stays high; the information retained is measured in nats. This is done for each image "
    "with its own text and with texts of other images, on both sides, with each weight β of the information term.",
    "A wrong text can retain as much: the mask searches for anything that raises the cosine, and with a small β it "
    "retains much. Nats are therefore compared at one weight only, together with the cosine reached. Intervals are "
    "not adjusted for the number of rows.",
)


def _comparison(record: InformationRecord, assets: Assets) -> Section:
    about = record.about
    frame = own_against_wrong(record)
    rows = [row for row in frame.itertuples() if row.measure in PRINTED[row.side]]
    charts: list[Chart] = []
    for side in record.sides:
        price = record.prices[-1]
        title = say("Nats retained for own and wrong texts, {side}", side=say(SIDES[side]))
        caption = say(
            "The own text of each image and texts of other images, {side}, β = {price:g}, means over {seeds} seeds, "
            "n = 1 each; the interval of the difference is in the table.",
            side=say(SIDES[side]),
            price=price,
            seeds=len(about["seeds"]),
        )
        place: Place = "annex" if charts else "body"
        charts.append(Chart(assets.chart(to_svg(pairs_chart(record, side, price), title)), title, caption, place=place))
    return Section(
        "Information retained by a pair",
        facts=_facts(record),
        sentences=tuple(map(say, HOW)),
        charts=tuple(charts),
        results=results(rows),
        tables=(
            OWN_AND_WRONG.table(say("Own text and texts of other images, paired, 95 % interval over images"), rows),
        ),
    )


LOWER = (
    "Lower for the own text, by the whole interval, not adjusted for the {count} differences compared: "
    "{measures}."
)  # messages
HIGHER = (
    "Higher for the own text, by the whole interval, not adjusted for the {count} differences compared: "
    "{measures}."
)  # messages


def results(rows: list[Any]) -> tuple[str, ...]:
    """What of the comparison excludes no difference, in sentences: what is lower for the own text comes first."""
    lower = [_difference(row) for row in rows if row.high < 0]
    higher = [_difference(row) for row in rows if row.low > 0]
    told = [
        say(words, count=len(rows), measures="; ".join(found))
        for words, found in ((LOWER, lower), (HIGHER, higher))
        if found
    ]
    return tuple(told) or (say("In no measure does the interval of the difference exclude 0."),)


def _difference(row: Any) -> str:
    title, digits = MEASURES[row.measure]
    return say(
        "{measure} ({side}, β = {price:g}), {own} against {wrong} for texts of other images, difference {gap}, higher "
        "for the own text in {higher} of {n} images",
        measure=say(PER_PLACE[row.side] if row.measure == "per_place" else title),
        side=say(SIDES[row.side]),
        price=row.price,
        own=number(row.own, digits),
        wrong=number(row.wrong, digits),
        gap=measured(row.value, row.low, row.high, int(row.n), digits=digits),
        higher=round(row.share * row.n),
        n=row.n,
    )


def _facts(record: InformationRecord) -> tuple[Fact, ...]:
    about, options = record.about, record.about["options"]
    where = [say("image side: block {block}, {prior}", block=about["layer"], prior=say(PRIORS[about["prior"]]))]
    if about["text_reason"] == "":
        where.append(
            say("text side: block {block}, {prior}", block=about["text_layer"], prior=say(PRIORS[about["text_prior"]]))
        )
    return (
        Fact("Images", images_of(about)),
        Fact("Own text", own_text(about["own"])),
        Fact(
            "Wrong texts",
            say("{count} per image, texts of other images by a seeded random reassignment", count=options["wrong"]),
        ),
        Fact("Seeds", ", ".join(str(seed) for seed in about["seeds"])),
        Fact(
            "Weights β of the information term",
            say("{weights} ({published:g} is the published one)", weights=listed(record.prices), published=PUBLISHED),
        ),
        Fact(
            "Steps and noise samples",
            say("{steps} and {samples}", steps=options["steps"], samples=options["samples"]),
        ),
        Fact("Bottleneck after block, and prior", "; ".join(where)),
        *((Fact("Text side", say("not run: {reason}", reason=about["text_reason"])),) if about["text_reason"] else ()),
        Fact("Forward passes", passes(about)),
    )


def _seeds(record: InformationRecord) -> Section:
    title = say("Seeds and the deterministic counterpart, means with 95 % interval over images")
    return Section(
        "Agreement of seeds",
        sentences=(
            say(
                "The bottleneck is random. The spread is the standard deviation of a pair's nats over seeds, relative "
                "to their mean; the others are rank correlations over the patches of a map or the tokens of a text. "
                "The spread and the maps of two seeds are over own and wrong texts, the narrowing bottleneck is over "
                "own texts only."
            ),
            say(
                "The narrowing bottleneck has no seed. It measures a different property of the same state, so a low "
                "correlation does not show which of the two is wrong."
            ),
        ),
        tables=(SEEDS.table(title, seed_table(record)),),
    )


def _maps(run: Run, record: InformationRecord, assets: Assets) -> Section:
    price = record.prices[-1]
    known = {entry.id: entry for entry in run.dataset.images}
    heats: list[Heat] = []
    texts = []
    for image in list(record.images)[:SHOWN]:
        rows = record.of(image, "image", price)
        own, wrong = (next(typed(rows[rows["kind"] == kind], MapRow)) for kind in ("own", "wrong"))
        heats += _row_of_heats(run, assets, known[image], own, wrong)
        first, other = shorten(own.text, 90), shorten(wrong.text, 90)
        texts.append(say("{name}: own “{own}”, wrong “{wrong}”.", name=known[image].name, own=first, wrong=other))
    return Section(
        "Maps of own and wrong texts",
        sentences=(
            say(
                "The first {images} drawn for this analysis, at β = {price:g}. Own and wrong text share one scale, "
                "means over seeds; the spread is one standard deviation over seeds, on a separate scale.",
                images=plural(len(texts), "image"),
                price=price,
            ),
            *texts,
        ),
        heats=tuple(heats),
    )


def _row_of_heats(run: Run, assets: Assets, image: Any, own: MapRow, wrong: MapRow) -> list[Heat]:
    small = fit(run.dataset.open(image), PRINT_SIDE)
    geometry = geometry_of(run, image.width, image.height)
    first, second = grid(own, "map"), grid(wrong, "map")
    shared = common_range([first, second])
    bar, signed_bar = assets.drawing(colour_bar()), assets.drawing(colour_bar(signed=True))

    def heat(title: str, values: Any, scale: str, unit: str) -> Heat:
        found = value_range(values)
        signed = scale == "signed"
        low, high = (shared.low, shared.high) if scale == "shared" else bar_ends(found, signed=signed)
        painted = (
            shared_overlay(small, values, geometry, shared)
            if scale == "shared"
            else overlay(small, values, geometry, signed=signed)
        )
        told = f"{raw_range(found.low, found.high)}; {unit}"
        about = say("{title} of {name}; {range}", title=title, name=image.name, range=told)
        ramp = signed_bar if signed else bar
        return Heat(assets.photo(painted), about, title, told, ramp, amount(low), amount(high))

    return [
        Heat(assets.photo(small), say("The image {name}", name=image.name), say("Image"), shorten(image.name, 40)),
        heat(say("Own text"), first, "shared", say("nats")),
        heat(say("Wrong text"), second, "shared", say("nats")),
        heat(say("Own minus wrong"), first - second, "signed", say("nats")),
        heat(say("Spread over seeds"), grid(own, "spread"), "own", say("nats, own text")),
        heat(say("Narrowing"), grid(own, "nib"), "signed", say("share of the cosine")),
    ]


def _tokens(record: InformationRecord) -> Section:
    if "text" not in record.sides:
        return Section("Words of own texts")
    tables, spec = [], tokens(record.prices)
    for image, name in list(record.images.items())[:SHOWN_TEXTS]:
        text = next(typed(record.of(image, "text", record.prices[0]), MapRow)).text
        caption = say("{name}: “{text}”, n = {n} seeds", name=name, text=shorten(text, 120), n=_count(record))
        tables.append(spec.table(caption, token_rows(record, image)))
    return Section(
        "Words of own texts",
        sentences=(
            say(
                "The own texts of the first {count} images: mean over seeds and one standard deviation, for each "
                "token. Where the text tower is causal, the state of a token also contains the preceding tokens.",
                count=len(tables),
            ),
        ),
        tables=tuple(tables),
    )


def _count(record: InformationRecord) -> int:
    return len(record.about["seeds"])
