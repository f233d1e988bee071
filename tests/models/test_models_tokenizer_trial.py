"""A tokenizer of a folder is tried in a child that has no torch; what the child refuses is not made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.support.hub_models import SAVE
from core.errors import ModelError
from core.models.loading import tokenizer_trial
from core.sandbox import Allowance, Sandbox


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hub") / "clip"
    SAVE["clip"](made)
    return made


def test_the_child_has_transformers_and_no_torch(folder: Path) -> None:
    sandbox = Sandbox()
    try:
        sandbox.call(tokenizer_trial.read_long_texts, str(folder), "a model", 77, None)
        server = sandbox._server
        assert server is not None
        mapped = Path(f"/proc/{server.pid}/maps")
        if not mapped.exists():
            pytest.skip("only Linux lists what a process has mapped")
        try:
            libraries = mapped.read_text()
        except PermissionError:
            pytest.skip("another process's memory may not be looked at here")
        assert "tokenizers" in libraries
        assert "libtorch" not in libraries
    finally:
        sandbox.close()


def test_a_sound_one_is_taken(folder: Path) -> None:
    tokenizer_trial.try_tokenizer(str(folder), "a model", 77)
    tokenizer_trial.try_tokenizer(str(folder), "a model", 77, ["<mask>"])
    made, notes = tokenizer_trial.read_tokenizer(str(folder))
    assert notes == ()
    assert len(made(["a cat"], max_length=77, padding="max_length", truncation=True).input_ids[0]) == 77


@pytest.mark.parametrize("content", [b"", b"{}", b"{", b'{"model": {"type": "WordLevel"}}', b"\x00" * 100, b"[" * 5000])
def test_a_damaged_one_is_refused_in_one_line(folder: Path, tmp_path: Path, content: bytes) -> None:
    for path in folder.iterdir():
        if path.suffix == ".json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "tokenizer.json").write_bytes(content)
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match="the tokenizer of a model") as refused:
        tokenizer_trial.try_tokenizer(str(tmp_path), "a model", 77)
    assert "\n" not in str(refused.value)


def test_one_that_costs_more_than_it_may_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_trial, "_ALLOWANCE", Allowance(memory=2**20))
    with pytest.raises(ModelError, match="the tokenizer of a model") as refused:
        tokenizer_trial.try_tokenizer(str(folder), "a model", 77)
    assert "\n" not in str(refused.value)


def test_a_folder_without_such_files_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_trial, "_SANDBOX", None)
    (tmp_path / "vocab.txt").write_text("a\n")
    tokenizer_trial.try_tokenizer(str(tmp_path), "a model", 77)
