"""The real audit of one planted model and set: images as files in, findings out, all by Loupe's own doors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.planting.scenes import SHAPES, SIDE, Scene, image
from core.applications.registry import APPLICATIONS, planned
from core.audit.worker import work
from core.datasets import Dataset, ingest
from core.findings import Finding, load_findings
from core.models.model import Model
from core.runs import ApplicationPlan, MethodPlan, ModelSpec, Run, TextPlan, TrustPlan, create_run

TEMPLATE = "a photo of a {}"


@dataclass(frozen=True)
class Wish:
    """What an audit runs. Applications that this version of Loupe lacks are left out, and said in the record."""

    methods: tuple[tuple[str, dict[str, Any]], ...] = ()
    applications: tuple[tuple[str, dict[str, Any]], ...] = ()
    curves: bool = False
    captions: bool = True
    classes: tuple[str, ...] = SHAPES
    top_classes: int = 1


@dataclass
class Desk:
    """Where planted models, sets, runs and records are kept. `training` overrides a recipe's steps and images."""

    keep: Path
    tell: Any = print
    loaded: dict[str, Model] = field(default_factory=dict)
    training: dict[str, int] = field(default_factory=dict)

    @property
    def models(self) -> Path:
        """The folder of models."""
        return self.keep / "models"

    @property
    def trials(self) -> Path:
        """The folder of records, one a trial."""
        return self.keep / "trials"

    def scratch(self, name: str) -> Path:
        """An empty folder for one audit."""
        folder = self.keep / "runs" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


def write_set(folder: Path, shown: Sequence[Scene], side: int = SIDE) -> Path:
    """Images of `side` pixels with a table of captions and groups, as a person would bring them; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file,caption,group"]
    for index, scene in enumerate(shown):
        name = f"image-{index:03d}.png"
        image(scene, side).save(folder / name)
        lines.append(f"{name},{scene.caption},{scene.group}")
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    return folder


def take_in(folder: Path, store: Path) -> Dataset:
    """The folder as a data set."""
    return ingest([folder], store=store)


def prepared(folder: Path, dataset: Dataset, model: Model, spec: ModelSpec, wish: Wish, seed: int) -> Run:
    """A run of all images that hasn't begun."""
    plan = planned(
        dataset=dataset.id,
        dataset_root=str(dataset.root),
        images=tuple(image.id for image in dataset.images),
        model=spec,
        texts=TextPlan(
            captions=wish.captions, classes=wish.classes, templates=(TEMPLATE,), top_classes=wish.top_classes
        ),
        methods=tuple(MethodPlan(name=name, options=options) for name, options in wish.methods),
        applications=tuple(
            ApplicationPlan(name=name, options=options) for name, options in wish.applications if name in APPLICATIONS
        ),
        trust=TrustPlan(curves=wish.curves, steps=8, coalitions=64 if wish.curves else 0, resamples=500),
        seed=seed,
        shard=4,
    )
    return create_run(folder / "run", plan)


def audited(run: Run, model: Model, wish: Wish) -> dict[str, Any]:
    """Do the work of a run and judge it: its state, its findings, and what couldn't be run."""
    state = work(run, model=model, report=False)
    manifest = run.manifest
    return {
        "run": run.folder.parent.name,
        "state": state,
        "findings": [told(finding) for finding in load_findings(run)],
        "lacking": [name for name, _ in wish.applications if name not in APPLICATIONS],
        "problems": manifest.get("application_problems", {}),
        "not_run": manifest.get("not_run", []),
        "image_forwards": manifest.get("cost", {}).get("image_forwards"),
    }


def told(finding: Finding) -> dict[str, Any]:
    """What a record keeps of a finding: all of it that says what was found, where and how gravely."""
    keep = {"id", "rule", "title", "status", "severity", "condition", "threshold", "evidence"}
    record = json.loads(finding.model_dump_json(include=keep))
    record["grade"] = None if finding.grade is None else round(finding.grade.value, 4)
    record["samples"] = [
        {"image_name": sample.image_name, "text": sample.text, "note": sample.note} for sample in finding.samples
    ]
    return record
