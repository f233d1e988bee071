"""Uploaded models are stored byte by byte under checked names, within the limit, or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from core.errors import InputError
from core.models import uploads as module
from core.models.uploads import UNUSED, File, store_table, store_upload, sweep_uploads, uploaded
from core.settings import uploads_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path))
    return tmp_path


def files(**more: bytes) -> list[File]:
    given = {"config.json": b"{}", "model.safetensors": b"weights"}
    given |= {name.replace("__", "."): data for name, data in more.items()}
    return [(name, io.BytesIO(data)) for name, data in given.items()]


def left() -> list[str]:
    return [path.name for path in uploads_folder().glob("*")] if uploads_folder().exists() else []


def test_files_are_stored_as_they_are_and_the_same_files_once() -> None:
    folder = store_upload(files(vocab__txt=b"a\nb"), "My model (v2)")
    assert folder.name == "My-model-v2"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "config.json": b"{}",
        "model.safetensors": b"weights",
        "vocab.txt": b"a\nb",
    }
    assert store_upload(files(vocab__txt=b"a\nb"), "My model (v2)") == folder
    assert store_upload(files(vocab__txt=b"a\nc"), "My model (v2)") != folder
    assert len(left()) == 2


@pytest.mark.parametrize("title", ["", "..", "../../x", "/etc", "."])
def test_a_title_never_leads_elsewhere(title: str) -> None:
    folder = store_upload(files(), title)
    assert folder.parent.parent == uploads_folder() and folder.name.strip(".")


@pytest.mark.parametrize(
    "name", ["../x.json", "a/b.json", "model.bin", "model.pt", "x.py", ".hidden.json", "a b.json", "x.json\n", "é.json"]
)
def test_other_files_are_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match="is not a file of a model that can be uploaded"):
        store_upload([*files(), (name, io.BytesIO(b"x"))])
    assert left() == []


def test_a_configuration_and_weights_are_needed_and_no_name_twice() -> None:
    with pytest.raises(InputError, match="configuration is missing"):
        store_upload(files()[1:])
    with pytest.raises(InputError, match="weights are missing"):
        store_upload(files()[:1])
    with pytest.raises(InputError, match="same name"):
        store_upload([*files(), ("Config.json", io.BytesIO(b"x"))])
    assert left() == []


def pair(*names: str) -> list[File]:
    return [(name, io.BytesIO(name.encode())) for name in ("config.json", *names)]


@pytest.mark.parametrize("names", [("visual.onnx", "textual.onnx"), ("vision_model.onnx", "text_model.onnx")])
def test_a_pair_of_towers_takes_the_place_of_weights(names: tuple[str, ...]) -> None:
    folder = store_upload(pair(*names, "visual.onnx.data", "model.onnx_data", "vocab.txt"))
    assert {path.name for path in folder.iterdir()} >= {*names, "visual.onnx.data", "model.onnx_data"}


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("visual.onnx",), "is two files, visual.onnx and textual.onnx or vision_model.onnx and text_model.onnx"),
        (("visual.onnx", "text_model.onnx"), "is two files"),
        (("visual.onnx", "textual.onnx", "decoder.onnx"), "upload no others"),
        (("visual.onnx", "textual.onnx", "model.safetensors"), "upload one of the two"),
        (("visual.ort", "textual.ort"), "is not a file of a model that can be uploaded"),
        (("vocab.txt",), "or visual.onnx and textual.onnx"),
    ],
)
def test_half_a_pair_and_a_mixture_are_refused(names: tuple[str, ...], line: str) -> None:
    with pytest.raises(InputError, match=line):
        store_upload(pair(*names))
    assert left() == []


def test_a_table_is_named_as_a_plan_names_it() -> None:
    name = store_table("My scores (1).CSV", io.BytesIO(b"image,dog\n"), "scores")
    path = uploaded(name)
    assert path is not None and name == f"scores:{path}" and path.name == "My-scores-1.csv"
    assert path.read_bytes() == b"image,dog\n"
    assert store_table("My scores (1).csv", io.BytesIO(b"image,dog\n"), "scores") == name
    assert store_table("My scores (1).csv", io.BytesIO(b"image,dog\n"), "embeddings") != name
    assert uploaded("demo") is None and uploaded("scores:/etc/passwd") is None


@pytest.mark.parametrize("name", ["x.pkl", "x.npy", "x", "../x.csv.gz", "x.csv\0.exe"])
def test_another_form_of_table_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is not a table of scores; give a CSV"):
        store_table(name, io.BytesIO(b"x"), "scores")
    assert left() == []


def test_a_table_has_the_limit_of_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", module.LIMITS.__class__(table_bytes=2 * 10**6))
    store_table("x.csv", io.BytesIO(b"x" * 2 * 10**6), "scores")
    with pytest.raises(InputError, match="more than 2 MB together"):
        store_table("y.csv", io.BytesIO(b"x" * (2 * 10**6 + 1)), "scores")
    monkeypatch.setenv("LOUPE_MODEL_UPLOAD", "0")
    with pytest.raises(InputError, match="does not accept uploads"):
        store_table("x.csv", io.BytesIO(b"x"), "scores")


def test_the_limit_is_that_of_all_files_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_MODEL_UPLOAD", "1")
    most = 10**6 - len(b"{}") - len(b"weights")
    store_upload(files(vocab__txt=b"x" * most))
    with pytest.raises(InputError, match="more than 1 MB together"):
        store_upload(files(vocab__txt=b"x" * (most + 1)))
    assert len(left()) == 1
    monkeypatch.setenv("LOUPE_MODEL_UPLOAD", "0")
    with pytest.raises(InputError, match="does not accept uploads"):
        store_upload(files())
    monkeypatch.setenv("LOUPE_MODEL_UPLOAD", "much")
    with pytest.raises(InputError, match="must be a number"):
        store_upload(files())


def test_only_old_uploads_that_no_run_names_are_removed() -> None:
    used, unused, young = (store_upload(files(), title) for title in ("used", "unused", "young"))
    table = store_table("t.csv", io.BytesIO(b"x"), "scores")
    kept = uploaded(table)
    assert kept is not None
    for folder in (used, unused, kept):
        at = os.stat(folder.parent).st_mtime - UNUSED - 60
        os.utime(folder.parent, (at, at))
    sweep_uploads([str(used), "demo", table])
    assert used.is_dir() and kept.is_file() and young.is_dir() and not unused.exists()
