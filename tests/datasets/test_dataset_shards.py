"""Shards of images: WebDataset tars, Parquet with image bytes, texts beside images, and what is refused of them."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.datasets import Dataset, ingest
from core.datasets.sources import Upload
from core.errors import InputError
from core.settings import Limits
from tests.datasets.made import coded, noise, zipped
from tests.datasets.made_shards import image_parquet, tarred

SHARD = {
    "000000.jpg": coded(noise(0), "JPEG"),
    "000000.txt": b"a red cat\n",
    "000000.json": json.dumps({"caption": "a red cat", "url": "x.org", "width": 40, "exif": {"a": 1}}).encode(),
    "000000.cls": b"7",
    "000001.png": coded(noise(1)),
    "000001.txt": b"ein Hund\nun perro\n",
}


def taken(path: Path, tmp_path: Path, **options: Any) -> Dataset:
    return ingest([path], store=tmp_path / "store", **options)


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def described(made: Dataset) -> dict[str, tuple[tuple[str, ...], dict[str, Any]]]:
    return {image.name: (image.captions, dict(image.metadata)) for image in made.images}


WANTED = {
    "000000.jpg": (("a red cat",), {"url": "x.org", "width": 40, "cls": 7}),
    "000001.png": (("ein Hund", "un perro"), {"url": None, "width": None, "cls": None}),
}


def test_a_webdataset_shard_gives_images_captions_and_metadata(tmp_path: Path) -> None:
    (tmp_path / "shard-0.tar").write_bytes(tarred(SHARD))
    made = taken(tmp_path / "shard-0.tar", tmp_path)
    assert described(made) == WANTED and made.refusals == () and made.name == "shard-0"
    assert np.array_equal(np.asarray(made.open(made.images[1])), np.asarray(noise(1)))


@pytest.mark.parametrize("form", ["folder", "zip", "upload", "stream"])
def test_the_same_texts_beside_images_elsewhere(form: str, tmp_path: Path) -> None:
    if form == "folder":
        source: Any = written(tmp_path / "photos", SHARD)
    elif form == "zip":
        source = written(tmp_path, {"photos.zip": zipped(SHARD)}) / "photos.zip"
    else:
        source = Upload("x.tar", tarred(SHARD) if form == "upload" else io.BytesIO(tarred(SHARD)))
    made = ingest([source], store=tmp_path / "store")
    assert described(made) == WANTED and made.refusals == ()


def test_shards_in_a_folder_keep_their_names_apart(tmp_path: Path) -> None:
    other = {"000000.jpg": coded(noise(5), "JPEG"), "000000.txt": b"another"}
    made = taken(written(tmp_path / "d", {"a-0.tar": tarred(SHARD), "a-1.tar": tarred(other)}), tmp_path)
    assert {name: captions for name, (captions, _) in described(made).items()} == {
        "a-0/000000.jpg": ("a red cat",),
        "a-0/000001.png": ("ein Hund", "un perro"),
        "a-1/000000.jpg": ("another",),
    }


def test_what_is_not_read_of_a_tar_is_told(tmp_path: Path) -> None:
    files = {
        "1.png": coded(noise(1)), "1.pyd": pickle.dumps({"a": 1}), "2.pth": b"PK\x03\x04", "3.tar": tarred({"x": b"y"}),
        "1.json": b"[1, 2]",
    }  # fmt: skip
    links = {"link": {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "pipe": {"type": tarfile.FIFOTYPE}}
    (tmp_path / "x.tar").write_bytes(tarred(files, **links))
    made = taken(tmp_path / "x.tar", tmp_path)
    told = {refusal.name: refusal.reason for refusal in made.refusals}
    assert [image.name for image in made.images] == ["1.png"]
    assert told["1.pyd"] == told["2.pth"] and "may hold a pickle, which runs code when it is read" in told["1.pyd"]
    assert told["link"].startswith("is a link") and told["pipe"].startswith("is not a regular file")
    assert "archive inside another file" in told["3.tar"]
    assert "1.json" in told["texts beside images in x"] and "not an object" in told["texts beside images in x"]


def test_boxes_beside_images_are_no_captions(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "yolo",
        {"a.png": coded(noise(1)), "a.txt": b"0 0.5 0.5 0.25 0.1\n14 0.1 0.2 0.3 0.4\n", "b.png": coded(noise(2)),
         "b.txt": "\u00e9t\u00e9".encode("latin-1")},
    )  # fmt: skip
    made = taken(folder, tmp_path)
    assert all(image.captions == () for image in made.images)
    reasons = " ".join(refusal.reason for refusal in made.refusals)
    assert "boxes as YOLO writes them" in reasons and "a.txt" in reasons
    assert "not UTF-8" in reasons and "b.txt" in reasons


@pytest.mark.parametrize("cut", [700, 1500])
def test_a_tar_that_breaks_off_is_told(cut: int, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(tarred({"1.png": coded(noise(1, 200, 200))})[:cut])
    with pytest.raises(InputError, match=r"cut off|damaged tar") as caught:
        taken(tmp_path / "x.tar", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_tar_within_limits(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(tarred({f"{at}.txt": b"x" for at in range(30)}))
    with pytest.raises(InputError, match="lists more than 20 files"):
        taken(tmp_path / "x.tar", tmp_path, limits=Limits(files=20))
    entry = tarfile.TarInfo("1.png")
    entry.size = 2**45  # declared; the file itself is small
    (tmp_path / "y.tar").write_bytes(entry.tobuf() + bytes(1024))
    with pytest.raises(InputError, match=r"lists more than 2 GiB|cut off|damaged"):
        taken(tmp_path / "y.tar", tmp_path)


def test_a_parquet_file_with_images_names_its_classes(tmp_path: Path) -> None:
    images = [coded(noise(at)) for at in range(5)]
    data = image_parquet(
        images, [f"{at}.png" for at in range(5)], ["cat", "dog"], group=2, label=[0, 1, 1, -1, None],
        caption=["one", "two", None, "four", "7.50"], n=[1, 2, 3, 4, 5],
    )  # fmt: skip
    (tmp_path / "train.parquet").write_bytes(data)
    made = taken(tmp_path / "train.parquet", tmp_path)
    assert described(made) == {
        "0.png": (("one",), {"label": "cat", "n": 1}),
        "1.png": (("two",), {"label": "dog", "n": 2}),
        "2.png": ((), {"label": "dog", "n": 3}),
        "3.png": (("four",), {"label": None, "n": 4}),
        "4.png": (("7.50",), {"label": None, "n": 5}),
    }
    for at, image in enumerate(made.images):
        assert np.array_equal(np.asarray(made.open(image)), np.asarray(noise(at)))
    assert made.refusals == ()


@pytest.mark.parametrize("binary", [False, True])
def test_rows_without_a_path_of_their_own_are_numbered(binary: bool, tmp_path: Path) -> None:
    images = [coded(noise(at)) for at in range(3)]
    paths = None if binary else ["a.png", "a.png", "b.png"]
    folder = written(
        tmp_path / "data",
        {"train-0.parquet": image_parquet(images, paths, binary=binary, text=["x", "y", "z"]),
         "train-1.parquet": image_parquet([coded(noise(9))], binary=binary, text=["w"])},
    )  # fmt: skip
    made = taken(folder, tmp_path)
    ending = "" if binary else ".png"
    assert {name: captions for name, (captions, _) in described(made).items()} == {
        f"train-0/000000{ending}": ("x",),
        f"train-0/000001{ending}": ("y",),
        f"train-0/000002{ending}": ("z",),
        "train-1/000000": ("w",),
    }


def test_a_row_without_an_image_or_with_a_bad_one_is_refused_alone(tmp_path: Path) -> None:
    data = image_parquet([coded(noise(1)), None, b"no image"], label=[0, 1, 1])
    (tmp_path / "x.parquet").write_bytes(data)
    made = taken(tmp_path / "x.parquet", tmp_path)
    told = {refusal.name: refusal.reason for refusal in made.refusals}
    assert len(made.images) == 1 and set(told) == {"000001", "000002"}
    assert "without the bytes of an image" in told["000001"] and "not an image" in told["000002"]


def test_a_large_row_group_is_read_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.datasets import image_parquet as module

    calls = []
    plain = module.Images._read

    def counted(self: Any, group: int, first: int) -> Any:
        calls.append((group, first))
        return plain(self, group, first)

    monkeypatch.setattr(module.Images, "_read", counted)
    (tmp_path / "x.parquet").write_bytes(image_parquet([coded(noise(at)) for at in range(6)], group=3))
    assert len(taken(tmp_path / "x.parquet", tmp_path).images) == 6
    assert calls == [(0, 0), (1, 0)]


def test_a_parquet_file_of_too_many_images_or_damaged(tmp_path: Path) -> None:
    data = image_parquet([coded(noise(at)) for at in range(6)])
    (tmp_path / "x.parquet").write_bytes(data)
    with pytest.raises(InputError, match="has 6 images; at most 5"):
        taken(tmp_path / "x.parquet", tmp_path, limits=Limits(files=5))
    (tmp_path / "y.parquet").write_bytes(data[:-200] + bytes(200))
    with pytest.raises(InputError, match="Parquet"):
        taken(tmp_path / "y.parquet", tmp_path)


def test_a_parquet_table_without_images_stays_a_table(tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame({"image": ["a.png"], "caption": ["true"]})
    folder = written(tmp_path / "d", {"a.png": coded(noise(1))})
    frame.to_parquet(folder / "t.parquet")
    assert described(taken(folder, tmp_path)) == {"a.png": (("true",), {})}


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_a_hugging_face_image_folder(name: str, tmp_path: Path) -> None:
    rows = [("train/cat/1.png", "a cat"), ("train/dog/1.png", "a dog")]
    lines = (
        "".join(json.dumps({"file_name": path, "text": text}) + "\n" for path, text in rows)
        if name.endswith("l")
        else "file_name,text\n" + "".join(f"{path},{text}\n" for path, text in rows)
    )
    files = {path: coded(noise(at)) for at, (path, _) in enumerate(rows)} | {name: lines.encode()}
    made = taken(written(tmp_path / "d", files), tmp_path)
    assert described(made) == {path: ((text,), {}) for path, text in rows}
