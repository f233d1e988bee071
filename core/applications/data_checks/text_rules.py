"""Rules on texts: language, captions that images share, texts not read to their end, classes of one name."""

from __future__ import annotations

from collections.abc import Iterator

from core.applications.data_checks.measures import languages_of
from core.applications.data_checks.record import DataRecord
from core.characters import folded
from core.content.words import shorten
from core.datasets.languages import LEAST_WORDS, name_of
from core.languages import say
from core.rules import Context, Outcome, Rule, Wording
from core.rules.parts import NAMED, SAMPLES, kind_words
from core.rules.quantity import Quantity
from core.rules.writing import in_words

# The kinds of texts, as a count of them names them.
SORTS = {"caption": "caption", "prompt": "prompt", "class": "class"}  # messages
LANGUAGE_SHARE = Quantity("share of texts in another language")
REPEATED_SHARE = Quantity("share of captions that another image has too")
UNREAD_SHARE = Quantity("share of texts that are not read to their end")
SAME_NAMES = Quantity("classes with the name of another")


def language(context: Context) -> Iterator[Outcome]:
    """The share of captions and prompts in another language than most, of those whose language is certain."""
    record = context.record(DataRecord.of_run)
    if record is None:
        return
    known = languages_of(record, "caption", "prompt")
    n, every = len(known), int(record.texts["kind"].isin(["caption", "prompt"]).sum())
    if not every:
        return
    if not n:
        yield Outcome("cannot_conclude", values={"every": every})
        return
    counts = known["language"].value_counts()
    # Languages of equal counts in the order of their codes.
    main = min(counts.index, key=lambda code: (-counts[code], code))
    others = known[known["language"] != main]
    share = len(others) / n
    most = float(context.thresholds["texts.language.most_share"])
    yield Outcome(
        "finding" if share > most else "passed",
        n=n,
        likelihood=share,
        values={
            "n": n,
            "every": every,
            "texts": _sorts(record),
            "share": share,
            "same": n - len(others),
            "main": name_of(str(main)),
            "listed": ", ".join(f"{name_of(str(code))} {count}" for code, count in counts.items()),
            "examples": "; ".join(say("“{text}”", text=text) for text in others["text"].head(SAMPLES)),
        },
        evidence=(LANGUAGE_SHARE.at(share, n),),
    )


def _sorts(record: DataRecord) -> str:
    """Captions, prompts or both, whichever the audit has."""
    return in_words([kind_words(kind) for kind in ("caption", "prompt") if (record.texts["kind"] == kind).any()])


def repeated(context: Context) -> Iterator[Outcome]:
    """The share of captioned images whose caption another image has too, word for word. All are counted."""
    record = context.record(DataRecord.of_run)
    if record is None:
        return
    captions = record.texts[record.texts["kind"] == "caption"]
    if captions.empty:
        return
    shared = captions[captions["images"] > 1].sort_values("images", ascending=False, kind="stable")
    pairs = int(captions["images"].sum())
    share = int(shared["images"].sum()) / pairs
    most = float(context.thresholds["texts.repeated.most_share"])
    yield Outcome(
        "finding" if share > most else "passed",
        n=pairs,
        likelihood=share,
        values={
            "n": pairs,
            "count": int(shared["images"].sum()),
            "share": share,
            "texts": len(shared),
            "examples": "; ".join(
                f"{say('“{text}”', text=row.text)} ({row.images})" for row in shared.head(SAMPLES).itertuples()
            ),
        },
        evidence=(REPEATED_SHARE.at(share, pairs),),
    )


def unread(context: Context) -> Iterator[Outcome]:
    """The share of texts whose end the model does not read: a count of all texts."""
    record = context.record(DataRecord.of_run)
    # Records of earlier versions do not say what was read.
    if record is None or record.texts["unread"].dropna().empty:
        return
    rows = record.texts[record.texts["unread"].astype(bool)]
    n, share = len(record.texts), len(rows) / len(record.texts)
    yield Outcome(
        "finding" if share > float(context.thresholds["texts.unread.most_share"]) else "passed",
        n=n,
        likelihood=share,
        wording="" if len(rows) else "none",
        values={
            "n": n,
            "count": len(rows),
            "share": share,
            "tokens": int(record.about["context_length"]),
            "same": int((rows["same"] > 0).sum()),
            "kinds": ", ".join(
                f"{say(SORTS.get(kind, kind))} {count}" for kind, count in sorted(rows["kind"].value_counts().items())
            ),
            "examples": "; ".join(say("“{text}”", text=shorten(text, 100)) for text in rows["text"].head(SAMPLES)),
        },
        evidence=(UNREAD_SHARE.at(share, n),),
    )


def classes(context: Context) -> Iterator[Outcome]:
    """Classes whose names differ in nothing but case and spaces: a count of all classes."""
    names = context.run.plan.texts.classes if context.record(DataRecord.of_run) is not None else ()
    if len(names) < 2:
        return
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(folded(name), []).append(name)
    groups = [group for group in spellings.values() if len(group) > 1]
    count = sum(map(len, groups))
    yield Outcome(
        "finding" if groups else "passed",
        n=len(names),
        likelihood=count / len(names),
        values={
            "n": len(names),
            "count": count,
            "listed": "; ".join(", ".join(say("“{text}”", text=name) for name in group) for group in groups[:NAMED]),
        },
        evidence=(SAME_NAMES.at(float(count), len(names)),),
    )


LANGUAGES = "The language is certain for {n} of {every} {texts}. Their languages, with numbers of texts, are: {listed}."
LANGUAGE = Rule(
    id="texts.language",
    subject="texts",
    question="Are the captions and prompts in one language?",
    criterion="At most {most_share:.0%} of the captions and prompts whose language is certain are in another language "
    f"than most. Texts of fewer than {LEAST_WORDS} words are not judged.",
    measure=language,
    unit="texts",
    thresholds=("texts.language.most_share",),
    wordings={
        "finding": Wording(
            "{share:.0%} of {n} judged texts are not in {main}",
            LANGUAGES + " Examples: {examples}.",
        ),
        "passed": Wording(
            "{same} of {n} judged texts are in {main}",
            LANGUAGES,
        ),
        "cannot_conclude": Wording(
            "Inconclusive: the language of the texts", "None of {every} texts is long enough for a certain language."
        ),
    },
    cause="Hypothesis: texts from several sources, or names and quotations.",
    effect="Scores of texts in different languages cannot be compared if the model was trained on one.",
    recommendation="Translate the texts, or audit each language separately.",
)
REPEATED = Rule(
    id="texts.repeated",
    subject="texts",
    question="Does each image have a caption of its own?",
    criterion="At most {most_share:.0%} of the captions also belong to another image, word for word. All are "
    "counted; copies of one image count as one.",
    measure=repeated,
    unit="captions",
    thresholds=("texts.repeated.most_share",),
    wordings={
        "finding": Wording(
            "{share:.0%} of the captions belong to several images",
            "{count} of {n} captions of images also belong to another image; different texts among them: {texts}. The "
            "most frequent: {examples}.",
        ),
        "passed": Wording(
            "Few or no captions belong to several images",
            "{count} of {n} captions of images also belong to another image.",
        ),
    },
    cause="Hypothesis: captions made from a template or a class name.",
    effect="Such captions do not distinguish their images, and measures that compare captions cannot distinguish them.",
    recommendation="Use captions that describe the single image, or audit the texts as prompts or classes.",
)
UNREAD = Rule(
    id="texts.unread",
    subject="texts",
    question="Does the model read every text to its end?",
    criterion="At most {most_share:.0%} of the captions, prompts and classes (in each template) are longer than the "
    "text tower reads. All are counted.",
    measure=unread,
    unit="texts",
    thresholds=("texts.unread.most_share",),
    wordings={
        "finding": Wording(
            "The model does not read the end of {count} of {n} texts",
            "By kind: {kinds}. The text tower reads at most {tokens} tokens; what follows changes neither a score nor "
            "an explanation. Among these texts, {same} cannot be distinguished from another text of the audit. "
            "Examples: {examples}.",
        ),
        "passed": Wording(
            "Few texts are longer than the model reads",
            "Texts longer than the {tokens} tokens that the text tower reads: {count} of {n} ({examples}).",
        ),
        "none": Wording("Every text is read to its end", "None of {n} texts is longer than {tokens} tokens."),
    },
    cause="The context length of the model's text tower.",
    effect="The words after the limit have no effect on any number of this audit that concerns the text.",
    recommendation="Shorten these texts, begin them with what matters, or audit a model with a longer context.",
)
CLASSES = Rule(
    id="texts.classes",
    subject="texts",
    question="Does each class have a name of its own?",
    criterion="No two classes differ only in upper and lower case or in spaces. All classes are counted.",
    measure=classes,
    unit="classes",
    wordings={
        "finding": Wording(
            "{count} of {n} classes have the name of another class",
            "The names differ only in upper and lower case or in spaces: {listed}.",
        ),
        "passed": Wording("Each class has a name of its own", "No two of {n} classes differ only in case or spaces."),
    },
    cause="Hypothesis: a list joined from several sources.",
    effect="The probability of such a class is divided between its spellings, so that its margins are too low.",
    recommendation="Keep one spelling of each class and repeat the audit.",
)
TEXT_RULES = (LANGUAGE, REPEATED, UNREAD, CLASSES)
