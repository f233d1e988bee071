"""How reports and pages write numbers, sizes, dates and fixed words. Every measured number goes through `measured`."""

from __future__ import annotations

import math
import os
import re
from datetime import UTC, datetime
from typing import Any

from core.content.promises import NO_INTERVAL
from core.languages import localised, minute, say, say_count, typeset
from core.runs import Progress, Run
from core.runs.review import load_review

MINUS = "\u2212"
# How many places a small number may have beyond those asked for.
FINER = 2
# Shares of fewer units are printed as counts.
FEW_UNITS = 20
SEVERITY_TITLES = {"high": "High", "medium": "Medium", "low": "Low", "note": "Note"}  # messages
# The words for the state of a run, in the report and on every page; each completes "this audit is …".
STATES = {
    "planned": "not started",
    "running": "running",
    "cancelling": "being cancelled",
    "cancelled": "cancelled",
    "reporting": "finished except for the report",
    "done": "finished",
    "done_with_errors": "finished with errors",
    "failed": "failed",
}  # messages
INTERRUPTED, UNKNOWN = "interrupted", "in an unknown state"  # messages
# A full stop, and then a capital letter or a quotation: not that of a number or of a file name.
_SENTENCE_END = re.compile("(?<=[.]) (?=[A-Z\u00c4\u00d6\u00dc\u201c\u201e])")


def number(value: Any, digits: int = 3) -> str:
    """A number with a true minus sign and never an "e"; `n/a` if there is none.

    What would round to 0 has one significant digit, at most `FINER` places more than `digits`, beyond which it is only
    said to be smaller. From 100 on there are fewer decimal places.
    """
    known = value is not None and math.isfinite(float(value))
    return localised(_figure(float(value), digits)) if known else say("n/a")


def _figure(value: float, digits: int) -> str:
    """`number` with the signs of English."""
    least = 10.0 ** -(digits + FINER)
    if 0 < abs(value) < least:
        smallest = f"{least:.{digits + FINER}f}"
        return f"< {smallest}" if value > 0 else f"> {MINUS}{smallest}"
    if 0 < abs(value) < 10.0**-digits:
        figure = f"{float(f'{value:.1g}'):.{digits + FINER}f}".rstrip("0").rstrip(".")
        return figure.replace("-", MINUS)
    places = digits if abs(value) < 100 else min(digits, 1) if abs(value) < 1000 else 0
    return f"{value:z,.{places}f}".replace("-", MINUS)


def measured(value: Any, low: Any, high: Any, n: int, unit: str = "", digits: int = 2) -> str:
    """A measured value as `0.31 [0.24, 0.38], n = 24`; the interval is named as missing where there is none."""
    if n == 0 or value is None or not math.isfinite(float(value)):
        return say("not measured, n = {n}", n=n)
    return say("{value}, n = {n}", value=bounded(value, low, high, unit, digits), n=n)


def bounded(value: Any, low: Any, high: Any, unit: str = "", digits: int = 2) -> str:
    """A measured value as `0.31 [0.24, 0.38]`, where n stands once for the whole table."""
    known = low is not None and high is not None and math.isfinite(float(low)) and math.isfinite(float(high))
    ends = {"low": number(low, digits), "high": number(high, digits)}
    bounds = say("[{low}, {high}]", **ends) if known else say(NO_INTERVAL)
    # Within a wider interval a small value has no more places than the interval.
    small = known and float(high) - float(low) >= 10.0**-digits and abs(float(value)) < 10.0**-digits
    told = localised(f"{value:z.{digits}f}".replace("-", MINUS)) if small else number(value, digits)
    return f"{told}{f' {unit}' if unit else ''} {bounds}"


def exact(value: Any, digits: int = 2) -> str:
    """A value that follows without a measurement, so that there is no interval: `0.00 (exact)`."""
    return say("{value} (exact)", value=number(value, digits))


def percent(value: Any) -> str:
    """A share as printed; `n/a` if there is none."""
    known = value is not None and math.isfinite(float(value))
    return localised(f"{_figure(100 * float(value), 0)} %") if known else say("n/a")


def part_of(value: Any, n: int) -> str:
    """The share of n units that something is true of: as a count of few units, otherwise in percent."""
    known = value is not None and math.isfinite(float(value))
    return (
        say("{part:,} of {whole:,}", part=round(n * value), whole=n) if known and 0 < n < FEW_UNITS else percent(value)
    )


def p_value(value: Any, missing: str = "") -> str:
    """A p-value to two significant digits and never as zero; `missing`, or n/a, where nothing was tested."""
    known = value is not None and math.isfinite(float(value))
    if not known:
        return missing or say("n/a")
    return localised("< 0.0001" if value < 0.0001 else "1" if value >= 0.995 else f"{value:#.2g}")


def amount(value: float) -> str:
    """A raw map value in as few digits as tell it apart, without an "e"."""
    return localised(typeset(f"{value:z.3g}"))


def size(count: int) -> str:
    """Bytes for people."""
    for unit, width in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= width:
            return localised(f"{count / width:.3g} {unit}")
    return say("{count} bytes", count=count)


def shorten(text: str, most: int = 60) -> str:
    """The text in at most `most` characters, cut with an ellipsis, after a word where it has blanks to cut at."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    whole = cut if text[most - 1] == " " else cut.rpartition(" ")[0]
    # One long word, such as the name of a file, can only be cut inside.
    return (whole if 2 * len(whole) >= most else cut).rstrip(" ,;:") + "\u2026"


def first_sentences(text: str, most: int) -> str:
    """The sentences from the beginning that have at most `most` characters together, and at least the first one."""
    sentences = _SENTENCE_END.split(text)
    told = sentences[0]
    for sentence in sentences[1:]:
        if len(told) + 1 + len(sentence) > most:
            break
        told = f"{told} {sentence}"
    return told


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 image`, `2 images`."""
    return say_count(count, one, many or f"{one}s")


def share(part: int, whole: int) -> str:
    """`3 of 12 (25 %)`."""
    if not whole:
        return say("{part:,} of {whole:,}", part=part, whole=0)
    return typeset(say("{part:,} of {whole:,} ({share:.0%})", part=part, whole=whole, share=part / whole))


def state_word(progress: Progress) -> str:
    """The state of a run in words; a damaged run may hold any state."""
    return INTERRUPTED if progress.died else STATES.get(progress.state, UNKNOWN)


def reported_state(progress: Progress, ended: object = "done") -> str:
    """The state of a run in its own report, which is written before the run counts as finished in the state `ended`."""
    return STATES.get(str(ended), STATES["done"]) if progress.state == "reporting" else state_word(progress)


def rest_of(count: int, printed: int, source: str) -> str:
    """What a table that prints at most `printed` of `count` rows says of the rest; empty if it prints all.

    `source` is the file of the bundle from which every row follows.
    """
    if count <= printed:
        return ""
    left = say_count(count - printed, "more row", "more rows")
    return say("{rows} not printed; all follow from {source} in evidence.zip.", rows=left, source=source)


def report_date(run: Run) -> datetime:
    """When the report's content was made, in UTC: `SOURCE_DATE_EPOCH`, else the run's end, start or last event, or the
    last entry of its review log where that is later.

    Never the clock, so that a report built twice has the same bytes.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        return datetime.fromtimestamp(int(epoch), UTC)
    entries = load_review(run).entries
    made = _made(run)
    return max(made, datetime.fromisoformat(entries[-1].at)) if entries else made


def _made(run: Run) -> datetime:
    manifest = run.manifest
    written = manifest.get("ended") or manifest.get("started")
    if written:
        moment = datetime.fromisoformat(written)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    events = run.store.events()
    return datetime.fromtimestamp(int(events[-1][0]) if events else 0, UTC)


def moment(value: str | float | None) -> str:
    """An ISO string or seconds since 1970 as `2026-01-15 09:41 UTC`."""
    if value is None or value == "":
        return say("not recorded")
    found = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return minute(found.astimezone(UTC))


def duration(seconds: float | None) -> str:
    """Seconds in the unit that reads best."""
    if seconds is None:
        return "not known yet"
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
