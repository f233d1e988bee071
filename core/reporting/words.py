"""How the report writes numbers, sizes, dates and its fixed words. Every measured number goes through `measured`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from core.findings.finding import Finding
from core.findings.work_rules import NOTHING
from core.runs import FINISHED, Progress, Run

MINUS = "\u2212"
SEVERITY_TITLES = {"high": "High", "medium": "Medium", "low": "Low", "note": "Note"}
STATE_TITLES = {
    "planned": "not started",
    "running": "still running",
    "cancelling": "being cancelled",
    "cancelled": "cancelled",
    "reporting": "finished",
    "done": "finished",
    "done_with_errors": "finished with errors",
    "failed": "failed",
}
GLOSSARY = (
    ("Agreement", "Spearman's rank correlation of two methods' maps for one picture and text, on a common grid."),
    (
        "Attribution",
        "A number for each place of a picture, or each word of a text, that says how much the score depends on it, "
        "in the sense the method defines.",
    ),
    (
        "Control",
        "A map that knows nothing of the model (random, a blob in the centre, edges). A method that does not beat it "
        "says nothing.",
    ),
    (
        "Cosine",
        "The similarity of picture and text in the model's joint space, from \u22121 to 1. Its absolute size has no "
        "meaning across models.",
    ),
    ("Deletion", "Area under the curve of the score while the best cells are removed, rescaled; lower is better."),
    ("Faithfulness", "Insertion minus deletion; 0 is what an order by chance gives."),
    ("Forward-equivalent", "The work of one plain pass of a picture through the model; a backward pass counts two."),
    (
        "Insertion",
        "Area under the curve of the score while the best cells are shown first, rescaled; higher is better.",
    ),
    (
        "Interval",
        "At 95 %, over images, never over texts, pairs or pixels. Of means: Student's t corrected for skewness; of "
        "shares: Wilson's.",
    ),
    ("Native grid", "The rows and columns at which a method computes its map, before it is enlarged for display."),
    ("Unit", "A small group of pictures that is computed and stored together; its file carries a SHA-256."),
)


def number(value: Any, digits: int = 3) -> str:
    """A number with a true minus sign; `n/a` if there is none."""
    if value is None or not math.isfinite(float(value)):
        return "n/a"
    if value != 0 and abs(value) < 10**-digits:
        return f"{value:.1g}".replace("-", MINUS)
    return f"{value:.{digits}f}".replace("-", MINUS)


def measured(value: Any, low: Any, high: Any, n: int, unit: str = "", digits: int = 2) -> str:
    """A measured value as `0.31 [0.24, 0.38], n = 24`; the interval is named as missing where there is none."""
    if n == 0 or value is None or not math.isfinite(float(value)):
        return f"not measured, n = {n}"
    return f"{bounded(value, low, high, unit, digits)}, n = {n}"


def bounded(value: Any, low: Any, high: Any, unit: str = "", digits: int = 2) -> str:
    """A measured value as `0.31 [0.24, 0.38]`, where n stands once for the whole table."""
    known = low is not None and high is not None and math.isfinite(float(low)) and math.isfinite(float(high))
    bounds = f"[{number(low, digits)}, {number(high, digits)}]" if known else "[no interval]"
    return f"{number(value, digits)}{f' {unit}' if unit else ''} {bounds}"


def percent(value: Any) -> str:
    """A share as printed; `n/a` if there is none."""
    known = value is not None and math.isfinite(float(value))
    return f"{number(100 * value, 0)} %" if known else "n/a"


def amount(value: float) -> str:
    """A raw map value in as few digits as tell it apart."""
    return f"{value:.3g}".replace("-", MINUS)


def size(count: int) -> str:
    """Bytes for people."""
    for unit, width in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= width:
            return f"{count / width:.3g} {unit}"
    return f"{count} bytes"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def share(part: int, whole: int) -> str:
    """`3 of 12 (25 %)`."""
    return f"{part:,} of {whole:,} ({part / whole:.0%})".replace("%", " %") if whole else f"{part:,} of 0"


def report_date(run: Run) -> datetime:
    """When the report's content was made, in UTC: `SOURCE_DATE_EPOCH`, else the run's end, start or last event.

    Never the clock, so that a report built twice has the same bytes.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        return datetime.fromtimestamp(int(epoch), UTC)
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
        return "not recorded"
    found = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def opinion(progress: Progress, findings: Sequence[Finding]) -> tuple[str, str]:
    """The overall opinion (`No material concern`, `Concerns` or `Cannot conclude`) and the reason in one sentence."""
    found = [finding for finding in findings if finding.status == "finding"]
    material = [finding for finding in found if finding.severity in ("high", "medium")]
    passed = sum(finding.status == "passed" for finding in findings)
    unsure = sum(finding.status == "cannot_conclude" for finding in findings)
    nothing = next((finding for finding in found if finding.id == NOTHING), None)
    if nothing is not None:
        return "Cannot conclude", f"{nothing.title}: this audit says nothing about the model."
    if material:
        return "Concerns", f"{plural(len(material), 'finding')} of high or medium severity."
    if progress.state not in FINISHED and progress.state != "reporting":
        return "Cannot conclude", "The run did not finish; what it did not reach was not judged."
    if unsure > passed or not passed:
        return "Cannot conclude", f"{plural(unsure, 'check')} could not be decided on this data and {passed} passed."
    minor = f"; {plural(len(found), 'finding')} of low severity or less" if found else ""
    open_checks = f"; {plural(unsure, 'check')} could not be decided" if unsure else ""
    return "No material concern", f"{plural(passed, 'check')} passed{minor}{open_checks}."
