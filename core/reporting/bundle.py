"""An evidence bundle opened for checking: anybody may have made it, so names, sizes and time are bounded."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from core.content.house_style import HOUSE_STYLE
from core.datasets.dataset import ANNOTATIONS
from core.errors import Refused
from core.findings.earlier import EARLIER
from core.models.signed.signature import SIGNATURE, SIGNERS
from core.reporting.detection import NAME as DETECTION_FILE
from core.reporting.evidence import CRITERIA, EXPORTS_FOLDER, IMAGES, SUMS, TABLES
from core.reporting.exports.files import EXPORTS
from core.reporting.plan_settings import SETTINGS_FILE
from core.runs.review import REVIEW
from core.runs.spot_check import SPOT_CHECK
from core.settings import LIMITS

CHUNK = 2**20
_MOST_SUMS = 8 * 2**20
# An entry of the table of contents takes 46 bytes, its name and some extra fields.
_ENTRY = 512
_ENCRYPTED = 0x1
_FIXED = frozenset(
    {"plan.json", "manifest.json", "findings.json", "dataset.json", "thresholds.toml", "comparison.json", IMAGES}
    | {ANNOTATIONS, "units.csv", "log.csv", SIGNATURE, SIGNERS, SPOT_CHECK, REVIEW, EARLIER, HOUSE_STYLE}
    | {DETECTION_FILE, CRITERIA, SETTINGS_FILE}
    | {f"tables/{name}.csv" for name in TABLES}
    | {f"{EXPORTS_FOLDER}/{name}" for name in EXPORTS}
)
REQUIRED = ("plan.json", "manifest.json", "findings.json", "dataset.json", IMAGES, "units.csv", "log.csv")
_RESULT = re.compile(r"results/([0-9a-f]{32,64}|part-[0-9a-f]{32})\.parquet")
_COMPARED = re.compile(r"compared/[0-9a-f]{32}\.parquet")
_APPLICATION = re.compile(r"applications/[a-z_]{1,40}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}){1,4}")
_SUM = re.compile(r"([0-9a-f]{64})  (.+)")


def check_size(size: int) -> None:
    """Raises `Refused` for a bundle of more bytes than are read at all."""
    if size > LIMITS.bundle_bytes:
        raise Refused(f"is larger than {LIMITS.bundle_bytes / 2**30:g} GiB, the maximum size of a bundle")


class OpenBundle:
    """The files of a bundle by name. Nothing that it declares is believed, and nothing is unpacked to disk.

    Raises `Refused` if it is no ZIP file, too large, or holds too many files; the text continues the bundle's name.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        check_size(size)
        self.size = size
        self._unpacked = 0
        with damaged("it"):
            self._zip = zipfile.ZipFile(_Bounded(stream, max(2**20, LIMITS.bundle_names * _ENTRY)))
        found = Counter(info.filename for info in self._zip.infolist())
        if len(self._zip.infolist()) > LIMITS.bundle_names:
            raise Refused(f"contains {len(self._zip.infolist()):,} files; at most {LIMITS.bundle_names:,} are read")
        self.names = frozenset(found)
        self.twice = sorted(name for name, count in found.items() if count > 1)

    def read(self, name: str, most: int = LIMITS.bundle_part_bytes) -> bytes:
        """The bytes of one file. Raises `Refused` if it is damaged or larger than `most`."""
        parts: list[bytes] = []
        size = 0
        for piece in self.pieces(name):
            size += len(piece)
            if size > most:
                raise Refused(f"{name} is larger than {most // 2**20} MiB")
            parts.append(piece)
        return b"".join(parts)

    def digest(self, name: str) -> str:
        """The SHA-256 of one file. Raises `Refused` if it is damaged or unpacks to too much."""
        whole = hashlib.sha256()
        for piece in self.pieces(name):
            whole.update(piece)
        return whole.hexdigest()

    def json(self, name: str) -> Any:
        """The value of a JSON file. Raises `Refused`."""
        try:
            return json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise Refused(f"{name} is damaged: it is not valid JSON") from error

    def rows(self, name: str, columns: tuple[str, ...] | list[str]) -> list[dict[str, str]]:
        """The rows of a CSV file with these columns. Raises `Refused`."""
        try:
            reader = csv.DictReader(io.StringIO(self.read(name).decode()), strict=True)
            if list(reader.fieldnames or ()) != list(columns):
                raise Refused(f"{name} has columns other than {', '.join(columns)}")
            rows = list(reader)
        except (csv.Error, UnicodeDecodeError) as error:
            raise Refused(f"{name} is damaged: it is not valid CSV in UTF-8") from error
        if any(None in row or None in row.values() for row in rows):
            raise Refused(f"{name} has a row whose length differs from that of its first")
        return rows

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of one file, piece by piece. Raises `Refused` if it is damaged or unpacks to too much."""
        info = self._zip.getinfo(name)
        if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Refused(f"{name} is encrypted or uses an unsupported compression method")
        with damaged(name), self._zip.open(info) as stream:
            while piece := stream.read(CHUNK):
                self._unpacked += len(piece)
                # Each file is read twice at most: once for its hash, once for what it says.
                if self._unpacked > 2 * LIMITS.zip_ratio * self.size + CHUNK:
                    raise Refused(f"{name} unpacks to more than {LIMITS.zip_ratio:g} times the size of the bundle")
                yield piece


def sum_problems(bundle: OpenBundle) -> tuple[dict[str, str], list[str]]:
    """The checksums by name, and what is missing, added, twice, changed or foreign, one line each."""
    if SUMS not in bundle.names:
        raise Refused(f"is not an evidence bundle: {SUMS} is missing, so that nothing can be checked")
    problems = [f"{name} is in the bundle more than once" for name in bundle.twice]
    sums: dict[str, str] = {}
    for line in bundle.read(SUMS, _MOST_SUMS).decode("utf-8", "replace").splitlines():
        found = _SUM.fullmatch(line)
        if found is None or found[2] in sums:
            problems.append(f"{SUMS} has a line that is not a checksum: {line[:80]!r}")
        else:
            sums[found[2]] = found[1]
    present = bundle.names - {SUMS}
    problems += [f"{name} is listed in {SUMS} but missing" for name in sorted(set(sums) - present)]
    problems += [f"{name} is in the bundle but not listed in {SUMS}" for name in sorted(present - set(sums))]
    problems += [f"{name} does not belong in a bundle" for name in sorted(present & set(sums)) if not _belongs(name)]
    problems += [f"{name} is missing" for name in REQUIRED if name not in present]
    if not problems:
        for name in sorted(present):
            if bundle.digest(name) != sums[name]:
                problems.append(f"{name} was changed: {SUMS} gives another SHA-256")
    return sums, problems


@contextmanager
def damaged(name: str) -> Iterator[None]:
    """Whatever a damaged ZIP does when it is read, as one `Refused` that begins with `name`."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Refused(f"{name} is damaged inside the ZIP file" if name != "it" else "is a corrupt ZIP file") from error


def _belongs(name: str) -> bool:
    return name in _FIXED or any(form.fullmatch(name) for form in (_RESULT, _COMPARED, _APPLICATION))


class _Bounded:
    """A file of which no single read may take more than `most` bytes: the table of contents is read in one piece."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream = stream
        self._most = most
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, self._most + 1) if size >= 0 else self._most + 1)
        if len(data) > self._most:
            raise Refused(f"lists more files than a bundle may contain ({LIMITS.bundle_names:,})")
        return data


def plain_values(values: Any) -> dict[str, Any]:
    """The entries of a mapping from outside, or none if it is something else."""
    return dict(values) if isinstance(values, dict) else {}
