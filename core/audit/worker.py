"""The worker: claims units, runs them, stores them, then judges the run and renders its report."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from core.audit.cost import estimate, record_speed
from core.audit.engines import MAX_THREADS, Engine
from core.audit.engines.local import compute_locally
from core.audit.hold import CancelRequest, Hold, hold
from core.audit.outcome import settle
from core.audit.plugged import plugin_problems
from core.audit.stages import applications_failed, compare_runs, run_applications
from core.audit.steps import Steps
from core.audit.units import prepare, unit_key
from core.drafts import write_whole
from core.errors import RunError, first_line
from core.models.loading import load_model
from core.models.model import Meter, Model
from core.models.pool import removal_of
from core.models.signed import SIGNATURE, signers_of, vouched
from core.runs import FINISHED, Run, break_seal, environment
from core.runs.packages import installed
from core.runs.packing import pack, parts_of
from core.runs.packing import settle as settle_parts
from core.runs.rebuild import adopt
from core.runs.seal import seal
from core.runs.steps import FINDINGS, IMAGES, REPORT
from core.runs.versions import made_elsewhere, refusal, remove_replaced
from core.runs.versions import recompute as replace_units
from core.settings import part_bytes

Tell = Callable[[str], None]
HERE = Engine()
# Of what was changed under a seal, in the log.
LINES = 20


def work(
    run: Run,
    tell: Tell = lambda line: None,
    model: Model | None = None,
    *,
    report: bool = True,
    recompute: bool = False,
    launched: bool = False,
    engine: Engine = HERE,
) -> str:
    """Do all that is left of a run, and return its state at the end. A `model` that is loaded already may be given.

    Without `report` the run is judged and nothing is rendered; the command `report` does that later. Safe to call on a
    run that was killed: finished units are kept, the one in hand starts again. With `recompute`, units that other code,
    weights or another plan made are computed again; without it they are refused. `launched`: another process started
    this one for the run, and may have cancelled it since. `engine` says who computes the units; everything after them
    is done by this process.

    Raises `RunError` if another worker holds the run or it cannot be continued; a run that has ended keeps its state
    then.
    """
    with hold(run, tell, handed=launched) as held:
        store = run.store
        state = store.get("state")
        if launched and state in ("cancelling", "cancelled"):
            return _cancelled(run)
        # What it was before anybody began this time; the worker before may have died in between.
        before = store.get("before") or state
        elsewhere = None if recompute else made_elsewhere(run)
        if elsewhere is not None:
            tell(elsewhere)
            return state
        if before in FINISHED:
            store.set(stage="loading the model", before=before)
        else:
            store.set(state="running", stage="loading the model", message="", before=before)
        begun = False

        def begin() -> None:
            nonlocal begun
            begun = True

        try:
            with held.stopping():
                return _work(held, tell, model, report, recompute, begin, engine)
        except CancelRequest as request:
            settle(held, before, begun, request)
            return store.get("state")
        except BaseException as error:
            settle(held, before, begun, error)
            raise


def _work(
    held: Hold,
    tell: Tell,
    model: Model | None,
    report: bool,
    recompute: bool,
    begin: Callable[[], None],
    engine: Engine,
) -> str:
    run = held.run
    store, plan = run.store, run.plan
    cores = torch.get_num_threads()
    threads = _unit_threads(run, engine, cores, tell)
    torch.set_num_threads(threads)
    began, started_at = time.monotonic(), time.time()
    spec = plan.model
    # A wrong size of parts is told now, not when all units are done.
    part_bytes()
    if report:
        from core.reporting import check_renderer

        check_renderer()
    model = model or load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
    signature = vouched(model.signature, signers_of(run.folder))
    model = replace(model, signature=signature).bound(run.dataset, plan.images)
    images = {image.id: image for image in run.dataset.images}
    missing = [image for image in plan.images if image not in images]
    if missing:
        raise RunError(f"{len(missing)} images of the plan are no longer in the dataset; restore it")
    shards = plan.shards()
    keys = [unit_key(plan, shard, images, model.digest) for shard in shards]
    units = [(key, len(shard)) for key, shard in zip(keys, shards, strict=True)]
    laid = [unit["key"] for unit in store.units()]
    if laid and laid != keys:
        if not recompute:
            raise refusal(run, model.digest)
        tell(f"{len(replace_units(run, units))} of {len(units)} units are recomputed")
    begin()
    changed = break_seal(run)
    held.changed = bool(changed)
    for line in changed[:LINES]:
        store.log("seal", line)
    if len(changed) > LINES:
        store.log("seal", f"and {len(changed) - LINES} more")
    store.create(units)
    remove_replaced(run)
    back = store.requeue(settle_parts(run))
    if back:
        store.log("requeued", f"{back} units are recomputed")
    found = adopt(run, shards)
    if found:
        store.log("adopted", f"{found} units were complete but not recorded")
    left = sum(unit["state"] != "done" for unit in store.units())
    store.log("begun", f"{left} of {len(units)} groups of images to compute, {len(plan.applications)} analyses planned")
    store.set(stage="preparing", workers=str(engine.workers))
    if signature is not None:
        write_whole(run.folder / SIGNATURE, signature.data)
    bench = prepare(run, model)
    cost = estimate(plan, run.dataset, tuple(model.capabilities))
    steps = Steps(run, cost, started_at, report=report)
    tell(f"at most {cost.image_forwards:,.0f} image forward passes. {cost.sampled}".rstrip())
    problems = plugin_problems()
    for line in problems:
        store.log("plug-in not used", line)
        tell(line)
    packages = installed()
    run.update_manifest(
        environment={**environment(plan, packages), "threads": threads, **engine.describe()},
        installed=packages,
        plugin_problems=problems,
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
    steps.begin(IMAGES)
    with model.meter.measuring() as spent:
        started = time.monotonic()
        if engine.name == "ray":
            from core.audit.engines.ray import compute_on_ray

            finished, spent_by_others = compute_on_ray(held, bench, shards, tell, engine, threads)
        else:
            finished, spent_by_others = compute_locally(held, bench, shards, tell, engine.workers, threads)
        seconds = time.monotonic() - started
    steps.end(IMAGES)
    # What several processes did in this time is no speed of one.
    if engine == Engine(threads=engine.threads):
        record_speed(plan, spent.image, seconds, prepared)
    _add_cost(run, spent)
    _add_cost(run, spent_by_others)
    torch.set_num_threads(min(cores, MAX_THREADS))
    if finished and run.progress().done:
        put = pack(run)
        if put:
            store.log("packed", f"the results of {put:,} units lie in {len(parts_of(run))} files")
        with model.meter.measuring() as spent:
            finished = run_applications(run, model, tell, bench.kept, held.cancelled, steps)
        _add_cost(run, spent)
    if not finished or held.cancelled():
        return _cancelled(run)
    if not run.manifest.get("ended"):
        run.update_manifest(ended=_now())
    return _close(held, tell, report, steps)


def _cancelled(run: Run) -> str:
    run.store.set(state="cancelled", stage="", message="cancelled; finished work is kept", before="")
    run.store.log("cancelled", "on request")
    return "cancelled"


def _close(held: Hold, tell: Tell, report: bool, steps: Steps) -> str:
    from core.findings import apply_rules, save_findings
    from core.findings.earlier import keep_predecessor
    from core.findings.kept import is_large, keep
    from core.rules import Context

    run, store = held.run, held.run.store
    progress = store.progress()
    left = progress.total - progress.done - progress.failed
    if left:
        raise RunError(f"{run.handle} is unfinished: {left} of {progress.total} units are left; resume it")
    if progress.done == 0:
        line = next((unit["error"] for unit in store.units() if unit["error"]), "no unit was completed")
        store.set(state="failed", stage="", message=f"every unit failed: {line}", before="")
        return "failed"
    if not store.enter("reporting", "judging"):
        return _cancelled(run)
    steps.begin(FINDINGS)
    compare_runs(run)
    keep_predecessor(run)
    context = Context(run)
    findings = apply_rules(context)
    save_findings(run, findings)
    steps.end(FINDINGS)
    state = "done_with_errors" if progress.failed or applications_failed(run) else "done"
    # The report names the state that the run ends in.
    run.update_manifest(state=state)
    # Before the report, whose bundle holds the log: a report that is made again from the same run is the same.
    store.log("done", f"{progress.done} units done, {progress.failed} failed")
    message = ""
    if report:
        from core.reporting import render_report

        store.set(stage="rendering the report")
        steps.begin(REPORT)
        tell("rendering the report")
        message = f"report: {render_report(run, findings, judged=context).name}"
        steps.end(REPORT)
    # All is done: a request that comes now finds nothing to stop.
    held.stoppable = False
    held.check()
    store.set(state=state, stage="", message=message, before="")
    seal(run)
    if is_large(run):
        try:
            keep(run, context.summary, findings)
        except OSError as error:
            tell(f"the pages will sum up the results when they first show them: {first_line(error)}")
    return state


def _unit_threads(run: Run, engine: Engine, cores: int, tell: Tell) -> int:
    """How many threads compute a unit: as many as those that are done had, because sums over others round otherwise."""
    wanted = engine.threads_each(cores)
    known = run.manifest.get("environment", {}).get("threads")
    if not isinstance(known, int) or known < 1 or not run.progress().done or known == wanted:
        return wanted
    tell(f"units are computed with as many threads as the finished ones were: {known}")
    return known


def _add_cost(run: Run, spent: Meter) -> None:
    cost = run.manifest.get("cost", {})
    for tower in ("image", "text"):
        name = f"{tower}_forwards"
        cost[name] = round(cost.get(name, 0.0) + getattr(spent, tower), 1)
    run.update_manifest(cost=cost)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
