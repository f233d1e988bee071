"""The forms in which people keep a list of classes or prompts: lines, tables, JSON, YAML, Python, numbered lines."""

from __future__ import annotations

import ast
import csv
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from core.datasets.encoding import is_legible
from core.datasets.texts import decode_text, parse_rows
from core.errors import InputError, first_line
from core.settings import Limits

_TABLES = (".csv", ".tsv")
_JSON, _JSON_LINES, _YAML, _TOML = (".json",), (".jsonl", ".ndjson"), (".yaml", ".yml"), (".toml",)
# How a text begins that is a list in a form of its own, which would be taken line by line otherwise.
_FOREIGN = (
    (re.compile(r"\s*<(?:[!?]|([A-Za-z][\w:.-]*)[^<>]*>.*</\1>\s*$)", re.DOTALL), "XML or HTML"),
    (re.compile(r"\s*(?:item|entry)\s*\{"), "a label map of TensorFlow"),
    (re.compile(r"\s*(?:export\s+default\b|(?:export\s+)?(?:const|let|var)\s+\w+\s*=)"), "JavaScript"),
    (re.compile(r"\s*(?:from\s+[\w.]+\s+import\b|def\s+\w+\(|class\s+\w+[(:])"), "a Python program"),
    (re.compile(r"\s*\|.*\|[ \t]*\r?\n\s*\|[-:| \t]+\|"), "a table in Markdown"),
    (re.compile(r"\s*\[[\w. -]+\][ \t]*\r?\n\s*[\w. -]+\s*[=:]"), "an INI file"),
)
_ASSIGNED = re.compile(r"\s*[A-Za-z_][A-Za-z_0-9.]*\s*(?::[^=\n]*)?=\s*(?=[\[({])")
_BULLET = re.compile(r"\s*[-*\u2022]\s+(\S.*)$")
_QUOTED = re.compile(r"""\s*(["'])(.+)\1\s*,?\s*$""")
_NUMBER_BEHIND = re.compile(r"\s*(\S.*?)\s*[=:;\t]\s*(\d+)\s*$")
_HEADERS = {
    "text",
    "prompt",
    "caption",
    "class",
    "label",
    "name",
    "title",
    "sentence",
    "concept",
    "classname",
    "category",
}
_NUMBERED = re.compile(r"^\s*(\d+)\s*(?:[:,;\t ]|[.)](?=\s))\s*(\S.*)$")
_SYNSET = re.compile(r"^\s*(n\d{8})\s*[:,;\t ]\s*(\S.*)$")
_FORMS = "a list of texts, an object of names by number or numbers by name, or a list of objects with a name"


def texts_of(source: str | bytes, title: str, limits: Limits) -> tuple[str, ...]:
    """The texts of a list in their order: see `read_texts`.

    Raises `InputError` for bytes that are no text, and for too many or too long texts.
    """
    text = source if isinstance(source, str) else decode_text(source, title)
    if not is_legible(text):
        raise InputError(f"{title} contains control characters; save it as plain UTF-8 text")
    stripped = (line.strip() for line in list_lines(text, title, limits))
    texts = tuple(dict.fromkeys(line for line in stripped if line and not line.startswith("#")))
    if len(texts) > limits.texts:
        raise InputError(f"{title} contains {len(texts):,} texts; at most {limits.texts:,} are accepted, so shorten it")
    for line in texts:
        if not is_legible(line):
            raise InputError(f"{title} contains control characters; remove them")
        if len(line) > limits.text_characters:
            raise InputError(
                f"{title} contains a text of {len(line):,} characters ({line[:40]!r}...); at most "
                f"{limits.text_characters:,} are accepted, so shorten it"
            )
    return texts


def list_lines(text: str, title: str, limits: Limits) -> list[str]:
    """The texts of a list in the form that its title (the name of a file) and its content state; not yet cleaned.

    A table gives the column whose header is a usual one (class, label, name, prompt, ...), otherwise its first, or its
    second where the first only numbers the rows. Raises `InputError` for a form that gives no texts.
    """
    ending = title.lower()
    if ending.endswith(_TABLES):
        return _column(text, title, limits)
    if ending.endswith(_JSON):
        return _named(_json(text, title), "JSON", title)
    if ending.endswith(_JSON_LINES):
        return _named([_json(line, title) for line in text.splitlines() if line.strip()], "JSON Lines", title)
    if ending.endswith(_YAML):
        return _named(_yaml(text, title), "YAML", title)
    if ending.endswith(_TOML):
        return _named(_toml(text, title), "TOML", title)
    foreign = next((name for pattern, name in _FOREIGN if pattern.match(text)), None)
    if foreign is not None:
        raise InputError(f"{title} is {foreign}, which is not read as a list; write one text per line")
    assigned = _ASSIGNED.match(text)
    stripped = text[assigned.end() if assigned else 0 :].strip()
    if stripped[:1] in ("{", "[") and stripped[-1:] in ("}", "]"):
        literal = _literal(stripped)
        if literal is not None:
            return _named(literal, "a Python or JSON value", title)
    return _without_marks(_without_numbers(text.splitlines()))


def _column(text: str, title: str, limits: Limits) -> list[str]:
    try:
        rows = [row for _, row in parse_rows(text, _delimiter(text, title), limits)]
    except InputError as error:
        raise InputError(f"{title} {error}") from error
    if not rows:
        return []
    known = [position for position, cell in enumerate(rows[0]) if _is_header(cell)]
    body = rows[1:] if known else rows
    at = known[0] if known else 0
    if not known and all(len(row) > 1 for row in rows) and _counts([row[0] for row in rows]):
        at = 1
    return [" ".join(row[at].split()) for row in body if len(row) > at]


def _delimiter(text: str, title: str) -> str:
    """The one that makes a usual header of the first line; a comma, or a tab, where none does."""
    usual = "\t" if title.lower().endswith(".tsv") else ","
    first = next((line for line in text.splitlines() if line.strip()), "")
    for delimiter in (usual, ";", "\t", "|", ","):
        try:
            cells = next(csv.reader([first], delimiter=delimiter), [])
        except csv.Error:
            continue
        if len(cells) > 1 and any(_is_header(cell) for cell in cells):
            return delimiter
    lines = [line for line in text.splitlines() if line.strip()]
    # Without a header: one that parts every line once, where the usual one parts none.
    if lines and not any(usual in line for line in lines):
        return next((each for each in (";", "\t", "|", ",") if all(line.count(each) == 1 for line in lines)), usual)
    return usual


def _is_header(cell: str) -> bool:
    plain = re.sub(r"[^a-z]", "", cell.lower())
    return plain in _HEADERS or plain.removesuffix("s") in _HEADERS or plain.removesuffix("es") in _HEADERS


def _json(text: str, title: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{title} is not valid JSON ({first_line(error)[:200]}); correct it") from error


def _yaml(text: str, title: str) -> Any:
    # Here, because most processes never meet such a file. Numbers and dates are read as the texts they are written as.
    import yaml

    try:
        # This loader builds texts, lists and mappings, nothing else.
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{title} is not valid YAML ({first_line(error)[:200]}); correct it") from error


def _toml(text: str, title: str) -> Any:
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{title} is not valid TOML ({first_line(error)[:200]}); correct it") from error
    # A list needs a key there, whatever it is called.
    values = list(content.values())
    return values[0] if len(values) == 1 and isinstance(values[0], (list, dict)) else content


def _literal(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _named(content: Any, form: str, title: str) -> list[str]:
    """The texts in plain data. An object may hold the list under `names`, as the data files of detectors do."""
    if isinstance(content, Mapping):
        for key in ("names", "classes", "labels", "categories", "class_names", "prompts", "id2label"):
            if isinstance(content.get(key), (list, tuple, Mapping)):
                return _named(content[key], form, title)
        texts = _by_number(content)
    elif isinstance(content, (list, tuple, set)):
        texts = [_text_of(entry) for entry in content]
    else:
        texts = None
    if not texts or any(text is None for text in texts):
        raise InputError(f"{title} is {form} in an unknown form; provide {_FORMS}")
    return [" ".join(str(text).split()) for text in texts]


def _by_number(content: Mapping[Any, Any]) -> list[Any] | None:
    """Names by number or numbers by name, in the order of the numbers; one that maps names to numbers too."""
    keys, values = [*content], [*content.values()]
    if all(isinstance(value, str) for value in values) and all(_integer(key) is not None for key in keys):
        return [content[key] for key in sorted(keys, key=lambda key: _integer(key) or 0)]
    if all(isinstance(key, str) for key in keys) and all(_integer(value) is not None for value in values):
        return sorted(keys, key=lambda key: _integer(content[key]) or 0)
    if all(isinstance(value, (list, tuple)) and len(value) == 2 for value in values):
        # ImageNet's index: a number with the name of a synset and that of the class.
        return [content[key][1] for key in sorted(keys, key=lambda key: _integer(key) or 0)]
    return None


def _text_of(entry: Any) -> str | None:
    if isinstance(entry, str):
        return entry
    if isinstance(entry, Mapping):
        return next((value for key, value in entry.items() if _is_header(str(key)) and isinstance(value, str)), None)
    return None


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = str(value).strip()
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _counts(cells: list[str]) -> bool:
    """Whether cells number their rows: 0, 1, 2 and so on, or from 1."""
    numbers = [_integer(cell) for cell in cells]
    first = numbers[0] if numbers else None
    return first in (0, 1) and len(numbers) > 1 and numbers == [*range(first, first + len(numbers))]


def _without_numbers(lines: list[str]) -> list[str]:
    """Lines without the number or the synset that every one of them begins with."""
    filled = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    for pattern in (_NUMBERED, _SYNSET):
        matches = [pattern.match(line) for line in filled]
        if len(filled) > 1 and all(matches):
            numbers = [match[1] for match in matches if match]
            if pattern is _SYNSET or _counts(numbers):
                return [match[2] for match in matches if match]
    return lines


def _without_marks(lines: list[str]) -> list[str]:
    """Lines without what every one of them has around its text: a bullet, quotation marks, a number behind it."""
    filled = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    for pattern, text in ((_BULLET, 1), (_QUOTED, 2), (_NUMBER_BEHIND, 1)):
        matches = [match for line in filled if (match := pattern.match(line))]
        if len(filled) < 2 or len(matches) < len(filled):
            continue
        if pattern is not _NUMBER_BEHIND:
            return [match[text] for match in matches]
        if _counts(sorted((match[2] for match in matches), key=int)):
            return [match[1] for match in sorted(matches, key=lambda match: int(match[2]))]
    return lines
