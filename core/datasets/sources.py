"""What was given, as one flat list of files to read: folders walked, ZIP files listed, loose files as they are.

Listing reads no contents. Each `Entry` streams its bytes when asked, so one file is in memory at a time.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from core.datasets.archive import Archive, Member, is_zip
from core.datasets.bounds import Budget, Refused, stream_chunks
from core.datasets.dataset import Refusal
from core.datasets.names import clean_name, is_system
from core.errors import InputError
from core.sandbox import files


class Upload(NamedTuple):
    """A file that came through the browser: its name there, and its bytes, a file with them, or an open stream."""

    name: str
    data: bytes | Path | BinaryIO


@dataclass(frozen=True)
class Entry:
    """One file to read."""

    name: str  # clean; relative to its folder or ZIP
    source: int  # which of the sources it came with
    label: str  # the name of that folder or ZIP; empty for a loose file
    chunks: Callable[[], Iterator[bytes]]  # streams its bytes; may raise Refused
    member: Member | None = None  # of an archive, instead of its bytes
    folder: Path | None = None  # where a table that was given as a path may look for its pictures


@dataclass
class Listing:
    """All files of the sources, and what could not even be listed."""

    entries: list[Entry] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


def list_sources(sources: Sequence[Path | Upload], budget: Budget, stack: ExitStack) -> Listing:
    """Lists every source; ZIP files stay open until `stack` is closed.

    Raises `InputError` for a path that doesn't exist and for more files than the limits allow.
    """
    listing = Listing()
    for number, source in enumerate(sources):
        if isinstance(source, Path):
            _list_path(source, number, listing, budget, stack)
        else:
            _list_upload(source, number, listing, budget, stack)
    return listing


def file_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a regular file. Raises `Refused` for a link, a device, a pipe or a file that can't be read."""
    return files.chunks(path, links=False)


def _list_path(path: Path, number: int, listing: Listing, budget: Budget, stack: ExitStack) -> None:
    # A path that a person names may itself be a link: that is a choice. Links found further down are not.
    try:
        path = path.expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{path} can't be found; check the path") from error
    if path.is_dir():
        label = clean_name(path.name)
        listing.labels.append(label)
        _list_folder(path, number, label, listing, budget)
    elif not path.is_file():
        raise InputError(f"{path} is neither a file nor a folder; give pictures, a folder or a ZIP")
    else:
        if _list_if_zip(path, path.name, number, listing, budget, stack):
            return
        budget.count_file()
        entry = Entry(clean_name(path.name), number, "", partial(file_chunks, path), folder=path.parent)
        listing.entries.append(entry)


def _list_upload(upload: Upload, number: int, listing: Listing, budget: Budget, stack: ExitStack) -> None:
    data = upload.data
    if isinstance(data, Path):
        with suppress(OSError, RuntimeError, ValueError):
            data = data.resolve()
        if _list_if_zip(data, upload.name, number, listing, budget, stack):
            return
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    if not isinstance(stream, Path):
        if not stream.seekable():
            raise InputError(f"{upload.name} is a stream that can't be read twice; save it to a file and give that")
        if _is_zip(stream):
            _list_archive(stream, upload.name, number, listing, budget)
            return

    def chunks() -> Iterator[bytes]:
        if isinstance(stream, Path):
            yield from file_chunks(stream)
        else:
            yield from stream_chunks(stream)

    budget.count_file()
    listing.entries.append(Entry(clean_name(upload.name), number, "", chunks))


def _list_if_zip(path: Path, name: str, number: int, listing: Listing, budget: Budget, stack: ExitStack) -> bool:
    """Lists a file if it is a ZIP, which then stays open until `stack` is closed. Whether that was all to do."""
    with ExitStack() as own:
        try:
            handle, _ = own.enter_context(files.opened(path))
            stream = os.fdopen(handle, "rb", closefd=False)
            if not is_zip(stream):
                return False
        except Refused:
            # Read as any other file it is refused, with the reason.
            return False
        stack.push(own.pop_all())
    _list_archive(stream, name, number, listing, budget)
    return True


def _is_zip(stream: BinaryIO) -> bool:
    try:
        return is_zip(stream)
    except Refused:
        return False


def _list_archive(stream: BinaryIO, raw_name: str, number: int, listing: Listing, budget: Budget) -> None:
    name = clean_name(raw_name)
    label = Path(name).stem
    listing.labels.append(label)
    try:
        archive = Archive(stream, budget.limits)
    except Refused as refused:
        budget.count_file()
        listing.refusals.append(Refusal(name=name, reason=str(refused)))
        return
    for member in archive.members:
        if is_system(member.name):
            continue
        budget.count_file()
        listing.entries.append(Entry(member.name, number, label, _nothing, member))


def _nothing() -> Iterator[bytes]:
    return iter(())


def _list_folder(root: Path, number: int, label: str, listing: Listing, budget: Budget) -> None:
    def unreadable(error: OSError) -> None:
        name = clean_name(os.path.relpath(str(error.filename), root))
        listing.refusals.append(Refusal(name=name, reason=f"can't be listed ({error.strerror}); check its permissions"))

    for folder, folders, bases in os.walk(root, onerror=unreadable):
        here = Path(folder)
        folders.sort()
        linked = [name for name in folders if (here / name).is_symlink()]
        for base in sorted(bases) + linked:
            path = here / base
            name = clean_name(path.relative_to(root).as_posix())
            if is_system(name):
                continue
            budget.count_file()
            listing.entries.append(Entry(name, number, label, partial(file_chunks, path)))
        folders[:] = [name for name in folders if not is_system(clean_name(name)) and name not in linked]
