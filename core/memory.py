"""How this process keeps the memory that forwards free."""

from __future__ import annotations

import ctypes
import sys

# glibc's mallopt: see malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
KEPT, AHEAD = 2**31 - 1, 64 * 2**20


def keep_freed() -> bool:
    """Have glibc keep large blocks that were freed for the next forward; whether it will.

    Otherwise each large activation is mapped and zeroed by the system anew, which costs a convolutional tower on a CPU
    a third to a half of its speed. Where the C library is another one, nothing changes.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    asked = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEPT), (M_TOP_PAD, AHEAD))
    return all(mallopt(ctypes.c_int(name), ctypes.c_int(value)) == 1 for name, value in asked)
