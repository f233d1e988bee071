"""How the concepts of a run were ranked, as facts of its chapter. No torch."""

from __future__ import annotations

import re

from core.applications.concepts.record import ConceptRecord
from core.applications.phrases import passes
from core.content.parts import Fact
from core.languages import localised, say

# What the plan says of crops: how both sizes count, and what fills the margin.
SCALES = {"sum": "sum", "mean": "mean"}  # messages
MARGINS = {"mean": "mean", "noise": "noise"}  # messages
# What `core.concepts.vocabulary` says of concepts that an auditor added.
_CUSTOM = re.compile(r"(?:(.+) and )?(\d+) custom concepts")


def facts(record: ConceptRecord) -> tuple[Fact, ...]:
    """What was ranked, by which crops, and what it cost."""
    about = record.about
    return (
        Fact("Images", localised(f"{len(record.images):,}")),
        Fact(
            "Concepts",
            say(
                "{concepts:,}, of which {listed:,} listed: {source}",
                concepts=about["concepts"],
                listed=about["listed"],
                source=source_words(about["source"]),
            ),
        ),
        Fact(
            "Crops",
            say(
                "{crops} per image ({preset}), maps of {cells} × {cells}",
                crops=about["crops"],
                preset=about["preset"],
                cells=about["cells"],
            ),
        ),
        Fact(
            "Scales and margin",
            say(
                "{scales} over the two crop sizes; margin: {margin}",
                scales=say(SCALES[about["scale_weight"]]),
                margin=say(MARGINS[about["margin"]]),
            ),
        ),
        Fact("Forward passes", passes(about)),
        Fact("Vocabulary SHA-256", about["vocabulary_sha256"], code=True),
    )


def source_words(source: str) -> str:
    """Where the concepts of a record come from, which it states in English, in the current language."""
    found = _CUSTOM.fullmatch(source)
    if found is None:
        return say(source)
    own = say("{count} custom concepts", count=int(found[2]))
    return say("{source} and {custom}", source=say(found[1]), custom=own) if found[1] else own
