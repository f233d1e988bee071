"""An interval is promised in a title, a heading or a caption only where at least one is printed. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from core.languages import SOURCE, language, voice

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

# "…, with 95 % interval over images", "…: 95 % interval, p", "Value [95 % interval], n", "mean and interval", by the
# language of the text.
_PROMISE = {
    SOURCE: re.compile(
        r"(?:,? with (?:its |their )?| \[|, )95 % intervals?(?: over images(?: or texts)?)?\]?"
        r"|95 % interval, | and interval\b"
    ),
    "de": re.compile(
        r"(?:,? mit (?:seinem |ihrem |ihren )?| \[|, )95-%-Konfidenzintervall(?:en)?"
        r"(?: über (?:die )?Bilder(?: oder Texte)?)?\]?"
        r"|95-%-Konfidenzintervall, | und (?:Konfidenzi|I)ntervall\b"
    ),
}
# What is printed in place of an interval that is not known.
NO_INTERVAL = "[no interval]"  # messages
_INTERVAL = re.compile(r"\[(?:[<>] )?[\u2212-]?[.\d][^\[\]]*[,;] ")


def promised(text: str, shown: bool) -> str:
    """The text in the current language, without its promise of an interval if none is `shown`."""
    told = voice().message(text)
    return told if shown else _PROMISE.get(language(), _PROMISE[SOURCE]).sub("", told)


def prints_interval(cells: Iterable[str]) -> bool:
    """Whether one of the printed cells has an interval."""
    return any(_INTERVAL.search(cell) for cell in cells)


def draws_interval(frame: pd.DataFrame) -> bool:
    """Whether a row of a chart's values has an interval: a known value in a column `low`, or one that ends so."""
    lows = [name for name in frame.columns if str(name) == "low" or str(name).endswith("_low")]
    return any(bool(np.isfinite(pd.to_numeric(frame[name]).to_numpy(float)).any()) for name in lows)
