"""Models from strangers: configurations that name code, files or the network, and weights that are none."""

from __future__ import annotations

import copy
import json
import os
import pickle
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from core.settings import ROOT
from tests.hostile.documents import DIGITS
from tests.hostile.item import ERROR, TAKEN, Item, item

DEMO = ROOT / "core" / "models" / "embedded" / "demo-vit"
# Whoever runs this leaves a trace that the runner looks for.
EVIL = "import os\nopen(os.environ['LOUPE_CANARY'], 'w').write('run')\n"


def items() -> Iterator[Item]:
    """Every model, carried to `explain`."""
    for name, (change, expect) in _configurations().items():
        yield item(f"models/{name}", "explain", "config.json", partial(_configured, change), *expect)
    for name, content in _no_configurations().items():
        yield item(f"models/config-{name}", "explain", "config.json", partial(_written, content), ERROR)
    for name, (file, content) in _weights().items():
        yield item(f"models/weights-{name}", "explain", "config.json", partial(_weighed, file, content), ERROR)
    for name, edit in _hub_folders().items():
        yield item(f"models/hub-{name}", "explain", "model", partial(_hub_folder, edit), ERROR)
    yield item("models/folder", "explain", "model", _folder, ERROR)
    yield item("models/folder-of-code", "explain", "model", _folder_of_code, ERROR)
    yield item("models/folder-empty", "explain", "model", lambda folder: (folder / "model").mkdir(), ERROR)
    yield item("models/annotations-as-configuration", "explain", "config.json", _annotations, ERROR)


def sound() -> dict[str, Any]:
    """The configuration of the embedded model."""
    found: dict[str, Any] = json.loads((DEMO / "config.json").read_text())
    return found


def _with_weights(folder: Path) -> None:
    (folder / "weights.safetensors").symlink_to(DEMO / "weights.safetensors")


def _configured(change: Callable[[dict[str, Any]], object], folder: Path) -> None:
    content = copy.deepcopy(sound())
    change(content)
    (folder / "config.json").write_text(json.dumps(content))
    _with_weights(folder)
    code(folder / "tok")


def _written(content: Callable[[], bytes], folder: Path) -> None:
    (folder / "config.json").write_bytes(content())
    _with_weights(folder)


def _weighed(file: str, content: Callable[[], bytes], folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(sound()))
    (folder / file).write_bytes(content())


def code(folder: Path) -> None:
    """A folder of a tokenizer and of a text model that brings its own code."""
    folder.mkdir()
    (folder / "evil.py").write_text(EVIL + "class Evil:\n    pass\n")
    mapped = {"AutoTokenizer": ["evil.Evil", "evil.Evil"], "AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Evil", "auto_map": mapped}))
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": mapped}))


def _folder(folder: Path) -> None:
    (folder / "model").mkdir()
    content = sound()
    content["model_cfg"]["text_cfg"] |= {"hf_tokenizer_name": "tok", "tokenizer_kwargs": {"trust_remote_code": True}}
    (folder / "model" / "open_clip_config.json").write_text(json.dumps(content))
    _with_weights(folder / "model")
    code(folder / "model" / "tok")


def _folder_of_code(folder: Path) -> None:
    code(folder / "model")


def _hub_folder(edit: Callable[[Path, dict[str, Any]], object], folder: Path) -> None:
    """A folder in the layout of transformers, small and without sense, that `edit` makes hostile."""
    place = folder / "model"
    place.mkdir()
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    (place / "model.safetensors").write_bytes(safetensors({"logit_scale": entry}, b"1234"))
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    values: dict[str, Any] = {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "vision_config": {**sizes, "image_size": 32, "patch_size": 16},
        "text_config": {**sizes, "vocab_size": 49408, "max_position_embeddings": 20},
    }
    edit(place, values)
    (place / "config.json").write_text(json.dumps(values))


def _hub_folders() -> dict[str, Callable[[Path, dict[str, Any]], object]]:
    def part(name: str, **more: Any) -> Callable[[Path, dict[str, Any]], object]:
        return lambda _, values: values[name].update(more)

    def top(**more: Any) -> Callable[[Path, dict[str, Any]], object]:
        return lambda _, values: values.update(more)

    def beside(file: str, content: bytes) -> Callable[[Path, dict[str, Any]], object]:
        return lambda place, _: (place / file).write_bytes(content)

    def shards(place: Path, _: Any) -> None:
        (place / "model.safetensors").unlink()
        index = {"weight_map": {"logit_scale": "../../../../etc/passwd"}}
        (place / "model.safetensors.index.json").write_text(json.dumps(index))

    def tokens(place: Path, _: Any) -> None:
        code(place / "tok")
        for file in ("tokenizer_config.json", "evil.py"):
            (place / file).write_bytes((place / "tok" / file).read_bytes())
        (place / "vocab.txt").write_text("a\n")

    mapped = {"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"}
    return {
        "few-weights": top(),
        "auto-map": top(auto_map=mapped),
        "auto-map-inside": part("vision_config", auto_map=mapped),
        "kind-of-evil": top(model_type="evil"),
        "kind-list": top(model_type=[["clip"]]),
        "siglip2-without-end": lambda _, values: values.update(
            model_type="siglip2", architectures=None, vision_config={"num_patches": 10**9}
        ),
        "altclip-positions": lambda _, values: values.update(
            model_type="altclip", architectures=None, text_config={"max_position_embeddings": 10**9}
        ),
        "width-10-to-9": part("vision_config", hidden_size=10**9),
        "layers-10-to-9": part("text_config", num_hidden_layers=10**9),
        "patch-1": part("vision_config", image_size=2048, patch_size=1),
        "digits": part("vision_config", hidden_size=int(DIGITS)),
        "activation-code": part("text_config", hidden_act="os.system"),
        "old-part-list": top(text_config_dict=[1]),
        "large": part("vision_config", hidden_size=16384, intermediate_size=65536, num_hidden_layers=512),
        "processor-deep": beside("preprocessor_config.json", b"[" * 200_000),
        "processor-code": beside("preprocessor_config.json", json.dumps({"auto_map": mapped}).encode()),
        "processor-size": beside("processor_config.json", b'{"image_processor": {"size": {"shortest_edge": 1e9}}}'),
        "processor-escapes": beside("processor_config.json", b'{"image_processor": {"\\u001b[2J": 1}}'),
        "shards-up": shards,
        "tokenizer-brings-code": tokens,
        "pickle": lambda place, _: (
            (place / "model.safetensors").unlink(), (place / "pytorch_model.bin").write_bytes(_pickled(2))
        ),
    }  # fmt: skip


def _annotations(folder: Path) -> None:
    from tests.hostile.documents import sound_annotations

    content = {**sound_annotations(), **sound()}
    content["model_cfg"]["text_cfg"] |= {"hf_tokenizer_name": "tok", "tokenizer_kwargs": {"trust_remote_code": True}}
    (folder / "config.json").write_text(json.dumps(content))
    _with_weights(folder)
    code(folder / "tok")


def _configurations() -> dict[str, tuple[Callable[[dict[str, Any]], object], tuple[str, ...]]]:
    def text(**more: Any) -> Callable[[dict[str, Any]], object]:
        return lambda content: content["model_cfg"]["text_cfg"].update(more)

    def vision(**more: Any) -> Callable[[dict[str, Any]], object]:
        return lambda content: content["model_cfg"]["vision_cfg"].update(more)

    def top(**more: Any) -> Callable[[dict[str, Any]], object]:
        return lambda content: content["model_cfg"].update(more)

    def pixels(**more: Any) -> Callable[[dict[str, Any]], object]:
        return lambda content: content["preprocess_cfg"].update(more)

    trust = {"trust_remote_code": True}
    both = (ERROR, TAKEN)
    wrong = (ERROR,)
    hub = "attacker/model"
    made: dict[str, tuple[Callable[[dict[str, Any]], object], tuple[str, ...]]] = {
        "tokenizer-trusts-code": (text(hf_tokenizer_name="tok", tokenizer_kwargs=trust), wrong),
        "tokenizer-brings-code": (text(hf_tokenizer_name="tok"), wrong),
        "tokenizer-of-hub": (text(hf_tokenizer_name=hub), wrong),
        "tokenizer-of-hub-trusts-code": (text(hf_tokenizer_name=hub, tokenizer_kwargs=trust), wrong),
        "tokenizer-code-revision": (
            text(hf_tokenizer_name="tok", tokenizer_kwargs={**trust, "code_revision": "main", "use_fast": False}),
            wrong,
        ),
        "tokenizer-subfolder": (text(hf_tokenizer_name=".", tokenizer_kwargs={**trust, "subfolder": "tok"}), wrong),
        "tokenizer-up": (text(hf_tokenizer_name="../../../../etc"), wrong),
        "tokenizer-absolute": (text(hf_tokenizer_name="/etc"), wrong),
        "tokenizer-number": (text(hf_tokenizer_name=5), wrong),
        "tokenizer-list": (text(hf_tokenizer_name=["tok"]), wrong),
        "tokenizer-files": (
            text(
                hf_tokenizer_name="tok", tokenizer_kwargs={"tokenizer_file": "/etc/passwd", "vocab_file": "/etc/passwd"}
            ),
            wrong,
        ),
        "tokenizer-proxy": (text(hf_tokenizer_name=hub, tokenizer_kwargs={"proxies": {"https": "127.0.0.1:1"}}), wrong),
        "kwargs-trust-alone": (text(tokenizer_kwargs=trust), both),
        "kwargs-bpe-path": (text(tokenizer_kwargs={"bpe_path": "/etc/passwd"}), wrong),
        "kwargs-bpe-device": (text(tokenizer_kwargs={"bpe_path": "/dev/zero"}), wrong),
        "kwargs-list": (text(tokenizer_kwargs=[1]), both),
        "kwargs-text": (text(tokenizer_kwargs="x"), both),
        "kwargs-unknown": (text(tokenizer_kwargs={"evil": 1}), both),
        "kwargs-special-tokens": (text(tokenizer_kwargs={"additional_special_tokens": ["x"] * 100_000}), both),
        "tokenizer-type": (text(hf_tokenizer_type="evil"), both),
        "text-model-brings-code": (text(hf_model_name="tok"), wrong),
        "text-model-of-hub": (text(hf_model_name=hub), wrong),
        "text-model-of-hub-trusts-code": (text(hf_model_name=hub, hf_model_config=trust), wrong),
        "text-model-up": (text(hf_model_name="../../../../etc"), wrong),
        "text-model-number": (text(hf_model_name=5), wrong),
        "image-model-of-hub": (vision(timm_model_name=f"hf-hub:{hub}"), wrong),
        "image-model-of-folder": (vision(timm_model_name="local-dir:tok"), wrong),
        "image-model-pretrained": (vision(timm_model_name="resnet18", timm_model_pretrained=True), wrong),
        "image-model-number": (vision(timm_model_name=5), wrong),
        "image-model-unknown": (vision(timm_model_name="evil"), wrong),
        "auto-map": (lambda content: content.update(auto_map={"AutoModel": "evil.Evil"}), both),
        "auto-map-inside": (top(auto_map={"AutoModel": "evil.Evil"}), both),
        "import-name": (top(__class__="os.system"), both),
        "image-size-10-to-9": (vision(image_size=10**9), wrong),
        "image-size-400-digits": (vision(image_size=int(DIGITS)), wrong),
        "image-size-negative": (vision(image_size=-224), wrong),
        "image-size-text": (vision(image_size="224"), wrong),
        "image-size-list-of-5": (vision(image_size=[1, 2, 3, 4, 5]), wrong),
        "patch-zero": (vision(patch_size=0), wrong),
        "patch-1": (vision(patch_size=1), wrong),
        "patch-null": (vision(patch_size=None), wrong),
        "layers-10-to-9": (vision(layers=10**9), wrong),
        "layers-list-of-lists": (vision(layers=[[1]]), wrong),
        "layers-negative": (vision(layers=-1), wrong),
        "width-10-to-9": (vision(width=10**9), wrong),
        "head-width-zero": (vision(head_width=0), wrong),
        "head-width-7": (vision(head_width=7), both),
        "mlp-ratio-1e300": (vision(mlp_ratio=1e300), wrong),
        "unknown-vision-key": (vision(evil=1), both),
        "vocabulary-10-to-10": (text(vocab_size=10**10), wrong),
        "context-10-to-9": (text(context_length=10**9), wrong),
        "context-zero": (text(context_length=0), wrong),
        "context-text": (text(context_length="77"), wrong),
        "heads-zero": (text(heads=0), wrong),
        "text-layers-10-to-9": (text(layers=10**9), wrong),
        "pool-type-evil": (text(pool_type="evil"), both),
        "act-kwargs": (text(act_kwargs={"inplace": "x"}), both),
        "embed-10-to-10": (top(embed_dim=10**10), wrong),
        "embed-negative": (top(embed_dim=-1), wrong),
        "embed-true": (top(embed_dim=True), both),
        "multimodal": (top(multimodal_cfg={"layers": 10**6, "width": 10**6}), wrong),
        "multimodal-list": (top(multimodal_cfg=[1]), wrong),
        "custom-text": (top(custom_text="yes"), both),
        "logit-scale-400-digits": (top(init_logit_scale=int(DIGITS)), both),
        "output-dict": (top(output_dict=True), both),
        "cast-dtype": (top(cast_dtype="evil"), both),
        "preprocess-list": (lambda content: content.update(preprocess_cfg=[1, 2]), wrong),
        "preprocess-text": (lambda content: content.update(preprocess_cfg="x"), wrong),
        "preprocess-null": (lambda content: content.update(preprocess_cfg=None), both),
        "mean-text": (pixels(mean="abc"), wrong),
        "mean-one": (pixels(mean=[0.5]), both),
        "mean-400-digits": (pixels(mean=[int(DIGITS)] * 3), wrong),
        "std-zero": (pixels(std=[0, 0, 0]), wrong),
        "std-nan": (pixels(std=[float("nan")] * 3), wrong),
        "size-10-to-9": (pixels(size=10**9), wrong),
        "size-negative": (pixels(size=-1), wrong),
        "size-list-of-9": (pixels(size=[1] * 9), wrong),
        "interpolation-evil": (pixels(interpolation="evil"), both),
        "resize-evil": (pixels(resize_mode="evil"), both),
        "fill-10-to-9": (pixels(fill_color=10**9), both),
    }
    return made


def _no_configurations() -> dict[str, Callable[[], bytes]]:
    body = json.dumps(sound()).encode()
    return {
        "deep-lists": lambda: b"[" * 500_000,
        "deep-inside": lambda: body[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "digits-5000": lambda: body[:-1] + b', "x": ' + b"9" * 5000 + b"}",
        "not-unicode": lambda: b"\xff" + body,
        "list": lambda: b"[]",
        "number": lambda: b"7",
        "empty": lambda: b"",
        "cut": lambda: body[:-9],
        "parts-are-lists": lambda: b'{"model_cfg": {"embed_dim": 1, "vision_cfg": [], "text_cfg": []}}',
        "60-megabytes": lambda: body[:-1] + b', "x": "' + b"y" * 60_000_000 + b'"}',
        "python": lambda: EVIL.encode(),
    }


# -- weights -----------------------------------------------------------------------------------------------------


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with this header, whose length may be a lie."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def headers() -> dict[str, Callable[[], bytes]]:
    """Safetensors files that are broken or lie."""
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    twice = b'{"a":' + json.dumps(entry).encode() + b',"a":' + json.dumps(entry).encode() + b"}"

    def one(**other: Any) -> Callable[[], bytes]:
        return lambda: safetensors({"a": {**entry, **other}}, b"\0" * 4)

    def of(header: Any, data: bytes = b"1234", length: int | None = None) -> Callable[[], bytes]:
        return partial(safetensors, header, data, length)

    return {
        "length-2-to-64": of({}, length=2**64 - 1),
        "length-2-to-40": of({}, length=2**40),
        "length-zero": of(b"", length=0),
        "short": lambda: b"\x08\0\0",
        "no-json": of(b"x" * 40),
        "deep": lambda: safetensors(b"[" * 200_000),
        "deep-value": lambda: safetensors(b'{"a":' * 200_000),
        "list": of([]),
        "tensors-300000": lambda: safetensors(
            {f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(300_000)}
        ),
        "no-tensors": of({}, b""),
        "offsets-2-to-64": one(data_offsets=[0, 2**64 - 1]),
        "offsets-negative": one(data_offsets=[-4, 0]),
        "offsets-backwards": one(data_offsets=[4, 0]),
        "offsets-overlap": of({"a": entry, "b": entry}),
        "offsets-gap": of({"a": entry, "b": {**entry, "data_offsets": [100, 104]}}, b"1" * 104),
        "shape-2-to-63": one(shape=[2**63, 2**63]),
        "shape-400-digits": one(shape=[int(DIGITS)]),
        "shape-negative": one(shape=[-1]),
        "shape-million": lambda: safetensors({"a": {**entry, "shape": [1] * 1_000_000}}, b"1234"),
        "shape-zero": one(shape=[0, 10**12], data_offsets=[0, 0]),
        "kind-unknown": one(dtype="EVIL"),
        "kind-escapes": one(dtype="\x1b[2J"),
        "name-escapes": of({"\x1b[2J\n": entry}),
        "name-megabyte": lambda: safetensors({"n" * 2**20: entry}, b"1234"),
        "names-twice": of(twice),
        "metadata-number": of({"__metadata__": 5}, b""),
        "metadata-megabyte": lambda: safetensors({"__metadata__": {"k": "v" * 2**20}}),
        "too-little-data": one(shape=[100], data_offsets=[0, 400]),
        "too-much-data": of({"a": entry}, b"1" * 9999),
        "other-model": one(),
        "empty": lambda: b"",
    }


class _Evil:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (EVIL,)


def _pickled(protocol: int) -> bytes:
    return pickle.dumps({"state_dict": _Evil()}, protocol)


def _archived(member: str) -> bytes:
    from tests.hostile.archives import packed

    return packed({f"archive/{member}": _pickled(2), "archive/version": b"3\n", "archive/byteorder": b"little"}, 0)


def _weights() -> dict[str, tuple[str, Callable[[], bytes]]]:
    made: dict[str, tuple[str, Callable[[], bytes]]] = {
        f"header-{name}": ("weights.safetensors", make) for name, make in headers().items()
    }
    for ending in ("pt", "pth", "bin"):
        made[f"pickle-{ending}"] = (f"weights.{ending}", partial(_pickled, 2))
    for protocol in (0, 4, 5):
        made[f"pickle-protocol-{protocol}"] = ("weights.pt", partial(_pickled, protocol))
    return made | {
        "pickle-as-safetensors": ("weights.safetensors", partial(_pickled, 2)),
        "archive-of-pickle": ("weights.pt", partial(_archived, "data.pkl")),
        "archive-of-code": ("weights.pt", partial(_archived, "code/evil.py")),
        "pickle-cut": ("weights.pt", lambda: _pickled(2)[:-5]),
        "pickle-endless": ("weights.pt", lambda: b"\x80\x02" + b"(" * 2_000_000),
        "pickle-deep": ("weights.pt", lambda: b"\x80\x02" + b"]" * 500_000 + b"a" * 499_999 + b"."),
        "pickle-long": ("weights.pt", lambda: b"\x80\x02\x8b\xff\xff\xff\x7f" + os.urandom(8)),
        "pickle-of-text": ("weights.pt", lambda: pickle.dumps("x")),
        "pickle-laughs": ("weights.pt", _laughs),
        "text": ("weights.pt", lambda: b"hello"),
        "unknown-ending": ("weights.h5", lambda: b"\x89HDF\r\n"),
    }


def _laughs() -> bytes:
    content: list[Any] = ["x"]
    for _ in range(60):
        content = [content] * 2
    return pickle.dumps(content, 2)
