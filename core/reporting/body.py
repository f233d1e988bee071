"""Scope and data: what was asked, by which criteria, and of which images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.content.context import ReportContext
from core.content.parts import Fact, Section, Table
from core.content.words import plural, rest_of, share, shorten, size
from core.datasets import DatasetImage
from core.findings import Finding
from core.languages import say
from core.reporting.changes import predecessor_fact
from core.reporting.gallery import Plates
from core.reporting.labels import label_uses
from core.reporting.letters import LETTERS
from core.reporting.tables import DUPLICATES, FORMATS, REFUSED, REMARKS

MOST_ROWS = 200
# The rule that compares groups of the metadata.
GROUPS = "groups.difference"
SHEET = 24


def scope(context: ReportContext) -> tuple[Section, ...]:
    """Question, use, audience and criteria."""
    run, thresholds, findings = context.run, context.thresholds, context.findings
    declared, labels = run.plan.declared, label_uses(run)
    facts = (
        Fact(
            "Question asked",
            say(
                "On which parts of an image, and on which words, does the similarity of image and text depend, and how "
                "far can the methods that indicate this be trusted?"
            ),
        ),
        Fact("Purpose (declared)", declared.purpose or say("not declared")),
        Fact(
            "Audience",
            say("Those who decide on the use of the model, those who develop it, and reviewers of this audit."),
        ),
        Fact(
            "In scope",
            say(
                "Scores and attributions of the images and texts of the plan (annex {letter}).",
                letter=LETTERS["settings"],
            ),
        ),
        Fact("Out of scope", _out_of_scope(findings, labels)),
        *predecessor_fact(run),
        Fact("Labels used", _labels_used(labels)),
        Fact("Criteria", say("Thresholds file, version {version}", version=str(thresholds.version))),
        Fact("Criteria SHA-256", thresholds.sha256, code=True),
    )
    return (Section("Scope, purpose and audience", facts),)


def _out_of_scope(findings: Sequence[Finding], labels: Sequence[str]) -> str:
    accuracy = say("Accuracy beyond the use of labels named below") if labels else say("Accuracy")
    if not any(finding.rule == GROUPS for finding in findings):
        groups = say("differences and fairness between groups")
    elif labels:
        groups = say("whether a difference between groups is unfair (differences are tested)")
    else:
        groups = say(
            "whether a difference between groups is unfair (differences are tested, but not which predictions are "
            "right)"
        )
    return say(
        "{accuracy}; {groups}; security; any image or text that is not in the plan.", accuracy=accuracy, groups=groups
    )


def _labels_used(labels: Sequence[str]) -> str:
    return say("For {uses}.", uses=say("; for ").join(labels)) if labels else say("None.")


def data(context: ReportContext, plates: Plates) -> tuple[Section, ...]:
    """Provenance, counts, formats, sizes, duplicates, refusals, captions and a contact sheet."""
    run = context.run
    dataset, plan = run.dataset, run.plan
    images = dataset.images
    planned = set(plan.images)
    used = [image for image in images if image.id in planned]
    exact = sum(duplicate.kind == "exact" for duplicate in dataset.duplicates)
    facts = [
        Fact("Dataset", dataset.name),
        Fact("Identifier", dataset.id, code=True),
        Fact("Provenance (declared)", plan.declared.provenance or say("not declared")),
        Fact("Licence (declared)", plan.declared.licence or say("not declared")),
        Fact(
            "Images",
            say("{images} stored, {used} planned for this run", images=plural(len(images), "image"), used=len(used)),
        ),
        Fact("Sampling", _sampling(len(used), len(images))),
        Fact("Original files", say("{size}, of all stored images", size=size(sum(image.bytes for image in images)))),
        Fact("Width, height", _range([p.width for p in used], [p.height for p in used])),
        Fact(
            "Captions",
            say("{share} images have captions", share=share(sum(bool(p.captions) for p in images), len(images))),
        ),
        Fact(
            "Duplicates",
            say(
                "{exact} exact (stored once), {near} near (both kept)",
                exact=exact,
                near=len(dataset.duplicates) - exact,
            ),
        ),
        Fact("Refused files", plural(len(dataset.refusals), "file")),
        Fact("Remarks on reading", plural(len(dataset.remarks), "remark")),
        Fact("Metadata columns", ", ".join(dataset.columns) or say("none")),
        Fact(
            "Preparation of files",
            say(
                "Images are rotated upright and stored as plain RGB pixels; EXIF, location and colour profile are "
                "removed. The hash of each original file is in dataset.json of evidence.zip."
            ),
        ),
    ]
    tables = [_formats(images)]
    if dataset.refusals:
        more = rest_of(len(dataset.refusals), MOST_ROWS, "dataset.json")
        tables.append(REFUSED.table(say("Refused files"), dataset.refusals[:MOST_ROWS], more))
    if dataset.remarks:
        more = rest_of(len(dataset.remarks), MOST_ROWS, "dataset.json")
        title = say("Files that could be read in more than one way")
        tables.append(REMARKS.table(title, dataset.remarks[:MOST_ROWS], more))
    if dataset.duplicates:
        more = rest_of(len(dataset.duplicates), MOST_ROWS, "dataset.json")
        tables.append(DUPLICATES.table(say("Duplicates"), dataset.duplicates[:MOST_ROWS], more))
    spread = _spread(used, SHEET)
    sheet = tuple(plates.photo(image.id, shorten(image.name, 34)) for image in spread)
    rule = say(
        "{shown} of the {planned} planned images, evenly spaced in the order of their names.",
        shown=len(spread),
        planned=len(used),
    )
    return (
        Section("Composition", tuple(facts), tables=tuple(tables), place="body"),
        Section("Contact sheet", sentences=(rule,) if sheet else (), heats=sheet, place="body"),
    )


def _formats(images: Sequence[DatasetImage]) -> Table:
    rows = []
    for name, count in sorted(Counter(image.format for image in images).items()):
        part = [image for image in images if image.format == name]
        pixels = [image.width * image.height / 1e6 for image in part]
        rows.append(
            (
                name,
                str(count),
                say("{value:.2f}", value=float(np.median(pixels))),
                size(sum(image.bytes for image in part)),
            )
        )
    return FORMATS.table(say("Formats of the original files"), rows)


def _spread(images: Sequence[DatasetImage], most: int) -> list[DatasetImage]:
    if len(images) <= most:
        return list(images)
    return [images[round(at)] for at in np.linspace(0, len(images) - 1, most)]


def _sampling(used: int, stored: int) -> str:
    return (
        say("every stored image is used")
        if used == stored
        else say("{share} stored images, listed in images.csv of evidence.zip", share=share(used, stored))
    )


def _range(widths: Sequence[int], heights: Sequence[int]) -> str:
    if not widths:
        return say("no images, of the planned images")
    return say(
        "{narrow} to {wide} px wide, {low} to {high} px high, of the planned images",
        narrow=min(widths),
        wide=max(widths),
        low=min(heights),
        high=max(heights),
    )
