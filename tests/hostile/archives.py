"""ZIP files that lead astray, unpack without end, or say other things in their two tables of contents."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial

from tests.hostile.images import coded, noise, png, small_gif, zeros
from tests.hostile.item import ERROR, REFUSED, TAKEN, Item, item, writes

SLIPS = (
    "../evil.png", "../../../../tmp/evil.png", "/etc/evil.png", "C:\\evil.png", "..\\..\\evil.png", "a/../../evil.png",
    "./././evil.png", "~/evil.png", "evil\x00.png", "\x1b[2Jevil.png", "evil\nname: sound.png", "\u202egnp.live.png",
    "a" * 60_000 + ".png", "/".join(["d"] * 5000) + "/evil.png", "CON.png", "evil.png ", ".", "..", "", "//x//y.png",
    "\\\\server\\share\\evil.png", "file:///etc/passwd", "https://example.com/evil.png", "images/../dataset.json",
)  # fmt: skip


def items() -> Iterator[Item]:
    """Every archive of the corpus, carried to the intake beside a good image."""
    for name, (make, expect) in {**_led_astray(), **_bombs(), **_broken()}.items():
        file = f"{name}.zip"
        heavy = name in ("gifs-20000", "images-20000", "texts-19000", "overlap-500")
        right = expect or (REFUSED, TAKEN)
        # Twenty thousand files may take longer than one.
        seconds = 600.0 if name.endswith("000") and heavy else 25.0
        yield item(f"archives/{name}", "ingest", file, writes(file, make), *right, heavy=heavy, seconds=seconds)

    for number, name in enumerate(SLIPS):
        data = name.encode("utf-8", "surrogatepass")
        yield item(f"uploads/slip-{number}", "upload", "name", writes("name", data), TAKEN, REFUSED, ERROR)


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A sound ZIP."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def with_entry(name: str, data: bytes, attributes: int = 0, system: int = 3) -> bytes:
    """A ZIP of one entry whose name and attributes are as they are told, however wrong."""
    entry = zipfile.ZipInfo("x")
    entry.filename = name
    entry.external_attr = attributes << 16
    entry.create_system = system
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(entry, data)
    return stream.getvalue()


def patched(data: bytes, local: int | None, central: int | None, value: bytes) -> bytes:
    """A ZIP with bytes at an offset of every local header and of every entry of the table of contents overwritten."""
    found = bytearray(data)
    for magic, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        start = found.find(magic)
        while offset is not None and start >= 0:
            found[start + offset : start + offset + len(value)] = value
            start = found.find(magic, start + 4)
    return bytes(found)


def image() -> bytes:
    """A sound image, small."""
    return coded(noise(32, 32), "PNG")


def _led_astray() -> dict[str, tuple[Callable[[], bytes], tuple[str, ...]]]:
    made: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
        f"slip-{number}": (partial(with_entry, name, image(), 0o100644), ()) for number, name in enumerate(SLIPS)
    }
    for kind, bits in (
        ("link", stat.S_IFLNK), ("device", stat.S_IFBLK), ("terminal", stat.S_IFCHR), ("pipe", stat.S_IFIFO),
        ("socket", stat.S_IFSOCK), ("folder", stat.S_IFDIR),
    ):  # fmt: skip
        made[f"entry-is-{kind}"] = (partial(with_entry, "evil.png", b"/etc/passwd", bits | 0o777), (REFUSED, TAKEN))
    made["entry-is-link-to-image"] = (lambda: with_entry("evil.png", image(), stat.S_IFLNK | 0o777), (REFUSED,))
    made["runs-as-root"] = (partial(with_entry, "evil.png", image(), stat.S_IFREG | 0o6755), ())
    made["same-name-200-times"] = (_same_names, ())
    made["names-in-capitals"] = (lambda: packed({"A.png": image(), "a.png": image()}), (TAKEN,))
    made["file-and-folder"] = (lambda: packed({"a": image(), "a/b.png": image()}), ())
    made["name-not-unicode"] = (lambda: patched(packed({"xx.png": image()}), 30, 46, b"\xff\xfe"), ())
    made["comment-64-kilobytes"] = (lambda: packed({"a.png": image()})[:-2] + b"\xff\xff" + b"c" * 65535, ())
    return made


def _same_names() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(200):
            entry = zipfile.ZipInfo("same.png")
            archive.writestr(entry, coded(noise(16, 16, number), "PNG"))
    return stream.getvalue()


def _bombs() -> dict[str, tuple[Callable[[], bytes], tuple[str, ...]]]:
    inner = partial(packed, {"a.png": b"\0" * 2**20})
    return {
        "ratio-1000": (lambda: packed({"a.png": bytes(40_000_000)}), (REFUSED,)),
        "ratio-sound-beside": (lambda: packed({"a.png": bytes(40_000_000), "b.png": image()}), (REFUSED,)),
        "nested": (lambda: packed({"b.zip": packed({"a.zip": inner()})}), (REFUSED,)),
        "nested-as-image": (lambda: packed({"b.png": inner()}), (REFUSED,)),
        "holds-gzip": (lambda: packed({"b.png": b"\x1f\x8b" + b"x" * 99}), (REFUSED,)),
        "holds-tar": (lambda: packed({"b.png": b"a" * 257 + b"ustar\x0000" + b"\0" * 300}), (REFUSED,)),
        "overlap-500": (partial(overlapping, 500, png(3000, 3000)), (REFUSED, TAKEN)),
        "overlap-40": (partial(overlapping, 40, image()), ()),
        "entries-65535": (partial(_empty_entries, 65535), (ERROR, REFUSED)),
        "entries-200000": (partial(_empty_entries, 200_000), (ERROR, REFUSED)),
        # Each of these few bytes is an image of 60 megapixels, and no ratio of the archive is above what is allowed.
        "gifs-12": (partial(gifs, 12), ()),
        "gifs-20000": (partial(gifs, 20_000), ()),
        "images-20000": (partial(many, 20_000), (TAKEN,)),
        "zeros-as-images": (lambda: packed({f"{n}.png": png(4000, 4000, bits=1, colour=0) for n in range(30)}), ()),
        "texts-19000": (partial(texts, 19_000), (REFUSED,)),
        "texts-300": (partial(texts, 300), (REFUSED,)),
        "folders-50000": (lambda: packed({**{f"{n}/": b"" for n in range(50_000)}, "a.png": image()}), ()),
        "stored-zeros": (lambda: packed({"a.png": bytes(30_000_000)}, zipfile.ZIP_STORED), (REFUSED,)),
    }


def gifs(count: int) -> bytes:
    """Images of 60 megapixels and 45 bytes each, no two alike."""
    return packed({f"{number:05}.gif": small_gif(number) for number in range(count)}, zipfile.ZIP_STORED)


def many(count: int) -> bytes:
    """As many small sound images as are accepted."""
    first = coded(noise(16, 16), "BMP")
    return packed({f"{n:05}.bmp": first[:60] + struct.pack("<I", n) + first[64:] for n in range(count)})


def texts(count: int) -> bytes:
    """Files that are no images."""
    return packed({f"{n}.txt": b"x" for n in range(count)})


def overlapping(count: int, data: bytes) -> bytes:
    """Many entries of the table of contents that all are the same bytes of the file."""
    one = packed({"00000.png": data})
    start = one.index(b"PK\x01\x02")
    end = one.index(b"PK\x05\x06")
    entry = one[start:end]
    place = entry.index(b"00000.png")
    entries = b"".join(entry[:place] + f"{n:05}.png".encode() + entry[place + 9 :] for n in range(count))
    return one[:start] + entries + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(entries), start, 0)


def _empty_entries(count: int) -> bytes:
    entry = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    table = entry * count
    told = min(count, 65535)
    return b"PK\x03\x04" + table + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, told, told, len(table), 4, 0)


def _broken() -> dict[str, tuple[Callable[[], bytes], tuple[str, ...]]]:
    one = partial(packed, {"a.png": image()})
    made: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
        "encrypted": (lambda: patched(one(), 6, 8, b"\x01\0"), (REFUSED,)),
        "strongly-encrypted": (lambda: patched(one(), 6, 8, b"\x41\0"), (REFUSED,)),
        "checksum": (lambda: patched(one(), 14, 16, b"abcd"), (REFUSED,)),
        "size-zero": (lambda: patched(one(), 22, 24, b"\0\0\0\0"), ()),
        "size-2-to-32": (lambda: patched(one(), 22, 24, b"\xfe\xff\xff\xff"), ()),
        "packed-size-2-to-32": (lambda: patched(one(), 18, 20, b"\xfe\xff\xff\xff"), ()),
        "offset-2-to-32": (lambda: patched(one(), None, 42, b"\xfe\xff\xff\xff"), ()),
        "needs-version-255": (lambda: patched(one(), 4, 6, b"\xff\0"), ()),
        "patched-data": (lambda: patched(one(), 6, 8, b"\x20\0"), (REFUSED,)),
        "names-differ": (lambda: patched(one(), 30, None, b"../b."), ()),
        "name-length-65535": (lambda: patched(one(), None, 28, b"\xff\xff"), ()),
        "extra-length-65535": (lambda: patched(one(), None, 30, b"\xff\xff"), ()),
        "disk-65535": (lambda: patched(one(), None, 34, b"\xff\xff"), ()),
        "deflate-garbage": (lambda: patched(one(), 30 + 5, None, b"\xff" * 40), (REFUSED,)),
        "prefixed": (lambda: b"#!/bin/sh\n" * 100 + one(), (REFUSED,)),
        "prefixed-with-image": (lambda: image() + one(), ()),
        "tail": (lambda: one() + b"\0" * 70_000, ()),
        "only-end": (lambda: one()[-22:], ()),
        "no-end": (lambda: one()[:-22], (REFUSED,)),
        "table-longer-than-file": (lambda: one()[:-10] + b"\xff\xff\xff\x7f" + one()[-6:], ()),
        "table-out-of-range": (lambda: one()[:-6] + b"\xff\xff\xff\x7f\0\0", ()),
        "entries-claimed-65535": (lambda: one()[:-14] + b"\xff\xff\xff\xff" + one()[-10:], ()),
        "zip64-lie": (_long_form, ()),
        "zip64-sizes": (lambda: patched(one(), None, 20, b"\xff" * 8), ()),
        "zeros-behind-magic": (lambda: b"PK\x03\x04" + zeros(1000), (REFUSED,)),
    }
    for number, method in {"deflate64": 9, "bzip2": 12, "lzma": 14, "zstd": 93, "xz": 95, "ppmd": 98, "aes": 99,
                           "unknown": 65535}.items():  # fmt: skip
        made[f"method-{number}"] = (partial(_method, method), (REFUSED,))
    for share in (0.1, 0.5, 0.9):
        made[f"cut-{share}"] = (lambda share=share: one()[: int(len(one()) * share)], (REFUSED,))
    return made


def _method(number: int) -> bytes:
    return patched(packed({"a.png": image()}), 8, 10, struct.pack("<H", number))


def _long_form() -> bytes:
    data = packed({"a.png": image()})
    end = data.index(b"PK\x05\x06")
    count, size, start = 2**40, 2**50, 2**60
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    last = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    return data[:end] + record + locator + last
