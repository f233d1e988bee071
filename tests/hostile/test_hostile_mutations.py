"""Sound files with random changes at every reader: refused or read, never anything else. The same changes each time."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.errors import Refused
from core.settings import ROOT
from tests.hostile import targets
from tests.hostile.targets import NATIVE, TARGETS

_EXAMPLES = 150
_ODD = (b"\0", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80", b"\r\n", b'"', b"[" * 50, b"9" * 400,
        b"1e999", b"NaN", b"\xed\xa0\x80", b"\x1b[2J", b"../", b"\xe2\x80\xae", b"PK\x05\x06")  # fmt: skip


@some.composite
def changed(draw: some.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed with up to eight changes: bits, odd bytes, cuts, repetitions, exchanges with another seed."""
    data = bytearray(draw(some.sampled_from(seeds)))
    for _ in range(draw(some.integers(1, 8))):
        at = draw(some.integers(0, max(0, len(data) - 1)))
        kind = draw(some.sampled_from(("bit", "byte", "odd", "over", "cut", "repeat", "splice", "drop")))
        length = draw(some.integers(1, 64))
        if kind == "bit" and data:
            data[at] ^= 1 << draw(some.integers(0, 7))
        elif kind == "byte" and data:
            data[at] = draw(some.integers(0, 255))
        elif kind == "odd":
            data[at:at] = draw(some.sampled_from(_ODD))
        elif kind == "over":
            odd = draw(some.sampled_from(_ODD))
            data[at : at + len(odd)] = odd
        elif kind == "cut":
            del data[at:]
        elif kind == "repeat":
            data[at:at] = data[at : at + length] * draw(some.integers(1, 20))
        elif kind == "splice":
            other = draw(some.sampled_from(seeds))
            data[at:] = other[at:]
        else:
            del data[at : at + length]
    return bytes(data)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*TARGETS, *NATIVE])
def test_a_changed_file_is_refused_or_read(name: str) -> None:
    target = TARGETS.get(name) or NATIVE[name]

    @settings(
        max_examples=_EXAMPLES, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(changed(target.seeds()))
    def holds(data: bytes) -> None:
        target.run(data)

    holds()


@pytest.mark.parametrize("name", [*TARGETS, *NATIVE])
def test_seeds_are_always_the_same(name: str) -> None:
    target = TARGETS.get(name) or NATIVE[name]
    seeds = target.seeds()
    assert seeds and all(len(data) < 50_000 for data in seeds)
    for data in seeds:
        target.run(data)


def test_a_reader_that_raises_anything_else_is_a_finding() -> None:
    def read(data: bytes) -> None:
        raise IndexError("list index out of range")

    with pytest.raises(IndexError):
        targets._refuses(read)(b"")


def test_a_refusal_of_two_lines_is_a_finding() -> None:
    def read(data: bytes) -> None:
        raise Refused("is damaged\nbundle.zip: sound")

    with pytest.raises(AssertionError):
        targets._refuses(read)(b"")


@pytest.mark.skipif(sys.platform != "linux", reason="atheris has wheels for Linux alone")
def test_fuzzing_counts_executions_and_finds_what_is_planted() -> None:
    pytest.importorskip("atheris")
    sound = fuzzed("run_lengths", "")
    assert sound.returncode == 0 and "run_lengths: 3" in sound.stdout and "0 findings" in sound.stdout, sound
    planted = "import core.datasets.run_lengths as r; r.unpacked_runs = lambda text: [][1]; "
    found = fuzzed("run_lengths", planted)
    assert found.returncode == 1 and "IndexError" in found.stdout, found


def fuzzed(name: str, before: str) -> subprocess.CompletedProcess[str]:
    """A short fuzz; `before` is run in its process first."""
    program = f"""
import subprocess, sys
from tests.hostile import fuzz

kept = subprocess.run
module = "; import runpy; runpy.run_module('tests.hostile.fuzz', run_name='__main__')"


def run(ask, **more):
    return kept([ask[0], "-c", {before!r} + "import sys; sys.argv[1:] = " + repr(ask[3:]) + module], **more)


subprocess.run = run
sys.argv[1:] = [{name!r}, "--runs=300"]
sys.exit(fuzz.main())
"""
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
