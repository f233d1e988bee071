"""The annexes: settings, methods, what the chapters cut, log, environment, image index, glossary and files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.content.context import ReportContext
from core.content.parts import Fact, Sample, Section, Table
from core.content.words import plural, reported_state, rest_of
from core.evaluation.summary import Summary
from core.findings import failed_applications
from core.glossary import Entry
from core.languages import say
from core.reporting.cards import methods
from core.reporting.letters import LETTERS
from core.reporting.plan_settings import SETTINGS_FILE, chosen_settings
from core.reporting.requirements import absent_checks, details
from core.reporting.tables import (
    CREDITS,
    ERRORS,
    EVENTS,
    FAILURES,
    FOLDERS,
    NOT_RUN,
    PACKAGES,
    PLUGINS,
    SETTINGS,
)
from core.runs import Run

MOST_ROWS, MOST_EVENTS = 300, 25
IN_FULL = (
    "What the body leaves out of each chapter: how it was measured, the settings, further tables and images, and every "
    "table that the body cuts."
)  # messages


def annexes(
    context: ReportContext,
    files: Mapping[str, str],
    chapters: Sequence[Section] = (),
    samples: Sequence[Sample] = (),
    terms: Sequence[Entry] = (),
) -> tuple[Section, ...]:
    """All annexes in the order of their letters.

    files: the SHA-256 of the evidence by name. chapters, samples: what the body does not show. terms: the glossary.
    """
    run = context.run
    parts = {
        "settings": _settings(run),
        "methods": methods(context),
        "chapters": Section("Chapters in full", sentences=(say(IN_FULL),) if chapters else ()),
        "maps": Section("Further heat maps", samples=tuple(samples)),
        "requirements": _requirements(context),
        "log": _log(run, context.summary),
        "environment": _environment(run),
        "images": _index(run, files),
        "glossary": Section("Glossary", terms=tuple(terms)),
        "files": _files(files),
    }
    out: list[Section] = []
    for name, letter in LETTERS.items():
        if not parts[name].empty:
            out.append(replace(parts[name], letter=letter, anchor=f"annex-{letter.lower()}"))
            out += chapters if name == "chapters" else ()
    return tuple(out)


_ENVIRONMENT = {
    "code_sha256": "SHA-256 of the code that computes",
    "commit": "Commit of the source",
    "cpus": "Processor cores",
    "engine": "Kind of workers",
    "lock_sha256": "SHA-256 of requirements.lock",
    "loupe": "Version of Loupe",
    "machine": "Machine",
    "packages_unlike_lock": "Packages of another version than in requirements.lock",
    "platform": "Platform",
    "python": "Version of Python",
    "threads": "Threads",
    "uncommitted_changes": "Uncommitted changes of the source",
    "workers": "Workers",
}  # messages
DIGEST = (
    "The plan digest is the SHA-256 of plan.json without “declared”, “dataset_root” and an empty "
    "“files” or “plugins”, written as JSON in UTF-8 with sorted keys and without spaces: what was declared and where "
    "files lie do not change what was measured."
)  # messages


def _settings(run: Run) -> Section:
    title = say("Settings that the plan names; settings.csv in evidence.zip lists all, defaults included")
    rows = chosen_settings(run)
    table = SETTINGS.table(title, rows[:MOST_ROWS], rest_of(len(rows), MOST_ROWS, SETTINGS_FILE))
    digest = Fact("Plan digest", run.plan.digest, code=True)
    return Section("Settings", (digest,), sentences=(say(DIGEST),), tables=(table,))


def _log(run: Run, summary: Summary) -> Section:
    progress, units = run.progress(), run.store.units()
    cost: dict[str, Any] = run.manifest.get("cost", {})
    facts = [
        Fact("State", say(reported_state(progress, run.manifest.get("state")))),
        Fact(
            "Units",
            say(
                "{done} completed, {failed} failed, {left} open, of {total} planned",
                done=progress.done,
                failed=progress.failed,
                left=progress.total - progress.done - progress.failed,
                total=progress.total,
            ),
        ),
        Fact("Retried", plural(sum(unit["tries"] > 1 for unit in units), "unit")),
        Fact("Failed explanations", plural(len(summary.failures), "explanation")),
        Fact("Failed applications", plural(len(failed_applications(run)), "application")),
    ]
    if "image_forwards" in cost:
        facts.append(
            Fact(
                "Counted work",
                say(
                    "{images:,.0f} image and {texts:,.0f} text forward-equivalents; estimated beforehand: "
                    "{estimated:,.0f} image forward-equivalents. All work of the run is counted; the chapter of an "
                    "analysis states that of its measurement alone, which can be less",
                    images=cost["image_forwards"],
                    texts=cost.get("text_forwards", 0),
                    estimated=cost.get("estimated_image_forwards", 0),
                ),
            )
        )
    facts.append(Fact("Of each unit", say("State, tries, time and the hash of its result file are in units.csv")))
    tables = []
    broken = [unit for unit in units if unit["error"]]
    if broken:
        tables.append(
            ERRORS.table(say("Units with an error"), broken[:MOST_ROWS], rest_of(len(broken), MOST_ROWS, "units.csv"))
        )
    if len(summary.failures):
        more = rest_of(len(summary.failures), MOST_ROWS, "tables/failures.csv")
        tables.append(FAILURES.table(say("Explanations that failed"), summary.failures.head(MOST_ROWS), more))
    if summary.not_run:
        tables.append(NOT_RUN.table(say("Methods and applications that were not run"), summary.not_run))
    events = run.store.events(MOST_EVENTS)
    if events:
        title = say("Log, its last {most} lines at most; log.csv has all", most=MOST_EVENTS)
        tables.append(EVENTS.table(title, events))
    return Section("Run log, failures and units", tuple(facts), tables=tuple(tables))


def _environment(run: Run) -> Section:
    environment: dict[str, Any] = run.manifest.get("environment", {})
    facts = tuple(
        Fact(
            _ENVIRONMENT.get(name, name.replace("_", " ")),
            _recorded(value),
            code=name in {"code_sha256", "commit", "lock_sha256"},
        )
        for name, value in environment.items()
        if name not in {"packages", "plugins"}
    )
    packages = tuple(
        (name, version or say("not installed")) for name, version in sorted(environment.get("packages", {}).items())
    )
    tables: tuple[Table, ...] = (PACKAGES.table(say("Packages"), packages),) if packages else ()
    brought = tuple(
        (one["distribution"], one["version"], ", ".join(one["offers"]), one.get("sha256", say("not found")))
        for one in environment.get("plugins", [])
    )
    if brought:
        tables += (PLUGINS.table(say("Plug-ins: parts that other installed packages bring"), brought),)
    facts += tuple(Fact("Plug-in not used", line) for line in run.manifest.get("plugin_problems", []))
    seed = (Fact("Seed", str(run.plan.seed)),) if facts else ()
    return Section("Environment", facts + seed, tables=tables)


def _requirements(context: ReportContext) -> Section:
    findings = context.findings
    return details(findings, context.run.plan.declared, absent_checks(context.judged, findings))


def _recorded(value: Any) -> str:
    """A value of the environment in words."""
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    return say("not recorded") if value is None else str(value)


def _index(run: Run, files: Mapping[str, str]) -> Section:
    planned = set(run.plan.images)
    images = [image for image in run.dataset.images if image.id in planned]
    if not images:
        return Section("Image index")
    told = say(
        "The plan has {images}. For each, images.csv in evidence.zip lists the identifier (hash of the pixels) and the "
        "SHA-256 of the original file; dataset.json there adds names and metadata.",
        images=plural(len(images), "image"),
    )
    credited = [image for image in images if image.metadata.get("credit")]
    table = CREDITS.table(
        say("Credits of the images"), credited[:MOST_ROWS], rest_of(len(credited), MOST_ROWS, "dataset.json")
    )
    hashes = _hash_of(files, "images.csv")
    return Section("Image index", sentences=(told,), facts=hashes, tables=(table,) if credited else ())


def _files(files: Mapping[str, str]) -> Section:
    if not files:
        return Section("Evidence files")
    folders = Counter(name.rpartition("/")[0] or say("(top level)") for name in files)
    told = say(
        "evidence.zip has {files}, and SHA256SUMS, which is not counted here: it lists the SHA-256 of each of them, "
        "in the form that sha256sum reads. The SHA-256 of evidence.zip itself is on the cover.",
        files=plural(len(files), "file"),
    )
    table = FOLDERS.table(say("Folders of evidence.zip"), sorted(folders.items()))
    return Section("Evidence files", sentences=(told,), tables=(table,))


def _hash_of(files: Mapping[str, str], name: str) -> tuple[Fact, ...]:
    """The hash of a file of the evidence, where it is known."""
    return (Fact(say("SHA-256 of {name}", name=name), files[name], code=True),) if name in files else ()
