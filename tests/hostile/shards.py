"""Tar files and Parquet files with images that lie, bomb or break off, and texts beside images."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

from tests.datasets.made_shards import image_parquet, tarred
from tests.hostile.images import coded, noise
from tests.hostile.item import REFUSED, TAKEN, Item, item, writes

GOOD = {"1.png": "PNG", "2.jpg": "JPEG"}


def tar() -> dict[str, bytes]:
    """Sound tar files, the second with what a shard may hold besides."""
    images = {name: coded(noise(seed=at), kind) for at, (name, kind) in enumerate(GOOD.items())}
    link = {"link": {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}}
    long = {"a" * 150 + ".png": coded(noise(), "PNG")}
    return {
        "plain": tarred({**images, "1.txt": b"a cat", "2.json": b'{"caption": "x"}'}),
        "special": tarred({**images, **long}, **link),
    }


def parquet() -> dict[str, bytes]:
    """Sound Parquet files with images."""
    images = [coded(noise(seed=at), "PNG") for at in range(3)]
    return {
        "named": image_parquet(images, ["a.png", "b.png", "c.png"], ["cat", "dog"], group=2, label=[0, 1, 5]),
        "binary": image_parquet([*images, None], binary=True, text=["a", "b", None, "d"]),
    }


def items() -> Iterator[Item]:
    """Each carried to the intake beside a good image."""
    for name, data in tar().items():
        yield _one(f"{name}.tar", data, TAKEN, REFUSED)
        for share in (0.02, 0.3, 0.7):
            yield _one(f"{name}-cut-{share}.tar", data[: int(len(data) * share)], TAKEN, REFUSED)
    for name, data in parquet().items():
        yield _one(f"{name}.parquet", data, TAKEN, REFUSED)
        for share in (0.02, 0.5, 0.98):
            yield _one(f"{name}-cut-{share}.parquet", data[: int(len(data) * share)], REFUSED)
    yield _one("far.tar", header("1.png", size=2**60), REFUSED)
    yield _one("negative.tar", header("1.png", size=-5), REFUSED)
    yield _one("endless-name.tar", header("././@LongLink", size=2**40, kind=tarfile.GNUTYPE_LONGNAME), REFUSED)
    yield _one("endless-pax.tar", header("x", size=2**40, kind=tarfile.XHDTYPE), REFUSED)
    yield _one("climbs.tar", tarred({"../../../../tmp/x.png": coded(noise(), "PNG")}), TAKEN)
    yield _one("code.tar", tarred({"1.pyd": b"cos\nsystem\n(S'touch /tmp/owned'\ntR.", "2.pth": b"PK"}), REFUSED)
    yield _one("json.tar", tarred({"1.png": coded(noise(), "PNG"), "1.json": b'{"a":' * 5_000}), TAKEN, REFUSED)
    yield _one("same.tar", tarred({"1.png": coded(noise(), "PNG")}) * 40, TAKEN, REFUSED)
    bomb = image_parquet([bytes(2**24)] * 12, text=["x"] * 12)
    yield _one("zeros.parquet", bomb, REFUSED)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """The header of one entry and nothing behind it."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def _one(file: str, data: bytes, *expect: str) -> Item:
    return item(f"shards/{file}", "ingest", file, writes(file, data), *expect)
