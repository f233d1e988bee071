"""The report's content as HTML: for the PDF renderer, or standing alone for a browser."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.characters import legible
from core.reporting.assets import Asset, Assets
from core.reporting.content import Report
from core.settings import ROOT, VERSION

TEMPLATES = ROOT / "templates"
FACES = (
    ("IBM Plex Sans", 400, "normal", "IBMPlexSans-Regular.woff2"),
    ("IBM Plex Sans", 400, "italic", "IBMPlexSans-Italic.woff2"),
    ("IBM Plex Sans", 600, "normal", "IBMPlexSans-SemiBold.woff2"),
    ("IBM Plex Sans", 700, "normal", "IBMPlexSans-Bold.woff2"),
    ("IBM Plex Mono", 400, "normal", "IBMPlexMono-Regular.woff2"),
)


def render_html(report: Report, assets: Assets, *, standalone: bool) -> str:
    """The page. `standalone` puts pictures, fonts and styles inside it; otherwise they are `audit://` addresses.

    Every value is escaped; a name that a template doesn't get is an error, not an empty place.
    """
    page = _environment().get_template("report.html.j2")
    return page.render(
        report=report,
        version=VERSION,
        standalone=standalone,
        # The style sheet is the product's own file and holds nothing that came from outside.
        style=Markup(stylesheet(assets, standalone=standalone)),
        address=lambda name: assets.address(name, standalone),
    )


def stylesheet(assets: Assets, *, standalone: bool) -> str:
    """The report's CSS with its font faces."""
    faces = []
    for family, weight, style, file in FACES:
        assets.items.setdefault(file, Asset(_font(file), "font/woff2"))
        faces.append(
            f'@font-face {{ font-family: "{family}"; font-weight: {weight}; font-style: {style}; '
            f'src: url("{assets.address(file, standalone)}") format("woff2"); }}'
        )
    return "\n".join(faces) + "\n" + (TEMPLATES / "report.css").read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    """A text without what no page, XML or PDF may hold, whoever let it through; the product's own markup as it is."""
    return legible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _font(file: str) -> bytes:
    return (TEMPLATES / "fonts" / file).read_bytes()


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
