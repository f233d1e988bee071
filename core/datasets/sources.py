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
from core.datasets.dataset import Refusal, Remark
from core.datasets.holders import Holder
from core.datasets.image_parquet import list_images
from core.datasets.names import clean_name, is_system
from core.datasets.packing import read_by_code_page
from core.datasets.remote import Remote, local_copy, remote_files
from core.datasets.tables import WORKBOOKS, Table
from core.datasets.tables.parquet import is_parquet
from core.datasets.tar import HEAD, is_tar, list_tar
from core.errors import InputError
from core.sandbox import files

_SHARDS = (".tar", ".parquet")
_PICKLES = (".pyd", ".pkl", ".pickle", ".pth", ".pt", ".ckpt", ".joblib", ".npy", ".npz")
_PICKLE = "may hold a pickle, which runs code when it is read, and was not opened; save it as an image, text or JSON"


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
    folder: Path | None = None  # where a table that was given as a path may look for its images


@dataclass
class Listing:
    """All files of the sources, and what could not even be listed."""

    entries: list[Entry] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    tables: list[tuple[Table, Entry]] = field(default_factory=list)  # that came with images in one file
    copied: int = 0  # bytes of archives that lay behind a URL


def list_sources(sources: Sequence[Path | Upload | Remote], budget: Budget, stack: ExitStack) -> Listing:
    """Lists every source; ZIP files stay open, and copies of archives behind a URL exist, until `stack` is closed.

    Raises `InputError` for a path that does not exist, a URL that cannot be listed, and for more files than the limits
    allow.
    """
    listing = Listing()
    for number, source in enumerate(sources):
        if isinstance(source, Path):
            _list_path(source, number, listing, budget, stack)
        elif isinstance(source, Remote):
            _list_remote(source, number, listing, budget, stack)
        else:
            _list_upload(source, number, listing, budget, stack)
    return listing


def file_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a regular file. Raises `Refused` for a link, a device, a pipe or a file that cannot be read."""
    return files.chunks(path, links=False)


def _list_path(path: Path, number: int, listing: Listing, budget: Budget, stack: ExitStack) -> None:
    # A path that a person names may itself be a link: that is a choice. Links found further down are not.
    try:
        path = path.expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{path} cannot be found; check the path") from error
    if path.is_dir():
        label = clean_name(path.name)
        listing.labels.append(label)
        _list_folder(path, number, label, listing, budget)
    elif not path.is_file():
        raise InputError(f"{path} is neither a file nor a folder; provide images, a folder or a ZIP file")
    else:
        _list_file(path, path.name, number, listing, budget, stack, folder=path.parent)


def _list_file(
    path: Path,
    name: str,
    number: int,
    listing: Listing,
    budget: Budget,
    stack: ExitStack,
    *,
    folder: Path | None = None,
) -> None:
    """A file that was named itself: a ZIP, another file that holds files, or a plain one."""
    if _list_if_zip(path, name, number, listing, budget, stack):
        return
    if _list_shard(Holder(path), name, number, Path(name).stem, "", listing, budget):
        listing.labels.append(clean_name(Path(name).stem))
        return
    _add(listing, Entry(clean_name(name), number, "", partial(file_chunks, path), folder=folder), budget)


def _list_remote(remote: Remote, number: int, listing: Listing, budget: Budget, stack: ExitStack) -> None:
    """As a path is listed. An archive is copied first: it is read in places, by a child without a network."""
    folder, found = remote_files(remote, budget.limits)
    label = clean_name(remote.name) if folder else ""
    listing.labels += [label] if folder else []
    for file in found:
        name = clean_name(file.name)
        if folder and is_system(name):
            continue
        if name.lower().endswith(_SHARDS if folder else (*_SHARDS, ".zip")):
            try:
                copy = stack.enter_context(local_copy(file, budget.limits.total_bytes - listing.copied))
            except Refused as refused:
                budget.count_file()
                listing.refusals.append(Refusal(name=name, reason=str(refused)))
                continue
            listing.copied += copy.stat().st_size
            if not folder:
                _list_file(copy, name, number, listing, budget, stack)
            elif not _list_shard(Holder(copy), name, number, label, f"{name.rpartition('.')[0]}/", listing, budget):
                _add(listing, Entry(name, number, label, partial(file_chunks, copy)), budget)
        else:
            _add(listing, Entry(name, number, label, file.chunks), budget)


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
            raise InputError(
                f"{upload.name} is a stream that cannot be read twice; save it to a file and provide that file"
            )
        if _is_zip(stream, upload.name):
            _list_archive(stream, upload.name, number, listing, budget)
            return
    if _list_shard(Holder(stream), upload.name, number, Path(upload.name).stem, "", listing, budget):
        listing.labels.append(clean_name(Path(upload.name).stem))
        return

    def chunks() -> Iterator[bytes]:
        if isinstance(stream, Path):
            yield from file_chunks(stream)
        else:
            yield from stream_chunks(stream)

    _add(listing, Entry(clean_name(upload.name), number, "", chunks), budget)


def _list_if_zip(path: Path, name: str, number: int, listing: Listing, budget: Budget, stack: ExitStack) -> bool:
    """Lists a file if it is a ZIP, which then stays open until `stack` is closed. Whether that was all to do."""
    if name.lower().endswith(WORKBOOKS):
        # Packed in the same way, but a table.
        return False
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


def _is_zip(stream: BinaryIO, name: str) -> bool:
    try:
        return not name.lower().endswith(WORKBOOKS) and is_zip(stream)
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
    unstated = [member.name for member in archive.members if read_by_code_page(member.entry)]
    if unstated:
        many = f"{len(unstated):,} file names" if len(unstated) > 1 else "a file name"
        listing.remarks.append(
            Remark(
                name=name,
                reason=f"has {many} in an encoding that it does not state, read as \u201c{unstated[0][:80]}\u201d; if "
                "that is not right, pack it again with names in UTF-8",
            )
        )
    for member in archive.members:
        if is_system(member.name):
            continue
        _add(listing, Entry(member.name, number, label, _nothing, member), budget)


def _list_shard(
    holder: Holder, raw_name: str, number: int, label: str, prefix: str, listing: Listing, budget: Budget
) -> bool:
    """Lists a tar file, or a Parquet file with images, whose names then begin with `prefix`; whether it is one."""
    name = clean_name(raw_name)
    try:
        head = holder.head(HEAD)
    except Refused:
        # Read as any other file it is refused, with the reason.
        return False
    try:
        if is_tar(head):
            inside = list_tar(holder, budget.limits)
        elif not is_parquet(head) or (found := list_images(holder, name, prefix, budget.limits)) is None:
            return False
        else:
            inside, table = found
            listing.tables.append((table, Entry(name, number, clean_name(label), _nothing)))
    except Refused as refused:
        budget.count_file()
        listing.refusals.append(Refusal(name=name, reason=str(refused)))
        return True
    for each in inside:
        full = clean_name(prefix + each.name if is_tar(head) else each.name)
        if is_system(full):
            continue
        if each.refused:
            budget.count_file(packed=True)
            listing.refusals.append(Refusal(name=full, reason=each.refused))
        else:
            _add(listing, Entry(full, number, clean_name(label), each.chunks), budget, packed=True)
    return True


def _add(listing: Listing, entry: Entry, budget: Budget, *, packed: bool = False) -> None:
    """One more file to read, unless its name says that reading it would be a risk."""
    budget.count_file(packed=packed or entry.member is not None)
    if entry.name.lower().endswith(_PICKLES):
        listing.refusals.append(Refusal(name=entry.name, reason=_PICKLE))
    else:
        listing.entries.append(entry)


def _nothing() -> Iterator[bytes]:
    return iter(())


def _list_folder(root: Path, number: int, label: str, listing: Listing, budget: Budget) -> None:
    def unreadable(error: OSError) -> None:
        name = clean_name(os.path.relpath(str(error.filename), root))
        listing.refusals.append(
            Refusal(name=name, reason=f"cannot be listed ({error.strerror}); check its permissions")
        )

    for folder, folders, bases in os.walk(root, onerror=unreadable):
        here = Path(folder)
        folders.sort()
        linked = [name for name in folders if (here / name).is_symlink()]
        for base in sorted(bases) + linked:
            path = here / base
            name = clean_name(path.relative_to(root).as_posix())
            if is_system(name):
                continue
            shard = name.lower().endswith(_SHARDS) and not path.is_symlink()
            if shard and _list_shard(Holder(path), name, number, label, f"{name.rpartition('.')[0]}/", listing, budget):
                continue
            _add(listing, Entry(name, number, label, partial(file_chunks, path)), budget)
        folders[:] = [name for name in folders if not is_system(clean_name(name)) and name not in linked]
