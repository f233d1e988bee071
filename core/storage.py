"""Errors of the operating system as lines that a person can act on: a full disk, a missing right, a path too long."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from core.errors import InputError, StorageError

# An absolute path of either kind of system, up to the first blank or quote. What stands before it must be no word, as
# in "and/or", and no address of the web.
_ABSOLUTE = re.compile(
    r"""(?<![\w.:/\\])(?:file://|~|[A-Za-z]:)?[\\/](?:(?:[^\\/\s'"]+[\\/])+([^\\/\s'"]*)|([^\\/\s'"]+))"""
)

_PROBE = 2**18  # bytes that must find room before work begins

# What a person can do about it, for the errors of a machine rather than of the program.
_ADVICE = {
    errno.ENOSPC: "the disk is full; free space and run the command again",
    errno.EDQUOT: "your quota of disk space is used up; free space and run the command again",
    errno.EFBIG: "the file would be larger than this disk or your limits allow; use another disk",
    errno.EROFS: "the disk is read-only; copy the folder to a disk that can be written",
    errno.EACCES: "permission was denied; check who owns the file and its folder",
    errno.EPERM: "permission was denied; check who owns the file and its folder",
    errno.ENAMETOOLONG: "the path is too long; use a folder with a shorter path",
    errno.EIO: "the disk reported an error while reading or writing; check the disk and run the command again",
    errno.EMFILE: "too many files are open; raise the limit (`ulimit -n`) and run the command again",
    errno.ENFILE: "too many files are open on this machine; close other programs and run the command again",
    errno.ESTALE: "the network drive was disconnected; connect it and run the command again",
    errno.ENOTCONN: "the network drive was disconnected; connect it and run the command again",
    errno.ENODEV: "the disk was removed; connect it and run the command again",
    errno.ENXIO: "the disk was removed; connect it and run the command again",
    errno.ENOTDIR: "a part of the path is a file, not a folder; name another folder",
    errno.EISDIR: "it is a folder, not a file; name a file",
    errno.EEXIST: "it exists already; name another one",
    errno.ENOTEMPTY: "the folder is not empty; name another one",
    errno.ELOOP: "its links lead in a circle; name the file itself",
    errno.ENOLCK: "the disk supports no locks; use a folder on a local disk",
    errno.ETXTBSY: "the file is in use; close the program that uses it and run the command again",
    errno.EBUSY: "the file is in use; close the program that uses it and run the command again",
    errno.ENOENT: "it does not exist or was removed while the command ran; check the path and run the command again",
}


# Of these, what more space or another right mends: the work in hand is given back and costs no try.
_PASSING = frozenset(_ADVICE) - {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY}


def is_passing(error: BaseException) -> bool:
    """Whether it is the machine that failed (its disk, its rights, its limits), not the work that was done."""
    return isinstance(error, StorageError) or (isinstance(error, OSError) and error.errno in _PASSING)


def storage_error(error: OSError) -> StorageError | None:
    """The error as one line that names the file and says what to do; None if it is no error of a file or disk."""
    if error.errno not in _ADVICE:
        return None
    if error.errno == errno.ENOENT and "temporary directory" in str(error):
        return StorageError(
            "no temporary folder can be written (TMPDIR): its disk is full or read-only; free space or set TMPDIR"
        )
    named = [str(name) for name in (error.filename2, error.filename) if isinstance(name, str | os.PathLike) and name]
    where = f"{_near(named[0])}: " if named else ""
    return StorageError(f"{where}{_ADVICE[error.errno]}")


def check_out(out: Path) -> None:
    """Find out before any work whether a folder can be made and filled at `out`; what is tried out is removed again.

    Raises `InputError` in one line if a part of the path is a file, if nothing may be written there, or if its disk is
    full.
    """
    place = Path(os.path.abspath(out))
    try:
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            what = "is a file" if place == Path(os.path.abspath(out)) else f"lies below {place.name}, which is a file"
            raise InputError(f"--out {out} {what}; name a folder")
        with tempfile.NamedTemporaryFile(prefix=".loupe-", dir=place) as probe:
            probe.write(bytes(_PROBE))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        why = _ADVICE.get(error.errno or 0, error.strerror or type(error).__name__)
        if error.errno == errno.ENOENT:
            why = "no file can be made there"
        raise InputError(f"--out {_near(str(out))} cannot be written: {why}") from error


def _near(name: str) -> str:
    """The path from where the command was given if it lies below, cut to what fits in a line."""
    path = Path(name)
    with suppress(ValueError, OSError):
        path = path.relative_to(Path.cwd())
    told = "".join(letter if letter.isprintable() else "?" for letter in str(path))
    return told if len(told) <= 160 else f"…{told[-120:]}"


def without_folders(text: str) -> str:
    """The text with nothing left of absolute paths but the last part: where files lie is no part of a run."""
    if "/" not in text and "\\" not in text:
        return text
    # Folders that are known, because their names may hold blanks.
    for folder in sorted(_known_folders(), key=len, reverse=True):
        text = text.replace(f"{folder}{os.sep}", os.sep)
    return _ABSOLUTE.sub(lambda found: found[1] or found[2] or "", text)


def _known_folders() -> set[str]:
    folders = {sys.prefix, tempfile.gettempdir(), str(Path(sys.executable).parent), os.path.expanduser("~")}
    with suppress(OSError):
        folders.add(os.getcwd())
    folders.add(os.path.expanduser(os.environ.get("LOUPE_HOME", "~/.loupe")))
    # A folder one step below the root is no more than a name that many share.
    return {folder for folder in folders if folder.count(os.sep) > 1}
