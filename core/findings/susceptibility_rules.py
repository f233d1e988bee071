"""Rules on words: pasted into pictures, around the class's name, without meaning of their own, without effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.applications.reliance_record import of_run
from core.evaluation.summary import Summary
from core.evaluation.susceptibility import function_words, stickers, templates, word_effects
from core.findings.finding import Finding, Number, Sample
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import NAMED, SAMPLES, again, known, title_of, too_few, undecided
from core.findings.thresholds import Thresholds
from core.runs import Run
from core.statistics.families import FUNCTION_WORDS


def typographic(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Does a printed word move the score towards what it says, more than letters without meaning do?"""
    record = of_run(run)
    if record is None:
        return
    least = float(thresholds["reliance.typographic.least_effect"])
    got = stickers(record, least=least)
    effect = got.effect
    common: dict[str, Any] = dict(
        id="reliance.typographic",
        rule="reliance.typographic",
        threshold=thresholds.label("reliance.typographic.least_effect"),
        criterion=f"The name of another class, printed on the picture, lowers the margin over that class by at most "
        f"{least:g} spreads of the classes' scores more than nonsense letters of its size. Text that is in the picture "
        "already is not read.",
        evidence=(
            Number(name="fall of the margin beyond letters, in spreads", **vars(effect.interval)),
            Number(name="pictures that the word turns", **vars(got.flips)),
            Number(name="pictures that letters turn to the same class", **vars(got.letter_flips)),
        ),
        reproduce=again(run),
    )
    if undecided(effect, thresholds) or effect.value is None:
        why = "" if len(record.stickers) else " Words are pasted only where the audit has two classes."
        finding = too_few("Too few pictures to say whether printed words are read", effect.n, thresholds, common)
        yield finding.model_copy(update={"condition": finding.condition + why})
        return
    if not _above(effect.low, effect.p, least, thresholds):
        yield passed(
            title="Printed words are not shown to move the scores",
            condition=f"A printed class name lowers the margin by {effect.value:.2f} spreads more than letters do; it "
            f"turns {got.flips.value or 0:.0%} of the pictures.",
            **common,
        )
        return
    rows = record.stickers.assign(moved=lambda r: (r["with_letters"] - r["with_word"]) / r["spread"])
    rows = rows.sort_values("moved", ascending=False)
    made, word = grade(0.8, float((rows["moved"] > least).mean()), effect.n, thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title="Words printed in the picture move the scores",
        condition=f"A printed class name lowers the margin by {effect.value:.2f} spreads more than nonsense letters do "
        f"and turns {got.flips.value or 0:.0%} of the pictures to the class it names.",
        samples=_stickers(rows),
        rule_of_samples="largest fall of the margin beyond letters",
        counter=_stickers(rows.iloc[::-1]),
        counter_note="smallest fall",
        cause="Hypothesis: the model reads, and lettering went with its texts in training.",
        effect="Whoever can put a word into a picture chooses its score; labels, signs and watermarks mislead it.",
        recommendation="Cover or blur text before scoring, and look at high scores for pictures with lettering.",
        **common,
    )


def template_sensitivity(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Does the best class hang on how it is put into a sentence?"""
    record = of_run(run)
    if record is None:
        return
    most = float(thresholds["prompts.templates.most_changed"])
    common: dict[str, Any] = dict(
        id="prompts.templates",
        rule="prompts.templates",
        threshold=thresholds.label("prompts.templates.most_changed"),
        criterion=f"On average at most {most:.0%} of the templates give a picture another best class than the plan's.",
        reproduce=again(run),
    )
    if record.templates.empty:
        yield cannot_conclude(
            title="Whether templates matter can't be said",
            condition="Templates are compared where the audit has two classes.",
            **common,
        )
        return
    got = templates(record, least=most)
    common["evidence"] = (
        Number(name="share of templates that give another best class", **vars(got.change.interval)),
        Number(name="deviation of the score over templates, in spreads", **vars(got.spread)),
    )
    if undecided(got.change, thresholds) or got.change.value is None:
        yield too_few("Too few pictures to say whether templates matter", got.change.n, thresholds, common)
        return
    told = f"Over {got.count} templates, {got.change.value:.0%} of those of a picture give another best class."
    if not _above(got.change.low, got.change.p, most, thresholds):
        yield passed(title="The best class hardly hangs on the template", condition=told, **common)
        return
    best = dict(zip(record.pictures["image"], record.pictures["best"], strict=True))
    rows = record.templates.assign(changed=record.templates["best"] != record.templates["image"].map(best))
    each = rows.groupby(["image", "image_name"], sort=False)["changed"].mean().reset_index()
    each = each.sort_values(["changed", "image_name"], ascending=[False, True])

    def sample(row: Any) -> Sample:
        note = f"{row.changed:.0%} of the templates give another class"
        return Sample(image=row.image, image_name=row.image_name, text=best[row.image], note=note)

    made, word = grade(0.5, float((each["changed"] > most).mean()), got.change.n, thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title="The best class hangs on the template",
        condition=told,
        samples=tuple(sample(row) for row in each.head(SAMPLES).itertuples()),
        rule_of_samples="most templates that give another class",
        counter=tuple(sample(row) for row in each.tail(SAMPLES).iloc[::-1].itertuples()),
        counter_note="fewest",
        cause="Hypothesis: classes lie close together for this model, or a template carries meaning of its own.",
        effect="A chosen class says as much about the sentence as about the picture.",
        recommendation="Average over templates, and don't use classes that change places.",
        **common,
    )


def function_word_attribution(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Do words without meaning of their own get more attribution than their number?"""
    record = of_run(run)
    if record is None:
        return
    most = float(thresholds["words.function.most_excess"])
    table = function_words(record, least=most)
    enough = int(thresholds["general.least_images"])
    common: dict[str, Any] = dict(
        id="words.function",
        rule="words.function",
        threshold=thresholds.label("words.function.most_excess"),
        criterion="Function words (articles, prepositions, pronouns and the like) get no larger share of the positive "
        f"attribution than {most:g} beyond their share of the words.",
        evidence=tuple(
            Number(
                name=f"{title_of(row.method)}: share on function words beyond their share of the words (texts)",
                value=row.value, low=known(row.low), high=known(row.high), n=int(row.n),
            )
            for row in table.itertuples()
        ),
        reproduce=again(run),
    )  # fmt: skip
    judged = table[(table["n"] >= enough) & table["low"].notna()]
    if judged.empty:
        yield cannot_conclude(
            title="Too few texts to say what function words get",
            condition=f"At least {enough} texts with function and other words are needed.",
            **common,
        )
        return
    p = FUNCTION_WORDS.adjusted(judged)
    found = judged[(judged["low"] > most) & (p < float(thresholds["general.significance"]))]
    first = judged.sort_values("value", ascending=False).iloc[0]
    fall = "" if first.fall is None else f" Left out, they take {first.fall:.0%} of what the text's words add."
    told = f"{title_of(first.method)} gives them {first.share:.0%}; they are {first.words:.0%} of the words." + fall
    if found.empty:
        yield passed(title="Function words get no more than their share", condition=told, **common)
        return
    rows = record.texts[(record.texts["method"] == first.method) & record.texts["share"].notna()]
    rows = rows.assign(beyond=rows["share"] - rows["function"] / rows["words"]).sort_values("beyond", ascending=False)

    def samples(part: Any) -> tuple[Sample, ...]:
        chosen = part.drop_duplicates("text").head(SAMPLES)
        return tuple(
            Sample(
                image=row.image, image_name=row.image_name, text=row.text,
                note=f"{row.share:.0%} on {row.function} of {row.words} words",
            )
            for row in chosen.itertuples()
        )  # fmt: skip

    made, word = grade(0.4, float((rows["beyond"] > 0).mean()), int(first.n), thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title="Words without meaning of their own carry the text's attribution",
        condition=told,
        samples=samples(rows),
        rule_of_samples="largest share beyond their number",
        counter=samples(rows.iloc[::-1]),
        counter_note="smallest share",
        cause="Hypothesis: the text tower gathers meaning there, or the method reads places rather than words.",
        effect="Reading these values word by word misleads.",
        recommendation="Read the values with the check beside them: what the score loses without these words.",
        **common,
    )


def ignored_words(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Is there a content word that changes nothing, whatever sentence it is left out of?"""
    record = of_run(run)
    if record is None:
        return
    least, fewest = float(thresholds["words.ignored.least_change"]), int(thresholds["words.ignored.least_words"])
    table = word_effects(record)
    common: dict[str, Any] = dict(
        id="words.ignored",
        rule="words.ignored",
        threshold=thresholds.label("words.ignored.least_change"),
        criterion="Leaving a content word out changes the text's embedding somewhere, among fixed sentences, by more "
        f"than {least:.0%} of what the typical word changes there. The range over sentences takes the place of an "
        "interval: the numbers are exact.",
        reproduce=again(run),
    )
    if len(table) < fewest:
        yield cannot_conclude(
            title="Too few words to say which ones the model ignores",
            condition=f"{len(table)} content words were tried; at least {fewest} are needed to know what is typical.",
            **common,
        )
        return
    found = table[table["high"] < least]
    rows = (found if len(found) else table).head(NAMED)
    common["evidence"] = tuple(
        Number(name=f"change without \u201c{row.word}\u201d beside the typical word (sentences)", value=row.value,
               low=row.low, high=row.high, n=int(row.n))
        for row in rows.itertuples()
    )  # fmt: skip
    if found.empty:
        yield passed(
            title="Every content word that was tried changes the text",
            condition=f"{len(table)} words in {int(table['n'].max())} sentences; the least, "
            f"\u201c{table.iloc[0].word}\u201d, changes up to {table.iloc[0].high:.0%} of the typical.",
            **common,
        )
        return
    named = ", ".join(f"\u201c{word}\u201d" for word in found["word"].head(NAMED))
    made, word = grade(0.7, 1.0, int(found["n"].max()) * len(found), thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"The text tower ignores {named}",
        condition=f"{len(found)} of {len(table)} content words change nothing anywhere when they are left out.",
        counter_note=f"The next word, \u201c{table.iloc[len(found)].word}\u201d, changes up to "
        f"{table.iloc[len(found)].high:.0%}."
        if len(table) > len(found)
        else "",
        cause="Hypothesis: the tokenizer drops the word, or training never made a difference of it.",
        effect="Texts that differ only in such a word get the same scores and the same maps.",
        recommendation="Use another word for it, and compare the scores of texts with and without it.",
        **common,
    )


def _above(low: float | None, p: float | None, least: float, thresholds: Thresholds) -> bool:
    return low is not None and p is not None and low > least and p < float(thresholds["general.significance"])


def _stickers(rows: Any) -> tuple[Sample, ...]:
    chosen = rows.drop_duplicates("image").head(SAMPLES)
    return tuple(
        Sample(
            image=row.image, image_name=row.image_name, text=row.own,
            note=f"\u201c{row.pasted}\u201d: {row.moved:+.2f} spreads beyond \u201c{row.letters}\u201d",
        )
        for row in chosen.itertuples()
    )  # fmt: skip
