"""Tables on a page: long texts wrap so that every column can be seen without scrolling."""

from __future__ import annotations

import ast
import re

import pandas as pd
import pytest

from core.settings import ROOT
from pages.parts.tables import LETTER, LINE, PAGE, ROOM, TALL, _height, fitted

LONG = "Known and foreseeable risks are identified and evaluated, and the system is tested to find suitable measures."


def needed(frame: pd.DataFrame, widths: dict[str, int]) -> float:
    natural = {title: max(len(str(cell)) for cell in [title, *frame[title]]) * LETTER + ROOM for title in frame}
    return sum(widths.get(title, natural[title]) for title in frame)


def test_a_table_that_fits_is_left_as_it_is() -> None:
    assert fitted(pd.DataFrame({"Label": ["dog", "cat"], "Images": [3, 4]})) == {}
    assert fitted(pd.DataFrame({"Label": []})) == {}


def test_the_widest_columns_give_way_until_all_fit() -> None:
    frame = pd.DataFrame(
        {
            "Requirement": ["Art. 9(2), 9(6)", "Annex A: data quality"],
            "Paraphrase": [LONG, LONG],
            "This report": ["provides evidence for part of it", "not addressed"],
            "Outcomes": ["3 findings, 2 passed, 5 inconclusive, 3 not carried out", "1 passed"],
        }
    )
    widths = fitted(frame)
    assert needed(frame, {}) > PAGE >= needed(frame, widths) - len(frame.columns)
    # Both long columns have one width; what a short one needs is not cut.
    assert set(widths) == {"Paraphrase", "Outcomes"} and widths["Paraphrase"] == widths["Outcomes"]
    assert _height(frame, widths) >= TALL


def test_no_word_is_cut_and_a_row_grows_with_its_text() -> None:
    word = "https://example.org/" + "x" * 60
    frame = pd.DataFrame({"Address": [word], "Text": [" ".join([LONG] * 4)], "More": [LONG], "n": [12]})
    widths = fitted(frame)
    assert "Address" not in widths or widths["Address"] >= len(word) * LETTER
    assert _height(frame, widths) > TALL and _height(frame, widths) <= 6 * LINE + 8


@pytest.mark.parametrize("columns", [2, 30])
def test_a_matrix_of_numbers_keeps_its_columns(columns: int) -> None:
    frame = pd.DataFrame({f"a class {at}": [12.5, 3.25] for at in range(columns)})
    assert fitted(frame) == {}


def test_every_share_on_a_page_has_a_space_before_its_sign() -> None:
    formatted = re.compile(r":\.\d%\}")
    lines = [
        f"{file.name}: {line.strip()}"
        for file in sorted((ROOT / "pages").rglob("*.py"))
        for line in _unset(file.read_text())
        if formatted.search(line)
    ]
    assert lines == []
    assert [line for line in _unset('st.caption(f"{share:.0%} of all")') if formatted.search(line)]


def _unset(source: str) -> list[str]:
    """The f-strings of a file outside a call of `typeset`."""
    tree = ast.parse(source)
    set_ones = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "typeset"
        for inner in ast.walk(node)
    }
    return [
        ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) and id(node) not in set_ones
    ]
