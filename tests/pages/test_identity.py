"""Who acts in a session: only headers that bear the proxy's secret, only claims that a provider confirmed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers
from streamlit.testing.v1 import AppTest

from core.runs import Run
from core.runs.access import Actor, Header
from core.runs.review import REVIEW, add_entry, load_review
from core.settings import runs_folder
from pages.parts import identity
from tests.support.made_run import made_run
from tests.support.page_alone import links_as_words, opened_alone  # noqa: F401  # a fixture of every test here

SECRET = "s" * 32
HEADER = Header(name="X-User", groups="X-Groups", secret=SECRET)
FILE = f"""
version = "1"
[people]
anna = "approver"
ben = "reviewer"
[header]
name = "X-User"
secret = "{SECRET}"
"""


def passed(*headers: tuple[str, str]) -> dict[str, list[str]]:
    """Which of these headers are left of a request."""
    scope: Any = {"type": "http", "headers": [(name.lower().encode(), value.encode()) for name, value in headers]}
    left = Headers(scope=identity.believed(scope, HEADER))
    return {name: left.getlist(name) for name in left}


def test_a_header_passes_only_with_the_secret_once_and_the_secret_never() -> None:
    proof = ("X-Loupe-Proxy", SECRET)
    assert passed(("X-User", "anna"), ("X-Groups", "a,b"), proof) == {"x-user": ["anna"], "x-groups": ["a,b"]}
    for wrong in ((), (("X-Loupe-Proxy", SECRET[:-1]),), (("X-Loupe-Proxy", ""),), (proof, proof)):
        assert passed(("X-User", "anna"), ("X-Groups", "a"), ("Accept", "x"), *wrong) == {"accept": ["x"]}
    # A name that came twice is nobody's: one of them may be the browser's own.
    assert passed(("X-User", "anna"), ("X-User", "ben"), proof) == {}
    scope: Any = {"type": "http", "headers": [(b"x-user", b"anna")]}
    assert identity.believed(scope, None) is scope


@pytest.fixture
def run(workspace: Path) -> Run:
    run = made_run(runs_folder() / "20260115-093000-abcdef", images=4, methods=("raw", "rise"))
    (run.report).mkdir()
    (run.report / "report.pdf").write_bytes(b"%PDF-")
    (run.folder / "findings.json").write_bytes(b"[]\n")
    return run


def as_person(monkeypatch: pytest.MonkeyPatch, **person: object) -> None:
    """A session of which Streamlit says this."""
    monkeypatch.setattr(identity, "_person", lambda: person)


@pytest.mark.parametrize(
    ("person", "name"),
    [
        ({"is_logged_in": True, "email": "a@b.c", "email_verified": True}, "a@b.c"),
        ({"is_logged_in": True, "email": "a@b.c", "email_verified": False}, ""),
        ({"is_logged_in": True, "email": "a@b.c"}, ""),
        ({"is_logged_in": False, "email": "a@b.c", "email_verified": True}, ""),
        ({"email": "a@b.c", "email_verified": True}, ""),
        ({"is_logged_in": True, "email": ["a@b.c"], "email_verified": True}, ""),
        # No header was named, so that a value under its name says nothing.
        ({"loupe_name": "anna"}, ""),
    ],
)
def test_a_claim_counts_only_when_the_provider_confirmed_it(
    monkeypatch: pytest.MonkeyPatch, person: dict[str, object], name: str
) -> None:
    as_person(monkeypatch, **person)
    assert identity.actor() == (Actor(name, verified=True) if name else Actor())


def test_a_header_goes_before_claims(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    (workspace / "roles.toml").write_text(FILE)
    as_person(monkeypatch, is_logged_in=True, email="a@b.c", email_verified=True)
    assert identity.actor() == Actor()
    as_person(monkeypatch, loupe_name=" ben ", loupe_groups="x, y,")
    assert identity.actor() == Actor("ben", verified=True, groups=("x", "y"))


def button(app: AppTest, label: str) -> Any:
    return next(one for one in app.button if one.label == label)


def test_buttons_say_why_they_cannot_be_used(monkeypatch: pytest.MonkeyPatch, workspace: Path, run: Run) -> None:
    (workspace / "roles.toml").write_text(FILE)
    add_entry(run, Actor("anna", verified=True), "started")
    as_person(monkeypatch, loupe_name="caro")
    app = opened_alone("report", run)
    for label in ("Regenerate the report", "Review", "Approve"):
        assert button(app, label).disabled, label
    assert "caro" in button(app, "Review").help and "viewer" in button(app, "Review").help
    # A browser may send the press of a disabled button all the same.
    pressed = button(app, "Review")
    pressed.proto.disabled = False
    pressed.click().run()
    assert [entry.kind for entry in load_review(run).entries] == ["started"]
    as_person(monkeypatch, loupe_name="ben")
    app = opened_alone("report", run)
    button(app, "Review").click().run()
    assert not app.exception and button(app, "Approve").disabled
    # The approver started this audit.
    as_person(monkeypatch, loupe_name="anna")
    app = opened_alone("report", run)
    assert button(app, "Approve").disabled and "prepared this report" in button(app, "Approve").help.replace("\\", "")
    assert [(entry.by, entry.verified) for entry in load_review(run).entries] == [("anna", True), ("ben", True)]


def test_a_person_alone_signs_off_under_a_typed_name(run: Run) -> None:
    app = opened_alone("report", run)
    field = next(one for one in app.text_input if one.label == "Your name")
    field.input("A. Preparer").run()
    assert button(app, "Review").disabled
    next(one for one in app.text_input if one.label == "Your name").input("B. Other").run()
    button(app, "Review").click().run()
    button(app, "Approve").click().run()
    assert not app.exception and not [one for one in app.text_input if one.label == "Your name"]
    assert [(entry.by, entry.kind, entry.verified) for entry in load_review(run).entries] == [
        ("B. Other", "reviewed", False),
        ("B. Other", "approved", False),
    ]


def test_a_wrong_file_disables_every_button(workspace: Path, run: Run) -> None:
    (workspace / "roles.toml").write_text("version =")
    app = opened_alone("report", run)
    assert button(app, "Regenerate the report").disabled and not (run.folder / REVIEW).exists()
    assert any("file of roles" in one.value for one in app.error)
