"""Rules on maps of single words: do two computations agree, do pairs explain anything, do function words count less?"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from core.applications.word_maps.measures import MEASURES, each_of_run, word_maps_table
from core.applications.word_maps.record import WAYS, of_run
from core.languages import say
from core.rules import Context, Outcome, Rule, Wording
from core.rules.estimate_rules import outcome_of

LEAST = "general.least_images"
WORD, GAIN, EXCESS = "word_maps.words.least_difference", "word_maps.pairs.least_gain", "word_maps.function.most_excess"


def word_differences(context: Context) -> Iterator[Outcome]:
    """How much more two computations agree about one word than about different words of the same text."""
    yield from _outcome(context, "beyond", WORD, at_most=False)


def pair_gains(context: Context) -> Iterator[Outcome]:
    """The share of variance that pairs of a patch and a word explain beyond patches and words alone."""
    yield from _outcome(context, "gain", GAIN, at_most=False)


def function_excesses(context: Context) -> Iterator[Outcome]:
    """The share of the maps on function words beyond their share of the words, for each computation."""
    for way, title in WAYS.items():
        yield from _outcome(context, f"function_{way}", EXCESS, at_most=True, part=way, title=title)


def _outcome(
    context: Context, measure: str, threshold: str, *, at_most: bool, part: str = "", title: str = ""
) -> Iterator[Outcome]:
    record = context.record(of_run)
    if record is None:
        return
    each = context.run.once(each_of_run)
    (row,) = [row for row in word_maps_table(record, each).itertuples() if row.measure == measure]
    images = each[["image", measure]].rename(columns={measure: "value"})
    texts: pd.DataFrame = record.texts[["image", "image_name", "text"]].drop_duplicates("image")
    yield outcome_of(
        MEASURES[measure],
        row,
        float(context.thresholds[threshold]),
        images.merge(texts, on="image"),
        at_most=at_most,
        least_n=int(context.thresholds[LEAST]),
        part=part,
        values={"title": say(title)},
    )


NUMBERS = "{value:+.2f} [{low:+.2f}, {high:+.2f}], n = {n} images"
FEW = "{n} images have this measure; at least {least_images} are needed."
WORDS = Rule(
    id="word_maps.words",
    subject="explanations",
    question="Do two independent computations agree about the map of a word?",
    criterion="The rank correlation of the two maps of one word exceeds that with maps of other words of the same text "
    "by at least {least_difference:g}; the whole 95 % interval of the mean over images lies above.",
    measure=word_differences,
    thresholds=(WORD, LEAST),
    wordings={
        "finding": Wording(
            "Maps of single words cannot be distinguished from each other",
            f"The two computations agree about a word hardly more than about other words: {NUMBERS}.",
        ),
        "passed": Wording(
            "Maps of single words can be interpreted",
            f"The two computations agree about a word more than about other words of the same text: {NUMBERS}.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: whether maps of single words can be interpreted",
            f"The interval of the difference reaches the criterion: {NUMBERS}.",
        ),
        "few": Wording("Inconclusive: too few images with two different content words", FEW),
    },
    cause="Hypothesis: the score depends on the text as a whole, or too few coalitions were evaluated.",
    effect="A map of a single word does not show what the model associates with this word.",
    recommendation="Read the map of the whole text instead, or evaluate more coalitions.",
    samples="smallest difference",
    counter="largest difference",
)
PAIRS = Rule(
    id="word_maps.pairs",
    subject="explanations",
    question="Do joint effects of a patch and a word explain part of the score?",
    criterion="Pairs of a patch and a word add at least {least_gain:.0%} to the share of the score's variance that is "
    "explained on coalitions not used for the fit; the whole 95 % interval lies above.",
    measure=pair_gains,
    thresholds=(GAIN, LEAST),
    wordings={
        "finding": Wording(
            "Maps of interactions explain nothing beyond patches and words alone",
            f"The gain in explained variance is {NUMBERS}.",
        ),
        "passed": Wording(
            "Joint effects of patches and words explain part of the score",
            f"The gain in explained variance is {NUMBERS}.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: whether maps of interactions explain anything",
            f"The interval of the gain in explained variance reaches the criterion: {NUMBERS}.",
        ),
        "few": Wording("Inconclusive: too few images with maps of interactions", FEW),
    },
    cause="Hypothesis: too few coalitions for the number of pairs, so that the fit follows noise.",
    effect="Maps of interactions may be noise.",
    recommendation="Evaluate more coalitions, or do not show these maps.",
    samples="smallest gain",
    counter="largest gain",
)
FUNCTION = Rule(
    id="word_maps.function",
    english=True,
    subject="explanations",
    question="Do function words receive more of the maps than their share of the words?",
    criterion="The share of the maps' absolute values that belongs to function words exceeds their share of the words "
    "by at most {most_excess:g}; the whole 95 % interval lies at or below.",
    measure=function_excesses,
    thresholds=(EXCESS, LEAST),
    wordings={
        "finding": Wording(
            "{title}: function words receive more than their share of the words", f"The difference is {NUMBERS}."
        ),
        "passed": Wording(
            "{title}: function words receive no more than their share of the words", f"The difference is {NUMBERS}."
        ),
        "cannot_conclude": Wording(
            "Inconclusive: share of function words ({title})", f"The interval reaches the criterion: {NUMBERS}."
        ),
        "few": Wording("Inconclusive: too few images whose text has both function and content words ({title})", FEW),
    },
    cause="Hypothesis: the text tower gathers meaning at these words.",
    effect="Maps follow the form of a sentence in part, not its content.",
    recommendation="Compare texts with and without these words before a map is read word by word.",
    samples="largest difference",
    counter="smallest difference",
)
RULES = (WORDS, PAIRS, FUNCTION)
