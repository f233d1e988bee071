"""The information that pairs keep, in the report: own against wrong texts, seeds, maps and tokens. No torch."""

from __future__ import annotations

from typing import Any

from core.applications.information.measures import (
    MEASURES,
    common_range,
    grid,
    own_against_wrong,
    pairs_chart,
    seed_table,
    shared_overlay,
)
from core.applications.information.record import SIDES, InformationRecord, MapRow, of_run
from core.applications.information.tables import OWN_AND_WRONG, SEEDS, token_rows, tokens
from core.applications.sampling import images_of
from core.content.assets import Assets
from core.content.charts import to_svg
from core.content.context import ReportContext
from core.content.heat import bar_ends, colour_bar, fit, geometry_of, overlay, value_range
from core.content.parts import Chart, Fact, Heat, Place, Section
from core.content.words import amount, measured, number, plural, shorten
from core.runs import Run
from core.runs.rows import typed

PRINT_SIDE = 340
SHOWN = 4
SHOWN_TEXTS = 2
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


HOW = (
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
        title = f"Nats retained for own and wrong texts, {SIDES[side]}"
        caption = (
            f"The own text of each image and texts of other images, {SIDES[side]}, β = {price:g}, means over "
            f"{len(about['seeds'])} seeds, n = 1 each; the interval of the difference is in the table."
        )
        place: Place = "annex" if charts else "body"
        charts.append(Chart(assets.chart(to_svg(pairs_chart(record, side, price), title)), title, caption, place=place))
    return Section(
        "Information retained by a pair",
        facts=_facts(record),
        sentences=HOW,
        charts=tuple(charts),
        results=results(rows),
        tables=(OWN_AND_WRONG.table("Own text and texts of other images, paired, 95 % interval over images", rows),),
    )


def results(rows: list[Any]) -> tuple[str, ...]:
    """What of the comparison excludes no difference, in sentences: what is lower for the own text comes first."""
    lower = [_difference(row) for row in rows if row.high < 0]
    higher = [_difference(row) for row in rows if row.low > 0]
    told = []
    if lower:
        told.append(f"Lower for the own text, by the whole interval: {'; '.join(lower)}.")
    if higher:
        told.append(f"Higher for the own text, by the whole interval: {'; '.join(higher)}.")
    return tuple(told) or ("In no measure does the interval of the difference exclude 0.",)


def _difference(row: Any) -> str:
    title, digits = MEASURES[row.measure]
    title = title.replace("patch or token", "patch" if row.side == "image" else "token")
    gap = measured(row.value, row.low, row.high, int(row.n), digits=digits)
    means = f"{number(row.own, digits)} against {number(row.wrong, digits)} for texts of other images"
    return (
        f"{title} ({SIDES[row.side]}, β = {row.price:g}), {means}, difference {gap}, higher for the own text in "
        f"{round(row.share * row.n)} of {row.n} images"
    )


def _facts(record: InformationRecord) -> tuple[Fact, ...]:
    about, options = record.about, record.about["options"]
    chosen = "its first caption" if about["own"] == "captions" else "the prompt or class that the model ranks first"
    text = f"; text side: block {about['text_layer']}, {about['text_prior']}" if about["text_reason"] == "" else ""
    return (
        Fact("Images", images_of(about)),
        Fact("Own text", chosen),
        Fact("Wrong texts", f"{options['wrong']} per image, texts of other images by a seeded random reassignment"),
        Fact("Seeds", ", ".join(str(seed) for seed in about["seeds"])),
        Fact(
            "Weights β of the information term",
            ", ".join(f"{price:g}" for price in record.prices) + " (0.1 is the published one)",
        ),
        Fact("Steps and noise samples", f"{options['steps']} and {options['samples']}"),
        Fact("Bottleneck after block, and prior", f"image side: block {about['layer']}, {about['prior']}{text}"),
        *((Fact("Text side", f"not run: {about['text_reason']}"),) if about["text_reason"] else ()),
        Fact(
            "Forwards",
            f"{about['image_forwards']:,.0f} of the image tower, {about['text_forwards']:,.0f} of the text tower",
        ),
    )


def _seeds(record: InformationRecord) -> Section:
    title = "Seeds and the deterministic counterpart, means with 95 % interval over images"
    return Section(
        "Agreement of seeds",
        sentences=(
            "The bottleneck is random. The spread is the standard deviation of a pair's nats over seeds, relative to "
            "their mean; the others are rank correlations over the patches of a map or the tokens of a text.",
            "The narrowing bottleneck has no seed. It measures a different property of the same state, so a low "
            "correlation does not show which of the two is wrong.",
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
        texts.append(f"{known[image].name}: own \u201c{first}\u201d, wrong \u201c{other}\u201d.")
    return Section(
        "Maps of own and wrong texts",
        sentences=(
            f"The first {plural(len(texts), 'image')} drawn for this analysis, at β = {price:g}. Own and wrong text "
            "share one scale, means over seeds; the spread is one standard deviation over seeds, on a separate scale.",
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
        told = f"raw {amount(found.low)} to {amount(found.high)}; {unit}"
        about = f"{title} of {image.name}; {told}"
        ramp = signed_bar if signed else bar
        return Heat(assets.photo(painted), about, title, told, ramp, amount(low), amount(high))

    return [
        Heat(assets.photo(small), f"The image {image.name}", "Image", shorten(image.name, 40)),
        heat("Own text", first, "shared", "nats"),
        heat("Wrong text", second, "shared", "nats"),
        heat("Own minus wrong", first - second, "signed", "nats"),
        heat("Spread over seeds", grid(own, "spread"), "own", "nats, own text"),
        heat("Narrowing", grid(own, "nib"), "signed", "share of the cosine"),
    ]


def _tokens(record: InformationRecord) -> Section:
    if "text" not in record.sides:
        return Section("Words of own texts")
    tables, spec = [], tokens(record.prices)
    for image, name in list(record.images.items())[:SHOWN_TEXTS]:
        text = next(typed(record.of(image, "text", record.prices[0]), MapRow)).text
        caption = f"{name}: \u201c{shorten(text, 120)}\u201d, n = {_count(record)} seeds"
        tables.append(spec.table(caption, token_rows(record, image)))
    return Section(
        "Words of own texts",
        sentences=(
            f"The own texts of the first {len(tables)} images: mean over seeds and one standard deviation, for each "
            "token. Where the text tower is causal, the state of a token also contains the preceding tokens.",
        ),
        tables=tuple(tables),
    )


def _count(record: InformationRecord) -> int:
    return len(record.about["seeds"])
