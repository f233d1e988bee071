"""Evidence bundles that vouch for themselves, that unpack without end, or whose tables are none."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.hostile.archives import packed, patched
from tests.hostile.documents import DIGITS, sound_plan
from tests.hostile.images import small_gif
from tests.hostile.item import ERROR, REFUSED, Item, item, writes

SUMS = "SHA256SUMS"
BAD = (REFUSED, ERROR)
UNITS = "position,key,images,state,tries,seconds,rows,sha256,error\n"


def items() -> Iterator[Item]:
    """Every bundle, carried to `verify`, and to be opened in the app: none is sound."""
    for name, make in {**_whole(), **_parts()}.items():
        heavy = name.endswith(("a-gigabyte-of-sums", "a-gigabyte-of-plan", "a-gigabyte-unlisted"))
        yield item(f"bundles/{name}", "verify", f"{name}.zip", writes(f"{name}.zip", make), *BAD, heavy=heavy)
        yield item(
            f"bundles/{name}-opened", "open_bundle", f"{name}.zip", writes(f"{name}.zip", make), ERROR, heavy=heavy
        )


def files(**other: bytes | None) -> dict[str, bytes]:
    """The files of a bundle that are there at least; by their name without its ending others, or none."""
    made: dict[str, bytes] = {
        "plan.json": json.dumps(sound_plan()).encode(),
        "manifest.json": b"{}",
        "findings.json": b"[]",
        "dataset.json": b"{}",
        "units.csv": UNITS.encode(),
    }
    for name, data in other.items():
        full = next((known for known in made if known.partition(".")[0] == name), name.replace("__", "/"))
        if data is None:
            del made[full]
        else:
            made[full] = data
    return made


def summed(content: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, **more: bytes) -> bytes:
    """A bundle that is sound by its own sums."""
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in content.items())
    return packed({**content, SUMS: sums.encode("utf-8", "surrogatepass"), **more}, method)


def of(**other: Any) -> bytes:
    """A bundle with some of its files exchanged, its sums made anew."""
    return summed(files(**other))


def _whole() -> dict[str, Callable[[], bytes]]:
    one = partial(of)
    return {
        "vouches-for-itself": one,
        "names-65000": lambda: packed({f"{n}": b"" for n in range(65_000)} | {SUMS: b""}, zipfile.ZIP_STORED),
        "names-65000-listed": lambda: summed({f"{n}": b"" for n in range(65_000)}, zipfile.ZIP_STORED),
        "same-name-5000-times": _same,
        "sums-twice": lambda: of() + of(),
        "no-sums": lambda: packed(files()),
        "empty-archive": lambda: packed({}),
        "no-archive": lambda: b"x" * 1000,
        "empty": lambda: b"",
        "an-image": small_gif,
        "cut": lambda: one()[:-30],
        "a-gigabyte-of-sums": partial(_gigabyte, SUMS),
        "a-gigabyte-of-plan": partial(_gigabyte, "plan.json"),
        "a-gigabyte-unlisted": partial(_gigabyte, "more.bin"),
        "fifty-megabytes-of-sums": lambda: packed({**files(), SUMS: bytes(50_000_000)}),
        "sums-of-lines": lambda: packed({**files(), SUMS: b"\n" * 5_000_000}),
        "sums-of-names": lambda: packed({SUMS: b"".join(b"0" * 64 + b"  %d\n" % n for n in range(300_000))}),
        "sums-escapes": lambda: packed({SUMS: b"\x1b[2J" * 1000 + b"\nname: sound\n"}),
        "sums-not-unicode": lambda: packed({SUMS: b"\xff\xfe" * 1000}),
        "sums-slip": lambda: packed({SUMS: b"0" * 64 + b"  ../../../etc/passwd\n"}),
        "lzma": lambda: summed(files(), zipfile.ZIP_LZMA),
        "bzip2": lambda: summed(files(), zipfile.ZIP_BZIP2),
        "lzma-garbage": lambda: patched(one(), 8, 10, b"\x0e\0"),
        "bzip2-garbage": lambda: patched(one(), 8, 10, b"\x0c\0"),
        "method-unknown": lambda: patched(one(), 8, 10, b"\xff\x7f"),
        "deflate-garbage": lambda: patched(one(), 40, None, b"\xff" * 30),
        "encrypted": lambda: patched(one(), 6, 8, b"\x01\0"),
        "checksum": lambda: patched(one(), 14, 16, b"abcd"),
        "offsets": lambda: patched(one(), None, 42, b"\xf0\xff\xff\x7f"),
        "prefixed": lambda: b"%PDF-1.7\n" + one(),
        "name-escapes": lambda: summed({**files(), "\x1b[2J\x1b[1;1Hforged.zip: sound": b"x"}),
        "name-lines": lambda: summed({**files(), "a\nbundle.zip: sound\n": b"x"}),
        "name-escapes-unlisted": lambda: packed({**files(), SUMS: b"", "\x1b[2J\nx: sound": b"x"}),
        "name-direction": lambda: packed({**files(), SUMS: b"", "\u202edetsil ton": b"x"}),
        "name-60000-letters": lambda: packed({**files(), SUMS: b"", "n" * 60_000: b"x"}),
        "name-slip": lambda: summed({**files(), "../../../tmp/evil": b"x", "/etc/evil": b"x"}),
        "name-surrogate": lambda: packed({**files(), SUMS: b"0" * 64 + b"  \xed\xa0\x80\n"}),
        "unlisted-code": lambda: packed({**files(), SUMS: b"", "evil.py": b"import os"}),
    }


def _same() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle:
        for _ in range(5000):
            bundle.writestr(zipfile.ZipInfo("same"), b"")
        bundle.writestr(SUMS, b"")
    return stream.getvalue()


def _gigabyte(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
        for other, data in files().items():
            if other != name:
                bundle.writestr(other, data)
        whole = hashlib.sha256()
        with bundle.open(name, "w", force_zip64=True) as target:
            for _ in range(1024):
                target.write(bytes(2**20))
                whole.update(bytes(2**20))
        if name != SUMS:
            sums = {other: hashlib.sha256(data).hexdigest() for other, data in files().items()}
            sums[name] = whole.hexdigest()
            bundle.writestr(SUMS, "".join(f"{digest}  {other}\n" for other, digest in sums.items()))
    return stream.getvalue()


def _parts() -> dict[str, Callable[[], bytes]]:
    plan = sound_plan()
    unit = UNITS + "0,{key},a,done,1,1.0,1,{sha},\n"
    made: dict[str, dict[str, bytes | None]] = {
        "units-no-columns": {"units": b"x\ny\n"},
        "units-empty": {"units": b""},
        "units-not-unicode": {"units": b"\xff\xfe\x00"},
        "units-zero-bytes": {"units": b"a\0b\n"},
        "units-long-cell": {"units": UNITS.encode() + b"0," + b"x" * 200_000 + b"\n"},
        "units-quotes": {"units": b'"' * 300_000},
        "units-more-cells": {"units": UNITS.encode() + b"0,1,2,3,4,5,6,7,8,9,10\n"},
        "units-slip": {"units": unit.format(key="../../x", sha="0" * 64).encode()},
        "units-escapes": {"units": unit.format(key="\x1b[2J", sha="0" * 64).encode()},
        "units-300000": {"units": (UNITS + "0,k,a,done,1,1.0,1,0,\n" * 300_000).encode()},
        "result-is-none": {"units": unit.format(key="k", sha=hashlib.sha256(b"x").hexdigest()).encode(),
                           "results__k.parquet": b"x"},
        "result-magic": {"units": unit.format(key="k", sha=hashlib.sha256(b"PAR1PAR1").hexdigest()).encode(),
                         "results__k.parquet": b"PAR1PAR1"},
        "manifest-garbage": {"manifest": b"garbage"},
        "manifest-list": {"manifest": b"[]"},
        "manifest-deep": {"manifest": b"[" * 500_000},
        "manifest-digits": {"manifest": f'{{"a": {"9" * 5000}}}'.encode()},
        "manifest-missing": {"manifest": None},
        "dataset-not-unicode": {"dataset": b"\xff"},
        "dataset-deep": {"dataset": b'{"a":' * 500_000},
        "dataset-number": {"dataset": b"1"},
        "findings-deep": {"findings": b"[" * 500_000},
        "findings-object": {"findings": b"{}"},
        "findings-numbers": {"findings": b"[1, 2, 3]"},
        "findings-digits": {"findings": f"[{DIGITS}]".encode()},
        "findings-not-unicode": {"findings": b"\xff"},
        "plan-deep": {"plan": b"[" * 500_000},
        "plan-digits": {"plan": json.dumps({**plan, "seed": int(DIGITS)}).encode()},
        "plan-title-escapes": {"plan": json.dumps({**plan, "declared": {"title": "\x1b[2J\nx: sound"}}).encode()},
        "plan-unknown-escapes": {"plan": json.dumps({**plan, "\x1b[2J": 1}).encode()},
        "plan-not-unicode": {"plan": b"\xff"},
        "plan-missing": {"plan": None},
        "table-none": {"tables__trust.csv": b"\xff\0"},
        "thresholds-deep": {"thresholds.toml": b"a = " + b"[" * 100_000},
        "comparison-deep": {"comparison.json": b"[" * 500_000},
    }  # fmt: skip
    return {name: partial(of, **parts) for name, parts in made.items()}
