"""The English that people read: wording that is forbidden in strings, templates and documents, with the better wording.

A string counts as read by people if it holds a space or begins with a capital, or is given to a function that counts
things in words. Docstrings, comments and names are not looked at. What stands in backticks is code.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.glossary import GLOSSARY, PAGE, page
from core.settings import ROOT
from tests.support.wordings import WORDINGS, Wording

# Rooms and files whose strings are still to be rewritten (of a file also its first lines alone, as in `a.md:40`); to be
# emptied, never to be extended.
PENDING: tuple[str, ...] = ()
# Words that must stay as they are: they seed draws or are compared with what older runs have stored.
STORED = ("text tower drawn anew from ", "data set", "a picture of ")
COUNTING = {"plural", "counted"}
CODE = re.compile(r"`[^`]*`|\]\([^)]*\)|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>")


def test_a_percentage_has_a_space_before_its_sign() -> None:
    """A number that Python formats as a percentage passes `typeset` (as in `sample_of`), `plain` or `percent` first."""
    assert not [f"{path}:{line}" for path in sources() for line in _close_percentages(path.read_text())]
    assert list(_close_percentages('f"{share:.0%} of them"')) == [1]
    assert not list(_close_percentages('typeset(f"{share:.0%} of them")'))


def _close_percentages(text: str) -> Iterator[int]:
    tree = ast.parse(text)
    spaced = {
        id(part)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in {"typeset", "plain", "sample_of"}
        for part in ast.walk(call)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.FormattedValue) or node.format_spec is None or id(node) in spaced:
            continue
        if ast.unparse(node.format_spec).rstrip("'\"").endswith("%"):
            yield node.lineno


# -- what people read --------------------------------------------------------------------------------------------


def sources() -> list[Path]:
    """Every Python file whose strings reach people."""
    return [*sorted((ROOT / "core").rglob("*.py")), *sorted((ROOT / "pages").rglob("*.py")), ROOT / "app.py"]


def documents() -> list[Path]:
    names = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
    # The data dictionary prints the descriptions that are stored in Parquet files (see `stored`).
    docs = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name != "data-dictionary.md"]
    return [*(ROOT / name for name in names), *docs]


def templates() -> list[Path]:
    return sorted((ROOT / "templates").rglob("*.j2"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def strings(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string that people may read; what a value fills in stands as ⟨⟩."""
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        parent = parents.get(node)
        if isinstance(parent, ast.Expr | ast.JoinedStr) or stored(node, parents):
            continue
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "⟨⟩" for part in node.values)
            yield node.lineno, "".join(str(part) for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and read(node.value, parent):
            yield node.lineno, node.value


def read(text: str, parent: ast.AST | None) -> bool:
    """Whether a plain string is one that people read, rather than a name."""
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id in COUNTING:
        return True
    return text not in STORED and (" " in text.strip() or (text[:1].isupper() and not text.isupper()))


def stored(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a string is an exported name or a column's description, which is part of the bytes of a Parquet file."""
    parent = parents.get(node)
    statement = parents.get(parent) if parent is not None else None
    if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
        return True
    return isinstance(parent, ast.Dict) and any(
        isinstance(key, ast.Constant) and key.value == "about" and value is node
        for key, value in zip(parent.keys, parent.values, strict=True)
    )


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of a document without code, paths and links."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("    "):
            yield number, CODE.sub("", line)


def faults(text: str) -> list[str]:
    """What is wrong with a text, and the better wording."""
    if text.startswith(STORED):
        return []
    return [
        f"{found.group(0)!r}: {wording.instead}"
        for wording in WORDINGS
        if (found := re.search(wording.pattern, text)) is not None
    ]


def pending(path: Path, line: int, entries: tuple[str, ...] = PENDING) -> bool:
    """Whether a line of a file is still to be rewritten."""
    for entry in entries:
        room, _, first = entry.partition(":")
        if (name(path) == room or name(path).startswith(f"{room}/")) and line <= int(first or line):
            return True
    return False


# -- the rules ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda wording: wording.bad)
def test_each_pattern_catches_its_bad_example_and_spares_the_good_one(wording: Wording) -> None:
    assert re.search(wording.pattern, wording.bad)
    assert faults(wording.good) == []


def test_what_people_read_in_the_code_is_plain_english() -> None:
    wrong = [
        f"{name(path)}:{line}: {fault}"
        for path in sources()
        for line, text in strings(path.read_text())
        if not pending(path, line)
        for fault in faults(text)
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_documents_and_templates_are_plain_english() -> None:
    wrong = [
        f"{name(path)}:{line}: {fault}"
        for path in (*documents(), *templates())
        for line, text in prose(path.read_text())
        if not pending(path, line)
        for fault in faults(text)
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_cards_of_embedded_models_are_plain_english() -> None:
    cards = sorted((ROOT / "core" / "models" / "embedded").glob("*/card.json"))
    texts = [(name(path), text) for path in cards for text in every_text(json.loads(path.read_text()))]
    assert len(cards) > 1 and len(texts) > 20
    assert not [f"{path}: {fault}" for path, text in texts for fault in faults(text)]
    assert every_text({"cannot": ["a", ["b", 1]]}) == ["a", "b"] and faults("84 pictures")


def every_text(value: object) -> list[str]:
    """Every text inside lists and values of a JSON document."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in every_text(part)]


def test_the_check_sees_strings_but_no_docstrings_names_or_stored_words() -> None:
    source = '''
def f(n):
    """A picture can't be had."""
    raise Error(f"no {n} picture" + "picture" + plural(n, "picture"))
KEYS = {"picture": "data set", "about": "name of the picture"}
TITLE = "Pictures"
'''
    assert [text for _, text in strings(source)] == ["Pictures", "no ⟨⟩ picture", "picture"]
    assert [text for _, text in strings('X = "one " "string"')] == ["one string"]


def test_the_check_of_documents_leaves_out_code() -> None:
    text = "a `picture` and [a](picture.md)\n```\npicture\n```\n    picture\na picture\n"
    assert [(line, faults(part) != []) for line, part in prose(text)] == [(1, False), (6, True)]


def test_only_rooms_that_exist_are_pending() -> None:
    assert all((ROOT / entry.partition(":")[0]).exists() for entry in PENDING)
    start = ("README.md:40", "core/runs")
    assert pending(ROOT / "README.md", 40, start) and not pending(ROOT / "README.md", 41, start)
    assert pending(ROOT / "core" / "runs" / "run.py", 1, start) and not pending(ROOT / "core" / "cli.py", 1, start)


# -- the glossary ------------------------------------------------------------------------------------------------


def test_the_glossary_is_complete_and_its_page_current() -> None:
    for entry in GLOSSARY.values():
        assert entry.definition.endswith(".") and entry.definition[0].isupper()
        assert set(entry.see) <= set(GLOSSARY) - {entry.term}
        assert faults(entry.definition) == []
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.casefold)
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m core.glossary`"


def test_the_glossary_names_what_a_report_uses() -> None:
    needed = (
        "Dataset", "Patch", "Region", "Class", "Prompt", "Template", "Caption", "Attribution", "Saliency map",
        "Coalition", "Shapley value", "Interaction", "Synset", "Gloss", "Run", "Unit", "Finding", "Severity",
        "Evidence", "Counter-evidence", "Control", "Faithfulness", "Deletion", "Insertion", "Infidelity",
        "Sensitivity-n", "Comprehensiveness", "Sufficiency", "Confidence interval", "Adjusted p-value", "Holm's method",
        "Family of tests", "Spread", "Ceiling", "R²", "Nats", "Weight β",
    )  # fmt: skip
    assert set(needed) <= set(GLOSSARY)
