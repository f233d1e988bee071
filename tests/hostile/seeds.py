"""Small sound files that fuzzing starts from, made anew each time and always the same."""

from __future__ import annotations

import json

from core.settings import ROOT
from tests.hostile import archives, bundles, documents, images, models, tables, tiffs


def annotations() -> list[bytes]:
    """Files in COCO's form: polygons, boxes, run lengths packed and not."""
    shape = "annotations.0.segmentation"
    return [
        json.dumps(documents.sound_annotations()).encode(),
        documents.changed(shape, {"size": [64, 64], "counts": [10, 4086]}),
        documents.changed(shape, {"size": [64, 64], "counts": ":fo3"}),
        documents.changed("annotations.0.bbox", [1.5, 2, 3e1, 4]),
        documents.changed("images.0.id", "a"),
    ]


def run_lengths() -> list[bytes]:
    """Packed run lengths."""
    return [b"", b"0", b":fo3", b"Q1P4", b"o" * 12, b"a1K2d0b0M5N2", b"\x30\x6f\x50"]


def table() -> list[bytes]:
    """CSV tables with each delimiter, quotes, numbers and encodings."""
    return [
        b"image,caption\ngood.png,a dog\n",
        b'image;caption;n\ngood.png;"a;b";1\nx.png;"c ""d""";2.5\n',
        b"image\tcaption 1\tcaption 2\tok\ngood.png\ta\tb\ttrue\n",
        "image,caption\ngood.png,é\n".encode("utf-16"),
        b"\xef\xbb\xbffile_name,title,a\r\n=x.png,@b,007\r\n",
    ]


def texts() -> list[bytes]:
    """Lists of prompts."""
    return [b"a dog\n# comment\na cat\n", b"prompt,n\na dog,1\n", "ä\n".encode("utf-16"), b'class\n"a, b"\n']


def thresholds() -> list[bytes]:
    """The built-in file of thresholds, a part of it, and one number."""
    whole = (ROOT / "core" / "findings" / "thresholds.toml").read_bytes()
    return [whole, whole[:600].rpartition(b"\n")[0], b'version = "7"\n']


def plan() -> list[bytes]:
    """Plans with each of their parts."""
    more = {
        "declared": {"title": "t"},
        "trust": {"steps": 4},
        "texts": {"prompts": ["p"], "templates": ["a {}"]},
        "methods": [{"name": "rise", "options": {"masks": 100}}],
        "model": {"name": "demo", "weights": "/a/b"},
    }
    return [json.dumps(documents.sound_plan(**{name: part})).encode() for name, part in more.items()]


def names() -> list[bytes]:
    """Names that lead astray."""
    return [name.encode() for name in archives.SLIPS if len(name) < 200]


def archive() -> list[bytes]:
    """ZIP files: plain, stored, with a prefix, a comment, a large table."""
    small = images.small_gif(1, 16)
    return [
        archives.packed({"a.gif": small, "d/b.txt": b"x"}),
        archives.packed({"a.gif": small}, 0),
        b"#!" + archives.packed({"a.gif": small}),
        archives.overlapping(3, small),
    ]


def bundle() -> list[bytes]:
    """Bundles that are sound by their own sums."""
    return [bundles.of(), bundles.of(units=b"x\n"), bundles.summed(bundles.files(), 0)]


def weights() -> list[bytes]:
    """Safetensors files with headers of some kinds."""
    told = {"a": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}, "__metadata__": {"format": "pt"}}
    return [models.safetensors(told, b"1234"), models.safetensors({}), models.safetensors(b"{} ")]


def configuration() -> list[bytes]:
    """Configurations of models: the embedded ones, and one that asks for code."""
    folder = ROOT / "core" / "models" / "embedded"
    found = [path.read_bytes() for path in sorted(folder.glob("*/config.json"))]
    evil = models.sound()
    evil["model_cfg"]["text_cfg"] |= {"hf_tokenizer_name": "tok", "tokenizer_kwargs": {"trust_remote_code": True}}
    return [*found, json.dumps(evil).encode()]


def image() -> list[bytes]:
    """A small image in every format that is read, and some of its variants."""
    noise = images.noise(40, 32)
    plain = [images.coded(noise, kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")]
    return [
        *plain,
        images.coded(noise, "JPEG", progressive=True),
        images.coded(noise.convert("CMYK"), "JPEG"),
        images.coded(noise.convert("P"), "PNG"),
        images.coded(noise.convert("LA"), "PNG"),
        images.coded(noise, "TIFF", compression="tiff_lzw"),
        images.coded(noise, "TIFF", compression="jpeg"),
        images.coded(noise, "WEBP", lossless=True),
        images.small_gif(0, 64, 3),
        tiffs.tiff(),
    ]


def parquet() -> list[bytes]:
    """Parquet tables of some types and packings."""
    one = {"image": ["good.png", "b.png"], "caption": ["x", None], "n": [1, 2], "many": [["a"], []]}
    return [tables.written(one), tables.written(one, compression="zstd"), tables.written(one, use_dictionary=False)]
