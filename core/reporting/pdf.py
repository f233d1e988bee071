"""HTML to PDF in a process of its own, with nothing but the given assets to read, and limits on time and memory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from core.drafts import draft_folder
from core.errors import LoupeError, RunError
from core.reporting.assets import Assets
from core.runs.leftovers import RENDERING
from core.settings import ROOT

NATIVE = (
    "the PDF renderer lacks its native libraries; on Debian or Ubuntu `apt-get install libpango-1.0-0 "
    "libpangoft2-1.0-0 "
    "libharfbuzz-subset0`, on macOS `brew install pango`"
)
REFUSED, MISSING = 3, 4


@dataclass(frozen=True)
class Limits:
    """What the renderer may take: wall-clock seconds and bytes of address space."""

    seconds: float = 600.0
    memory: int = 6 * 2**30


def render_pdf(
    html: str,
    assets: Assets,
    *,
    created: str,
    attached: tuple[str, bytes],
    limits: Limits | None = None,
    place: Path | None = None,
) -> bytes:
    """The PDF (built to PDF/A-3a and PDF/UA-1) of a page that refers to `assets` by `audit://` addresses.

    `created` (ISO, UTC) is its only date and its identifier is a hash of its content, so equal input gives equal
    bytes. It is made in a folder of its own in `place`, or where the system keeps temporary ones. Raises `RunError` if
    the page asks for anything but its assets, or if time or memory run out, and `LoupeError` if the native libraries
    are missing.
    """
    limits = limits or Limits()
    folder = draft_folder(RENDERING, place)
    try:
        job = _write_job(folder, html, assets, created, attached, limits)
        # The renderer gets no proxy, no credentials and no path of the caller's environment, only what Python needs.
        kept = (
            "PATH",
            "HOME",
            "LANG",
            "LC_ALL",
            "PYTHONPATH",
            "LD_LIBRARY_PATH",
            "DYLD_FALLBACK_LIBRARY_PATH",
        )
        environment = {key: os.environ[key] for key in kept if key in os.environ} | {"PYTHONHASHSEED": "0"}
        # What it unpacks goes with its folder, also if it is killed.
        environment["TMPDIR"] = str(folder.absolute())
        command = [sys.executable, "-m", "core.reporting.pdf_worker", str(job)]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=limits.seconds
            )
        except subprocess.TimeoutExpired as error:
            raise RunError(f"the PDF wasn't ready after {limits.seconds:g} s; plan fewer pictures or texts") from error
        if done.returncode == MISSING:
            raise LoupeError(NATIVE)
        if done.returncode == REFUSED:
            raise RunError(
                f"the report asked for something outside itself and was not made: {done.stderr.strip()[-400:]}"
            )
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            if "MemoryError" in done.stderr or done.returncode < 0:
                raise RunError(
                    f"the PDF renderer ran out of memory ({limits.memory / 2**30:.3g} GiB allowed) or was stopped; "
                    "plan fewer pictures or texts"
                )
            raise RunError(f"the PDF could not be made: {last[0][:400]}")
        return (folder / "report.pdf").read_bytes()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_job(
    folder: Path, html: str, assets: Assets, created: str, attached: tuple[str, bytes], limits: Limits
) -> Path:
    (folder / "assets").mkdir()
    (folder / "page.html").write_text(html, encoding="utf-8")
    (folder / "attached").write_bytes(attached[1])
    whole = hashlib.sha256(html.encode() + b"\0" + attached[1] + b"\0" + created.encode())
    listed = []
    for index, (name, asset) in enumerate(sorted(assets.items.items())):
        (folder / "assets" / str(index)).write_bytes(asset.data)
        listed.append([name, asset.media])
        whole.update(name.encode() + b"\0" + hashlib.sha256(asset.data).digest())
    job = {
        "assets": listed,
        "attached": attached[0],
        "created": created,
        "identifier": whole.hexdigest()[:32],
        "memory": limits.memory,
    }
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    return path
