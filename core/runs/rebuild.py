"""A damaged or lost `run.sqlite` made again from the plan, the manifest and the result files. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.drafts import draft_path
from core.errors import RunError
from core.processes import locked
from core.runs.database import damage, writing
from core.runs.integrity import sealed_problems
from core.runs.keys import key_of
from core.runs.lease import holder
from core.runs.packing import packed_units
from core.runs.results import sound_unit
from core.runs.run import Run
from core.runs.seal import load_seal, seal
from core.runs.store import FINISHED

KEPT = "run.sqlite.damaged"


def mend(run: Run) -> str | None:
    """Rebuild `run.sqlite` if it is missing or damaged; returns one line about it, None if it was sound.

    Units whose file is whole count as done, everything else waits. The damaged file stays beside it as
    `run.sqlite.damaged`. Raises `LoupeError` if plan, manifest or dataset are gone too; then nothing has changed.
    """
    path = run.store.path
    if damage(path) is None:
        return None
    with locked(run.folder):
        found = damage(path)
        if found is None:
            return None
        units = _recorded(run)
        resealed = _only_the_record_is_damaged(run)
        draft = draft_path(path)
        done = _lay(draft, run, units)
        for end in ("", "-wal", "-shm"):
            old = Path(f"{path}{end}")
            if old.exists():
                old.replace(run.folder / f"{KEPT}{end}")
        draft.replace(path)
    line = f"run.sqlite was {found} and has been rebuilt; {done} of {len(units)} units have complete results"
    run.store.log("rebuilt", line)
    if run.manifest:
        run.update_manifest(rebuilt=[*run.manifest.get("rebuilt", []), line])
    if resealed and run.progress().state in FINISHED:
        seal(run)
    return line


def adopt(run: Run, shards: Sequence[Sequence[str]]) -> int:
    """Mark units done that wait though their file is whole: whoever wrote it died before it was recorded. How many."""
    count = 0
    known = _sealed(run)
    units = run.store.units()
    lying = packed_units(run) if any(unit["state"] != "done" for unit in units) else {}
    for unit, shard in zip(units, shards, strict=True):
        held = unit["state"] == "running" and holder(unit["owner"], unit["lease"]) is not None
        found = None if unit["state"] == "done" or held else _whole(run, unit["key"], shard, known, lying)
        if found is not None:
            run.store.adopt(unit["position"], *found)
            count += 1
    return count


def _recorded(run: Run) -> list[tuple[str, int, tuple[str, int] | None]]:
    """The units as they were laid down: key, number of images, and hash and rows of those that are whole."""
    code = run.manifest.get("environment", {}).get("code_sha256")
    model = run.manifest.get("model", {}).get("digest")
    if code is None or model is None:
        return []
    images = {image.id: image for image in run.dataset.images}
    known, lying = _sealed(run), packed_units(run)
    units = []
    for shard in run.plan.shards():
        key = key_of(run.plan, shard, images, model, code)
        units.append((key, len(shard), _whole(run, key, shard, known, lying)))
    return units


def _lay(draft: Path, run: Run, units: Sequence[tuple[str, int, tuple[str, int] | None]]) -> int:
    done = 0
    with writing(draft, create=True) as db:
        for position, (key, images, whole) in enumerate(units):
            state, (sha256, rows) = ("done", whole) if whole else ("waiting", (None, None))
            done += whole is not None
            db.execute(
                "INSERT INTO units (position, key, images, state, sha256, rows) VALUES (?, ?, ?, ?, ?, ?)",
                (position, key, images, state, sha256, rows),
            )
        ended = run.manifest.get("state")
        finished = ended in FINISHED and units and done == len(units)
        standing = ended if finished else "cancelled" if units else "planned"
        db.executemany("INSERT INTO run VALUES (?, ?)", [("state", standing), ("stage", ""), ("message", "")])
    return done


def _whole(
    run: Run, key: str, shard: Sequence[str], known: dict[str, str], lying: dict[str, tuple[str, int, frozenset[str]]]
) -> tuple[str, int] | None:
    if key in lying:
        sha256, rows, images = lying[key]
        return (sha256, rows) if images == set(shard) else None
    name = f"results/{key}.parquet"
    found = sound_unit(run.folder / name, key, shard)
    return None if found is None or known.get(name, found[0]) != found[0] else found


def _only_the_record_is_damaged(run: Run) -> bool:
    """Whether everything but run.sqlite is as it was sealed, so that a new seal vouches for nothing that is new."""
    try:
        found = load_seal(run)
        problems = sealed_problems(run, found[0], images=False) if found else ["there is no seal"]
    except RunError:
        return False
    return all(line.startswith("run.sqlite") for line in problems)


def _sealed(run: Run) -> dict[str, str]:
    """The hashes that the seal names, by file; empty if there is no seal that can be read."""
    try:
        found = load_seal(run)
    except RunError:
        return {}
    return {name: file.sha256 for name, file in found[0].files.items()} if found else {}
