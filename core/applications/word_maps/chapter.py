"""Maps of single words, in the report. No torch."""

from __future__ import annotations

from typing import Any

import pandas as pd

from core.applications.phrases import passes
from core.applications.sampling import images_of
from core.applications.word_maps.measures import MODALITIES, each_of_run, shares, word_maps_table
from core.applications.word_maps.record import INTERACTION, SHARED, WAYS, MapRow, WordMapsRecord, grid, of_run
from core.applications.word_maps.tables import MEASURED, PROBLEMS, WORDS
from core.content.assets import Assets
from core.content.context import ReportContext
from core.content.heat import bar_ends, colour_bar, fit, geometry_of, overlay, value_range
from core.content.parts import Fact, Heat, Section, Table
from core.content.words import amount, measured, number, percent, shorten
from core.datasets import DatasetImage
from core.languages import say
from core.rules.parts import title_of
from core.runs import Run
from core.runs.rows import typed

PRINT_SIDE, SHOWN_WORDS, SHOWN_IMAGES, MOST_WORDS = 340, 5, 2, 20
HALF = 0.5
UNIT = "cosine: what cell and word add together beyond each alone"
HOW = (
    "Interactions: cells of the image and words of the text were hidden together. The value of a pair of a cell and "
    "a word is its contribution beyond their separate contributions: red, the cell raises the score because of this "
    "word; blue, it lowers it. Shared map: the map of the whole text, divided among its words so that the parts (one "
    "of no word) sum to it.",
    "Where the two procedures agree on a word, more than on maps of other words of the same text, its map can be "
    "interpreted. Function words (articles, prepositions) have no visible content: attribution beyond their share of "
    "the words indicates that maps follow the form of a sentence and not its content.",
)  # messages


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What the application `word_maps` found in this run; nothing if it was not computed."""
    run, assets = context.run, context.assets
    record = context.judged.record(of_run)
    if record is None:
        return ()
    parts = [_measured(record, run.once(each_of_run)), *_shown(run, record, assets), _problems(record)]
    return tuple(part for part in parts if not part.empty)


def word_rows(record: WordMapsRecord, image: str) -> pd.DataFrame:
    """The words of an image's text: `place`, `word`, `function`, `effect`, and `share` of each way."""
    owned = shares(record)
    owned = owned[owned["image"] == image].pivot(index="place", columns="way", values="share")
    words = record.of(image, INTERACTION)[["place", "word", "function", "effect"]]
    return words.merge(owned, on="place", how="left").reset_index(drop=True)


def word_heat(run: Run, image: DatasetImage, row: MapRow, assets: Assets, title: str, caption: str) -> Heat:
    """One word's map over its image."""
    values = grid(row)
    low, high = bar_ends(value_range(values), signed=True)
    small = fit(run.dataset.open(image), PRINT_SIDE)
    painted = overlay(small, values, geometry_of(run, image.width, image.height), signed=True, smooth=False)
    alt = say(
        "{way} of the word {word} on {name}; raw {low} to {high}",
        way=say(WAYS[row.way]),
        word=row.word,
        name=image.name,
        low=amount(low),
        high=amount(high),
    )
    bar = assets.drawing(colour_bar(signed=True))
    return Heat(assets.photo(painted), alt, title, caption, bar, amount(low), amount(high))


def _measured(record: WordMapsRecord, each: pd.DataFrame) -> Section:
    about = record.about
    table = word_maps_table(record, each)
    facts = (
        Fact("Images", images_of(about)),
        Fact("Text", say("the first caption" if about["own"] == "captions" else "the text that the model ranks first")),
        Fact("Shared map", title_of(about["method"])),
        Fact("Forward passes", passes(about)),
    )
    tables = (MEASURED.table(say("Maps of single words, with 95 % interval over images"), table, place="body"),)
    told = modalities_told(table)
    results = (told,) if told else ()
    sentences = tuple(say(sentence) for sentence in HOW)
    return Section("Maps of single words", facts=facts, sentences=sentences, tables=tables, results=results)


def modalities_told(table: pd.DataFrame) -> str:
    """What the shares of image and words mean for maps of words, in sentences; "" where they were not measured."""
    rows = table.set_index("measure")
    if not rows.loc[list(MODALITIES), "n"].all():
        return ""
    image, words, both = (rows.loc[name] for name in MODALITIES)
    written = [measured(row.value, row.low, row.high, int(row.n)) for row in (words, image, both)]
    told = say(
        "Of the variance of the cosine while cells and words are hidden, the words alone explain {words}, the image "
        "alone {image}, and both together {both}.",
        words=written[0],
        image=written[1],
        both=written[2],
    )
    if words.value > HALF:
        most = say(
            "Which words remain decides most of the cosine, whatever the image shows. Maps of single words describe "
            "only the part that needs both."
        )
        told = f"{told} {most}"
    return told


def _shown(run: Run, record: WordMapsRecord, assets: Assets) -> list[Section]:
    """The images on which the two ways agree most and least, with the words that own most."""
    each = run.once(each_of_run).dropna(subset=["same"]).sort_values("same", ascending=False, kind="stable")
    chosen = list(dict.fromkeys([*each["image"].head(1), *each["image"].tail(1)]))[:SHOWN_IMAGES]
    known = {entry.id: entry for entry in run.dataset.images}
    agreement = dict(zip(each["image"], each["same"], strict=True))
    found = []
    for image in [image for image in chosen if image in known]:
        entry, words = known[image], word_rows(record, image)
        text = str(record.of(image, INTERACTION)["text"].iloc[0])
        best = words[~words["function"].astype(bool)].nlargest(SHOWN_WORDS, INTERACTION, keep="all").head(SHOWN_WORDS)
        said = say(
            "“{text}”. Mean over its content words of the rank correlation of the two procedures: {value} (one image).",
            text=shorten(text, 160),
            value=number(agreement[image], 2),
        )
        name = shorten(entry.name, 40)
        small = assets.photo(fit(run.dataset.open(entry), PRINT_SIDE))
        first = Heat(small, say("the image {name}", name=entry.name), say("Image"), shorten(entry.name, 28))
        rest = next(typed(record.of(image, SHARED), MapRow))
        heats = {
            INTERACTION: (first, *_heats(run, record, entry, best, INTERACTION, assets)),
            SHARED: (
                word_heat(run, entry, rest, assets, say("Without any word"), ""),
                *_heats(run, record, entry, best, SHARED, assets),
            ),
        }
        found += [
            Section(say("Words of {name}: interactions", name=name), sentences=(said,), heats=heats[INTERACTION]),
            Section(say("Words of {name}: shared map", name=name), heats=heats[SHARED]),
            Section(say("Words of {name}: attribution received", name=name), tables=(_owned(words),)),
        ]
    return found


def _heats(
    run: Run, record: WordMapsRecord, image: DatasetImage, words: pd.DataFrame, way: str, assets: Assets
) -> list[Heat]:
    rows = {row.place: row for row in typed(record.of(image.id, way), MapRow)}
    return [
        word_heat(
            run,
            image,
            rows[word.place],
            assets,
            say("“{text}”", text=word.word),
            say("{share} of the map", share=percent(getattr(word, way))),
        )
        for word in typed(words, MapRow)
    ]


def _owned(words: pd.DataFrame) -> Table:
    more = ""
    if len(words) > MOST_WORDS:
        more = say("The first {first} words of {count}.", first=MOST_WORDS, count=len(words))
    title = say("Change of the cosine when a word is kept, and its share of the maps")
    return WORDS.table(title, words.head(MOST_WORDS), more)


def _problems(record: WordMapsRecord) -> Section:
    problems = record.about["problems"]
    table = PROBLEMS.table(say("Images without word maps; they are not part of any number"), problems)
    return Section("Word maps that could not be made", tables=(table,) if problems else ())


def _told(row: Any) -> str:
    return measured(row.value, row.low, row.high, int(row.n))
