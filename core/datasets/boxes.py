"""A table of phrases with boxes, the form in which MS-CXR is published: one box a row, read as drawn objects.

Each row names an image, a phrase, a box (x, y, w, h in pixels from the upper left corner) and the size of the image on
which it was drawn. Rows with the same image and phrase are the boxes of one phrase. A hostile file may take any time
and memory: `core.datasets.opening` reads it in a child.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Mapping

from core.characters import brief
from core.datasets.bounds import Refused
from core.datasets.coco import LONGEST_NAME, Coco, Drawn, base_name
from core.datasets.dataset import Value
from core.datasets.names import clean_name, printable
from core.datasets.tables import Problems, Row, read_table
from core.settings import Limits

# What a column may be called, without case, blanks, hyphens and underscores; the first that is there is taken.
PHRASE = ("phrase", "labeltext")
# Where there is neither a phrase nor a caption.
CATEGORY = ("label", "category", "categoryname")
BOX = {
    "x": ("x", "left", "xmin"),
    "y": ("y", "top", "ymin"),
    "w": ("w", "width", "boxwidth"),
    "h": ("h", "height", "boxheight"),
}
SIZE = {"image_width": ("imagewidth",), "image_height": ("imageheight",)}
_MOST_LINES, _LONGEST_LINE = 100, 1_000


def read_boxes(name: str, data: bytes, limits: Limits) -> Coco:
    """The phrases and boxes in a table of any form: each box is an object whose label is its phrase.

    What single rows get wrong is listed in `problems`. Raises `Refused` for a table without the columns.
    """
    table = read_table(name, data, limits)
    columns = {re.sub(r"[\s_-]", "", column.lower()): column for column in table.columns}
    found = {part: _column(columns, part, names) for part, names in {**BOX, **SIZE}.items()}
    captions = any(row.captions for row in table.rows)
    names = PHRASE if captions else (*PHRASE, *CATEGORY)
    phrase = next((columns[each] for each in names if each in columns), None)
    if phrase is None and not captions:
        raise Refused("has no column with phrases; name it phrase or label_text")
    if len(table.rows) > limits.drawn_objects:
        raise Refused(f"contains more than {limits.drawn_objects:,} boxes; keep only those of images in this dataset")
    problems = Problems()
    sizes: dict[str, tuple[int, int]] = {}
    objects: dict[str, list[Drawn]] = defaultdict(list)
    for row in table.rows:
        try:
            base, size, drawn = _box(row, phrase, found, limits)
            if sizes.setdefault(base, size) != size:
                raise ValueError("another row gives a different size for the same image")
        except ValueError as error:
            problems.add(f"a box was left out: {error}", f"row {row.number}")
        else:
            objects[base].append(drawn)
    lines = [*(f"{refusal.reason}" for refusal in table.refusals), *problems.lines()]
    told = tuple(brief(line, _LONGEST_LINE) for line in lines[:_MOST_LINES])
    return Coco(sizes, dict(objects), told, hashlib.sha256(data).hexdigest())


def _column(columns: Mapping[str, str], part: str, names: tuple[str, ...]) -> str:
    column = next((columns[name] for name in names if name in columns), None)
    if column is None:
        raise Refused(
            f"has no column {part!r}; a table of boxes needs the columns x, y, w, h, image_width and image_height"
        )
    return column


def _box(
    row: Row, phrase: str | None, columns: Mapping[str, str], limits: Limits
) -> tuple[str, tuple[int, int], Drawn]:
    given = row.metadata.get(phrase) if phrase is not None else next(iter(row.captions), None)
    label = printable("" if given is None else str(given)).casefold()
    if not label:
        raise ValueError("it has no phrase")
    if len(label) > LONGEST_NAME:
        raise ValueError(f"its phrase has more than {LONGEST_NAME} characters")
    x, y, across, down, width, height = (_number(row.metadata.get(columns[part]), part) for part in columns)
    if width < 1 or height < 1 or not (width.is_integer() and height.is_integer()):
        raise ValueError("the size of its image is not in whole pixels")
    if max(width, height) > limits.side or width * height > limits.pixels:
        raise ValueError("the size of its image is above what an image may have")
    if across <= 0 or down <= 0:
        raise ValueError("its width or height is not above 0")
    if x >= width or y >= height or x + across <= 0 or y + down <= 0:
        raise ValueError("it lies outside of its image")
    shape = [[x, y, x + across, y, x + across, y + down, x, y + down]]
    drawn = Drawn(label, across * down, False, shape)
    return base_name(clean_name(row.path)), (int(width), int(height)), drawn


def _number(value: Value, part: str) -> float:
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"its {part} is not a number")
    return found
