"""Each system alone from the command line: applications with options, an audit without methods, single images, a
stored plan, and what `verify` finds in the folders of applications.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core import explain
from core.applications.registry import APPLICATIONS
from core.applications.segmentation.record import of_run, overlap_table
from core.arguments import given_options
from core.cli import main
from core.datasets import read_annotations
from core.methods import METHODS
from core.models.listing import embedded_models
from core.runs import open_run
from tests.audit.small import CLASSES, draw_images, loaded, save_model, stub_report
from tests.support.made_truth import made_truth

TEXTS = ("a red circle", "a wall")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_images(tmp_path_factory.mktemp("images") / "drawn", 3)


@pytest.fixture(autouse=True)
def own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))


def with_model(config: Path) -> list[str]:
    return ["--model", str(config), "--weights", str(config.parent / "weights.safetensors"), "--device", "cpu"]


def audit(config: Path, drawn: Path, out: Path, *more: str) -> list[str]:
    return ["audit", "--images", str(drawn), *with_model(config), "--no-curves", "--out", str(out), *more]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("loupe: ")
    return line


# -- options -----------------------------------------------------------------------------------------------------


def test_no_name_is_both_a_method_and_an_application() -> None:
    assert not set(METHODS) & set(APPLICATIONS)
    assert "none" not in {*METHODS, *APPLICATIONS}


def test_options_are_json_or_plain_text_and_belong_to_their_name() -> None:
    found = given_options(
        ["raw.negate=true", 'segmentation.labels=["a dog","b=c"]', "segmentation.truth=a.b/c.json", "rise.masks=9"]
    )
    assert found == {
        "raw": {"negate": True},
        "segmentation": {"labels": ["a dog", "b=c"], "truth": "a.b/c.json"},
        "rise": {"masks": 9},
    }


def test_applications_are_listed_with_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["applications", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in data] == list(APPLICATIONS)
    for row in data:
        assert list(row["options"]) == list(APPLICATIONS[row["name"]].card.schema.model_fields)
        assert "not_run" not in row
    model = embedded_models()[0]
    assert main(["applications", "--model", model.name, "--json"]) == 0
    for row in json.loads(capsys.readouterr().out):
        assert row["not_run"] == APPLICATIONS[row["name"]].card.reason(model.capabilities)
    assert main(["applications"]) == 0
    assert "options: labels, background" in capsys.readouterr().out
    assert "not an embedded model; known: " in refused(capsys, "applications", "--model", "ViT-B-32")


# -- one system alone --------------------------------------------------------------------------------------------


def test_one_application_with_options_and_no_method(
    config: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub_report(monkeypatch)
    out = tmp_path / "run"
    truth = made_truth(tmp_path / "truth.json", ["drawn-0.png", "drawn-1.png"], CLASSES)
    alone = [
        "--methods", "none", "--applications", "segmentation", "--annotations", str(truth), "--effort", "quick",
        "--option", f"segmentation.labels={json.dumps(CLASSES)}", "--option", "segmentation.templates=none",
        "--option", "segmentation.kept=2",
    ]  # fmt: skip
    assert main(audit(config, drawn, out, *alone)) == 0, capsys.readouterr().err
    run = open_run(out)
    assert run.plan.methods == ()
    (part,) = run.plan.applications
    assert part.options == {"labels": list(CLASSES), "templates": "none", "kept": 2}
    assert set(run.results().kind) <= {"score"}
    record = of_run(run)
    assert record is not None and record.labels == CLASSES
    # The annotations lie with the run's images and were used without being named as an option.
    assert record.about["truth"] == "annotations.json" and len(record.about["truth_sha256"]) == 64
    assert run.dataset.annotations is not None
    assert read_annotations(run.dataset.annotations).objects == read_annotations(truth).objects
    table = overlap_table(record)
    assert set(table.n) == {2} and table.value.between(0, 1).all()
    assert record.recognition.groupby("image").truth.first().notna().sum() == 2


def test_a_run_without_methods_or_texts_has_a_report(
    config: Path, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    alone = ["--methods", "none", "--applications", "segmentation", "--no-captions"]
    alone += ["--option", 'segmentation.labels=["a dog"]', "--option", "segmentation.templates=none"]
    assert main(audit(config, drawn, out, *alone, "--json")) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["state"] == "done" and Path(data["report"]).stat().st_size > 10_000
    assert main(["verify", str(out)]) == 0
    assert not open_run(out).manifest["application_problems"]


def test_an_application_alone_that_lacks_what_it_needs_is_told_and_exits_1(
    config: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub_report(monkeypatch)
    alone = audit(config, drawn, tmp_path / "run", "--methods", "none", "--applications", "knowledge")
    assert main([*alone, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "done_with_errors" and told["applications_failed"] == {}
    assert "add a list of classes" in told["applications_not_run"]["knowledge"]
    # Beside a method that succeeded, it is told and no more.
    alone[alone.index("none")], alone[alone.index(str(tmp_path / "run"))] = "raw", str(tmp_path / "other")
    assert main(alone) == 0
    assert "knowledge not run: mutual knowledge compares" in capsys.readouterr().out


# -- a stored plan -----------------------------------------------------------------------------------------------


def test_a_stored_plan_is_run_again_and_takes_nothing_beside_it(
    config: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub_report(monkeypatch)
    own = tmp_path / "own.toml"
    own.write_text('version = "7"\n[general]\nleast_images = 1\n')
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    first = tmp_path / "first"
    given = ["--methods", "raw", "--applications", "none", "--classes", str(tmp_path / "classes.txt"), "--limit", "2"]
    assert main(audit(config, drawn, first, *given, "--seed", "5", "--thresholds", str(own), "--title", "T")) == 0
    plan = first / "plan.json"
    again = ["audit", "--plan", str(plan), "--images", str(drawn)]
    capsys.readouterr()
    assert main([*again, "--out", str(tmp_path / "second")]) == 0, capsys.readouterr().err
    one, two = open_run(first), open_run(tmp_path / "second")
    assert two.plan.digest == one.plan.digest and two.plan.declared == one.plan.declared
    assert [unit["sha256"] for unit in two.store.units()] == [unit["sha256"] for unit in one.store.units()]
    assert (two.folder / "thresholds.toml").read_bytes() == (first / "thresholds.toml").read_bytes()
    # Other images: every one of them, with the same texts and methods.
    other = draw_images(tmp_path / "other", 4, side=64)
    assert main(["audit", "--plan", str(plan), "--images", str(other), "--out", str(tmp_path / "third")]) == 0
    third = open_run(tmp_path / "third").plan
    assert len(third.images) == 4 and third.texts == one.plan.texts and third.digest != one.plan.digest
    capsys.readouterr()
    fourth = ["--out", str(tmp_path / "fourth")]
    assert "leave out --seed, --title" in refused(capsys, *again, *fourth, "--title", "U", "--seed", "6")
    assert "is not a file" in refused(capsys, "audit", "--images", str(drawn), "--plan", str(tmp_path), *fourth)
    (first / "thresholds.toml").unlink()
    assert "give it with --thresholds" in refused(capsys, *again, *fourth)
    plan.write_text("{}")
    assert "damaged or from another version" in refused(capsys, *again, *fourth)
    assert not (tmp_path / "fourth").exists()


# -- verify ------------------------------------------------------------------------------------------------------


def test_verify_checks_the_files_of_applications(
    config: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub_report(monkeypatch)
    out = tmp_path / "run"
    alone = ["--methods", "none", "--applications", "segmentation", "--option", "segmentation.templates=none"]
    assert main(audit(config, drawn, out, *alone, "--option", 'segmentation.labels=["dog","wall"]')) == 0
    folder = out / "applications" / "segmentation"

    def problems() -> list[str]:
        capsys.readouterr()
        code = main(["verify", str(out), "--json"])
        found: list[str] = json.loads(capsys.readouterr().out)["problems"]
        assert code == (1 if found else 0)
        return found

    assert problems() == []
    areas = folder / "areas.parquet"
    sound = areas.read_bytes()
    tampered = bytearray(sound)
    tampered[len(sound) // 2] ^= 1
    areas.write_bytes(tampered)
    assert problems() == ["applications/segmentation/areas.parquet was changed after the run was sealed"]
    areas.write_bytes(sound)
    assert problems() == []
    mask = next((folder / "masks").iterdir())
    mask.rename(folder / "masks" / "other.png")
    assert problems() == [
        f"applications/segmentation/masks/{mask.name} is missing",
        "applications/segmentation/masks/other.png was added after the run was sealed",
    ]
    (folder / "masks" / "other.png").rename(mask)
    plan = out / "plan.json"
    plan.write_text(plan.read_text().replace('"seed": 0', '"seed": 1'))
    assert problems() == ["plan.json was changed after the run was sealed"]


# -- single images ---------------------------------------------------------------------------------------------


def explained(config: Path, out: Path, *more: str) -> list[str]:
    return ["explain", *more, *with_model(config), "--out", str(out)]


def test_single_images_are_explained_and_everything_is_recorded(
    config: Path, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "out"
    (tmp_path / "texts.txt").write_text(TEXTS[1])
    given = [str(drawn / "drawn-1.png"), str(drawn / "drawn-0.png"), "--text", TEXTS[0], "--texts",
             str(tmp_path / "texts.txt"), "--method", "m2ib,raw", "--option", "m2ib.steps=2", "--option",
             "m2ib.samples=2", "--seed", "4"]  # fmt: skip
    assert main(explained(config, out, *given, "--json")) == 0
    data = json.loads(capsys.readouterr().out)
    record = json.loads((out / "explanation.json").read_text())
    assert {**record, "folder": str(out)} == data
    model = loaded(config)
    assert record["model"]["digest"] == model.digest and record["texts"] == list(TEXTS) and record["seed"] == 4
    assert record["unread"] == [] and record["model"]["context_length"] == model.text.context
    assert record["methods"]["m2ib"]["unit"] == METHODS["m2ib"].unit
    assert record["methods"]["m2ib"]["options"]["steps"] == 2 and "layer" in record["methods"]["m2ib"]["options"]
    assert [image["name"] for image in record["images"]] == ["drawn-0.png", "drawn-1.png"]
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    named = {entry[kind] for image in record["images"] for entry in image["maps"] for kind in ("map", "overlay")}
    assert written == named | {"explanation.json"} and len(named) == 2 * 2 * 2 * 2
    expected = explain(model, [drawn / "drawn-0.png"], TEXTS, "m2ib", seed=4, steps=2, samples=2)
    assert expected.image is not None and expected.text is not None
    first = record["images"][0]
    assert np.allclose(first["scores"], expected.scores[0], atol=1e-6)
    for index, entry in enumerate(entry for entry in first["maps"] if entry["method"] == "m2ib"):
        values = np.load(out / entry["map"])
        assert values.dtype == np.float32 and values.shape == (entry["rows"], entry["columns"])
        np.testing.assert_allclose(values, expected.image[0, index], atol=1e-5)
        assert (entry["low"], entry["high"]) == (float(values.min()), float(values.max()))
        assert entry["tokens"] == expected.tokens[index]
        np.testing.assert_allclose(entry["token_values"], expected.text[0, index, : len(entry["tokens"])], atol=1e-5)
        with Image.open(out / entry["overlay"]) as overlay:
            assert overlay.size == (48, 48) and overlay.mode == "RGB"
    plain = explain(model, [drawn / "drawn-0.png"], TEXTS, "raw").image
    assert plain is not None
    for index, entry in enumerate(entry for entry in first["maps"] if entry["method"] == "raw"):
        values = np.load(out / entry["map"])
        np.testing.assert_allclose(values, plain[0, index], atol=1e-6)
        # Another text's map, or a turned one, would not pass.
        assert min(np.abs(values - wrong).max() for wrong in (plain[0, 1 - index], plain[0, index].T)) > 1e-3
        assert "tokens" not in entry


def test_texts_that_are_not_read_to_their_end_are_named(
    config: Path, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = ("a red bird on a branch " * 20).strip()
    given = [str(drawn / "drawn-0.png"), "--text", "a red bird", "--text", long, "--method", "raw"]
    assert main(explained(config, tmp_path / "out", *given)) == 0
    assert "the end of 1 text has no effect: “a red bird on a branch" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "explanation.json").read_text())["unread"] == [long]


def test_a_side_without_the_layer_is_told_in_one_line(
    config: Path, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, image = loaded(config), str(drawn / "drawn-0.png")
    last, below = model.image.depth - 1, model.text.depth - 1
    assert below < last
    given = [image, "--text", TEXTS[0], "--method", "nib,raw", "--option", "nib.steps=2", "--option"]
    assert main(explained(config, tmp_path / "out", *given, f"nib.layer={last}")) == 0
    lines = capsys.readouterr().out.splitlines()
    reason = f"layer must be a block of the text side, 0 to {below}, not {last}"
    assert lines[1:] == [f"nib: the text side was not run: {reason}"]
    (nib, _) = json.loads((tmp_path / "out" / "explanation.json").read_text())["images"][0]["maps"]
    assert "map" in nib and "tokens" not in nib
    assert main(explained(config, tmp_path / "both", *given, "nib.layer=0")) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["nowhere.png", "--text", "a", "--method", "raw"], "nowhere.png does not exist"),
        (["broken.png", "--text", "a", "--method", "raw"], "broken.png"),
        (["drawn-0.png", "--method", "raw"], "there is no text to explain"),
        (["drawn-0.png", "--text", " ", "--method", "raw"], "there is no text to explain"),
        (["drawn-0.png", "--text", "a", "--method", "raws"], "no method is called 'raws'; did you mean raw"),
        (["drawn-0.png", "--text", "a", "--method", "segmentation"], "no method is called 'segmentation'"),
        (["drawn-0.png", "--text", "a", "--method", "raw", "--option", "raw.depth=1"], "raw has no option 'depth'"),
        (["drawn-0.png", "--text", "a", "--method", "raw", "--option", "rise.masks=9"], "is not requested"),
        (["drawn-0.png", "--text", "a", "--method", "raw", "--option", "raw.negate=2"], "raw: option 'negate'"),
        (["drawn-0.png", "--text", "a", "--method", "raw", "--template", "x"], "must contain exactly one {}"),
        (["drawn-0.png", "--text", "a", "--method", "raw", "--seed", "-1"], "--seed must be from 0"),
        (["drawn-0.png", "--text", "a", "--method", "gradcam", "--option", "gradcam.layer=99"], "layer"),
    ],
)
def test_wrong_input_of_explain_is_one_line_and_leaves_nothing(
    config: Path, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    given: list[str], told: str,
) -> None:  # fmt: skip
    here = tmp_path / "here"
    here.mkdir()
    (here / "broken.png").write_bytes(b"\x89PNG broken")
    (here / "drawn-0.png").write_bytes((drawn / "drawn-0.png").read_bytes())
    monkeypatch.chdir(here)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert told in refused(capsys, *explained(config, tmp_path / "out", *given))
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_method_that_fails_half_way_leaves_nothing(
    config: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from core.attribution import explain as door
    from core.errors import CapabilityError

    real, calls = door.attribute, []

    def second_fails(*given: Any, **options: Any) -> Any:
        calls.append(given[1])
        if len(calls) == 2:
            raise CapabilityError("raw can't go on")
        return real(*given, **options)

    monkeypatch.setattr(door, "attribute", second_fails)
    out = tmp_path / "out"
    assert "raw can't go on" in refused(capsys, *explained(config, out, str(drawn), "--text", "a", "--method", "raw"))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(door, "attribute", real)
    assert main(explained(config, out, str(drawn), "--text", "a", "--method", "raw")) == 0
    told = json.loads((out / "explanation.json").read_text())
    # A table in the folder is no image to be explained, and no reason to stop.
    assert len(told["images"]) == 3 and told["refused"] == []
    capsys.readouterr()
    assert "already contains files" in refused(
        capsys, *explained(config, out, str(drawn), "--text", "a", "--method", "raw")
    )
    file = tmp_path / "file"
    file.write_text("")
    assert "is a file" in refused(capsys, *explained(config, file, str(drawn), "--text", "a", "--method", "raw"))
