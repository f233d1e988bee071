"""Thresholds files and grades: what may be changed, what is refused, and how severity comes about."""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.evaluation.summary import summarise
from core.findings import judge, load_thresholds
from core.findings.judgement import every_rule
from core.rules import limits
from core.rules.finding import Grade
from core.rules.grading import graded
from core.rules.thresholds import bounds, fields
from core.settings import LIMITS
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
    assert names(tomllib.loads(PLAIN.data.decode())) == {name for name, _ in fields()}
    assert PLAIN.sha256 == hashlib.sha256(PLAIN.data).hexdigest()
    assert PLAIN["severity.high"] > PLAIN["severity.medium"]
    assert PINNED.label("data.refused.most_share") == "data.refused.most_share = 0.0 (thresholds, version 1)"
    two = PINNED.label("data.refused.most_share", "general.least_images")
    assert two == "data.refused.most_share = 0.0; general.least_images = 8 (thresholds, version 1)"
    assert PINNED.label() == ""


def test_two_files_cannot_give_the_same_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = tmp_path / "limits.toml"
    again.write_text('[severity.high]\nvalue = 0.5\nrange = [0, 1]\nreason = "Again."\n')
    files = limits.limit_files()
    monkeypatch.setattr(limits, "limit_files", lambda: [*files, again])
    limits.limits_model.cache_clear()
    with pytest.raises(ValueError, match="high is given twice"):
        limits.limits_model()
    again.write_text('[mine.own]\nvalue = 2.0\nrange = [0, 1]\nreason = "Out of its own range."\n')
    with pytest.raises(ValueError, match="less than or equal to 1"):
        limits.limits_model()
    monkeypatch.undo()
    assert limits.limits_model()().model_dump() == PLAIN.limits.model_dump()


def test_every_value_has_a_range_that_holds_it_and_a_reason() -> None:
    numbers = [name for name, _ in fields() if name != "version"]
    for name in numbers:
        least, most = bounds(name)
        assert least <= PLAIN[name] <= most, name
        assert not name.startswith("impact.") or (least, most) == (0, 1), name
    assert all(field.description and field.description.endswith(".") for _, field in fields())
    with pytest.raises(KeyError):
        PLAIN["trust.controls.least"]
    with pytest.raises(KeyError):
        bounds("trust.controls.least")


def test_every_rule_names_values_that_exist_and_every_value_is_used() -> None:
    rules = every_rule()
    assert len({rule.id for rule in rules}) == len(rules)
    used = {name for rule in rules for name in (f"impact.{rule.id}", *rule.thresholds)}
    known = {name for name, _ in fields()}
    assert used - known == set()
    # These two belong to grading, which every finding goes through.
    assert known - used == {"version", "severity.high", "severity.medium"}
    assert all(0 < PLAIN[f"impact.{rule.id}"] <= 1 for rule in rules)


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, 'version = "house 3"\n[scores.flat]\nmost_share = 0.5\n[general]\nleast_images = 20\n')
    own = load_thresholds(path)
    assert own["scores.flat.most_share"] == 0.5
    assert own["general.least_images"] == 20
    assert own["general.significance"] == PLAIN["general.significance"]
    assert own["agreement.methods.least_correlation"] == PLAIN["agreement.methods.least_correlation"]
    assert own.version == "house 3"
    assert own.sha256 == hashlib.sha256(own.data).hexdigest() != PLAIN.sha256
    assert own.label("scores.flat.most_share") == "scores.flat.most_share = 0.5 (thresholds, version house 3)"


def test_a_file_that_keeps_its_reader_busy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needs more than \d+ s of processor time|nested too deeply"):
        load_thresholds(write(tmp_path, "[" + "a." * 200_000 + "a]\n"))


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
        ("[general", "is not valid TOML"),
        ("[general]\nleast_images = -1\n", "general.least_images must be a number from 0"),
        (f"[general]\nleast_images = {10**399}\n", "general.least_images must be a number from 0"),
        ("[general]\nleast_images = 1" + "0" * 5000 + "\n", "is not valid TOML"),
        ("[severity]\nhigh = 1e300\n", "severity.high must be a number"),
        (f"[severity]\nhigh = 1{'0' * 399}\n", "severity.high"),
        ("[severity]\nhigh = []\n", "severity.high has the wrong kind"),
        ("[severity]\nhigh = 1979-05-27\n", "severity.high has the wrong kind"),
        ("[severity]\nmedium = 0.9\n", "severity.medium must not be above severity.high"),
        ("[impact.trust]\ncontrols = 1.5\n", "impact.trust.controls must be a number from 0 to 1"),
        ("[scores.flat]\nmost_share = -0.1\n", "scores.flat.most_share must be a number from 0 to 1"),
        ("[general]\nleast_images = 12.5\n", "general.least_images has the wrong kind"),
        ("version = []\n", "version must be a short text"),
        ("version = ''\n", "version must be a short text"),
        ("x = " + "[" * 100_000, "is not valid TOML: it is nested too deeply"),
        ("x = " + "{a=" * 5_000, "is not valid TOML"),
        (".".join(["a"] * 50) + " = 1\n", "is unknown"),
        (".".join(["a"] * 5_000) + " = 1\n", "is not valid TOML: it is nested too deeply"),
        ("'" + "x" * 100_000 + "' = 1\n", "is unknown"),
        ('"a\\u001b[31m\\nloupe: sound" = 1\n', "is unknown"),
        ("a = 1\na = 2\n", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        load_thresholds(write(tmp_path, text))
    told = str(caught.value)
    assert "\n" not in told and "\x1b" not in told and len(told) < 700


def test_a_version_is_cut_and_cleaned(tmp_path: Path) -> None:
    own = load_thresholds(write(tmp_path, f'version = "9\\n\\u202e{"x" * 10_000}"\n'))
    assert own.version.startswith("9  xxx") and len(own.version) == 40


def test_a_file_that_is_too_large_or_no_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is larger than 1 MiB"):
        load_thresholds(write(tmp_path, "#" * (LIMITS.thresholds_bytes + 1)))
    load_thresholds(write(tmp_path, "#" * LIMITS.thresholds_bytes))
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="is not a regular file"):
            load_thresholds(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_thresholds(tmp_path / "none.toml")
    with pytest.raises(InputError, match="is a folder"):
        load_thresholds(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not valid TOML"):
        load_thresholds(tmp_path / "bytes.toml")


def test_the_file_kept_with_a_run_judges_it(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=7)
    pinned = {finding.id: finding for finding in judge(run, summarise(run), PINNED)}
    write(run.folder, 'version = "9"\n[general]\nleast_images = 3\n').rename(run.folder / "thresholds.toml")
    own = {finding.id: finding for finding in judge(run, summarise(run))}
    assert pinned["agreement.methods"].status == "cannot_conclude"
    assert own["agreement.methods"].status != "cannot_conclude"
    assert own["agreement.methods"].threshold.endswith("(thresholds, version 9)")


@settings(deadline=None, max_examples=60)
@given(impact=st.floats(0.05, 1), a=st.floats(0, 1), b=st.floats(0, 1))
def test_severity_grows_with_impact_and_with_likelihood(impact: float, a: float, b: float) -> None:
    low, high = sorted((a, b))
    words = ("low", "medium", "high")
    smaller, less = graded(impact, low, PINNED)
    for weight, likelihood in ((impact, high), (1.0, low), (1.0, high)):
        larger, more = graded(weight, likelihood, PINNED)
        assert larger.value >= smaller.value
        assert words.index(more) >= words.index(less)


def test_severity_words_meet_their_thresholds() -> None:
    assert graded(0.8, 1.0, PINNED)[1] == "high"
    assert graded(0.8, 0.4, PINNED)[1] == "medium"
    assert graded(0.8, 0.1, PINNED)[1] == "low"
    grade, _ = graded(0.8, 1.7, PINNED)
    assert (grade.impact, grade.likelihood) == (0.8, 1.0)
    assert grade.value == pytest.approx(0.8)


def test_a_grade_is_the_product_of_its_printed_parts() -> None:
    """Also where floats are not: 0.7 x 0.1 is 0.06999999999999999."""
    for impact in range(101):
        for likelihood in range(101):
            assert Grade(impact=impact / 100, likelihood=likelihood / 100).value == impact * likelihood / 10_000
    assert 0.7 * 0.1 != 0.07 == Grade(impact=0.7, likelihood=0.1).value


def test_what_is_kept_is_what_was_understood(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(b'# a comment with a secret\nversion = "7 \xf0\x9f\x98\x80"\n[sanity.model]\n')
    found = load_thresholds(path)
    assert b"secret" not in found.data and found.version == "7 \U0001f600"
    again = tmp_path / "again.toml"
    again.write_bytes(found.data)
    read = load_thresholds(again)
    assert (read.limits, read.version, read.data, read.sha256) == (
        found.limits,
        found.version,
        found.data,
        found.sha256,
    )
    # Every value of the built-in file survives being written.
    whole = tmp_path / "whole.toml"
    whole.write_bytes(PLAIN.data)
    assert load_thresholds(whole).limits == load_thresholds().limits
    again.write_bytes(load_thresholds(whole).data)
    assert load_thresholds(again).limits == load_thresholds().limits
    assert load_thresholds(again).data == load_thresholds(whole).data
