"""The manipulations of runs, bundles and reports that `verify` is tried with, and the table of them in the docs."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pikepdf
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.evaluation.summary import summarise
from core.findings import judge
from core.reporting.evidence import SUMS, write_evidence
from core.reporting.pdf_digest import EMPTY, KEY, with_digest
from core.runs import open_run
from core.runs.results import file_sha256
from core.runs.seal import seal

Change = Callable[[Path], object]
Files = dict[str, bytes]
SIGNATURE = "only a signature or a noted digest shows it"


@dataclass(frozen=True)
class Manipulation:
    """What is done to what is checked, and a part of the line by which `verify` detects it.

    An empty line: nothing that lies there can show it, but a signature does.
    """

    given: str
    act: str
    change: Change
    line: str

    @property
    def row(self) -> str:
        """Its row in docs/evidence.md."""
        return f"| {self.given} | {self.act} | {self.line or SIGNATURE} |"


def flipped(name: str) -> Change:
    def change(folder: Path) -> None:
        path = next(iter(sorted(folder.glob(name))))
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))

    return change


def removed(name: str) -> Change:
    return lambda folder: next(iter(sorted(folder.glob(name)))).unlink()


def written(name: str, text: str) -> Change:
    return lambda folder: (folder / name).write_text(text)


def edited(name: str, old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text, name
        (folder / name).write_text(text.replace(old, new, 1))

    return change


def resealed(change: Change) -> Change:
    def both(folder: Path) -> None:
        change(folder)
        seal(open_run(folder))

    return both


def better(data: bytes) -> bytes:
    """The rows of a unit with a higher faithfulness."""
    table = pq.read_table(BytesIO(data))
    at = table.column_names.index("faithfulness")
    column = pc.add(table.column(at), 0.5).cast(table.schema.field(at).type)
    stream = BytesIO()
    pq.write_table(table.set_column(at, table.schema.field(at), column), stream)
    return stream.getvalue()


def other_rows(folder: Path) -> None:
    """Better figures in the rows of a unit, and its new hash in run.sqlite."""
    path = next(iter((folder / "results").glob("*.parquet")))
    path.write_bytes(better(path.read_bytes()))
    with sqlite3.connect(folder / "run.sqlite") as db:
        db.execute("UPDATE units SET sha256 = ? WHERE position = 0", [file_sha256(path)])
    db.close()


def forge(path: Path, change: Callable[[Files], object], *, again: bool = True) -> None:
    """Change the files of a bundle, and make its sums again as a forger would."""
    with zipfile.ZipFile(path) as old:
        files = {name: old.read(name) for name in old.namelist()}
    change(files)
    if again:
        listed = sorted(name for name in files if name != SUMS)
        files[SUMS] = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in listed).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in files.items():
            new.writestr(name, data)


def packed(change: Callable[[Files], object], *, sums: bool = True) -> Change:
    """`forge` for the bundle of a run's folder."""

    def both(folder: Path) -> None:
        forge(folder / "report" / "evidence.zip", change, again=sums)

    return both


def milder(files: dict[str, bytes]) -> None:
    findings = json.loads(files["findings.json"])
    for finding in findings:
        finding["severity"] = "low" if finding["severity"] != "low" else "note"
    files["findings.json"] = json.dumps(findings).encode()


def better_checks(version: str = "") -> Callable[[Files], None]:
    """Checks that found a flaw more often, as another version of these figures if one is given."""

    def change(files: Files) -> None:
        text = files["detection.toml"].decode()
        assert "found = 27\n" in text
        text = text.replace("found = 27\n", "found = 28\n")
        if version:
            text, count = re.subn(r'(?m)^version = "[^"]*"', f'version = "{version}"', text, count=1)
            assert count, "the file has no version"
        files["detection.toml"] = text.encode()

    return change


def other_unit(files: dict[str, bytes]) -> None:
    """A rewritten unit whose new hash stands in units.csv."""
    name = next(name for name in files if name.startswith("results/"))
    before = hashlib.sha256(files[name]).hexdigest()
    files[name] = better(files[name])
    after = hashlib.sha256(files[name]).hexdigest()
    files["units.csv"] = files["units.csv"].replace(before.encode(), after.encode())


def dropped_unit(files: dict[str, bytes]) -> None:
    del files[next(name for name in files if name.startswith("results/"))]
    files["units.csv"] = files["units.csv"].split(b"\n", 1)[0] + b"\n"


def forged_bundle(folder: Path) -> None:
    """Better rows, from which tables, findings and checksums are computed again."""
    other_rows(folder)
    run = open_run(folder)
    summary = summarise(run)
    write_evidence(run, summary, judge(run, summary), run.report / "evidence.zip")


def redrawn(*, digest: bool, name: str = "report.pdf") -> Change:
    """Another text on the first page of the PDF; with `digest` its own digest is made again."""

    def change(folder: Path) -> None:
        path = folder / "report" / name
        out = BytesIO()
        with pikepdf.open(path) as pdf:
            page = pdf.pages[0]
            page.contents_add(pdf.make_stream(b"/Artifact BMC 1 0 0 rg 60 60 90 90 re f EMC"))
            if digest:
                next(iter(pdf.Root.AF)).EF.F[pikepdf.Name(f"/{KEY}")] = pikepdf.String(EMPTY)
            pdf.save(out, deterministic_id=True)
        path.write_bytes(with_digest(out.getvalue()) if digest else out.getvalue())

    return change


def appended(folder: Path) -> None:
    with (folder / "report" / "report.pdf").open("ab") as stream:
        stream.write(b"% appended\n")


RUN, BUNDLE, PDF, BOTH = "run", "bundle", "PDF", "PDF + bundle"
AFTER = "after the run was sealed"
MANIPULATIONS = (
    Manipulation(RUN, "a byte of a unit", flipped("results/*.parquet"), AFTER),
    Manipulation(RUN, "a unit removed", removed("results/*.parquet"), "is missing"),
    Manipulation(
        RUN, "another seed in the plan", edited("plan.json", '"seed": 0', '"seed": 1'), "plan.json was changed"
    ),
    Manipulation(RUN, "no findings", written("findings.json", "[]"), "findings.json was changed"),
    Manipulation(RUN, "another model in the manifest", edited("manifest.json", "Loupe demo", "X"), "manifest.json was"),
    Manipulation(RUN, "a comparison added", written("comparison.json", "{}"), "comparison.json was added"),
    Manipulation(RUN, "another caption in dataset.json", flipped("dataset/*/dataset.json"), "dataset.json was changed"),
    Manipulation(RUN, "a byte of a stored image", flipped("dataset/*/images/*.png"), ".png was changed"),
    Manipulation(RUN, "a byte of report.pdf", flipped("report/report.pdf"), "report/report.pdf was changed"),
    Manipulation(RUN, "report.html replaced", written("report/report.html", "x"), "report/report.html was changed"),
    Manipulation(RUN, "findings of the report", written("report/findings.json", "[]"), "report/findings.json was"),
    Manipulation(RUN, "a file added", written("notes.txt", "x"), "notes.txt was added"),
    Manipulation(RUN, "a unit and its hash in run.sqlite rewritten", other_rows, AFTER),
    Manipulation(RUN, "the same, sealed again", resealed(other_rows), "is not that of this run"),
    Manipulation(
        RUN, "page of the PDF changed, sealed again", resealed(redrawn(digest=False)), "not the file whose digest it"
    ),
    Manipulation(RUN, "page and digest of the PDF changed, sealed again", resealed(redrawn(digest=True)), ""),
    Manipulation(BUNDLE, "a byte changed", flipped("report/evidence.zip"), "evidence.zip"),
    Manipulation(BUNDLE, "findings changed, sums kept", packed(milder, sums=False), "findings.json was changed"),
    Manipulation(
        BUNDLE, "a file added, sums kept", packed(lambda files: files.update({"a.txt": b"x"}), sums=False), "not listed"
    ),
    Manipulation(BUNDLE, "sums missing", packed(lambda files: files.pop(SUMS), sums=False), "SHA256SUMS is missing"),
    Manipulation(
        BUNDLE, "a file added, sums rewritten", packed(lambda files: files.update({"a.txt": b"x"})), "does not belong"
    ),
    Manipulation(BUNDLE, "severities lowered, sums rewritten", packed(milder), "is not what the results give"),
    Manipulation(
        BUNDLE,
        "a figure of trust.csv changed, sums rewritten",
        packed(lambda files: files.update({"tables/trust.csv": files["tables/trust.csv"].replace(b",0.", b",1.", 1)})),
        "tables/trust.csv",
    ),
    Manipulation(
        BUNDLE,
        "a threshold of criteria.toml changed, sums rewritten",
        packed(lambda files: files.update({"criteria.toml": files["criteria.toml"].replace(b"= 0.", b"= 1.", 1)})),
        "does not contain the thresholds",
    ),
    Manipulation(
        BUNDLE,
        "a count of detection.toml changed, sums rewritten",
        packed(better_checks()),
        "does not contain the figures that Loupe has",
    ),
    Manipulation(
        BUNDLE,
        "the same as another version, sums rewritten",
        packed(better_checks("x")),
        "`detection_limits` is not what",
    ),
    Manipulation(BUNDLE, "a unit rewritten with units.csv and sums", packed(other_unit), "the results give"),
    Manipulation(BUNDLE, "a unit dropped with units.csv and sums", packed(dropped_unit), "does not list the"),
    Manipulation(BUNDLE, "rows rewritten, everything computed again", forged_bundle, ""),
    Manipulation(PDF, "a byte changed", flipped("report/report.pdf"), "report.pdf"),
    Manipulation(PDF, "a page changed", redrawn(digest=False), "not the file whose digest it carries"),
    Manipulation(PDF, "bytes appended", appended, "were appended"),
    Manipulation(PDF, "a page and the digest changed", redrawn(digest=True), ""),
    Manipulation(BOTH, "the bundle of another audit", forged_bundle, "reports another evidence.zip"),
    Manipulation(BOTH, "a page of the PDF changed", redrawn(digest=False), "not the file whose digest it carries"),
)


def table() -> str:
    """The table of docs/evidence.md."""
    return "\n".join(
        ["| given | manipulation | `verify` prints |", "|---|---|---|", *(each.row for each in MANIPULATIONS)]
    )
