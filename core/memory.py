"""How this process keeps memory that forwards free, gives back what a page has freed, and when it looks for cycles."""

from __future__ import annotations

import atexit
import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# glibc's mallopt: see malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
KEPT, AHEAD = 2**31 - 1, 64 * 2**20


def keep_freed() -> bool:
    """Have glibc keep large blocks that were freed for the next forward; whether it will.

    Otherwise each large activation is mapped and zeroed by the system anew, which costs a convolutional tower on a CPU
    a third to a half of its speed. Where the C library is another one, nothing changes.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return False
    asked = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEPT), (M_TOP_PAD, AHEAD))
    return all(mallopt(ctypes.c_int(name), ctypes.c_int(value)) == 1 for name, value in asked)


def share_arenas(most: int = 2) -> bool:
    """Have the threads of this process allocate from at most so many arenas of glibc; whether they will.

    Otherwise each thread gets one of its own, and what one has freed is of no use to another.
    """
    mallopt = _of_glibc("mallopt")
    return mallopt is not None and bool(mallopt(ctypes.c_int(M_ARENA_MAX), ctypes.c_int(most)) == 1)


def give_back() -> bool:
    """Return freed memory to the system, that of Arrow's pool too; whether any was returned."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    trim = _of_glibc("malloc_trim")
    return trim is not None and bool(trim(ctypes.c_size_t(0)))


@contextmanager
def without_collection(*, lasting: bool = False) -> Iterator[None]:
    """No search for cycles inside. `lasting`: nor later among what is there at the end, such as modules and a model.

    While modules are imported there is nothing to find, and each search walks all of them again: a fifth of the time
    that an audit takes to begin.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if lasting:
                gc.freeze()
                # At the end everything is taken down; libraries complain about what is left over then.
                atexit.unregister(gc.unfreeze)
                atexit.register(gc.unfreeze)
            gc.enable()


def _of_glibc(name: str) -> Any:
    """A function of the C library; None where that is another one."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
