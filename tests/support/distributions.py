"""Distributions with entry points, as `pip install --target` leaves them in a folder, without pip and its network."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest

from core.settings import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "plug-in"


def install(
    target: Path, name: str, version: str, points: Mapping[str, Mapping[str, str]], files: Mapping[str, str]
) -> None:
    """A distribution of these files in a folder, whose entry points are given by group."""
    about = target / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = ("".join(f"{point} = {value}\n" for point, value in part.items()) for part in points.values())
    (about / "entry_points.txt").write_text("".join(f"[{g}]\n{body}" for g, body in zip(points, groups, strict=True)))
    for path, text in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text)


def install_example(target: Path) -> None:
    """The example of the documentation, with the entry points of its `pyproject.toml`."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(target, project["name"], project["version"], project["entry-points"], {})
    shutil.copytree(
        EXAMPLE / "loupe_brightness", target / "loupe_brightness", ignore=shutil.ignore_patterns("__pycache__")
    )


def descriptions_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders of the packages whose descriptions are read from now on, one for each time."""
    folders: list[str] = []
    whole = metadata.PathDistribution.read_text

    def read_text(package: metadata.PathDistribution, name: str) -> str | None:
        if name == "METADATA":
            folders.append(str(package._path))
        return whole(package, name)

    monkeypatch.setattr(metadata.PathDistribution, "read_text", read_text)
    return folders
