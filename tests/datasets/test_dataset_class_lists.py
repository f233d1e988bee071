"""A list of class names among images: kept with the dataset and no refused file; what is none is refused as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.datasets import Upload, ingest
from core.datasets.class_lists import class_names, is_class_name
from core.settings import LIMITS
from tests.datasets.made import coded, content, noise, zipped

A, B = coded(noise(0)), coded(noise(1))
LISTS = {
    "labels.txt": b"dog\ncat\nwild animal\n",
    "classes.names": b"dog\ncat\n",
    "labels.csv": b"dog\ncat\n",
    "numbered.txt": b"0 dog\n1 cat\n",
    "labels.json": b'["dog", "cat"]',
    "data.yaml": b"names: [dog, cat]\n",
    "imagenet.txt": b"tench, Tinca tinca\ngoldfish\n",
}
OTHERS = {
    "table.csv": b"id,label\n1,dog\n2,cat\n",
    "table.txt": b"id\tlabel\n1\tdog\n2\tcat\n",
    "files.txt": b"a.jpg\nb.jpg\n",
    "paths.txt": b"train/a\ntrain/b\n",
    "numbers.txt": b"2007_000032\n2007_000033\n",
    "notes.txt": b"These images were taken by us in May and June of last year\nin Berlin\n",
    "templates.txt": b"a photo of a {}.\nan image of a {}.\n",
    "one.txt": b"dog\n",
    "coco.json": b'{"categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}], "images": []}',
    "binary.txt": bytes(range(256)),
    "program.py": b"dog\ncat\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_short_lines_is_kept_with_the_dataset_and_is_not_refused(tmp_path: Path, name: str) -> None:
    dataset = ingest([Upload("a.png", A), Upload(name, LISTS[name])], store=tmp_path)
    assert dataset.refusals == () and dataset.class_names is not None
    assert dataset.class_names.read_text().splitlines()[0] in ("dog", "tench, Tinca tinca")
    (remark,) = dataset.remarks
    assert remark.name == name and "offered as names of classes when an audit is planned" in remark.reason
    # The images alone are the same dataset.
    assert ingest([Upload("a.png", A)], store=tmp_path / "other").id == dataset.id


@pytest.mark.parametrize("name", OTHERS)
def test_any_other_file_is_refused_with_its_reason(tmp_path: Path, name: str) -> None:
    dataset = ingest([Upload("a.png", A), Upload(name, OTHERS[name])], store=tmp_path)
    assert [refusal.name for refusal in dataset.refusals] == [name]
    assert dataset.class_names is None and not [one for one in dataset.remarks if "offered" in one.reason]


def test_lists_in_an_archive_and_a_second_import_of_the_same_images(tmp_path: Path) -> None:
    plain = ingest([Upload("a.png", A), Upload("b.png", B)], store=tmp_path)
    assert plain.class_names is None
    packed = zipped({"a.png": A, "b.png": B, "two.txt": b"owl\ncat\n", "one.txt": b"dog\ncat\n"})
    dataset = ingest([Upload("all.zip", packed)], store=tmp_path)
    # The stored dataset gets them although its images were there before.
    assert dataset.id == plain.id and plain.class_names is not None
    assert plain.class_names.read_text() == "dog\ncat\nowl\n"
    before = content(tmp_path)
    ingest([Upload("a.png", A), Upload("b.png", B)], store=tmp_path)
    assert content(tmp_path) == before


def test_what_is_a_name() -> None:
    assert all(map(is_class_name, ("dog", "St. Bernard", "Käfer", "wild animal", "COVID-19")))
    assert not any(map(is_class_name, ("", "12", "a" * 61, "one two three four five six seven", "x.jpg", "a\x07b")))
    assert class_names("long.txt", b"\n".join(b"name %d x" % at for at in range(LIMITS.texts + 1)), LIMITS) == ()
