"""The stored data set: loading, identity, thumbnails."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from pydantic import ValidationError

from core.datasets import Dataset, Upload, ingest, load_dataset
from core.datasets.dataset import dataset_id
from core.errors import InputError
from tests.datasets.made import coded, content, noise


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    table = Upload("t.csv", "image,caption,k,x\na.png,ein Käfer,1,0.5\nb.png,two,2,\n".encode())
    uploads = [Upload("a.png", coded(noise(1, 60, 40))), Upload("b.png", coded(noise(2)))]
    return ingest(uploads, table=table, store=tmp_path / "store")


def test_load_gives_the_same(dataset: Dataset) -> None:
    loaded = load_dataset(dataset.root)
    assert loaded == dataset
    assert loaded.images[0].metadata == {"k": 1, "x": 0.5}
    assert type(loaded.images[0].metadata["k"]) is int


def test_a_moved_folder_loads(dataset: Dataset, tmp_path: Path) -> None:
    assert str(tmp_path) not in (dataset.root / "dataset.json").read_text(encoding="utf-8")
    moved = load_dataset(Path(shutil.move(dataset.root, tmp_path / "elsewhere")))
    assert moved.root == tmp_path / "elsewhere"
    assert moved.open(moved.images[0]).size == (60, 40)
    assert moved.id == dataset.id


def test_it_is_frozen(dataset: Dataset) -> None:
    with pytest.raises(ValidationError):
        dataset.name = "other"  # type: ignore[misc]


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not contain a complete dataset"):
        load_dataset(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="does not contain a complete dataset"):
        load_dataset(tmp_path / "file")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"id": 3}', "[" * 100_000, "\xff"])
def test_damaged(dataset: Dataset, text: str) -> None:
    (dataset.root / "dataset.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="damaged"):
        load_dataset(dataset.root)


def test_changed(dataset: Dataset) -> None:
    path = dataset.root / "dataset.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(record), encoding="utf-8")
    load_dataset(dataset.root)  # only its spacing differs
    record["images"][0]["captions"] = ["another"]
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match="was changed"):
        load_dataset(dataset.root)
    record["images"][0]["id"] = "../../../../etc/x"
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        load_dataset(dataset.root)


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_image_is_missing(dataset: Dataset, how: str) -> None:
    path = dataset.path(dataset.images[1])
    path.unlink() if how == "gone" else path.write_bytes(b"")
    with pytest.raises(InputError, match=r"lacks 1 of its images \(b\.png"):
        load_dataset(dataset.root)
    with pytest.raises(InputError, match="missing or damaged"):
        dataset.open(dataset.images[1])


def test_the_id_covers_everything_but_order(dataset: Dataset) -> None:
    first, second = dataset.images
    assert dataset_id([first, second]) == dataset_id([second, first]) == dataset.id
    for change in ({"name": "x"}, {"captions": ("x",)}, {"metadata": {"k": 2}}, {"id": "0" * 16}):
        assert dataset_id([first.model_copy(update=change), second]) != dataset.id
    # The file that the pixels came in is not part of it.
    assert dataset_id([first.model_copy(update={"sha256": "x", "format": "BMP", "bytes": 1}), second]) == dataset.id


def test_thumbnails(dataset: Dataset) -> None:
    path = dataset.thumbnail(dataset.images[0], side=30)
    with Image.open(path) as image:
        assert (image.format, image.size) == ("JPEG", (30, 20))
    before = path.stat().st_mtime_ns
    assert dataset.thumbnail(dataset.images[0], side=30) == path
    assert path.stat().st_mtime_ns == before
    other = dataset.thumbnail(dataset.images[0])
    with Image.open(other) as image:
        assert image.size == (60, 40)  # never enlarged
    assert {name for name in content(dataset.root) if name.startswith("thumbnails/")} == {
        path.relative_to(dataset.root).as_posix(),
        other.relative_to(dataset.root).as_posix(),
    }
    assert load_dataset(dataset.root) == dataset


@pytest.mark.parametrize("side", [0, -1, 5000])
def test_thumbnail_sides(dataset: Dataset, side: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 4096"):
        dataset.thumbnail(dataset.images[0], side)


# -- the stored image against its id -------------------------------------------------------------------------------


def test_another_image_under_an_id_is_not_opened(dataset: Dataset) -> None:
    first, second = dataset.images
    whole = dataset.path(first).read_bytes()
    assert dataset.open(first).size == (60, 40)
    # Of another size, of the same size, and the same image but for one bit of one pixel.
    changed = dataset.open(first)
    red, green, blue = changed.getpixel((7, 7))  # type: ignore[misc]
    changed.putpixel((7, 7), (red ^ 1, green, blue))
    for image in (dataset.open(second), noise(9, 60, 40), changed):
        image.save(dataset.path(first), "PNG")
        with pytest.raises(InputError, match="no longer shows the image that was imported"):
            dataset.open(first)
    dataset.path(first).write_bytes(whole)
    # The same pixels in another file are the same image.
    noise(1, 60, 40).save(dataset.path(first), "PNG", compress_level=9)
    assert dataset.open(first).size == (60, 40)


def test_a_thumbnail_is_never_made_of_another_image(dataset: Dataset) -> None:
    first, second = dataset.images
    shutil.copyfile(dataset.path(second), dataset.path(first))
    with pytest.raises(InputError, match="no longer shows"):
        dataset.thumbnail(first)


def test_what_lies_in_the_place_of_an_image_is_never_waited_for(dataset: Dataset) -> None:
    first = dataset.images[0]
    dataset.path(first).unlink()
    os.mkfifo(dataset.path(first))
    with pytest.raises(InputError, match="missing or damaged"):
        dataset.open(first)
    dataset.path(first).unlink()
    dataset.path(first).symlink_to("/dev/zero")
    with pytest.raises(InputError, match="missing or damaged"):
        dataset.open(first)
