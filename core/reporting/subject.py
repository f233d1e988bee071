"""The subject of an audit: the model, its preprocessing, the texts and the third-party components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.content.context import ReportContext
from core.content.parts import Fact, Section
from core.content.recognition import loading_lines
from core.content.words import plural, rest_of
from core.datasets.prompt_sets import sets_of
from core.languages import say
from core.reporting.letters import LETTERS
from core.reporting.model_signature import signature_facts
from core.reporting.tables import COMPONENTS, FIGURES, PROMPTS
from core.runs import Run

MOST_ROWS = 200
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
}  # messages

# Which edges of an image are fitted to the input, and how pixels between two are made.
_RESIZING = {
    "shortest": "shortest edge",
    "longest": "longest edge",
    "squash": "both edges",
    "crop": "crop alone",
    "none": "none",
    "bicubic": "bicubic",
    "bilinear": "bilinear",
}  # messages


def subject(context: ReportContext) -> tuple[Section, ...]:
    """The model, its preprocessing, the texts and the third-party components."""
    run = context.run
    manifest, plan = run.manifest, run.plan
    model: dict[str, Any] = manifest.get("model", {})
    facts = [
        Fact("Model", model.get("title") or plan.model.title),
        known_fact("Name", model.get("name") or plan.model.name),
        known_fact("Pretrained tag", model.get("pretrained")),
        known_fact("Architecture", model.get("architecture")),
        known_fact("Families", of_both("{image} image tower, {text} text tower", model, "family")),
        *(Fact(label, value) for label, value in loading_lines(model.get("recognised") or {})),
        known_fact("Depth", of_both("{image} image blocks, {text} text blocks", model, "depth")),
        known_fact("Parameters", filled("{value:,}", model.get("parameters"))),
        known_fact("Joint space", filled("{value} dimensions", model.get("embed_dim"))),
        known_fact("Native grid", _grid(model)),
        known_fact("Logit scale", filled("{value:.4g}", model.get("logit_scale"))),
        known_fact("Device, precision", of_both("{device}, {dtype}", model)),
        known_fact(
            "Capabilities", ", ".join(say(_CAPABILITIES.get(name, name)) for name in model.get("capabilities", []))
        ),
        known_fact("Weights as loaded, SHA-256", model.get("digest"), code=True),
        known_fact("Weights file, SHA-256", model.get("weights_sha256"), code=True),
        *signature_facts(model),
    ]
    sections = [Section("Model", tuple(fact for fact in facts if fact))]
    card = model.get("card")
    if card:
        statements = [
            known_fact("Training data", card.get("data")),
            known_fact("Licence", card.get("licence")),
            known_fact("Known limitations", card.get("cannot")),
        ]
        measured = tuple((str(name), str(value)) for name, value in card.get("figures") or [])
        tables = (FIGURES.table(say("Figures on the model card"), measured),) if measured else ()
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
                tables=(
                    COMPONENTS.table(
                        say("Main components; annex {letter} lists all", letter=LETTERS["environment"]), rows
                    ),
                ),
            )
        )
    return tuple(sections)


def _texts(run: Run) -> Section:
    texts = run.plan.texts
    facts = [
        Fact(
            "Captions",
            say("those of each image, at most {most}", most=texts.captions_each) if texts.captions else say("not used"),
        ),
        Fact(
            "Prompts",
            say("{prompts}, used for every image", prompts=plural(len(texts.prompts), "prompt"))
            if texts.prompts
            else say("none"),
        ),
        Fact("Classes", _classes(len(texts.classes), texts.top_classes)),
        Fact("Templates", " | ".join(texts.templates)),
    ]
    sets = sets_of(texts.templates if texts.classes else (), texts.prompts)
    facts += [Fact("Prompt set", each.label) for each in sets]
    # Class names are short and many: a list reads better than a table and takes a tenth of its room.
    names = texts.classes[:MOST_ROWS]
    if names:
        facts.append(Fact("Class names", _listed(names, len(texts.classes))))
    table = PROMPTS.table(
        say("Prompts"), texts.prompts[:MOST_ROWS], rest_of(len(texts.prompts), MOST_ROWS, "plan.json")
    )
    return Section("Texts", tuple(facts), tables=(table,) if texts.prompts else ())


def _classes(count: int, explained: int) -> str:
    """How many classes there are, and which of them are explained."""
    if not count:
        return say("none")
    classes = plural(count, "class", "classes")
    if explained == 1:
        return say("{classes}; explained for each image: the class with the highest score", classes=classes)
    return say(
        "{classes}; explained for each image: the {top} classes with the highest score", classes=classes, top=explained
    )


def _listed(names: Sequence[str], count: int) -> str:
    told = ", ".join(names)
    if count <= len(names):
        return told
    return say("{names} and {more:,} more, all in plan.json of evidence.zip", names=told, more=count - len(names))


def known_fact(name: str, value: Any, code: bool = False) -> Fact | None:
    """A fact; None where its value is not known."""
    return Fact(name, str(value), code) if value not in (None, "") else None


def of_both(template: str, model: Mapping[str, Any], what: str = "") -> str | None:
    """A template filled with two facts of a model, or with one of both its towers; None where one is not known."""
    names = (f"image_{what}", f"text_{what}") if what else ("device", "dtype")
    values = {name.removesuffix(f"_{what}"): model.get(name) for name in names}
    return None if any(value in (None, "") for value in values.values()) else say(template, **values)


def filled(template: str, value: Any) -> str | None:
    """A template filled with a value; None where it is not known."""
    return say(template, value=value) if value else None


def _grid(model: Mapping[str, Any]) -> str | None:
    if not model.get("rows"):
        return None
    return say("{rows} \u00d7 {columns} cells", rows=model["rows"], columns=model["columns"])


def _known(name: str, prepared: Mapping[str, Any]) -> str:
    """A setting of the preprocessing in words, where it is one of those that are known."""
    value = str(prepared.get(name))
    return say(_RESIZING.get(value, value))


def _prepared(prepared: Mapping[str, Any]) -> Section:
    """What is done to an image before the model sees it."""
    before = prepared.get("resized")
    if isinstance(before, int):
        to = say(", shortest edge {edge} pixels, then cropped", edge=before)
    elif before is None:
        to = ""
    else:
        to = say(", to {width} \u00d7 {height} pixels, then cropped", width=before[1], height=before[0])
    return Section(
        "Preprocessing",
        (
            Fact(
                "Input",
                say("{width} \u00d7 {height} pixels", width=prepared["width"], height=prepared["height"]),
            ),
            Fact("Resizing", f"{_known('mode', prepared)}, {_known('interpolation', prepared)}{to}"),
            Fact(
                "Mean, standard deviation",
                f"{_numbers(prepared.get('mean', ()))}; {_numbers(prepared.get('std', ()))}",
            ),
        ),
    )


def _numbers(values: Sequence[float]) -> str:
    return " ".join(say("{value:.4g}", value=float(value)) for value in values)
