"""HTML to PDF in a process of its own, with nothing but the given assets to read, and limits on time and memory."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.content.assets import Assets
from core.drafts import own_folder
from core.errors import LoupeError, RunError
from core.runs.leftovers import RENDERING
from core.settings import ROOT
from core.system import RENDERER, Machine, remedy

REFUSED, MISSING = 3, 4
CHECK = "--check"


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
    """The PDF of one page, as by `render_pdfs`."""
    return render_pdfs([html], assets, created=created, attached=attached, limits=limits, place=place)[0]


def render_pdfs(
    pages: Sequence[str],
    assets: Assets,
    *,
    created: str,
    attached: tuple[str, bytes],
    limits: Limits | None = None,
    place: Path | None = None,
) -> list[bytes]:
    """The PDFs (built to PDF/A-3a and PDF/UA-1) of pages that refer to `assets` by `audit://` addresses.

    `created` (ISO, UTC) is their only date and their identifiers are hashes of their content, so equal input gives
    equal bytes. They are made by one process in a folder of its own in `place`, or where the system keeps temporary
    ones. Raises `RunError` if a page asks for anything but its assets, or if time or memory run out, and `LoupeError`
    if the native libraries are missing.
    """
    limits = limits or Limits()
    with own_folder(RENDERING, place) as folder:
        job = _write_job(folder, pages, assets, created, attached, limits)
        # What it unpacks goes with its folder, also if it is killed.
        done = _renderer(str(job.absolute()), limits, TMPDIR=str(folder.absolute()))
        if done.returncode == REFUSED:
            raise RunError(
                f"the report referred to an external resource and was not made: {done.stderr.strip()[-400:]}"
            )
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            if "MemoryError" in done.stderr or done.returncode < 0:
                raise RunError(
                    f"the PDF renderer ran out of memory ({limits.memory / 2**30:.3g} GiB allowed) or was stopped; "
                    "plan fewer images or texts"
                )
            raise RunError(f"the PDF could not be made: {last[0][:400]}")
        return [(folder / f"{at}.pdf").read_bytes() for at in range(len(pages))]


@cache
def check_renderer() -> None:
    """Look for what the renderer needs, so that what it lacks is reported before any work. Once a process.

    Where something is not found by its name, the renderer itself is started without a job: what it says counts, and
    raises `LoupeError` in one line if its native libraries are missing or it does not start.
    """
    machine = Machine()
    if machine.imports("weasyprint") and all(map(machine.has, RENDERER)):
        return
    done = _renderer(CHECK, Limits())
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise LoupeError(f"the PDF renderer does not start: {last[0][:400]}")


def _renderer(argument: str, limits: Limits, **variables: str) -> subprocess.CompletedProcess[str]:
    """The renderer's process once it has ended. It gets no proxy, no credentials and no path of the caller's
    environment, only what Python needs. Raises `RunError` at the time limit, `LoupeError` if libraries are missing.
    """
    passed = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
    environment = {key: os.environ[key] for key in passed if key in os.environ}
    environment |= {"PYTHONHASHSEED": "0", **variables}
    command = [sys.executable, "-m", "core.reporting.pdf_worker", argument]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=limits.seconds
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"the PDF was not ready after {limits.seconds:g} s; plan fewer images or texts") from error
    if done.returncode == MISSING:
        machine = Machine()
        missing = [need for need in RENDERER if not machine.has(need)]
        raise LoupeError(f"the PDF renderer lacks its native libraries; {remedy(machine, missing or list(RENDERER))}")
    return done


def _write_job(
    folder: Path, pages: Sequence[str], assets: Assets, created: str, attached: tuple[str, bytes], limits: Limits
) -> Path:
    (folder / "assets").mkdir()
    (folder / "attached").write_bytes(attached[1])
    listed, parts = [], hashlib.sha256()
    for index, (name, asset) in enumerate(sorted(assets.items.items())):
        (folder / "assets" / str(index)).write_bytes(asset.data)
        listed.append([name, asset.media])
        parts.update(name.encode() + b"\0" + hashlib.sha256(asset.data).digest())
    identifiers = []
    for at, html in enumerate(pages):
        (folder / f"{at}.html").write_text(html, encoding="utf-8")
        whole = hashlib.sha256(html.encode() + b"\0" + attached[1] + b"\0" + created.encode() + parts.digest())
        identifiers.append(whole.hexdigest()[:32])
    job = {
        "assets": listed,
        "attached": attached[0],
        "created": created,
        "identifiers": identifiers,
        "memory": limits.memory,
    }
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    return path
