"""Tables: small files with many cells, long cells, or cells that are no text."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pyarrow
from pyarrow import parquet

from tests.hostile.item import ERROR, REFUSED, TAKEN, Item, item, writes

HEAVY = {
    "csv-captions-199000",
    "csv-captions-of-2000-letters",
    "csv-rows-199000",
    "csv-near-limit",
    "csv-empty-lines-40-million",
}


def items() -> Iterator[Item]:
    """Every table, as one file among many and as the table that must be usable."""
    made: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {**_csv(), **_parquet()}
    for name, (make, expect) in made.items():
        file = f"{name}.{name.partition('-')[0]}"
        heavy = name in HEAVY
        yield item(f"tables/{name}", "ingest", file, writes(file, make), *(expect or (TAKEN, REFUSED)), heavy=heavy)
        if not heavy:
            yield item(f"tables/must-{name}", "table", file, writes(file, make), TAKEN, REFUSED, ERROR)


def lines(*rows: str) -> bytes:
    """A CSV of these lines."""
    return ("\n".join(rows) + "\n").encode()


def _csv() -> dict[str, tuple[Callable[[], bytes], tuple[str, ...]]]:
    digits = "9" * 400
    made: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
        "columns-20000": (lambda: lines("image," + ",".join(f"column{n}" for n in range(20_000)), "good.png"), ()),
        "columns-200000-filled": (lambda: lines("image" + ",c" * 200_000, "good.png" + ",1" * 200_000), ()),
        "columns-5000": (
            lambda: lines("image," + ",".join(f"c{n}" for n in range(5000)), "good.png" + ",1" * 5000),
            (),
        ),
        "cells-20-million": (
            lambda: lines("image," + ",".join(f"c{n}" for n in range(99)), *["good.png" + "," * 99] * 190_000),
            (),
        ),
        "line-200000-characters": (lambda: lines("image,caption", "good.png," + "x" * 200_000), ()),
        "header-200000-characters": (lambda: lines("image,caption," + "x" * 200_000, "good.png,a,b"), ()),
        "header-of-one-word": (lambda: b"x" * 200_000, ()),
        "caption-40-megabytes": (lambda: b"image,caption\ngood.png," + b"x" * 40_000_000 + b"\n", ()),
        "captions-199000": (lambda: _captions(199_000), ()),
        "captions-20000": (lambda: _captions(20_000), ()),
        "captions-of-2000-letters": (lambda: _captions(20_000, "y" * 1980), ()),
        "caption-columns-5000": (
            lambda: lines("image," + ",".join(f"caption{n}" for n in range(5000)), "good.png" + ",same" * 5000),
            (),
        ),
        "rows-199000": (lambda: lines("image,caption", *(f"missing{n}.png,x" for n in range(199_000))), ()),
        "rows-20000-missing": (lambda: lines("image,caption", *(f"missing{n}.png,x" for n in range(20_000))), ()),
        "rows-300000": (lambda: lines("image,caption", *["good.png,x"] * 300_000), (REFUSED,)),
        "rows-same-values": (lambda: lines("image,a", *(f"good.png,{n}" for n in range(50_000))), ()),
        "near-limit": (lambda: lines("image,caption", *(f"good.png,{'z' * 200}{n}" for n in range(199_000))), ()),
        "empty-lines": (lambda: b"image,caption\n" + b"\n" * 4_000_000, ()),
        "empty-lines-40-million": (lambda: b"image,caption\n" + b"\n" * 40_000_000, ()),
        "quotes-open": (lambda: lines("image,caption", 'good.png,"never closed', *["x"] * 20_000), ()),
        "quotes-only": (lambda: b'"' * 2_000_000, ()),
        "quotes-doubled": (lambda: lines("image,caption", "good.png," + '"' * 200_001), ()),
        "zero-bytes": (lambda: lines("image,caption", "good.png,a\0b"), ()),
        "integer-400-digits": (lambda: lines("image,number", f"good.png,{digits}"), ()),
        "integer-400-digits-header": (lambda: lines(f"image,{digits}", "good.png,1"), ()),
        "integer-5000-digits": (lambda: lines("image,number", f"good.png,{'9' * 5000}"), ()),
        "number-1e999": (lambda: lines("image,number", "good.png,1e999", "good.png,-1e999"), ()),
        "number-not-a-number": (lambda: lines("image,number", "good.png,nan", "good.png,inf"), ()),
        "formulas": (lambda: lines("image,=cmd|' /C calc'!A0", "good.png,=HYPERLINK(0)", "good.png,@SUM(1)"), ()),
        "formula-path": (lambda: lines("image,caption", "=good.png,x"), ()),
        "escapes": (lambda: lines("image,\x1b]0;owned\x07", "good.png,\x1b[31mred"), ()),
        "direction-marks": (lambda: lines("image,caption", "good.png,\u202egnp.exe"), ()),
        "path-absolute": (lambda: lines("image,caption", "/etc/passwd,x"), (REFUSED,)),
        "path-up": (lambda: lines("image,caption", "../good/good.png,x", "../../etc/passwd,y"), ()),
        "path-device": (lambda: lines("image,caption", "/dev/zero,x", "//dev/stdin,y"), (REFUSED,)),
        "path-web": (lambda: lines("image,caption", "http://127.0.0.1:1/a.png,x"), (REFUSED,)),
        "path-60000-letters": (lambda: lines("image,caption", "d/" * 30_000 + "good.png,x"), ()),
        "path-itself": (lambda: lines("image,caption", "csv-path-itself.csv,x"), ()),
        "two-image-columns": (lambda: lines("image,path,file,caption", "good.png,a,b,c"), ()),
        "same-columns": (lambda: lines("image,a,a", "good.png,1,2"), (REFUSED,)),
        "empty": (lambda: b"", (REFUSED,)),
        "only-mark": (lambda: b"\xef\xbb\xbf", ()),
        "utf-16": (lambda: "image,caption\ngood.png,ä\n".encode("utf-16"), ()),
        "utf-16-cut": (lambda: "image,caption\ngood.png,ä\n".encode("utf-16")[:-1], ()),
        "utf-32": (lambda: "image,caption\ngood.png,ä\n".encode("utf-32"), ()),
        "utf-8-surrogates": (lambda: b"image,caption\ngood.png,\xed\xa0\x80\n", ()),
        "binary": (lambda: bytes(range(256)) * 1000, ()),
        "image-inside": (lambda: b"GIF89a,image\n" * 10, ()),
        "carriage-returns": (lambda: b"image,caption\rgood.png,x\r" * 10, ()),
        "separators": (lambda: "image,caption\ngood.png,a\u2028b\x0bc\x1cd\n".encode(), ()),
        "delimiters": (lambda: b"image;,|\t" * 20_000, ()),
    }
    return {f"csv-{name}": value for name, value in made.items()}


def _captions(count: int, start: str = "") -> bytes:
    return lines("image,caption", *(f"good.png,{start}{number}" for number in range(count)))


def written(columns: dict[str, Any], **options: Any) -> bytes:
    """A Parquet file of these columns."""
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), stream, **options)
    return stream.getvalue()


def _parquet() -> dict[str, tuple[Callable[[], bytes], tuple[str, ...]]]:
    rows = 199_000
    one = {"image": ["good.png"], "caption": ["x"]}
    sound = written(one)
    half = len(sound) // 2

    def columns(count: int, make: Callable[[], Any], length: int) -> bytes:
        shared = make()
        names = pyarrow.array(["good.png"] * length)
        return written({"image": names, **{f"c{n}": shared for n in range(count)}}, compression="zstd")

    made: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
        "nulls": (lambda: columns(1000, lambda: pyarrow.nulls(rows, pyarrow.int8()), rows), ()),
        "nulls-few": (lambda: columns(100, lambda: pyarrow.nulls(rows, pyarrow.string()), rows), ()),
        "integers": (lambda: columns(300, lambda: pyarrow.array([7] * rows, pyarrow.int8()), rows), ()),
        "integers-long": (lambda: columns(300, lambda: pyarrow.array([2**62] * rows, pyarrow.int64()), rows), ()),
        "decimals": (
            lambda: columns(30, lambda: pyarrow.array([10**37] * rows, pyarrow.decimal128(38)), rows),
            (),
        ),
        "dates": (lambda: columns(50, lambda: pyarrow.array([1] * rows, pyarrow.date32()), rows), ()),
        "dates-far": (lambda: written({**one, "d": pyarrow.array([2**31 - 1], pyarrow.date32())}), ()),
        "times-far": (
            lambda: written({**one, "d": pyarrow.array([2**62], pyarrow.int64()).cast(pyarrow.timestamp("us"))}),
            (),
        ),
        "times-in-nowhere": (
            lambda: written({**one, "d": pyarrow.array([1], pyarrow.timestamp("s", tz="Nowhere/Never"))}),
            (),
        ),
        "same-caption-100-kilobytes": (partial(_repeated, "x" * 100_000), ()),
        "same-caption-2000-letters": (partial(_repeated, "x" * 2000), ()),
        "same-path-100-kilobytes": (partial(_repeated, "p/" * 50_000, "image"), ()),
        "lists-of-captions": (
            lambda: written({"image": ["good.png"] * 1000, "captions": [["same"] * 2000] * 1000}, compression="zstd"),
            (),
        ),
        "list-of-a-million": (lambda: written({"image": ["good.png"], "captions": [["same"] * 1_000_000]}), ()),
        "lists-in-lists": (lambda: written({**one, "deep": pyarrow.array([[[["x"]]]])}), ()),
        "nested-50": (lambda: _nested(50), ()),
        "nested-500": (lambda: _nested(500), ()),
        "columns-10000": (lambda: written({**one, **{f"c{n}": [1] for n in range(10_000)}}), ()),
        "row-groups-50000": (lambda: written({"image": ["good.png"] * 50_000}, row_group_size=1), ()),
        "maps": (lambda: written({**one, "m": pyarrow.array([[("k", 1)]], pyarrow.map_("string", "int32"))}), ()),
        "bytes": (lambda: written({"image": pyarrow.array([b"\xff\xfe"], pyarrow.binary())}), ()),
        "no-rows": (lambda: written({"image": pyarrow.array([], pyarrow.string())}), ()),
        "no-columns": (lambda: written({}), ()),
        "half-floats": (lambda: written({**one, "f": pyarrow.array([float("nan")], pyarrow.float64())}), ()),
        "name-megabyte": (lambda: written({**one, "n" * 2**20: [1]}), ()),
        "name-escapes": (lambda: written({**one, "\x1b[2J\n": [1]}), ()),
        "metadata-40-megabytes": (_metadata, ()),
        "footer-length-lie": (lambda: sound[:-8] + b"\xff\xff\xff\x7fPAR1", (REFUSED,)),
        "footer-zeros": (lambda: sound[:half] + bytes(len(sound) - half - 8) + sound[-8:], (REFUSED,)),
        "footer-ones": (lambda: sound[:half] + b"\xff" * (len(sound) - half - 8) + sound[-8:], (REFUSED,)),
        "encrypted-magic": (lambda: b"PARE" + sound[4:-4] + b"PARE", (REFUSED,)),
        "only-magic": (lambda: b"PAR1PAR1", (REFUSED,)),
        "cut": (lambda: sound[:half], (REFUSED,)),
    }
    return {f"parquet-{name}": value for name, value in made.items()}


def _repeated(text: str, column: str = "caption") -> bytes:
    rows = 199_000
    texts = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, pyarrow.int32()), [text])
    columns = {"image": pyarrow.array(["good.png"] * rows), "caption": pyarrow.array(["x"] * rows)}
    return written({**columns, column: texts}, compression="zstd")


def _nested(depth: int) -> bytes:
    kind = pyarrow.string()
    for _ in range(depth):
        kind = pyarrow.list_(kind)
    return written({"image": ["good.png"], "deep": pyarrow.array([None], kind)})


def _metadata() -> bytes:
    table = pyarrow.table({"image": ["good.png"]}).replace_schema_metadata({"k": "v" * 30_000_000})
    stream = io.BytesIO()
    parquet.write_table(table, stream)
    return stream.getvalue()
