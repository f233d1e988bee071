"""The installed packages as a run records them."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from core.runs.packages import MOST, installed


def test_every_installed_package_is_listed_once_with_its_version() -> None:
    packages = {name: version for name, version, _ in installed()}
    assert packages["numpy"] == metadata.version("numpy") and len(packages) > 100
    names = [name.lower().replace("_", "-").replace(".", "-") for name, _, _ in installed()]
    assert names == sorted(set(names))
    assert all(len(licence) <= MOST and "\n" not in licence for _, _, licence in installed())


def test_a_licence_is_an_expression_a_name_or_not_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stated = {
        "a": "License-Expression: MIT OR Apache-2.0",
        "b": "License: BSD",
        "c": "License: UNKNOWN\nClassifier: License :: OSI Approved :: ISC License (ISCL)",
        "d": f"License: {'a whole text ' * 20}\nClassifier: License :: OSI Approved :: MIT License",
        "e": "Summary: nothing stated",
    }
    for name, line in stated.items():
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{line}\n")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert installed() == [
        ["a", "1.0", "MIT OR Apache-2.0"],
        ["b", "1.0", "BSD"],
        ["c", "1.0", "ISC License (ISCL)"],
        ["d", "1.0", "MIT License"],
        ["e", "1.0", ""],
    ]
