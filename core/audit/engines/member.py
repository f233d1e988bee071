"""A further process of a run: it claims units beside the one that leads, until none waits or that one is gone."""

from __future__ import annotations

from contextlib import suppress

import torch

from core.audit.engines.local import compute_one
from core.audit.hold import CancelRequest, membership
from core.audit.units import prepare, unit_key
from core.errors import RunError
from core.models.loading import load_model
from core.models.model import Meter
from core.runs import Run


def join(run: Run, leader: str, threads: int) -> Meter:
    """Share the units of the run that the process `leader` holds; returns what was spent on them.

    Raises `LostError` once `leader` does not hold the run, and `RunError` if this process would compute other rows.
    """
    torch.set_num_threads(threads)
    plan, spec = run.plan, run.plan.model
    with membership(run, leader) as held, held.stopping():
        try:
            model = load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
            model = model.bound(run.dataset, plan.images)
            shards = plan.shards()
            images = {image.id: image for image in run.dataset.images}
            keys = [unit_key(plan, shard, images, model.digest) for shard in shards]
            if keys != [unit["key"] for unit in run.store.units()]:
                raise RunError(f"{run.handle}: this worker process has loaded other code or weights than the first one")
            bench = prepare(run, model)
        except CancelRequest:
            return Meter()
        with model.meter.measuring() as spent, suppress(CancelRequest):
            while (unit := run.store.claim(held.owner)) is not None:
                compute_one(run, bench, unit, shards[unit.position])
                held.check()
    return spent
