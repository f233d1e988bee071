"""Scope, subject and data: what was audited, and on what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.content.context import ReportContext
from core.content.parts import Fact, Section, Table
from core.content.recognition import loading_lines
from core.content.words import plural, rest_of, share, shorten, size
from core.datasets import DatasetImage
from core.datasets.prompt_sets import sets_of
from core.findings import Finding
from core.reporting.changes import predecessor_fact
from core.reporting.gallery import Plates
from core.reporting.labels import label_uses
from core.reporting.letters import LETTERS
from core.reporting.model_signature import signature_facts
from core.reporting.tables import COMPONENTS, DUPLICATES, FIGURES, FORMATS, PROMPTS, REFUSED, REMARKS
from core.runs import Run

MOST_ROWS = 200
# The rule that compares groups of the metadata.
GROUPS = "groups.difference"
SHEET = 24
_COMPONENTS = ("torch", "open_clip_torch", "timm", "transformers", "numpy", "pillow", "scipy", "weasyprint")


# What methods may ask of a model, in words; a name that is not here is printed as it is.
_CAPABILITIES = {
    "attention_pool": "attention pooling of the image",
    "embeddings": "embeddings",
    "gradients": "gradients",
    "image_attention": "attention of the image tower",
    "image_layers": "states of the image tower",
    "places": "a vector per patch",
    "text_attention": "attention of the text tower",
    "text_layers": "states of the text tower",
    "text_words": "masking of words",
}


def scope(context: ReportContext) -> tuple[Section, ...]:
    """Question, use, audience and criteria."""
    run, thresholds, findings = context.run, context.thresholds, context.findings
    declared, labels = run.plan.declared, label_uses(run)
    facts = (
        Fact(
            "Question asked",
            "On which parts of an image, and on which words, does the similarity of image and text depend, and how far "
            "can the methods that indicate this be trusted?",
        ),
        Fact("Purpose (declared)", declared.purpose or "not declared"),
        Fact(
            "Audience", "Those who decide on the use of the model, those who develop it, and reviewers of this audit."
        ),
        Fact("In scope", f"Scores and attributions of the images and texts of the plan (annex {LETTERS['settings']})."),
        Fact("Out of scope", _out_of_scope(findings, labels)),
        *predecessor_fact(run),
        Fact("Labels used", f"For {'; for '.join(labels)}." if labels else "None."),
        Fact("Criteria", f"Thresholds file, version {thresholds.version}"),
        Fact("Criteria SHA-256", thresholds.sha256, code=True),
    )
    return (Section("Scope, purpose and audience", facts),)


def _out_of_scope(findings: Sequence[Finding], labels: Sequence[str]) -> str:
    accuracy = "Accuracy beyond the use of labels named below" if labels else "Accuracy"
    compared = any(finding.rule == GROUPS for finding in findings)
    groups = (
        f"whether a difference between groups is unfair (differences are tested{'' if labels else ', but not which '}"
        f"{'' if labels else 'predictions are right'})"
        if compared
        else "differences and fairness between groups"
    )
    return f"{accuracy}; {groups}; security; any image or text that is not in the plan."


def subject(context: ReportContext) -> tuple[Section, ...]:
    """The model, its preprocessing, the texts and the third-party components."""
    run = context.run
    manifest, plan = run.manifest, run.plan
    model: dict[str, Any] = manifest.get("model", {})
    facts = [
        Fact("Model", model.get("title") or plan.model.title),
        _known("Name", model.get("name") or plan.model.name),
        _known("Pretrained tag", model.get("pretrained")),
        _known("Architecture", model.get("architecture")),
        _known("Families", _join(model.get("image_family"), model.get("text_family"), " image tower, ", " text tower")),
        *(Fact(label, value) for label, value in loading_lines(model.get("recognised") or {})),
        _known("Depth", _join(model.get("image_depth"), model.get("text_depth"), " image blocks, ", " text blocks")),
        _known("Parameters", f"{model['parameters']:,}" if model.get("parameters") else None),
        _known("Joint space", f"{model['embed_dim']} dimensions" if model.get("embed_dim") else None),
        _known("Native grid", f"{model['rows']} \u00d7 {model['columns']} cells" if model.get("rows") else None),
        _known("Logit scale", f"{model['logit_scale']:.4g}" if model.get("logit_scale") else None),
        _known("Device, precision", _join(model.get("device"), model.get("dtype"), ", ", "")),
        _known("Capabilities", ", ".join(_CAPABILITIES.get(name, name) for name in model.get("capabilities", []))),
        _known("Weights as loaded, SHA-256", model.get("digest"), code=True),
        _known("Weights file, SHA-256", model.get("weights_sha256"), code=True),
        *signature_facts(model),
    ]
    sections = [Section("Model", tuple(fact for fact in facts if fact))]
    card = model.get("card")
    if card:
        statements = [
            _known("Training data", card.get("data")),
            _known("Licence", card.get("licence")),
            _known("Known limitations", card.get("cannot")),
        ]
        measured = tuple((str(name), str(value)) for name, value in card.get("figures") or [])
        tables = (FIGURES.table("Figures on the model card", measured),) if measured else ()
        sections.append(
            Section("Model card (provider's statements)", tuple(fact for fact in statements if fact), tables=tables)
        )
    prepared: dict[str, Any] = model.get("preprocessing") or {}
    if prepared:
        sections.append(_prepared(prepared))
    sections.append(_texts(run))
    packages = manifest.get("environment", {}).get("packages", {})
    rows = tuple((name, str(packages[name])) for name in _COMPONENTS if packages.get(name))
    if rows:
        sections.append(
            Section(
                "Third-party components",
                tables=(COMPONENTS.table(f"Main components; annex {LETTERS['environment']} lists all", rows),),
            )
        )
    return tuple(sections)


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
        Fact("Provenance (declared)", plan.declared.provenance or "not declared"),
        Fact("Licence (declared)", plan.declared.licence or "not declared"),
        Fact("Images", f"{plural(len(images), 'image')} stored, {len(used)} planned for this run"),
        Fact("Sampling", _sampling(len(used), len(images))),
        Fact("Original files", f"{size(sum(image.bytes for image in images))}, of all stored images"),
        Fact("Width, height", f"{_range([p.width for p in used], [p.height for p in used])}, of the planned images"),
        Fact("Captions", f"{share(sum(bool(p.captions) for p in images), len(images))} images have captions"),
        Fact("Duplicates", f"{exact} exact (stored once), {len(dataset.duplicates) - exact} near (both kept)"),
        Fact("Refused files", plural(len(dataset.refusals), "file")),
        Fact("Remarks on reading", plural(len(dataset.remarks), "remark")),
        Fact("Metadata columns", ", ".join(dataset.columns) or "none"),
        Fact(
            "Preparation of files",
            "Images are rotated upright and stored as plain RGB pixels; EXIF, location and colour profile are removed. "
            "The hash of each original file is in images.csv of evidence.zip.",
        ),
    ]
    tables = [_formats(images)]
    if dataset.refusals:
        more = rest_of(len(dataset.refusals), MOST_ROWS, "dataset.json")
        tables.append(REFUSED.table("Refused files", dataset.refusals[:MOST_ROWS], more))
    if dataset.remarks:
        more = rest_of(len(dataset.remarks), MOST_ROWS, "dataset.json")
        title = "Files that could be read in more than one way"
        tables.append(REMARKS.table(title, dataset.remarks[:MOST_ROWS], more))
    if dataset.duplicates:
        more = rest_of(len(dataset.duplicates), MOST_ROWS, "dataset.json")
        tables.append(DUPLICATES.table("Duplicates", dataset.duplicates[:MOST_ROWS], more))
    spread = _spread(used, SHEET)
    sheet = tuple(plates.photo(image.id, shorten(image.name, 34)) for image in spread)
    rule = f"{len(spread)} of the {len(used)} planned images, evenly spaced in the order of their names."
    return (
        Section("Composition", tuple(facts), tables=tuple(tables), place="body"),
        Section("Contact sheet", sentences=(rule,) if sheet else (), heats=sheet, place="body"),
    )


def _texts(run: Run) -> Section:
    texts = run.plan.texts
    facts = [
        Fact("Captions", f"those of each image, at most {texts.captions_each}" if texts.captions else "not used"),
        Fact("Prompts", f"{plural(len(texts.prompts), 'prompt')}, used for every image" if texts.prompts else "none"),
        Fact(
            "Classes",
            f"{plural(len(texts.classes), 'class', 'classes')}; explained for each image: "
            f"{'the class' if texts.top_classes == 1 else f'the {texts.top_classes} classes'} with the highest score"
            if texts.classes
            else "none",
        ),
        Fact("Templates", " | ".join(texts.templates)),
    ]
    sets = sets_of(texts.templates if texts.classes else (), texts.prompts)
    facts += [Fact("Prompt set", each.label) for each in sets]
    # Class names are short and many: a list reads better than a table and takes a tenth of its room.
    names = texts.classes[:MOST_ROWS]
    if names:
        facts.append(Fact("Class names", _listed(names, len(texts.classes))))
    table = PROMPTS.table("Prompts", texts.prompts[:MOST_ROWS], rest_of(len(texts.prompts), MOST_ROWS, "plan.json"))
    return Section("Texts", tuple(facts), tables=(table,) if texts.prompts else ())


def _listed(names: Sequence[str], count: int) -> str:
    more = f" and {count - len(names):,} more, all in plan.json of evidence.zip" if count > len(names) else ""
    return ", ".join(names) + more


def _formats(images: Sequence[DatasetImage]) -> Table:
    rows = []
    for name, count in sorted(Counter(image.format for image in images).items()):
        part = [image for image in images if image.format == name]
        pixels = [image.width * image.height / 1e6 for image in part]
        rows.append((name, str(count), f"{np.median(pixels):.2f}", size(sum(image.bytes for image in part))))
    return FORMATS.table("Formats of the original files", rows)


def _spread(images: Sequence[DatasetImage], most: int) -> list[DatasetImage]:
    if len(images) <= most:
        return list(images)
    return [images[round(at)] for at in np.linspace(0, len(images) - 1, most)]


def _sampling(used: int, stored: int) -> str:
    return (
        "every stored image is used"
        if used == stored
        else f"{share(used, stored)} stored images, listed in images.csv of evidence.zip"
    )


def _range(widths: Sequence[int], heights: Sequence[int]) -> str:
    if not widths:
        return "no images"
    return f"{min(widths)} to {max(widths)} px wide, {min(heights)} to {max(heights)} px high"


def _known(name: str, value: Any, code: bool = False) -> Fact | None:
    return Fact(name, str(value), code) if value not in (None, "") else None


def _join(first: Any, second: Any, middle: str, end: str) -> str | None:
    return f"{first}{middle}{second}{end}" if first not in (None, "") and second not in (None, "") else None


def _prepared(prepared: Mapping[str, Any]) -> Section:
    """What is done to an image before the model sees it."""
    before = prepared.get("resized")
    if isinstance(before, int):
        to = f", shortest edge {before} pixels, then cropped"
    else:
        to = "" if before is None else f", to {before[1]} \u00d7 {before[0]} pixels, then cropped"
    return Section(
        "Preprocessing",
        (
            Fact("Input", f"{prepared['width']} \u00d7 {prepared['height']} pixels"),
            Fact("Resizing", f"{prepared.get('mode')}, {prepared.get('interpolation')}{to}"),
            Fact(
                "Mean, standard deviation",
                f"{_numbers(prepared.get('mean', ()))}; {_numbers(prepared.get('std', ()))}",
            ),
        ),
    )


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)
