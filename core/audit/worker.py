"""The worker: claims units, runs them, stores them, then judges the run and renders its report."""

from __future__ import annotations

import datetime
import threading
import time
import traceback
from collections.abc import Callable

import torch

from core.audit.cost import estimate, record_speed
from core.audit.stages import compare_runs, run_applications
from core.audit.units import Bench, prepare, run_unit, unit_key
from core.errors import LoupeError, RunError
from core.models.loading import load_model
from core.models.model import Meter, Model
from core.models.pool import removal_of
from core.runs import FINISHED, Run, break_seal, environment, write_unit
from core.runs.seal import seal
from core.runs.store import LEASE_SECONDS, Unit, this_owner

Tell = Callable[[str], None]
MAX_THREADS = 8


def work(run: Run, tell: Tell = lambda line: None, model: Model | None = None, *, report: bool = True) -> str:
    """Do all that is left of a run, and return its state at the end. A `model` that is loaded already may be given.

    Without `report` the run is judged and nothing is rendered; the command `report` does that later. Safe to call on a
    run that was killed: finished units are kept, the one in hand starts anew. Raises `RunError` if another worker is
    alive on it.
    """
    store = run.store
    store.create()
    launched = store.get("worker") == this_owner() and store.get("state") == "cancelling"
    if not store.take(this_owner()):
        raise RunError(f"another worker is at work on {run.folder}; wait for it or cancel it")
    # Whoever launched this process may have cancelled it already.
    store.set(stage="loading the model", message="", **({} if launched else {"state": "running"}))
    try:
        return _work(run, tell, model, report)
    except KeyboardInterrupt:
        store.set(state="cancelled", stage="", message="interrupted; what is finished is kept")
        store.log("cancelled", "interrupted")
        raise
    except LoupeError as error:
        store.set(state="failed", stage="", message=str(error))
        store.log("failed", str(error))
        raise
    except BaseException as error:
        store.set(state="failed", stage="", message=f"{type(error).__name__}: {error}"[:500])
        store.log("failed", traceback.format_exc())
        raise
    finally:
        store.set(worker="")


def _work(run: Run, tell: Tell, model: Model | None, report: bool) -> str:
    store, plan = run.store, run.plan
    torch.set_num_threads(min(torch.get_num_threads(), MAX_THREADS))
    began = time.monotonic()
    spec = plan.model
    model = model or load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
    pictures = {picture.id: picture for picture in run.dataset.pictures}
    missing = [image for image in plan.images if image not in pictures]
    if missing:
        raise RunError(f"{len(missing)} pictures of the plan aren't in the data set any more; restore it")
    shards = plan.shards()
    keys = [unit_key(plan, shard, pictures, model.digest) for shard in shards]
    _check_same(run, keys)
    for line in break_seal(run):
        store.log("seal", line)
    store.create([(key, len(shard)) for key, shard in zip(keys, shards, strict=True)])
    back = store.requeue()
    if back:
        store.log("requeued", f"{back} units are computed anew")
    store.set(stage="preparing")
    bench = prepare(run, model)
    cost = estimate(plan, run.dataset)
    run.update_manifest(
        environment={**environment(), "threads": torch.get_num_threads()},
        model=model.describe(),
        removal=removal_of(model, plan.trust.removal),
        precision=model.bulk.precision,
        not_run=[list(entry) for entry in bench.not_run],
        plan_sha256=plan.digest,
        started=run.manifest.get("started") or _now(),
        cost={**run.manifest.get("cost", {}), "estimated_image_forwards": round(cost.image_forwards)},
    )
    for method, side, reason in bench.not_run:
        tell(f"{method}: {side} side not run: {reason}")
    prepared = time.monotonic() - began
    with model.meter.measuring() as spent:
        started = time.monotonic()
        finished = _units(run, bench, shards, tell)
        seconds = time.monotonic() - started
    record_speed(plan, spent.image, seconds, prepared)
    _add_cost(run, spent)
    if finished and run.progress().done:
        with model.meter.measuring() as spent:
            finished = run_applications(run, model, tell, bench.kept)
        _add_cost(run, spent)
    if not finished:
        store.set(state="cancelled", stage="", message="cancelled; what is finished is kept")
        store.log("cancelled", "by request")
        return "cancelled"
    if not run.manifest.get("ended"):
        run.update_manifest(ended=_now())
    return _close(run, tell, report)


def _units(run: Run, bench: Bench, shards: list[tuple[str, ...]], tell: Tell) -> bool:
    """Run units until none is left (True) or the run is cancelled (False)."""
    store, owner = run.store, this_owner()
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(run, owner, stop), daemon=True)
    beat.start()
    try:
        while True:
            if store.get("state") == "cancelling":
                return False
            unit = store.claim(owner)
            if unit is None:
                return True
            _one(run, bench, unit, shards[unit.position])
            progress = store.progress()
            store.set(stage="explaining pictures")
            left = f", about {progress.seconds_left:.0f} s left" if progress.seconds_left else ""
            tell(f"{progress.images_done}/{progress.images_total} pictures{left}")
    finally:
        stop.set()
        beat.join()


def _one(run: Run, bench: Bench, unit: Unit, shard: tuple[str, ...]) -> None:
    store = run.store
    began = time.monotonic()
    try:
        rows = run_unit(bench, unit.key, shard)
        _, sha256, count = write_unit(run.folder, unit.key, rows)
    except (KeyboardInterrupt, SystemExit):
        store.give_back(unit)
        raise
    except Exception as error:  # noqa: BLE001 - one bad unit must not end an audit; it is kept, shown and counted
        line = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        store.give_back(unit, line)
        store.log("unit failed", f"unit {unit.position}: {line}\n{traceback.format_exc()}")
        return
    store.finish(unit, sha256, count, time.monotonic() - began)


def _close(run: Run, tell: Tell, report: bool) -> str:
    from core.evaluation.summary import summarise
    from core.findings import judge, save_findings

    store = run.store
    progress = store.progress()
    if progress.done == 0:
        line = next((unit["error"] for unit in store.units() if unit["error"]), "no unit was done")
        store.set(state="failed", stage="", message=f"every unit failed: {line}")
        return "failed"
    store.set(state="reporting", stage="judging")
    compare_runs(run)
    findings = judge(run, summarise(run))
    save_findings(run, findings)
    state = "done_with_errors" if progress.failed else "done"
    # The report names the state that the run ends in.
    run.update_manifest(state=state)
    message = ""
    if report:
        from core.reporting import render_report

        store.set(stage="rendering the report")
        tell("rendering the report")
        message = f"report: {render_report(run, findings).name}"
    assert state in FINISHED
    store.set(state=state, stage="", message=message)
    store.log("done", f"{progress.done} units done, {progress.failed} failed")
    seal(run)
    return state


def _add_cost(run: Run, spent: Meter) -> None:
    cost = run.manifest.get("cost", {})
    for tower in ("image", "text"):
        name = f"{tower}_forwards"
        cost[name] = round(cost.get(name, 0.0) + getattr(spent, tower), 1)
    run.update_manifest(cost=cost)


def _beat(run: Run, owner: str, stop: threading.Event) -> None:
    while not stop.wait(LEASE_SECONDS / 6):
        run.store.beat(owner)


def _check_same(run: Run, keys: list[str]) -> None:
    """Units that were laid down by other code or other weights must not be mixed with new ones."""
    old = [unit["key"] for unit in run.store.units()]
    if old and old != keys:
        raise RunError(
            f"{run.folder} was begun with other weights, data or another version of Loupe; its results can't be "
            "continued, start a new run"
        )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
