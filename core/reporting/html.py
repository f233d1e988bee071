"""The report's content as HTML: for the PDF renderer, or standing alone for a browser."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from core.characters import legible
from core.content.assets import Asset, Assets
from core.content.faces import unpacked
from core.content.house_style import HouseStyle
from core.content.parts import Block, Report, Section
from core.languages import SOURCE, language, say, voice
from core.reporting.house import house
from core.reporting.stakeholder import for_stakeholders
from core.rules.writing import unbroken
from core.settings import ROOT, VERSION, as_typed

TEMPLATES = ROOT / "templates"
FACES = (
    ("IBM Plex Sans", 400, "normal", "IBMPlexSans-Regular.woff2"),
    ("IBM Plex Sans", 400, "italic", "IBMPlexSans-Italic.woff2"),
    ("IBM Plex Sans", 600, "normal", "IBMPlexSans-SemiBold.woff2"),
    ("IBM Plex Sans", 700, "normal", "IBMPlexSans-Bold.woff2"),
    ("IBM Plex Mono", 400, "normal", "IBMPlexMono-Regular.woff2"),
)
# Where a long word without blanks, such as the name of a file, may end a line. The last point only where it is the
# only place: an ending of its own line is no better than a broken word.
_WORD = re.compile(r"\S{12,}")
_JOINT = re.compile(r"(?<=[_/])(?=\w)|(?<=-)(?=[^\W\d])|(?<=\.)(?=[^\W\d]\w{4})")
_POINT = re.compile(r"(?<=\w\.)(?=[^\W\d])")

# A command in a sentence is printed as a block of its own, as it is typed.
_COMMAND = re.compile(r" ?\((python -m core [^()]+)\)([.,;:]?) ?")

# A text of a template that is translated.
_MESSAGE = re.compile(r'\b_\("([^"]+)"')

# The width of one image and the height that it may have, in mm, by the number of images in a row (`report.css`).
SIZES = {5: (32.4, 40.0), 6: (26.4, 30.0)}

# The languages in which every text of the full edition is translated.
FULL_IN = (SOURCE, "de")
FULL, STAKEHOLDER = "report.html.j2", "stakeholder.html.j2"


def render_html(
    report: Report, assets: Assets, *, standalone: bool, edition: str = FULL, style: HouseStyle | None = None
) -> str:
    """The page of one edition, FULL or STAKEHOLDER.

    `standalone` puts images, fonts and styles inside it; otherwise they are `audit://` addresses.
    Every value is escaped; a name that a template doesn't get is an error, not an empty place.
    """
    page = _environment().get_template(edition)
    own = house(style or HouseStyle(), assets, report)
    shared: dict[str, Asset] = {}

    def share(name: str) -> tuple[int, int]:
        """The width and height of an image that a page for a browser has once, however often it shows it."""
        if name not in shared:
            shared[name] = assets.items[name].on_screen()
        size = shared[name].size
        assert size is not None
        return size

    return page.render(
        report=report,
        version=VERSION,
        language=language(),
        only_english=only_english(),
        house=own,
        standalone=standalone,
        # The style sheet is the product's own file and holds nothing that came from outside.
        style=Markup(stylesheet(assets, standalone=standalone, css=own.css)),  # noqa: S704
        address=lambda name: assets.address(name, standalone),
        share=share,
        shared=shared,
        bar_width=lambda name, each: bar_width(assets.items[name], each),
    )


@cache
def template_texts() -> tuple[str, ...]:
    """What the templates of the full report say themselves, without tags and without what they fill in."""
    sources = [
        path.read_text(encoding="utf-8") for path in (TEMPLATES / FULL, *sorted(TEMPLATES.glob("sections/*.j2")))
    ]
    bare = (re.sub(r"{[{%#].*?[}%#]}|<[^>]*>", " ", source, flags=re.S) for source in sources)
    return (*bare, *(message for source in sources for message in _MESSAGE.findall(source)))


def bar_width(image: Asset, each: int) -> int:
    """The width of a colour bar in percent of its place: that of the image above it, which may be narrower."""
    if image.size is None or each not in SIZES:
        return 100
    width, height = SIZES[each]
    return max(min(round(100 * height * image.size[0] / image.size[1] / width), 100), 50)


def render_page(template: str, assets: Assets, css: str = "", **values: Any) -> str:
    """A page of another template that stands alone, in the report's style; escaped and complete like the report."""
    style = Markup(stylesheet(assets, standalone=True, css=css))  # noqa: S704
    page = _environment().get_template(template)
    return page.render(
        version=VERSION,
        language=language(),
        style=style,
        standalone=True,
        address=lambda name: assets.address(name, True),
        bar_width=lambda name, each: bar_width(assets.items[name], each),
        **values,
    )


def stylesheet(assets: Assets, *, standalone: bool, css: str = "") -> str:
    """The report's CSS with its font faces, and then the rules of a house style."""
    faces = []
    for family, weight, style, file in FACES:
        # A browser gets the small file, the renderer the one that it need not unpack for every edition.
        name, media, form = (file, "font/woff2", "woff2") if standalone else (f"{file}.ttf", "font/ttf", "truetype")
        assets.items.setdefault(name, Asset(_font(file) if standalone else unpacked(file), media))
        faces.append(
            f'@font-face {{ font-family: "{family}"; font-weight: {weight}; font-style: {style}; '
            f'src: url("{assets.address(name, standalone)}") format("{form}"); }}'
        )
    return "\n".join(faces) + "\n" + (TEMPLATES / "report.css").read_text(encoding="utf-8") + css


def _shown(value: Any) -> Any:
    """A text without what no page, XML or PDF may hold, whoever let it through, and without a break inside a value.

    The product's own markup is printed as it is.
    """
    return _written(value) if isinstance(value, str) and not isinstance(value, Markup) else value


# Every edition prints the same texts.
@lru_cache(maxsize=2**15)
def _written(value: str) -> str:
    return unbroken(legible(as_typed(value)))


def _exact(value: str) -> Markup:
    """A text that is copied from the page, such as a hash or a command: legible, with its own spaces."""
    return escape(legible(as_typed(value)))


@pass_context
def _joints(context: Context, value: str) -> Markup:
    """A text whose long words may end a line after a joint and, unless one part alone is too long, nowhere else.

    A browser gets an element, which is not copied; the renderer breaks at characters only, and prints none for this.
    """
    mark = "<wbr>" if context["standalone"] else "\u200b"
    # Text, command and the mark after it, in turn; the mark stays with the text before the block.
    parts = [*_COMMAND.split(value), "", ""]
    out = []
    for text, command, end in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        out.append(_WORD.sub(lambda word: _jointed(word.group(), mark), str(escape(_written(text + end)))))
        if command:
            out.append(f'<span class="code command">{_exact(command)}</span>')
    return Markup("".join(out))  # noqa: S704


def _jointed(word: str, mark: str) -> str:
    return _JOINT.sub(mark, word) if _JOINT.search(word) else _POINT.sub(mark, word)


def _anchored(part: Section | Block) -> tuple[str, str]:
    """A section or finding in the list of contents: its anchor, and its title after the letter that it may have."""
    letter = getattr(part, "letter", "")
    title = _told(part.title)
    return part.anchor, f"{letter}. {title}" if letter else title


@cache
def _font(file: str) -> bytes:
    return (TEMPLATES / "fonts" / file).read_bytes()


def only_english() -> str:
    """A sentence on the full report where it is not in the language of this edition; empty in English."""
    return "" if language() in FULL_IN else say("The full report is written in English.")


def _told(value: str) -> str:
    """The message for a fixed text of the product in the current language."""
    return voice().message(value)


def _message(text: str) -> Markup:
    """The message for a text of a template; escaped, because a catalogue is data."""
    return escape(voice().message(text))


def _messages(one: str, many: str, count: int) -> Markup:
    return _message(one if count == 1 else many)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(_message, _messages, newstyle=True)  # type: ignore[attr-defined]
    environment.filters["told"] = _told
    environment.filters["shown"] = _shown
    environment.filters["exact"] = _exact
    environment.filters["joints"] = _joints
    environment.filters["anchored"] = _anchored
    environment.filters["brief"] = for_stakeholders
    return environment
