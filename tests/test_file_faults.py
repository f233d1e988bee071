"""The table of faults of the import names tests that exist, one at least for each fault."""

from __future__ import annotations

import re

import pytest

from core.settings import ROOT

PAGE = ROOT / "docs" / "file-faults.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[str]:
    """The rows of all tables, without their heads."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [line for line in lines if not line.startswith(("| fault |", "|---"))]


def exists(file: str, name: str) -> bool:
    path = ROOT / file
    return path.is_file() and re.search(rf"^def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE) is not None


@pytest.mark.parametrize("row", rows())
def test_each_fault_names_tests_that_exist(row: str) -> None:
    assert row.count(" | ") >= 3
    named = NAMED.findall(row)
    assert named and all(exists(*each) for each in named)


def test_a_test_that_is_not_there_is_noticed() -> None:
    assert len(rows()) > 30
    assert exists("tests/test_file_faults.py", "rows") and not exists("tests/test_file_faults.py", "test_nothing")
    assert not exists("tests/test_no_such_file.py", "rows")
