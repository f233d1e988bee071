"""Large blocks that were freed are used again instead of being mapped anew; counted in page faults."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from core import memory

FAULTS = """
import resource, sys
import torch
from core.memory import keep_freed
if sys.argv[1] == "kept":
    assert keep_freed()
def work():
    return torch.zeros(64, 2**18).sum()
for _ in range(5):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(40):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library decides for itself")
def test_freed_blocks_are_used_again() -> None:
    kept, plain = faults("kept"), faults("plain")
    # Forty times 64 MiB in pages of 4 KiB, or of 2 MiB where the system gives them out. What is kept may still grow a
    # few times, until a hole fits.
    assert plain >= 40 * 32
    assert kept < plain / 3


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert not memory.keep_freed()


HELD = """
import sys
from pathlib import Path
from core.memory import give_back, share_arenas
assert share_arenas()
# Small blocks of which some stay: what lies between is not returned by itself.
blocks = [bytes(2000) for _ in range(60_000)]
kept = blocks[::40]
del blocks
def held():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024
before = held()
if sys.argv[1] == "back":
    assert give_back()
print(before - held())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library decides for itself")
def test_what_was_freed_is_given_back() -> None:
    returned = {
        how: float(subprocess.run([sys.executable, "-c", HELD, how], capture_output=True, text=True, check=True).stdout)
        for how in ("back", "plain")
    }
    # Of 117 MiB one block in forty stays, and with it the page of the system that it lies in.
    assert returned["back"] > 50
    assert returned["plain"] < 10


@pytest.mark.parametrize("name", ["give_back", "share_arenas"])
def test_another_system_does_without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.memory.sys.platform", "darwin")
    assert getattr(memory, name)() is False
