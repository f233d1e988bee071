"""Pages that are generated are current, and every page of the documentation is linked from its index."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks import architecture, data_dictionary, rule_catalogue
from benchmarks.support.rooms import ROOMS, Room, rooms
from core.findings.judgement import every_rule
from core.rules import load_thresholds
from core.rules.grading import graded
from core.runs.results import SCHEMA
from core.settings import ROOT, VERSION

DOCS = ROOT / "docs"
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


def links(page: Path) -> set[Path]:
    """The files that a page links to."""
    return {(page.parent / target).resolve() for target in LINK.findall(page.read_text(encoding="utf-8"))}


# -- the image and the table of the architecture ---------------------------------------------------------------


def test_the_image_shows_the_rooms_that_there_are() -> None:
    # Rooms, not pixels: an arrow may come or go with an import, until somebody draws the image again.
    svg = architecture.IMAGE.read_text(encoding="utf-8")
    shown = {room: use != "none" for room, use in architecture.rooms_of(svg).items()}
    assert shown == {room.name: bool(room.heavy) for room in rooms()}, (
        "run: PYTHONPATH=. python benchmarks/architecture.py"
    )
    page = architecture.PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(ROOMS)


def test_every_arrow_of_the_image_points_downwards() -> None:
    arrows = architecture.arrows_of(architecture.IMAGE.read_text(encoding="utf-8"))
    assert arrows and all(architecture.is_below(lower, upper) for upper, lower in arrows)


def room(name: str, *below: str, heavy: int = 0) -> Room:
    return Room(name, 2, 100, heavy, frozenset(below))


def test_arrows_that_follow_from_others_are_left_out() -> None:
    found = [room("pages", "runs", "settings", heavy=1), room("runs", "settings", "pages"), room("settings", heavy=2)]
    drawn = architecture.graph(found)
    assert [[entry.name for entry in row] for row in drawn.rows] == [["pages"], ["runs"], ["settings"]]
    assert drawn.arrows == [("pages", "runs"), ("runs", "settings")]
    svg = architecture.as_svg(drawn)
    assert architecture.rooms_of(svg) == {"pages": "some", "runs": "none", "settings": "all"}
    assert architecture.arrows_of(svg) == drawn.arrows


def test_the_table_goes_between_its_marks() -> None:
    first, last = architecture.MARKS
    page = architecture.with_table(f"a\n{first}\nold\n{last}\nb", architecture.as_table([room("runs", "settings")]))
    assert "old" not in page and page.startswith("a\n") and page.endswith("\nb")
    assert "| `runs` | plan, store, results, seal | no | `settings` |" in page
    with pytest.raises(ValueError, match="lacks the marks"):
        architecture.with_table("no marks", "")


# -- the data dictionary -----------------------------------------------------------------------------------------


def test_the_data_dictionary_is_current() -> None:
    page = data_dictionary.PAGE.read_text(encoding="utf-8")
    current = data_dictionary.as_markdown(list(data_dictionary.tables()))
    assert page == current, "run: PYTHONPATH=. python benchmarks/data_dictionary.py"
    assert all(f"| `{name}` |" in page for name in SCHEMA.names)


def test_every_documented_column_has_its_meaning() -> None:
    silent = [
        f"{stored.path}: {field.name}"
        for stored in data_dictionary.tables()
        for field in stored.schema
        if not (field.metadata or {}).get(b"about")
    ]
    assert not silent


def test_a_schema_becomes_a_section() -> None:
    schema = pa.schema([pa.field("x", pa.list_(pa.int16()), True, {"about": "a | b"})])
    text = data_dictionary.as_markdown([data_dictionary.Stored("a.parquet", "image and text", schema)])
    assert text.endswith("| `x` | list of int16 | yes | a \\| b |\n") and "\n## `a.parquet`\n" in text


# -- the pages ---------------------------------------------------------------------------------------------------


def test_the_index_links_every_page() -> None:
    pages = set(DOCS.glob("*.md")) | {DOCS / "methods" / "README.md"}
    assert pages - {DOCS / "README.md"} <= links(DOCS / "README.md")


def test_links_lead_somewhere() -> None:
    pages = [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]
    broken = {str(page.relative_to(ROOT)): target for page in pages for target in links(page) if not target.exists()}
    assert not broken


def test_the_readme_begins_with_the_two_commands() -> None:
    lines = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line][1:3]
    assert [line.split("#")[0].strip() for line in lines] == ["make demo", "make test"]


def test_the_lock_file_meets_the_requirements() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    locked = dict(line.split("==") for line in lines if not line.startswith("#"))
    versions = {canonicalize_name(name): version for name, version in locked.items()}
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(("#", "-r")):
                wanted = Requirement(line)
                assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)]), line
    assert not [version for version in versions.values() if "+" in version]


def test_the_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["cff-version"], citation["version"], citation["license"]) == ("1.2.0", VERSION, "Apache-2.0")
    assert citation["title"] and citation["authors"] and citation["message"]


# -- the catalogue of rules --------------------------------------------------------------------------------------


def test_the_catalogue_of_rules_is_current() -> None:
    page = rule_catalogue.PAGE.read_text(encoding="utf-8")
    current = rule_catalogue.as_markdown(load_thresholds())
    assert page == current, "run: PYTHONPATH=. python benchmarks/rule_catalogue.py"
    assert all(f"### `{rule.id}`\n" in page for rule in every_rule())


def test_the_catalogue_prints_the_values_that_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('version = "house"\n[data.quality]\nmost_share = 0.21\n')
    page = rule_catalogue.as_markdown(load_thresholds(tmp_path / "own.toml"))
    assert "version house" in page and "concerns at most 21% of the images" in page


def test_the_matrix_of_severities_is_what_grading_gives() -> None:
    page = (DOCS / "severity.md").read_text(encoding="utf-8")
    likelihoods = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
    rows = re.findall(r"^\| \*\*(0\.\d)\*\* \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) == 7
    for impact, words in rows:
        grades = [graded(float(impact), likelihood, load_thresholds())[1] for likelihood in likelihoods]
        assert words.split(" | ") == grades, impact
