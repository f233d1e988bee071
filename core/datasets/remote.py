"""Images that lie behind a URL: in object storage, or on any other file system that fsspec knows.

Only a person who starts an audit names one; nothing in a file leads here. Keys and endpoints come from the environment,
as the package of the file system documents them; what a URL says of them is never printed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from core.datasets.bounds import CHUNK, Refused, size_text
from core.errors import InputError, LoupeError, first_line, missing
from core.settings import Limits

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# Packages that an extra of the wheel brings, by protocol.
_EXTRAS = {"s3": "s3", "s3a": "s3"}
_LONGEST_REASON = 200
_SECRET = re.compile(r"(?<=://)[^/\s'\"]*@|\?[^\s'\")]*")


@dataclass(frozen=True)
class Remote:
    """A folder or a file by its URL."""

    url: str

    @property
    def name(self) -> str:
        """The last part of its path; the bucket or the host if it has none."""
        return self._parts.path.rstrip("/").rpartition("/")[2] or self._parts.hostname or self._parts.scheme

    @property
    def _parts(self) -> Any:
        return urlsplit(self.url)

    def __str__(self) -> str:
        """The URL without user, password and query."""
        parts = self._parts
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class RemoteFile(NamedTuple):
    """A file: its name below the folder that was named, and its bytes, which may raise `Refused`."""

    name: str
    chunks: Callable[[], Iterator[bytes]]


def source(text: str) -> Path | Remote:
    """What a person typed: a URL, or a path; `file://` is a path as well."""
    if not _URL.match(text):
        return Path(text)
    parts = urlsplit(text)
    return Path(unquote(parts.path)) if parts.scheme == "file" and "::" not in text else Remote(text)


def absent(given: Path | Remote) -> bool:
    """Whether a path does not exist. Of a URL this shows when it is listed."""
    return isinstance(given, Path) and not given.exists()


def remote_files(remote: Remote, limits: Limits) -> tuple[bool, list[RemoteFile]]:
    """Whether the URL is a folder, and its files in the order of their names.

    Raises `InputError` if it cannot be listed, if there is nothing, or for more files than the limits allow.
    """
    files, root = file_system(remote)
    found: list[str] = []
    with told(remote, "listed"):
        try:
            if files.isfile(root):
                return False, [RemoteFile(remote.name, partial(_chunks, files, root))]
            for folder, _, bases in files.walk(root, on_error="raise"):
                found += [f"{folder.rstrip('/')}/{base}" for base in bases]
                if len(found) > limits.files:
                    raise InputError(f"{remote} has more than {limits.files:,} files; split them into several datasets")
        except FileNotFoundError as error:
            raise InputError(f"{remote} cannot be found; check the URL") from error
    if not found:
        raise InputError(f"{remote} has no files; check the URL")
    start = len(root.rstrip("/")) + 1
    return True, [RemoteFile(path[start:], partial(_chunks, files, path)) for path in sorted(found)]


@contextlib.contextmanager
def local_copy(file: RemoteFile, most: int) -> Iterator[Path]:
    """The file on this disk until the end of the block, for what is read in places: ZIP, tar, Parquet.

    Raises `Refused` if it cannot be read, or has more than `most` bytes.
    """
    with TemporaryDirectory(prefix="loupe-remote-") as folder:
        path = Path(folder) / "file"
        size = 0
        with path.open("wb") as stream:
            for chunk in file.chunks():
                size += len(chunk)
                if size > most:
                    raise Refused(f"brings the import above {size_text(most)} in archives; split it")
                stream.write(chunk)
        yield path


def file_system(remote: Remote) -> tuple[Any, str]:
    """The file system of a URL and the path in it. Raises `InputError` where there is none, or no package for it."""
    import fsspec

    if "::" in remote.url:
        # A chain opens archives with readers of its own and may write what it has read to disk.
        raise InputError(f"{remote} is a chain of file systems; name the folder or the file itself")
    scheme = urlsplit(remote.url).scheme.lower()
    try:
        files, root = fsspec.core.url_to_fs(remote.url)
    except ImportError as error:
        needed = missing("s3fs", _EXTRAS[scheme]) if scheme in _EXTRAS else first_line(error)[:_LONGEST_REASON]
        raise InputError(f"{remote} {needed}" if scheme in _EXTRAS else f"{remote}: {needed}") from error
    except ValueError as error:
        raise InputError(f"{remote} has a protocol that is not known: {scheme}") from error
    return files, str(root)


def _chunks(files: Any, path: str) -> Iterator[bytes]:
    try:
        with files.open(path, "rb") as stream:
            while chunk := stream.read(CHUNK):
                yield bytes(chunk)
    except Exception as error:  # file systems raise what their own packages raise
        raise Refused(f"cannot be read ({_reason(error)}); check the connection and the access rights") from error


@contextlib.contextmanager
def told(remote: Remote, act: str) -> Iterator[None]:
    """What a file system raises in the body becomes an `InputError` in one line: that the URL cannot be `act`."""
    try:
        yield
    except LoupeError:
        raise
    except Exception as error:  # file systems raise what their own packages raise
        raise InputError(
            f"{remote} cannot be {act} ({_reason(error)}); check the URL, the connection and the access rights"
        ) from error


def _reason(error: Exception) -> str:
    """The first line of an error, without user, password and query of the URLs in it."""
    return _SECRET.sub("", first_line(error))[:_LONGEST_REASON]
