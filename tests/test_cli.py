"""`python -m core`, command by command: what it prints, how it exits, and that wrong input leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from core import commands
from core.cli import main
from core.demonstration import demonstration
from core.methods import METHODS
from core.models.listing import embedded_models
from core.request import AuditRequest
from core.runs import Run, open_run
from core.settings import ROOT, VERSION
from tests.audit.small import CLASSES, draw_images, result_hashes, save_model, stub_report
from tests.support.made_run import made_run

COMMANDS = (
    "demo", "audit", "explain", "resume", "status", "report", "compare", "verify", "methods", "applications", "models",
    "worker",
)  # fmt: skip


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_images(tmp_path_factory.mktemp("images") / "drawn", 3)


@pytest.fixture(autouse=True)
def own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return stub_report(monkeypatch)


def audit(config: Path, images: Path, out: Path, *more: str) -> list[str]:
    weights = config.parent / "weights.safetensors"
    return [
        "audit", "--images", str(images), "--model", str(config), "--weights", str(weights), "--device", "cpu",
        "--methods", "raw,gradcam", "--no-curves", "--out", str(out), *more,
    ]  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a refused command prints."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("loupe: ")
    return line


# -- help and catalogues -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith("usage: python -m core")
    assert all(name in told for name in COMMANDS) if not command else "--json" in told


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"Loupe {VERSION}\n"


@pytest.mark.parametrize("arguments", [[], ["paint"], ["audit"], ["audit", "--images"], ["status", "--colour"]])
def test_a_command_line_that_cannot_be_read_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_methods_are_listed_with_what_they_need_and_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in data] == list(METHODS)
    assert all(row["cost"]["image"] + row["cost"]["pool"] > 0 for row in data)
    assert "not_run" not in data[0]
    assert main(["methods", "--model", "demo", "--json"]) == 0
    served = {row["name"]: row["not_run"] for row in json.loads(capsys.readouterr().out)}
    for name, why in served.items():
        assert why == {side: r for side, r in METHODS[name].reasons(embedded_models()[0].capabilities).items() if r}
    assert main(["methods"]) == 0
    assert "rise " in capsys.readouterr().out
    assert "not an embedded model; known: " in refused(capsys, "methods", "--model", "ViT-B-32")


def test_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["embedded"][0]["name"] == embedded_models()[0].name
    assert "ViT-B-32" in data["open_clip"]
    assert main(["models"]) == 0
    assert embedded_models()[0].title in capsys.readouterr().out


# -- an audit ----------------------------------------------------------------------------------------------------


def test_an_audit_from_end_to_end(
    config: Path, images: Path, tmp_path: Path, rendered: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    (tmp_path / "texts.txt").write_text("# comment\na drawing\n")
    wanted = audit(
        config, images, out, "--classes", str(tmp_path / "classes.txt"), "--texts", str(tmp_path / "texts.txt"),
        "--template", "{} drawn", "--top-classes", "2", "--limit", "2", "--seed", "3", "--title", "T", "--option",
        "raw.negate=true", "--preparer", "P", "--json",
    )  # fmt: skip
    assert main(wanted) == 0
    told, progress = capsys.readouterr()
    data = json.loads(told)
    assert data["state"] == "done"
    assert data["run"] == str(out)
    assert data["report"] == str(out / "report" / "report.pdf")
    assert set(data["findings"]) == {"high", "medium", "low"}
    assert "2/2 images" in progress
    run = open_run(out)
    plan = run.plan
    assert (plan.seed, plan.declared.title, plan.declared.preparer, len(plan.images)) == (3, "T", "P", 2)
    assert (plan.texts.prompts, plan.texts.classes, plan.texts.templates) == (("a drawing",), CLASSES, ("{} drawn",))
    assert [(m.name, m.options) for m in plan.methods] == [("raw", {"negate": True}), ("gradcam", {})]
    assert set(run.results().method.dropna()) == {"raw", "gradcam"}
    # The run directory may be moved as a whole.
    moved = tmp_path / "moved"
    out.rename(moved)
    assert len(open_run(moved).dataset.images) == 3
    # The same audit again resumes: nothing is computed anew.
    moved.rename(out)
    before = [(unit["key"], unit["seconds"]) for unit in run.store.units()]
    assert main(wanted) == 0
    assert [(unit["key"], unit["seconds"]) for unit in run.store.units()] == before
    assert rendered == ["run", "run"]
    capsys.readouterr()
    # Another plan doesn't go into the same folder, and harms nothing there.
    hashes = result_hashes(run)
    assert "another plan" in refused(capsys, *wanted, "--seed", "4")
    assert result_hashes(open_run(out)) == hashes
    assert open_run(out).dataset.images


def test_a_run_directory_can_be_resumed_looked_at_judged_and_verified(
    config: Path, images: Path, tmp_path: Path, rendered: list[str], capsys: pytest.CaptureFixture[str],
    own_workspace: Path,
) -> None:  # fmt: skip
    out = own_workspace / "runs" / "mine"
    assert main(audit(config, images, out)) == 0
    assert "done: 0 high" in capsys.readouterr().out
    assert main(["status", "mine", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["run"], status["state"], status["images_done"], status["share"]) == ("mine", "done", 3, 1.0)
    assert main(["status", "--json"]) == 0
    assert [row["run"] for row in json.loads(capsys.readouterr().out)] == ["mine"]
    assert main(["status", str(out)]) == 0
    assert capsys.readouterr().out.startswith("mine  done  3/3 images")
    assert main(["verify", str(out), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["path"], verdict["outcome"], verdict["problems"]) == (str(out), "sound", [])
    assert verdict["sha256"] == hashlib.sha256((out / "seal.json").read_bytes()).hexdigest()
    changed = next((out / "results").glob("*.parquet"))
    sound = changed.read_bytes()
    changed.write_bytes(sound + b" ")
    assert main(["verify", str(out)]) == 1
    assert capsys.readouterr().out == f"results/{changed.name} was changed after the run was sealed\n"
    for command in ("resume", "worker"):
        assert main([command, "mine", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["state"] == "done"
    assert changed.read_bytes() == sound
    assert main(["verify", str(out)]) == 0
    assert "sound" in capsys.readouterr().out
    (out / "findings.json").unlink()
    assert main(["report", "mine"]) == 0
    assert capsys.readouterr().out == f"{out / 'report' / 'report.pdf'}\n"
    assert (out / "findings.json").exists()


def test_status_without_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    assert capsys.readouterr().out == "no runs yet\n"
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_one_damaged_run_does_not_hide_the_others(own_workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("20260101-000000-b", "20260102-000000-a")
    sound, broken = (made_run(own_workspace / "runs" / name, images=2, methods=("raw",)) for name in names)
    for file in broken.folder.glob("run.sqlite*"):
        file.unlink()
    assert main(["status"]) == 0
    # The latest first.
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{broken.id}  damaged  ")
    assert second.startswith(f"{sound.id}  done  2/2 images")
    assert main(["status", "--json"]) == 0
    assert [row["state"] for row in json.loads(capsys.readouterr().out)] == ["damaged", "done"]
    assert "run.sqlite" in refused(capsys, "status", broken.id)


def test_thresholds_judge_the_run_and_fail_on_exits_1(
    config: Path, images: Path, tmp_path: Path, rendered: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.toml"
    own.write_text('version = "7"\n[general]\nleast_images = 1\n[agreement.methods]\nleast_correlation = 0.999\n')
    out = tmp_path / "run"
    wanted = audit(config, images, out, "--thresholds", str(own), "--json")
    assert main(wanted) == 0
    counts = json.loads(capsys.readouterr().out)["findings"]
    assert sum(counts.values()) >= 1
    worst = next(word for word in ("high", "medium", "low") if counts[word])
    assert main([*wanted, "--fail-on", "low"]) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "done"
    assert main([*wanted, "--fail-on", worst]) == 1
    if worst != "high":
        assert main([*wanted, "--fail-on", "high"]) == 0
    # What was understood of the file is kept, not the file.
    kept = (out / "thresholds.toml").read_bytes()
    assert tomllib.loads(kept.decode()) == tomllib.loads(own.read_text())
    assert open_run(out).plan.thresholds == hashlib.sha256(kept).hexdigest()


def test_an_audit_of_which_nothing_succeeds_exits_1(
    config: Path, images: Path, tmp_path: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from core.audit.engines import local

    def breaks(*_: Any) -> Any:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(local, "run_unit", breaks)
    assert main(audit(config, images, tmp_path / "run")) == 1
    out = capsys.readouterr().out
    assert out.startswith("failed:")
    assert "every unit failed: ZeroDivisionError: a defect" in out


def test_an_interrupt_exits_130_and_says_how_to_go_on(
    config: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from core.audit.engines import local

    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(local, "run_unit", stopped)
    assert main(audit(config, images, tmp_path / "run")) == 130
    assert "resume" in capsys.readouterr().err
    assert open_run(tmp_path / "run").progress().state == "cancelled"


def test_the_demo_performs_the_audits_of_the_demonstration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[AuditRequest] = []

    def instead(request: AuditRequest, *_: Any) -> tuple[dict[str, Any], int]:
        asked.append(request)
        return {"text": "", "data": {}}, 0

    monkeypatch.setattr(commands, "perform", instead)
    assert main(["demo", "--out", str(tmp_path / "demo"), "--effort", "quick"]) == 0
    assert tuple(asked) == demonstration(tmp_path / "demo", "quick")
    asked.clear()
    assert main(["demo", "--out", str(tmp_path / "demo"), "--short"]) == 0
    *beside, _, last = demonstration(tmp_path / "demo", "quick")
    assert asked == [*beside, last]


def test_the_demo_ends_with_the_first_audit_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[AuditRequest] = []

    def instead(request: AuditRequest, *_: Any) -> tuple[dict[str, Any], int]:
        asked.append(request)
        return {"text": "", "data": {}}, 1

    monkeypatch.setattr(commands, "perform", instead)
    assert main(["demo", "--out", str(tmp_path / "demo"), "--effort", "quick"]) == 1
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("more", "again"),
    [
        ([], ()),
        (["--effort", "thorough"], ("blur", "road")),
        (["--effort", "thorough", "--again"], ()),
        (["--again", "road", "road"], ("road",)),
    ],
)
def test_maps_are_tested_once_more_as_the_effort_or_the_caller_says(
    more: list[str], again: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[AuditRequest] = []

    def instead(request: AuditRequest, *_: Any) -> tuple[dict[str, Any], int]:
        asked.append(request)
        return {"text": "", "data": {}}, 0

    monkeypatch.setattr(commands, "perform", instead)
    assert main(["audit", "--images", "here", "--out", "there", *more]) == 0
    assert [request.trust.again for request in asked] == [again]


# -- wrong input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--images", "nowhere"], "nowhere does not exist"),
        (["--model", "Vit-B-23"], "no model is called 'Vit-B-23'; did you mean"),
        (["--methods", "raw,ras"], "no method is called 'ras'"),
        (["--methods", "raw,raw"], "twice in the plan"),
        (["--methods", "raw,none"], "no method is called 'none'"),
        (["--methods", "none", "--applications", "none"], "there is nothing to do"),
        (["--applications", "segmentatoin"], "no application is called 'segmentatoin'; did you mean segmentation"),
        (["--option", "raw.negate"], "must be NAME.OPTION=VALUE"),
        (["--option", "=true"], "must be NAME.OPTION=VALUE"),
        (["--option", "rise.masks=9"], "rise is not part of this audit; name it with --methods"),
        (["--option", "raw.depth=9"], "raw has no option 'depth'; known: negate"),
        (["--option", "ras.depth=9"], "no method or application is called 'ras'; did you mean"),
        (["--option", "segmentation.labels=[1]"], "segmentation: option 'labels.0'"),
        (["--option", "segmentation.label=[]"], "segmentation has no option 'label'; known: labels, background"),
        (["--applications", "priors", "--option", "concepts.size=9"], "name it with --applications"),
        (["--option", "segmentation.truth=nowhere.json"], "nowhere.json cannot be read"),
        (["--annotations", "EMPTY"], "EMPTY cannot be read as annotations in COCO format"),
        (["--annotations", "other.json"], "other.json annotates no image of this dataset"),
        (["--option", "gradcam.layer=last"], "gradcam: option 'layer'"),
        (["--texts", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["--texts", "EMPTY"], "contains no text"),
        (["--classes", "EMPTY"], "contains no text"),
        (["--table", "nowhere.csv"], "nowhere.csv"),
        (["--template", "a photo"], "must contain exactly one {}"),
        (["--top-classes", "99"], "top_classes: Input should be less than or equal to 20"),
        (["--limit", "0"], "--limit must be 1 or more"),
        (["--limit", "-1"], "--limit must be 1 or more"),
        (["--seed", "-1"], "--seed must be from 0 to 9007199254740991, not -1"),
        (["--device", "abacus"], "device 'abacus' cannot be used"),
        (["--thresholds", "nowhere.toml"], "No such file"),
        (["--thresholds", "EMPTY.toml"], "is unknown"),
        (["--no-captions"], "there is no text to explain"),
        (["--weights", "nowhere.safetensors"], "there are no weights"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line_and_leaves_nothing_behind(
    config: Path, images: Path, tmp_path: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], more: list[str], told: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("EMPTY").write_text("\n# nothing\n")
    Path("EMPTY.toml").write_text("[no]\n")
    Path("other.json").write_text('{"images": [], "categories": [], "annotations": []}')
    arguments = audit(config, images, tmp_path / "out", *more)
    if more[0] == "--model":
        start = arguments.index("--weights")
        del arguments[start : start + 2]
    assert told in refused(capsys, *arguments)
    assert not (tmp_path / "out").exists()


def test_images_that_cannot_be_used_leave_nothing_behind(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    assert "contain no image" in refused(capsys, *audit(config, tmp_path / "none", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_was_there_before_is_kept(
    config: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    refused(capsys, *audit(config, images, out, "--no-captions"))
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    assert "is a file" in refused(capsys, *audit(config, images, out / "notes.txt"))


@pytest.mark.parametrize("command", ["resume", "status", "report", "worker"])
def test_an_unknown_run_is_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no run 'nowhere'" in refused(capsys, command, "nowhere")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("made") / "run", images=2, methods=("raw",))


@pytest.mark.parametrize("part", ["plan.json", "manifest.json", "run.sqlite"])
def test_a_damaged_run_is_one_line(
    part: str, tmp_path: Path, sound: Run, rendered: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    copied = tmp_path / "copied"
    shutil.copytree(sound.folder, copied)
    for extra in copied.glob("run.sqlite-*"):
        extra.unlink()
    (copied / part).write_bytes(b"\xff damaged " * 300)
    assert part in refused(capsys, "report", str(copied))


def test_a_damaged_bundle_fails_and_a_missing_one_is_wrong_input(
    tmp_path: Path, sound: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    from core.evaluation.summary import summarise
    from core.findings import judge
    from core.reporting.evidence import write_evidence

    bundle = tmp_path / "evidence.zip"
    summary = summarise(sound)
    write_evidence(sound, summary, judge(sound, summary), bundle)
    assert main(["verify", str(bundle)]) == 0
    assert "sound" in capsys.readouterr().out
    with zipfile.ZipFile(bundle, "a") as opened:
        opened.writestr("more.txt", "added")
    assert main(["verify", str(bundle)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert "more.txt" in line
    bundle.write_bytes(bundle.read_bytes()[: bundle.stat().st_size // 2])
    assert main(["verify", str(bundle), "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["problems"]) == 1
    assert "does not exist" in refused(capsys, "verify", str(tmp_path / "nowhere.zip"))
    (tmp_path / "empty").mkdir()
    assert "is not a run directory" in refused(capsys, "verify", str(tmp_path / "empty"))


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_reader_that_has_had_enough_ends_it_quietly(more: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "core", "methods", *more], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
