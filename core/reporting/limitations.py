"""The limitations of a report, the most important first, and what makes a run incomplete."""

from __future__ import annotations

from collections.abc import Sequence

from core.applications.registry import application_info
from core.content.context import ReportContext
from core.content.words import measured, plural, reported_state, share
from core.findings import Finding, failed_applications, limits_of_checks, trusted_summary
from core.languages import say
from core.reporting.labels import accuracy_limit
from core.reporting.letters import LETTERS
from core.rules import Context
from core.rules.parts import title_of
from core.runs import FINISHED, Run

REMOVALS = {
    "drop": "The tokens of hidden cells were dropped before the first block",
    "mean": "Hidden cells were set to the mean colour that preprocessing subtracts",
    "black": "Hidden cells were set to black",
    "blur": "Hidden cells were set to a blurred copy of the image",
    "auto": "Hidden cells were removed in the way that the model allows",
}  # messages


def warning(run: Run) -> str:
    """What makes the run incomplete; empty for a complete one."""
    progress = run.progress()
    left = progress.total - progress.done - progress.failed
    parts = []
    if progress.state not in (*FINISHED, "reporting") or left:
        parts.append(
            say(
                "This run is {state}: {share} units are completed.",
                state=say(reported_state(progress)),
                share=share(progress.done, progress.total),
            )
        )
    if progress.failed:
        parts.append(
            say("1 unit of {total} failed and is not included in any number.", total=progress.total)
            if progress.failed == 1
            else say(
                "{failed:,} units of {total} failed and are not included in any number.",
                failed=progress.failed,
                total=progress.total,
            )
        )
    failed = failed_applications(run)
    if failed:
        parts.append(
            say(
                "{failed} of {planned} failed: {names}.",
                failed=plural(len(failed), "application"),
                planned=len(run.plan.applications),
                names=", ".join(say(application_info(name).title) for name in failed),
            )
        )
    return " ".join(parts)


def limits(context: ReportContext) -> tuple[str, ...]:
    """The limitations of this report, the most important first."""
    return _limits(context.judged, context.findings)


def _fewest(findings: Sequence[Finding], images: int) -> str:
    """Which of the conclusions rests on the fewest images; empty where none rests on fewer than `images`."""
    known = [one for one in findings if one.n and one.unit == "images" and one.status in ("finding", "passed")]
    if not known or min(one.n for one in known) >= images:
        return ""
    least = min(known, key=lambda one: one.n)
    return say(
        " Some conclusions rest on fewer, for example on {images} (“{title}”).",
        images=plural(least.n, "image"),
        title=least.title,
    )


def _limits(context: Context, findings: Sequence[Finding]) -> tuple[str, ...]:
    run, summary = context.run, context.summary
    plan = run.plan
    out = [
        accuracy_limit(run),
        say(
            "The results rest on {images}; they may not hold for images that differ from these.{fewest}",
            images=plural(summary.images, "image"),
            fewest=_fewest(findings, summary.images),
        ),
        say("Attribution shows what a score is sensitive to, as each method defines it, not why the model behaves so."),
        _not_tested(run),
    ]
    model = run.manifest.get("model", {})
    if model.get("rows") and model.get("columns"):
        out.append(
            say(
                "The last layer of the image tower has {rows} × {columns} cells; maps of that layer cannot locate "
                "smaller details.",
                rows=model["rows"],
                columns=model["columns"],
            )
        )
    if not plan.trust.curves:
        out.append(say("The plan did not include deletion and insertion, so that no map was tested against controls."))
    agreement = trusted_summary(context).agreement
    if not agreement.empty:
        low = agreement.sort_values("value").iloc[0]
        lowest = measured(low.value, low.low, low.high, int(low.n))
        values = {"first": title_of(low.a), "second": title_of(low.b), "value": lowest}
        if len(agreement) == 1:
            out.append(say("The two methods, {first} and {second}, have a mean rank correlation of {value}.", **values))
        else:
            out.append(say("The lowest agreement between two methods, {first} with {second}, is {value}.", **values))
    if len(summary.failures):
        out.append(
            say("1 explanation failed and is not included in any mean (annex {letter}).", letter=LETTERS["log"])
            if len(summary.failures) == 1
            else say(
                "{count:,} explanations failed and are not included in any mean (annex {letter}).",
                count=len(summary.failures),
                letter=LETTERS["log"],
            )
        )
    incomplete = warning(run)
    if incomplete:
        out.append(incomplete)
    out += [
        say(
            "{removal}; other removals give other curves.",
            removal=say(REMOVALS[run.manifest.get("removal", plan.trust.removal)]),
        ),
        say("The words of a text are human concepts, which the model need not use."),
        say(
            "The report is valid only for the weights, the preprocessing, the texts and the kind of images stated here."
        ),
    ]
    return tuple(out)


def _not_tested(run: Run) -> str:
    return " ".join(limits_of_checks(run)) or say(
        "Not tested of the heat maps: dependence on the weights (weight randomisation), small changes of the image, "
        "paraphrases of the text, planted cues, and dependence on the seed."
    )
