"""Every command with `--out` first finds out whether it can write there: one line, exit code 2, nothing left."""

from __future__ import annotations

import argparse
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from core import cli, storage
from core.cli import main
from core.errors import InputError
from core.storage import check_out

# The least arguments of each; their files need not exist, because the folder is looked at first.
COMMANDS = {
    "demo": ["demo"],
    "audit": ["audit", "--images", "none"],
    "explain": ["explain", "none.png", "--text", "a", "--method", "raw"],
    "compare": ["compare", "a", "b"],
    "user-study": ["user-study", "a", "--methods", "raw,rise"],
}


def with_out() -> list[str]:
    """The commands that take `--out`, read from the parser."""
    parser = cli._parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return sorted(name for name, each in commands.choices.items() if "--out" in each._option_string_actions)


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a command that ends with exit code 2."""
    assert main(list(arguments)) == 2
    printed, error = capsys.readouterr()
    assert printed == "" and error.count("\n") == 1 and error.startswith("loupe: --out ")
    return error


def test_every_command_with_out_is_tried_here() -> None:
    assert with_out() == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_in_the_way(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    assert "is a file; name a folder" in ended(capsys, *COMMANDS[command], "--out", str(tmp_path / "file"))
    below = ended(capsys, *COMMANDS[command], "--out", str(tmp_path / "file" / "a" / "b"))
    assert "lies below file, which is a file" in below
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("number", "why"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "permission was denied"),
     (errno.EDQUOT, "quota"), (errno.ENOENT, "no file can be made there"), (errno.EPROTO, os.strerror(errno.EPROTO))],
)  # fmt: skip
def test_a_disk_that_cannot_be_written(
    command: str, number: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fails(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    # As late as it can happen: with bytes in a file that has to go again.
    monkeypatch.setattr(storage.os, "fsync", fails)
    error = ended(capsys, *COMMANDS[command], "--out", str(tmp_path / "new" / "run"))
    assert f"cannot be written: {why}" in error or why in error
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_too_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "too long" in ended(capsys, "demo", "--out", str(tmp_path / ("x" * 300)))


def test_a_good_place_is_left_as_it_was(tmp_path: Path) -> None:
    check_out(tmp_path / "a" / "b")
    check_out(tmp_path)
    assert list(tmp_path.iterdir()) == []
    # Companion: the same place fails once a part of it is a file.
    (tmp_path / "a").write_text("")
    with pytest.raises(InputError, match="lies below a, which is a file"):
        check_out(tmp_path / "a" / "b")
