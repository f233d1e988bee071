"""Label maps as annotations: the numbers of pixels come back, whatever the kind of PNG; what is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.applications.truth import Truth
from core.cli import main
from core.datasets import Dataset, ingest, read_label_maps
from core.datasets.label_maps import run_lengths
from core.datasets.run_lengths import mask_of
from core.errors import InputError
from core.settings import Limits
from tests.datasets.made import coded, folder_of, noise


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    files = {"a.png": coded(noise(1)), "b.png": coded(noise(2)), "c.png": coded(noise(3))}
    return ingest([folder_of(tmp_path / "in", files)], store=tmp_path / "store")


def drawn(kind: str) -> tuple[NDArray[np.int64], Image.Image]:
    values = np.zeros((32, 40), dtype=np.int64)
    values[2:12, 3:20], values[20:30, 8:39], values[5:8, 30:34] = 1, 7, 200
    if kind == "I;16":
        values[values == 200] = 40_000
        return values, Image.fromarray(values.astype(np.uint16))
    image = Image.fromarray(values.astype(np.uint8))
    if kind == "P":
        image.putpalette([255 - at % 256 for at in range(768)])
    return values, image


@pytest.mark.parametrize("kind", ["L", "P", "I;16"])
def test_the_numbers_of_the_pixels_come_back(kind: str, dataset: Dataset, tmp_path: Path) -> None:
    values, image = drawn(kind)
    folder = tmp_path / "maps"
    folder.mkdir()
    image.save(folder / "a.png")
    image.save(folder / "other.png")
    (folder / "labels.csv").write_text("number,name\n7,Sea shore\n")
    found = read_label_maps(folder, dataset)
    entry = next(image for image in dataset.images if image.name.endswith("a.png"))
    numbers = sorted(set(values.ravel().tolist()) - {0})
    names = ["sea shore" if number == 7 else f"region {number}" for number in numbers]
    assert found.problems == () and sorted({each.label for each in found.of(entry) or ()}) == sorted(names)
    mask = Truth(found).mask(entry, names, (40, 32))
    assert mask is not None
    lookup = np.array([0, *numbers])
    assert (lookup[mask] == values).all() and not (lookup[mask].T[:32, :32] == values[:32, :32]).all()
    assert list(found.objects) == ["a.png"], "a map of no image of the dataset is left out"


def test_run_lengths_are_read_back_as_the_mask() -> None:
    random = np.random.default_rng(0)
    for mask in (random.random((7, 5)) < 0.4, np.ones((3, 4), bool), np.zeros((3, 4), bool)):
        runs = run_lengths(mask)
        assert (mask_of(mask.shape, runs) == mask).all()
        assert sum(runs) == mask.size


@pytest.mark.parametrize("name", ["b.png", "b.png.png", "b.jpg.png"])
def test_a_map_belongs_to_the_image_of_its_name(name: str, dataset: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    drawn("L")[1].save(folder / name)
    if name == "b.jpg.png":
        with pytest.raises(InputError, match="contains no label map of an image of this dataset"):
            read_label_maps(folder, dataset)
        return
    assert list(read_label_maps(folder, dataset).objects) == ["b.png"]


def test_maps_are_found_by_the_stem_of_images_with_another_ending(tmp_path: Path) -> None:
    files = {"a.jpg": coded(noise(1), "JPEG"), "b.jpg": coded(noise(2), "JPEG"), "b.png": coded(noise(3))}
    dataset = ingest([folder_of(tmp_path / "in", files)], store=tmp_path / "store")
    folder = tmp_path / "maps"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        drawn("L")[1].save(folder / name)
    # Two images have the stem "b": the map is that of the one with its whole name.
    assert sorted(read_label_maps(folder, dataset).objects) == ["a.jpg", "b.png"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (coded(noise(1)), "is a colour image; save it as a label map"),
        (b"no image at all", "is not a PNG file"),
        (coded(drawn("L")[1])[:90], "is damaged and cannot be decoded"),
    ],
)
def test_what_is_no_label_map_is_refused_in_one_line(data: bytes, said: str, dataset: Dataset, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "maps", {"a.png": data})
    with pytest.raises(InputError) as refused:
        read_label_maps(folder, dataset)
    assert said in str(refused.value) and str(refused.value).startswith("a.png ") and "\n" not in str(refused.value)


def test_a_map_beyond_the_limits_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "maps", {"a.png": coded(drawn("L")[1])})
    with pytest.raises(InputError, match="larger than an image may be"):
        read_label_maps(folder, dataset, Limits(pixels=100))
    with pytest.raises(InputError, match="more edges than are accepted"):
        read_label_maps(folder, dataset, Limits(drawn_numbers=10))


def test_names_that_cannot_be_used_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "maps", {"a.png": coded(drawn("L")[1]), "labels.csv": b"number,name\nx,sea\n"})
    with pytest.raises(InputError, match=r"labels.csv, row 2: give a whole number and a name"):
        read_label_maps(folder, dataset)


def test_an_audit_takes_a_folder_of_label_maps_and_refuses_one_without_a_match(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = folder_of(tmp_path / "in", {"a.png": coded(noise(1))})
    maps = folder_of(tmp_path / "maps", {"x.png": coded(drawn("L")[1])})
    (tmp_path / "p.txt").write_text("a photo\n")
    given = ["audit", "--images", str(images), "--texts", str(tmp_path / "p.txt"), "--annotations", str(maps)]
    assert main([*given, "--methods", "raw", "--applications", "none", "--out", str(tmp_path / "run")]) == 2
    assert "maps contains no label map of an image of this dataset" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
