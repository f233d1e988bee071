"""What is fuzzed: readers of untrusted bytes as they run in a child, each with what must hold whatever it is given.

A reader may refuse. Anything else that it raises, and anything that does not hold, is a finding.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from core.errors import LoupeError, Refused
from core.settings import LIMITS
from tests.hostile import seeds

_REFUSALS = (LoupeError, Refused)
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# Small, so that what is slow for its size is found as such, and not because much is allowed.
SMALL = replace(LIMITS, pixels=250_000, side=2000, table_rows=2000, files=500, texts=500)


@dataclass(frozen=True)
class Target:
    """A reader: `run` gives it bytes, `seeds` are what changes start from, `runs` how often CI tries."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    runs: int


def _refuses(read: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        try:
            read(data)
        except _REFUSALS as refusal:
            told = str(refusal)
            assert "\n" not in told, told[:200]
            assert len(told) < 2000, f"a refusal of {len(told)} characters"

    return run


def _annotations(data: bytes) -> None:
    from core.datasets.coco import read_coco, written_coco

    found = read_coco(data, SMALL)
    kept = written_coco(found)
    again = read_coco(kept, SMALL)
    assert again.problems == found.problems, "what was left out is not known afterwards"
    assert again.objects == found.objects, "what is kept is not what was read"
    assert written_coco(again) == kept, "what is kept is kept otherwise the next time"


def _boxes(data: bytes) -> None:
    from core.datasets.boxes import read_boxes
    from core.datasets.coco import read_coco, written_coco

    found = read_boxes("boxes.csv", data, SMALL)
    kept = written_coco(found)
    again = read_coco(kept, SMALL)
    assert again.objects == found.objects, "what is kept is not what was read"
    assert again.problems == found.problems, "what was left out is not known afterwards"


def _run_lengths(data: bytes) -> None:
    from core.datasets.run_lengths import mask_of, unpacked_runs

    text = data.decode("latin-1")
    try:
        runs = unpacked_runs(text)
        if runs and min(runs) >= 0 and sum(runs) < 10_000:
            assert int(mask_of((1, max(1, sum(runs))), runs).sum()) == sum(runs[1::2]) if sum(runs) else True
    except ValueError:
        return


def _table(data: bytes, name: str = "table.csv") -> None:
    from core.datasets.tables import packed_table, read_table, unpacked_table

    found = read_table(name, data, SMALL)
    assert unpacked_table(name, packed_table(found)) == found
    assert not any(_UNPRINTABLE.search(line.reason) for line in (*found.refusals, *found.remarks))
    for row in found.rows:
        for caption in row.captions:
            assert not _UNPRINTABLE.search(caption), repr(caption)
        json.dumps(row.metadata, allow_nan=False).encode()


def _json_table(data: bytes) -> None:
    _table(data, "table.json")


def _lists(data: bytes) -> None:
    from core.datasets.list_forms import texts_of

    for title in ("classes.json", "classes.jsonl", "classes.yaml", "classes.toml"):
        try:
            texts = texts_of(data, title, SMALL)
        except LoupeError:
            continue
        for text in texts:
            assert text == text.strip() != "" and len(text) <= SMALL.text_characters
            text.encode()


def _texts(data: bytes) -> None:
    from core.datasets.list_forms import texts_of

    for title in ("prompts.txt", "prompts.csv"):
        for text in texts_of(data, title, SMALL):
            assert text == text.strip() != "" and len(text) <= SMALL.text_characters
            text.encode()


def _sheet(data: bytes) -> None:
    from dataclasses import asdict

    from core.datasets.sheets import rows_of

    rows, _ = rows_of(data, ["id", "class", "mark"], asdict(SMALL))
    for number, cells in rows:
        assert number > 1 and list(cells) == ["id", "class", "mark"]
        "".join(cells.values()).encode()


@cache
def _file(name: str) -> Path:
    folder = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir=folder if folder.is_dir() else None)) / name


def _thresholds(data: bytes) -> None:
    from core.findings import load_thresholds

    path = _file("thresholds.toml")
    path.write_bytes(data)
    found = load_thresholds(path)
    assert not _UNPRINTABLE.search(found.version), repr(found.version)
    json.dumps(found.limits.model_dump(), allow_nan=False, default=str).encode()


def _declared(data: bytes) -> None:
    from core.applications.declared import cells, declarations, declared_in

    cells(data)
    found = declared_in(data, "declared.csv")
    assert tuple(each.line for each in declarations(found)) == found
    assert not any(_UNPRINTABLE.search(line) for line in found), found


def _plan(data: bytes) -> None:
    from core.runs import load_plan

    path = _file("plan.json")
    path.write_bytes(data)
    found = load_plan(path)
    digest = found.digest
    assert found.public().digest == digest
    found.save(path)
    assert load_plan(path) == found


def _names(data: bytes) -> None:
    from core.datasets.names import clean_name, numbered, printable, row_name

    raw = data.decode("utf-8", "surrogateescape")
    for name in (clean_name(raw), row_name(raw)):
        assert name and name == clean_name(name), repr(name)
        assert not name.startswith("/") and ".." not in name.split("/"), repr(name)
        assert not _UNPRINTABLE.search(name), repr(name)
        assert numbered(name, 2) != name
        name.encode()
    assert not _UNPRINTABLE.search(printable(raw)), repr(printable(raw))


def _archive(data: bytes) -> None:
    from core.datasets.packing import Room, entries, unpacked

    total = 0
    for entry in entries(data, len(data), SMALL)[:20]:
        try:
            start = max(0, min(entry.offset, len(data)))
            for piece in unpacked(data[start:], entry, Room(len(data), total), SMALL):
                total += len(piece)
        except Refused:
            continue
    assert total <= SMALL.zip_ratio * max(1, len(data)) * 21


def _bundle(data: bytes) -> None:
    from core.reporting.inspection import check_bundle

    path = _file("evidence.zip")
    path.write_bytes(data)
    (path.parent / "room").mkdir(exist_ok=True)
    value, _ = check_bundle(b"", str(path), str(path.parent / "room"))
    assert value["problems"], "a bundle without results is said to be sound"
    json.dumps(value)


def _weights(data: bytes) -> None:
    from core.models.weights_header import read

    path = _file("weights.safetensors")
    path.write_bytes(data)
    found, _ = read(b"", str(path), "weights.safetensors")
    for name, (_, shape) in found.items():
        assert not _UNPRINTABLE.search(name), repr(name)
        assert all(0 <= side <= len(data) or 0 in shape for side in shape), shape
    json.dumps(found).encode()


def _onnx(data: bytes) -> None:
    from core.models.onnx_file import checked

    path = _file("visual.onnx")
    path.write_bytes(data)
    found = checked(path, "visual.onnx")
    assert found.operators
    assert found.external <= {"d"}, found.external


def _stored(data: bytes) -> None:
    import numpy as np

    from core.models.stored_file import parse

    for kind in ("embeddings", "scores"):
        try:
            told, body = parse(data, ".csv", kind, "stored.csv")  # type: ignore[arg-type]
        except LoupeError as refusal:
            assert "\n" not in str(refusal), str(refusal)[:200]
            continue
        numbers = np.frombuffer(body, dtype="<f8")
        words = told["words"] if kind == "embeddings" else 0
        assert np.isfinite(numbers).all() and len(numbers) == told["columns"] * (told["rows"] + words)
        json.dumps([told["images"], told["texts"]]).encode()


def _configuration(data: bytes) -> None:
    from core.models.configuration import read

    path = _file("config.json")
    path.write_bytes(data)
    found, _ = read(b"", str(path), "config.json")
    text = json.dumps(found, allow_nan=False)
    for word in ("trust_remote_code", "auto_map", "code_revision"):
        assert word not in text, text[:500]


def _image(data: bytes) -> None:
    from core.datasets.image import decode

    found = decode(data, SMALL)
    assert found.image.mode == "RGB" and found.image.width * found.image.height <= SMALL.pixels
    assert found.png().startswith(b"\x89PNG") and b"eXIf" not in found.png()


def _tar(data: bytes) -> None:
    from dataclasses import asdict

    from core.datasets.tar import contents

    found, _ = contents(data, None, asdict(SMALL))
    assert len(found) <= SMALL.files
    for name, offset, size, _kind in found:
        assert offset >= 0 and size >= 0
        json.dumps(name)


def _sidecars(data: bytes) -> None:
    from dataclasses import asdict

    from core.datasets.sidecars import framed, rows
    from core.datasets.tables import unpacked_table

    for ending in ("txt", "json", "cls"):
        _, answer = rows(framed([("a.png", ending, data)]), "texts", asdict(SMALL))
        for row in unpacked_table("texts", answer).rows:
            assert not any(_UNPRINTABLE.search(caption) for caption in row.captions)


def _image_parquet(data: bytes) -> None:
    from dataclasses import asdict

    from core.datasets.image_parquet import batch, description
    from core.datasets.names import clean_name

    found, _ = description(data, None, "x.parquet", "", asdict(SMALL))
    if found is not None:
        names, groups = found
        assert len(names) == sum(groups) and all(clean_name(name) == name for name in names)
        sizes, images = batch(data, None, 0, 0, asdict(SMALL))
        assert sum(size for size in sizes if size > 0) == len(images)


def _parquet(data: bytes) -> None:
    from core.datasets.tables import packed_table, read_table, unpacked_table

    found = read_table("table.parquet", data, SMALL)
    assert unpacked_table("table.parquet", packed_table(found)) == found


TARGETS = {
    target.name: target
    for target in (
        Target("annotations", _refuses(_annotations), seeds.annotations, 12_000),
        Target("run_lengths", _refuses(_run_lengths), seeds.run_lengths, 60_000),
        Target("table", _refuses(_table), seeds.table, 12_000),
        Target("json_table", _refuses(_json_table), seeds.json_table, 8_000),
        Target("lists", _refuses(_lists), seeds.lists, 4_000),
        Target("texts", _refuses(_texts), seeds.texts, 20_000),
        Target("boxes", _refuses(_boxes), seeds.boxes, 6_000),
        Target("sheet", _refuses(_sheet), seeds.sheet, 12_000),
        Target("thresholds", _refuses(_thresholds), seeds.thresholds, 4_000),
        Target("declared", _refuses(_declared), seeds.declared, 1_000),
        Target("plan", _refuses(_plan), seeds.plan, 10_000),
        Target("names", _refuses(_names), seeds.names, 40_000),
        Target("archive", _refuses(_archive), seeds.archive, 12_000),
        Target("weights", _refuses(_weights), seeds.weights, 12_000),
        Target("onnx", _refuses(_onnx), seeds.onnx, 12_000),
        Target("stored", _refuses(_stored), seeds.stored, 2_000),
        Target("configuration", _refuses(_configuration), seeds.configuration, 12_000),
        Target("tar", _refuses(_tar), seeds.tar, 6_000),
        Target("sidecars", _refuses(_sidecars), seeds.sidecars, 6_000),
        Target("bundle", _refuses(_bundle), seeds.bundle, 6_000),
    )
}
# What native code reads: changed by Hypothesis alone, because no coverage of it can be followed.
NATIVE = {
    target.name: target
    for target in (
        Target("image", _refuses(_image), seeds.image, 0),
        Target("dicom", _refuses(_image), seeds.dicom, 0),
        Target("image_parquet", _refuses(_image_parquet), seeds.image_parquet, 0),
        Target("parquet", _refuses(_parquet), seeds.parquet, 0),
    )
}
