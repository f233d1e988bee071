"""Maps of single words, in the report. No torch."""

from __future__ import annotations

from typing import Any

import pandas as pd

from core.applications.word_maps_record import INTERACTION, SHARED, WAYS, WordMapsRecord, grid, of_run
from core.datasets import Picture
from core.evaluation.word_maps import MEASURES, each_picture, shares, word_maps_table
from core.reporting.assets import Assets
from core.reporting.charts import method_title, shorten
from core.reporting.content import Column, Fact, Heat, Section, Table
from core.reporting.heat import bar_ends, colour_bar, fit, geometry_of, overlay, value_range
from core.reporting.words import amount, bounded, measured, number, percent
from core.runs import Run

PRINT_SIDE, SHOWN_WORDS, SHOWN_PICTURES, MOST_WORDS = 340, 5, 2, 20
UNIT = "cosine: what cell and word add together beyond each on its own"
HOW = (
    "Interactions: cells of the picture and words of the text were hidden together. Each pair of a cell and a word has "
    "what it adds beyond both on their own: red, the cell raises the score because of this word; blue, it lowers it. "
    "Shared map: the map of the whole text, divided among its words so that the parts (one of no word) sum to it.",
    "Where the two ways agree about a word, beyond what maps of other words of the same text do, its map can be read. "
    "Function words (articles, prepositions) show nothing: what they own beyond their share of the words says that "
    "maps follow the form of a sentence and not what it names.",
)


def word_maps_sections(run: Run, assets: Assets) -> tuple[Section, ...]:
    """What the application `word_maps` found in this run; nothing if it was not computed."""
    record = of_run(run)
    if record is None:
        return ()
    parts = [_measured(run, record), *_shown(run, record, assets), _problems(record)]
    return tuple(part for part in parts if not part.empty)


def reading(table: pd.DataFrame) -> tuple[str, ...]:
    """What the measures say, in sentences; each with its number."""
    rows = {row.measure: row for row in table.itertuples()}
    said = []
    beyond, gain = rows["beyond"], rows["gain"]
    if beyond.n:
        above = pd.notna(beyond.low) and beyond.low > 0
        end = "so single words' maps can be read" if above else "so single words' maps can't be told apart"
        said.append(
            f"The two ways agree about a word by {_told(beyond)} more than about other words of the same text, {end}."
        )
    else:
        said.append("No text has two different content words whose maps vary, so the two ways can't be compared.")
    if gain.n:
        adds = pd.isna(gain.low) or gain.low > 0
        said.append(
            f"Pairs of a cell and a word add {_told(gain)} to the share of the score's variance explained."
            if adds
            else f"Pairs of a cell and a word add nothing sure to the share of the score's variance explained "
            f"({_told(gain)}): maps by interactions may be noise."
        )
    for way, title in WAYS.items():
        row = rows[f"function_{way}"]
        if row.n and pd.notna(row.low) and (row.low > 0 or row.high < 0):
            more = "more" if row.low > 0 else "less"
            said.append(f"{title}: function words own {more} than their share of the words ({_told(row)}).")
    return tuple(said)


def measures_told(table: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """The rows of `word_maps_table` as printed: what, mean with interval, pictures."""
    return tuple(
        (MEASURES[row.measure], bounded(row.value, row.low, row.high) if row.n else "not measured", str(row.n))
        for row in table.itertuples()
    )


def word_rows(record: WordMapsRecord, image: str) -> pd.DataFrame:
    """The words of a picture's text: `place`, `word`, `function`, `effect`, and `share` of each way."""
    owned = shares(record)
    owned = owned[owned["image"] == image].pivot(index="place", columns="way", values="share")
    words = record.of(image, INTERACTION)[["place", "word", "function", "effect"]]
    return words.merge(owned, on="place", how="left").reset_index(drop=True)


def word_heat(run: Run, picture: Picture, row: Any, assets: Assets, title: str, caption: str) -> Heat:
    """One word's map over its picture."""
    values = grid(row)
    low, high = bar_ends(value_range(values), signed=True)
    small = fit(run.dataset.open(picture), PRINT_SIDE)
    painted = overlay(small, values, geometry_of(run, picture.width, picture.height), signed=True, smooth=False)
    alt = f"{WAYS[row.way]} of the word {row.word} on {picture.name}; raw {amount(low)} to {amount(high)}"
    bar = assets.drawing(colour_bar(signed=True))
    return Heat(assets.photo(painted), alt, title, caption, bar, amount(low), amount(high))


def _measured(run: Run, record: WordMapsRecord) -> Section:
    about = record.about
    table = word_maps_table(record)
    left = f"; {about['pictures_left_out']} of the audit left out" if about["pictures_left_out"] else ""
    facts = (
        Fact("Pictures", f"{about['pictures']}{left}"),
        Fact("Text", "the first caption" if about["own"] == "captions" else "what the model ranks first"),
        Fact("Map that is shared", method_title(about["method"])),
        Fact("Forwards", f"{about['image_forwards']:,.0f} of the picture, {about['text_forwards']:,.0f} of the text"),
    )
    columns = (Column("Measure"), Column("Mean over pictures", "number", 26), Column("n", "number", 8))
    tables = (Table("Maps of single words, with 95 % interval over pictures", columns, measures_told(table)),)
    return Section("Which word looks where", facts=facts, sentences=(*HOW, *reading(table)), tables=tables)


def _shown(run: Run, record: WordMapsRecord, assets: Assets) -> list[Section]:
    """The pictures on which the two ways agree most and least, with the words that own most."""
    each = each_picture(record).dropna(subset=["same"]).sort_values("same", ascending=False, kind="stable")
    chosen = list(dict.fromkeys([*each["image"].head(1), *each["image"].tail(1)]))[:SHOWN_PICTURES]
    known = {picture.id: picture for picture in run.dataset.pictures}
    agreement = dict(zip(each["image"], each["same"], strict=True))
    found = []
    for image in [image for image in chosen if image in known]:
        picture, words = known[image], word_rows(record, image)
        text = str(record.of(image, INTERACTION)["text"].iloc[0])
        best = words[~words["function"].astype(bool)].nlargest(SHOWN_WORDS, INTERACTION, keep="all").head(SHOWN_WORDS)
        said = (
            f"\u201c{shorten(text, 160)}\u201d. Rank correlation of the two ways on its content words: "
            f"{number(agreement[image], 2)}, n = 1."
        )
        name = shorten(picture.name, 40)
        small = assets.photo(fit(run.dataset.open(picture), PRINT_SIDE))
        first = Heat(small, f"the picture {picture.name}", "Picture", shorten(picture.name, 28))
        rest = next(record.of(image, SHARED).itertuples())
        heats = {
            INTERACTION: (first, *_heats(run, record, picture, best, INTERACTION, assets)),
            SHARED: (
                word_heat(run, picture, rest, assets, "Without any word", ""),
                *_heats(run, record, picture, best, SHARED, assets),
            ),
        }
        found += [
            Section(f"Words of {name}: interactions", sentences=(said,), heats=heats[INTERACTION]),
            Section(f"Words of {name}: shared map", heats=heats[SHARED]),
            Section(f"Words of {name}: what each owns", tables=(_owned(words),)),
        ]
    return found


def _heats(
    run: Run, record: WordMapsRecord, picture: Picture, words: pd.DataFrame, way: str, assets: Assets
) -> list[Heat]:
    rows = {row.place: row for row in record.of(picture.id, way).itertuples()}
    return [
        word_heat(
            run, picture, rows[word.place], assets, f"\u201c{word.word}\u201d", f"{percent(getattr(word, way))} of it"
        )
        for word in words.itertuples()
    ]


def _owned(words: pd.DataFrame) -> Table:
    columns = (
        Column("Word"), Column("Kept, adds", "number", 20), Column("Of the interactions", "number", 24),
        Column("Of the shared map", "number", 24),
    )  # fmt: skip
    rows = tuple(
        (str(word.word), number(word.effect, 4), percent(getattr(word, INTERACTION)), percent(word.shared))
        for word in words.head(MOST_WORDS).itertuples()
    )
    more = f"The first {MOST_WORDS} words of {len(words)}." if len(words) > MOST_WORDS else ""
    return Table("What keeping a word adds to the cosine, and its share of the maps", columns, rows, more)


def _problems(record: WordMapsRecord) -> Section:
    rows = tuple((name, reason) for name, reason in record.about["problems"])
    table = Table("Pictures without word maps; they are part of no number", (Column("Picture"), Column("Reason")), rows)
    return Section("Word maps that could not be made", tables=(table,) if rows else ())


def _told(row: Any) -> str:
    return measured(row.value, row.low, row.high, int(row.n))
