"""Any value in any place of a configuration: it builds a network, or is refused in one line."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.support.tiny import CONFIGS
from core.errors import ModelError
from core.models.configuration import Configuration, checked
from core.models.json_file import parsed
from core.models.loading.network import build
from core.models.loading.preprocessing import transform_of
from core.models.loading.tokenizers import tokenizer
from core.models.text_files import text_files
from core.models.text_tables import beside, config, lines, numbers, tokenizer_config, tokens

FAMILIES = ("vit", "vit_attentional", "vit_own_attention", "resnet_clip", "timm_map", "coca", "convnext")
NASTY: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 513, 10**6, 2**31, 2**63, 2**64, 10**30, -0.0, 0.5, 1e-300, 1e300, "",
    "0", "tok", "avg", "none", "\x00", "\ud800", "../..", "/etc/passwd", "hf-hub:a/b", "evil.Class", "a" * 10_000, [],
    [1], [1, 2], [0, 0], [[]], [None] * 3, [3, 4, 6, 3], {}, {"a": 1}, {"eps": 1e-5}, {"trust_remote_code": True},
)  # fmt: skip
NAMES = (
    "trust_remote_code",
    "bpe_path",
    "auto_map",
    "cast_dtype",
    "__class__",
    "",
    "layers",
    "act_kwargs",
    "pool_type",
)


def sound(family: str) -> dict[str, Any]:
    model = {"embed_dim": 32, **copy.deepcopy(CONFIGS[family])}
    text = model["text_cfg"]
    text.update(tokenizer_kwargs={"clean": "lower"}, norm_kwargs={"eps": 1e-5}, act_kwargs={"approximate": "none"})
    wanted = {"mean": [0.5] * 3, "std": [0.5] * 3, "size": 64, "resize_mode": "squash"}
    return {"model_cfg": model, "preprocess_cfg": wanted}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container with each of its keys, and with a key that is new."""
    if isinstance(value, dict):
        for key in [*value, *NAMES]:
            yield value, key
        for one in list(value.values()):
            yield from places(one)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield value, index
            yield from places(one)


def outcome(raw: Any) -> str:
    """ "built", or the line with which the configuration is refused; anything else that is raised is a defect."""
    try:
        found = checked(parsed(json.dumps(raw).encode(), "c.json"), "c.json")
        with torch.device("meta"):
            net = build(found["model"], "c.json")
        transform_of(net, found["preprocess"])
        tokenizer(found["model"]["text_cfg"], "c.json", None)
    except ModelError as error:
        line = str(error)
        assert line.startswith(("c.json", "the tokenizer of c.json"))
        assert line.isprintable() and len(line) < 500
        return line
    return "built"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FAMILIES), st.integers(0, 10**6), st.sampled_from(NASTY))
@example("vit", 0, {"embed_dim": 1})
def test_any_value_anywhere_builds_or_is_refused(family: str, place: int, value: Any) -> None:
    raw = sound(family)
    found = list(places(raw))
    holder, key = found[place % len(found)]
    holder[key] = copy.deepcopy(value)
    outcome(raw)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_sound_ones_are_built(family: str) -> None:
    assert outcome(sound(family)) == "built"


def test_a_number_beyond_its_bounds_is_named() -> None:
    for part, key, value in (
        ("vision_cfg", "patch_size", 0),
        ("vision_cfg", "layers", 10**6),
        ("text_cfg", "context_length", 10**9),
    ):
        raw = sound("vit")
        raw["model_cfg"][part][key] = value
        assert f"{key} = {value}" in outcome(raw)


_KEYS = st.sampled_from(
    ("model_type", "tokenizer_class", "added_tokens_decoder", "content", "vocab_size", "auto_map", "unk_token")
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | _KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from((config, beside, tokenizer_config, numbers, tokens, lines)), _JSON | st.binary(max_size=40))
def test_files_of_a_text_model_are_written_again_or_refused(reader: Any, content: Any) -> None:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    try:
        again = reader(data, "file")
    except ModelError as error:
        assert str(error).startswith("file") and str(error).isprintable()
        return
    assert b"auto_map" not in again or reader in (tokens, lines, numbers)
    assert reader(again, "file") == again


def test_paths_and_code_do_not_reach_a_tokenizer() -> None:
    raw = {"tokenizer_class": "BertTokenizer", "vocab_file": "/etc/passwd", "name_or_path": "x", "do_lower_case": True}
    assert json.loads(tokenizer_config(json.dumps(raw).encode(), "t")) == {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
    }
    for wrong in ({"tokenizer_class": "evil.Evil"}, {"tokenizer_class": "MistralCommonBackend"}, {"auto_map": None}):
        with pytest.raises(ModelError):
            tokenizer_config(json.dumps(wrong).encode(), "t")
    shape = {"model_type": "bert", "vocab_size": 5, "_attn_implementation": "someone/kernel", "torch_dtype": "float16"}
    assert json.loads(config(json.dumps(shape).encode(), "c")) == {"model_type": "bert", "vocab_size": 5}
    for wrong in ({"model_type": "evil"}, {}, {"model_type": "bert", "num_hidden_layers": 10**6}):
        with pytest.raises(ModelError):
            config(json.dumps(wrong).encode(), "c")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([1, 2], "preprocess_cfg"),
        ("x", "preprocess_cfg"),
        (3, "preprocess_cfg"),
        (True, "preprocess_cfg"),
        ({"mean": 0.5}, "mean"),
        ({"mean": [0.5]}, "mean"),
        ({"mean": "abc"}, "mean"),
        ({"std": [0, 0, 0]}, "std"),
        ({"size": [3, 224, 224]}, "size"),
        ({"size": "224"}, "size"),
        ({"size": 10**9}, "size"),
        ({"size": {"height": 224}}, "size"),
        ({"interpolation": "lanczos"}, "interpolation"),
        ({"interpolation": 3}, "interpolation"),
        ({"resize_mode": "crop"}, "resize_mode"),
        ({"mode": "L"}, "mode"),
        ({"fill_color": [0, 0, 0]}, "fill_color"),
        ({"crop_pct": 0.9}, "'crop_pct'"),
        ({"image_mean": [0.5]}, "image_mean"),
        ({"image_mean": [0.5] * 3, "mean": [0.4] * 3}, "mean and image_mean"),
    ],
)
def test_a_preprocessing_is_read_or_refused_by_name(given: Any, told: str) -> None:
    with pytest.raises(ModelError, match=r"^c: |^c contains") as caught:
        checked({"model_cfg": {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}}, "preprocess_cfg": given}, "c")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_transformers_names_of_a_mean_are_read() -> None:
    wanted = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "size": None}
    found = checked({"model_cfg": {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}}, "preprocess_cfg": wanted}, "c")
    assert found["preprocess"] == {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}


def test_an_encoder_that_biomedclip_names_has_a_shape_of_our_own(tmp_path: Path) -> None:
    name = "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract"
    asked: list[str] = []

    def fetch(repository: str, wanted: tuple[str, ...]) -> dict[str, Path]:
        asked.append(repository)
        return {"tokenizer_config.json": tmp_path / "tokenizer_config.json"}

    model = {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {"hf_model_name": name, "hf_tokenizer_name": name}}
    own = Configuration(model, {}, tmp_path / "open_clip_config.json", "c")
    found = text_files(own, fetch, own="microsoft/BiomedCLIP")
    assert asked == ["microsoft/BiomedCLIP"]
    shape = json.loads(config(found["hf_model_name"]["config.json"].read_bytes(), "c"))
    assert (shape["model_type"], shape["vocab_size"], shape["num_hidden_layers"]) == ("bert", 30522, 12)
    # As a folder, the tokenizer has to lie in it; nothing is asked for.
    with pytest.raises(ModelError, match="tokenizer"):
        text_files(own, fetch)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert set(text_files(own, fetch)["hf_tokenizer_name"]) == {"tokenizer_config.json"}
    assert asked == ["microsoft/BiomedCLIP"]
