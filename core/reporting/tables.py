"""The tables of the report that belong to no application, each declared once for the report and for the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from core.content.tables import ColumnSpec, TableSpec
from core.content.words import SEVERITY_TITLES, bounded, measured, moment, number, p_value, shorten
from core.evaluation.agreement import most_correlation
from core.evaluation.tables import AgreementRow, ModelsRow
from core.findings.comparison_rules import VERDICTS, difference_of
from core.findings.control_rules import Standing
from core.languages import localised, say
from core.reporting.detection import detection_sentence
from core.reporting.log_words import event_words, line_words
from core.rules import Finding, Thresholds
from core.rules.decision import Decision
from core.rules.finding import SUBJECTS
from core.rules.parts import TEXT_KIND, kind_words, title_of
from core.rules.writing import NONE
from core.statistics import Interval

KINDS = {"caption": "Captions", "class": "Classes", "prompt": "Prompts"}  # messages
UNKNOWN = "not known"  # messages
_DUPLICATES = {"exact": "exact", "near": "near"}  # messages
SIDES = {"image": "image", "text": "text", "data set": "data set"}  # messages


def basis(finding: Finding) -> str:
    """How many of what a finding rests on; empty where nothing was counted."""
    return say("{n:,} {unit}", n=finding.n, unit=say(finding.unit)) if finding.n else ""


def criterion_text(finding: Finding) -> str:
    """The criterion with the thresholds that it names."""
    return f"{finding.criterion} [{finding.threshold}]" if finding.threshold else finding.criterion


def grade_text(finding: Finding) -> str:
    """The number behind the severity as the product of its parts."""
    grade = finding.grade
    if grade is None:
        return say("not graded")
    return say(
        "{impact:.2f} impact \u00d7 {likelihood:.2f} likelihood = {grade}",
        impact=grade.impact,
        likelihood=grade.likelihood,
        grade=number(grade.value),
    )


def result_text(finding: Finding, carried_out: Iterable[str]) -> str:
    """What a check measured, and what it is known to find."""
    return f"{finding.condition} {detection_sentence(finding.rule, carried_out)}".strip()


RANKED = TableSpec(
    ColumnSpec("Identifier", "id", "code", 18),
    ColumnSpec("Severity", lambda finding: SEVERITY_TITLES[finding.severity], "chip", 13),
    ColumnSpec("About", lambda finding: say(SUBJECTS[finding.subject]), share=13),
    ColumnSpec("Finding", "title", share=26),
    ColumnSpec("n", basis, "number", 10),
    ColumnSpec("Grade", grade_text, "number", 20),
)
# Checks in the body, whose results and criteria are in the annex.
BRIEF = TableSpec(ColumnSpec("Check", "title"), ColumnSpec("n", basis, "number", 18))
# Of `core.rules.Number`.
EVIDENCE = TableSpec(
    ColumnSpec("Measure", "name", share=66),
    ColumnSpec(
        "Value [95 % interval], n",
        lambda one: f"{measured(one.value, one.low, one.high, one.n, one.unit)} {say(one.counted)}",
        "number",
    ),
)


class DrawnText(NamedTuple):
    """How well the maps of all methods find the object that a text names, and the overlap of a centre Gaussian."""

    text: str
    n: int
    pointing: Interval
    overlap: Interval
    contrast: Interval
    centre: Interval


def _estimate(name: str) -> Callable[[DrawnText], str]:
    def cell(row: DrawnText) -> str:
        one: Interval = getattr(row, name)
        return bounded(one.value, one.low, one.high)

    return cell


DRAWN_TEXTS = TableSpec(
    ColumnSpec("Text", lambda row: shorten(row.text, 80), share=22),
    ColumnSpec("n", "n", "number", 6, help="images", value="n"),
    ColumnSpec("Highest point inside", _estimate("pointing"), "number", 18),
    ColumnSpec("Overlap at equal area", _estimate("overlap"), "number", 18),
    ColumnSpec("Overlap, centre (control)", _estimate("centre"), "number", 18),
    ColumnSpec("Contrast", _estimate("contrast"), "number", 18),
)


class CellsRow(NamedTuple):
    """A row of a table whose columns depend on the run: its title, and its cells by the names of their columns."""

    title: str
    cells: Mapping[str, str]
    control: bool = False


def by_title(row: CellsRow) -> tuple[bool, str]:
    """The order of methods and controls: controls last, then by title."""
    return row.control, row.title


def wide(title: str, share: int, columns: Sequence[ColumnSpec]) -> TableSpec:
    """A table of `CellsRow` whose columns are made by `cell_column`."""
    return TableSpec(ColumnSpec(title, "title", share=share), *columns)


def cell_column(name: str, title: str, share: int = 0, missing: str = "not measured", help: str = "") -> ColumnSpec:
    """The column of the cell `name`; `missing` is printed where a row has none."""
    return ColumnSpec(title, lambda row: row.cells.get(name, say(missing)), "number", share, help)


def pairs_of_methods(reliability: Mapping[str, float], failing: Mapping[str, str]) -> TableSpec:
    """Pairs of methods (`AgreementRow`), with the most that two methods can correlate by their reliability."""

    def bound(row: AgreementRow) -> str:
        if row.a not in reliability or row.b not in reliability:
            return say(UNKNOWN)
        return number(most_correlation(reliability[row.a], reliability[row.b]), 2)

    return TableSpec(
        ColumnSpec("First method", lambda row: marked(row.a, failing), share=20),
        ColumnSpec("Second method", lambda row: marked(row.b, failing), share=20),
        ColumnSpec("Rank correlation", _interval, "number", 24),
        ColumnSpec("Upper bound", bound, "number", 10),
        ColumnSpec("Overlap of best 20 %", lambda row: number(row.overlap, 2), "number", 15),
        ColumnSpec("Other images", lambda row: number(row.chance, 2), "number", 11),
    )


def marked(method: str, failing: Mapping[str, str]) -> str:
    """The title of a method, and that it fails a check where it does."""
    return title_of(method) + (say(" (fails a check)") if method in failing else "")


def control_title(name: str) -> str:
    """The title of a control among methods."""
    return say("{title} (control)", title=title_of(name))


def faithfulness_of_models(thresholds: Thresholds) -> TableSpec:
    """The faithfulness of each method on two models (`ModelsRow`)."""
    return TableSpec(
        ColumnSpec("Method", lambda row: title_of(row.method), share=25),
        ColumnSpec("Here", lambda row: number(row.own, 2), "number", 9, "on the model of this audit"),
        ColumnSpec("Other", lambda row: number(row.theirs, 2), "number", 9, "on the other model"),
        ColumnSpec("Paired difference", _interval, "number", 28),
        ColumnSpec(
            "p, Holm", lambda row: p_value(row.p_adjusted), "number", 10, "adjusted over methods by Holm's method"
        ),
        ColumnSpec("Verdict", lambda row: say(VERDICTS[difference_of(row, thresholds)]), share=19),
    )


def _interval(row: AgreementRow | ModelsRow) -> str:
    return measured(row.value, row.low, row.high, int(row.n))


_STANDINGS: dict[Decision, str] = {
    "holds": "beats every control",
    "fails": "worse than this control",
    "undecided": "not shown",
    "too few": "too few images",
}  # messages


def _needed(row: Standing) -> str:
    if row.decision in ("holds", "fails"):
        return say("no more needed")
    return say("about {count:,}", count=row.needed) if row.needed else say(UNKNOWN)


# Of `core.findings.control_rules.Standing`.
STANDINGS = TableSpec(
    ColumnSpec("Method", lambda row: title_of(row.method), share=17),
    ColumnSpec("Texts", lambda row: kind_words(row.text_kind) or say(NONE), share=10),
    ColumnSpec("Control", lambda row: title_of(row.control) if row.control else say(NONE), share=18),
    ColumnSpec(
        "Difference",
        lambda row: bounded(row.value, row.low, row.high) if row.n else say("not measured"),
        "number",
        17,
        "in faithfulness, the method less the control, with 95 % interval over images",
    ),
    ColumnSpec("Adjusted p", lambda row: p_value(row.p_adjusted), "number", 9),
    ColumnSpec("n", "n", "number", 4, "images", value="n"),
    ColumnSpec("Result", lambda row: say(_STANDINGS[row.decision]), share=14),
    ColumnSpec(
        "Images to decide",
        _needed,
        "number",
        11,
        "number of images for 90 % power in the adjusted test, if mean and spread stay the same",
    ),
)
MAPS_OF_MODELS = TableSpec(
    ColumnSpec("Method", lambda row: title_of(row.method), share=40),
    ColumnSpec("Rank correlation", _interval, "number", 36),
    ColumnSpec("Overlap of best 20 %", lambda row: number(row.overlap, 2), "number", 24),
)
SCORES_OF_MODELS = TableSpec(
    ColumnSpec("Texts", lambda row: say(KINDS.get(row.text_kind, row.text_kind)), share=22),
    ColumnSpec("Number", lambda row: str(int(row.texts)), "number", 14, "number of different texts over all images"),
    ColumnSpec("Rank correlation of scores", _interval, "number", 40),
    ColumnSpec("Same best text", lambda row: localised(f"{100 * row.same_best:.0f} %"), "number", 24),
)
MODELS = TableSpec(
    ColumnSpec("Model", "name", share=30),
    ColumnSpec("Noted about it", lambda entry: entry.note or say("nothing"), share=35),
    ColumnSpec(
        "Compared", lambda entry: say("no: {why}", why=entry.missing) if entry.missing else say("yes"), share=35
    ),
)
TEXTS = TableSpec(
    ColumnSpec("Text", lambda row: shorten(row.text, 90), share=54),
    ColumnSpec("Kind", lambda row: say(TEXT_KIND.get(row.text_kind, row.text_kind)), share=12),
    ColumnSpec("Mean cosine", lambda row: measured(row.value, row.low, row.high, int(row.n), digits=3), "number"),
)
PROMPTS = TableSpec(ColumnSpec("Text", str))

# -- the dataset: refusals, remarks and duplicates of `core.datasets` ----------------------------------------
REFUSED = TableSpec(ColumnSpec("File", "name", share=40), ColumnSpec("Reason", "reason"))
REMARKS = TableSpec(ColumnSpec("File", "name", share=40), ColumnSpec("How it was read", "reason"))
DUPLICATES = TableSpec(
    ColumnSpec("File", "name", share=36),
    ColumnSpec("Duplicate of", "of", share=36),
    ColumnSpec("Kind", lambda one: say(_DUPLICATES.get(one.kind, one.kind))),
    ColumnSpec("Hamming distance", "distance", "number", help="bits that differ", value="distance"),
)
FORMATS = TableSpec(
    ColumnSpec("Format", 0),
    ColumnSpec("Images", 1, "number"),
    ColumnSpec("Median megapixels", 2, "number"),
    ColumnSpec("Size", 3, "number"),
)

# -- the run: rows of the summary, of the store and of the manifest -----------------------------------------
NOT_RUN = TableSpec(
    ColumnSpec("Method", 0, share=20),
    ColumnSpec("Side", lambda row: say(SIDES.get(row[1], row[1])), share=12),
    ColumnSpec("Reason", 2),
)
IDLE = TableSpec(ColumnSpec("Method", 0, share=20), ColumnSpec("Paper", 1, share=40), ColumnSpec("Reason", 2))
FAILURES = TableSpec(
    ColumnSpec("Image", "image_name", share=24),
    ColumnSpec("Text", lambda row: row.text or "", share=28),
    ColumnSpec("Method", lambda row: row.method or say("score"), share=14),
    ColumnSpec("Reason", lambda row: row.message or ""),
)
ERRORS = TableSpec(
    ColumnSpec("No.", lambda unit: unit["position"], "number", 8),
    ColumnSpec("Tries", lambda unit: unit["tries"], "number", 8),
    ColumnSpec("Error", lambda unit: unit["error"]),
)
EVENTS = TableSpec(
    ColumnSpec("Time", lambda event: moment(event[0]), share=25),
    ColumnSpec("Event", lambda event: event_words(event[1]), share=24),
    ColumnSpec("Message", lambda event: line_words(event[2])),
)
SETTINGS = TableSpec(ColumnSpec("Setting", 0, "code", 38), ColumnSpec("Value", 1, "code"))
PLUGINS = TableSpec(
    ColumnSpec("Package", 0),
    ColumnSpec("Version", 1, share=12),
    ColumnSpec("Brings", 2, share=30),
    ColumnSpec("SHA-256 of its code", 3, "code", 34),
)
PACKAGES = TableSpec(ColumnSpec("Package", 0), ColumnSpec("Version", 1, share=40))
COMPONENTS = TableSpec(ColumnSpec("Component", 0), ColumnSpec("Version", 1, share=30))
FIGURES = TableSpec(ColumnSpec("Measure", 0, share=70), ColumnSpec("Value", 1))
FOLDERS = TableSpec(ColumnSpec("Folder", 0, "code", 70), ColumnSpec("Files", 1, "number"))
# Licences such as CC BY ask for the credit wherever an image is shown.
CREDITS = TableSpec(ColumnSpec("Image", "name", share=30), ColumnSpec("Credit", lambda image: image.metadata["credit"]))
