"""Rules that rest on English words or on WordNet conclude nothing where the texts are in another language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.datasets.languages import LEAST_CERTAIN, LEAST_WORDS, languages, name_of
from core.languages import say
from core.rules import Context, Finding

_LATIN = "\u024f"  # the last letter of extended Latin
MOST = 0.1  # share of the captions, prompts or classes that may be in another language: names and quotations are


def guarded(findings: Iterable[Finding], context: Context) -> Iterator[Finding]:
    """The findings of one rule that needs English; without it, a single one in their place that concludes nothing."""
    for finding in findings:
        reason, n = context.once(foreign)
        if not reason:
            yield finding
            continue
        yield Finding(
            id=finding.rule,
            rule=finding.rule,
            subject=finding.subject,
            status="cannot_conclude",
            severity="note",
            title=say("Inconclusive: this check needs English texts"),
            condition=reason,
            criterion=finding.criterion,
            threshold=finding.threshold,
            n=n,
            unit="texts",
        )
        return


def foreign(context: Context) -> tuple[str, int]:
    """Why captions, prompts or classes are not English enough, and how many have a certain language; ("", 0) otherwise.

    Short texts in Latin letters have no certain language: of them nothing is concluded either way.
    """
    for kind, texts in texts_of(context).items():
        codes = [language.code for text, language in zip(texts, languages(texts), strict=True) if _counts(text)]
        codes = [code for code in codes if code]
        others = [code for code in codes if code != "en"]
        if len(others) > MOST * len(texts):
            named = ", ".join(
                name_of(code) for code in sorted(set(others), key=lambda code: (-others.count(code), code))
            )
            return say(
                "The check rests on lists of English words or on WordNet. "
                "The language of {certain:,} of {every:,} {kind} is certain (py3langid, probability of at "
                "least {least:g}; in Latin letters at least {words} words), and {others:,} of "
                "these are not English ({named}). At most {most:g} % of the {kind} may be in another language.",
                certain=len(codes),
                every=len(texts),
                kind=say(kind),
                least=LEAST_CERTAIN,
                words=LEAST_WORDS,
                others=len(others),
                named=named,
                most=100 * MOST,
            ), len(codes)
    return "", 0


def texts_of(context: Context) -> dict[str, list[str]]:
    """The texts that the run explains, each once: the captions of the planned images, the prompts and the classes."""
    plan, run = context.run.plan, context.run
    wanted = set(plan.images)
    captions = [
        caption
        for image in run.dataset.images
        if plan.texts.captions and image.id in wanted
        for caption in image.captions[: plan.texts.captions_each]
    ]
    kinds = {"captions": captions, "prompts": plan.texts.prompts, "classes": plan.texts.classes}
    return {kind: list(dict.fromkeys(texts)) for kind, texts in kinds.items() if texts}


def _counts(text: str) -> bool:
    """Whether a text is long enough, or in another script than Latin: a single word with an accent is no language."""
    return len(text.split()) >= LEAST_WORDS or any(letter.isalpha() and letter > _LATIN for letter in text)
