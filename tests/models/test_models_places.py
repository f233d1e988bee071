"""Models in folders that the operator allows: found there, and refused wherever a path or a link leads out."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import InputError
from core.models.listing import architecture_table, architectures
from core.models.places import allowed, models_below


def model(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names or ("config.json", "model.safetensors"):
        (folder / name).write_bytes(b"x")
    return folder


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    one, two = tmp_path / "one", tmp_path / "two"
    for root in (one, two):
        root.mkdir()
    monkeypatch.setenv("LOUPE_MODELS", f"{one}:{two}")
    return one, two


def test_models_are_found_below_the_roots_alone(roots: tuple[Path, Path], tmp_path: Path) -> None:
    clip = model(roots[0] / "a" / "clip")
    hub = model(roots[1] / "hub", "open_clip_config.json")
    pair = model(roots[1] / "pair", "visual.onnx", "textual.onnx")
    model(roots[1] / "other", "notes.txt")
    model(tmp_path / "elsewhere")
    assert models_below() == [clip, hub, pair]
    assert allowed(str(clip)) == clip


def test_no_root_means_no_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOUPE_MODELS", "")
    assert models_below() == []
    with pytest.raises(InputError, match="not in a folder that the operator"):
        allowed(model(tmp_path / "m"))


def test_paths_that_lead_out_are_refused(roots: tuple[Path, Path], tmp_path: Path) -> None:
    secret = model(tmp_path / "secret")
    # A neighbour whose name begins like an allowed folder's.
    for folder in (secret, roots[0] / ".." / "secret", model(tmp_path / "one-more"), Path("/")):
        with pytest.raises(InputError, match="not in a folder that the operator"):
            allowed(folder)
    (roots[0] / "link").symlink_to(secret)
    with pytest.raises(InputError, match="not in a folder that the operator"):
        allowed(roots[0] / "link")
    with pytest.raises(InputError, match="not a folder on this server"):
        allowed(roots[0] / "missing")


def test_a_file_that_is_a_link_must_stay_inside_as_well(roots: tuple[Path, Path], tmp_path: Path) -> None:
    blob = roots[0] / "blobs" / "weights"
    model(blob.parent, "weights")
    inside = model(roots[0] / "snapshot", "config.json")
    (inside / "model.safetensors").symlink_to(blob)
    assert allowed(inside) == inside
    (tmp_path / "passwords").write_text("x")
    (inside / "tokenizer.json").symlink_to(tmp_path / "passwords")
    with pytest.raises(InputError, match="a link that leads out"):
        allowed(inside)


def test_open_clip_s_list_is_complete_and_tells_sizes() -> None:
    table = architecture_table()
    assert list(table) == architectures()
    usual = table["ViT-B-32"]
    # Radford et al. 2021, table 20: 224 pixels; 87.8 M and 63.4 M parameters of the towers in open_clip.
    assert usual.input == (224, 224) and usual.context == 77 and "laion2b_s34b_b79k" in usual.tags
    assert round(usual.image_parameters / 1e5) == 878 and round((usual.text_parameters or 0) / 1e5) == 634
    assert usual.size == "151 M parameters, 224 x 224 pixels"
    assert table["xlm-roberta-base-ViT-B-32"].text_parameters is None
