"""Concepts that an auditor declares: what the scores of a text should rest on, and what they must not. No torch.

In a plan a declaration is one line, `class | concept | expected` or `class | concept | forbidden`; the class `*` stands
for every text. A file of declarations is a CSV table or TOML, and is read in a child with limits.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from core.characters import brief, folded, printable
from core.datasets.texts import decode_text, parse_rows
from core.errors import InputError, Refused
from core.methods.info import HOLDS_DECLARED, Line
from core.sandbox import Allowance, Failure, call, named_file
from core.sandbox.toml import read_toml
from core.settings import LIMITS

Expectation = Literal["expected", "forbidden"]
EXPECTATIONS: tuple[Expectation, ...] = ("expected", "forbidden")
EVERY_TEXT = "*"
BAR = "|"
FORM = "class | concept | expected or forbidden"
COLUMNS = ("class", "concept", "expectation")
# Each is a test, and all are adjusted together.
MOST = 60
LONGEST = 200
FILE_BYTES = 2**18
_ALLOWANCE = Allowance(seconds=5.0, wall=30.0, memory=1_000_000_000, answer=16 * 2**20)


@dataclass(frozen=True)
class Declaration:
    """What is declared of one concept: for which class or prompt (`*`: every text), and what is expected of it."""

    text: str
    concept: str
    expectation: Expectation

    @property
    def line(self) -> str:
        """The declaration as a plan holds it."""
        return f" {BAR} ".join((self.text, self.concept, self.expectation))

    @property
    def forbidden(self) -> bool:
        """Whether a score must not rest on the concept."""
        return self.expectation == "forbidden"


def declaration(line: str) -> Declaration:
    """The declaration in a line. Raises `InputError` if it has another form."""
    parts = [part.strip() for part in line.split(BAR)]
    if len(parts) != len(COLUMNS):
        raise InputError(f"{brief(line, 80)!r} is not a declared concept; write {FORM}")
    return _checked(dict(zip(COLUMNS, parts, strict=True)), repr(brief(line, 80)))


def declarations(lines: Iterable[str]) -> tuple[Declaration, ...]:
    """The declarations of a plan's lines, each once. Raises `InputError` for the first that cannot be used."""
    return _consistent(declaration(line) for line in lines)


def read_declared(path: Path) -> tuple[str, ...]:
    """The lines of a file of declared concepts. Raises `InputError` in one line that names the file and the row."""
    title = f"the file of concepts {brief(str(path))}"
    return declared_in(named_file(path, FILE_BYTES, title), path.name, title)


def declared_in(data: bytes, name: str, title: str = "") -> tuple[str, ...]:
    """The lines of declared concepts in the bytes of a file: TOML if its name says so, otherwise a CSV table."""
    title = title or f"the file of concepts {brief(name)}"
    if len(data) > FILE_BYTES:
        raise InputError(f"{title} is larger than {FILE_BYTES // 1024} kB; shorten it")
    try:
        rows = _toml_rows(data) if name.lower().endswith(".toml") else _table_rows(data)
        found = _consistent(_checked(row, f"entry {number}") for number, row in enumerate(rows, 1))
    except Refused as refused:
        raise InputError(f"{title} {refused}") from refused
    except InputError as error:
        raise InputError(f"{title}: {error}") from error
    if not found:
        raise InputError(f"{title} declares no concept; give {FORM}")
    return tuple(each.line for each in found)


def check_texts(lines: Iterable[str], texts: Collection[str]) -> None:
    """Raises `InputError` for a declaration of a class or prompt that the audit does not have."""
    known = {folded(text) for text in texts}
    for each in declarations(lines):
        if each.text != EVERY_TEXT and folded(each.text) not in known:
            raise InputError(
                f"{each.line!r}: {each.text!r} is neither a class nor a prompt of this audit; name one, or "
                f"{EVERY_TEXT} for every text"
            )


def _lines(lines: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(each.line for each in declarations(lines))
    except InputError as error:
        raise ValueError(str(error)) from error


# The command line and the form fill an option of this kind.
DeclaredOption = Annotated[tuple[Line, ...], HOLDS_DECLARED, Field(max_length=MOST), AfterValidator(_lines)]


def _checked(row: Mapping[str, Any], where: str) -> Declaration:
    unknown = next((name for name in row if name not in COLUMNS), None)
    if unknown is not None:
        raise InputError(f"{where} has {brief(str(unknown), 40)!r}; known are {', '.join(COLUMNS)}")
    values = {}
    for name in COLUMNS:
        value = row.get(name)
        text = printable(value) if isinstance(value, str) else ""
        if not text or BAR in text:
            raise InputError(f"{where} has no {name} that can be used; write a text without {BAR}")
        if len(text) > LONGEST:
            raise InputError(f"{where} has a {name} of {len(text):,} characters; at most {LONGEST} are accepted")
        values[name] = text
    expectation = folded(values["expectation"])
    if expectation not in EXPECTATIONS:
        raise InputError(f"{where} has the expectation {brief(expectation, 40)!r}; write {' or '.join(EXPECTATIONS)}")
    return Declaration(values["class"], values["concept"], "expected" if expectation == "expected" else "forbidden")


def _consistent(found: Iterable[Declaration]) -> tuple[Declaration, ...]:
    unique: dict[tuple[str, str], Declaration] = {}
    for each in found:
        before = unique.setdefault((folded(each.text), folded(each.concept)), each)
        if before.expectation != each.expectation:
            raise InputError(f"{brief(each.concept, 80)!r} is declared both expected and forbidden; remove one")
        if len(unique) > MOST:
            raise InputError(f"more than {MOST} concepts are declared; each is a test, so choose fewer")
    return tuple(unique.values())


def _toml_rows(data: bytes) -> list[Mapping[str, Any]]:
    content = read_toml(data)
    rows = content.get("concepts")
    if set(content) != {"concepts"} or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused(f"must hold tables [[concepts]] with {', '.join(COLUMNS)}, and nothing else")
    return rows


def _table_rows(data: bytes) -> list[Mapping[str, Any]]:
    try:
        rows = call(cells, data=data, allowance=_ALLOWANCE).value
    except Failure as failure:
        raise Refused(str(failure)) from failure
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused("cannot be read as a table")
    return rows


def cells(data: bytes) -> tuple[Any, bytes]:
    """Task: the rows of a CSV table of declared concepts, by column."""
    try:
        text = decode_text(data, "")
        header, delimiter = _header(text)
        rows = parse_rows(text, delimiter, LIMITS)[1:]
    except InputError as error:
        raise Refused(str(error).strip()) from error
    found = []
    for number, row in rows:
        if len(row) != len(header):
            raise Refused(f"has {len(row)} cells in row {number}; each row needs {', '.join(COLUMNS)}")
        found.append({name: cell for name, cell in zip(header, row, strict=True) if name in COLUMNS})
    return found, b""


def _header(text: str) -> tuple[list[str], str]:
    """The names of the columns and the delimiter under which the three that are needed are there."""
    for delimiter in (",", ";", "\t"):
        first = next(csv.reader(io.StringIO(text[:LONGEST].lstrip("\r\n"), newline=""), delimiter=delimiter), [])
        names = [folded(cell) for cell in first]
        if sorted(names) == sorted(COLUMNS):
            return names, delimiter
    raise InputError(f"needs a first row with exactly the columns {', '.join(COLUMNS)}")
