"""Write docs/rules.md, the catalogue of all rules: `PYTHONPATH=. python benchmarks/rule_catalogue.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.findings.judgement import every_rule, limits_of
from core.rules import Rule, Thresholds, load_thresholds
from core.rules.finding import SUBJECTS
from core.rules.thresholds import bounds, fields
from core.settings import ROOT

PAGE = ROOT / "docs" / "rules.md"
VERDICTS = {"finding": "Finding", "passed": "Passed", "cannot_conclude": "Cannot conclude"}
START = """# Rules

Every finding of a report comes from one of these rules. A rule measures one question and compares the value with a
criterion. Its outcome is one of three:

* **Finding**: the criterion is shown to be missed. Severity is impact \u00d7 likelihood ([severity.md](severity.md)).
* **Passed**: the criterion is shown to hold, by the whole interval or by a complete count.
* **Cannot conclude**: neither is shown, mostly because there are too few independent units.

A rule whose question does not arise in a run, such as one on an application that was not run, has no outcome. A rule
that needs English rests on lists of English words or on WordNet; it cannot conclude where more than a tenth of the
captions, prompts or classes are certain to be in another language. Names in \u27e8brackets\u27e9 are filled with what
was measured.

The values below are those of the built-in file, version {version}. A file with other values is given with
`--thresholds FILE`; a report prints its version and its hash, and values outside the ranges below are refused. The exit
code is 1 where a finding, about the explanations too, reaches the severity that `--fail-on` names.

This page is generated from the rules in the source: `PYTHONPATH=. python benchmarks/rule_catalogue.py`.
"""


class _Open(str):
    """A name that only a run fills; it is printed in brackets, whatever the format."""

    def __format__(self, _: str) -> str:
        return "\u27e8" + self + "\u27e9"


class _Values(dict[str, Any]):
    def __missing__(self, name: str) -> _Open:
        return _Open(name)


def as_markdown(thresholds: Thresholds) -> str:
    """The page, in Markdown."""
    return "\n".join([START.format(version=thresholds.version), *_lines(thresholds)]) + "\n"


def _lines(thresholds: Thresholds) -> Iterator[str]:
    for subject, title in SUBJECTS.items():
        part = [rule for rule in every_rule() if rule.subject == subject]
        if part:
            yield f"## About {title}\n"
        for rule in part:
            yield from _rule(rule, thresholds)
    yield "## Values that rules share\n"
    yield from _table(("general.least_images", "general.significance", "severity.high", "severity.medium"), thresholds)


def _rule(rule: Rule, thresholds: Thresholds) -> Iterator[str]:
    values = _Values(limits_of(rule, thresholds))
    impact = f"impact.{rule.id}"
    yield f"### `{rule.id}`\n"
    yield f"{rule.question}\n"
    yield f"* **Criterion**: {rule.criterion.format_map(values)}"
    yield f"* **Unit of n**: {rule.unit}"
    yield f"* **Impact**: {thresholds[impact]:g}. {dict(fields())[impact].description}"
    for name, wording in rule.wordings.items():
        # An outcome with a name of its own keeps it: several wordings can belong to one verdict.
        label = VERDICTS.get(name, f"Outcome \u201c{name}\u201d")
        yield f"* **{label}**: {wording.title.format_map(values)}. {wording.condition.format_map(values)}"
    for label, text in (("Cause", rule.cause), ("Effect", rule.effect), ("Recommendation", rule.recommendation)):
        if text:
            yield f"* **{label}**: {text.format_map(values)}"
    for label, text in (("Samples", rule.samples), ("Counter-samples", rule.counter)):
        if text:
            yield f"* **{label}**: {text.format_map(values)}"
    yield ""
    if rule.thresholds:
        yield from _table(rule.thresholds, thresholds)
        yield ""


def _table(names: tuple[str, ...], thresholds: Thresholds) -> Iterator[str]:
    known = dict(fields())
    yield "| value | built in | range | reason |"
    yield "| --- | --- | --- | --- |"
    for name in names:
        least, most = bounds(name)
        yield f"| `{name}` | {thresholds[name]:g} | {least:,} to {most:,} | {known[name].description} |"


if __name__ == "__main__":
    PAGE.write_text(as_markdown(load_thresholds()), encoding="utf-8")
