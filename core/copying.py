"""`copy`: a run to a URL or from one; and the copy that an audit keeps behind a URL while it works."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from core.content.words import plural
from core.datasets import Remote, source
from core.errors import InputError, LoupeError
from core.run_commands import Answer, find_run
from core.runs import Run
from core.runs.copies import RunCopy, fetch
from core.storage import check_out

EVERY = 20.0  # seconds between two looks at what a run has gained
_INCOMPLETE = "the copy is not complete"
BOTH = "`copy` takes a run and a URL, such as `copy RUN s3://bucket/run`, or a URL and a new folder"


def copy_arguments(parser: argparse.ArgumentParser) -> None:
    """What `copy` takes."""
    parser.add_argument("source", metavar="from", help="run directory or id, or the URL of a copy")
    parser.add_argument("target", metavar="to", help="URL, such as s3://bucket/run, or a new folder")


def copy(chosen: argparse.Namespace) -> Answer:
    """Send a run to a URL, or fetch one from there."""
    given, target = source(chosen.source), source(chosen.target)
    if isinstance(given, Remote) == isinstance(target, Remote):
        raise InputError(BOTH)
    if isinstance(given, Remote):
        check_out(Path(chosen.target))
        run = fetch(given, Path(chosen.target))
        text = f"{given} was fetched as {run.folder}; `python -m core resume {run.folder}` goes on with it"
        return {"text": text, "data": {"run": str(run.folder), "url": str(given)}}, 0
    assert isinstance(target, Remote)
    run = find_run(chosen.source)
    sent = RunCopy(run, target).send()
    text = "\n".join([f"{target}: {plural(sent, 'file')} sent, nothing else had changed", *images_elsewhere(run)])
    return {"text": text, "data": {"run": str(run.folder), "url": str(target), "sent": sent}}, 0


def images_elsewhere(run: Run) -> list[str]:
    """That the images are no part of the copy, in a line, where they lie outside of the run's folder."""
    if run.dataset_root.is_relative_to(run.folder.resolve()):
        return []
    return [f"the images of {run.handle} lie outside of its folder and are not part of the copy"]


@contextmanager
def copied(run: Run, url: str | None) -> Iterator[list[str]]:
    """While the body works on the run, a copy of it is kept behind the URL, if one is given; at the end it is whole.

    Gives a list, in which at the end the lines about the copy lie. Raises `InputError` before the body if the URL
    cannot be written; what goes wrong later is among the lines, as the work itself is done.
    """
    told: list[str] = []
    remote = check_url(url)
    if remote is None:
        yield told
        return
    kept, ended = RunCopy(run, remote), Event()
    kept.send()
    # What fails meanwhile is tried again, at the latest at the end.
    thread = Thread(target=_follow, args=(kept, ended), name="loupe-copy", daemon=True)
    thread.start()
    try:
        yield told
    finally:
        ended.set()
        thread.join()
        told += [*_last(kept, run, remote), *images_elsewhere(run)]


def check_url(url: str | None) -> Remote | None:
    """The URL that a copy is kept behind. Raises `InputError` for a path."""
    if url is None:
        return None
    remote: Any = source(url)
    if not isinstance(remote, Remote):
        raise InputError(
            f"--copy-to takes a URL, such as s3://bucket/run, not {url[:200]}; for a folder of this machine use --out"
        )
    return remote


def with_lines(answer: Answer, told: list[str]) -> Answer:
    """An answer with lines about the copy after its own; the code is 1 where the copy is not complete."""
    data, code = answer
    if not told:
        return answer
    failed = any(line.startswith(_INCOMPLETE) for line in told)
    return {"text": "\n".join([data["text"], *told]), "data": {**data["data"], "copy": told}}, int(code or failed)


def _follow(kept: RunCopy, ended: Event) -> None:
    while not ended.wait(EVERY):
        try:
            kept.send()
        except LoupeError:
            continue


def _last(kept: RunCopy, run: Run, remote: Remote) -> list[str]:
    try:
        kept.send()
    except LoupeError as error:
        return [f"{_INCOMPLETE}: {error}; `python -m core copy {run.folder} {remote}` sends the rest"]
    return [f"a copy is kept at {remote}"]
