"""Taking images in: read one at a time, re-encoded, described by tables, and stored all at once or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from core import sandbox
from core.datasets.ahead import ahead
from core.datasets.bounds import Budget, Refused
from core.datasets.class_lists import CLASS_NAMES
from core.datasets.dataset import IMAGES, Dataset, Duplicate, Refusal, Remark, dataset_id, save_manifest
from core.datasets.names import clean_name, printable
from core.datasets.opening import ClassNames, ImageContent, Kind, Opened, open_file
from core.datasets.records import Record, describe, images, match, merge_exact, near_duplicates, unique_names
from core.datasets.remote import Remote
from core.datasets.sidecars import apart, gathered
from core.datasets.sources import Entry, Upload, file_chunks, list_sources
from core.datasets.store import place, working_folder, writing
from core.datasets.tables import WORKBOOKS, Problems, Row, Table, packed_table
from core.datasets.unreadable import READABLE
from core.errors import InputError
from core.settings import LIMITS, Limits

Progress = Callable[[int, int], None]

_LONGEST_NAME = 200


def ingest(
    sources: Sequence[Path | Upload | Remote],
    *,
    store: Path,
    name: str | None = None,
    table: Path | Upload | Remote | None = None,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
) -> Dataset:
    """The dataset made of `sources` (folders, ZIP files, images, tables, also by URL), stored in `store/<its id>/`.

    `table` is one more table (CSV, Excel, JSON, Parquet) that must be usable; a table given as a path may name images
    beside it. `progress` is told how many files of how many were read; the total grows when a table names more. The
    same images, names and descriptions give the same id and the same bytes in whatever order they come. A dataset that
    is stored already stays as it is (also its name); the one returned tells what *this* call refused and found twice.

    A file that cannot be used becomes a `Refusal`. Raises `InputError`, leaving nothing behind, if a path does not
    exist, if `table` cannot be used, if the limits on files or bytes in all are exceeded, or if no image is left.
    """
    if name is not None and len(name) > _LONGEST_NAME:
        raise InputError(f"the name has {len(name)} characters; at most {_LONGEST_NAME} are accepted")
    given = [*sources] if table is None else [*sources, table]
    if not given:
        raise InputError(f"nothing was submitted; provide a folder, a ZIP file or images ({READABLE})")
    # Also after an interrupt nothing stays; once the folder was moved to its final place, there is nothing to remove.
    with working_folder(store) as work:
        intake = _Intake(work, limits, progress)
        labels = intake.read(given, required=None if table is None else len(given) - 1)
        return place(intake.dataset(name, labels), store)


class _Intake:
    """One call's state: what was read so far, with its pixels already in the working folder."""

    def __init__(self, work: Path, limits: Limits, progress: Progress | None) -> None:
        self.work = work
        self.limits = limits
        self.progress = progress
        self.budget = Budget(limits)
        self.records: list[Record] = []
        self.refusals: list[Refusal] = []
        self.unlisted = 0
        self.remarks: list[Remark] = []
        self.tables: list[tuple[Table, str, Entry]] = []  # with the hash of their bytes
        self.beside: dict[Path, Record | None] = {}  # images read from a table's own folder; None if refused
        self.lists: list[tuple[str, tuple[str, ...]]] = []  # files that list classes, and what they list
        self.conflicts = Problems()
        self.done = 0
        self.total = 0

    def read(self, given: Sequence[Path | Upload | Remote], required: int | None) -> list[str]:
        """Reads every file; returns the names of the folders and ZIPs. Source number `required` must be a table."""
        with ExitStack() as stack:
            listing = list_sources(given, self.budget, stack)
            self._refuse(listing.refusals)
            self._remark(listing.remarks)
            entries, texts = apart([entry for entry in listing.entries if entry.source != required])
            entries += [entry for entry in listing.entries if entry.source == required]
            self.total = len(entries)
            self._take_all(entries, required)
            self.tables += [(table, _hash(table), entry) for table, entry in listing.tables]
            unread = Problems()
            self.tables += gathered(texts, self.budget, unread)
            self._refuse(unread.refusals("texts beside images"))
        if required is not None and not any(entry.source == required for _, _, entry in self.tables):
            name = clean_name(given[required].name)
            for refusal in listing.refusals:
                if refusal.name == name:
                    raise InputError(f"the table {name} {refusal.reason}")
            raise InputError("the table is a folder or a ZIP file; provide a CSV, Excel, JSON or Parquet file")
        # In the order of their names and contents, so that the first value wins whatever came first.
        self.tables.sort(key=lambda item: (item[0].name, item[1]))
        listed = sorted(self.records, key=lambda record: record.order)
        for table, _, entry in self.tables:
            self._describe(table, entry, listed)
        return listing.labels

    def dataset(self, name: str | None, labels: Sequence[str]) -> Dataset:
        """The dataset of what was read, rooted in the working folder. Raises `InputError` if no image is left."""
        if not self.records:
            raise InputError(_nothing_left(self.refusals))
        kept, others = merge_exact(self.records, self.conflicts, self.limits.captions)
        names = unique_names(kept)
        duplicates = [
            Duplicate(name=_other_name(other, first), of=names[first.id], kind="exact", distance=0)
            for other, first in others
        ]
        taken = images(kept, names)
        duplicates += near_duplicates(taken, {record.id: record.perceptual for record in kept})
        columns = dict.fromkeys(column for table, _, _ in self.tables for column in table.columns)
        used = {column for image in taken for column in image.metadata}
        tables = [table.name for table, _, _ in self.tables]
        refusals = {*self.refusals, *self.conflicts.refusals("tables")}
        if self.unlisted:
            refusals.add(
                Refusal(name="more", reason=f"{self.unlisted:,} more refused files are not listed individually")
            )
        dataset = Dataset(
            id=dataset_id(taken),
            name=printable(name or "") or _title(labels, tables, [image.name for image in taken]),
            images=taken,
            refusals=tuple(sorted(refusals, key=lambda refusal: (refusal.name, refusal.reason))),
            duplicates=tuple(sorted(duplicates, key=lambda twice: (twice.name, twice.of, twice.kind))),
            columns=tuple(column for column in columns if column in used),
            remarks=tuple(sorted(set(self.remarks), key=lambda remark: (remark.name, remark.reason))),
            root=self.work,
        )
        with writing(self.work.parent):
            save_manifest(dataset, self.work)
            if self.lists:
                # In the order of the files' names, so that it does not matter in which order they came.
                classes = dict.fromkeys(name for _, names in sorted(self.lists) for name in names)
                (self.work / CLASS_NAMES).write_text("\n".join(classes) + "\n", encoding="utf-8")
        return dataset

    def _refuse(self, refusals: Sequence[Refusal]) -> None:
        free = max(0, self.limits.refusals - len(self.refusals))
        self.refusals.extend(refusals[:free])
        self.unlisted += len(refusals[free:])

    def _remark(self, remarks: Sequence[Remark]) -> None:
        self.remarks.extend(remarks[: max(0, self.limits.refusals - len(self.remarks))])

    def _take_all(self, entries: Sequence[Entry], required: int | None) -> None:
        def only(entry: Entry) -> Kind | None:
            return "table" if entry.source == required else None

        with contextlib.closing(ahead(entries, lambda entry: self._begun(entry, only(entry)))) as files:
            for entry, opened in files:
                try:
                    self._take(entry, only(entry), opened.result)
                except KeyboardInterrupt:
                    sandbox.stop()
                    raise

    def _begun(self, entry: Entry, only: Kind | None) -> Callable[[], Opened]:
        """Reads one file's bytes; returns what opens them."""
        self.budget.check()
        if entry.member is None:
            data = self.budget.read(entry.chunks(), packed=entry.name.lower().endswith(WORKBOOKS))
            return partial(open_file, entry.name, data, self.budget, only=only)
        member = entry.member.entry, entry.member.room
        return partial(open_file, entry.name, entry.member.read(), self.budget, only=only, member=member)

    def _take(self, entry: Entry, only: Kind | None, open_it: Callable[[], Opened]) -> bool:
        """Takes one file as a table or a record, or refuses it; returns whether it was taken."""
        taken = True
        try:
            opened = open_it()
            if entry.member is not None:
                # Counted here once more: others may have been on their way when it was opened.
                entry.member.count(opened.bytes)
                self.budget.count_bytes(opened.bytes)
            if isinstance(opened.content, Table):
                self.budget.count_table()
                self._remark(opened.content.remarks)
                self.tables.append((opened.content, opened.sha256, entry))
            elif isinstance(opened.content, ClassNames):
                self._remark([Remark(name=entry.name, reason=_listed(opened.content.names))])
                self.lists.append((entry.name, opened.content.names))
            else:
                self._keep(entry, opened, opened.content)
        except Refused as refused:
            if only == "table":
                raise InputError(f"the table {entry.name} {refused}") from refused
            self.budget.lost += refused.seconds
            self._refuse([Refusal(name=entry.name, reason=str(refused))])
            taken = False
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)
        return taken

    def _keep(self, entry: Entry, opened: Opened, image: ImageContent) -> None:
        self._remark([Remark(name=entry.name, reason=remark) for remark in image.remarks])
        path = self.work / IMAGES / f"{image.id}.png"
        self.budget.count_pixels(image.width * image.height)
        if not path.exists():
            self.budget.count_stored(len(image.png))
            with writing(self.work.parent):
                path.write_bytes(image.png)
        self.records.append(
            Record(
                name=entry.name,
                source=entry.source,
                label=entry.label,
                id=image.id,
                sha256=opened.sha256,
                format=image.format,
                bytes=opened.bytes,
                width=image.width,
                height=image.height,
                perceptual=image.perceptual,
            )
        )

    def _describe(self, table: Table, entry: Entry, listed: Sequence[Record]) -> None:
        """Gives a table's rows to their images, reading those beside the table that no source has brought."""
        self._refuse(table.refusals)
        matched = match(table, entry.source, listed)
        self._refuse(matched.refusals)
        for record, row in matched.found:
            describe(record, row, self.conflicts, self.limits.captions)
        refused = {refusal.name for refusal in self.refusals}
        absent = Problems()
        folder = entry.folder
        beside = set()
        if folder is not None:
            beside = {path for path in matched.missing if os.path.lexists(folder / path)}
            self.total += sum(folder / path not in self.beside for path in beside)
        for path, (rows, reason) in matched.missing.items():
            if folder is not None and path in beside:
                for row in rows:
                    self._describe_beside(folder, path, entry, row)
            elif path not in refused:
                absent.add(reason, path)
        if matched.found or beside:
            # A table of a larger collection describes many images that nobody brought; that is no fault of a file.
            self._remark(absent.remarks(table.name))
        else:
            self._refuse(absent.refusals(table.name))

    def _describe_beside(self, folder: Path, path: str, entry: Entry, row: Row) -> None:
        """Gives a row to the image at `path` below the table's folder, which is read the first time."""
        place = folder / path
        if place not in self.beside:
            self.budget.count_file()
            extra = replace(entry, name=path, chunks=lambda: _chunks_below(folder, path))
            self.beside[place] = self.records[-1] if self._take_beside(extra) else None
        record = self.beside[place]
        if record is not None:
            describe(record, row, self.conflicts, self.limits.captions)

    def _take_beside(self, entry: Entry) -> bool:
        return self._take(entry, "image", lambda: self._begun(entry, "image")())


def _listed(names: Sequence[str]) -> str:
    return f"lists {len(names):,} short texts, which are offered as names of classes when an audit is planned"


def _hash(table: Table) -> str:
    return hashlib.sha256(packed_table(table)).hexdigest()


def _chunks_below(folder: Path, path: str) -> Iterator[bytes]:
    """The bytes of a file below `folder`. Raises `Refused` if a link leads there."""
    for parent in Path(path).parents:
        if (folder / parent).is_symlink() and parent != Path("."):
            raise Refused("lies behind a link, and links are not followed; provide the folder itself")
    yield from file_chunks(folder / path)


def _other_name(other: Record, first: Record) -> str:
    """The name of a copy that was not kept, with its folder or ZIP where its own name would not tell it apart."""
    return f"{other.label}/{other.name}" if other.label and other.name == first.name else other.name


def _title(labels: Sequence[str], tables: Sequence[str], names: Sequence[str]) -> str:
    """A dataset's name if a person gives none, the same in whatever order the sources came.

    That of the folders or ZIPs, of the tables, or of the one folder that all images lie in.
    """
    folders = {name.partition("/")[0] if "/" in name else "" for name in names}
    given = (
        sorted(set(labels))
        or sorted(name.rpartition("/")[2].rpartition(".")[0] or name for name in set(tables))
        or (sorted(folders) if len(folders) == 1 and all(folders) else [])
    )
    if given:
        return ", ".join(given[:3]) + (f" and {len(given) - 3} more" if len(given) > 3 else "")
    return names[0] if len(names) == 1 else f"{len(names)} images"


def _nothing_left(refusals: Sequence[Refusal]) -> str:
    """Why there is no image: the first reasons, in one line."""
    if not refusals:
        return f"the submitted files contain no image; provide {READABLE}"
    ordered = sorted(refusals, key=lambda refusal: (refusal.name, refusal.reason))
    reasons = "; ".join(f"{refusal.name} {refusal.reason}" for refusal in ordered[:3])
    more = f"; and {len(ordered) - 3:,} more" if len(ordered) > 3 else ""
    return f"no image can be used: {reasons}{more}"
