"""The site of the documentation: built with every link checked, nothing asked of the network, served by a command."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from core.cli import main
from core.errors import InputError
from core.serving import docs
from core.settings import ROOT

CONFIG = ROOT / "mkdocs.yml"
# What a browser would fetch by itself: scripts, styles, fonts, images; a link to click is none of them.
FETCHED = re.compile(
    r"<(?:script|img|iframe)[^>]+src=\"(?:https?:)?//|<link[^>]+href=\"(?:https?:)?//(?![^>]*canonical)"
)


def built(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    # With --quiet the warnings that `strict` counts are not even made.
    pytest.importorskip("mkdocs", reason="mkdocs-material of requirements-dev.txt is not installed")
    ask = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(config), "--site-dir", str(site)]
    return subprocess.run(ask, cwd=config.parent, capture_output=True, text=True)


def test_the_site_is_built_and_asks_nothing_of_the_network(tmp_path: Path) -> None:
    done = built(CONFIG, tmp_path / "site")
    assert done.returncode == 0, done.stderr[-2000:]
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 70
    assert [page.name for page in pages if FETCHED.search(page.read_text(encoding="utf-8"))] == []
    told = (tmp_path / "site" / "api.html").read_text(encoding="utf-8")
    assert "Attribute the cosine of every image with every text" in told


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    config = {"site_name": "x", "strict": True, "validation": {"links": {"not_found": "warn", "anchors": "warn"}}}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config))
    (tmp_path / "docs" / "index.md").write_text("[there](there.md)")
    (tmp_path / "docs" / "there.md").write_text("[back](index.md)")
    assert built(tmp_path / "mkdocs.yml", tmp_path / "site").returncode == 0
    (tmp_path / "docs" / "there.md").unlink()
    assert built(tmp_path / "mkdocs.yml", tmp_path / "site").returncode != 0


def test_what_is_fetched_is_seen() -> None:
    assert FETCHED.search('<script src="https://cdn.example/x.js">') and FETCHED.search('<link href="//fonts.example">')
    assert not FETCHED.search('<a href="https://example.org">') and not FETCHED.search('<script src="assets/x.js">')


def test_every_page_of_the_navigation_exists() -> None:
    named = re.findall(r"[\w/-]+\.md", CONFIG.read_text(encoding="utf-8"))
    assert len(named) > 10 and [name for name in named if not (ROOT / "docs" / name).is_file()] == []


def test_a_site_that_was_not_built_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="make docs"):
        docs(argparse.Namespace(site=tmp_path, port=0))
    assert main(["docs", "--site", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
