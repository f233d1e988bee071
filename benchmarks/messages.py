"""Write core/locale/loupe.pot, every text that a report prints, and renew the catalogues beside it.

    PYTHONPATH=. python benchmarks/messages.py          writes the template and the catalogues
    PYTHONPATH=. python benchmarks/messages.py --open   prints what a catalogue lacks, one line of JSON each

A text is found as the first argument of `say`, as the nouns of `plural`, in a template, on a card that an
application, a method, a metric or a rule has, in files of data (the glossary, the frameworks of requirements, prompt
sets, the record of planted flaws), as the name of a fact or the title of a column, and in a constant whose first or
last line ends with the comment `# messages` (with `: keys`, `: first`, `: lower` or `: nouns` of a dictionary). What
plug-ins bring is not translated.
"""

from __future__ import annotations

import ast
import io
import json
import sys
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from core.applications.registry import APPLICATIONS
from core.datasets.prompt_sets import prompt_sets
from core.evaluation.metrics import BY_NAME, METRICS
from core.findings.judgement import every_rule
from core.languages.catalogue import COUNT, FILE, FOLDER, SOURCE, offered
from core.methods import METHODS
from core.reporting import requirements
from core.reporting.detection import detection_record
from core.settings import ROOT
from core.terms import ENTRIES

TEMPLATE = FOLDER / "loupe.pot"
HEADER = "# Texts of Loupe. Generated from the sources by benchmarks/messages.py; a catalogue holds the translations."
# The nouns that a sentence needs in the dative are found by the specification in the catalogue of a language.
SAY, NOUNS = (
    {
        "say": 0,
        "Fact": 0,
        "ColumnSpec": 0,
        "Section": 0,
        "cell_column": 1,
        "Quantity": 0,
        "Chapter": 0,
        "known_fact": 0,
        "of_both": 0,
        "filled": 0,
        "wide": 0,
    },
    {"plural", "say_count"},
)
MARK = "# messages"


class Text(NamedTuple):
    """An English text with the place where it is written; `many` is the plural of a noun that is counted.

    heading: whether it is a name or a heading, most of which only the full edition has.
    """

    english: str
    place: str
    many: str = ""
    heading: bool = False


def texts() -> list[Text]:
    """Every text, each once, by place and then by position in it."""
    found: dict[tuple[str, str], Text] = {}
    for text in (*_of_cards(), *_of_data(), *_of_sources(), *_of_templates()):
        if text.english.strip():
            found.setdefault((text.english, text.many), text)
    return sorted(found.values(), key=lambda text: (text.place, text.english, text.many))


def _of_cards() -> Iterator[Text]:
    for rule in every_rule():
        place = f"rule {rule.id}"
        worded = [part for wording in rule.wordings.values() for part in (wording.title, wording.condition)]
        parts = (
            rule.question,
            rule.criterion,
            rule.cause,
            rule.effect,
            rule.recommendation,
            rule.samples,
            rule.counter,
        )
        yield from (Text(part, place) for part in (*worded, *parts, rule.unit))
    for application in APPLICATIONS.values():
        for part in (application.card.title, application.card.question):
            yield Text(part, f"application {application.name}")
    for method in METHODS.values():
        yield Text(method.unit, "units of methods")
        if not method.module:
            parts = (method.idea, method.assumes, method.fails, method.differs, method.notice)
            yield from (Text(part, f"method {method.name}") for part in parts)
    for metric in METRICS:
        parts = (metric.title, metric.short, metric.unit, metric.about, metric.direction)
        yield from (Text(part, "core/evaluation/metrics.py") for part in parts)


def _of_data() -> Iterator[Text]:
    """The texts of files that hold data: the glossary, the frameworks, the record of planted flaws, prompt sets."""
    for entry in ENTRIES:
        yield from (Text(part, "core/terms.toml") for part in (entry.term, entry.definition, *entry.headings))
    for path in sorted(requirements.FOLDER.glob("*.toml")):
        one = requirements.Framework.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        parts = [one.title, one.edition, one.note]
        for requirement in one.requirements:
            parts += (requirement.id, requirement.paraphrase, requirement.limits)
        yield from (Text(part, f"framework {one.id}") for part in parts)
    for each in prompt_sets().values():
        yield from (Text(part, f"prompt set {each.name}") for part in (each.title, each.source, each.licence))
    for flaw in detection_record().limit:
        yield from (Text(part, "core/reporting/detection.toml") for part in (flaw.flaw, flaw.scale, flaw.since))


def _of_sources() -> Iterator[Text]:
    for path in sorted((ROOT / "core").rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        source = path.read_text(encoding="utf-8")
        tree, lines = ast.parse(source), source.splitlines()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield from (text._replace(place=place) for text in _of_call(node))
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                written = lines[node.lineno - 1 : node.end_lineno or node.lineno]
                # The formatter puts the comment of a single text within its parentheses.
                ends = written if isinstance(node.value, ast.Constant) else (written[0], written[-1])
                mark = next((line.partition(MARK)[2].strip(": ") for line in ends if MARK in line), None)
                if mark == "nouns":
                    pairs = list(_constants(node.value, mark))
                    yield from (Text(one, place, many) for one, many in zip(pairs[::2], pairs[1::2], strict=True))
                elif mark is not None:
                    yield from (Text(part, place) for part in _constants(node.value, mark))


def _of_call(node: ast.Call) -> Iterator[Text]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in SAY and len(node.args) > SAY[name]:
        yield from (Text(part, "", heading=name != "say") for part in _either(node.args[SAY[name]]))
        if name == "Quantity":
            further = (*node.args[1:3], *(word.value for word in node.keywords if word.arg in ("unit", "counted")))
            yield from (Text(part, "") for argument in further for part in _either(argument))
    elif name == "Family":
        yield from (Text(part, "") for argument in node.args[1:] for part in _either(argument))
        yield from (Text(part, "") for word in node.keywords if word.arg == "each" for part in _either(word.value))
    elif name == "of_metric" and len(node.args) > 1:
        title = next(_either(node.args[0])), next(_either(node.args[1]))
        yield Text(title[1].replace("{metric}", BY_NAME[title[0]].title.lower()), "")
    elif name == "Criterion" and node.args:
        yield from (Text(part, "") for part in _either(node.args[-1]))
    elif name in NOUNS and len(node.args) > 1:
        one, *many = [part for argument in node.args[1:3] for part in _either(argument)] or [""]
        yield Text(one, "", many[0] if many else f"{one}s")


def _either(node: ast.expr) -> Iterator[str]:
    """The constants that an argument may be: itself, or either side of a condition."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_either(node.body), *_either(node.orelse))


def _constants(node: ast.expr, mark: str) -> Iterator[str]:
    if isinstance(node, ast.Dict):
        for part in node.keys if mark == "keys" else node.values:
            first = part.elts[0] if mark == "first" and isinstance(part, ast.Tuple) else part
            yield from _constants(first, mark) if first is not None else ()
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        for part in node.elts:
            yield from _constants(part, mark)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value.lower() if mark == "lower" else node.value


def _of_templates() -> Iterator[Text]:
    for path in sorted((ROOT / "templates").rglob("*.j2")):
        options = {"trimmed": "true", "newstyle_gettext": "true"}
        for _, _, message, _ in babel_extract(io.BytesIO(path.read_bytes()), ("_", "gettext"), (), options):
            english = message[0] if isinstance(message, tuple) else message
            if isinstance(english, str):
                yield Text(english, path.relative_to(ROOT).as_posix())


def template(found: list[Text]) -> bytes:
    """The template of catalogues, the same bytes for the same sources."""
    return _written(_catalogue(found, None, SOURCE), bare=True)


def renewed(found: list[Text], language: str) -> bytes:
    """A catalogue with the texts of today: translations are kept, those of texts that are gone are dropped."""
    path = FOLDER / language / FILE
    before = read_po(io.BytesIO(path.read_bytes()), locale=language) if path.exists() else None
    return _written(_catalogue(found, before, language))


def _catalogue(found: list[Text], before: Catalog | None, language: str) -> Catalog:
    made = Catalog(locale=language, header_comment=HEADER, project="Loupe", fuzzy=False)
    for text in found:
        key: str | tuple[str, str] = (text.english, text.many) if text.many else text.english
        contexts = [COUNT] if text.many else [None]
        if before is not None and text.many:
            contexts += sorted({one.context for one in before if one.context and one.id == key} - {COUNT})
        for context in contexts:
            known = before.get(key, context) if before is not None else None
            message = Message(
                key, known.string if known is not None else "", context=context, user_comments=[],
                auto_comments=[text.place],
            )  # fmt: skip
            made[key] = message
    return made


def _written(catalogue: Catalog, bare: bool = False) -> bytes:
    stream = io.BytesIO()
    write_po(stream, catalogue, width=110, omit_header=True, no_location=True)
    forms = "" if bare else f'"Plural-Forms: {catalogue.plural_forms}\\n"\n'
    code = "" if bare else f'"Language: {catalogue.locale_identifier}\\n"\n'
    head = (
        f'{HEADER}\nmsgid ""\nmsgstr ""\n{code}"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    )
    return (head + '"Content-Transfer-Encoding: 8bit\\n"\n' + forms + "\n").encode() + stream.getvalue()


def lacking(found: list[Text], language: str) -> list[Text]:
    """The texts that a catalogue does not translate."""
    known = read_po(io.BytesIO((FOLDER / language / FILE).read_bytes()), locale=language)
    out = []
    for text in found:
        message = known.get((text.english, text.many), COUNT) if text.many else known.get(text.english)
        told = message.string if message is not None else ""
        if not (all(told) if isinstance(told, tuple | list) and told else told):
            out.append(text)
    return out


def main() -> None:
    """Write the template and every catalogue, or print what they lack."""
    found = texts()
    if "--open" in sys.argv:
        for language in offered()[1:]:
            for text in lacking(found, language):
                print(json.dumps({"language": language, **text._asdict()}, ensure_ascii=False))
        return
    TEMPLATE.write_bytes(template(found))
    for language in offered()[1:]:
        (FOLDER / language / FILE).write_bytes(renewed(found, language))
        lost = lacking(found, language)
        print(f"{language}: {len(found) - len(lost)} of {len(found)} texts translated")


if __name__ == "__main__":
    main()
