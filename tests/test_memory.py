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
