"""Lists of texts that people bring: prompts, classes, templates."""

from __future__ import annotations

from pathlib import Path

from core.datasets.list_forms import texts_of
from core.datasets.opening import open_texts
from core.errors import InputError
from core.sandbox import named_file
from core.sandbox.files import size_text
from core.settings import LIMITS, Limits


def read_texts(source: Path | str | bytes, *, name: str | None = None, limits: Limits = LIMITS) -> tuple[str, ...]:
    """The texts of a list, in its order: stripped, without blank lines, `#` comments and repetitions.

    A `Path` is a file to read; a `str` is the list itself (what was typed into a field); `bytes` are an uploaded
    file, whose `name` states its form (`core.datasets.list_forms`): a table, JSON, YAML, otherwise one text per line,
    with or without numbers before them, or a list as Python prints it. An empty list gives `()`.

    Raises `InputError` for a file that cannot be read, is not text or is in an unknown form, and for too many or too
    long texts.
    """
    if isinstance(source, str):
        if len(source) > limits.all_text_characters:
            most = f"at most {limits.all_text_characters:,} are accepted, so shorten it"
            raise InputError(f"{name or 'the list'} contains {len(source):,} characters; {most}")
        return texts_of(source, name or "the list", limits)
    title = name or (source.name if isinstance(source, Path) else "the list")
    data = named_file(source, limits.file_bytes) if isinstance(source, Path) else source
    if len(data) > limits.file_bytes:
        raise InputError(f"{title} is larger than {size_text(limits.file_bytes)}; shorten it")
    return open_texts(data, title, limits)
