"""Several models side by side as a page for a browser, as Markdown, and as Parquet. No torch.

Page and Markdown are written in the current language, by a house style where one is given; the values are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.characters import printable
from core.content.assets import Assets
from core.content.house_style import HouseStyle
from core.content.parts import Chart, Section, Table
from core.content.side_by_side import SideBySide
from core.drafts import write_whole
from core.languages import say
from core.reporting.house import house
from core.reporting.html import render_page
from core.reporting.tables import MODELS

TITLE = "Models side by side"  # messages
PAGE, TEXT = "models.html", "models.md"
# What ends a cell or begins markup in Markdown.
_MARKUP = re.compile(r"([\\|`*_<>]|\](?=[(\[:]))")


@dataclass(frozen=True)
class ModelEntry:
    """A requested model: its name in the tables, what the user noted about it, and why it is missing."""

    name: str
    note: str = ""
    missing: str = ""


def write_models(
    out: Path,
    entries: Sequence[ModelEntry],
    parts: Sequence[tuple[str, SideBySide]],
    style: HouseStyle | None = None,
) -> list[Path]:
    """Write `models.html`, `models.md` with its charts, and one Parquet file for each frame, and return their paths.

    `parts` are the comparisons of the applications, each with the application's name. A frame that has a column
    `model` gets a column `note`.
    """
    notes = {entry.name: entry.note for entry in entries}
    made = []
    for name, part in parts:
        for label, frame in part.frames.items():
            path = out / f"{name}-{label}.parquet"
            noted = frame.assign(note=frame["model"].map(notes)) if "model" in frame else frame
            noted.to_parquet(path, index=False)
            made.append(path)
        for drawing in part.drawings:
            path = out / f"{name}-{drawing.name}.svg"
            write_whole(path, drawing.svg.encode())
            made.append(path)
    page = _html(entries, parts, style or HouseStyle())
    for path, text in ((out / TEXT, _markdown(entries, parts)), (out / PAGE, page)):
        write_whole(path, text.encode())
        made.append(path)
    return made


def _models(entries: Sequence[ModelEntry]) -> Table:
    return MODELS.table(say("The requested models"), entries)


def _noted(entries: Sequence[ModelEntry], table: Table) -> Table:
    """The table with what was noted about each model beside its name, so that no row can be read without it."""
    notes = {entry.name: entry.note for entry in entries}
    if not table.columns or table.columns[0].title != say("Model") or not any(notes.values()):
        return table
    rows = tuple((f"{first} ({notes[first]})" if notes.get(first) else first, *rest) for first, *rest in table.rows)
    return replace(table, rows=rows)


def _html(entries: Sequence[ModelEntry], parts: Sequence[tuple[str, SideBySide]], style: HouseStyle) -> str:
    assets = Assets()
    own = house(style, assets)
    sections = [Section("Models", tables=(_models(entries),))]
    for _, part in parts:
        charts = tuple(Chart(assets.chart(each.svg), each.alt, each.caption) for each in part.drawings)
        tables = tuple(_noted(entries, table) for table in part.tables)
        sections.append(Section(part.title, sentences=part.sentences, charts=charts, tables=tables))
    return render_page("models.html.j2", assets, css=own.css, house=own, title=say(TITLE), sections=sections)


def _markdown(entries: Sequence[ModelEntry], parts: Sequence[tuple[str, SideBySide]]) -> str:
    lines = [f"# {say(TITLE)}", "", *_table(_models(entries))]
    for name, part in parts:
        lines += ["", f"## {part.title}", ""]
        for sentence in part.sentences:
            lines += [_cell(sentence), ""]
        for drawing in part.drawings:
            lines += [f"![{_cell(drawing.alt)}]({name}-{drawing.name}.svg)", "", _cell(drawing.caption), ""]
        for table in part.tables:
            lines += [*_table(_noted(entries, table)), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(table: Table) -> list[str]:
    heads = [_cell(column.title) for column in table.columns]
    marks = ["---:" if column.kind == "number" else "---" for column in table.columns]
    rows = [heads, marks, *([_cell(cell) for cell in row] for row in table.rows)]
    return [
        f"**{_cell(table.caption)}**",
        "",
        *(f"| {' | '.join(row)} |" for row in rows),
        *([table.more] if table.more else []),
    ]


def _cell(text: str) -> str:
    return _MARKUP.sub(r"\\\1", printable(text))
