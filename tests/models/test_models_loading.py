"""Loading: what is accepted, and how each way to fail ends in one line that says what to do."""

from __future__ import annotations

import copy
import csv
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.support.tiny import TEXTS, Zoo, pixels, write_config, write_model
from core.models.geometry import Preprocessing
from core.models.listing import EmbeddedModel, architectures, embedded_models, embedded_name
from core.models.loading import load_model
from core.models.model import Model, state_digest
from core.models.packing import save_packed
from core.settings import ROOT
from tests.support.refusals import refusal


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(configuration, weights) of a sound tiny model. Don't change them."""
    return write_model(tmp_path_factory.mktemp("sound"), "vit_quick")


refused = partial(refusal, most=500)


def test_a_config_and_weights_make_a_frozen_model(files: tuple[Path, Path]) -> None:
    model = load_model(files[0], weights=files[1])
    assert not model.net.training
    assert not any(part.training for part in model.net.modules())
    assert not any(value.requires_grad for value in model.net.parameters())
    assert all(value.dtype == torch.float32 for value in model.net.parameters())
    assert model.weights_sha256 is not None
    stored = load_file(str(files[1]))
    assert all(torch.equal(value, stored[name]) for name, value in model.net.state_dict().items())


def test_a_folder_is_a_model(files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": json.loads(files[0].read_text())}))
    assert "no weights" in refused(tmp_path)
    (tmp_path / "open_clip_model.safetensors").write_bytes(files[1].read_bytes())
    assert load_model(tmp_path).digest == load_model(files[0], weights=files[1]).digest


def test_the_preprocessing_of_a_config_is_used(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "open_clip_config.json"
    wanted = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "interpolation": "bilinear", "resize_mode": "squash"}
    path.write_text(json.dumps({"model_cfg": json.loads(files[0].read_text()), "preprocess_cfg": wanted}))
    got = load_model(path, weights=files[1]).preprocessing
    assert (got.mean, got.std, got.interpolation, got.mode) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bilinear", "squash")
    assert (got.height, got.width) == (64, 64)


@pytest.mark.parametrize("size", [96, [64, 96], 128])
def test_a_preprocessing_of_another_size_is_refused(files: tuple[Path, Path], tmp_path: Path, size: Any) -> None:
    path = tmp_path / "open_clip_config.json"
    path.write_text(json.dumps({"model_cfg": json.loads(files[0].read_text()), "preprocess_cfg": {"size": size}}))
    line = refused(path, weights=files[1])
    assert "preprocessing" in line
    assert "64 x 64" in line


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("suffix", "prefix", "nested"),
    [(".pt", "", False), (".pt", "module.", True), (".pth", "module.", False), (".bin", "", True)],
)
def test_a_plain_state_dict_is_accepted(
    files: tuple[Path, Path], tmp_path: Path, suffix: str, prefix: str, nested: bool
) -> None:
    state: dict[str, Any] = {prefix + name: value for name, value in load_file(str(files[1])).items()}
    path = tmp_path / f"weights{suffix}"
    torch.save({"epoch": 3, "state_dict": state} if nested else state, path)
    assert load_model(files[0], weights=path).digest == load_model(files[0], weights=files[1]).digest


def test_half_floats_and_packed_weights_are_widened(files: tuple[Path, Path], tmp_path: Path) -> None:
    state = load_file(str(files[1]))
    half = tmp_path / "half.safetensors"
    save_file({name: value.half() for name, value in state.items()}, str(half))
    packed = tmp_path / "packed.safetensors"
    save_packed(state, packed, ("transformer.",))
    whole = load_model(files[0], weights=files[1]).embed_texts(TEXTS)
    for path in (half, packed):
        model = load_model(files[0], weights=path)
        assert all(value.dtype == torch.float32 for value in model.net.parameters())
        assert float((model.embed_texts(TEXTS) * whole).sum(dim=-1).min()) > 0.999


def test_a_clip_state_fits_a_custom_text_configuration(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "custom.json"
    path.write_text(json.dumps({**json.loads(files[0].read_text()), "custom_text": True}))
    model, plain = load_model(path, weights=files[1]), load_model(files[0], weights=files[1])
    assert torch.allclose(model.embed_texts(TEXTS), plain.embed_texts(TEXTS), atol=1e-6)
    images = pixels(plain)
    assert torch.allclose(model.embed_images(images), plain.embed_images(images), atol=1e-6)


def test_loading_doesn_t_move_the_caller_s_random_numbers(files: tuple[Path, Path]) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    load_model(files[0], weights=files[1])
    assert torch.equal(torch.get_rng_state(), before)


def test_convolutions_keep_their_weights_channels_last_and_say_the_same(zoo: Zoo) -> None:
    for family, turned in (("efficientnet", True), ("resnet_clip", True), ("vit", False)):
        model = zoo(family)
        kernels = [value for value in model.net.visual.parameters() if value.dim() == 4]
        last = [value.is_contiguous(memory_format=torch.channels_last) for value in kernels]
        assert all(last) if turned else not any(last)
        plain = copy.deepcopy(model.net).to(memory_format=torch.contiguous_format)
        assert state_digest(plain) == state_digest(model.net) == model.digest
        with torch.no_grad():
            whole = plain.visual(pixels(model))
            assert torch.allclose(model.net.visual(pixels(model)), whole, atol=1e-5)
            assert not torch.allclose(model.net.visual(pixels(model).flip(-1)), whole, atol=1e-5)


def test_an_unknown_name_suggests_near_ones() -> None:
    line = refused("ViT-B-23", pretrained="openai")
    assert "ViT-B-32" in line
    assert "ViT-B-23" in line
    assert "demo" in refused("dem")
    assert "core models" in refused("qqqqqqqqqqqqqq")


def test_an_unknown_name_with_weights_suggests_near_ones(files: tuple[Path, Path]) -> None:
    assert "ViT-B-32" in refused("ViT-B-23", weights=files[1])


def test_an_unknown_tag_names_known_ones() -> None:
    line = refused("ViT-B-32", pretrained="nobody")
    assert "nobody" in line
    assert "openai" in line


def test_a_name_alone_would_be_random() -> None:
    line = refused("ViT-B-32")
    assert "tag" in line
    assert "weights=" in line


def test_a_config_alone_would_be_random(files: tuple[Path, Path]) -> None:
    assert "weights" in refused(files[0])


def test_missing_files_are_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert str(tmp_path / "none.safetensors") in refused(files[0], weights=tmp_path / "none.safetensors")
    assert "none.json" in refused(tmp_path / "none.json", weights=files[1])


def change(files: tuple[Path, Path], folder: Path, edit: Callable[[dict[str, torch.Tensor]], None]) -> Path:
    state = load_file(str(files[1]))
    edit(state)
    path = folder / "changed.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, str(path))
    return path


def test_weights_that_don_t_fit_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    def narrow(state: dict[str, torch.Tensor]) -> None:
        state["visual.proj"] = state["visual.proj"][:, :16]

    def drop(state: dict[str, torch.Tensor]) -> None:
        del state["visual.ln_post.weight"], state["ln_final.bias"]

    def add(state: dict[str, torch.Tensor]) -> None:
        state["visual.extra"] = torch.zeros(2)

    line = refused(files[0], weights=change(files, tmp_path, narrow))
    assert "a different shape" in line
    assert "visual.proj" in line
    line = refused(files[0], weights=change(files, tmp_path, drop))
    assert "nothing for" in line
    assert "1 more" in line
    assert "visual.extra" in refused(files[0], weights=change(files, tmp_path, add))


def test_weights_of_another_model_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    config, weights = write_model(tmp_path, "siglip")
    assert "does not fit" in refused(files[0], weights=weights)
    assert "does not fit" in refused(config, weights=files[1])


class Payload:
    """What an attacker would put into a pickle: it writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (self.path, "w")


def test_a_pickle_that_would_run_code_is_refused_and_doesn_t_run(files: tuple[Path, Path], tmp_path: Path) -> None:
    trace, path = tmp_path / "it-ran", tmp_path / "evil.pt"
    torch.save({"state_dict": {"weight": torch.zeros(1)}, "more": Payload(str(trace))}, path)
    line = refused(files[0], weights=path)
    assert "refused" in line
    assert "safetensors" in line
    assert not trace.exists()
    # The file is armed: read without care, it does run.
    torch.load(path, weights_only=False)["more"].close()
    assert trace.exists()


def test_a_pickled_module_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "module.pt"
    torch.save(torch.nn.Linear(2, 2), path)
    assert "pickled modules are refused" in refused(files[0], weights=path)


@pytest.mark.parametrize(
    "content", [{"epoch": 3}, {"state_dict": {}}, [torch.zeros(1)], {"state_dict": {"weight": "text"}}]
)
def test_a_pt_without_a_state_dict_is_refused(files: tuple[Path, Path], tmp_path: Path, content: Any) -> None:
    path = tmp_path / "other.pt"
    torch.save(content, path)
    assert "state" in refused(files[0], weights=path)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pth", "w.bin"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\x00" * 400])
def test_files_that_are_no_weights_are_refused(
    files: tuple[Path, Path], tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert name in refused(files[0], weights=path)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_a_file_cut_short_is_refused(files: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    torch.save(load_file(str(files[1])), tmp_path / "w.pt")
    whole = files[1].read_bytes() if name.endswith("safetensors") else path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert name in refused(files[0], weights=path)


def test_an_unknown_kind_of_weights_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "weights.onnx"
    path.write_bytes(b"x")
    assert ".safetensors" in refused(files[0], weights=path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "3",
        '{"model_cfg": 3}',
        '{"embed_dim": 32}',
        '{"embed_dim": 32, "vision_cfg": 3, "text_cfg": 4}',
        '{"embed_dim": 32, "vision_cfg": {"layers": "two"}, "text_cfg": {}}',
        '{"embed_dim": 32, "vision_cfg": {"timm_model_name": "no_such_trunk"}, "text_cfg": {}}',
        '{"embed_dim": 32, "vision_cfg": {}, "text_cfg": {}, "surprise": 1}',
    ],
)
def test_a_file_that_is_no_configuration_is_refused(files: tuple[Path, Path], tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    assert "config.json" in refused(path, weights=files[1])


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, for the libraries as for the process: their own switch, and a proxy that refuses."""
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("name", "tag"), [("ViT-B-32", "laion2b_s34b_b79k"), ("hf-hub:someone/some-clip-that-is-not-here", None)]
)
def test_without_a_network_the_way_out_is_told(name: str, tag: str | None) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    line = refused(name, tag)
    assert "could not be obtained" in line
    assert "weights=" in line
    assert "demo" in line
    assert torch.equal(torch.get_rng_state(), before)


def test_a_failing_download_is_told_and_leaves_random_numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip.pretrained

    def fails(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("the hash of the file is wrong\nand more lines")

    monkeypatch.setattr(open_clip.pretrained, "download_pretrained", fails)
    before = torch.get_rng_state()
    line = refused("ViT-B-32", "openai")
    assert "the hash of the file is wrong" in line
    assert "and more lines" not in line
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.usefixtures("offline")
def test_a_text_model_that_isn_t_here_is_named(tmp_path: Path, files: tuple[Path, Path]) -> None:
    config = write_config(tmp_path, "bert_mean")
    values = json.loads(config.read_text())
    values["text_cfg"]["hf_model_name"] = values["text_cfg"]["hf_tokenizer_name"] = "someone/some-bert"
    config.write_text(json.dumps(values))
    line = refused(config, weights=files[1])
    assert "someone/some-bert" in line
    assert "folder" in line


@pytest.mark.usefixtures("offline")
def test_a_tokenizer_that_isn_t_here_is_named(tmp_path: Path) -> None:
    config, weights = write_model(tmp_path, "bert_mean")
    values = json.loads(config.read_text())
    values["text_cfg"]["hf_tokenizer_name"] = "someone/some-words"
    config.write_text(json.dumps(values))
    assert "someone/some-words" in refused(config, weights=weights)


def test_a_device_that_can_t_be_used_is_refused(files: tuple[Path, Path]) -> None:
    for device in ("nonsense", "cuda:99"):
        assert device in refused(files[0], weights=files[1], device=device)


# -- the embedded model -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[model.name for model in embedded_models()])
def demo(request: pytest.FixtureRequest) -> Model:
    return load_model(request.param)


def test_the_demo_offers_what_its_card_says(demo: Model) -> None:
    (card,) = [model for model in embedded_models() if model.name == demo.name]
    assert sorted(demo.capabilities) == sorted(card.capabilities)
    assert (demo.image.depth, demo.text.depth) == (card.image_depth, card.text_depth)
    assert demo.card == card.card == json.loads((card.folder / "card.json").read_text())
    assert demo.title == card.title


@pytest.mark.parametrize("card", embedded_models(), ids=lambda card: card.name)
def test_every_interval_on_a_card_names_its_n_and_unit(card: EmbeddedModel) -> None:
    figures = [(name, value) for name, value in card.card["figures"]]
    with_interval = [(name, value) for name, value in figures if "[" in value]
    assert len(with_interval) > 3
    for name, value in with_interval:
        count = re.search(r", n = (\d+) images$", value)
        assert count is not None and f"{count[1]} images" in name, value
    assert not [name for name, _ in figures if name.startswith("the same")]


def test_the_demo_embeds_like_the_library(demo: Model) -> None:
    images = pixels(demo)
    plain = demo.net.encode_image(images, normalize=True)
    assert torch.allclose(demo.embed_images(images), plain, atol=1e-6)
    words = demo.net.encode_text(demo.text.tokenizer(list(TEXTS)), normalize=True)
    assert torch.allclose(demo.embed_texts(TEXTS), words, atol=1e-6)
    state = demo.image.run(demo.image.enter(images), 0)
    left = torch.nn.functional.normalize(demo.image.leave(state), dim=-1)
    assert torch.allclose(left, plain, atol=1e-6)
    assert (demo.bulk.why_plain is None) == (demo.image.layout == "maps")


def test_the_demo_finds_the_captions_of_the_sample(demo: Model) -> None:
    """Far from chance (1 in 24); an untrained or wrongly packed model stays near it."""
    folder = ROOT / "tests" / "sample"
    with (folder / "captions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    files = [folder / "images" / row["image"] for row in rows]
    images = torch.cat([demo.embed_images(demo.preprocess(files[at : at + 8])[0]) for at in range(0, len(files), 8)])
    texts = demo.embed_texts([row["caption"] for row in rows])
    own = ((texts @ images.T).argmax(dim=1) == torch.arange(len(rows))).float().mean()
    assert own > 0.5
    assert ((texts @ images.T).roll(1, 0).argmax(dim=1) == torch.arange(len(rows))).float().mean() < 0.25


def test_every_model_describes_itself(zoo: Zoo, demo: Model) -> None:
    for model in (demo, zoo("vit"), zoo("resnet_clip"), zoo("siglip")):
        about = model.describe()
        written = json.loads(json.dumps(about))
        assert {key for key in about if written[key] != about[key]} <= {"preprocessing"}
        assert Preprocessing.from_dict(written["preprocessing"]) == model.preprocessing
        assert re.fullmatch("[0-9a-f]{64}", about["digest"])
        assert about["embed_dim"] == model.embed_texts(["a"]).shape[-1]
        assert about["digest"] == state_digest(model.net)


def test_the_digest_tells_weights_apart(tmp_path: Path, files: tuple[Path, Path]) -> None:
    config, weights = write_model(tmp_path, "vit_quick", seed=1)
    first, second = load_model(files[0], weights=files[1]), load_model(config, weights=weights)
    assert first.digest != second.digest


def test_listing_knows_the_library_s_names() -> None:
    assert "ViT-B-32" in architectures()
    assert embedded_name("ViT-B-32") is None
    assert embedded_name("demo") == embedded_models()[0].name
