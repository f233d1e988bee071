"""The log of a run in the words of a report: what the worker writes is known, and German has it."""

from __future__ import annotations

import ast
import re

import pytest

from core.languages import speaking, voice_of
from core.reporting.log_words import KINDS, LINES, event_words, line_words
from core.reporting.tables import EVENTS
from core.settings import ROOT


def written() -> tuple[set[str], set[str]]:
    """The kinds, and the lines with numbers in place of braces, that the audit writes into a log."""
    kinds, lines = set(), set()
    for path in (*(ROOT / "core" / "audit").rglob("*.py"), ROOT / "core" / "runs" / "rebuild.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("store.log") and len(node.args) == 2:
                for part in ast.walk(node.args[1]):
                    if isinstance(part, ast.JoinedStr):
                        parts = (each.value if isinstance(each, ast.Constant) else "{}" for each in part.values)
                        lines.add("".join(map(str, parts)))
                if isinstance(node.args[0], ast.Constant):
                    kinds.add(str(node.args[0].value))
    return kinds, lines


def test_every_kind_and_line_is_one_that_the_audit_writes() -> None:
    kinds, lines = written()
    assert kinds and kinds <= set(KINDS)
    filled = {re.sub(r"{\w+}", "{}", line) for line in LINES if "{" in line}
    assert filled <= lines and len(filled) == 5


@pytest.mark.parametrize(
    ("line", "german"),
    [
        (
            "92 of 92 groups of images to compute, 13 analyses planned",
            "92 von 92 Bildgruppen zu berechnen, 13 Analysen geplant",
        ),
        ("1 units done, 0 failed", "1 Einheiten abgeschlossen, 0 fehlgeschlagen"),
        ("Groups of images", "Gruppen von Bildern"),
        ("tower of x.jpg: no memory", "tower of x.jpg: no memory"),
        ("many units done, 0 failed", "many units done, 0 failed"),
    ],
)
def test_german_has_the_lines_of_a_log(line: str, german: str) -> None:
    assert line_words(line) == line
    with speaking(voice_of("de")):
        assert line_words(line) == german


def test_a_report_prints_the_log_in_its_language() -> None:
    with speaking(voice_of("de")):
        ((_, kind, line),) = EVENTS.table("Log", [(0.0, "analysis done", "Images and texts")]).rows
        assert (kind, line) == ("Analyse abgeschlossen", "Bilder und Texte")
        assert event_words("a kind of a later version") == "a kind of a later version"
