"""Roles by the operator's file: who may add what to a review log and a spot check; a wrong file opens nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import cli
from core.errors import InputError
from core.runs import Run
from core.runs.access import Actor, account, actor_here, barrier, role_of, roles
from core.runs.review import REVIEW, add_entry, load_review, obstacle, standing
from core.runs.spot_check import add_marks, start_spot_check
from core.settings import roles_file
from tests.support.made_run import made_run

ANNA, BEN, CARO = (Actor(f"{name}@example.org", verified=True) for name in ("anna", "ben", "caro"))
FILE = """
version = "1"
[people]
"anna@example.org" = "approver"
"Ben@example.org" = "reviewer"
[groups]
chiefs = "approver"
auditors = "reviewer"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a file of roles."""
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LOUPE_ROLES", raising=False)
    path = tmp_path / "home" / "roles.toml"
    path.parent.mkdir()
    path.write_text(FILE)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = made_run(tmp_path / "run", images=2, methods=("raw", "rise"))
    (run.folder / "findings.json").write_bytes(b"[]\n")
    return run


def test_without_a_file_everybody_may_do_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LOUPE_ROLES", raising=False)
    assert roles_file() is None and roles() is None and role_of(Actor("Anybody")) == "approver"
    add_entry(run, "Somebody", "reviewed")
    assert not add_entry(run, "Somebody", "approved").verified
    assert actor_here(" A  Name ") == Actor("A Name")


def test_the_role_comes_from_the_person_then_from_groups_then_from_the_default(file: Path) -> None:
    assert [role_of(who) for who in (ANNA, BEN, CARO)] == ["approver", "reviewer", "viewer"]
    assert role_of(Actor("CARO@example.org", True, ("auditors", "chiefs"))) == "approver"
    # A person's own entry goes before the groups, and a typed name is nobody's.
    assert role_of(Actor("ben@EXAMPLE.org", True, ("chiefs",))) == "reviewer"
    assert role_of(Actor("anna@example.org")) == "viewer"
    file.write_text('unverified = "reviewer"\ndefault = "none"\n' + FILE)
    assert role_of(CARO) == "none" and barrier(Actor("Dora"), "reviewer", "mark") == ""
    # Nobody types the name of somebody whose identity is verified.
    assert "log in to act under this name" in barrier(Actor("Anna@example.org"), "reviewer", "mark")


def test_a_viewer_changes_nothing_and_a_reviewer_does_not_approve(file: Path, run: Run) -> None:
    for who in (CARO, Actor("Typed")):
        for kind in ("comment", "prepared", "reviewed"):
            with pytest.raises(
                InputError, match=r"viewer.* may not add to the review log; that takes the role reviewer"
            ):
                add_entry(run, who, kind, why="why")
        with pytest.raises(InputError, match="may not mark images"):
            add_marks(run, who, {})
        with pytest.raises(InputError, match="may not draw a spot check"):
            start_spot_check(run, None, who)  # type: ignore[arg-type]
    assert not (run.folder / REVIEW).exists()
    add_entry(run, BEN, "reviewed")
    with pytest.raises(InputError, match=r"^ben@example.org \(reviewer\) may not approve a report"):
        add_entry(run, BEN, "approved")
    assert add_entry(run, ANNA, "approved").verified
    assert [entry.kind for entry in load_review(run).entries] == ["reviewed", "approved"]


def test_whoever_started_the_audit_approves_no_version_of_its_report(file: Path, run: Run) -> None:
    add_entry(run, ANNA, "started")
    add_entry(run, BEN, "reviewed")
    line = "anna@example.org prepared this report and cannot approve it; somebody else must"
    assert obstacle(run, load_review(run), ANNA, "approved") == line
    # The name counts, however it is written and whoever vouches for it.
    for who in (ANNA, Actor("ANNA@Example.org", True, ("chiefs",))):
        with pytest.raises(InputError, match="prepared this report and cannot approve it"):
            add_entry(run, who, "approved")
    chief = Actor("dora@example.org", True, ("chiefs",))
    assert obstacle(run, load_review(run), chief, "approved") == ""
    add_entry(run, chief, "approved")
    add_entry(run, chief, "superseded", why="a new model")
    add_entry(run, BEN, "prepared")
    # The next version was prepared by somebody else, on the audit that she started.
    assert set(standing(load_review(run)).preparers) == {"A. Preparer", "anna@example.org", "ben@example.org"}
    with pytest.raises(InputError, match="is entered before"):
        add_entry(run, CARO, "started")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version = 1", "version"),
        ('version = "1"\nrole = "x"', "role: Extra inputs"),
        ('version = "1"\ndefault = "owner"', "default: "),
        ('version = "1"\n[people]\nA = "viewer"\na = "approver"', "listed twice"),
        ('version = "1"\n[header]\nname = "X-User"\nsecret = "short"', "header.secret"),
        ('version = "1"\n[header]\nname = "X User"\nsecret = "' + "s" * 40 + '"', "header.name"),
        ("version = ", "is not valid TOML"),
        ("", "version: Field required"),
    ],
)
def test_a_wrong_file_is_told_in_one_line_and_lets_nobody_through(file: Path, run: Run, text: str, told: str) -> None:
    file.write_text(text)
    with pytest.raises(InputError, match=r"^the file of roles ") as refused:
        add_entry(run, ANNA, "comment", why="why")
    assert told in str(refused.value) and "\n" not in str(refused.value) and not (run.folder / REVIEW).exists()


def test_a_named_file_that_is_missing_lets_nobody_through(
    file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOUPE_ROLES", str(file.with_name("gone.toml")))
    with pytest.raises(InputError, match=r"^the file of roles cannot be read \(No such file"):
        add_entry(run, ANNA, "comment", why="why")


def test_the_command_line_obeys_the_same_rule(file: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    comment = ["comment", "--why", "Read"]
    assert cli.main(["review", str(run.folder), "--by", "Anybody", *comment]) == 2
    assert capsys.readouterr().err == (
        "loupe: Anybody (viewer, not verified) may not add to the review log; that takes the role reviewer\n"
    )
    file.write_text(f'{FILE}[accounts]\n"{account()}" = "ben@example.org"\n')
    assert cli.main(["review", str(run.folder), "--by", "anna@example.org", *comment]) == 2
    assert "belongs to ben@example.org, who cannot act as anna@example.org" in capsys.readouterr().err
    assert cli.main(["review", str(run.folder), *comment]) == 0
    (entry,) = load_review(run).entries
    assert (entry.by, entry.verified) == ("ben@example.org", True)
    assert cli.main(["review", str(run.folder), "review"]) == 0
    assert cli.main(["review", str(run.folder), "approve"]) == 2
    assert "may not approve a report" in capsys.readouterr().err
