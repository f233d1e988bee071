"""Thresholds files and grades: what may be changed, what is refused, and how severity comes about."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.evaluation.summary import summarise
from core.findings import BUILT_IN, judge, load_thresholds
from core.findings.grading import grade
from tests.findings.pinned import PINNED
from tests.support.made_run import made_run

PLAIN = load_thresholds()


def names(values: dict[str, Any], where: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in values.items():
        found |= names(value, f"{where}{name}.") if isinstance(value, dict) else {where + name}
    return found


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


def test_the_built_in_file_has_a_version_and_its_hash() -> None:
    assert PLAIN.version
    assert names(PLAIN.values) == names(PINNED.values)
    assert PLAIN.sha256 == hashlib.sha256(BUILT_IN.read_bytes()).hexdigest()
    assert PLAIN["severity.high"] > PLAIN["severity.medium"]
    assert PINNED.label("data.refused.most_share") == "data.refused.most_share = 0.0 (thresholds v1)"


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, 'version = "house 3"\n[scores.flat]\nmost_share = 0.5\n[general]\nleast_images = 20\n')
    own = load_thresholds(path)
    assert own["scores.flat.most_share"] == 0.5
    assert own["general.least_images"] == 20
    assert own["general.significance"] == PLAIN["general.significance"]
    assert own["agreement.methods.least_correlation"] == PLAIN["agreement.methods.least_correlation"]
    assert own.version == "house 3"
    assert own.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() != PLAIN.sha256
    assert own.label("scores.flat.most_share") == "scores.flat.most_share = 0.5 (thresholds vhouse 3)"


def test_a_file_without_a_version_says_so(tmp_path: Path) -> None:
    assert load_thresholds(write(tmp_path, "[severity]\nhigh = 1\n")).version == "unversioned"
    assert load_thresholds(write(tmp_path, "version = 2\n")).version == "2"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[score.flat]\n", "score is unknown"),
        ("[scores.flat]\nmost = 0.5\n", "scores.flat.most is unknown"),
        ("[general]\nleast_images = 'x'\n", "general.least_images has the wrong kind"),
        ("[general]\nleast_images = true\n", "general.least_images has the wrong kind"),
        ("[general]\nsignificance = nan\n", "general.significance has the wrong kind"),
        ("[general]\nsignificance = inf\n", "general.significance has the wrong kind"),
        ("general = 3\n", "general has the wrong kind"),
        ("[severity.high]\nx = 1\n", "severity.high has the wrong kind"),
        ("[general", "is no TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        load_thresholds(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no thresholds file"):
        load_thresholds(tmp_path / "none.toml")
    with pytest.raises(InputError, match="can't be read"):
        load_thresholds(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no TOML"):
        load_thresholds(tmp_path / "bytes.toml")


def test_the_file_kept_with_a_run_judges_it(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=4)
    pinned = {finding.id: finding for finding in judge(run, summarise(run), PINNED)}
    write(run.folder, 'version = "9"\n[general]\nleast_images = 3\n').rename(run.folder / "thresholds.toml")
    own = {finding.id: finding for finding in judge(run, summarise(run))}
    assert pinned["agreement.methods"].status == "cannot_conclude"
    assert own["agreement.methods"].status != "cannot_conclude"
    assert own["agreement.methods"].threshold.endswith("(thresholds v9)")


@settings(deadline=None, max_examples=60)
@given(impact=st.floats(0.05, 1), a=st.floats(0, 1), b=st.floats(0, 1), n=st.integers(1, 500), m=st.integers(1, 500))
def test_severity_grows_with_likelihood_and_with_pictures(impact: float, a: float, b: float, n: int, m: int) -> None:
    (low, high), (few, many) = sorted((a, b)), sorted((n, m))
    words = ("low", "medium", "high")
    smaller, less = grade(impact, low, few, PINNED)
    for likelihood, pictures in ((high, few), (low, many), (high, many)):
        larger, more = grade(impact, likelihood, pictures, PINNED)
        assert larger.value >= smaller.value
        assert words.index(more) >= words.index(less)


def test_severity_words_meet_their_thresholds() -> None:
    assert grade(0.8, 1.0, 1000, PINNED)[1] == "high"
    assert grade(0.8, 0.4, 1000, PINNED)[1] == "medium"
    assert grade(0.8, 0.1, 1000, PINNED)[1] == "low"
    assert grade(0.8, 1.0, 1, PINNED)[1] == "low", "one picture is no ground for alarm"
    made, _ = grade(0.8, 1.7, 8, PINNED)
    assert (made.impact, made.likelihood, made.confidence) == (0.8, 1.0, 0.5)
    assert made.value == pytest.approx(0.4)
