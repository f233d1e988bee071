"""The sanity checks of the methods, in the report. No torch."""

from __future__ import annotations

from core.applications.sampling import images_of
from core.applications.sanity.record import VARIANTS, SanityRecord, of_run
from core.applications.sanity.tables import (
    PROBLEMS,
    REPORTED_MEANS,
    SETTINGS,
    TITLES,
    cascade_chart,
    outcomes,
    reported_rows,
)
from core.applications.sanity.verdicts import CRITERIA, Criterion, other_settings, verdicts_of
from core.content.assets import Assets
from core.content.charts import to_svg
from core.content.context import ReportContext
from core.content.parts import Chart, Fact, Section
from core.languages import say
from core.rules.parts import title_of
from core.runs import Run

MOST_PROBLEMS = 20
HOW = (
    "Each method explained a few images again: with the image tower's weights re-randomised cascadingly, from "
    "the last block to the first, with the text tower's re-initialised, with texts of other images, with other "
    "seeds, mirrored, and with the text reworded. The numbers are mean rank correlations with the method's own "
    "map. Under Weights the first is of the whole image tower, the second of the text tower.",
    "A method that fails is excluded from the conclusions of this report. A method that passes has maps that depend on "
    "what they should; whether they mark the right regions is tested by the comparison with controls: an inverted map "
    "passes here and falls below the controls there.",
)  # messages
SETTINGS_WORDS = {
    True: "those of the audit",
    False: "inexpensive ones (quick effort or coarser)",
}  # messages
OWN_TEXTS = {"captions": "its first caption", "the only text": "the only text of the audit"}  # messages
FIRST_RANKED = "the prompt or class that the model ranks first"  # messages


def sections(context: ReportContext) -> tuple[Section, ...]:
    """The results of the sanity checks of this run; nothing if they were not computed."""
    run, assets = context.run, context.assets
    record = context.judged.record(of_run)
    if record is None:
        return ()
    thresholds, judged = context.thresholds, verdicts_of(context.judged)
    rule = "; ".join(_limit(one, float(thresholds[one.threshold])) for one in CRITERIA)
    sentences = (
        *(say(sentence) for sentence in HOW),
        say(
            "Passes: the whole 95 % interval lies within the limit ({rule}). Fails: the whole interval lies beyond. "
            "Otherwise undecided. At least {least} images are needed.",
            rule=rule,
            least=thresholds["sanity.least_images"],
        ),
    )
    table = outcomes(record, judged).table(
        say("Methods and checks: the outcome, then the mean rank correlation"), record.methods, place="body"
    )
    parts = (
        Section(
            "Sanity checks of the methods",
            facts=_facts(record),
            sentences=sentences,
            charts=_charts(record, assets),
            tables=(table,),
        ),
        _settings(run, record),
        _reported(record),
        _problems(record),
    )
    return tuple(part for part in parts if not part.empty)


def _limit(one: Criterion, limit: float) -> str:
    """What a criterion asks for: `Weights: at most 0.5`."""
    told = say(
        "{check}: at most {limit:g}" if one.at_most else "{check}: at least {limit:g}",
        check=say(TITLES[one.check]),
        limit=limit,
    )
    return f"{told} ({say(VARIANTS['text_tower'])})" if one.variant == "text_tower" else told


def _facts(record: SanityRecord) -> tuple[Fact, ...]:
    about, options = record.about, record.about["options"]
    budget = about.get("budget", options["budget"])
    costly = [title_of(name) for name, one in about["methods"].items() if not one["all"]]
    settings = say(SETTINGS_WORDS[options["effort"] == "planned"])
    methods = ", ".join(costly)
    return (
        Fact("Images", images_of(about)),
        Fact("Own text", say(OWN_TEXTS.get(about["own"], FIRST_RANKED))),
        Fact(
            "Other texts",
            say("{count} of other images", count=options["wrong"])
            if about["wrong_texts"]
            else say("none: one text for all"),
        ),
        Fact("Seeds", ", ".join(str(seed) for seed in about["seeds"])),
        Fact("Settings of the methods", settings),
        Fact("Forward passes", say("{count:,.0f} of the image tower", count=about["image_forwards"])),
        *(
            (
                Fact(
                    "Judged checks only",
                    say(
                        "{methods}: all checks would cost more than {budget:g} forward passes",
                        methods=methods,
                        budget=budget,
                    ),
                ),
            )
            if costly
            else ()
        ),
    )


def _charts(record: SanityRecord, assets: Assets) -> tuple[Chart, ...]:
    rows = record.of_check("model", "last_block")
    if rows.empty:
        return ()
    title = say("Rank correlation of maps under cascading randomisation of the weights")
    caption = say(
        "Each line is a method: the mean rank correlation of its maps with the model's own while the blocks of the "
        "image tower are re-initialised from the last to the first, on at most {count} images.",
        count=record.about["images"],
    )
    return (Chart(assets.chart(to_svg(cascade_chart(record), title)), title, caption),)


def _settings(run: Run, record: SanityRecord) -> Section:
    rows = list(other_settings(run, record).items())
    table = SETTINGS.table(say("Options of the checks that differ from those of the audit"), rows)
    sentence = say(
        "These methods were checked at other settings than those of the maps in this report. Their outcomes are about "
        "the method at the settings of the checks; the effort \u201cplanned\u201d checks the settings of the audit."
    )
    return Section("Settings of the checks", sentences=(sentence,) if rows else (), tables=(table,) if rows else ())


def _reported(record: SanityRecord) -> Section:
    rows = reported_rows(record)
    table = REPORTED_MEANS.table(say("Measured and not judged, means with 95 % interval over images"), rows)
    return Section(
        "What else changes a map",
        sentences=(
            say(
                "Empty text: rank correlation with the map for the empty text. Spread on noise: the spread of the map "
                "of a noise image, relative to that of the image itself. Shifted image: rank correlation after "
                "shifting back. Largest change: of the map, relative to its size, when each colour value is perturbed "
                "by at most {noise:g} of its range; a stochastic method also draws new samples then. Score, reworded: "
                "mean change of the cosine.",
                noise=record.about["options"]["noise"],
            ),
        )
        if rows
        else (),
        tables=(table,) if rows else (),
    )


def _problems(record: SanityRecord) -> Section:
    problems = record.about["problems"]
    more = say("{count} more.", count=len(problems) - MOST_PROBLEMS) if len(problems) > MOST_PROBLEMS else ""
    title = say("Explanations that failed; they are not part of any number")
    table = PROBLEMS.table(title, problems[:MOST_PROBLEMS], more)
    return Section("Sanity checks that could not be run", tables=(table,) if problems else ())
