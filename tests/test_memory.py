"""Blocks that were freed are used again instead of being mapped anew, and cycles are not looked for among modules.

Both are counted: in page faults, and in searches and the objects that they leave out.
"""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from core import memory
from core.settings import ROOT

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


SEARCHES = """
import gc, runpy, sys
began = []
gc.callbacks.append(lambda phase, told: began.append(phase) if phase == "start" else None)
sys.argv = ["core", "audit", "--help"]
try:
    runpy.run_module(sys.argv[0], run_name="__main__")
except SystemExit:
    pass
searches = len(began)
import decimal, email.message, http.client, unittest.mock
print(searches, len(began) - searches, gc.get_freeze_count(), gc.isenabled())
"""


def test_a_command_is_imported_without_a_search_for_cycles() -> None:
    done = subprocess.run([sys.executable, "-c", SEARCHES], capture_output=True, text=True, check=True, cwd=ROOT)
    searches, later, left_out, on = done.stdout.splitlines()[-1].split()
    # A few begin before the command's own file is run, and while its arguments are parsed.
    assert int(searches) < 10
    # Afterwards they begin again, and leave out what was imported.
    assert (int(later) > 0, int(left_out) > 20_000, on) == (True, True, "True")


KEPT = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count()))
from core.memory import without_collection
before = gc.get_freeze_count()
with without_collection():
    inside = gc.isenabled()
plain = gc.get_freeze_count() - before
with without_collection(lasting=True), without_collection(lasting=True):
    pass
print(inside, plain, gc.get_freeze_count() - before > 1000, gc.isenabled())
gc.disable()
with without_collection(lasting=True):
    pass
print(gc.isenabled())
"""


def test_only_what_lasts_is_left_out_of_later_searches_and_nothing_at_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["False", "0", "True", "True", "False", "0"]
