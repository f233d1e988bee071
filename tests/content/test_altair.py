"""Altair without the grammars that take longer than all the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest

AFTER = "import sys; print('rfc3987_syntax' in sys.modules)"


def said(code: str) -> str:
    """What a fresh interpreter prints for the code."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_the_charts_do_without_the_grammars_and_another_package_still_gets_them() -> None:
    pytest.importorskip("rfc3987_syntax")
    assert said(f"from core.content.altair import alt; alt.Chart; {AFTER}") == "False"
    assert said(f"from core.content import altair; import rfc3987_syntax; {AFTER}") == "True"


def test_altair_alone_loads_them() -> None:
    pytest.importorskip("rfc3987_syntax")
    assert said(f"import altair; {AFTER}") == "True"
