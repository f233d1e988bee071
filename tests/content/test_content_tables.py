"""One declaration of a table gives the report's table and the page's frame."""

from __future__ import annotations

import ast
from importlib import import_module
from types import SimpleNamespace

import pandas as pd
import pytest

from core.content.parts import Column
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import p_value, rest_of
from core.glossary import GLOSSARY
from core.settings import ROOT

SPEC = TableSpec(
    ColumnSpec("Word", "word", share=40, help="the word"),
    ColumnSpec("Share", lambda row: f"{row.share:.0%}", "number", value="share"),
    ColumnSpec("Sortable", "word", only="page"),
    ColumnSpec("Printed", "word", "code", only="report"),
)
FRAME = pd.DataFrame({"word": ["a", "b"], "share": [0.25, 0.5]})


def test_the_report_prints_texts_in_the_declared_columns() -> None:
    table = SPEC.table("Words", FRAME, "more")
    assert table.columns == (Column("Word", "text", 40), Column("Share", "number"), Column("Printed", "code"))
    assert table.rows == (("a", "25%", "a"), ("b", "50%", "b")) and (table.caption, table.more) == ("Words", "more")


def test_a_page_has_numbers_to_sort_by_and_the_help_of_each_column() -> None:
    frame = SPEC.frame(FRAME)
    assert frame.columns.tolist() == ["Word", "Share", "Sortable"]
    assert frame["Share"].tolist() == [0.25, 0.5] and frame["Word"].tolist() == ["a", "b"]
    assert SPEC.helps == {"Word": "the word"}


def test_a_heading_without_its_own_help_has_that_of_the_glossary() -> None:
    spec = TableSpec(
        ColumnSpec("Adjusted p", "p"), ColumnSpec("Captions", "texts"), ColumnSpec("Score", "z", help="a z-score"),
        ColumnSpec("Cosine, 95 % interval", "cosine"), ColumnSpec("Score, reworded", "change"),
    )  # fmt: skip
    assert spec.helps == {
        "Adjusted p": GLOSSARY["Adjusted p-value"].definition,
        "Captions": GLOSSARY["Caption"].definition,
        "Score": "a z-score",
        "Cosine, 95 % interval": GLOSSARY["Cosine"].definition,
    }


def test_rows_may_be_any_objects_or_none() -> None:
    rows = (SimpleNamespace(word=word, share=0.0) for word in "xy")
    assert [row[0] for row in SPEC.table("", rows).rows] == ["x", "y"]
    assert SPEC.table("", FRAME.head(0)).rows == () and SPEC.frame([]).columns.tolist() == ["Word", "Share", "Sortable"]


def without_interval(specs: dict[str, TableSpec]) -> list[str]:
    """The columns whose title promises an interval and of which a page would show a bare number."""
    return [
        f"{name}: {column.title}"
        for name, spec in specs.items()
        for column in spec.columns
        if "interval" in column.title and column.value is not None
    ]


def every_spec() -> dict[str, TableSpec]:
    specs = {}
    files = [*(ROOT / "core" / "applications").glob("*/*.py"), *(ROOT / "core" / "reporting").glob("*.py")]
    for path in sorted(files):
        if "TableSpec(" in path.read_text():
            module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            parts = vars(module).items()
            specs |= {f"{module.__name__}.{key}": spec for key, spec in parts if isinstance(spec, TableSpec)}
    return specs


def narrow(specs: dict[str, TableSpec]) -> list[str]:
    """The tables whose columns without a share of the width get less than a title needs, or that are too wide."""
    found = []
    for name, spec in specs.items():
        printed = [column for column in spec.columns if column.only != "page"]
        open_ones = sum(not column.share for column in printed)
        rest = 100 - sum(column.share for column in printed)
        if rest < 9 * open_ones:
            found.append(name)
    return found


def test_every_column_of_the_report_has_room() -> None:
    assert not narrow(every_spec())
    full = TableSpec(ColumnSpec("A", "a", share=60), ColumnSpec("B", "b", share=40), ColumnSpec("C", "c"))
    assert narrow({"full": full}) == ["full"]
    # One whose columns together are wider than the page runs into the margin.
    wide = TableSpec(ColumnSpec("A", "a", share=61), ColumnSpec("B", "b", share=41))
    assert narrow({"wide": wide}) == ["wide"] and "core.reporting.detection.DETECTION" in every_spec()


def test_no_page_shows_a_bare_number_under_a_title_with_an_interval() -> None:
    specs = every_spec()
    assert len(specs) > 40 and not without_interval(specs)
    bare = TableSpec(ColumnSpec("Share, 95 % interval", "share", value="share"))
    assert without_interval({"bare": bare}) == ["bare: Share, 95 % interval"]


def headings(source: str) -> list[str]:
    """The calls with which a file declares columns of its own: a report's `Column`, or a table of Streamlit's."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [call.id for call in calls if isinstance(call, ast.Name) and call.id in ("Column", "Table")]
    shown = [call for call in calls if isinstance(call, ast.Attribute)]
    return names + [
        call.attr
        for call in shown
        if call.attr in ("dataframe", "data_editor") or ast.unparse(call) in ("st.table", "parts.Column", "parts.Table")
    ]


# Tables that no report prints, because a person works with them: a choice of runs and the progress of a plan, an upload
# that is matched to images, raw values, and which methods a model can serve; and the files of a bundle as they are.
OF_PAGES = {
    "pages/explore.py", "pages/parts/capabilities.py", "pages/parts/labels.py", "pages/parts/new_audit.py",
    "pages/report.py", "pages/runs.py",
}  # fmt: skip
# Shows a `TableSpec`.
SHOWS = "pages/parts/tables.py"


def test_tables_are_declared_once_for_report_and_page() -> None:
    folders = (ROOT / "core" / "applications", ROOT / "core" / "reporting", ROOT / "core" / "findings", ROOT / "pages")
    files = [path for folder in folders for path in folder.rglob("*.py")]
    declared = {path.relative_to(ROOT).as_posix(): headings(path.read_text()) for path in files}
    assert len(declared) > 200
    assert {name for name, calls in declared.items() if calls} == {*OF_PAGES, SHOWS}


def test_the_check_sees_columns_that_a_page_or_a_chapter_declares() -> None:
    assert headings('right.dataframe(pd.DataFrame({"Area": areas}))') == ["dataframe"]
    assert headings('Table("Areas", (Column("Area"),), rows)') == ["Table", "Column"]
    assert headings("st.table(frame)") == ["table"] and headings('AREAS.table("Areas", rows)') == []


@pytest.mark.parametrize(
    ("value", "printed"),
    [(0.0, "< 0.0001"), (3e-9, "< 0.0001"), (0.0001, "0.00010"), (0.0412, "0.041"), (1.0, "1"), (None, "n/a")],
)
def test_a_p_value_is_never_printed_as_zero(value: float | None, printed: str) -> None:
    assert p_value(value) == printed and p_value(float("nan"), "not tested") == "not tested"


def test_a_table_that_is_cut_says_how_much_and_from_which_file_all_rows_follow() -> None:
    assert rest_of(5, 5, "units.csv") == rest_of(0, 5, "units.csv") == ""
    assert rest_of(6, 5, "units.csv") == "1 more row not printed; all follow from units.csv in evidence.zip."
    assert rest_of(1205, 5, "units.csv").startswith("1,200 more rows not printed; ")
