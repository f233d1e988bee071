"""The wheel: which files it holds, what it depends on, its launcher. `tests/check_wheel.py` installs and runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from core import cli, serving, settings
from core.settings import ROOT, VERSION, as_typed, settle

HOME = "loupe/"
LAUNCHER = ROOT / "deploy" / "wheel"
FOLDERS = ("core", "pages", "templates", ".streamlit")
SINGLE = ("app.py", "requirements.lock")
BESIDE = {"__init__.py", "__main__.py", "py.typed", "testing.py"}


@pytest.fixture(scope="module")
def packed() -> set[str]:
    """The files of the wheel below its one package."""
    found = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert all(name.startswith(HOME) for name in found)
    return {name.removeprefix(HOME) for name in found}


def own() -> set[str]:
    """The files of the repository that Loupe needs when it runs."""
    ask = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *FOLDERS, *SINGLE]
    try:
        listed = subprocess.run(ask, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout, so its own files can't be told from others")
    return {name for name in listed if name and (ROOT / name).exists()}


def lacking(packed: Collection[str], needed: Collection[str]) -> set[str]:
    return set(needed) - set(packed)


def test_the_wheel_holds_every_file_of_the_product_and_no_other(packed: set[str]) -> None:
    assert len(own()) > 700
    assert lacking(packed, own()) == set()
    assert lacking(own(), packed) == BESIDE


def test_a_missing_weight_file_would_be_seen(packed: set[str]) -> None:
    weights = "core/models/embedded/demo-vit/weights.safetensors"
    assert lacking(packed - {weights}, own()) == {weights}


def entries(lines: Collection[str]) -> list[tuple[str, str]]:
    """Name and versions of each requirement, sorted."""
    every = [Requirement(line) for line in lines]
    return sorted((canonicalize_name(each.name), str(each.specifier)) for each in every)


def test_version_and_dependencies_stand_in_one_place_each() -> None:
    told = ProjectMetadata(str(ROOT), PluginManager()).core
    assert told.version == VERSION
    extras = dict(told.optional_dependencies)
    assert set(extras) == {"onnx", "dicom", "sign", "oidc", "ray", "s3", "all"}
    apart = {*extras.pop("ray"), *extras.pop("s3")}
    assert apart <= {*(ROOT / "requirements-dev.txt").read_text().splitlines()}
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    every = extras.pop("all")
    assert sorted(every) == sorted(line for part in extras.values() for line in part)
    assert entries([*told.dependencies, *every]) == entries(lines)
    assert "onnxruntime" not in {name for name, _ in entries(told.dependencies)}


def test_another_core_that_was_imported_before_is_named(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("METHODS = 'of somebody else'\n")
    path = os.pathsep.join([str(tmp_path), str(LAUNCHER)])
    ask = [sys.executable, "-c", "import core, loupe; loupe.METHODS"]
    done = subprocess.run(ask, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert "another package named core was imported before" in done.stderr.splitlines()[-1]


def test_commands_are_told_as_this_installation_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "`python -m core resume RUN` continues; python -m core.glossary is no command"
    assert as_typed(told) == told
    monkeypatch.setattr(settings, "COMMAND", "loupe")
    assert as_typed(told) == "`loupe resume RUN` continues; python -m core.glossary is no command"


def test_folders_in_the_environment_do_not_depend_on_where_a_process_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOUPE_HOME", "data")
    monkeypatch.setenv("LOUPE_MODELS", f"models{os.pathsep}{os.pathsep}/srv/models")
    monkeypatch.setenv("LOUPE_FOLDERS", "")
    settle()
    assert os.environ["LOUPE_HOME"] == str(tmp_path / "data")
    assert os.environ["LOUPE_MODELS"] == f"{tmp_path / 'models'}{os.pathsep}/srv/models"
    assert os.environ["LOUPE_FOLDERS"] == ""


def test_the_app_is_started_with_its_own_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    started: list[tuple[list[str], Path]] = []

    def become(program: str, command: list[str]) -> None:
        started.append((command, Path.cwd()))
        raise KeyboardInterrupt

    monkeypatch.setattr(serving.os, "execv", become)
    assert cli.main(["app", "--port", "8600", "--", "--server.allowedHosts", "loupe.example"]) == 130
    ((command, folder),) = started
    assert folder == ROOT and (folder / ".streamlit" / "config.toml").exists()
    assert command[1:5] == ["-m", "streamlit", "run", "app.py"]
    assert command[5:] == ["--server.port", "8600", "--server.allowedHosts", "loupe.example"]
