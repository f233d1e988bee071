"""JSON, TOML and lists of texts: deep, huge, doubled, or of numbers and characters that nobody expects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.hostile.item import ERROR, REFUSED, TAKEN, Item, item, writes

DIGITS = "9" * 400
Made = dict[str, tuple[Callable[[], bytes], tuple[str, ...]]]
WRONG = (ERROR,)


def items() -> Iterator[Item]:
    """Every document, each at the door that reads its kind."""
    for name, (make, expect) in {**_json("annotations"), **_annotations()}.items():
        yield item(f"annotations/{name}", "annotations", f"{name}.json", writes(f"{name}.json", make), *expect)
    for name, (make, expect) in _toml().items():
        yield item(f"thresholds/{name}", "thresholds", f"{name}.toml", writes(f"{name}.toml", make), *expect)
    for name, (make, expect) in _declared().items():
        yield item(f"declared/{name}", "declared", name, writes(name, make), *expect)
    for name, (make, expect) in _texts().items():
        yield item(f"texts/{name}", "texts", name, writes(name, make), *(expect or (TAKEN, ERROR)))
    for name, (make, expect) in _sheets().items():
        yield item(f"sheets/{name}", "sheet", f"{name}.csv", writes(f"{name}.csv", make), *expect)
    for name, (make, expect) in {**_json("plan"), **_plans()}.items():
        yield item(f"plans/{name}", "plan", f"{name}.json", writes(f"{name}.json", make), *expect)


# -- sheets of a spot check --------------------------------------------------------------------------------------


def _sheets() -> Made:
    head = b"id,class,mark\n"
    either = (ERROR, TAKEN)
    return {
        "empty": (lambda: b"", WRONG),
        "no-column": (lambda: b"image,class,mark\na,b,c\n", WRONG),
        "column-twice": (lambda: b"id,id,class,mark\na,a,b,c\n", WRONG),
        "open-quote": (lambda: head + b'"' + b"x" * 1_000_000, WRONG),
        "long-cell": (lambda: head + b"x" * 100_000 + b",b,c\n", WRONG),
        "rows-1000000": (lambda: head + b"a,b,right\n" * 1_000_000, WRONG),
        "columns-100000": (lambda: b"id,class,mark" + b",x" * 100_000 + b"\n", either),
        "formula": (lambda: head + b"=HYPERLINK(0),+1,@right\n", (TAKEN,)),
        "utf-16": (lambda: (head + b"a,b,right\n").decode().encode("utf-16"), either),
        "direction-marks": (lambda: head + "\u202ea,b\u2028,right\n".encode(), either),
    }


# -- JSON of any kind --------------------------------------------------------------------------------------------


def _json(kind: str) -> Made:
    sound = json.dumps(sound_annotations() if kind == "annotations" else sound_plan())
    first = "{" if kind == "annotations" else '{"version": 1,'

    def beside(extra: str) -> bytes:
        return (first + extra + "," + sound[1:]).encode("utf-8", "surrogatepass")

    return {
        "deep-lists": (lambda: b"[" * 1_000_000, WRONG),
        "deep-objects": (lambda: b'{"a":' * 1_000_000, WRONG),
        "deep-and-closed": (lambda: b"[" * 100_000 + b"]" * 100_000, WRONG),
        "deep-beside": (lambda: beside('"x": ' + "[" * 900 + "]" * 900), (ERROR, TAKEN, REFUSED)),
        "deeper-beside": (lambda: beside('"x": ' + "[" * 50_000 + "]" * 50_000), (ERROR, TAKEN, REFUSED)),
        "integer-400-digits": (lambda: beside(f'"x": {DIGITS}'), (ERROR, TAKEN)),
        "integer-5000-digits": (lambda: beside(f'"x": {"9" * 5000}'), (ERROR, TAKEN)),
        "integer-5-megabytes": (lambda: beside(f'"x": {"9" * 5_000_000}'), (ERROR, TAKEN)),
        "number-1e999": (lambda: beside('"x": 1e999'), (ERROR, TAKEN)),
        "not-a-number": (lambda: beside('"x": NaN'), (ERROR, TAKEN)),
        "infinity": (lambda: beside('"x": -Infinity'), (ERROR, TAKEN)),
        "same-key-twice": (lambda: beside('"images": []'), (ERROR, TAKEN, REFUSED)),
        "same-key-a-million-times": (lambda: beside(",".join(['"x": 1'] * 1_000_000)), (ERROR, TAKEN)),
        "keys-200000": (lambda: beside(",".join(f'"x{n}": {n}' for n in range(200_000))), (ERROR, TAKEN)),
        "text-40-megabytes": (lambda: beside(f'"x": "{"y" * 40_000_000}"'), (ERROR, TAKEN)),
        "lone-surrogate": (lambda: beside('"\\ud800": "\\udfff"'), (ERROR, TAKEN)),
        "raw-surrogate": (lambda: beside('"x": "\ud800"'), WRONG),
        "zero-byte": (lambda: beside('"x": "\\u0000"'), (ERROR, TAKEN)),
        "byte-order-mark": (lambda: b"\xef\xbb\xbf" + sound.encode(), (ERROR, TAKEN)),
        "utf-16": (lambda: sound.encode("utf-16"), (ERROR, TAKEN)),
        "utf-32": (lambda: sound.encode("utf-32"), (ERROR, TAKEN)),
        "latin-1": (lambda: b'{"x": "\xff"}', WRONG),
        "cut": (lambda: sound.encode()[: len(sound) // 2], WRONG),
        "then-more": (lambda: sound.encode() + b"{}", WRONG),
        "empty": (lambda: b"", WRONG),
        "blanks-40-megabytes": (lambda: b" " * 40_000_000, WRONG),
        "only-number": (lambda: b"1", WRONG),
        "only-text": (lambda: b'"x"', WRONG),
        "null": (lambda: b"null", WRONG),
        "list": (lambda: b"[]", WRONG),
        "archive": (lambda: b"PK\x03\x04" + b"\0" * 100, WRONG),
        "gzip": (lambda: b"\x1f\x8b\x08\0" + b"\0" * 100, WRONG),
    }


# -- annotations -------------------------------------------------------------------------------------------------


def sound_annotations() -> dict[str, Any]:
    """Annotations of the good image."""
    return {
        "images": [{"id": 1, "file_name": "good.png", "width": 64, "height": 64}],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "area": 100, "bbox": [0, 0, 10, 10], "iscrowd": 0,
             "segmentation": [[0, 0, 10, 0, 10, 10]]},
        ],
    }  # fmt: skip


def changed(path: str, value: Any) -> bytes:
    """Sound annotations with one value exchanged: `images.0.width`."""
    content = sound_annotations()
    place: Any = content
    *parts, last = path.split(".")
    for part in parts:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    return json.dumps(content).encode()


def _many_images() -> bytes:
    many = [{"id": n, "file_name": f"{n}.png", "width": 64, "height": 64} for n in range(200_000)]
    return json.dumps({**sound_annotations(), "images": many}).encode()


def _annotations() -> Made:
    shape = "annotations.0.segmentation"
    bad = (REFUSED, ERROR)
    either = (REFUSED, ERROR, TAKEN)
    evil = {"model_cfg": {"embed_dim": 1, "vision_cfg": {}, "text_cfg": {"hf_tokenizer_name": "a/b",
            "tokenizer_kwargs": {"trust_remote_code": True}}}, "preprocess_cfg": {}}  # fmt: skip
    values: dict[str, tuple[str, Any, tuple[str, ...]]] = {
        "width-400-digits": ("images.0.width", int(DIGITS), bad),
        "width-negative": ("images.0.width", -1, bad),
        "width-text": ("images.0.width", "٤٤", either),
        "width-true": ("images.0.width", True, either),
        "width-list": ("images.0.width", [64], bad),
        "name-escapes": ("images.0.file_name", "\x1b[2Jgood.png", bad),
        "name-slip": ("images.0.file_name", "../../good.png", either),
        "name-megabyte": ("images.0.file_name", "n" * 2**20, bad),
        "name-number": ("images.0.file_name", 5, bad),
        "name-surrogate": ("images.0.file_name", "\ud800.png", bad),
        "id-list": ("images.0.id", [1], bad),
        "id-400-digits": ("images.0.id", int(DIGITS), bad),
        "category-surrogate": ("categories.0.name", "\ud800", either),
        "category-escapes": ("categories.0.name", "\x1b[31mdog\nname: sound", either),
        "category-megabyte": ("categories.0.name", "n" * 2**20, bad),
        "area-400-digits": ("annotations.0.area", int(DIGITS), bad),
        "area-text": ("annotations.0.area", "1e999", bad),
        "area-object": ("annotations.0.area", {"a": 1}, bad),
        "box-short": ("annotations.0.bbox", [1], either),
        "polygon-odd": (shape, [[0, 0, 1]], bad),
        "polygon-400-digits": (shape, [[int(DIGITS)] * 6], bad),
        "polygon-1e308": (shape, [[1e308, -1e308] * 3], either),
        "polygon-text": (shape, ["000000"], either),
        "polygon-million": (shape, [[0, 1] * 500_000], either),
        "polygons-empty-million": (shape, [[]] * 1_000_000, bad),
        "polygon-number": (shape, 5, bad),
        "runs-negative": (shape, {"size": [64, 64], "counts": [-1, 4097]}, bad),
        "runs-400-digits": (shape, {"size": [64, 64], "counts": [int(DIGITS)]}, bad),
        "runs-two-million": (shape, {"size": [64, 64], "counts": [0] * 2_000_000 + [4096]}, either),
        "runs-size-400-digits": (shape, {"size": [int(DIGITS), 1], "counts": [1]}, bad),
        "runs-size-of-another": (shape, {"size": [7744, 7744], "counts": [7744 * 7744]}, bad),
        "runs-packed-garbage": (shape, {"size": [64, 64], "counts": "\x7f\x00~~~"}, bad),
        "runs-packed-endless": (shape, {"size": [64, 64], "counts": "o" * 1_000_000}, bad),
        "runs-packed-many": (shape, {"size": [64, 64], "counts": "0" * 2_000_000}, bad),
        "runs-fractions": (shape, {"size": [64, 64], "counts": [0.5, 4095.9]}, either),
        "runs-no-size": (shape, {"counts": [4096]}, bad),
    }
    made: Made = {name: (partial(changed, path, value), expect) for name, (path, value, expect) in values.items()}

    def with_more(**more: Any) -> bytes:
        return json.dumps({**more, **sound_annotations()}).encode()

    first = sound_annotations()["annotations"][0]
    made |= {
        "with-a-model-configuration": (partial(with_more, **evil), (TAKEN, ERROR)),
        "with-code": (partial(with_more, auto_map={"AutoTokenizer": ["evil.Evil", None]}), (TAKEN, ERROR)),
        "images-200000": (_many_images, bad),
        "objects-100000": (lambda: json.dumps({**sound_annotations(), "annotations": [first] * 100_000}).encode(), ()),
        "objects-are-numbers": (lambda: json.dumps({**sound_annotations(), "annotations": [1] * 9}).encode(), bad),
        "lists-are-objects": (lambda: b'{"images": {}, "categories": {}, "annotations": {}}', WRONG),
        "another-image": (lambda: changed("images.0.file_name", "other.png"), bad),
    }
    return {name: (make, expect or either) for name, (make, expect) in made.items()}


# -- thresholds --------------------------------------------------------------------------------------------------


def _toml() -> Made:
    return {
        "deep-lists": (lambda: b"a = " + b"[" * 100_000, WRONG),
        "deep-and-closed": (lambda: b"a = " + b"[" * 5000 + b"]" * 5000, WRONG),
        "deep-tables": (lambda: b"a = " + b"{b=" * 20_000, WRONG),
        "deep-names": (lambda: b"[" + b"a." * 200_000 + b"a]", WRONG),
        "deep-names-in-lines": (lambda: (b"a." * 99 + b"a = 1\n") * 5000, WRONG),
        "deep-names-inline": (lambda: b"a = {" + b"a." * 200_000 + b"a = 1}", WRONG),
        "long-name": (lambda: b"a" * 1_000_000 + b" = 1", WRONG),
        "headers-100000": (lambda: b"".join(b"[[a%d]]\n" % n for n in range(100_000)), WRONG),
        "header-100000-times": (lambda: b"[[a]]\n" * 100_000, WRONG),
        "escapes-million": (lambda: b'version = "' + b"\\u0041" * 170_000 + b'"', (ERROR, TAKEN)),
        "list-of-numbers": (lambda: b"a = [" + b"1," * 450_000 + b"]", WRONG),
        "integer-400-digits": (lambda: f"version = {DIGITS}".encode(), (ERROR, TAKEN)),
        "integer-5000-digits": (lambda: f"version = {'9' * 5000}".encode(), WRONG),
        "infinity": (lambda: b"version = inf", (ERROR, TAKEN)),
        "not-a-number": (lambda: b"[trust]\nmargin = nan", WRONG),
        "version-megabyte": (lambda: f'version = "{"9" * 2**20}"'.encode(), (ERROR, TAKEN)),
        "version-escapes": (lambda: b'version = "\\u001b[2J\\u202e"', (ERROR, TAKEN)),
        "version-lines": (lambda: b'version = """1\nname: sound"""', (ERROR, TAKEN)),
        "version-list": (lambda: b"version = [1, 2]", (ERROR, TAKEN)),
        "version-date": (lambda: b"version = 1979-05-27T07:32:00Z", (ERROR, TAKEN)),
        "unknown-name-escapes": (lambda: b'"\\u001b[2J" = 1', WRONG),
        "unknown-name-megabyte": (lambda: b"a" * 2**20 + b" = 1", WRONG),
        "unknown-names-100000": (lambda: "\n".join(f"a{n} = 1" for n in range(100_000)).encode(), WRONG),
        "table-for-number": (lambda: b"[version]\na = 1", (ERROR, TAKEN)),
        "40-megabytes": (lambda: b"# " + b"x" * 40_000_000, WRONG),
        "60-megabytes": (lambda: b"# " + b"x" * 60_000_000, WRONG),
        "binary": (lambda: bytes(range(256)), WRONG),
        "surrogates": (lambda: b'version = "\xed\xa0\x80"', WRONG),
        "utf-16": (lambda: "version = 1".encode("utf-16"), WRONG),
        "byte-order-mark": (lambda: b'\xef\xbb\xbfversion = "1"', (ERROR, TAKEN)),
        "same-name-twice": (lambda: b"version = 1\nversion = 2", WRONG),
        "empty": (lambda: b"", (ERROR, TAKEN)),
        "archive": (lambda: b"PK\x03\x04", WRONG),
        "quotes-open": (lambda: b'version = """' + b"x" * 100_000, WRONG),
        "dotted-and-table": (lambda: b"a.b = 1\n[a]\nb = 2", WRONG),
    }


# -- declared concepts -------------------------------------------------------------------------------------------


def _declared() -> Made:
    head = "class,concept,expectation\n"
    return {
        "escapes.csv": (lambda: (head + "*,\x1b[2Jlogo,forbidden\n").encode(), WRONG),
        "unknown-column-escapes.toml": (lambda: b'[[concepts]]\n"\\u001b[2J" = 1\n', WRONG),
        "megabyte.csv": (lambda: (head + "*," + "x" * 2**20 + ",forbidden\n").encode(), WRONG),
        "rows-100000.csv": (lambda: (head + "*,a,expected\n" * 10_000).encode(), (TAKEN,)),
        "different-61.csv": (lambda: (head + "".join(f"*,a{n},expected\n" for n in range(61))).encode(), WRONG),
        "quote-open.csv": (lambda: (head + '"' + "x" * 200_000).encode(), WRONG),
        "binary.csv": (lambda: bytes(range(256)), WRONG),
        "empty.csv": (lambda: b"", WRONG),
        "numbers.toml": (lambda: b"[[concepts]]\nclass = 1\nconcept = nan\nexpectation = inf\n", WRONG),
        "table-for-list.toml": (lambda: b"[concepts]\na = 1\n", WRONG),
    }


# -- texts -------------------------------------------------------------------------------------------------------


def _texts() -> Made:
    made: dict[str, Callable[[], bytes]] = {
        "line-40-megabytes.txt": lambda: b"x" * 40_000_000,
        "60-megabytes.txt": lambda: b"x\n" * 30_000_000,
        "lines-a-million.txt": lambda: b"".join(b"%d\n" % n for n in range(1_000_000)),
        "empty-lines.txt": lambda: b"\n" * 20_000_000,
        "zero-bytes.txt": lambda: b"a\0b\n",
        "escapes.txt": lambda: b"\x1b[2Jdog\n",
        "direction-marks.txt": lambda: "\u202egod\u2066\n".encode(),
        "combining.txt": lambda: ("a" + "\u0301" * 1500 + "\n").encode(),
        "surrogates.txt": lambda: b"\xed\xa0\x80\n",
        "utf-16.txt": lambda: "dog\n".encode("utf-16"),
        "utf-16-surrogate.txt": lambda: b"\xff\xfe\x00\xd8",
        "utf-16-cut.txt": lambda: b"\xff\xfe\x00",
        "utf-32.txt": lambda: "dog".encode("utf-32"),
        "binary.txt": lambda: bytes(range(256)) * 100,
        "template.txt": lambda: b"{} {0} {0.__class__} %s {{7*7}} ${x}\n",
        "formulas.txt": lambda: b"=1+1\n@a\n+b\n-c\n",
        "markup.txt": lambda: b"<script>alert(1)</script>\n<img src=x onerror=y>\n",
        "separators.txt": lambda: "a\u2028b\u2029c\x85d\x0be\x0cf".encode(),
        "empty.txt": lambda: b"",
        "archive.txt": lambda: b"PK\x03\x04" + b"\0" * 99,
        "header-200000.csv": lambda: b"prompt," + b"x" * 200_000 + b"\ndog,1\n",
        "cell-200000.csv": lambda: b"prompt\n" + b"x" * 200_000 + b"\n",
        "columns-200000.csv": lambda: b"prompt" + b"," * 200_000 + b"\ndog\n",
        "quotes-open.csv": lambda: b'prompt\n"never closed\n' * 1000,
        "quotes-only.csv": lambda: b'"' * 1_000_000,
        "zero-bytes.csv": lambda: b"prompt\na\0b\n",
        "rows-300000.csv": lambda: b"prompt\n" + b"dog\n" * 300_000,
        "carriage-returns.csv": lambda: b"prompt\rdog\rcat\r",
        "tabs.tsv": lambda: b"prompt" + b"\t" * 200_000,
    }
    return {name: (make, ()) for name, make in made.items()}


# -- plans -------------------------------------------------------------------------------------------------------


def sound_plan(**other: Any) -> dict[str, Any]:
    """A plan that is accepted, with parts exchanged."""
    return {"version": 1, "dataset": "0" * 16, "dataset_root": "d", "images": ["0" * 16],
            "methods": [{"name": "raw"}], **other}  # fmt: skip


def _plans() -> Made:
    parts: dict[str, dict[str, Any]] = {
        "title-control-character": {"declared": {"title": "Quarterly\x0baudit"}},
        "title-megabyte": {"declared": {"title": "t" * 2**20}},
        "title-surrogate": {"declared": {"title": "\ud800"}},
        "purpose-megabyte": {"declared": {"purpose": "t" * 2**20}},
        "preparer-direction": {"declared": {"preparer": "\u202e\u2066x"}},
        "masks-10-to-12": {"methods": [{"name": "rise", "options": {"masks": 10**12}}]},
        "masks-400-digits": {"methods": [{"name": "rise", "options": {"masks": int(DIGITS)}}]},
        "masks-negative": {"methods": [{"name": "rise", "options": {"masks": -5}}]},
        "masks-infinite": {"methods": [{"name": "rise", "options": {"masks": float("inf")}}]},
        "samples-10-to-9": {"methods": [{"name": "kernel_shap", "options": {"samples": 10**9}}]},
        "option-unknown": {"methods": [{"name": "raw", "options": {"x" * 100_000: 1}}]},
        "method-unknown-escapes": {"methods": [{"name": "\x1b[2J"}]},
        "method-twice": {"methods": [{"name": "raw"}, {"name": "raw"}]},
        "seed-400-digits": {"seed": int(DIGITS)},
        "seed-negative": {"seed": -1},
        "shard-10-to-9": {"shard": 10**9},
        "images-million": {"images": ["0" * 16] * 1_000_000},
        "images-slip": {"images": ["../../etc/passwd"]},
        "images-empty": {"images": []},
        "dataset-slip": {"dataset": "../.."},
        "root-megabyte": {"dataset_root": "r" * 2**20},
        "root-zero-byte": {"dataset_root": "a\0b"},
        "model-megabyte": {"model": {"name": "m" * 2**20}},
        "model-escapes": {"model": {"name": "\x1b[2J"}},
        "prompts-100000": {"texts": {"prompts": [f"p{n}" for n in range(100_000)]}},
        "prompt-megabyte": {"texts": {"prompts": ["p" * 2**20]}},
        "prompt-surrogate": {"texts": {"prompts": ["\ud800"]}},
        "templates-without-place": {"texts": {"templates": ["no place"]}},
        "templates-attribute": {"texts": {"templates": ["{0.__class__.__mro__}"]}},
        "templates-width": {"texts": {"templates": ["{:>1000000000}"]}},
        "templates-10000": {"texts": {"templates": [f"{n} {{}}" for n in range(10_000)]}},
        "top-classes-10-to-9": {"texts": {"top_classes": 10**9}},
        "resamples-10-to-9": {"trust": {"resamples": 10**9}},
        "steps-10-to-9": {"trust": {"steps": 10**9}},
        "coalitions-10-to-9": {"trust": {"coalitions": 10**9}},
        "files-million": {"files": {f"a.{n}": "0" * 64 for n in range(100_000)}},
        "unknown-part": {"evil": 1},
        "version-2": {"version": 2},
        "truth-device": {"applications": [{"name": "segmentation", "options": {"truth": "/dev/zero"}}]},
    }
    # What a plan may not hold has no other outcome; what is bounded elsewhere may pass here.
    wrong = ("megabyte", "masks", "10-to", "unknown", "twice", "negative", "400", "empty", "version-2", "width",
             "attribute", "100000", "10000", "million")  # fmt: skip
    return {
        name: (lambda part=part: json.dumps(sound_plan(**part)).encode(),
               WRONG if any(word in name for word in wrong) else (ERROR, TAKEN))
        for name, part in parts.items()
    }  # fmt: skip
