"""ZIP files from strangers."""

from __future__ import annotations

import io
import stat
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.datasets import Dataset, Upload, ingest
from core.datasets.names import clean_name
from core.errors import InputError
from core.settings import LIMITS, Limits
from tests.datasets.made import coded, content, noise, patched, zipped

GOOD = coded(noise(7))


def take(archive: bytes, store: Path, limits: Limits = LIMITS) -> Dataset:
    return ingest([Upload("upload.zip", archive)], store=store, limits=limits)


def reason(dataset: Dataset, name: str) -> str:
    return next(refusal.reason for refusal in dataset.refusals if refusal.name == name)


def with_entry(info: zipfile.ZipInfo, data: bytes) -> bytes:
    stream = io.BytesIO(zipped({"good.png": GOOD}))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(info, data)
    return stream.getvalue()


def test_names_are_paths_inside_the_zip(tmp_path: Path) -> None:
    dataset = take(zipped({"a/b.png": GOOD, "c.jpg": coded(noise(1))}), tmp_path)
    assert [image.name for image in dataset.images] == ["a/b.png", "c.jpg"]
    assert dataset.name == "upload"


@pytest.mark.parametrize("form", ["bytes", "path", "upload of a path", "stream"])
def test_forms(tmp_path: Path, form: str) -> None:
    archive = zipped({"a.png": GOOD})
    path = tmp_path / "x.zip"
    path.write_bytes(archive)
    with path.open("rb") as stream:
        stream.read(3)  # somebody has looked at it before
        sources: dict[str, Path | Upload] = {
            "bytes": Upload("x.zip", archive),
            "path": path,
            "upload of a path": Upload("x.zip", path),
            "stream": Upload("x.zip", stream),
        }
        dataset = ingest([sources[form]], store=tmp_path / "store")
    assert [image.name for image in dataset.images] == ["a.png"]


def test_a_zip_is_never_read_in_one_piece(tmp_path: Path) -> None:
    class Watched(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            Watched.largest = max(Watched.largest, len(data))
            return data

    files = {f"{number}.png": coded(noise(number, 200, 200)) for number in range(4)}
    archive = zipped(files, zipfile.ZIP_STORED)
    assert len(archive) > 400_000
    dataset = ingest([Upload("x.zip", Watched(archive))], store=tmp_path)
    assert len(dataset.images) == 4
    assert Watched.largest <= 2**17


def bomb(size: int) -> bytes:
    return zipped({"good.png": GOOD, "bomb.png": b"\0" * size})


def test_bomb_by_ratio(tmp_path: Path) -> None:
    dataset = take(bomb(4_000_000), tmp_path)
    assert "unpacks to more than 200 times" in reason(dataset, "bomb.png")
    assert [image.name for image in dataset.images] == ["good.png"]


def test_just_under_the_ratio_passes(tmp_path: Path) -> None:
    flat = coded(noise(1, 60, 60).resize((300, 300)), "BMP")
    archive = zipped({"flat.bmp": flat})
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        info = opened.infolist()[0]
        ratio = info.file_size / info.compress_size
    assert len(take(archive, tmp_path, Limits(zip_ratio=ratio * 1.01)).images) == 1
    with pytest.raises(InputError, match="times its"):
        take(archive, tmp_path, Limits(zip_ratio=ratio * 0.99 if ratio > 1 else 0.5))


def test_declared_size_too_small_is_caught(tmp_path: Path) -> None:
    """The entry says 100 bytes and unpacks to megabytes: what is read stays small, and its checksum is wrong."""
    archive = patched(zipped({"bomb.png": b"\0" * 5_000_000}), 22, 24, struct.pack("<I", 100))
    with pytest.raises(InputError, match=r"bomb\.png is damaged inside the ZIP"):
        take(archive, tmp_path)


def test_declared_size_too_large_does_no_harm(tmp_path: Path) -> None:
    """Real bytes count, so an image isn't refused for what its header claims."""
    archive = patched(zipped({"a.png": GOOD}), 22, 24, struct.pack("<I", 2_000_000_000))
    assert len(take(archive, tmp_path).images) == 1


def test_declared_packed_size_too_large_does_not_hide_a_bomb(tmp_path: Path) -> None:
    archive = patched(zipped({"bomb.png": b"\0" * 5_000_000}), 18, 20, struct.pack("<I", 1_000_000_000))
    with pytest.raises(InputError, match=r"times its|damaged inside the ZIP"):
        take(archive, tmp_path)


def overlapping(copies: int) -> bytes:
    """A ZIP whose table of contents lists one entry several times."""
    data = zipped({"a.png": GOOD}, zipfile.ZIP_STORED)
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    tail = bytearray(data[end:])
    tail[8:16] = struct.pack("<HHI", copies, copies, copies * (end - start))
    return data[:start] + data[start:end] * copies + bytes(tail)


def test_overlapping_entries_count_together(tmp_path: Path) -> None:
    archive = overlapping(10)
    dataset = take(archive, tmp_path, Limits(zip_ratio=3))
    assert "brings its ZIP file above 3 times" in reason(dataset, "a.png")
    # Companion: with room for all ten, nothing is refused.
    assert take(archive, tmp_path / "other", Limits(zip_ratio=20)).refusals == ()


def test_a_huge_table_of_contents_is_refused(tmp_path: Path) -> None:
    archive = zipped({f"{number}.txt": b"" for number in range(4000)})
    with pytest.raises(InputError, match=r"upload\.zip lists more files than are accepted"):
        take(archive, tmp_path, Limits(packed_files=10))
    with pytest.raises(InputError, match="more than 3,000 files"):
        take(archive, tmp_path, Limits(files=3000))


@pytest.mark.parametrize("inner", ["zip", "gzip", "tar"])
def test_nested_archives_are_refused(tmp_path: Path, inner: str) -> None:
    nested = {
        "zip": zipped({"x.png": GOOD}),
        "gzip": b"\x1f\x8b\x08" + bytes(50),
        "tar": b"x.png".ljust(257, b"\0") + b"ustar" + bytes(300),
    }[inner]
    dataset = take(zipped({"good.png": GOOD, "inner.png": nested}), tmp_path)
    assert "is an archive" in reason(dataset, "inner.png")
    assert len(dataset.images) == 1


def test_encrypted_entry(tmp_path: Path) -> None:
    plain = zipped({"a.png": GOOD})
    assert len(take(plain, tmp_path).images) == 1
    with pytest.raises(InputError, match=r"a\.png is encrypted; unpack the ZIP file with its password"):
        take(patched(plain, 6, 8, b"\x01"), tmp_path)


def test_unusual_method(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unsupported compression method"):
        take(zipped({"a.png": GOOD}, zipfile.ZIP_LZMA), tmp_path)


@pytest.mark.parametrize(("mode", "word"), [(stat.S_IFLNK, "link"), (stat.S_IFIFO, "regular")])
def test_links_and_devices(tmp_path: Path, mode: int, word: str) -> None:
    info = zipfile.ZipInfo("odd.png")
    info.external_attr = (mode | 0o777) << 16
    dataset = take(with_entry(info, coded(noise(9))), tmp_path)
    assert word in reason(dataset, "odd.png")
    # Companion: the same entry as a regular file is an image.
    info = zipfile.ZipInfo("odd.png")
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    assert len(take(with_entry(info, coded(noise(9))), tmp_path).images) == 2


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("../../escape.png", "escape.png"),
        ("/etc/escape.png", "etc/escape.png"),
        ("a/../../../b.png", "a/b.png"),
        ("..\\..\\win.png", "win.png"),
        ("C:\\temp\\win.png", "temp/win.png"),
        ("C:\\D:\\win.png", "win.png"),
        ("./a//b.png", "a/b.png"),
        ("a\u202egnp.png", "a_gnp.png"),
        ("x\r\n.png", "x__.png"),
    ],
)
def test_traversal_names(tmp_path: Path, raw: str, clean: str) -> None:
    dataset = take(zipped({raw: GOOD}), tmp_path / "store")
    assert [image.name for image in dataset.images] == [clean]
    assert set(content(tmp_path)) == {
        f"store/{dataset.id}/dataset.json",
        f"store/{dataset.id}/images/{dataset.images[0].id}.png",
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("./\\abC:~\0\n\u202e é", min_size=1, max_size=12), min_size=1, max_size=3, unique=True))
def test_no_name_escapes_the_store(names: list[str]) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, name in enumerate(["plain.png", *names]):
            archive.writestr(zipfile.ZipInfo(name), coded(noise(number, 16, 16)))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        dataset = take(stream.getvalue(), root / "store")
        assert {path.name for path in root.iterdir()} == {"store"}
        assert {path.name for path in (root / "store").iterdir()} == {dataset.id}
        expected = {"dataset.json"} | {f"images/{image.id}.png" for image in dataset.images}
        assert set(content(dataset.root)) == expected
        assert len({image.name for image in dataset.images}) == len(dataset.images)


@given(st.one_of(st.text(max_size=300), st.text("abC:/\\. ", max_size=60)))
@example("e:/e:/e:")
@example("/C:/x")
@example("x/" * 5 + "C:/" + "y/" * 19)
def test_clean_names_stay_relative(raw: str) -> None:
    name = clean_name(raw)
    assert not {"", ".", ".."} & set(name.split("/"))
    assert (Path("/store") / name).resolve().is_relative_to("/store")
    assert clean_name(name) == name


def test_system_files_are_skipped_silently(tmp_path: Path) -> None:
    files = {"a.png": GOOD, "__MACOSX/._a.png": b"x", ".DS_Store": b"x", "b/Thumbs.db": b"x", ".git/x.png": GOOD}
    dataset = take(zipped({**files, "notes.txt": b"hello"}), tmp_path)
    assert [image.name for image in dataset.images] == ["a.png"]
    assert [refusal.name for refusal in dataset.refusals] == ["notes.txt"]


@pytest.mark.parametrize("cut", [10, 60])
def test_damaged_zip(tmp_path: Path, cut: int) -> None:
    archive = zipped({"a.png": GOOD})
    with pytest.raises(InputError, match=r"upload\.zip is a damaged ZIP"):
        take(archive[:-cut], tmp_path)


def test_wrong_checksum(tmp_path: Path) -> None:
    archive = zipped({"a.png": GOOD}, zipfile.ZIP_STORED)
    position = archive.index(GOOD[20:40]) + 5
    broken = archive[:position] + bytes([archive[position] ^ 1]) + archive[position + 1 :]
    with pytest.raises(InputError, match="checksum"):
        take(broken, tmp_path)


def test_empty_zip(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contain no image"):
        take(zipped({}), tmp_path)


def test_other_archives_as_sources(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a ZIP"):
        ingest([Upload("x.tar.gz", b"\x1f\x8b\x08" + bytes(50))], store=tmp_path)


def named(raw: bytes, *, flag: bool = False, extra: bytes = b"") -> bytes:
    """An archive of one image and its table, whose name is these bytes in both of its headers."""
    placeholder = "n" * len(raw)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo(placeholder)
        info.extra = extra
        archive.writestr(info, coded(noise(1)))
    data = stream.getvalue().replace(placeholder.encode(), raw)
    if flag:
        for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            at = data.index(mark) + place
            data = data[:at] + (0x800).to_bytes(2, "little") + data[at + 2 :]
    return data


def unicode_path(raw: bytes, name: str) -> bytes:
    content = b"\1" + zlib.crc32(raw).to_bytes(4, "little") + name.encode()
    return struct.pack("<HH", 0x7075, len(content)) + content


@pytest.mark.parametrize(
    ("archive", "name"),
    [
        (named("Café.png".encode()), "Café.png"),
        (named("Cafe\u0301.png".encode()), "Café.png"),
        (named("Café.png".encode(), flag=True), "Café.png"),
        (named("猫.png".encode()), "猫.png"),
        (named("Café.png".encode("cp437")), "Café.png"),
        (named(b"\xc3\x28.png", extra=unicode_path(b"\xc3\x28.png", "猫.png")), "猫.png"),
        # The field belongs to another name, or is cut short: what the format says counts.
        (named("Café.png".encode("cp437"), extra=unicode_path(b"other.png", "猫.png")), "Café.png"),
        (named("Café.png".encode("cp437"), extra=struct.pack("<HH", 0x7075, 2) + b"\1\2"), "Café.png"),
    ],
)
def test_names_are_read_as_their_packer_meant_them(tmp_path: Path, archive: bytes, name: str) -> None:
    dataset = take(archive, tmp_path)
    assert [image.name for image in dataset.images] == [name] and dataset.refusals == ()


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("猫の写真.png".encode("cp932"), "猫の写真.png"),
        ("表の写真.png".encode("cp932"), "表の写真.png"),
        ("고양이 사진.png".encode("cp949"), "고양이 사진.png"),
        ("Müller.png".encode("cp437"), "Müller.png"),
        ("große Straße.png".encode("cp437"), "große Straße.png"),
        ("照片.png".encode("gbk"), "╒╒╞¼.png"),
    ],
)
def test_names_in_an_encoding_that_is_not_stated_are_a_remark(tmp_path: Path, raw: bytes, name: str) -> None:
    dataset = take(named(raw), tmp_path)
    assert [image.name for image in dataset.images] == [name] and dataset.refusals == ()
    (remark,) = dataset.remarks
    assert remark.name == "upload.zip"
    assert f"has a file name in an encoding that it does not state, read as “{name}”" in remark.reason


@pytest.mark.parametrize(
    "archive",
    [
        named("猫.png".encode()),
        named("猫.png".encode(), flag=True),
        named(b"plain.png"),
        named(b"\xc3\x28.png", extra=unicode_path(b"\xc3\x28.png", "猫.png")),
    ],
)
def test_names_that_are_certain_need_no_remark(tmp_path: Path, archive: bytes) -> None:
    assert take(archive, tmp_path).remarks == ()


def test_a_unicode_path_leads_nowhere(tmp_path: Path) -> None:
    raw = b"\xc3\x28.png"
    dataset = take(named(raw, extra=unicode_path(raw, "../../etc/a\0b.png")), tmp_path)
    assert [image.name for image in dataset.images] == ["etc/a"]
