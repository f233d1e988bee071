"""A stage of an audit: an application run over a run's images, written below the run, complete or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from core.applications.registry import application
from core.applications.work.subject import Subject, Tell
from core.drafts import own_folder
from core.errors import InputError
from core.runs import ApplicationPlan, Run
from core.runs.files import base_name, file_digest
from core.runs.integrity import APPLICATIONS
from core.runs.results import file_sha256


def run_stage(subject: Subject, name: str, options: dict[str, Any], tell: Tell) -> Path:
    """Run one application and return its folder; its files and their SHA-256 are named in the run's manifest, and the
    images that it embedded for itself and for the stages after it, beside the forward passes that it took.

    The application's `work` writes into an empty folder. Raises whatever it raises; then nothing is left of it.
    """
    chosen = application(name).card.parse(options)
    part = ApplicationPlan(name=name, options=options)
    _check_files(subject.run, part)
    (subject.run.folder / APPLICATIONS).mkdir(exist_ok=True)
    before = len(subject.embedded)
    with own_folder(f".part-{name}-", subject.run.folder / APPLICATIONS) as draft:
        with subject.model.meter.measuring() as spent:
            application(name).work()(subject, chosen, draft, tell)
        target = subject.run.folder / APPLICATIONS / name
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    files = {
        path.relative_to(subject.run.folder).as_posix(): file_sha256(path)
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }
    told = subject.run.manifest.get(APPLICATIONS, {})
    subject.run.update_manifest(
        **{
            APPLICATIONS: {
                **told,
                name: {
                    "options": part.public(subject.run.plan.file_options(name)).options,
                    "files": files,
                    "image_forwards": spent.image,
                    "text_forwards": spent.text,
                    **({"embedded": embedded} if (embedded := subject.embedded[before:]) else {}),
                },
            }
        }
    )
    return target


def embed_again(subject: Subject, name: str, tell: Tell) -> None:
    """Embed what a stage of an earlier process embedded, in the same batches: the stages after it then record the same
    numbers and the same forward passes as without the interruption.
    """
    images = {image.id: image for image in subject.images}
    embedded = subject.run.manifest[APPLICATIONS][name].get("embedded", ())
    if known := [images[image] for image in embedded if image in images]:
        subject.embeddings(known, tell)


def _check_files(run: Run, part: ApplicationPlan) -> None:
    for option in run.plan.file_options(part.name):
        path = str(part.options.get(option, ""))
        if file_digest(path) != run.plan.files[f"{part.name}.{option}"]:
            raise InputError(
                f"{base_name(path)} ({option}) is missing or no longer the file that was planned; restore it"
            )
