"""Checking a bundle that anybody may have made, in a child process with limits on time and memory."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.content.house_style import HOUSE_STYLE
from core.datasets.dataset import ANNOTATIONS
from core.datasets.languages import UNPACKED, languages
from core.errors import Refused
from core.evaluation.comparison import ROWS
from core.findings.earlier import EARLIER
from core.models.signed.signature import SIGNATURE, SIGNERS
from core.reporting.bundle import OpenBundle, check_size, sum_problems
from core.reporting.evidence import EXPORTS_FOLDER, IMAGES
from core.reporting.exports.files import EXPORTS, REPORT
from core.reporting.plan_settings import SETTINGS_FILE
from core.runs.spot_check import SPOT_CHECK
from core.sandbox import Allowance, Failure, call
from core.sandbox.files import chunks, opened
from core.settings import LIMITS

_MOST_PROBLEMS = 200
# What the parent compares with a run.
_COMPARED = (
    "plan.json", "manifest.json", "findings.json", "dataset.json", IMAGES, ANNOTATIONS, "units.csv", "thresholds.toml",
    "comparison.json", SPOT_CHECK, EARLIER, HOUSE_STYLE, SIGNATURE, SIGNERS, SETTINGS_FILE,
    *(f"{EXPORTS_FOLDER}/{name}" for name in EXPORTS),
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
        # Findings are judged again, for which the languages of the texts are recognised.
        written=max(LIMITS.bundle_part_bytes, UNPACKED),
    )
    try:
        with tempfile.TemporaryDirectory(prefix="loupe-verify-") as folder:
            value = call(check_bundle, str(path.absolute()), folder, allowance=allowance).value
    except Failure as failure:
        raise Refused(failure_text(failure, allowance, "checked")) from failure
    return Inspection(
        tuple(value["problems"]), int(value["count"]), tuple(value["checked"]), value["sha256"], value["files"]
    )


def warm_up() -> None:
    """Load what judging a bundle takes, once for all children: 3 of the 4 seconds that a small bundle takes."""
    from core.findings.judgement import every_rule
    from core.reporting import binding, recount, review_check  # noqa: F401 - to be loaded

    every_rule()
    languages(["a text in a language that is recognised"])


def check_bundle(data: bytes, path: str, folder: str) -> tuple[Any, bytes]:
    """The task of `inspect_bundle`, in a child: what is wrong with the bundle at `path`, with `folder` to unpack in."""
    # Imported here: the parent, which may be the app, only asks.
    from core.reporting import detection
    from core.reporting.binding import binding_problems, read_content
    from core.reporting.model_signature import signature_problems
    from core.reporting.recount import detection_line, recount_problems
    from core.reporting.review_check import review_problems

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
                problems = [*binding_problems(bundle, content, sums), *review_problems(bundle, content, checked)]
                checked.append(
                    "plan, manifest, dataset, units and result rows with each other "
                    f"({len(content.rows):,} rows of {len(content.plan.images)} images)"
                )
                problems = problems or recount_problems(bundle, content, Path(folder), sums)
                checked.append(
                    f"every table and {len(content.findings)} findings with those recomputed from the result rows"
                )
                if any(name.startswith(f"{ROWS}/") for name in bundle.names):
                    checked.append("the comparison with other runs with that recomputed from their rows")
                problems += signature_problems(bundle, content, checked)
                if detection.NAME in bundle.names:
                    checked.append(detection_line(bundle.read(detection.NAME)))
                if f"{EXPORTS_FOLDER}/{REPORT}" in bundle.names:
                    checked.append(f"{', '.join(EXPORTS)} with those made again from these findings")
            except Refused as refused:
                problems = [str(refused)]
    files = {name: digest for name, digest in sums.items() if name in _COMPARED or name.startswith(f"{ROWS}/")}
    told = [line[:400] for line in problems[:_MOST_PROBLEMS]]
    value = {"problems": told, "count": len(problems), "checked": checked, "sha256": whole.hexdigest(), "files": files}
    return value, b""


def failure_text(failure: Failure, allowance: Allowance, done: str) -> str:
    """Why a child gave no answer; the text continues the name of the file that was to be `done`."""
    if failure.kind == "time":
        return f"needs more than {allowance.seconds:.0f} s of processor time to be {done}; it is refused"
    if failure.kind == "memory":
        return f"needs more than {allowance.memory / 1e9:.2g} GB of memory to be {done}; it is refused"
    return f"cannot be {done} ({failure.name or failure.kind}); it is damaged or was tampered with"
