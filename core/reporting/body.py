"""Scope, subject, data and method cards: what was audited, on what, and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.datasets import Picture
from core.evaluation.summary import Summary
from core.findings import failed_methods, load_thresholds, run_thresholds
from core.findings.thresholds import Thresholds
from core.methods import METHODS
from core.reporting.charts import method_title, shorten
from core.reporting.content import Card, Column, Fact, Section, Table
from core.reporting.gallery import Plates
from core.reporting.words import plural, share, size
from core.runs import Run

MOST_ROWS = 200
SHEET = 24
_COMPONENTS = ("torch", "open_clip_torch", "timm", "transformers", "numpy", "pillow", "scipy", "weasyprint")


def scope(run: Run, thresholds: Thresholds) -> tuple[Section, ...]:
    """Question, use, audience, criteria and independence."""
    declared = run.plan.declared
    facts = (
        Fact(
            "Question asked",
            "Which parts of a picture, and which words, does the similarity of picture and text depend on, "
            "and how far can the methods that say so be trusted?",
        ),
        Fact("Intended use (declared)", declared.purpose or "not declared"),
        Fact("Audience", "People who decide on the model's use, people who build it, and reviewers of this audit."),
        Fact("In scope", "Scores and attributions of the pictures and texts of the plan (annex A)."),
        Fact("Out of scope", "Accuracy, fairness between groups, security, and any picture or text not in the plan."),
        Fact("Labels available", "None were used."),
        Fact("Criteria", f"Thresholds file version {thresholds.version}"),
        Fact("Criteria SHA-256", thresholds.sha256, code=True),
        Fact(
            "Independence",
            f"Prepared by {declared.preparer or 'a person who is not named'}; independence was not declared.",
        ),
    )
    return (Section("Scope, purpose and audience", facts),)


def subject(run: Run) -> tuple[Section, ...]:
    """The model, its preprocessing, the texts and the third-party components."""
    manifest, plan = run.manifest, run.plan
    model: dict[str, Any] = manifest.get("model", {})
    facts = [
        Fact("Model", model.get("title") or plan.model.title),
        _known("Name", model.get("name") or plan.model.name),
        _known("Pretrained tag", model.get("pretrained")),
        _known("Architecture", model.get("architecture")),
        _known("Families", _join(model.get("image_family"), model.get("text_family"), " image tower, ", " text tower")),
        _known("Depth", _join(model.get("image_depth"), model.get("text_depth"), " image blocks, ", " text blocks")),
        _known("Parameters", f"{model['parameters']:,}" if model.get("parameters") else None),
        _known("Joint space", f"{model['embed_dim']} dimensions" if model.get("embed_dim") else None),
        _known("Native grid", f"{model['rows']} \u00d7 {model['columns']} cells" if model.get("rows") else None),
        _known("Logit scale", f"{model['logit_scale']:.4g}" if model.get("logit_scale") else None),
        _known("Device, precision", _join(model.get("device"), model.get("dtype"), ", ", "")),
        _known("Offers methods", ", ".join(model.get("capabilities", []))),
        _known("Weights as loaded, SHA-256", model.get("digest"), code=True),
        _known("Weights file, SHA-256", model.get("weights_sha256"), code=True),
    ]
    sections = [Section("Model", tuple(fact for fact in facts if fact))]
    card = model.get("card")
    if card:
        told = [
            _known("Trained on", card.get("data")),
            _known("Licence", card.get("licence")),
            _known("Cannot", card.get("cannot")),
        ]
        measured = tuple((str(name), str(value)) for name, value in card.get("figures") or [])
        table = Table("Figures on its card", (Column("Measure", share=70), Column("Value")), measured)
        tables = (table,) if measured else ()
        sections.append(Section("What its makers say of it", tuple(fact for fact in told if fact), tables=tables))
    prepared: dict[str, Any] = model.get("preprocessing") or {}
    if prepared:
        sections.append(
            Section(
                "Preprocessing",
                (
                    Fact("Input", f"{prepared['width']} \u00d7 {prepared['height']} pixels"),
                    Fact("Resizing", f"{prepared.get('mode')}, {prepared.get('interpolation')}"),
                    Fact(
                        "Mean, standard deviation",
                        f"{_numbers(prepared.get('mean', ()))}; {_numbers(prepared.get('std', ()))}",
                    ),
                ),
            )
        )
    sections.append(_texts(run))
    packages = manifest.get("environment", {}).get("packages", {})
    rows = tuple((name, str(packages[name])) for name in _COMPONENTS if packages.get(name))
    if rows:
        sections.append(
            Section(
                "Third-party components",
                tables=(
                    Table(
                        "Main components; all of them are in annex C",
                        (Column("Component"), Column("Version", share=30)),
                        rows,
                    ),
                ),
            )
        )
    return tuple(sections)


def data(run: Run, plates: Plates) -> tuple[Section, ...]:
    """Provenance, counts, formats, sizes, duplicates, refusals, captions and a contact sheet."""
    dataset, plan = run.dataset, run.plan
    pictures = dataset.pictures
    planned = set(plan.images)
    used = [picture for picture in pictures if picture.id in planned]
    exact = sum(found.kind == "exact" for found in dataset.duplicates)
    facts = [
        Fact("Data set", dataset.name),
        Fact("Identifier", dataset.id, code=True),
        Fact("Provenance (declared)", plan.declared.provenance or "not declared"),
        Fact("Licence (declared)", plan.declared.licence or "not declared"),
        Fact("Pictures", f"{plural(len(pictures), 'picture')} stored, {len(used)} planned for this run"),
        Fact("Sampling", _sampling(len(used), len(pictures))),
        Fact("Original files", size(sum(picture.bytes for picture in pictures))),
        Fact("Width, height", _range([p.width for p in pictures], [p.height for p in pictures])),
        Fact("Captions", f"{share(sum(bool(p.captions) for p in pictures), len(pictures))} pictures have captions"),
        Fact("Found twice", f"{exact} exact (kept once), {len(dataset.duplicates) - exact} near (both kept)"),
        Fact("Refused", plural(len(dataset.refusals), "file")),
        Fact("Metadata columns", ", ".join(dataset.columns) or "none"),
        Fact(
            "Handling",
            "Pictures are turned upright and stored as plain RGB pixels; EXIF, position and colour profile are "
            "removed. The hash of each original file is in annex D.",
        ),
    ]
    tables = [_formats(pictures)]
    if dataset.refusals:
        rows = tuple((refusal.name, refusal.reason) for refusal in dataset.refusals[:MOST_ROWS])
        tables.append(
            Table(
                "Files that were not taken in",
                (Column("File", share=40), Column("Reason")),
                rows,
                _more(len(dataset.refusals)),
            )
        )
    if dataset.duplicates:
        twice = tuple((d.name, d.of, str(d.kind), str(d.distance)) for d in dataset.duplicates[:MOST_ROWS])
        columns = (
            Column("File", share=36),
            Column("Same as", share=36),
            Column("Kind"),
            Column("Bits apart", "number"),
        )
        tables.append(Table("Files found twice", columns, twice, _more(len(dataset.duplicates))))
    picked = _spread(used, SHEET)
    sheet = tuple(plates.photo(picture.id, shorten(picture.name, 34)) for picture in picked)
    rule = f"{len(picked)} of the {len(used)} planned pictures, evenly spaced in the order of their names."
    return (
        Section("Composition", tuple(facts), tables=tuple(tables)),
        Section("Contact sheet", sentences=(rule,) if sheet else (), heats=sheet),
    )


def cards(run: Run, summary: Summary) -> tuple[Card, ...]:
    """One card a planned method that began on some picture: what it is and what was used."""
    explained = summary.trust[summary.trust.kind == "method"].method.tolist()
    rows = run.results(["method", "kind", "status"])
    ran = Counter(rows[(rows.kind == "method") & (rows.status == "ok")].method)
    failed = Counter(rows[(rows.kind == "method") & (rows.status == "failed")].method)
    reasons = _not_run(summary)
    unsound = failed_methods(run)
    depth = int(run.manifest.get("model", {}).get("image_depth") or 12)
    planned = {method.name: method.options for method in run.plan.methods}
    out = []
    for name in dict.fromkeys([*planned, *reasons]):
        if not ran.get(name) and not failed.get(name):
            continue
        info = METHODS[name]
        options = planned.get(name, {})
        used = info.parse(options).model_dump()
        cost = info.cost(options, depth)
        done = ran.get(name, 0)
        status = f"ran: {plural(done, 'explanation')}" if done else "did not run"
        if failed.get(name):
            status += f", {failed[name]} failed"
        facts = [
            Fact("Idea", info.idea),
            Fact("Assumes", info.assumes),
            Fact("Fails", info.fails),
            Fact("Differs from the release", info.differs),
            Fact("Unit", info.unit + ("; sign kept" if info.signed else "")),
            Fact("Parameters", ", ".join(f"{key} = {value}" for key, value in used.items()) or "none", code=True),
            Fact(
                "Cost, checks",
                f"{cost.image:.3g} forwards a picture, {cost.pair:.3g} a picture and text, {cost.pool:.3g} masked "
                f"pictures; {'no seed' if info.deterministic else f'random, seed {run.plan.seed}'}; "
                f"{'' if name in explained else 'not '}tested against controls",
            ),
        ]
        if name in unsound:
            facts.append(Fact("Left out of conclusions", f"it fails a sanity check: {unsound[name]}"))
        if info.notice:
            facts.append(Fact("Notice", info.notice))
        if name in reasons:
            facts.append(Fact("Side not run", "; ".join(reasons[name])))
        out.append(Card(method_title(name), info.paper, status, bool(done), tuple(facts)))
    return tuple(out)


def absent(run: Run, summary: Summary) -> Table | None:
    """Planned methods that explained nothing, with the reason; None if there are none."""
    rows = run.results(["method", "kind"])
    began = set(rows[rows.kind == "method"].method)
    reasons = _not_run(summary)
    planned = [method.name for method in run.plan.methods]
    left = [name for name in dict.fromkeys([*planned, *reasons]) if name not in began]
    told = tuple(
        (method_title(name), METHODS[name].paper, "; ".join(reasons.get(name, ["no picture was reached"])))
        for name in left
    )
    columns = (Column("Method", share=20), Column("Paper", share=40), Column("Reason"))
    return Table("Methods that did not run; they are part of no number", columns, told) if told else None


def _not_run(summary: Summary) -> dict[str, list[str]]:
    """Why a side of a method was not run; applications, which have chapters of their own, are left out."""
    reasons: dict[str, list[str]] = {}
    for name, side, reason in summary.not_run:
        if name not in METHODS:
            continue
        reasons.setdefault(name, []).append(f"{side} side: {reason}")
    return reasons


def thresholds_of(run: Run) -> Thresholds:
    """The thresholds that judge the run."""
    return load_thresholds(run_thresholds(run))


def _texts(run: Run) -> Section:
    texts = run.plan.texts
    facts = [
        Fact("Captions", f"each picture's own, at most {texts.captions_each}" if texts.captions else "not used"),
        Fact("Prompts", f"{plural(len(texts.prompts), 'prompt')}, used for every picture" if texts.prompts else "none"),
        Fact(
            "Classes",
            f"{plural(len(texts.classes), 'class', 'classes')}; explained for each picture: its best "
            f"{texts.top_classes}"
            if texts.classes
            else "none",
        ),
        Fact("Templates", " | ".join(texts.templates)),
    ]
    # Class names are short and many: a list reads better than a table and takes a tenth of its room.
    names = texts.classes[:MOST_ROWS]
    if names:
        facts.append(Fact("Class names", ", ".join(names) + _more(len(texts.classes))))
    rows = tuple((text,) for text in texts.prompts)
    tables = (Table("Prompts", (Column("Text"),), rows[:MOST_ROWS], _more(len(rows))),) if rows else ()
    return Section("Texts", tuple(facts), tables=tables)


def _formats(pictures: Sequence[Picture]) -> Table:
    rows = []
    for name, count in sorted(Counter(picture.format for picture in pictures).items()):
        part = [picture for picture in pictures if picture.format == name]
        pixels = [picture.width * picture.height / 1e6 for picture in part]
        rows.append((name, str(count), f"{np.median(pixels):.2f}", size(sum(picture.bytes for picture in part))))
    columns = (
        Column("Format"),
        Column("Pictures", "number"),
        Column("Median megapixels", "number"),
        Column("Size", "number"),
    )
    return Table("Formats of the original files", columns, tuple(rows))


def _spread(pictures: Sequence[Picture], most: int) -> list[Picture]:
    if len(pictures) <= most:
        return list(pictures)
    return [pictures[round(at)] for at in np.linspace(0, len(pictures) - 1, most)]


def _sampling(used: int, stored: int) -> str:
    return (
        "every stored picture is used"
        if used == stored
        else f"{share(used, stored)} stored pictures, listed in annex D"
    )


def _range(widths: Sequence[int], heights: Sequence[int]) -> str:
    if not widths:
        return "no pictures"
    return f"{min(widths)} to {max(widths)} px wide, {min(heights)} to {max(heights)} px high"


def _more(count: int) -> str:
    return f"{count - MOST_ROWS} more are in evidence.zip." if count > MOST_ROWS else ""


def _known(name: str, value: Any, code: bool = False) -> Fact | None:
    return Fact(name, str(value), code) if value not in (None, "") else None


def _join(first: Any, second: Any, middle: str, end: str) -> str | None:
    return f"{first}{middle}{second}{end}" if first not in (None, "") and second not in (None, "") else None


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)
