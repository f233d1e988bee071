"""What the wheel depends on, read from requirements.txt when it is built: an extra begins with a comment `# [name]`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# Left out of `all`: Ray needs another 250 MB on disk and is of use only to those who have several machines (token
# authentication came with 2.52), s3fs only to those whose images lie in object storage, and it holds botocore back.
APART = {"ray": ["ray>=2.52"], "s3": ["s3fs>=2025.3"]}
_EXTRA = re.compile(r"# \[([a-z]+)\]")


class Dependencies(MetadataHookInterface):
    """Fills in the dependencies of the project and of its extras."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Enter them into the metadata of the wheel."""
        text = (Path(self.root) / "requirements.txt").read_text(encoding="utf-8")
        metadata["dependencies"], metadata["optional-dependencies"] = parted(text)


def parted(text: str) -> tuple[list[str], dict[str, list[str]]]:
    """The lines of a requirements file that everybody needs, and those of each extra; `all` is all of the file."""
    always: list[str] = []
    extras: dict[str, list[str]] = {}
    into = always
    for line in text.splitlines():
        begins = _EXTRA.match(line)
        if begins:
            into = extras.setdefault(begins[1], [])
        elif line.strip() and not line.startswith("#"):
            into.append(line.strip())
    return always, {**extras, "all": [line for part in extras.values() for line in part], **APART}
