"""Checkpoints as trainers write them: what wraps the weights is taken off, and nothing in the file is run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.support.tiny import TEXTS, network_of, write_model
from core.models.loading import load_model
from core.models.loading.checkpoints import unwrapped
from tests.support.refusals import refusal

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(configuration, weights) of a sound tiny model. Don't change them."""
    return write_model(tmp_path_factory.mktemp("sound"), "vit_quick")


def prefixed(state: State, prefix: str) -> State:
    return {prefix + key: value for key, value in state.items()}


def student_and_teacher(state: State) -> State:
    return {**prefixed(state, "student."), **{f"teacher.{key}": value + 1 for key, value in state.items()}}


def compiled_inside(state: State) -> State:
    return {
        f"visual._orig_mod.{key.removeprefix('visual.')}" if key.startswith("visual.") else key: value
        for key, value in state.items()
    }


WRITTEN: dict[str, Callable[[State], Any]] = {
    "compiled": lambda state: prefixed(state, "_orig_mod."),
    "parallel": lambda state: prefixed(state, "module."),
    "parallel and compiled": lambda state: prefixed(state, "module._orig_mod."),
    "lightning": lambda state: {
        "epoch": np.int64(3),
        "global_step": np.float64(1.5),
        "pytorch-lightning_version": "2.5",
        "state_dict": prefixed(state, "model."),
        "callbacks": {"best": {"score": np.float32(0.25), "all": np.arange(3)}},
        "hyper_parameters": argparse.Namespace(rate=1e-4, folder=Path("runs")),
    },
    "clip": lambda state: {"model_state_dict": prefixed(state, "clip."), "loss": 0.1},
    "nested": lambda state: {"model": {"state_dict": prefixed(state, "model.clip_model.")}},
    "student": lambda state: {"student": state, "teacher": {key: value + 1 for key, value in state.items()}},
    "student beside": student_and_teacher,
    "compiled inside": compiled_inside,
    "openai": lambda state: {
        **state, "input_resolution": torch.tensor(64), "context_length": torch.tensor(77),
        "vocab_size": torch.tensor(49408), "logit_scale": state["logit_scale"].reshape(1),
    },
    "double": lambda state: {key: value.double() for key, value in state.items()},
}  # fmt: skip


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", WRITTEN)
def test_a_checkpoint_is_read_as_its_trainer_wrote_it(files: tuple[Path, Path], tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("last.ckpt" if kind == "lightning" else "last.pt")
    torch.save(WRITTEN[kind](load_file(str(files[1]))), path)
    model = load_model(files[0], weights=path)
    assert model.digest == load_model(files[0], weights=files[1]).digest
    notes = model.describe()["recognised"]["notes"]
    assert bool(notes) == (kind in ("student", "student beside"))
    assert all("student" in note and "teacher" in note for note in notes)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "model.", "clip.", "student.", "module.model.", "ema."])
def test_safetensors_are_unwrapped_too(files: tuple[Path, Path], tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "w.safetensors"
    save_file(prefixed(load_file(str(files[1])), prefix), str(path))
    assert load_model(files[0], weights=path).digest == load_model(files[0], weights=files[1]).digest


def test_narrow_floats_are_widened(files: tuple[Path, Path], tmp_path: Path) -> None:
    whole = load_model(files[0], weights=files[1]).embed_texts(TEXTS)
    for kind in (torch.float16, torch.bfloat16):
        path = tmp_path / "narrow.pt"
        torch.save({key: value.to(kind) for key, value in load_file(str(files[1])).items()}, path)
        model = load_model(files[0], weights=path)
        assert all(value.dtype == torch.float32 for value in model.net.parameters())
        assert float((model.embed_texts(TEXTS) * whole).sum(dim=-1).min()) > 0.999


def test_an_unknown_tensor_without_a_wrapping_is_still_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({**load_file(str(files[1])), "head.weight": torch.zeros(2)}, path)
    assert "an unknown head.weight" in refusal(files[0], weights=path)
    state = {**prefixed(load_file(str(files[1])), "other."), "head.weight": torch.zeros(2)}
    torch.save(state, path)
    assert "does not fit" in refusal(files[0], weights=path)


def test_only_whole_wrappings_are_taken_off() -> None:
    state = {"model.visual.proj": torch.zeros(1), "model.modules.x": torch.zeros(1)}
    kept, notes = unwrapped(state, {"visual.proj"}.__contains__)
    assert set(kept) == {"visual.proj", "modules.x"}
    assert notes == ()
    assert unwrapped({"a.visual.proj": torch.zeros(1)}, {"visual.proj"}.__contains__)[0].keys() == {"a.visual.proj"}


def test_positions_of_another_image_size_are_resized_as_open_clip_does_it(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    from open_clip.model import resize_pos_embed

    values = json.loads(files[0].read_text())
    values["vision_cfg"]["image_size"] = 96
    config = tmp_path / "larger.json"
    config.write_text(json.dumps(values))
    model = load_model(config, weights=files[1])
    state = load_file(str(files[1]))
    resize_pos_embed(state, network_of(config))
    assert torch.equal(model.net.visual.positional_embedding, state["visual.positional_embedding"])
    assert model.net.visual.positional_embedding.shape != load_file(str(files[1]))["visual.positional_embedding"].shape
    (note,) = model.describe()["recognised"]["notes"]
    assert "bicubic" in note
    assert load_model(files[0], weights=files[1]).describe()["recognised"]["notes"] == []


class Payload:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (self.path, "w")


def test_a_checkpoint_that_would_run_code_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    trace, path = tmp_path / "it-ran", tmp_path / "evil.ckpt"
    torch.save({"state_dict": load_file(str(files[1])), "epoch": np.int64(1), "more": Payload(str(trace))}, path)
    line = refusal(files[0], weights=path)
    assert "pickled" in line
    assert "state_dict()" in line
    assert not trace.exists()
    torch.load(path, weights_only=False)["more"].close()
    assert trace.exists()


def test_a_torchscript_archive_is_refused_with_the_way_to_convert_it(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "script.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))
    line = refusal(files[0], weights=path)
    assert "TorchScript" in line
    assert "torch.jit.load(file).state_dict()" in line


def test_an_optimizer_is_no_model(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "optimizer.pt"
    torch.save(torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))]).state_dict(), path)
    assert "no state dict" in refusal(files[0], weights=path)


# -- folders ------------------------------------------------------------------------------------------------------


def folder_of(files: tuple[Path, Path], folder: Path, *names: str) -> Path:
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": json.loads(files[0].read_text())}))
    for name in names:
        if name.endswith(".safetensors"):
            (folder / name).write_bytes(files[1].read_bytes())
        else:
            torch.save(load_file(str(files[1])), folder / name)
    return folder


def test_several_candidates_are_listed_in_order_and_asked_about(files: tuple[Path, Path], tmp_path: Path) -> None:
    folder = folder_of(files, tmp_path / "runs", "epoch_10.pt", "epoch_1.pt", "epoch_2.pt", "optimizer.pt")
    line = refusal(folder)
    assert "epoch_1.pt, epoch_2.pt, epoch_10.pt, optimizer.pt" in line
    assert "--weights" in line
    wanted = load_model(files[0], weights=files[1]).digest
    assert load_model(folder, weights=folder / "epoch_2.pt").digest == wanted
    assert load_model(folder, weights="epoch_2.pt").digest == wanted
    assert load_model(f"local-dir:{folder}", weights="epoch_2.pt").digest == wanted


def test_one_file_or_the_usual_name_needs_no_question(files: tuple[Path, Path], tmp_path: Path) -> None:
    wanted = load_model(files[0], weights=files[1]).digest
    assert load_model(folder_of(files, tmp_path / "one", "mine.pt")).digest == wanted
    usual = folder_of(files, tmp_path / "usual", "open_clip_model.safetensors", "epoch_1.pt", "optimizer.pt")
    assert load_model(usual).digest == wanted
    (usual / "model.safetensors").write_bytes(b"of another layout")
    assert load_model(usual).digest == wanted
    assert load_model(f"local-dir:{usual}").digest == wanted


def test_a_folder_that_is_no_model_is_told_by_what_it_lacks(tmp_path: Path) -> None:
    line = refusal(tmp_path)
    assert "open_clip_config.json" in line
    assert "config.json (transformers)" in line
    assert "no folder" in refusal(f"local-dir:{tmp_path / 'none'}")
