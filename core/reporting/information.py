"""The information that pairs keep, in the report: own against wrong texts, seeds, maps and tokens. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.applications.information_record import SIDES, InformationRecord, of_run
from core.reporting.assets import Assets
from core.reporting.charts import shorten, to_svg
from core.reporting.content import Chart, Column, Fact, Heat, Section, Table
from core.reporting.heat import bar_ends, colour_bar, fit, geometry_of, overlay, value_range
from core.reporting.information_tables import (
    MEASURES,
    common_range,
    grid,
    own_against_wrong,
    pairs_chart,
    reading,
    seed_table,
    shared_overlay,
)
from core.reporting.words import MINUS, amount, measured, number
from core.runs import Run

PRINT_SIDE = 340
SHOWN = 4
SHOWN_TEXTS = 2
# Texts differ in length, so that their nats are compared by the token.
PRINTED = {"image": ("nats", "cosine", "efficiency"), "text": ("per_place", "cosine", "efficiency")}


def information_sections(run: Run, assets: Assets) -> tuple[Section, ...]:
    """What the application `information` found in this run; nothing if it was not computed."""
    record = of_run(run)
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
    "A bottleneck after one block mixes the state with noise and is optimised to keep as little as possible while the "
    "cosine stays high; what is left is measured in nats. It is done for each picture with its own text and with "
    "texts of other pictures, on both sides, at each price of information.",
    "A wrong text can keep as much: the mask searches for whatever raises the cosine, and where information is cheap "
    "it finds much. So nats are compared at one price only, beside the cosine that they buy. Intervals are not "
    "adjusted for the number of rows.",
)


def _comparison(record: InformationRecord, assets: Assets) -> Section:
    about = record.about
    frame = own_against_wrong(record)
    rows = tuple(
        (
            f"{SIDES[row.side]}, price {row.price:g}",
            MEASURES[row.measure][0],
            number(row.own, MEASURES[row.measure][1]),
            number(row.wrong, MEASURES[row.measure][1]),
            measured(row.value, row.low, row.high, row.n, digits=MEASURES[row.measure][1]),
            f"{row.share:.0%}".replace("%", " %"),
        )
        for row in frame.itertuples()
        if row.measure in PRINTED[row.side]
    )
    columns = (
        Column("Where", share=17),
        Column("Measure", share=23),
        Column("Own", "number", 10),
        Column("Wrong", "number", 10),
        Column(f"Own {MINUS} wrong", "number", 29),
        Column("Own has more", "number", 11),
    )
    charts = []
    for side in record.sides:
        price = record.prices[-1]
        title = f"Nats kept by own and wrong texts, {SIDES[side]}"
        caption = (
            f"Each picture's own text and texts of other pictures, {SIDES[side]}, price {price:g}, means over "
            f"{len(about['seeds'])} seeds, n = 1 each; the interval of the difference is in the table."
        )
        charts.append(Chart(assets.chart(to_svg(pairs_chart(record, side, price), title)), title, caption))
    return Section(
        "Information a pair keeps",
        facts=_facts(record),
        sentences=(*HOW, *reading(frame)),
        charts=tuple(charts),
        tables=(Table("Own text against texts of other pictures, paired, 95 % interval over pictures", columns, rows),),
    )


def _facts(record: InformationRecord) -> tuple[Fact, ...]:
    about, options = record.about, record.about["options"]
    left_out = f"; {about['pictures_left_out']} of the audit left out" if about["pictures_left_out"] else ""
    chosen = "its first caption" if about["own"] == "captions" else "the prompt or class that the model ranks first"
    text = f"; text side: block {about['text_layer']}, {about['text_prior']}" if about["text_reason"] == "" else ""
    return (
        Fact("Pictures", f"{about['pictures']}{left_out}"),
        Fact("Own text", chosen),
        Fact(
            "Wrong texts", f"{options['wrong']} a picture, drawn from other pictures' own texts by a seeded derangement"
        ),
        Fact("Seeds", ", ".join(str(seed) for seed in about["seeds"])),
        Fact(
            "Prices of information", ", ".join(f"{price:g}" for price in record.prices) + " (0.1 is the published one)"
        ),
        Fact("Steps and noise samples", f"{options['steps']} and {options['samples']}"),
        Fact("Bottleneck after block, and prior", f"picture side: block {about['layer']}, {about['prior']}{text}"),
        *((Fact("Text side", f"not run: {about['text_reason']}"),) if about["text_reason"] else ()),
        Fact(
            "Forwards",
            f"{about['image_forwards']:,.0f} of the image tower, {about['text_forwards']:,.0f} of the text tower",
        ),
    )


def _seeds(record: InformationRecord) -> Section:
    table = seed_table(record)
    rows = tuple(
        (
            f"{SIDES[row.side]}, price {row.price:g}",
            measured(row.total, row.total_low, row.total_high, row.total_n, digits=4),
            measured(row.map, row.map_low, row.map_high, row.map_n),
            measured(row.nib, row.nib_low, row.nib_high, row.nib_n),
        )
        for row in table.itertuples()
    )
    columns = (
        Column("Where", share=22),
        Column("Spread of nats over seeds", "number", 27),
        Column("Maps of two seeds", "number", 25),
        Column("With the narrowing bottleneck", "number", 26),
    )
    return Section(
        "How far seeds agree",
        sentences=(
            "The bottleneck is random. The spread is the standard deviation of a pair's nats over seeds, relative to "
            "their mean; the others are rank correlations over the places of a map or the tokens of a text.",
            "The narrowing bottleneck has no seed. It asks another question of the same state, so a low correlation "
            "doesn't say which of the two is wrong.",
        ),
        tables=(Table("Seeds and the deterministic partner, means with 95 % interval over pictures", columns, rows),),
    )


def _maps(run: Run, record: InformationRecord, assets: Assets) -> Section:
    price = record.prices[-1]
    known = {picture.id: picture for picture in run.dataset.pictures}
    heats: list[Heat] = []
    texts = []
    for image in list(record.images)[:SHOWN]:
        rows = record.of(image, "image", price)
        own, wrong = next(rows[rows["kind"] == "own"].itertuples()), next(rows[rows["kind"] == "wrong"].itertuples())
        heats += _row_of_heats(run, assets, known[image], own, wrong)
        first, other = shorten(own.text, 90), shorten(wrong.text, 90)
        texts.append(f"{known[image].name}: own \u201c{first}\u201d, wrong \u201c{other}\u201d.")
    return Section(
        "Maps of own and wrong texts",
        sentences=(
            f"The first {len(texts)} pictures of the plan at a price of {price:g}. Own and wrong text share one scale, "
            "means over seeds; the spread is one standard deviation over seeds, on a scale of its own.",
            *texts,
        ),
        heats=tuple(heats),
    )


def _row_of_heats(run: Run, assets: Assets, picture: Any, own: Any, wrong: Any) -> list[Heat]:
    small = fit(run.dataset.open(picture), PRINT_SIDE)
    geometry = geometry_of(run, picture.width, picture.height)
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
        about = f"{title} of {picture.name}; {told}"
        ramp = signed_bar if signed else bar
        return Heat(assets.photo(painted), about, title, told, ramp, amount(low), amount(high))

    return [
        Heat(assets.photo(small), f"The picture {picture.name}", "Picture", shorten(picture.name, 40)),
        heat("Own text", first, "shared", "nats"),
        heat("Wrong text", second, "shared", "nats"),
        heat("Own minus wrong", first - second, "signed", "nats"),
        heat("Spread over seeds", grid(own, "spread"), "own", "nats, own text"),
        heat("Narrowing", grid(own, "nib"), "signed", "share of the cosine"),
    ]


def _tokens(record: InformationRecord) -> Section:
    if "text" not in record.sides:
        return Section("Words of own texts")
    tables = []
    columns = (
        Column("Token", share=22),
        *(Column(f"Nats at a price of {price:g}", "number") for price in record.prices),
        Column("Narrowing", "number", 16),
    )
    for image, name in list(record.images.items())[:SHOWN_TEXTS]:
        parts = [record.of(image, "text", price) for price in record.prices]
        own = [next(part[part["kind"] == "own"].itertuples()) for part in parts]
        rows = tuple(
            (token, *(_with_spread(row, at) for row in own), amount(float(own[0].nib[at])))
            for at, token in enumerate(own[0].tokens)
        )
        tables.append(
            Table(f"{name}: \u201c{shorten(own[0].text, 120)}\u201d, n = {_count(record)} seeds", columns, rows)
        )
    return Section(
        "Words of own texts",
        sentences=(
            f"The own texts of the first {len(tables)} pictures: mean over seeds and one standard deviation, for each "
            "token. In a causal text tower the state of a token also holds what stands before it.",
        ),
        tables=tuple(tables),
    )


def _with_spread(row: Any, at: int) -> str:
    return f"{amount(float(row.map[at]))} \u00b1 {amount(float(np.asarray(row.spread)[at]))}"


def _count(record: InformationRecord) -> int:
    return len(record.about["seeds"])
