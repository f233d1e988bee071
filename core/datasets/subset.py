"""A dataset of some of the images of another one, with all that is known of them."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from core.datasets.dataset import ANNOTATIONS, Dataset, dataset_id, save_manifest
from core.datasets.store import place, working_folder, writing
from core.errors import InputError


def subset(dataset: Dataset, images: Collection[str], store: Path, name: str) -> Dataset:
    """The images of `dataset` with these ids as a dataset of its own, captions, metadata and annotations too.

    Raises `InputError` if it has none of them, if a file is missing or damaged, or if the store cannot be written.
    """
    wanted = set(images)
    chosen = tuple(image for image in dataset.images if image.id in wanted)
    if not chosen:
        raise InputError("none of these images is in the dataset")
    names = {image.name for image in chosen}
    present = {column for image in chosen for column in image.metadata}
    with working_folder(store) as work, writing(store):
        part = Dataset(
            id=dataset_id(chosen),
            name=name,
            images=chosen,
            refusals=(),
            duplicates=tuple(one for one in dataset.duplicates if one.name in names and one.of in names),
            columns=tuple(column for column in dataset.columns if column in present),
            root=work,
        )
        for image in chosen:
            # Through the check of every reading: what was changed since the import is not passed on.
            dataset.open(image)
            shutil.copyfile(dataset.path(image), part.path(image))
        if dataset.annotations is not None:
            shutil.copyfile(dataset.annotations, work / ANNOTATIONS)
        save_manifest(part, work)
        return place(part, store)
