"""Every package that is installed beside Loupe, with the licence that it states: the bill of materials lists them."""

from __future__ import annotations

import re
from importlib import metadata

from core.characters import brief

_CLASSIFIER = "License :: "
# What some packages write in place of a licence.
_NONE = {"", "unknown", "none", "license", "see license"}
MOST = 80


def installed() -> list[list[str]]:
    """Name, version and licence of each installed package, sorted by name; an empty licence is not stated."""
    packages: dict[str, list[str]] = {}
    for package in metadata.distributions():
        told = package.metadata
        name, version = told["Name"], told["Version"]
        if name and version:
            # The first of two of one name is the one that Python imports.
            packages.setdefault(re.sub(r"[-_.]+", "-", name).lower(), [name, version, _licence(told)])
    return [packages[name] for name in sorted(packages)]


def _licence(told: metadata.PackageMetadata) -> str:
    """The SPDX expression of a package, or the name of its licence; a whole text of a licence is no name."""
    if told["License-Expression"]:
        return brief(told["License-Expression"], MOST)
    names = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or () if line.startswith(_CLASSIFIER)]
    stated = (told["License"] or "").strip()
    if stated.lower() not in _NONE and len(stated) <= MOST and "\n" not in stated:
        return brief(stated, MOST)
    return brief("; ".join(sorted(set(names) - {"OSI Approved"})), MOST)
