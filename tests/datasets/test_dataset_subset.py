"""Some images of a dataset as a dataset of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.datasets import Dataset, ingest, keep_annotations, load_dataset, read_annotations, subset
from core.errors import InputError
from tests.audit.small import draw_images


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Four images with captions and a column."""
    drawn = draw_images(tmp_path / "drawn", 4)
    rows = ["file,caption,site", *(f"drawn-{at}.png,caption {at},{'north' if at else 'south'}" for at in range(4))]
    (drawn / "captions.csv").write_text("\n".join(rows) + "\n")
    return ingest([drawn], store=tmp_path / "store", name="whole")


def test_a_part_has_all_that_is_known_of_its_images(dataset: Dataset, tmp_path: Path) -> None:
    chosen = [dataset.images[2], dataset.images[0]]
    part = subset(dataset, [image.id for image in chosen], tmp_path / "store", "part")
    assert part.images == (dataset.images[0], dataset.images[2]) and part.name == "part"
    assert part.root == tmp_path / "store" / part.id and load_dataset(part.root).images == part.images
    assert part.id != dataset.id and part.columns == dataset.columns
    for image in part.images:
        assert np.array_equal(np.asarray(part.open(image)), np.asarray(dataset.open(image)))
    assert len(list(part.path(part.images[0]).parent.iterdir())) == 2
    # The same images are the same dataset; other images are another one.
    assert subset(dataset, [image.id for image in chosen], tmp_path / "store", "again").id == part.id
    assert subset(dataset, [dataset.images[1].id], tmp_path / "store", "other").id != part.id


def test_annotations_come_with_the_images(dataset: Dataset, tmp_path: Path) -> None:
    table = tmp_path / "boxes.csv"
    size = (dataset.images[0].width, dataset.images[0].height)
    table.write_text(
        "image,phrase,x,y,w,h,image_width,image_height\n"
        + f"{dataset.images[0].name},thing,1,1,4,4,{size[0]},{size[1]}\n"
    )
    keep_annotations(dataset, read_annotations(table))
    part = subset(dataset, [dataset.images[0].id], tmp_path / "store", "part")
    assert part.annotations is not None and dataset.annotations is not None
    assert part.annotations.read_bytes() == dataset.annotations.read_bytes()


def test_none_of_the_images_and_a_damaged_one_are_refused_in_one_line(dataset: Dataset, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with pytest.raises(InputError, match="none of these images"):
        subset(dataset, ["0" * 16], store, "none")
    dataset.path(dataset.images[0]).write_bytes(b"no image")
    with pytest.raises(InputError, match="missing or damaged"):
        subset(dataset, [dataset.images[0].id], store, "damaged")
    assert [folder.name for folder in store.iterdir()] == [dataset.id]
