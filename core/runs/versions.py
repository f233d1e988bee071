"""What differs between how a run was begun and how it would go on: the program, the weights, the plan. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import RunError
from core.runs.code import plan_code
from core.runs.integrity import changed_files
from core.runs.run import Run
from core.runs.store import FINISHED
from core.settings import VERSION

SHORT = 8


def made_elsewhere(run: Run) -> str | None:
    """What to say of a finished run whose results are whole and were made by other code; None for any other run.

    Nothing is left to do for it, and nothing of it may be mixed with results of this code.
    """
    progress = run.progress()
    if progress.state not in FINISHED or not progress.total or progress.done < progress.total:
        return None
    if _code(run) is None or run.manifest.get("application_problems") or changed_files(run):
        return None
    return f"already done, nothing to do; it was made with another version: {_code(run)}"


def refusal(run: Run, model_digest: str) -> RunError:
    """Why the units of a run cannot be continued by this code with these weights, and both ways to go on."""
    differs: list[str] = []
    ways: list[str] = []
    code = _code(run)
    if code is not None:
        was = run.manifest.get("environment", {})
        commit = f" at commit {was['commit'][:12]}" if was.get("commit") else ""
        differs.append(f"another version of the program ({code})")
        ways.append(f"finish it with Loupe {was.get('loupe')}{commit}")
    had = run.manifest.get("model", {}).get("digest")
    if had not in (None, model_digest):
        differs.append(f"other weights ({had[:SHORT]} -> {model_digest[:SHORT]})")
        ways.append("restore the weights")
    planned = run.manifest.get("plan_sha256")
    if planned not in (None, run.plan.digest):
        differs.append(f"another plan ({planned[:SHORT]} -> {run.plan.digest[:SHORT]})")
        ways.append("restore plan.json")
    told = ", ".join(differs) or "other images, names or captions"
    way = " and ".join(ways) or "restore the dataset"
    return RunError(
        f"{run.handle} was started with {told}; {way}, or add --recompute to `python -m core resume` to recompute "
        "what changed"
    )


def recompute(run: Run, units: Sequence[tuple[str, int]]) -> list[str]:
    """Lay down the units of this code and these weights; those whose key is the same are kept. Returns the keys gone.

    The applications are computed again as well: their records rest on the same code and weights.
    """
    gone = run.store.lay_anew(units)
    run.update_manifest(applications={}, application_problems={})
    remove_replaced(run)
    return gone


def remove_replaced(run: Run) -> None:
    """Remove the result files of units that were replaced."""
    for key in run.store.replaced():
        (run.folder / "results" / f"{key}.parquet").unlink(missing_ok=True)
    if run.store.get("replaced"):
        run.store.set(replaced="")


def _code(run: Run) -> str | None:
    was = run.manifest.get("environment", {})
    if was.get("code_sha256") in (None, plan_code(run.plan)):
        return None
    commit = f", commit {was['commit'][:12]}" if was.get("commit") else ""
    old, new = was["code_sha256"][:SHORT], plan_code(run.plan)[:SHORT]
    return f"Loupe {was.get('loupe')} with code {old}{commit} -> Loupe {VERSION} with code {new}"
