"""What CI leaves out of a sampled test is what the nightly run takes, and nothing is lost between the two."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.settings import ROOT
from tests.support.own_pytest import environment

TEST = "tests/reporting/test_comparison_check.py"


@pytest.fixture(scope="module")
def collected() -> dict[str, list[str]]:
    """The names of the tests of one file in CI, at night, and of all."""
    found = {}
    for name, chosen in (("ci", "not nightly"), ("nightly", "nightly"), ("all", "nightly or not nightly")):
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=", "-m", chosen, TEST]
        plain = environment(PYTEST_ADDOPTS="")
        told = subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, check=True).stdout
        found[name] = [line for line in told.splitlines() if line.startswith("tests/")]
    return found


def test_both_runs_together_are_all_tests(collected: dict[str, list[str]]) -> None:
    assert sorted(collected["ci"] + collected["nightly"]) == sorted(collected["all"])


def test_every_second_parameter_is_left_to_the_night(collected: dict[str, list[str]]) -> None:
    every = [name for name in collected["all"] if "test_a_forged_comparison_is_detected[" in name]
    assert len(every) > 4
    assert [name for name in every if name in collected["ci"]] == every[::2]
    assert [name for name in every if name in collected["nightly"]] == every[1::2]
