"""Rules on words: function words that receive attribution, words without effect, words that are not distinguished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from core.applications.reliance.families import FUNCTION_WORDS
from core.applications.reliance.record import RelianceRecord, of_run
from core.applications.reliance.susceptibility import function_words, text_excess, word_effects, word_twins
from core.applications.reliance.verdicts import judged, values_of
from core.languages import say
from core.rules import Context, Outcome, Rule, Sample, Wording
from core.rules.parts import NAMED, SAMPLES, sample_of, title_of
from core.rules.power import Against
from core.rules.quantity import Quantity

WORD_EXCESS = Quantity("{method}: attribution on function words beyond their share")
# What a check that concerns no text counts.
TESTED = "words"  # messages
OVER_SENTENCES = Quantity("{name} (range over sentences, not an interval)", counted="sentences")


def function_word_shares(context: Context) -> Iterator[Outcome]:
    """The share of attribution on function words beyond their share of the words, by method."""
    record = context.record(of_run)
    if record is None:
        return
    most = float(context.thresholds["words.function.most_excess"])
    table = function_words(record, least=most)
    table = table[(table["n"] >= int(context.thresholds["general.least_images"])) & table["low"].notna()]
    if table.empty:
        yield Outcome("cannot_conclude", wording="few")
        return
    table = judged(table, most, FUNCTION_WORDS, context)
    first = table.iloc[0]
    finding = first["verdict"] == "finding"
    texts = text_excess(record, first["method"]).sort_values("part", ascending=False, kind="stable")
    above = texts["part"] > most
    yield Outcome(
        first["verdict"],
        n=int(first["n"]),
        likelihood=max(
            float((text_excess(record, method)["part"] > most).mean())
            for method in table[table["verdict"] == first["verdict"]]["method"]
        ),
        values={**values_of(table), "title": title_of(first["method"])},
        evidence=tuple(WORD_EXCESS.of(row, method=title_of(row.method)) for row in table.itertuples()),
        against=Against(most, tests=len(table), percent=True, within=(-1.0, 1.0)),
        samples=_texts(texts[above]) if finding else (),
        counter=_texts(texts[~above].iloc[::-1]) if finding else (),
    )


def _texts(rows: pd.DataFrame) -> tuple[Sample, ...]:
    return tuple(
        sample_of(
            row, (), say("{share:.0%} on {part} of {whole} words", share=row.share, part=row.function, whole=row.size)
        )
        for row in rows.head(SAMPLES).itertuples()
    )


def texts_with(record: RelianceRecord, words: Iterable[str]) -> tuple[float, int]:
    """The share of the measured texts that contain one of the words, and how many texts there are."""
    wanted = set(words)
    texts = record.words.assign(hit=record.words["word"].astype(str).str.lower().isin(wanted))
    hits = texts.groupby(["text_kind", "text"])["hit"].any()
    return (float(hits.mean()), len(hits)) if len(hits) else (0.0, 0)


def ignored_words(context: Context) -> Iterator[Outcome]:
    """The largest relative change that leaving out each content word makes in fixed sentences."""
    record = context.record(of_run)
    if record is None:
        return
    table = word_effects(record)
    if len(table) < int(context.thresholds["words.ignored.least_words"]):
        yield Outcome("cannot_conclude", n=len(table), unit=TESTED, wording="few", values={"tested": len(table)})
        return
    ignored = table["high"] < float(context.thresholds["words.ignored.least_change"])
    yield _outcome(
        record,
        "change of the text without \u201c{word}\u201d relative to the typical word",
        table[ignored],
        table[~ignored],
        words=table[ignored]["word"],
        tested=len(table),
        sentences=int(record.carriers["carrier"].nunique()),
    )


def merged_words(context: Context) -> Iterator[Outcome]:
    """The largest relative distance in fixed sentences between each content word and the one nearest to it."""
    record = context.record(of_run)
    if record is None:
        return
    table, tested = word_twins(record), int(record.twins["word"].nunique())
    if tested < int(context.thresholds["words.ignored.least_words"]):
        yield Outcome("cannot_conclude", n=tested, unit=TESTED, wording="few", values={"tested": tested})
        return
    close = table["high"] < float(context.thresholds["words.merged.most_distance"])
    merged = table[close & ~table["kin"]]
    yield _outcome(
        record,
        "distance of \u201c{word}\u201d and \u201c{other}\u201d relative to the typical pair",
        merged,
        table if close.all() else table[~close],
        words=[*merged["word"], *merged["other"]],
        tested=tested,
        related=int((close & table["kin"]).sum()),
        sentences=int(record.twins["carrier"].nunique()),
    )


def _outcome(
    record: RelianceRecord,
    name: str,
    beyond: pd.DataFrame,
    within: pd.DataFrame,
    *,
    words: Iterable[str],
    **counts: int,
) -> Outcome:
    """The outcome of exact numbers: a finding where rows lie beyond the limit; the next row stands beside them.

    Sentences are no sample, and repeat the same words: what a finding concerns are the texts that contain its words.
    A check that passed concerns no text: it rests on the tested words.
    """
    words = list(dict.fromkeys(words))
    share, texts = texts_with(record, words)
    rows = pd.concat([beyond.head(NAMED), within.head(1)])
    first = rows.iloc[0].to_dict() if len(rows) else {}
    n, unit = (texts, "texts") if len(beyond) else (counts["tested"], TESTED)
    return Outcome(
        "finding" if len(beyond) else "passed",
        n=n,
        unit=unit,
        likelihood=share,
        values={**first, "named": listed(words), "count": len(words), "share": share, "texts": texts, **counts},
        evidence=tuple(OVER_SENTENCES.of(row, name=name.format_map(row._asdict())) for row in rows.itertuples()),
    )


def listed(words: list[str]) -> str:
    """The first words in quotes, and how many more there are."""
    more = say(" and {count} more", count=len(words) - NAMED) if len(words) > NAMED else ""
    return ", ".join(say("“{text}”", text=word) for word in words[:NAMED]) + more


SHARES = (
    "{title} assigns function words {share:.0%} of the positive attribution; they are {words:.0%} of the words: a "
    "difference of {value:+.2f} [{low:+.2f}, {high:+.2f}], n = {n} texts."
)
HIGHEST = f"The upper end of the interval is highest for this method: {SHARES}"
FUNCTION = Rule(
    id="words.function",
    english=True,
    subject="explanations",
    question="Do function words receive more attribution than their share of the words?",
    criterion="The share of the positive attribution on function words (articles, prepositions, pronouns and similar) "
    "exceeds their share of the words by at most {most_excess:g}.",
    measure=function_word_shares,
    unit="texts",
    thresholds=("words.function.most_excess", "general.least_images", "general.significance"),
    wordings={
        "finding": Wording(
            "Function words receive a disproportionate share of the text attribution",
            f"The limit is exceeded for {{count}} of {{tested}} tested methods. The largest: {SHARES}",
        ),
        "passed": Wording(
            "Function words receive no more text attribution than their share of the words",
            f"Methods tested: {{tested}}; for each the whole interval lies within the limit. {HIGHEST}",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: attribution to function words",
            f"Whether the limit is exceeded remains undecided for {{count}} of {{tested}} tested methods. {HIGHEST}",
        ),
        "few": Wording(
            "Inconclusive: too few texts to assess attribution to function words",
            "At least {least_images} texts that contain both function words and others are needed.",
        ),
    },
    samples="largest share beyond that of the words, above the limit",
    counter="smallest share beyond that of the words, within the limit",
    cause="Hypothesis: the text tower gathers meaning at these words, or the method responds to positions rather "
    "than to words.",
    effect="Reading the values of single words is misleading.",
    recommendation="Read the values together with the fall of the score when these words are left out.",
)
EXACT = (
    "The numbers are exact for these sentences: a range over sentences is given instead of an interval, and nothing is "
    "inferred about other sentences."
)
IGNORED = Rule(
    id="words.ignored",
    english=True,
    subject="model",
    question="Are there content words that change no text?",
    criterion="Leaving out a content word changes at least one of the fixed sentences by {least_change:.0%} or more of "
    f"what the typical word changes there. {EXACT}",
    measure=ignored_words,
    unit="texts",
    thresholds=("words.ignored.least_change", "words.ignored.least_words"),
    wordings={
        "finding": Wording(
            "The text tower ignores {named}",
            "Leaving out {count} of {tested} content words changes no sentence by {least_change:.0%} of what the "
            "typical word changes: {named}. Of the {texts} measured texts, {share:.0%} contain one of them.",
        ),
        "passed": Wording(
            "Every tested content word changes the text's embedding",
            "Of {tested} content words, \u201c{word}\u201d changes the {sentences} fixed sentences least: by up to "
            "{high:.0%} of what the typical word changes there.",
        ),
        "few": Wording(
            "Inconclusive: too few words to find ignored ones",
            "{tested} content words were tested; at least {least_words} are needed to determine what is typical.",
        ),
    },
    cause="Hypothesis: the tokenizer drops the word, or training never required the model to use it.",
    effect="Texts that differ only in such a word receive the same scores and the same maps.",
    recommendation="Replace the word, and compare the scores of texts with and without it.",
)
MERGED = Rule(
    id="words.merged",
    english=True,
    subject="model",
    question="Are there unrelated content words that the text tower does not distinguish?",
    criterion="Each content word and the word nearest to it change at least one of the fixed sentences differently, by "
    "{most_distance:.0%} or more of the distance of the typical pair there, or the two are related in WordNet. "
    f"{EXACT}",
    measure=merged_words,
    unit="texts",
    thresholds=("words.merged.most_distance", "words.ignored.least_words"),
    wordings={
        "finding": Wording(
            "The text tower does not distinguish \u201c{word}\u201d from \u201c{other}\u201d",
            "Of {tested} content words, {count} are not distinguished from an unrelated one in any of the sentences: "
            "{named}. Of the {texts} measured texts, {share:.0%} contain one of them.",
        ),
        "passed": Wording(
            "Every tested content word is distinguished from the word nearest to it, or related to it",
            "Of {tested} content words, \u201c{word}\u201d and \u201c{other}\u201d are the closest that are "
            "distinguished: they differ by up to {high:.0%} of the typical distance in {sentences} fixed sentences. "
            "Closer pairs, all related in WordNet: {related}.",
        ),
        "few": Wording(
            "Inconclusive: too few words to find indistinguishable ones",
            "{tested} content words were tested; at least {least_words} are needed to determine what is typical.",
        ),
    },
    cause="Hypothesis: the tokenizer maps both to the same tokens, or training never required the model to distinguish "
    "them.",
    effect="Texts that differ only in these words receive the same scores and the same maps.",
    recommendation="Compare the scores of texts with either word, and use other words where the scores should differ.",
)
