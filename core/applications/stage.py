"""A stage of an audit: an application run over a run's pictures, written below the run, complete or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image

from core.attribution.kept import KeptCrops
from core.datasets import Picture
from core.drafts import draft_folder
from core.errors import InputError
from core.methods.applications import application_info
from core.models.model import Model
from core.runs import ApplicationPlan, Run
from core.runs.files import base_name, file_digest
from core.runs.results import file_sha256

Tell = Callable[[str], None]
FOLDER = "applications"


@dataclass(frozen=True)
class Subject:
    """What a stage works on: the loaded model, the run's pictures and texts, and what the methods left for it."""

    run: Run
    model: Model
    kept: KeptCrops = field(default_factory=KeptCrops)

    @cached_property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures of the plan, in its order."""
        known = {picture.id: picture for picture in self.run.dataset.pictures}
        return tuple(known[image] for image in self.run.plan.images)

    def open(self, picture: Picture) -> Image.Image:
        """The pixels of a picture, RGB."""
        return self.run.dataset.open(picture)

    def texts(self, picture: Picture) -> list[str]:
        """The captions and prompts that the plan explains this picture with, each once."""
        plan = self.run.plan.texts
        captions = picture.captions[: plan.captions_each] if plan.captions else ()
        return list(dict.fromkeys([*captions, *plan.prompts]))


def run_stage(subject: Subject, name: str, options: dict[str, Any], tell: Tell) -> Path:
    """Run one application and return its folder; its files and their SHA-256 are named in the run's manifest.

    A module of `core.applications` called `name` has `work(subject, options, out, tell)`, which writes into the empty
    folder `out`. Raises whatever it raises; then nothing is left of it.
    """
    info = application_info(name)
    chosen = info.parse(options)
    part = ApplicationPlan(name=name, options=options)
    _check_files(subject.run, part)
    (subject.run.folder / FOLDER).mkdir(exist_ok=True)
    draft = draft_folder(f".part-{name}-", subject.run.folder / FOLDER)
    try:
        import_module(f"core.applications.{name}").work(subject, chosen, draft, tell)
        target = subject.run.folder / FOLDER / name
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    files = {
        path.relative_to(subject.run.folder).as_posix(): file_sha256(path)
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }
    told = subject.run.manifest.get(FOLDER, {})
    subject.run.update_manifest(**{FOLDER: {**told, name: {"options": part.public().options, "files": files}}})
    return target


def _check_files(run: Run, part: ApplicationPlan) -> None:
    for option, path in part.files():
        planned = run.plan.files.get(f"{part.name}.{option}")
        if planned and file_digest(path) != planned:
            raise InputError(
                f"{base_name(path)} ({option}) is missing or no longer the file that was planned; restore it"
            )
