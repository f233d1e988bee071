"""Files that a plan names: their names without their place, and the hash of their content."""

from __future__ import annotations

import hashlib
import os
import stat
from functools import lru_cache

# What a model of the hub is named by; its owner and repository are no folders.
HUB = "hf-hub:"


def base_name(path: str) -> str:
    """The last part of a path, of this system or another; a name that is no path, or one of the hub, stays as it is."""
    if path.startswith(HUB):
        return path
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def file_digest(path: str) -> str:
    """The SHA-256 of a regular file; empty for anything else, which is told by whoever has to read it."""
    try:
        told = os.stat(path)
    except (OSError, ValueError):
        return ""
    # A form asks for this each time it is drawn, and a file may hold gigabytes.
    return _digest(path, told.st_mtime_ns, told.st_size) if stat.S_ISREG(told.st_mode) else ""


@lru_cache(maxsize=64)
def _digest(path: str, changed: int, size: int) -> str:
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
