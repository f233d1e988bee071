"""The rule on words that the text tower takes for one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.applications.reliance_record import of_run
from core.evaluation.summary import Summary
from core.evaluation.susceptibility import word_twins
from core.findings.finding import Finding, Number
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import NAMED, again
from core.findings.thresholds import Thresholds
from core.runs import Run


def merged_words(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Are there two content words that make no difference to any sentence, and don't mean the same?"""
    record = of_run(run)
    if record is None:
        return
    most, fewest = float(thresholds["words.merged.most_distance"]), int(thresholds["words.ignored.least_words"])
    table = word_twins(record)
    words = int(record.twins["word"].nunique())
    common: dict[str, Any] = dict(
        id="words.merged",
        rule="words.merged",
        threshold=thresholds.label("words.merged.most_distance"),
        criterion="Two content words that aren't kin in WordNet change fixed sentences differently, somewhere by more "
        f"than {most:.0%} of what parts the typical pair there. The range over sentences takes the place of an "
        "interval: the numbers are exact.",
        reproduce=again(run),
    )
    if words < fewest:
        yield cannot_conclude(
            title="Too few words to say which ones the model takes for one another",
            condition=f"{words} content words were tried; at least {fewest} are needed to know what is typical.",
            **common,
        )
        return
    close = table[table["high"] < most]
    found = close[~close["kin"]]
    rows = (found if len(found) else table).head(NAMED)
    common["evidence"] = tuple(
        Number(
            name=f"distance of \u201c{row.word}\u201d and \u201c{row.other}\u201d beside the typical pair "
            "(sentences)",
            value=row.value, low=row.low, high=row.high, n=int(row.n),
        )
        for row in rows.itertuples()
    )  # fmt: skip
    first = rows.iloc[0]
    if found.empty:
        kin = f" {len(close)} closer pairs are kin." if len(close) else ""
        yield passed(
            title="Every two content words that were tried are told apart",
            condition=f"{words} words; the closest, \u201c{first.word}\u201d and \u201c{first.other}\u201d, differ "
            f"by up to {first.high:.0%} of the typical." + kin,
            **common,
        )
        return
    made, word = grade(0.7, 1.0, int(found["n"].max()) * len(found), thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"The text tower takes \u201c{first.word}\u201d for \u201c{first.other}\u201d",
        condition=f"{len(found)} of {words} words can't be told from another one in any of {int(first.n)} sentences.",
        counter_note=f"The next pair, \u201c{table.iloc[len(close)].word}\u201d and "
        f"\u201c{table.iloc[len(close)].other}\u201d, differs by up to {table.iloc[len(close)].high:.0%}."
        if len(table) > len(close)
        else "",
        cause="Hypothesis: the tokenizer maps both to the same pieces, or training never made a difference of them.",
        effect="Texts that differ only in these words get the same scores and the same maps.",
        recommendation="Compare the scores of texts with either word, and use others where they should differ.",
        **common,
    )
