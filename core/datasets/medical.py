"""The task that opens DICOM files, apart from the other one: their large library is loaded for such files only."""

from __future__ import annotations

from typing import Any

from core.datasets import file_task
from core.errors import missing


def warm_up() -> None:
    """Let the decoders load what they need, once for all children."""
    if not missing("pydicom", "dicom"):
        import pydicom.pixels

        pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    file_task.warm_up()


def file(
    data: bytes,
    name: str,
    only: file_task.Kind | None,
    member: list[Any] | None,
    taken: list[int],
    limits: dict[str, Any],
) -> tuple[Any, bytes]:
    """Task: what `core.datasets.file_task.file` answers."""
    return file_task.file(data, name, only, member, taken, limits)
