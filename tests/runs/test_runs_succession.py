"""What a run that is planned from another takes over of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from core.content.house_style import HOUSE_STYLE, HouseStyle, house_style, in_language, keep_house_style
from core.models.signed import signature
from core.runs import ModelSpec, Run
from core.runs.succession import SIGNERS, STYLE, duplicate, follow, predecessor_of
from tests.support.made_run import made_run, workspace_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of the workspace whose dataset lies where the app keeps them, with all that lies beside a plan."""
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    found = workspace_run("20260115-093000-abcdef", images=2, methods=("raw",))
    keep_house_style(found, in_language("de", HouseStyle(name="Example AG")))
    (found.folder / SIGNERS).write_text("a key\n")
    (found.folder / "reference").mkdir()
    found.update_manifest(fail_on="medium", compare_with=["beside/demo-vit"])
    return found


def test_the_names_of_files_are_those_of_their_rooms() -> None:
    assert STYLE == HOUSE_STYLE and SIGNERS == signature.SIGNERS


def test_a_copy_has_the_same_plan_and_what_lies_beside_it_and_is_not_started(run: Run) -> None:
    copy = duplicate(run)
    assert copy.dataset.id == run.plan.dataset and copy.progress().state == "planned"
    ignored = {"dataset_root"}
    assert copy.plan.model_dump(exclude=ignored) == run.plan.model_dump(exclude=ignored)
    assert predecessor_of(copy) == run.id
    assert house_style(copy) == house_style(run) and house_style(copy).language == "de"
    data = (copy.folder / STYLE).read_bytes()
    assert copy.manifest["house_style"] == hashlib.sha256(data).hexdigest() == run.manifest["house_style"]
    assert (copy.folder / SIGNERS).read_text() == "a key\n" and (copy.folder / "reference").is_dir()
    assert copy.manifest["fail_on"] == "medium"
    (other,) = copy.manifest["compare_with"]
    assert (copy.folder / other).resolve() == (run.folder / "beside" / "demo-vit").resolve()


def test_a_copy_of_a_run_without_them_has_none(run: Run) -> None:
    keep_house_style(run, HouseStyle())
    (run.folder / SIGNERS).unlink()
    run.update_manifest(fail_on=None, compare_with=[])
    copy = duplicate(Run(run.folder))
    assert not (copy.folder / STYLE).exists() and not (copy.folder / SIGNERS).exists()
    assert not {"house_style", "fail_on", "compare_with"} & set(copy.manifest)


def test_an_edited_plan_keeps_its_own_style_and_drops_the_signers_of_another_model(run: Run, tmp_path: Path) -> None:
    new = made_run(tmp_path / "new", images=2, methods=("raw",))
    keep_house_style(new, in_language("de", HouseStyle(name="Another AG")))
    plan = new.plan.model_copy(update={"model": ModelSpec(name="demo-vit")})
    (new.folder / "plan.json").unlink()
    plan.save(new.folder / "plan.json")
    new = Run(new.folder)
    follow(new, run)
    assert house_style(new).name == "Another AG" and not (new.folder / SIGNERS).exists()
    assert predecessor_of(new) == run.id


def test_a_link_in_place_of_a_file_is_not_followed(run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("private\n")
    for name in (STYLE, SIGNERS):
        (run.folder / name).unlink()
        (run.folder / name).symlink_to(secret)
    copy = duplicate(Run(run.folder))
    assert not (copy.folder / STYLE).exists() and not (copy.folder / SIGNERS).exists()
