"""A file among images that lists names of classes, as people keep one beside their images: short lines, or an array."""

from __future__ import annotations

import re

from core.datasets.list_forms import texts_of
from core.errors import InputError
from core.settings import Limits

# The file of a stored dataset that keeps such names; it is no part of the dataset's id.
CLASS_NAMES = "classes.txt"
_LINES, _ROWS, _ARRAY, _YAML = (".txt", ".names"), (".csv", ".tsv"), (".json",), (".yaml", ".yml")
_LONGEST, _MOST_WORDS, _LEAST = 60, 6, 2
_LARGEST = 2**20  # bytes
_SEPARATOR = re.compile(r"[,;\t|]")
_FILE_OR_ADDRESS = re.compile(r"\.[a-z0-9]{2,5}$|://|\\|/", re.IGNORECASE)


def class_names(name: str, data: bytes, limits: Limits) -> tuple[str, ...]:
    """The names in a file that lists at least two classes and nothing else; () for any other file.

    A table of several columns is none: what lacks there is the column of images, and its refusal says so.
    """
    ending = name.lower()
    if len(data) > _LARGEST or not ending.endswith((*_LINES, *_ROWS, *_ARRAY, *_YAML)):
        return ()
    if ending.endswith(_ARRAY) and not re.match(rb'\s*\[\s*"', data):
        return ()
    try:
        names = texts_of(data, name, limits)
        lines = texts_of(data, "the list", limits) if ending.endswith((*_LINES, *_ROWS)) else ()
    except InputError:
        return ()  # not a list of texts in any form, so that the reason for which it was refused stands
    # A table has a separator in every line; "tench, Tinca tinca" stands among names without one.
    if lines and all(_SEPARATOR.search(line) for line in lines):
        return ()
    if ending.endswith(_ROWS) and any(_SEPARATOR.search(line) for line in lines):
        return ()
    return names if len(names) >= _LEAST and all(map(is_class_name, names)) else ()


def is_class_name(text: str) -> bool:
    """Whether a text can be the name of a class: a few words with letters, neither a file nor an address."""
    return (
        0 < len(text) <= _LONGEST
        and len(text.split()) <= _MOST_WORDS
        and any(letter.isalpha() for letter in text)
        and text.isprintable()
        and not _FILE_OR_ADDRESS.search(text)
        and not text.endswith((".", "?", "!"))
    )
