"""Holm's adjustment, and the sentence that is told about a family."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.settings import ROOT
from core.statistics import Family, adjusted, holm
from core.statistics.families import CONTROLS, MEASURES


def test_holm_of_a_known_family() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, 0.6, 0.01])) == pytest.approx([1.0, 1.0, 0.03])
    assert holm(np.array([0.2])) == pytest.approx([0.2])
    assert holm(np.array([])).shape == (0,)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_p_value_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    p = np.array(p_values)
    found = holm(p)
    assert (found >= p - 1e-15).all()
    assert (found <= np.minimum(1, len(p) * p) + 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(found[order]) >= -1e-15).all()


def test_what_was_not_tested_counts_for_nothing() -> None:
    got = adjusted(pd.Series([0.01, np.nan, 0.04]))
    assert got.tolist()[::2] == pytest.approx([0.02, 0.04])
    assert np.isnan(got[1])


TESTS = pd.DataFrame({"metric": ["a", "a", "b", "b"], "p": [0.01, 0.04, 0.03, None]})


def test_a_family_adjusts_within_what_it_says_and_says_so() -> None:
    got = MEASURES.adjusted(TESTS)
    assert got.tolist()[:3] == pytest.approx([0.02, 0.04, 0.03])
    together = Family("t", "sign-flip test", "methods")
    assert together.adjusted(TESTS).tolist()[:3] != pytest.approx([0.02, 0.04, 0.03])
    told = MEASURES.sentence(TESTS)
    assert told == (
        "3 sign-flip tests were made; their p-values are adjusted by Holm's method over methods, controls and kinds of "
        "text, within each measure (2 families) and not across measures."
    )
    assert "together" not in told
    assert together.sentence(TESTS).endswith("over all methods together.")
    assert CONTROLS.adjusted(TESTS).tolist()[:3] == pytest.approx([0.03, 0.06, 0.06]), "controls borrow from each other"
    assert MEASURES.over == f"{CONTROLS.over}, within each measure"
    assert CONTROLS.over == "Holm over methods, controls and kinds of text"


def test_no_tests_make_no_adjustment() -> None:
    none = TESTS.iloc[:0]
    assert CONTROLS.adjusted(none).empty
    assert CONTROLS.sentence(none).startswith("0 sign-flip tests were made")


def test_every_family_is_defined_once() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "core").rglob("*.py"))
    names = re.findall(r' = Family\(\s*"([^"]+)"', sources)
    assert len(names) > 6 and len(set(names)) == len(names)
