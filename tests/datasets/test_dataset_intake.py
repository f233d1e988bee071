"""Taking in: sources of all kinds, limits, duplicates, determinism, nothing half-written."""

from __future__ import annotations

import errno
import gc
import os
import random
import struct
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.datasets import Dataset, Duplicate, Upload, ingest, intake, load_dataset
from core.datasets.opening import Opened
from core.errors import InputError
from core.settings import Limits
from tests.datasets.made import coded, content, corners, folder_of, noise, scene, zipped

A, B, C = (coded(noise(seed)) for seed in range(3))


def names(dataset: Dataset) -> list[str]:
    return [image.name for image in dataset.images]


def test_a_folder(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "photos", {"b.png": B, "sub/deep/a.wrong": A, ".hidden/x.png": C, "notes.md": b"hi"})
    dataset = ingest([root], store=tmp_path / "store")
    assert names(dataset) == ["b.png", "sub/deep/a.wrong"]
    assert dataset.name == "photos"
    assert [(refusal.name, "not an image" in refusal.reason) for refusal in dataset.refusals] == [("notes.md", True)]
    image = dataset.images[0]
    assert (image.format, image.bytes, image.width, image.height) == ("PNG", len(B), 40, 32)


def test_the_stored_images_are_the_given_pixels(tmp_path: Path) -> None:
    dataset = ingest([Upload("a.png", A)], store=tmp_path)
    image = dataset.open(dataset.images[0])
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), np.asarray(noise(0)))
    assert dataset.path(dataset.images[0]) == tmp_path / dataset.id / "images" / f"{dataset.images[0].id}.png"


def test_links_pipes_and_nested_archives_in_a_folder(tmp_path: Path) -> None:
    outside = folder_of(tmp_path / "outside", {"secret.png": C})
    root = folder_of(tmp_path / "in", {"a.png": A, "more.zip": zipped({"b.png": B})})
    (root / "link.png").symlink_to(outside / "secret.png")
    (root / "linked").symlink_to(outside)
    os.mkfifo(root / "pipe.png")
    dataset = ingest([root], store=tmp_path / "store")
    assert names(dataset) == ["a.png"]
    reasons = {refusal.name: refusal.reason for refusal in dataset.refusals}
    assert set(reasons) == {"link.png", "linked", "pipe.png", "more.zip"}
    assert "links are not followed" in reasons["link.png"] and "links are not followed" in reasons["linked"]
    assert "regular file" in reasons["pipe.png"] and "archive" in reasons["more.zip"]


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere cannot be found"):
        ingest([tmp_path / "nowhere"], store=tmp_path / "store")


def test_nothing_given(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing was submitted"):
        ingest([], store=tmp_path)
    with pytest.raises(InputError, match="contain no image"):
        ingest([folder_of(tmp_path / "in", {".hidden": b""})], store=tmp_path / "store")


def test_no_image_left_says_why(tmp_path: Path) -> None:
    uploads = [Upload(f"{number}.png", b"no image") for number in range(5)]
    with pytest.raises(InputError) as caught:
        ingest(uploads, store=tmp_path)
    line = str(caught.value)
    assert line.startswith("no image can be used: 0.png is not an image") and line.endswith("and 2 more")
    assert "\n" not in line
    assert list(tmp_path.iterdir()) == []


def test_file_size_limit(tmp_path: Path) -> None:
    uploads = [Upload("a.png", A), Upload("b.png", B)]
    most = max(len(A), len(B))
    assert ingest(uploads, store=tmp_path, limits=Limits(file_bytes=most)).refusals == ()
    bigger = Upload("c.png", C + bytes(most))
    dataset = ingest([*uploads, bigger], store=tmp_path, limits=Limits(file_bytes=most))
    assert [refusal.name for refusal in dataset.refusals] == ["c.png"]
    assert "is larger than" in dataset.refusals[0].reason


@pytest.mark.parametrize("form", ["folder", "zip", "loose"])
def test_total_and_count_limits(tmp_path: Path, form: str) -> None:
    files = {"a.png": A, "b.png": B, "c.png": C}
    sources: dict[str, list[Path | Upload]] = {
        "folder": [folder_of(tmp_path / "in", files)],
        "zip": [Upload("x.zip", zipped(files))],
        "loose": [Upload(name, data) for name, data in files.items()],
    }
    total = sum(map(len, files.values())) + 1000  # a ZIP's own headers count as its size
    store = tmp_path / "store"
    assert len(ingest(sources[form], store=store, limits=Limits(total_bytes=total, files=3)).images) == 3
    with pytest.raises(InputError, match=r"in total; split|is larger than"):
        ingest(sources[form], store=store / "other", limits=Limits(total_bytes=total - 1100))
    with pytest.raises(InputError, match="more than 2 files"):
        ingest(sources[form], store=store / "other", limits=Limits(files=2))
    assert list((store / "other").iterdir()) == []


def test_pixel_limits_refuse_one_file(tmp_path: Path) -> None:
    dataset = ingest(
        [Upload("a.png", A), Upload("big.png", coded(noise(1, 60, 60)))], store=tmp_path, limits=Limits(side=50)
    )
    assert names(dataset) == ["a.png"]
    assert "60 x 60 pixels; each side may have at most 50" in dataset.refusals[0].reason


def test_exact_duplicates_are_kept_once_with_all_that_is_said(tmp_path: Path) -> None:
    files = {"a.png": A, "copy.bmp": coded(noise(0), "BMP"), "b.png": B}
    table = Upload("t.csv", b"image,caption,k,m\na.png,one,1,\ncopy.bmp,two,1,x\n")
    dataset = ingest([Upload("x.zip", zipped(files))], table=table, store=tmp_path)
    assert names(dataset) == ["a.png", "b.png"]
    assert dataset.duplicates == (Duplicate(name="copy.bmp", of="a.png", kind="exact", distance=0),)
    assert dataset.images[0].captions == ("one", "two")
    assert dataset.images[0].metadata == {"k": 1, "m": "x"}
    assert dataset.images[0].format == "PNG"


def test_near_duplicates_are_kept_and_listed(tmp_path: Path) -> None:
    uploads = [
        Upload("a.png", coded(scene(1))),
        Upload("b.jpg", coded(scene(1).resize((80, 60)), "JPEG", quality=70)),
        Upload("c.png", coded(scene(2))),
    ]
    dataset = ingest(uploads, store=tmp_path)
    assert names(dataset) == ["a.png", "b.jpg", "c.png"]
    (found,) = dataset.duplicates
    assert (found.name, found.of, found.kind) == ("b.jpg", "a.png", "near")
    assert 0 <= found.distance <= 4


def test_near_is_at_most_four_bits(tmp_path: Path) -> None:
    def steps(changed: int) -> bytes:
        """64 places of known difference, of which some are turned round."""
        grid = np.full((8, 9), 100, dtype=np.uint8)
        grid[:, 1::2] = 160
        for row in range(changed):
            grid[row, 8] = 200  # the last place of the row: from falling to rising
        return coded(Image.fromarray(np.kron(grid, np.ones((8, 8), dtype=np.uint8))).convert("RGB"))

    near = ingest([Upload("a.png", steps(0)), Upload("b.png", steps(4))], store=tmp_path)
    assert [(twice.kind, twice.distance) for twice in near.duplicates] == [("near", 4)]
    assert ingest([Upload("a.png", steps(0)), Upload("b.png", steps(5))], store=tmp_path).duplicates == ()


def test_plain_images_are_not_near_duplicates(tmp_path: Path) -> None:
    uploads = [Upload(f"{colour}.png", coded(Image.new("RGB", (32, 32), colour))) for colour in ("red", "blue")]
    assert ingest(uploads, store=tmp_path).duplicates == ()


def test_names_are_told_apart(tmp_path: Path) -> None:
    one, two = Upload("one.zip", zipped({"1.png": A})), Upload("two.zip", zipped({"1.png": B}))
    assert names(ingest([one, two], store=tmp_path)) == ["one/1.png", "two/1.png"]
    loose = [Upload("1.png", data) for data in (A, B, C)]
    assert names(ingest(loose, store=tmp_path)) == ["1 (2).png", "1 (3).png", "1.png"]
    taken = [*loose, Upload("1 (2).png", coded(noise(4)))]
    assert names(ingest(taken, store=tmp_path)) == ["1 (2).png", "1 (3).png", "1 (4).png", "1.png"]


def test_the_same_file_twice_changes_nothing_but_the_list_of_duplicates(tmp_path: Path) -> None:
    once = ingest([Upload("a.png", A)], store=tmp_path / "x")
    twice = ingest([Upload("a.png", A), Upload("a.png", A)], store=tmp_path / "y")
    assert twice.id == once.id and twice.images == once.images
    assert [(found.name, found.of, found.kind) for found in twice.duplicates] == [("a.png", "a.png", "exact")]


def arrivals(tmp_path: Path) -> list[Path | Upload]:
    files = {"1.png": A, "2.png": B, "t.csv": b"image,caption,k\n1.png,one,1\n2.png,two,2\n"}
    return [
        folder_of(tmp_path / "in", files),
        Upload("x.zip", zipped({"1.png": C, "2.png": coded(noise(5)), "t.csv": b"image,caption,j\n1.png,three,x\n"})),
        Upload("1.png", coded(noise(6))),
        Upload("1.png", coded(noise(7))),
        Upload("copy.bmp", coded(noise(0), "BMP")),
        Upload("more.csv", b"image,caption,k\ncopy.bmp,four,9\n"),
        Upload("bad.png", b"no"),
        Upload("s.png", coded(scene(1))),
        Upload("s.jpg", coded(scene(1), "JPEG")),
    ]


def test_the_order_of_arrival_does_not_matter(tmp_path: Path) -> None:
    given = arrivals(tmp_path)
    first = ingest(given, store=tmp_path / "0")
    assert len(first.duplicates) == 2 and len(first.refusals) == 2
    for seed in range(1, 6):
        random.Random(seed).shuffle(given)
        other = ingest(given, store=tmp_path / str(seed))
        assert other.id == first.id
        assert content(other.root) == content(first.root)
    # Companion: another caption makes another data set.
    changed = ingest([*given, Upload("z.csv", b"image,caption\ns.jpg,z\n")], store=tmp_path / "z")
    assert changed.id != first.id


def test_a_second_time_gives_the_same_bytes_and_object(tmp_path: Path) -> None:
    given = arrivals(tmp_path)
    first = ingest(given, store=tmp_path / "store")
    before = content(tmp_path / "store")
    assert ingest(given, store=tmp_path / "store") == first
    assert content(tmp_path / "store") == before
    assert load_dataset(first.root) == first


def test_what_is_stored_stays_but_new_refusals_are_told(tmp_path: Path) -> None:
    ingest([Upload("a.png", A)], store=tmp_path, name="first")
    before = content(tmp_path)
    again = ingest([Upload("a.png", A), Upload("bad.png", b"no")], store=tmp_path, name="second")
    assert again.name == "first"
    assert [refusal.name for refusal in again.refusals] == ["bad.png"]
    assert content(tmp_path) == before


@pytest.mark.parametrize("damage", ["manifest", "image"])
def test_a_damaged_data_set_is_made_whole(tmp_path: Path, damage: str) -> None:
    first = ingest([Upload("a.png", A)], store=tmp_path)
    before = content(tmp_path)
    if damage == "manifest":
        (first.root / "dataset.json").write_text("{")
    else:
        first.path(first.images[0]).unlink()
    assert ingest([Upload("a.png", A)], store=tmp_path) == first
    assert content(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == [first.id]


def failing(error: BaseException, at: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        assert total == 3
        if done == at:
            raise error

    return progress


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no")])
@pytest.mark.parametrize("at", [1, 3])
def test_nothing_is_left_after_an_interrupt(tmp_path: Path, error: BaseException, at: int) -> None:
    archive = tmp_path / "x.zip"
    archive.write_bytes(zipped({"a.png": A, "b.png": B, "c.png": C}))
    with pytest.raises(type(error)):
        ingest([archive], store=tmp_path / "store", progress=failing(error, at))
    assert list((tmp_path / "store").iterdir()) == []
    # Companion: the same call without the interrupt leaves a data set.
    ingest([archive], store=tmp_path / "store", progress=failing(error, 99))
    assert len(list((tmp_path / "store").iterdir())) == 1


def test_nothing_is_left_when_the_rename_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\); free space there"):
        ingest([Upload("a.png", A)], store=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_losing_a_race_gives_the_winners_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def late(source: Path, target: Path) -> None:
        monkeypatch.undo()
        ingest([Upload("a.png", A)], store=tmp_path, name="winner")
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    assert ingest([Upload("a.png", A)], store=tmp_path, name="loser").name == "winner"
    assert len(list(tmp_path.iterdir())) == 1


def test_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    uploads = [Upload("a.png", A), Upload("bad.png", b"no"), Upload("x.zip", zipped({"b.png": B, "c.png": C}))]
    ingest(uploads, store=tmp_path, progress=lambda *at: seen.append(at))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_exif_and_gps_are_gone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    exif.get_ifd(0x8825)[29] = "2024:secret:01"
    data = coded(corners(), "JPEG", exif=exif, comment=b"secret remark", icc_profile=b"secret profile")
    assert data.count(b"secret") == 4
    dataset = ingest([Upload("a.jpg", data)], store=tmp_path)
    dataset.thumbnail(dataset.images[0])
    files = content(tmp_path)
    assert len(files) == 3
    assert not any(b"secret" in stored or b"Exif" in stored for stored in files.values())
    png = dataset.path(dataset.images[0]).read_bytes()
    chunks, at = [], 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        chunks.append(kind)
        at += length + 12
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}


def test_only_a_few_images_are_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[Opened]] = []
    most = 0
    real = intake.open_file

    def watched(*given: Any, **options: Any) -> Opened:
        nonlocal most
        gc.collect()
        most = max(most, sum(reference() is not None for reference in alive))
        opened = real(*given, **options)
        alive.append(weakref.ref(opened))
        return opened

    monkeypatch.setattr(intake, "open_file", watched)
    ingest([Upload(f"{seed}.png", coded(noise(seed))) for seed in range(9)], store=tmp_path)
    assert len(alive) == 9 and most <= 3


@pytest.mark.parametrize(("given", "name"), [("  my set\n", "my set"), (None, "a.png"), ("", "a.png")])
def test_name(tmp_path: Path, given: str | None, name: str) -> None:
    assert ingest([Upload("a.png", A)], store=tmp_path, name=given).name == name


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (("photos/a.png", "photos/sub/b.png"), "photos"),
        (("photos/a.png", "others/b.png"), "2 images"),
        (("photos/a.png", "b.png"), "2 images"),
    ],
)
def test_the_one_folder_of_an_upload_is_its_name(tmp_path: Path, files: tuple[str, str], name: str) -> None:
    assert ingest([Upload(file, data) for file, data in zip(files, (A, B), strict=True)], store=tmp_path).name == name


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at most 200"):
        ingest([Upload("a.png", A)], store=tmp_path, name="x" * 201)


def test_undecodable_file_names(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    (root / os.fsdecode(b"caf\xe9.png")).write_bytes(A)
    dataset = ingest([root], store=tmp_path / "store")
    assert names(dataset) == ["caf_.png"]
    assert load_dataset(dataset.root) == dataset


@pytest.mark.parametrize("table", ["folder", "zip"])
def test_a_table_that_is_none(tmp_path: Path, table: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "zip").write_bytes(zipped({}))
    with pytest.raises(InputError, match="the table is a folder or a ZIP"):
        ingest([Upload("a.png", A)], table=tmp_path / table, store=tmp_path / "store")


def test_torch_is_not_imported() -> None:
    code = "import sys, core.datasets; assert 'torch' not in sys.modules, 'torch'; print(core.datasets.ingest.__name__)"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "ingest\n"), done.stderr
