"""What a page shows of a house style: name, logo, colours, and blocks of text that a sandbox renders."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from PIL import Image

from core.content.assets import Assets
from core.content.house_style import HouseStyle
from core.content.parts import Report
from core.errors import Refused, RunError
from core.languages import SOURCE, language, say
from core.sandbox import Allowance, Failure, call

PRODUCT = "Loupe"
# Characters of a block as it is printed.
MOST_PRINTED = 4_000
# Which rules of the style sheet have a colour.
_RULES = {
    "accent": (
        "color: {0}", "a, h1 .no, .contents .no, .cover .brand, .brief .brand",
        "border-color: {0}", ".cover, .card h3, .finding",
    ),
    "heading": ("color: {0}", "h1, h2"),
    "muted": ("color: {0}", ".said, .note, .paper, .label, .cover .brand span, .brief .brand span"),
}  # fmt: skip
_ALLOWANCE = Allowance(seconds=5.0, wall=20.0, memory=500_000_000, answer=2**20)


@dataclass(frozen=True)
class House:
    """name: in place of the product's. logo: the name of its asset. css: after the style sheet. blocks: paragraphs."""

    name: str = PRODUCT
    logo: str = ""
    css: str = ""
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def house(style: HouseStyle, assets: Assets, report: Report | None = None) -> House:
    """The house of a style for one report; without a report, its blocks are left out.

    Raises `RunError` for a block that cannot be rendered.
    """
    logo = ""
    if style.logo:
        data = base64.b64decode(style.logo)
        with Image.open(io.BytesIO(data)) as image:
            logo = assets.add(data, style.media, "png", image.size)
    return House(style.name or PRODUCT, logo, _css(style), {} if report is None else _blocks(style, report))


def _css(style: HouseStyle) -> str:
    """The rules that a style adds, and those for what the style sheet prints itself in another language."""
    lines = []
    for name, colour in sorted(style.colours.items()):
        rules = _RULES[name]
        lines += [f"{many} {{ {what.format(colour)}; }}" for what, many in zip(rules[::2], rules[1::2], strict=True)]
    if style.name:
        accent = f" color: {style.colours['accent']};" if "accent" in style.colours else ""
        lines.append(f"@page {{ @top-right {{ content: {content(style.name)};{accent} }} }}")
    elif "accent" in style.colours:
        lines.append(f"@page {{ @top-right {{ color: {style.colours['accent']}; }} }}")
    return "\n".join([*lines, *_margins()])


def _margins() -> list[str]:
    if language() == SOURCE and say("Page {page} of {pages}") == "Page {page} of {pages}":
        return []
    counters = {"\0": "counter(page)", "\1": "counter(pages)"}
    corner = content(say("Page {page} of {pages}", page="\0", pages="\1"), counters)
    place = content(say(", page {page}", page="\0"), {"\0": "target-counter(attr(href), page)"})
    lines = [
        f"@page {{ @bottom-right {{ content: {corner}; }} }}",
        f"@media print {{ .more a::after {{ content: {place}; }} }}",
    ]
    if language() != SOURCE:
        lines += [
            "p, li, dd, td { hyphens: auto; hyphenate-limit-chars: 10 4 4; }",
            # Heads of narrow columns break shorter words; heads of rows may be names of files, which have no hyphens.
            "thead th, table.facts th { hyphens: auto; hyphenate-limit-chars: 7 3 3; }",
            ".code { hyphens: manual; }",
        ]
    return lines


def content(text: str, counters: Mapping[str, str] | None = None) -> str:
    """A text as the value of the CSS property `content`, with counters in place of their marks. It ends no style."""
    parts = [""]
    for letter in text:
        if counters and letter in counters:
            parts += [letter, ""]
        else:
            parts[-1] += letter
    written = (
        (counters or {}).get(part) or json.dumps(part, ensure_ascii=False).replace("<", "\\3c ").replace("\\n", " ")
        for part in parts
        if part
    )
    return " ".join(written) or '""'


def _blocks(style: HouseStyle, report: Report) -> dict[str, tuple[str, ...]]:
    if not style.blocks:
        return {}
    facts = {fact.name: fact.value for fact in report.cover.facts}
    values = {
        "run": report.run,
        "title": report.title,
        "date": facts.get("Report dated", report.date),
        "model": facts.get("Model", ""),
        "dataset": facts.get("Dataset", ""),
        "opinion": say(report.overview.opinion),
    }
    job = json.dumps({"blocks": style.blocks, "values": values}).encode()
    try:
        told: dict[str, str] = call(rendered, data=job, allowance=_ALLOWANCE).value
    except (Refused, Failure) as refused:
        raise RunError(f"a block of the house style {refused}") from refused
    return {place: tuple(part for part in text.split("\n\n") if part.strip()) for place, text in told.items()}


def rendered(data: bytes) -> tuple[Any, bytes]:
    """Task: the blocks as text. A template reaches its values and nothing else."""
    job = json.loads(data)
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    try:
        texts = {place: environment.from_string(text).render(job["values"]) for place, text in job["blocks"].items()}
    except (TemplateError, OverflowError, TypeError, ValueError) as error:
        raise Refused(f"cannot be rendered: {error}") from error
    if any(len(text) > MOST_PRINTED for text in texts.values()):
        raise Refused(f"has more than {MOST_PRINTED:,} characters")
    return texts, b""
