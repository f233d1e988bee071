"""What an engine costs beside the units: processor time of the leading worker for each unit, and of starting a process.

    PYTHONPATH=. python benchmarks/engines.py

Units are as small as they can be (one method, no measures), so that what is left is the engine. All engines run in one
process, one after the other; processor time hardly depends on what else the machine does.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from core.audit import worker
from core.audit.engines import Engine, local
from core.audit.engines import ray as engine_ray
from core.models.loading import load_model
from core.request import AuditRequest, begin, methods_at, trust_at
from core.runs import ModelSpec, Run, TextPlan

UNITS = 48
ENGINES = {
    "one process": Engine(threads=1),
    "two processes": Engine(workers=2, threads=1),
    "Ray, two actors": Engine("ray", workers=2, threads=1),
}


def children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def small_run(folder: Path, images: list[Path]) -> Run:
    request = AuditRequest.build(
        out=folder, images=tuple(images), texts=TextPlan(prompts=("a drawing",)), methods=methods_at("quick", ["raw"]),
        trust=trust_at("quick", curves=False), model=ModelSpec(name="demo", device="cpu"),
    )  # fmt: skip
    run = begin(request)
    shorter = run.plan.model_copy(update={"shard": 1})
    (run.folder / "plan.json").unlink()
    shorter.save(run.folder / "plan.json")
    return Run(run.folder)


def measured(name: str, folder: Path, images: list[Path], model: Any) -> dict[str, Any]:
    engine, run = ENGINES[name], small_run(folder, images)
    inside = 0.0
    own: dict[str, float] = {}

    def timed_unit(*arguments: Any) -> Any:
        nonlocal inside
        began = time.process_time()
        try:
            return run_unit(*arguments)
        finally:
            inside += time.process_time() - began

    def timed(compute: Any) -> Any:
        def instead(*arguments: Any) -> Any:
            began = time.process_time()
            found = compute(*arguments)
            own["seconds"] = time.process_time() - began
            return found

        return instead

    run_unit, whole, work = local.run_unit, worker.compute_locally, engine_ray.Crew.work
    local.run_unit, worker.compute_locally = timed_unit, timed(whole)
    engine_ray.Crew.work = timed(work)  # type: ignore[method-assign]
    before = children()
    try:
        assert worker.work(run, model=model, report=False, engine=engine) == "done"
    finally:
        local.run_unit, worker.compute_locally, engine_ray.Crew.work = run_unit, whole, work  # type: ignore[method-assign]
    units = run.store.units()
    assert len(units) == UNITS and all(unit["state"] == "done" for unit in units)
    return {
        "engine": name,
        "units": len(units),
        "leader, units (s)": round(inside, 3),
        "leader, rest, each unit (ms)": round(1000 * (own["seconds"] - inside) / UNITS, 2),
        "other processes that were waited for (s)": round(children() - before, 2),
    }


def main() -> None:
    torch.set_num_threads(1)
    model = load_model("demo", device="cpu")
    with tempfile.TemporaryDirectory() as place:
        images = []
        for index in range(UNITS):
            path = Path(place) / f"{index}.png"
            Image.effect_noise((64, 64), 20 + index).convert("RGB").save(path)
            images.append(path)
        for at, name in enumerate(ENGINES):
            print(json.dumps(measured(name, Path(place) / f"run-{at}", images, model)), flush=True)


if __name__ == "__main__":
    main()
