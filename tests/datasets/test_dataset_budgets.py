"""Bombs of all kinds beside a good image: one refusal each, and budgets for the import as a whole."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core.datasets import Dataset, Upload, ingest, opening
from core.datasets.bounds import Budget
from core.datasets.image import scans
from core.datasets.opening import open_file
from core.datasets.png import png_of
from core.errors import InputError, Refused
from core.sandbox import Answer
from core.settings import LIMITS, Limits
from tests.datasets.made import coded, noise, scene, zipped

GOOD = coded(noise(7))
SIDE = 7744


def taken(tmp_path: Path, name: str, data: bytes, limits: Limits = LIMITS) -> Dataset:
    """What becomes of a file beside a good image, which is taken whatever the other does."""
    dataset = ingest([Upload(name, data), Upload("good.png", GOOD)], store=tmp_path, limits=limits)
    assert "good.png" in [image.name for image in dataset.images]
    return dataset


def reason(tmp_path: Path, name: str, data: bytes, limits: Limits = LIMITS) -> str:
    (refusal,) = taken(tmp_path, name, data, limits).refusals
    assert refusal.name == name and "\n" not in refusal.reason
    return refusal.reason


# -- images ------------------------------------------------------------------------------------------------------


def progressive(count: int, side: int = 64, between: bytes = b"") -> bytes:
    """A progressive JPEG of one grey component whose scans change nothing."""
    frame = b"\xff\xc2" + struct.pack(">HBHHBBBB", 11, 8, side, side, 1, 1, 0x11, 0)
    tables = b"\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1] * 64)
    codes = b"\xff\xc4" + struct.pack(">HB", 20, 0x10) + bytes([1] + [0] * 15 + [0xE0])
    # One run of 2^14 + 2^13 + ... blocks that are all nothing, which is more than there are.
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0x10, 1, 1, 0) + b"\x7f\x7f"
    return b"\xff\xd8" + tables + frame + codes + (scan + between) * count + b"\xff\xd9"


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    told = "has more than 500 scans, each a pass over the image; save it as a baseline JPEG"
    for number, between in enumerate((b"", b"\xff\xff", b"\0\0", b"\xff\xfe\0\2", b"\xff\xd0")):
        assert reason(tmp_path / str(number), "a.jpg", progressive(501, between=between)) == told
    assert taken(tmp_path / "few", "a.jpg", progressive(500)).refusals == ()


def test_scans_are_counted_where_they_are() -> None:
    assert scans(coded(scene(), "JPEG"), 99) == 1
    assert 5 < scans(coded(scene(), "JPEG", progressive=True), 99) < 20
    # Neither what stands behind the end of the image nor within a comment is one.
    assert scans(coded(scene(), "JPEG", comment=b"\xff\xda" * 500) + b"\xff\xda" * 500, 99) == 1
    assert scans(progressive(70), 50) == 50


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0x80, 0, 0) + bytes(6) + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;",
        coded(noise(), "JPEG").replace(struct.pack(">HH", 32, 40), struct.pack(">HH", SIDE, SIDE)),
    ],
)
def test_a_header_that_promises_what_the_file_cannot_hold(tmp_path: Path, data: bytes) -> None:
    assert "declares 59,969,536 pixels in" in reason(tmp_path, "a.xyz", data)


def test_a_plain_image_may_be_large(tmp_path: Path) -> None:
    for mode in ("RGB", "L", "1"):
        data = coded(Image.new(mode, (2000, 2000)), "PNG")
        assert taken(tmp_path / mode, "plain.png", data).refusals == ()
    assert "declares 4,000,000" in reason(tmp_path, "plain.png", data, Limits(pixels_per_byte=1000))


def test_time_and_memory_end_in_one_refusal(tmp_path: Path) -> None:
    big = coded(Image.new("RGB", (5000, 5000), "red"), "PNG")
    assert "GB of memory to be read" in reason(tmp_path, "a.png", big, Limits(file_memory=200_000_000))
    assert taken(tmp_path, "a.png", big).refusals == ()
    slow = progressive(500, 7700) + bytes(100_000)
    assert "s of processor time to be read" in reason(tmp_path, "a.jpg", slow, Limits(file_seconds=1))


# -- the import as a whole ---------------------------------------------------------------------------------------


def test_pixels_of_an_import_are_bounded_and_the_rest_is_refused(tmp_path: Path) -> None:
    images = [Upload(f"{number}.png", coded(noise(number))) for number in range(5)]
    dataset = ingest(images, store=tmp_path, limits=Limits(total_pixels=3 * 40 * 32))
    assert [image.name for image in dataset.images] == ["0.png", "1.png", "2.png"]
    told = "brings the import above 3,840 pixels in total; import it separately"
    assert [(refusal.name, refusal.reason) for refusal in dataset.refusals] == [("3.png", told), ("4.png", told)]


def test_disk_and_lost_time_of_an_import_are_bounded(tmp_path: Path) -> None:
    images = [Upload(f"{number}.png", coded(noise(number))) for number in range(9)]
    dataset = ingest(images, store=tmp_path / "a", limits=Limits(total_stored_bytes=9000))
    assert len(dataset.images) == 2 and len(dataset.refusals) == 7
    assert all(
        told.reason == "brings the import above 9,000 bytes of stored images; import it separately"
        for told in dataset.refusals
    )
    bad = [Upload("bad.jpg", coded(noise(), "JPEG")[:600]), *images]
    dataset = ingest(bad, store=tmp_path / "b", limits=Limits(lost_seconds=0))
    assert 0 < len(dataset.images) < 9
    assert "was not opened: refused files have already taken more than 0 s" in dataset.refusals[0].reason
    assert ingest(bad, store=tmp_path / "c").refusals[0].name == "bad.jpg"


def test_refusals_beyond_the_limit_are_counted(tmp_path: Path) -> None:
    given = [Upload("good.png", GOOD), *(Upload(f"{number}.png", b"x") for number in range(9))]
    dataset = ingest(given, store=tmp_path, limits=Limits(refusals=4))
    assert [refusal.name for refusal in dataset.refusals] == ["0.png", "1.png", "2.png", "3.png", "more"]
    assert dataset.refusals[-1].reason == "5 more refused files are not listed individually"


# -- tables ------------------------------------------------------------------------------------------------------


def parquet(**columns: object) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def test_tables_are_bounded_before_they_are_unpacked(tmp_path: Path) -> None:
    nulls = {f"c{number}": pa.nulls(50_000, pa.int8()) for number in range(200)}
    bomb = parquet(image=["good.png"] * 50_000, **nulls)
    assert reason(tmp_path, "t.parquet", bomb).startswith("has more than 4,000,000 cells")
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000), pa.array(["x" * 100_000]))
    dataset = taken(tmp_path, "t.parquet", parquet(image=["good.png"] * 20_000, caption=text))
    assert "has captions of more than 2,000 characters, left out" in dataset.refusals[0].reason
    assert "and 19,997 more" in dataset.refusals[0].reason
    wide = b"image" + b"".join(b",c%d" % number for number in range(20_000)) + b"\n"
    assert "has 20,001 columns; at most 1,000" in reason(tmp_path, "t.csv", wide)
    long = b'image,caption\ngood.png,"' + b"x" * 131_073 + b'"\n'
    assert reason(tmp_path, "t.csv", long) == "has a cell of more than 131,072 characters; shorten it"
    assert "has more than 4,000,000 cells" in reason(tmp_path, "t.csv", b"image,a\n" + b"," * 4_000_001)


def test_many_captions_of_one_image(tmp_path: Path) -> None:
    rows = b"".join(b"good.png,caption %d\n" % number for number in range(20_000))
    dataset = taken(tmp_path, "t.csv", b"image,caption\n" + rows)
    (image,) = dataset.images
    assert image.captions == tuple(f"caption {number}" for number in range(100))
    where = "(good.png, good.png, good.png and 19,897 more)"
    told = f"give one image more than 100 captions; the first 100 were kept {where}"
    assert [refusal.reason for refusal in dataset.refusals] == [told]


def test_numbers_that_no_number_holds_stay_text(tmp_path: Path) -> None:
    rows = b"image,a,b\ngood.png," + b"9" * 400 + b",1e999\n"
    (image,) = taken(tmp_path, "t.csv", rows).images
    assert image.metadata == {"a": "9" * 400, "b": "1e999"}


def test_more_tables_than_are_matched(tmp_path: Path) -> None:
    tables = {f"{number}.csv": b"image,a\ngood.png,1\n" for number in range(4)}
    dataset = ingest([Upload("a.zip", zipped({"good.png": GOOD, **tables}))], store=tmp_path, limits=Limits(tables=3))
    assert [refusal.reason for refusal in dataset.refusals] == [
        "is one table too many: at most 3 are accepted; join them"
    ]


# -- the store and the children ----------------------------------------------------------------------------------


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"store cannot be written \(No space left on device\); free space there or"):
        ingest([Upload("good.png", GOOD)], store=tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written \(File exists\)"):
        ingest([Upload("good.png", GOOD)], store=tmp_path / "file")


def test_what_a_dead_import_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".incoming-dead" / "images").mkdir(parents=True)
    child = os.fork()
    if child == 0:
        ingest([Upload("good.png", GOOD)], store=tmp_path, progress=lambda done, total: os._exit(0))
    os.waitpid(child, 0)
    assert len([path for path in tmp_path.iterdir() if path.name.startswith(".incoming-")]) == 1

    def others(done: int, total: int) -> None:
        # A living one is left alone, also by another import.
        assert len(list(tmp_path.iterdir())) == 1
        ingest([Upload("other.png", coded(noise(3)))], store=tmp_path)
        assert len([path for path in tmp_path.iterdir() if path.name.startswith(".incoming-")]) == 1

    dataset = ingest([Upload("good.png", GOOD)], store=tmp_path, progress=others)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")] and dataset.root.exists()


SOUND = ["0" * 64, 5, ["0" * 16, "PNG", 40, 32, None, []]]
PNG = png_of((40, 32), bytes(3 * 40 * 32))


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, PNG),
        ([*SOUND[:2], ["../../../etc/pass", *SOUND[2][1:]]], PNG),
        ([*SOUND[:2], ["0" * 16, "EXE", 40, 32, None, []]], PNG),
        ([*SOUND[:2], ["0" * 16, "PNG", 32, 40, None, []]], PNG),
        ([*SOUND[:2], ["0" * 16, "PNG", 40, 32, 1.5, []]], PNG),
        ([*SOUND[:2], ["0" * 16, "PNG", 40, 32, None, []]], b"<html>"),
        ([*SOUND[:2], ["0" * 16, "PNG", 40, 32, None, [5]]], PNG),
        ([*SOUND[:2], ["0" * 16, "PNG", 40, 32, None, ["x" * 1000]]], PNG),
        ([*SOUND[:2], ["0" * 16, "PNG", 40, 32, None, []]], PNG[:24] + b"\x10" + PNG[25:]),
        (["x", 5, SOUND[2]], PNG),
        (["0" * 64, True, SOUND[2]], PNG),
        ([*SOUND[:2], None], b'{"texts": [1]}'),
        (
            [*SOUND[:2], None],
            b'{"texts":[],"columns":[],"cells":[],"numbers":[1],"paths":[0],"captions":[[]],"refusals":[],"remarks":[]}',
        ),
    ],
)
def test_a_child_that_was_taken_over_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, value: object, data: bytes
) -> None:
    monkeypatch.setattr(opening, "call", lambda *_, **__: Answer(value, data, 0.0, 0))
    with pytest.raises(Refused, match="returned an invalid answer"):
        open_file("a.png", GOOD, Budget(LIMITS))
    monkeypatch.setattr(opening, "call", lambda *_, **__: Answer(SOUND, PNG, 0.0, 0))
    assert open_file("a.png", GOOD, Budget(LIMITS)).sha256 == "0" * 64


def test_files_in_archives_have_a_limit_of_their_own() -> None:
    budget = Budget(Limits(packed_files=2))
    for _ in range(5):
        budget.count_file()
    budget.count_file(packed=True)
    budget.count_file(packed=True)
    with pytest.raises(InputError, match="the archives contain more than 2 files"):
        budget.count_file(packed=True)
