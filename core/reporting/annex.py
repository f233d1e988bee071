"""The annexes: settings, log and failures, environment, sample index, file list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.evaluation.summary import Summary
from core.findings import failed_applications
from core.methods import METHODS
from core.reporting.content import Column, Fact, Section, Table
from core.reporting.words import STATE_TITLES, moment, plural
from core.runs import Run

MOST_ROWS = 300


def annexes(run: Run, summary: Summary, files: Mapping[str, str]) -> tuple[Section, ...]:
    """Annexes A to D and F (the glossary, E, is fixed text); `files` are the SHA-256 of the evidence by name."""
    parts = (_settings(run), _log(run, summary), _environment(run), _index(run), _files(files))
    return tuple(part for part in parts if not part.empty)


def _settings(run: Run) -> Section:
    plan = run.plan.public().model_dump(mode="json", exclude={"images", "declared", "methods", "dataset_root"})
    rows = [(name, value) for part, body in plan.items() for name, value in _flat(part, body)]
    rows += [
        (f"declared.{name}", str(value)) for name, value in run.plan.declared.model_dump(mode="json").items() if value
    ]
    for method in run.plan.methods:
        used = METHODS[method.name].parse(method.options).model_dump()
        rows += [(f"methods.{method.name}.{name}", str(value)) for name, value in used.items()]
    table = Table(
        "Every setting of the plan; the pictures are in annex D",
        (Column("Setting", "code", 38), Column("Value", "code")),
        tuple(rows[:MOST_ROWS]),
        _more(len(rows)),
    )
    return Section("A. Settings in full", (Fact("Plan SHA-256", run.plan.digest, code=True),), tables=(table,))


def _log(run: Run, summary: Summary) -> Section:
    progress, units = run.progress(), run.store.units()
    cost: dict[str, Any] = run.manifest.get("cost", {})
    facts = [
        Fact("State", STATE_TITLES[progress.state]),
        Fact(
            "Units",
            f"{progress.done} done, {progress.failed} failed, {progress.total - progress.done - progress.failed} "
            "not done, "
            f"{progress.total} planned",
        ),
        Fact("Retried", plural(sum(unit["tries"] > 1 for unit in units), "unit")),
        Fact("Failed explanations", plural(len(summary.failures), "explanation")),
        Fact("Failed applications", plural(len(failed_applications(run)), "application")),
    ]
    if "image_forwards" in cost:
        facts.append(
            Fact(
                "Work counted",
                f"{cost['image_forwards']:,.0f} image and {cost.get('text_forwards', 0):,.0f} text "
                "forward-equivalents; "
                f"{cost.get('estimated_image_forwards', 0):,.0f} image forwards estimated",
            )
        )
    tables = [
        Table(
            "Units and the hash of each result file",
            (
                Column("No.", "number", 7),
                Column("State", share=11),
                Column("Pictures", "number", 10),
                Column("Rows", "number", 9),
                Column("SHA-256", "code"),
            ),
            tuple(
                (str(u["position"]), u["state"], str(u["images"]), str(u["rows"] or 0), u["sha256"] or "none")
                for u in units[:MOST_ROWS]
            ),
            _more(len(units)),
        )
    ]
    broken = [unit for unit in units if unit["error"]]
    if broken:
        tables.append(
            Table(
                "Units with an error",
                (Column("No.", "number", 8), Column("Tries", "number", 8), Column("Error")),
                tuple((str(u["position"]), str(u["tries"]), u["error"]) for u in broken[:MOST_ROWS]),
                _more(len(broken)),
            )
        )
    if len(summary.failures):
        rows = tuple(
            (row.image_name, row.text or "", row.method or "score", row.message or "")
            for row in summary.failures.head(MOST_ROWS).itertuples()
        )
        tables.append(
            Table(
                "Explanations that failed",
                (Column("Picture", share=24), Column("Text", share=28), Column("Method", share=14), Column("Why")),
                rows,
                _more(len(summary.failures)),
            )
        )
    if summary.not_run:
        tables.append(
            Table(
                "Methods and applications that were not run",
                (Column("Method", share=20), Column("Side", share=12), Column("Reason")),
                tuple(summary.not_run),
            )
        )
    events = run.store.events(MOST_ROWS)
    if events:
        tables.append(
            Table(
                "Log",
                (Column("When", share=26), Column("What", share=18), Column("Message")),
                tuple((moment(at), kind, message) for at, kind, message in events),
            )
        )
    return Section("B. Run log, failures and units", tuple(facts), tables=tuple(tables))


def _environment(run: Run) -> Section:
    found: dict[str, Any] = run.manifest.get("environment", {})
    facts = tuple(
        Fact(
            name.replace("_", " "),
            "not recorded" if value is None else str(value),
            code=name in {"code_sha256", "commit"},
        )
        for name, value in found.items()
        if name != "packages"
    )
    packages = tuple((name, version or "not installed") for name, version in sorted(found.get("packages", {}).items()))
    tables = (Table("Packages", (Column("Package"), Column("Version", share=40)), packages),) if packages else ()
    seed = (Fact("seed", str(run.plan.seed)),) if facts else ()
    return Section("C. Environment", facts + seed, tables=tables)


def _index(run: Run) -> Section:
    planned = set(run.plan.images)
    pictures = [picture for picture in run.dataset.pictures if picture.id in planned]
    # Licences such as CC BY ask for the credit wherever a picture is shown.
    credited = "credit" in run.dataset.columns
    columns: tuple[Column, ...] = (
        Column("Picture", share=20),
        Column("Identifier", "code", 17),
        Column("SHA-256", "code", 38 if credited else 0),
    )
    rows: tuple[tuple[str, ...], ...] = tuple((picture.name, picture.id, picture.sha256) for picture in pictures)
    if credited:
        columns = (*columns, Column("Credit"))
        rows = tuple(
            (*row, str(picture.metadata.get("credit") or "")) for row, picture in zip(rows, pictures, strict=True)
        )
    table = Table(
        "Planned pictures: identifier over the pixels, SHA-256 of the original file",
        columns,
        rows[:MOST_ROWS],
        _more(len(rows)),
    )
    return Section("D. Sample index", tables=(table,) if rows else ())


def _files(files: Mapping[str, str]) -> Section:
    rows = tuple(sorted(files.items()))
    table = Table(
        "Files of evidence.zip",
        (Column("File", "code", 42), Column("SHA-256", "code")),
        rows[:MOST_ROWS],
        _more(len(rows)),
    )
    return Section("F. Evidence files", tables=(table,) if rows else ())


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [row for key, part in value.items() for row in _flat(f"{name}.{key}", part)]
    if isinstance(value, list):
        return [(name, json.dumps(value, ensure_ascii=False) if value else "none")]
    return [(name, "none" if value in (None, "") else str(value))]


def _more(count: int) -> str:
    return f"{count - MOST_ROWS} more are in evidence.zip." if count > MOST_ROWS else ""
