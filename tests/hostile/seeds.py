"""Small sound files that fuzzing starts from, made anew each time and always the same."""

from __future__ import annotations

import json

from core.rules import load_thresholds
from core.settings import ROOT
from tests.hostile import archives, bundles, dicoms, documents, images, models, shards, stand_ins, tables, tiffs


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


def json_table() -> list[bytes]:
    """Tables as JSON in each of its forms."""
    return [
        b'{"file_name": "a.png", "text": "a cat"}\n{"file_name": "b.png", "text": null, "n": 1.5}\n',
        b'[{"image": "a.png", "caption": ["a", "b"], "ok": true}]',
        b'{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "caption": "a cat"}]}',
        b'{"images": [{"filename": "a.png", "split": "val", "sentences": [{"raw": "a cat"}]}]}',
        b'{"a.png": "a cat", "b.png": ["x"]}',
    ]


def lists() -> list[bytes]:
    """Lists of classes as JSON, YAML and TOML."""
    return [
        b'["a", "b"]', b'{"0": "a", "1": "b"}', b'{"a": 0, "b": 1}', b'[{"id": 1, "name": "a"}]',
        b'classes = ["a", "b"]\n[names]\n0 = "a"\n', b'{"name": "a"}\n{"name": "b"}\n',
        b'{"0": ["n1", "a"]}', b"names:\n  0: a\n  1: b\n", b"- a\n- &x b\n- *x\n",
    ]  # fmt: skip


def texts() -> list[bytes]:
    """Lists of prompts."""
    return [b"a dog\n# comment\na cat\n", b"prompt,n\na dog,1\n", "ä\n".encode("utf-16"), b'class\n"a, b"\n']


def boxes() -> list[bytes]:
    """Tables of phrases with boxes, with each delimiter, one of them with a row that is left out."""
    rows = "path,phrase,x,y,w,h,image_width,image_height\na.png,a phrase,1,2,3.5,4,64,48\nb.png,x,0,0,64,-1,64,48\n"
    return [rows.encode(), rows.replace(",", ";").encode(), rows.replace(",", "\t").encode()]


def sheet() -> list[bytes]:
    """Filled sheets of a spot check, with each delimiter."""
    return [b"id,class,mark\na,dog,right\n", b'number;id;class;mark\n1;a;"d;g";\n', b"id\tclass\tmark\n"]


def thresholds() -> list[bytes]:
    """The built-in file of thresholds, a part of it, and one number."""
    whole = load_thresholds().data
    return [whole, whole[:600].rpartition(b"\n")[0], b'version = "7"\n']


def declared() -> list[bytes]:
    """Tables of declared concepts."""
    head = b"class,concept,expectation\n"
    return [head + b"*,logo,forbidden\n", head.replace(b",", b";") + b"boat;water;expected\n"]


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


def onnx() -> list[bytes]:
    """ONNX towers: of an image, of a text, and one whose weight lies in another file."""
    return stand_ins.onnx_seeds()


def stored() -> list[bytes]:
    """Tables of stored embeddings and of scores."""
    return stand_ins.table_seeds()


def configuration() -> list[bytes]:
    """Configurations of models: the embedded ones, and one that asks for code."""
    folder = ROOT / "core" / "models" / "embedded"
    found = [path.read_bytes() for path in sorted(folder.glob("*/config.json"))]
    evil = models.sound()
    evil["model_cfg"]["text_cfg"] |= {"hf_tokenizer_name": "tok", "tokenizer_kwargs": {"trust_remote_code": True}}
    return [*found, json.dumps(evil).encode()]


def tar() -> list[bytes]:
    """Sound tar files."""
    return list(shards.tar().values())


def image_parquet() -> list[bytes]:
    """Sound Parquet files with images."""
    return list(shards.parquet().values())


def sidecars() -> list[bytes]:
    """Texts beside images: captions, boxes, metadata."""
    return [b"a cat\nun gato\n", b"0 0.5 0.5 0.1 0.1\n", b'{"caption": ["a"], "n": 1.5, "x": {"y": 1}}', b"17"]


def dicom() -> list[bytes]:
    """Sound DICOM files."""
    return list(dicoms.sound().values())


def image() -> list[bytes]:
    """A small image in every format that is read, and some of its variants."""
    noise = images.noise(40, 32)
    plain = [images.coded(noise, kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF")]
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
