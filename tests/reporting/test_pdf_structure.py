"""The finished PDF against independent validators, and the rules that neither of them covers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image

from core.content.assets import Assets
from core.reporting import pdf_worker
from core.reporting.pdf_structure import mended
from core.settings import ROOT

PAGE = """<html lang="en"><head><title>t</title><style>
@page { @bottom-left { content: "a running line" } }
li a { display: block } li a::after { content: "7" }
.scale { display: block; height: 2mm; background-image: url("%(image)s"); background-size: 100%% 100%% }
#end { break-before: page }
</style></head><body><h1 id="top">t</h1>
<ul><li><a href="#end"><span>1</span>the end</a></li></ul>
<table><thead><tr><th scope="col">Name</th><th scope="col">Mean</th><th scope="col">n</th></tr></thead>
<tbody><tr><th scope="row">a</th><td>1</td><td>2</td></tr>
<tr><th scope="row">b</th><td>3</td><td>4</td></tr></tbody></table>
<p><img src="%(image)s" alt="A grey square"><span class="scale"></span></p><p id="end">The end.</p></body></html>"""
# What outloud finds fault with and why it stays: an image's name is all that is known of it without labels; the head of
# a table is repeated on each of its pages; the order of painting follows floats, the order of reading the tree; a table
# of one row has more heads than values, which is taken for heads in pieces; the grid of a chart is taken for a table;
# addresses are printed as text, because a report opens nothing.
EXPECTED = {"FIG-010", "FIG-012", "PAG-001", "ORD-001", "TBL-010", "TBL-014", "LNK-010"}


def rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch | None = None) -> bytes:
    """A small page with all that is mended; as the renderer leaves it where a `monkeypatch` is given."""
    stream = BytesIO()
    Image.new("RGB", (9, 9), "grey").save(stream, "PNG")
    assets = Assets()
    name = assets.add(stream.getvalue(), "image/png", "png")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "0").write_bytes(stream.getvalue())
    (tmp_path / "0.html").write_text(PAGE % {"image": assets.address(name, standalone=False)})
    (tmp_path / "attached").write_bytes(b"{}")
    job = {"assets": [[name, "image/png"]], "created": "2026-01-15T09:41:30Z", "attached": "a.json"}
    if monkeypatch:
        monkeypatch.setattr(pdf_worker, "mended", lambda data: data)
    data, refused = pdf_worker.render(tmp_path, job, "0.html", "00")
    assert not refused
    return data


def children(element: Any) -> list[Any]:
    found = element.get("/K")
    return [] if found is None else list(found) if isinstance(found, pikepdf.Array) else [found]


def elements(root: Any) -> Iterator[Any]:
    for child in children(root):
        if isinstance(child, pikepdf.Dictionary) and "/S" in child:
            yield child
            yield from elements(child)


def faults(data: bytes) -> set[str]:
    """The rules below that a document breaks: those that neither validator checks, and those they did find broken."""
    broken = set()
    with pikepdf.open(BytesIO(data)) as pdf:
        root = pdf.Root.StructTreeRoot
        for cell in (element for element in elements(root) if element.S == "/TH"):
            if str(cell.A.get("/Scope")) not in ("/Row", "/Column"):
                broken.add("scope")
        for link in (element for element in elements(root) if element.S == "/Link"):
            if any(inner.S == "/Link" for inner in elements(link)):
                broken.add("nested link")
        inside = {
            child.Obj.objgen
            for element in elements(root)
            if element.S == "/Link"
            for child in children(element)
            if isinstance(child, pikepdf.Dictionary) and child.get("/Type") == "/OBJR"
        }
        numbers = root.ParentTree.Nums
        parents = {int(numbers[at]): numbers[at + 1] for at in range(0, len(numbers), 2)}
        for page in pdf.pages:
            for annotation in page.get("/Annots", []):
                if annotation.objgen not in inside or parents[int(annotation.StructParent)].S != "/Link":
                    broken.add("annotation outside a link")
            marks = [
                operands[1]
                for operands, operator in pikepdf.parse_content_stream(page)
                if str(operator) == "BDC" and isinstance(operands[1], pikepdf.Dictionary)
            ]
            shown = {
                str(operands[0]) for operands, operator in pikepdf.parse_content_stream(page) if str(operator) == "Do"
            }
            if not set(page.Resources.get("/XObject", {}).keys()) <= shown:
                broken.add("image of another page")
            in_tree = held(root, page.objgen)
            if any(int(mark.MCID) not in in_tree for mark in marks if "/MCID" in mark):
                broken.add("running line")
        for item in pdf.objects:
            if isinstance(item, pikepdf.Stream) and item.get("/Subtype") == "/Image" and item.get("/Interpolate"):
                broken.add("interpolation")
        names = [spec.objgen for spec in pdf.Root.AF]
        if len(names) != len(set(names)):
            broken.add("attachment twice")
    return broken


def held(root: Any, page: Any) -> set[int]:
    found: set[int] = set()

    def walk(element: Any, at: Any) -> None:
        at = element.Pg.objgen if "/Pg" in element else at
        for child in children(element):
            if isinstance(child, pikepdf.Dictionary):
                walk(child, at)
            elif at == page:
                found.add(int(child))

    walk(root, None)
    return found


def test_a_finished_document_breaks_none_of_the_rules_and_an_unfinished_one_breaks_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert faults(rendered(tmp_path / "a")) == set()
    raw = rendered(tmp_path / "b", monkeypatch)
    assert faults(raw) == {
        "scope", "nested link", "annotation outside a link", "running line", "interpolation", "attachment twice",
        "image of another page",
    }  # fmt: skip
    assert mended(raw) == mended(raw) and faults(mended(mended(raw))) == set()


def test_what_is_read_is_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = rendered(tmp_path, monkeypatch)
    (tmp_path / "raw.pdf").write_bytes(raw)
    (tmp_path / "mended.pdf").write_bytes(mended(raw))
    texts = [
        subprocess.run(["pdftotext", "-layout", tmp_path / name, "-"], check=True, capture_output=True).stdout
        for name in ("raw.pdf", "mended.pdf")
    ]
    assert texts[0] == texts[1] and b"running line" in texts[0]


def test_every_page_shows_what_it_showed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = rendered(tmp_path, monkeypatch)
    for name, data in (("raw", raw), ("mended", mended(raw))):
        (tmp_path / f"{name}.pdf").write_bytes(data)
        subprocess.run(["pdftoppm", "-r", "30", "-png", f"{name}.pdf", name], check=True, cwd=tmp_path)
    pages = sorted(path.name.removeprefix("raw") for path in tmp_path.glob("raw-*.png"))
    assert len(pages) == 2
    seen = [(tmp_path / f"raw{page}").read_bytes() for page in pages]
    assert seen == [(tmp_path / f"mended{page}").read_bytes() for page in pages] and seen[0] != seen[1]


def validated(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What pdfua and outloud report."""
    command = [sys.executable, "-m", "pdfua", "check", "--format", "json", str(path)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    command = [str(Path(sys.executable).parent / "outloud"), str(path), "--json", "-", "-q", "--fail-on", "never"]
    heard = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(checked.stdout), json.loads(heard.stdout[heard.stdout.index("{") :])


def test_independent_validators_find_no_error_in_a_report(report: Path) -> None:
    checked, heard = validated(report / "report.pdf")
    assert checked["findings"] == [] and checked["summary"]["rules_run"] >= 11
    assert {finding["rule"] for finding in heard["results"][0]["findings"]} <= EXPECTED


def test_the_validators_see_what_the_renderer_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw.pdf").write_bytes(rendered(tmp_path, monkeypatch))
    checked, heard = validated(tmp_path / "raw.pdf")
    assert "UA-15-003" in {finding["rule_id"] for finding in checked["findings"]}
    assert {"TBL-002", "LNK-001"} <= {finding["rule"] for finding in heard["results"][0]["findings"]}
