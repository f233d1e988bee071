"""What runs on a node of a Ray cluster: one process with a warm model, to which units are handed with their images."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.attribution.contract import Context
from core.attribution.kept import KeptCrops
from core.audit.units import Bench, run_unit
from core.datasets import Dataset
from core.datasets.dataset import IMAGES
from core.errors import RunError
from core.memory import keep_freed
from core.methods.info import Side
from core.models.loading import load_model
from core.processes import this_owner
from core.runs import Plan, Run
from core.runs.code import plan_code


@dataclass(frozen=True)
class Job:
    """What every unit of a run shares, as it travels: of the images it holds their description, not their pixels."""

    plan: Plan
    dataset: Dataset
    code: str
    model: str
    device: str
    threads: int
    classes: Tensor | None
    context: Context
    sides: dict[str, tuple[Side, ...]]
    not_run: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Computed:
    """The rows of a unit, and what it took: seconds, and forward passes of each tower."""

    rows: list[dict[str, Any]]
    seconds: float
    image_forwards: float
    text_forwards: float


def job_of(bench: Bench, threads: int) -> Job:
    """What is sent to each actor once; tensors travel in main memory."""
    model = bench.model
    channels = {block: (mean.cpu(), spread.cpu()) for block, (mean, spread) in bench.context.channels.items()}
    return Job(
        plan=bench.run.plan,
        dataset=bench.run.dataset,
        code=plan_code(bench.run.plan),
        model=model.digest,
        device=model.device.type,
        threads=threads,
        classes=None if bench.classes is None else bench.classes.cpu(),
        context=Context(channels=channels),
        sides=bench.sides,
        not_run=bench.not_run,
    )


@dataclass
class UnitActor:
    """Computes units. It writes images into a folder of its own, where they are checked as anywhere else."""

    folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="loupe-actor-")
    )
    bench: Bench | None = None

    def prepare(self, job: Job) -> str:
        """Load the model; returns which process this is.

        Raises `RunError` if this node would compute other rows than the one that asks.
        """
        keep_freed()
        torch.set_num_threads(job.threads)
        if plan_code(job.plan) != job.code:
            raise RunError("a node of the cluster has another version of Loupe; install the same one on all nodes")
        spec = job.plan.model
        model = load_model(spec.name, spec.pretrained, weights=spec.weights, device=job.device)
        if model.digest != job.model:
            raise RunError("a node of the cluster has other weights under the name or path of the model")
        root = Path(self.folder.name)
        (root / IMAGES).mkdir()
        dataset = job.dataset.model_copy(update={"root": root})
        model = model.bound(dataset, job.plan.images)
        run = Run(root)
        # They are read from files where there are any.
        run.__dict__.update(plan=job.plan, dataset=dataset)
        on = model.device
        channels = {block: (mean.to(on), spread.to(on)) for block, (mean, spread) in job.context.channels.items()}
        classes = None if job.classes is None else job.classes.to(on)
        # Crops would be of use to applications, which do not run here.
        kept = KeptCrops(most=0)
        self.bench = Bench(run, model, classes, Context(channels=channels), job.sides, job.not_run, kept=kept)
        return this_owner()

    def compute(self, key: str, shard: Sequence[str], images: Mapping[str, bytes]) -> Computed:
        """The rows of one unit, given the stored PNG files of its images by id."""
        assert self.bench is not None
        began = time.monotonic()
        folder = Path(self.folder.name) / IMAGES
        files = [folder / f"{image}.png" for image in images]
        try:
            for file, data in zip(files, images.values(), strict=True):
                file.write_bytes(data)
            with self.bench.model.meter.measuring() as spent:
                rows = run_unit(self.bench, key, shard)
        finally:
            for file in files:
                file.unlink(missing_ok=True)
        return Computed(rows, time.monotonic() - began, spent.image, spent.text)
