"""Declared concepts: files that are read, files that are refused in one line, and their way into a plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.applications.declared import MOST, check_texts, declarations, declared_in, read_declared
from core.applications.registry import APPLICATIONS
from core.cli import main
from core.errors import InputError

TABLE = b"class,concept,expectation\n*,watermark,forbidden\nboat,water,Expected\n"
TOML = b'[[concepts]]\nclass = "*"\nconcept = "watermark"\nexpectation = "forbidden"\n'
LINES = ("* | watermark | forbidden", "boat | water | expected")


def test_tables_and_toml_give_lines(tmp_path: Path) -> None:
    assert declared_in(TABLE, "a.csv") == LINES
    assert declared_in(TABLE.replace(b",", b";"), "a.csv") == LINES
    assert declared_in(TOML, "a.toml") == LINES[:1]
    path = tmp_path / "a.csv"
    path.write_bytes(TABLE)
    assert read_declared(path) == LINES
    assert [each.forbidden for each in declarations(LINES)] == [True, False]
    assert declarations((*LINES, LINES[0])) == declarations(LINES)


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.csv", "first row with exactly the columns class, concept, expectation"),
        (b"a,b\n1,2\n", "a.csv", "first row with exactly the columns"),
        (b"class,concept,expectation\n", "a.csv", "declares no concept"),
        (b"class,concept,expectation\n*,logo,maybe\n", "a.csv", "write expected or forbidden"),
        (b"class,concept,expectation\n*,,forbidden\n", "a.csv", "entry 1 has no concept"),
        (b"class,concept,expectation\n*,a|b,forbidden\n", "a.csv", "without |"),
        (b"class,concept,expectation\n*,logo\n", "a.csv", "2 cells in row 1"),
        (b'class,concept,expectation\n"*,logo', "a.csv", "check its quotation marks"),
        (b"class,concept,expectation\n*,logo,expected\n*,LOGO,forbidden\n", "a.csv", "both expected and forbidden"),
        (b"class,concept,expectation\n*," + b"x" * 201 + b",expected\n", "a.csv", "201 characters"),
        (b"\x00\x01\x02", "a.csv", "not a text file"),
        (b"x" * 300_000, "a.csv", "larger than 256 kB"),
        (b"a = 1", "a.toml", "must hold tables [[concepts]]"),
        (b"[[concepts]]\nclass = 1\n", "a.toml", "entry 1 has no class"),
        (TOML + b"x = 1\n", "a.toml", "entry 1 has 'x'"),
        (b"[[[", "a.toml", "not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(data: bytes, name: str, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        declared_in(data, name)
    told = str(refused.value)
    assert reason in told and "\n" not in told and len(told) < 400 and told.startswith(f"the file of concepts {name}")


def test_a_class_that_the_audit_lacks_and_too_many_tests_are_refused() -> None:
    check_texts(LINES, ["Boat"])
    with pytest.raises(InputError, match="'boat' is neither a class nor a prompt"):
        check_texts(LINES, ["ship"])
    with pytest.raises(InputError, match=f"more than {MOST} concepts"):
        declarations(f"* | concept {at} | expected" for at in range(MOST + 1))
    with pytest.raises(InputError, match="is not a declared concept; write"):
        declarations(["* | logo"])


def test_the_option_of_an_application_holds_checked_lines() -> None:
    (card,) = [each.card for each in APPLICATIONS.values() if each.card.declared]
    (option,) = card.declared
    assert getattr(card.parse({option: ["boat|water|EXPECTED"]}), option) == ("boat | water | expected",)
    with pytest.raises(InputError, match="write expected or forbidden"):
        card.parse({option: ["boat | water | perhaps"]})


def test_the_command_line_refuses_concepts_that_nothing_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_bytes(TABLE)
    (tmp_path / "classes.txt").write_text("ship\n")
    audit = ["audit", "--images", str(tmp_path), "--classes", str(tmp_path / "classes.txt")]
    audit += ["--concepts", str(tmp_path / "a.csv"), "--out", str(tmp_path / "out")]
    assert main(audit) == 2 and "neither a class nor a prompt" in capsys.readouterr().err
    (tmp_path / "classes.txt").write_text("boat\n")
    assert main([*audit, "--applications", "none"]) == 2
    assert "no application of this audit tests declared concepts" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
