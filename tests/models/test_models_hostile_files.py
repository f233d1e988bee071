"""Files of a stranger: each is refused in one line, without a look-up, a question or a line of its code run."""

from __future__ import annotations

import builtins
import json
import os
import shutil
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ModelError
from core.models.configuration import checked
from core.models.hub import offline, repository_files
from core.models.listing import architecture_file, architectures, text_repositories
from core.models.loading import load_model
from core.models.packing import SCALE, pack
from tests.support.hostile_code import arm_words, changed, tiny_files

State = dict[str, torch.Tensor]
Asked = list[str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two honest models (`vit_quick`, `bert_mean`) and a folder `tok` with code; `marker` would say that it ran."""
    place = tmp_path_factory.mktemp("files")
    tiny_files(place, "vit_quick")
    tiny_files(place, "bert_mean")
    arm_words(place / "tok", place / "marker")
    return place


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[Asked]:
    """What the network or a person was asked; nothing may be."""
    asked: Asked = []

    def look_up(host: Any, *rest: Any, **named: Any) -> None:
        asked.append(f"look-up of {host}")
        raise socket.gaierror("no network in tests")

    def connect(self: socket.socket, address: Any) -> None:
        asked.append(f"connection to {address}")
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(builtins, "input", lambda *prompt: asked.append(f"a person: {prompt}"))
    yield asked
    assert asked == []
    assert not (place / "marker").exists()


def refused(model: Any, weights: Any = None, tag: str | None = None) -> str:
    """The one line with which loading is refused."""
    with pytest.raises(ModelError) as caught:
        load_model(model, tag, weights=weights, device="cpu")
    line = str(caught.value)
    assert "\n" not in line
    assert "\x1b" not in line
    assert len(line) < 600
    return line


def vit(place: Path) -> tuple[Path, Path]:
    return place / "vit_quick.json", place / "vit_quick-0.safetensors"


def bert(place: Path) -> tuple[Path, Path]:
    return place / "bert_mean.json", place / "bert_mean-0.safetensors"


# -- code, names and paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ({"hf_tokenizer_name": "tok", "tokenizer_kwargs": {"trust_remote_code": True}}, "'trust_remote_code'"),
        ({"tokenizer_kwargs": {"bpe_path": "/etc/passwd"}}, "'bpe_path'"),
        ({"tokenizer_kwargs": {"vocab_file": "/etc/passwd"}}, "'vocab_file'"),
        ({"tokenizer_kwargs": {"auto_map": {}}}, "'auto_map'"),
        ({"tokenizer_kwargs": {"reduction_mask": "syntax"}}, "reduction_mask"),
        ({"tokenizer_kwargs": {"additional_special_tokens": ["(a+)+"]}}, "additional_special_tokens"),
        ({"hf_tokenizer_name": "tok"}, "auto_map"),
        ({"hf_model_name": "tok"}, "auto_map"),
        ({"hf_tokenizer_name": "someone/words"}, "contacts no repository"),
        ({"hf_model_name": "someone/words"}, "contacts no repository"),
        ({"hf_model_name": "roberta-base"}, "is missing"),
        ({"hf_tokenizer_name": "/etc"}, "hf_tokenizer_name"),
        ({"hf_tokenizer_name": "../words"}, "hf_tokenizer_name"),
        ({"hf_tokenizer_name": "hf-hub:someone/words"}, "hf_tokenizer_name"),
        ({"hf_tokenizer_name": "link"}, "leads out"),
    ],
)
def test_a_configuration_names_no_code_no_path_and_no_repository(
    place: Path, text: dict[str, Any], told: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = place / "link"
    if not link.is_symlink():
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        shutil.copytree(place / "words", elsewhere / "words")
        link.symlink_to(elsewhere / "words")
    config, weights = bert(place)
    assert told in refused(changed(config, "hostile.json", **text), weights)


@pytest.mark.parametrize("name", ["hf-hub:attacker/x", "local-dir:/etc", "../x", "no_such_trunk", "VIT"])
def test_a_trunk_is_one_that_timm_knows_by_name(place: Path, name: str) -> None:
    values = json.loads(vit(place)[0].read_text())
    values["vision_cfg"]["timm_model_name"] = name
    path = place / "trunk.json"
    path.write_text(json.dumps(values))
    assert name in refused(path, vit(place)[1])


def test_annotations_are_not_a_configuration(place: Path) -> None:
    config, weights = bert(place)
    model = json.loads(changed(config, "x.json", tokenizer_kwargs={"trust_remote_code": True}).read_text())
    for first, more in (("'info'", {"info": {}, "images": []}), ("'images'", {"images": [], "annotations": []})):
        path = place / "annotations.json"
        path.write_text(json.dumps({**more, "model_cfg": model}))
        assert first in refused(path, weights)


def test_a_folder_is_checked_as_its_files_are(place: Path, tmp_path: Path) -> None:
    config, weights = bert(place)
    shutil.copytree(place / "tok", tmp_path / "tok")
    model = json.loads(changed(config, "x.json", hf_tokenizer_name="tok").read_text())
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}))
    shutil.copy(weights, tmp_path / "weights.safetensors")
    shutil.copytree(place / "words", tmp_path / "words")
    assert "auto_map" in refused(tmp_path)
    model["text_cfg"]["hf_tokenizer_name"] = "words"
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}))
    assert load_model(tmp_path, device="cpu").embed_texts(["a"]).shape == (1, 32)


def test_what_the_library_might_still_ask_for_is_refused() -> None:
    import transformers.dynamic_module_utils as modules

    before = modules.get_class_in_module
    with offline(), pytest.raises(ModelError, match="its own code"):
        modules.get_class_from_dynamic_module("evil.Evil", "anywhere")
    assert modules.get_class_in_module is before
    with pytest.raises(ModelError, match="not a data file"):
        repository_files("someone/model", ("evil.py",), 1, ask=True)


# -- configurations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"a":' * 3000 + "1" + "}" * 3000,
        '{"embed_dim": ' + "9" * 400 + "}",
        '{"embed_dim": ' + "9" * 5000 + "}",
        '{"embed_dim": 1e999}',
        '{"embed_dim": NaN}',
        '{"\\ud800": 1}',
        '{"embed_dim": "\\udfff"}',
        '{"embed_dim": 1, "embed_dim": 2}',
        b"\xff\xfe{}",
        b"\x00",
        " " * (2**20 + 1),
    ],
    ids=str,
)
def test_json_that_is_none_is_refused(place: Path, content: str | bytes) -> None:
    path = place / "broken.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "broken.json" in refused(path, vit(place)[1])


def test_pipes_devices_and_folders_are_refused_at_once(place: Path, tmp_path: Path) -> None:
    config, weights = vit(place)
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "nowhere.json").symlink_to("/nowhere")
    (tmp_path / "folder.json").mkdir()
    for name in ("fifo", "zero", "nowhere", "folder"):
        assert name in refused(tmp_path / f"{name}.json", weights)
    for ending in (".safetensors", ".pt"):
        os.mkfifo(tmp_path / f"fifo{ending}")
        (tmp_path / f"zero{ending}").symlink_to("/dev/zero")
        (tmp_path / f"folder{ending}").mkdir()
        for name in ("fifo", "zero", "folder"):
            assert "not a regular file" in refused(config, tmp_path / f"{name}{ending}")
        with (tmp_path / f"sparse{ending}").open("wb") as file:
            file.truncate(2**40)
        assert "larger than" in refused(config, tmp_path / f"sparse{ending}")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"vision_cfg": {"layers": 512, "width": 16_384}}, "GB to load"),
        ({"vision_cfg": {"layers": 10**6}}, "layers"),
        ({"text_cfg": {"vocab_size": 2**20, "width": 16_384, "heads": 8}}, "GB to load"),
        ({"vision_cfg": {"image_size": 2048, "patch_size": 1}}, "patches"),
        ({"vision_cfg": {"patch_size": 128}}, "patch_size"),
        ({"text_cfg": {"heads": 7}}, "cannot be built"),
    ],
)
def test_a_network_is_measured_before_it_is_built(place: Path, change: dict[str, Any], told: str) -> None:
    values = json.loads(vit(place)[0].read_text())
    for part, keys in change.items():
        values[part].update(keys)
    path = place / "large.json"
    path.write_text(json.dumps(values))
    assert told in refused(path, vit(place)[1])


@pytest.mark.parametrize(
    "name", ["a\0b", "a" * 5000, "~nosuchuser/x", "local-dir:/etc", "../embedded/demo-cnn", "\x1b[31m"]
)
def test_a_name_that_means_nothing_is_refused(name: str) -> None:
    refused(name)
    refused(name, "weights.safetensors")
    refused("ViT-B-32", None, name)


def test_open_clip_s_own_configurations_pass() -> None:
    for name in architectures():
        checked(json.loads(architecture_file(name).read_text()), name)
    assert "timm/ViT-B-16-SigLIP" in text_repositories()


# -- weights -------------------------------------------------------------------------------------------------------


def nothing_in(*names: str) -> Callable[[State], State]:
    return lambda state: {key: value * 0 if key.startswith(names) else value for key, value in state.items()}


def with_one(name: str, value: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[State], State]:
    return lambda state: {**state, name: value(state[name])}


PROJ = "visual.proj"


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (with_one(PROJ, lambda value: value * float("nan")), f"not finite (NaN or infinite) in {PROJ}"),
        (lambda state: {k: v * float("inf") for k, v in state.items()}, "more tensors"),
        (nothing_in(""), "only zeros in the"),
        (nothing_in("visual."), "zeros in the image tower"),
        (nothing_in("transformer.", "token", "text", "pos"), "zeros in the text tower"),
        (nothing_in(PROJ), "all zero"),
        (nothing_in("visual.conv1"), "two different images the same embedding"),
        (nothing_in("token_embedding"), "two different texts the same embedding"),
        (with_one("logit_scale", lambda value: value + 1e4), "logit_scale"),
        (with_one("visual.ln_post.weight", lambda value: value * 3e38), "not finite"),
        (with_one(PROJ, lambda value: value > 0), "as flags"),
        (with_one(PROJ, lambda value: value.to(torch.int8)), "its scale is missing"),
        (with_one(PROJ, lambda value: value.to(torch.int64)), "as integers"),
        (with_one(PROJ, lambda value: value.to(torch.float8_e4m3fn)), "F8_E4M3"),
        (with_one(PROJ, lambda value: value.to(torch.complex64)), "C64"),
    ],
)
def test_numbers_that_no_trained_model_holds_are_refused(
    place: Path, edit: Callable[[State], State], told: str
) -> None:
    config, weights = vit(place)
    path = place / "wrong.safetensors"
    save_file({key: value.contiguous() for key, value in edit(load_file(str(weights))).items()}, str(path))
    assert told in refused(config, path)


def test_biases_of_zero_are_allowed(place: Path) -> None:
    config, weights = vit(place)
    path = place / "sound.safetensors"
    state = load_file(str(weights))
    save_file({k: v * 0 if k.endswith("bias") else v for k, v in state.items()}, str(path))
    assert load_model(config, weights=path, device="cpu").embed_texts(["a"]).isfinite().all()


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda state, key: {name: value for name, value in state.items() if name != key}, "its scale is missing"),
        (lambda state, key: {**state, key: state[key] * float("nan")}, "not positive"),
        (lambda state, key: {**state, key: state[key] * 0}, "not positive"),
        (lambda state, key: {**state, key: -state[key]}, "not positive"),
        (lambda state, key: {**state, key: state[key].reshape(1, -1)}, "shape other than"),
        (lambda state, key: {**state, f"no{SCALE}": torch.ones(3, 1)}, "without the int8 tensor"),
    ],
)
def test_packed_weights_need_each_scale(place: Path, edit: Callable[[State, str], State], told: str) -> None:
    config, weights = vit(place)
    state = pack(load_file(str(weights)), ("transformer.",))
    key = next(name for name in state if name.endswith(SCALE))
    path = place / "packed.safetensors"
    save_file({name: value.contiguous() for name, value in edit(state, key).items()}, str(path))
    assert told in refused(config, path)


def entry(shape: Any = (1,), offsets: Any = (0, 4), kind: Any = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "header",
    [
        b"{" * 50,
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
        {},
        {"a": 3},
        {"a": entry([-1])},
        {"a": entry([2**50])},
        {"a": entry([1.5])},
        {"a": entry(None)},
        {"a": entry(offsets=[4, 0])},
        {"a": entry(offsets=[0, 400])},
        {"a": entry(kind=3)},
        {"a": entry(kind="F4")},
        {"a": entry(), "b": entry()},
        {"a" * 2000: entry()},
        {"a\n": entry()},
        {f"a{number}": entry([0], [0, 0]) for number in range(20_001)},
    ],
    ids=lambda header: str(header)[:30],
)
def test_a_header_is_read_by_our_own_reader(place: Path, header: Any) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = place / "header.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    assert "header.safetensors" in refused(vit(place)[0], path)


def test_bytes_that_no_tensor_takes_are_refused(place: Path) -> None:
    config, weights = vit(place)
    path = place / "more.safetensors"
    path.write_bytes(weights.read_bytes() + b"x")
    assert "takes" in refused(config, path) or "take" in refused(config, path)
    for length in (2**63, 10**6):
        path.write_bytes(struct.pack("<Q", length) + b"{}")
        assert "header would take" in refused(config, path)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 605157884\n", "a pointer of Git LFS"),
        (b"<!DOCTYPE html>\n<html>", "a web page"),
        (b"<html><body>", "a web page"),
    ],
)
def test_what_a_download_leaves_in_the_place_of_weights_is_named(place: Path, text: bytes, title: str) -> None:
    path = place / "model.safetensors"
    path.write_bytes(text)
    assert f"is {title}, not weights; download the file itself" in refused(vit(place)[0], path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({PROJ: torch.zeros(1).expand(2**20, 2**20)}, "far more than its own size"),
        ({"a": torch.ones(2).to_sparse()}, "other than plain numbers"),
        ({1: torch.ones(1)}, "state dict"),
        ({"a\n": torch.ones(1)}, "invalid tensor names"),
    ],
)
def test_a_state_dict_holds_plain_tensors(place: Path, content: Any, told: str) -> None:
    path = place / "state.pt"
    torch.save(content, path)
    # A file in the place of a tag goes the same way.
    assert told in refused("ViT-B-32", None, str(path))


# -- tokenizers ----------------------------------------------------------------------------------------------------


def test_a_tokenizer_is_tried_in_a_child(place: Path) -> None:
    from transformers import AutoTokenizer

    config, weights = bert(place)
    AutoTokenizer.from_pretrained(place / "words").save_pretrained(place / "rust")
    path = changed(config, "rust.json", hf_tokenizer_name="rust")
    own = load_model(config, weights=weights, device="cpu").text.tokenizer(["a red bird"])
    assert torch.equal(load_model(path, weights=weights, device="cpu").text.tokenizer(["a red bird"]), own)
    stored = place / "rust" / "tokenizer.json"
    values = json.loads(stored.read_text())
    # A map of characters that ends the process that reads it.
    values["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
    stored.write_text(json.dumps(values))
    assert "the process that opened it died" in refused(path, weights)
    values["model"]["vocab"] = None
    stored.write_text(json.dumps(values))
    assert "no vocabulary" in refused(path, weights)


# -- honest files --------------------------------------------------------------------------------------------------


def test_honest_files_ask_nobody(place: Path) -> None:
    for config, weights in (vit(place), bert(place)):
        assert load_model(config, weights=weights, device="cpu").embed_texts(["a red bird"]).shape == (1, 32)


def test_the_guard_sees_a_look_up(asked: Asked) -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("huggingface.co", 443)
    with pytest.raises(OSError, match="no network"):
        socket.create_connection(("127.0.0.1", 9))
    assert len(asked) == 2
    asked.clear()
