"""Annotations that people bring: what is read, what is refused line by line, how they are kept with a data set."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from core.datasets import (
    Dataset,
    Upload,
    column_labels,
    drop_annotations,
    ingest,
    keep_annotations,
    labels_column,
    load_dataset,
    matched,
    read_annotations,
)
from core.errors import InputError
from core.settings import Limits
from tests.datasets.made import coded, content, folder_of, noise

IMAGES = [
    {"id": 1, "file_name": "a.png", "width": 40, "height": 32},
    {"id": 2, "file_name": "train/b.png", "width": 40, "height": 32},
    {"id": 3, "file_name": "elsewhere.png", "width": 9, "height": 9},
]
CATEGORIES = [{"id": 1, "name": "Dog"}, {"id": 2, "name": " red  car "}]
SQUARE = [2, 2, 10, 2, 10, 10, 2, 10]
OBJECTS = [
    {"image_id": 1, "category_id": 1, "segmentation": [SQUARE], "area": 64, "bbox": [2, 2, 8, 8]},
    {"image_id": 1, "category_id": 2, "bbox": [1, 1, 3, 4]},
    {"image_id": 2, "category_id": 1, "segmentation": {"size": [32, 40], "counts": [1000, 280]}, "iscrowd": 1},
    {"image_id": 2, "category_id": 1, "segmentation": {"size": [32, 40], "counts": "0PX1"}},
    {"image_id": 3, "category_id": 1, "bbox": [1, 1, 3, 4]},
]


def coco(**parts: Any) -> bytes:
    return json.dumps({"images": IMAGES, "categories": CATEGORIES, "annotations": OBJECTS, **parts}).encode()


def brought(data: bytes, name: str = "truth.json") -> Upload:
    return Upload(name, data)


def kept(data: bytes) -> bytes:
    return read_annotations(brought(data)).data


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    files = {f"{name}.png": coded(noise(number)) for number, name in enumerate("abc")}
    files["t.csv"] = b"file,Class,kind\na.png,Dog; cat,x\nb.png,,y\n"
    return ingest([folder_of(tmp_path / "given", files)], store=tmp_path / "store")


def test_objects_are_read_with_their_shapes(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_bytes(b"\xef\xbb\xbf" + coco())
    found = read_annotations(path)
    assert found.problems == ()
    assert found.sizes["b.png"] == (40, 32)
    first, second = found.objects["a.png"]
    assert (first.label, first.area, first.crowd, first.shape) == ("dog", 64.0, False, [SQUARE])
    # Without an outline the box is all that is known.
    assert (second.label, second.shape) == ("red  car", [[1, 1, 4, 1, 4, 5, 1, 5]])
    crowd, packed = found.objects["b.png"]
    assert crowd.crowd and crowd.shape["counts"] == [1000, 280]
    assert packed.shape == {"size": [32, 40], "counts": [0, 1280]}
    for other in (brought(path.read_bytes()), Upload("truth.json", path), Upload("truth.json", path.open("rb"))):
        assert read_annotations(other).objects == found.objects
        assert read_annotations(brought(coco())).sha256 != found.sha256


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is not valid JSON"),
        (b"\xff\xfe", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b'{"images": NaN}', "NaN is not a JSON number"),
        (b"[]", "no list of images and of categories and of annotations"),
        (b'{"images": [], "annotations": {}, "categories": []}', "no list of annotations"),
        (b"PK\x03\x04rest", "is an archive"),
    ],
)
def test_what_is_no_coco_file_is_one_line(data: bytes, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        read_annotations(brought(data))
    assert "\n" not in str(caught.value) and str(caught.value).startswith("truth.json")


def test_a_file_that_is_too_large_or_missing_is_one_line(tmp_path: Path) -> None:
    data = coco()
    assert read_annotations(brought(data), Limits(file_bytes=len(data))).problems == ()
    for source in (data, io.BytesIO(data)):
        with pytest.raises(InputError, match="is larger than"):
            read_annotations(Upload("t.json", source), Limits(file_bytes=len(data) - 1))
    with pytest.raises(InputError, match=r"nowhere\.json cannot be read \(No such file"):
        read_annotations(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("part", "entry", "told"),
    [
        ("images", {"id": 9, "width": 4, "height": 4}, "an image was left out: it has no 'file_name' (number 4)"),
        ("images", {"id": 9, "file_name": "z.png", "width": 0, "height": 4}, "is not a valid image size"),
        ("images", {"id": 9, "file_name": "z.png", "width": 10**9, "height": 1}, "is not a valid image size"),
        ("images", {"id": 9, "file_name": "other/a.png", "width": 4, "height": 4}, "the same file name"),
        ("images", {"id": [9], "file_name": "z.png", "width": 4, "height": 4}, "neither a number nor a text"),
        ("images", "a.png", "an image was left out"),
        ("categories", {"id": 9, "name": " "}, "its name is empty"),
        ("categories", {"id": 9, "name": "x" * 301}, "at most 300 characters"),
        ("annotations", {"image_id": 99, "category_id": 1, "bbox": [0, 0, 1, 1]}, "matches no image in the file"),
        ("annotations", {"image_id": 1, "category_id": 9, "bbox": [0, 0, 1, 1]}, "matches no category in the file"),
        ("annotations", {"image_id": 1, "category_id": 1}, "it has no 'bbox' (number 6)"),
        ("annotations", {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1]}, "an object was left out"),
        ("annotations", {"image_id": 1, "category_id": 1, "segmentation": [[1, 2, 3, 4]]}, "at least three corners"),
        ("annotations", {"image_id": 1, "category_id": 1, "segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "coordinate pairs"),
        ("annotations", {"image_id": 1, "category_id": 1, "segmentation": [[1, 2, 3, 4, 5, "inf"]]}, "finite"),
        (
            "annotations",
            {"image_id": 1, "category_id": 1, "segmentation": {"size": [32, 40], "counts": [5]}},
            "do not fill the image",
        ),
        (
            "annotations",
            {"image_id": 1, "category_id": 1, "segmentation": {"size": [40, 32], "counts": [1280]}},
            "of a different size",
        ),
        (
            "annotations",
            {"image_id": 1, "category_id": 1, "segmentation": {"size": [32, 40], "counts": "o"}},
            "the middle of a number",
        ),
    ],
)
def test_an_entry_that_cannot_be_used_is_left_out_and_named(dataset: Dataset, part: str, entry: Any, told: str) -> None:
    whole = {"images": IMAGES, "categories": CATEGORIES, "annotations": OBJECTS}
    found = read_annotations(brought(coco(**{part: [*whole[part], entry]})))
    (problem,) = found.problems
    assert told in problem and "\n" not in problem
    # Everything else was read all the same, and what was left out is known wherever the file is read again.
    assert [entry.label for entry in found.objects["a.png"]] == ["dog", "red  car"]
    assert problem in keep_annotations(dataset, found).doubts
    assert dataset.annotations is not None
    again = read_annotations(dataset.annotations)
    assert (again.objects, again.problems, again.original) == (found.objects, found.problems, found.original)
    # Companion: without the entry nothing is left out.
    assert read_annotations(brought(coco(**whole))).problems == ()


def test_one_problem_of_many_entries_is_told_once() -> None:
    wrong = [{"image_id": 99, "category_id": 1, "bbox": [0, 0, 1, 1]}] * 5 + [{"image_id": 1, "category_id": 1}]
    problems = read_annotations(brought(coco(annotations=wrong))).problems
    assert len(problems) == 2
    assert "(number 1, number 2, number 3 and 2 more)" in problems[0] and "(number 6)" in problems[1]


def test_a_file_is_kept_replaced_and_forgotten(dataset: Dataset) -> None:
    before = content(dataset.root)
    assert dataset.annotations is None
    found = keep_annotations(dataset, read_annotations(brought(coco())))
    assert (found.images, found.objects, found.elsewhere, found.doubts) == (2, 4, 1, ())
    assert found.categories == {"dog": 3, "red  car": 1}
    assert dataset.annotations is not None and dataset.annotations.read_bytes() == kept(coco())
    # It is no part of the data set's id, which earlier runs were planned with.
    assert load_dataset(dataset.root) == dataset
    assert content(dataset.root) == {**before, "annotations.json": kept(coco())}
    other = coco(annotations=OBJECTS[:1])
    keep_annotations(dataset, read_annotations(brought(other)))
    assert dataset.annotations.read_bytes() == kept(other)
    drop_annotations(dataset)
    drop_annotations(dataset)
    assert content(dataset.root) == before


def test_only_what_was_understood_is_kept(dataset: Dataset) -> None:
    """A file that is also a model's configuration: what nobody asked for is not there any more."""
    rich = [{**entry, "note": "<script>"} for entry in OBJECTS]
    data = coco(annotations=rich, model_cfg={"text_cfg": {"hf_tokenizer_name": "x"}}, info={"url": "http://x"})
    found = read_annotations(brought(data))
    keep_annotations(dataset, found)
    assert dataset.annotations is not None
    stored = json.loads(dataset.annotations.read_bytes())
    assert set(stored) == {"info", "images", "categories", "annotations"}
    assert (
        stored["info"] == {"original_sha256": hashlib.sha256(data).hexdigest()} == {"original_sha256": found.original}
    )
    known = {"image_id", "category_id", "area", "iscrowd", "segmentation"}
    assert all(set(entry) == known for entry in stored["annotations"])
    # What is read back is the same, and so is what is kept of it; each says which file a person brought.
    again = read_annotations(dataset.annotations)
    assert (again.objects, again.sizes, again.data) == (found.objects, found.sizes, found.data)
    assert (again.original, again.sha256) == (found.original, hashlib.sha256(found.data).hexdigest())
    # Companion: a file that was written by anyone else does not say so for another.
    changed = found.data.replace(b'"info":', b'"info" :')
    assert read_annotations(brought(changed)).original == hashlib.sha256(changed).hexdigest()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            coco(annotations=[OBJECTS[1]] * 30),
            "contains more than 20 entries; keep only the annotations of images in this dataset",
        ),
        (
            coco(annotations=[OBJECTS[0] | {"segmentation": [SQUARE * 8]}]),
            "contains outlines with more than 60 numbers",
        ),
        (b'{"images": [{"id": 1, "width": ' + b"9" * 5000 + b"}]}", "it is not valid JSON"),
    ],
)
def test_a_file_that_draws_too_much_is_one_line(data: bytes, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_annotations(brought(data), Limits(drawn_objects=20, drawn_numbers=60))
    assert read_annotations(brought(coco()), Limits(drawn_objects=20, drawn_numbers=60)).problems == ()


@pytest.mark.parametrize(
    "counts", [[10**9, -(10**9) + 1280], ["9" * 400], [int("9" * 400)], [1e999], [None], "~" * 40, [[1280]]]
)
def test_run_lengths_of_another_world_are_problems(counts: Any) -> None:
    entry = {"image_id": 1, "category_id": 1, "segmentation": {"size": [32, 40], "counts": counts}}
    huge = {"image_id": 1, "category_id": 1, "segmentation": {"size": [10**9, 10**9], "counts": [10**18]}}
    found = read_annotations(brought(coco(annotations=[entry, huge]).replace(b"Infinity", b"1e999")))
    assert found.objects == {} and found.problems


def test_a_file_about_other_images_is_refused_and_the_kept_one_stays(dataset: Dataset) -> None:
    keep_annotations(dataset, read_annotations(brought(coco())))
    with pytest.raises(InputError, match=r"annotates no image of this dataset; .* it names elsewhere\.png"):
        keep_annotations(dataset, read_annotations(brought(coco(annotations=OBJECTS[4:]))))
    assert content(dataset.root)["annotations.json"] == kept(coco())


def test_nothing_half_written_is_left(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(dataset.root)

    def fails(*_: object) -> None:
        raise OSError("full")

    monkeypatch.setattr("core.datasets.annotations.os.replace", fails)
    with pytest.raises(OSError, match="full"):
        keep_annotations(dataset, read_annotations(brought(coco())))
    assert content(dataset.root) == before


def test_doubts_about_shape_and_shared_names_are_told(tmp_path: Path) -> None:
    files = {"x/a.png": coded(noise(1)), "y/a.png": coded(noise(2)), "b.png": coded(noise(3))}
    dataset = ingest([folder_of(tmp_path / "given", files)], store=tmp_path / "store")
    turned = [IMAGES[0], {**IMAGES[1], "width": 32, "height": 40}]
    objects = [OBJECTS[0], {"image_id": 2, "category_id": 1, "bbox": [0, 0, 4, 4]}]
    found = matched(dataset, read_annotations(brought(coco(images=turned, annotations=objects))))
    assert (found.images, found.objects) == (3, 3)
    assert any("have the same file name" in doubt for doubt in found.doubts)
    assert any("a different size" in doubt and "b.png" in doubt for doubt in found.doubts)


def test_a_damaged_data_set_that_is_brought_again_keeps_its_annotations(dataset: Dataset, tmp_path: Path) -> None:
    keep_annotations(dataset, read_annotations(brought(coco())))
    dataset.path(dataset.images[0]).unlink()
    again = ingest([tmp_path / "given"], store=tmp_path / "store")
    assert again.root == dataset.root
    assert content(again.root)["annotations.json"] == kept(coco())


def test_the_column_of_labels_is_recognised(dataset: Dataset) -> None:
    assert dataset.columns == ("Class", "kind")
    assert labels_column(dataset) == "Class"
    assert labels_column(dataset, "kind") == "kind"
    assert labels_column(dataset, "colour") is None
    both = dataset.model_copy(update={"columns": ("category", "Class", "labels")})
    assert labels_column(both) == "labels"
    assert labels_column(both.model_copy(update={"columns": ("category", "Label")})) == "Label"
    assert labels_column(both.model_copy(update={"columns": ("kind",)})) is None
    first, second, third = dataset.images
    assert column_labels(first, "Class") == {"dog", "cat"}
    assert column_labels(second, "Class") is None and column_labels(third, "Class") is None


@pytest.mark.parametrize("key", [1, 1.0, "1", 2**40, "a-7", -3])
def test_ids_are_numbers_or_texts_of_any_kind(key: Any) -> None:
    other = str(key) if not isinstance(key, str) else key
    images = [{"id": key, "file_name": "a.png", "width": 40, "height": 32}]
    objects = [{"image_id": other.removesuffix(".0"), "category_id": 3.0, "bbox": [1, 1, 5, 5]}]
    found = read_annotations(brought(coco(images=images, categories=[{"id": "3", "name": "Cat"}], annotations=objects)))
    assert found.problems == () and [entry.label for entry in found.objects["a.png"]] == ["cat"]


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("cat; sofa", {"cat", "sofa"}),
        ("cat, sofa", {"cat", "sofa"}),
        ("cat|sofa", {"cat", "sofa"}),
        ("Cat", {"cat"}),
        ("great white shark, white shark", {"great white shark, white shark"}),
        ("great white shark, white shark; cat", {"great white shark, white shark", "cat"}),
        (7, {"7"}),
    ],
)
def test_labels_of_a_cell(value: Any, labels: set[str], dataset: Dataset) -> None:
    image = dataset.images[0].model_copy(update={"metadata": {"labels": value}})
    assert column_labels(image, "labels", {"great white shark, white shark", "cat"}) == labels
    # Companion: a comma separates where the whole is the name of no class.
    several = image.model_copy(update={"metadata": {"labels": "great white shark, white shark"}})
    assert column_labels(several, "labels") == {"great white shark", "white shark"}
