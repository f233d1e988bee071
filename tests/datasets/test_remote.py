"""Images behind a URL: what is listed and read is the same as from a folder; what cannot be had is told in one line."""

from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image

from core.datasets import Dataset, Remote, ingest, remote, source
from core.errors import InputError
from core.settings import LIMITS
from tests.support.buckets import bucket as bucket
from tests.support.buckets import memory as memory


def png(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG")
    return stream.getvalue()


FILES = {"boats/a.png": png(0), "boats/b.png": png(1), "c.png": png(2), ".DS_Store": b"x", "notes.bin": b"\x00\x01"}
TABLE = b"image,caption,light\nboats/a.png,a boat,day\nc.png,a cat,night\n"


def stored(files: Any, root: str, contents: dict[str, bytes]) -> None:
    for name, data in contents.items():
        files.pipe_file(f"{root}/{name}", data)


def on_disk(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def plain(dataset: Dataset) -> Any:
    """Everything that a dataset says, but where it lies."""
    return dataset.model_copy(update={"root": Path()})


def test_a_folder_by_url_gives_the_dataset_of_the_same_folder_on_disk(memory: Any, tmp_path: Path) -> None:
    stored(memory, "/lake/photos", {**FILES, "table.csv": TABLE})
    folder = on_disk(tmp_path / "photos", {**FILES, "table.csv": TABLE})
    there = ingest([Remote("memory://lake/photos")], store=tmp_path / "one")
    here = ingest([folder], store=tmp_path / "two")
    assert plain(there) == plain(here)
    assert [image.name for image in there.images] == ["boats/a.png", "boats/b.png", "c.png"]
    assert {image.name: image.captions for image in there.images}["c.png"] == ("a cat",)
    assert [refusal.name for refusal in there.refusals] == ["notes.bin"]
    # The companion: another image is another dataset.
    memory.pipe_file("/lake/photos/c.png", png(3))
    assert ingest([Remote("memory://lake/photos")], store=tmp_path / "three").id != here.id


def test_a_single_image_and_a_table_by_url(memory: Any, tmp_path: Path) -> None:
    stored(memory, "/lake", {"c.png": FILES["c.png"], "list.csv": b"image,caption\nc.png,a cat\n"})
    dataset = ingest([Remote("memory://lake/c.png")], store=tmp_path, table=Remote("memory://lake/list.csv"))
    assert [(image.name, image.captions) for image in dataset.images] == [("c.png", ("a cat",))]


def test_an_archive_and_a_shard_are_read_and_their_copies_are_removed(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote.TemporaryDirectory, "__init__", _in(tmp_path / "copies"))
    (tmp_path / "copies").mkdir()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.png", FILES["boats/a.png"])
    shard = io.BytesIO()

    with tarfile.open(fileobj=shard, mode="w") as tar:
        about = tarfile.TarInfo("b.png")
        about.size = len(FILES["boats/b.png"])
        tar.addfile(about, io.BytesIO(FILES["boats/b.png"]))
    stored(memory, "/lake", {"packed.zip": packed.getvalue(), "shards/one.tar": shard.getvalue()})
    dataset = ingest([Remote("memory://lake/packed.zip"), Remote("memory://lake/shards")], store=tmp_path / "store")
    assert [image.name for image in dataset.images] == ["a.png", "one/b.png"]
    assert list((tmp_path / "copies").iterdir()) == []


def _in(folder: Path) -> Any:
    usual = remote.TemporaryDirectory.__init__
    return lambda self, **given: usual(self, **given, dir=folder)


def test_archives_count_together(memory: Any, tmp_path: Path) -> None:
    stored(memory, "/lake", {"one.tar": b"x" * 3000, "two.tar": b"x" * 3000, "c.png": FILES["c.png"]})
    dataset = ingest([Remote("memory://lake")], store=tmp_path, limits=replace(LIMITS, total_bytes=5800))
    told = {refusal.name: refusal.reason for refusal in dataset.refusals}
    assert told["two.tar"].startswith("brings the import above") and "brings" not in told["one.tar"]


def test_more_files_than_allowed_end_the_import(memory: Any, tmp_path: Path) -> None:
    stored(memory, "/lake", {f"{at}.png": b"x" for at in range(5)})
    with pytest.raises(InputError, match=r"^memory://lake has more than 4 files; split them into several datasets$"):
        ingest([Remote("memory://lake")], store=tmp_path, limits=replace(LIMITS, files=4))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("memory://nothing/here", "memory://nothing/here cannot be found; check the URL"),
        ("odd://user:key@host/x?sig=1", "odd://host/x has a protocol that is not known: odd"),
        ("zip://a.png::memory://x.zip", "zip://a.png::memory://x.zip is a chain of file systems"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(memory: Any, tmp_path: Path, url: str, told: str) -> None:
    with pytest.raises(InputError, match=f"^{told}") as caught:
        ingest([Remote(url)], store=tmp_path)
    assert "\n" not in str(caught.value) and "key" not in str(caught.value) and "sig" not in str(caught.value)


def test_a_missing_package_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(url: str) -> Any:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lacks)
    monkeypatch.setattr(remote, "missing", lambda name, extra: f"needs {name}, in {extra}")
    with pytest.raises(InputError, match=r"^s3://bucket/x needs s3fs, in s3$"):
        ingest([Remote("s3://bucket/x")], store=tmp_path)


def test_errors_of_a_file_system_are_told_without_its_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def isfile(self, path: str) -> bool:
            return path.endswith(".png")

        def walk(self, path: str, on_error: str) -> Any:
            raise RuntimeError("403 at 'https://me:secret@host/x?Signature=abc'\nmore")

        def open(self, path: str, mode: str) -> Any:
            raise RuntimeError("time out at https://me:secret@host/x.png?Signature=abc")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda url: (Broken(), "host/x" + url[-4:].replace("host", "")))
    with pytest.raises(InputError, match=r"^far://host cannot be listed \(403 at 'https://host/x'\); check the URL"):
        ingest([Remote("far://me:secret@host")], store=tmp_path)
    with pytest.raises(InputError, match=r"cannot be read \(time out at https://host/x\.png\); check the connection"):
        ingest([Remote("far://host/x.png")], store=tmp_path)


def test_what_is_typed_is_a_path_or_a_url() -> None:
    assert source("photos/one.png") == Path("photos/one.png") and source("C:\\photos") == Path("C:\\photos")
    assert source("file:///photos/two%20words") == Path("/photos/two words")
    assert source("s3://bucket/photos") == Remote("s3://bucket/photos")
    assert str(Remote("s3://id:key@bucket/photos?versionId=1")) == "s3://bucket/photos"
    assert [Remote(url).name for url in ("s3://bucket/photos/", "s3://bucket", "memory://")] == [
        "photos", "bucket", "memory",
    ]  # fmt: skip


def test_a_bucket_of_s3_gives_the_dataset_of_the_same_folder_on_disk(bucket: Any, tmp_path: Path) -> None:
    stored(bucket.files, "lake/photos", {**FILES, "table.csv": TABLE})
    there = ingest([Remote("s3://lake/photos")], store=tmp_path / "one")
    assert plain(there) == plain(ingest([on_disk(tmp_path / "photos", {**FILES, "table.csv": TABLE})], store=tmp_path))
    with pytest.raises(InputError, match=r"^s3://absent/photos cannot be found; check the URL$"):
        ingest([Remote("s3://absent/photos")], store=tmp_path)
