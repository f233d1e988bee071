"""Checking a bundle or a PDF that anybody may have made, in a child process with limits on time and memory."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import Refused
from core.reporting.bundle import OpenBundle, check_size, sum_problems
from core.reporting.evidence import IMAGES
from core.sandbox import Allowance, Failure, call
from core.sandbox.files import chunks, opened
from core.settings import LIMITS

ATTACHED = "evidence.json"
_MOST_PROBLEMS = 200
# What the parent compares with a run.
_COMPARED = (
    "plan.json", "manifest.json", "findings.json", "dataset.json", IMAGES, "units.csv", "thresholds.toml",
    "comparison.json",
)  # fmt: skip


@dataclass(frozen=True)
class Inspection:
    """What a bundle was found to be: problems, what was compared, its SHA-256 and that of its files by name."""

    problems: tuple[str, ...] = ()
    count: int = 0
    checked: tuple[str, ...] = ()
    sha256: str = ""
    files: dict[str, str] = field(default_factory=dict)


def inspect_bundle(path: Path) -> Inspection:
    """Check a bundle within limits.

    Raises `Refused` if it is no regular file or no bundle; the text continues its name.
    """
    with opened(path) as (_, size):
        check_size(size)
    allowance = Allowance(
        seconds=LIMITS.verify_seconds + size / 1e6,
        wall=10 * (LIMITS.verify_seconds + size / 1e6),
        memory=LIMITS.verify_memory + 4 * size,
        answer=2**24,
        written=LIMITS.bundle_part_bytes,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="loupe-verify-") as folder:
            value = call(check_bundle, str(path.absolute()), folder, allowance=allowance).value
    except Failure as failure:
        raise Refused(_told(failure, allowance, "checked")) from failure
    return Inspection(
        tuple(value["problems"]), int(value["count"]), tuple(value["checked"]), value["sha256"], value["files"]
    )


def check_bundle(data: bytes, path: str, folder: str) -> tuple[Any, bytes]:
    """The task of `inspect_bundle`, in a child: what is wrong with the bundle at `path`, with `folder` to unpack in."""
    # Imported here: the parent, which may be the app, only asks.
    from core.reporting.binding import binding_problems, read_content
    from core.reporting.recount import recount_problems

    whole = hashlib.sha256()
    for piece in chunks(path):
        whole.update(piece)
    with opened(path) as (handle, size), open(handle, "rb", closefd=False) as stream:
        bundle = OpenBundle(stream, size)
        sums, problems = sum_problems(bundle)
        checked = [f"{len(sums)} files with their checksums"]
        if not problems:
            try:
                content = read_content(bundle)
                problems = binding_problems(bundle, content, sums)
                checked.append(
                    "plan, manifest, dataset, units and result rows with each other "
                    f"({len(content.rows):,} rows of {len(content.plan.images)} images)"
                )
                problems = problems or recount_problems(bundle, content, Path(folder))
                checked.append(f"every table and {len(content.findings)} findings with what the result rows give again")
            except Refused as refused:
                problems = [str(refused)]
    files = {name: sums[name] for name in _COMPARED if name in sums}
    told = [line[:400] for line in problems[:_MOST_PROBLEMS]]
    value = {"problems": told, "count": len(problems), "checked": checked, "sha256": whole.hexdigest(), "files": files}
    return value, b""


def read_attached(path: Path) -> dict[str, Any]:
    """What the PDF at `path` carries as its evidence: the hashes of the bundle and of report.html, findings, plan.

    Raises `Refused` if it is no PDF of a report; the text continues its name.
    """
    allowance = Allowance(answer=LIMITS.bundle_part_bytes)
    try:
        with opened(path):
            pass
        data = call(take_attached, str(path.absolute()), allowance=allowance).data
        told = json.loads(data)
    except Failure as failure:
        if failure.kind == "error":
            raise Refused("is no PDF that can be read") from failure
        raise Refused(_told(failure, allowance, "read")) from failure
    except (ValueError, RecursionError) as error:
        raise Refused(f"carries an {ATTACHED} that is no JSON") from error
    if not isinstance(told, dict) or not isinstance(told.get("evidence"), dict):
        raise Refused(f"carries an {ATTACHED} of another form")
    return told


def take_attached(data: bytes, path: str) -> tuple[Any, bytes]:
    """The task of `read_attached`, in a child: the bytes of the attachment."""
    import pikepdf

    with opened(path) as (handle, _), open(handle, "rb", closefd=False) as stream, pikepdf.open(stream) as pdf:
        if list(pdf.attachments) != [ATTACHED]:
            raise Refused(f"is no PDF of a report: it does not carry {ATTACHED} and nothing else")
        return None, pdf.attachments[ATTACHED].get_file().read_bytes()


def _told(failure: Failure, allowance: Allowance, done: str) -> str:
    if failure.kind == "time":
        return f"needs more than {allowance.seconds:.0f} s of processor time to be {done}; it is refused"
    if failure.kind == "memory":
        return f"needs more than {allowance.memory / 1e9:.2g} GB of memory to be {done}; it is refused"
    return f"cannot be {done} ({failure.name or failure.kind}); it is damaged or was made to be"
