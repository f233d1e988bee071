"""The cover, the one-page summary and the limits."""

from __future__ import annotations

from collections.abc import Sequence

from core.applications.registry import application_info
from core.content.charts import severity_chart, to_svg
from core.content.context import ReportContext
from core.content.parts import Chart, Cover, Fact, Headline, Overview
from core.content.words import SEVERITY_TITLES, first_sentences, measured, moment, plural, reported_state, share
from core.findings import (
    Finding,
    failed_applications,
    failing_methods,
    limits_of_checks,
    trusted_summary,
)
from core.findings.opinion import SCALE, TRUST, by_concern, opinion
from core.reporting.assurance import signatories, status_line
from core.reporting.gallery import Plates
from core.reporting.labels import accuracy_limit
from core.reporting.letters import LETTERS
from core.reporting.trust import above_controls
from core.rules import Context
from core.rules.parts import kind_words, title_of
from core.runs import FINISHED, Run

# Characters of a condition on the summary page, which is one page; the finding itself has all of it.
MOST_CONDITION = 180
# Limitations of the summary, which keeps to one page; their chapter has all.
IN_SUMMARY = 2
REMOVALS = {
    "drop": "The tokens of hidden cells were dropped before the first block",
    "mean": "Hidden cells were set to the mean colour that preprocessing subtracts",
    "black": "Hidden cells were set to black",
    "blur": "Hidden cells were set to a blurred copy of the image",
    "auto": "Hidden cells were removed in the way that the model allows",
}


def cover(context: ReportContext, date: str, evidence_sha256: str, versions: tuple[Fact, ...]) -> Cover:
    """The cover and control page."""
    run = context.run
    plan, manifest = run.plan, run.manifest
    declared = plan.declared
    model = manifest.get("model", {})
    facts = (
        Fact("Model", model.get("title") or plan.model.title),
        Fact("Dataset", f"{run.dataset.name}, {plural(len(plan.images), 'image')} planned"),
        Fact("Run", run.id, code=True),
        Fact("Processing period", f"{moment(manifest.get('started'))} to {moment(manifest.get('ended'))}"),
        Fact("Report dated", date),
        Fact("Version, status", status_line(context)),
        *versions,
    )
    control = (
        *signatories(context),
        Fact("Plan digest", plan.digest, code=True),
        Fact("Evidence", "evidence.zip", code=True),
        Fact("Evidence SHA-256", evidence_sha256, code=True),
    )
    subtitle = declared.purpose or "What the model reacts to, and how far its explanations can be trusted"
    return Cover(declared.title, subtitle, warning(run), facts, control, declared.confidentiality)


def version_facts(predecessor: str) -> tuple[Fact, ...]:
    """Which report this one replaces, if it replaces one."""
    return (Fact("Replaces SHA-256", predecessor, code=True),) if predecessor else ()


def warning(run: Run) -> str:
    """What makes the run incomplete; empty for a complete one."""
    progress = run.progress()
    left = progress.total - progress.done - progress.failed
    parts = []
    if progress.state not in (*FINISHED, "reporting") or left:
        parts.append(
            f"This run is {reported_state(progress)}: {share(progress.done, progress.total)} units are completed."
        )
    if progress.failed:
        parts.append(
            f"{plural(progress.failed, 'unit')} of {progress.total} failed and "
            f"{'is' if progress.failed == 1 else 'are'} "
            "not included in any number."
        )
    failed = failed_applications(run)
    if failed:
        each = ", ".join(application_info(name).title for name in failed)
        parts.append(f"{plural(len(failed), 'application')} of {len(run.plan.applications)} failed: {each}.")
    return " ".join(parts)


def overview(context: ReportContext, plates: Plates, limits: Sequence[str]) -> Overview:
    """The one-page summary, from the findings alone."""
    run, findings, assets = context.run, context.findings, context.assets
    word, reason = opinion(run.progress(), findings)
    ranked = by_concern([finding for finding in findings if finding.status == "finding"])
    counts = tuple((title, sum(f.severity == name for f in ranked)) for name, title in SEVERITY_TITLES.items())
    bar = None
    # One severity alone is told by its count.
    if sum(count > 0 for _, count in counts) > 1:
        alt = "Findings by severity: " + ", ".join(f"{count} {title.lower()}" for title, count in counts if count)
        bar = Chart(assets.chart(to_svg(severity_chart(findings), alt)), alt, "")
    headlines = []
    for finding in ranked[:3]:
        samples = [*finding.samples, *finding.counter]
        thumbnail = plates.thumbnail(samples[0]) if samples else None
        headlines.append(
            Headline(
                anchor(finding),
                finding.title,
                SEVERITY_TITLES[finding.severity],
                first_sentences(finding.condition, MOST_CONDITION),
                thumbnail,
                finding.effect,
                finding.recommendation,
            )
        )
    actions = tuple(dict.fromkeys(finding.recommendation for finding in ranked[:3] if finding.recommendation))
    if not actions:
        actions = _default_actions(word)
    return Overview(
        word, reason, SCALE, counts, bar, tuple(headlines), _confidence(context), tuple(limits[:IN_SUMMARY]), actions
    )


def limits(context: ReportContext) -> tuple[str, ...]:
    """The limitations of this report, the most important first."""
    return _limits(context.judged, context.findings)


def _fewest(findings: Sequence[Finding]) -> str:
    """Which of the conclusions rests on the fewest images; empty where none counts images."""
    known = [one for one in findings if one.n and one.unit == "images" and one.status in ("finding", "passed")]
    if not known:
        return ""
    least = min(known, key=lambda one: one.n)
    return f" Single conclusions rest on fewer, down to {plural(least.n, 'image')} (\u201c{least.title}\u201d)."


def _limits(context: Context, findings: Sequence[Finding]) -> tuple[str, ...]:
    run, summary = context.run, context.summary
    plan = run.plan
    out = [
        accuracy_limit(run),
        f"The results rest on {plural(summary.images, 'image')}; they may not hold for images that differ from these."
        f"{_fewest(findings)}",
        "Attribution shows what a score is sensitive to, as each method defines it, not why the model behaves so.",
        _not_tested(run),
    ]
    model = run.manifest.get("model", {})
    if model.get("rows") and model.get("columns"):
        out.append(
            f"The last layer of the image tower has {model['rows']} \u00d7 {model['columns']} cells; maps of that "
            "layer cannot locate smaller details."
        )
    if not plan.trust.curves:
        out.append("The plan did not include deletion and insertion, so that no map was tested against controls.")
    agreement = trusted_summary(context).agreement
    if not agreement.empty:
        low = agreement.sort_values("value").iloc[0]
        lowest = measured(low.value, low.low, low.high, int(low.n))
        out.append(f"The lowest agreement between two methods, {title_of(low.a)} with {title_of(low.b)}, is {lowest}.")
    if len(summary.failures):
        out.append(
            f"{plural(len(summary.failures), 'explanation')} failed and "
            f"{'is' if len(summary.failures) == 1 else 'are'} "
            f"not included in any mean (annex {LETTERS['log']})."
        )
    incomplete = warning(run)
    if incomplete:
        out.append(incomplete)
    out += [
        f"{REMOVALS[run.manifest.get('removal', plan.trust.removal)]}; other removals give other curves.",
        "The words of a text are human concepts, which the model need not use.",
        "The report is valid only for the weights, the preprocessing, the texts and the kind of images stated here.",
    ]
    return tuple(out)


def _not_tested(run: Run) -> str:
    return " ".join(limits_of_checks(run)) or (
        "Not tested of the heat maps: dependence on the weights (weight randomisation), small changes of the image, "
        "paraphrases of the text, planted cues, and dependence on the seed."
    )


def anchor(finding: Finding) -> str:
    """The anchor of a finding in the document."""
    return "finding-" + "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in finding.id)


def _confidence(context: ReportContext) -> str:
    """How far the maps can be trusted: what was tested, and the findings about the explanations."""
    return f"{_tested(context)}{_on_explanations(context)}"


def _tested(context: ReportContext) -> str:
    run, summary = context.run, context.summary
    rows = summary.trust[(summary.trust.metric == "faithfulness") & (summary.trust.kind == "method")]
    progress = run.progress()
    base = (
        f"Based on {plural(summary.images, 'image')} and {plural(summary.pairs, 'image-text pair')}, "
        f"{share(progress.done, progress.total)} units completed."
    )
    if rows.empty:
        return f"{base} No map was tested against controls, so that no conclusion rests on a heat map."
    failed = [name for name in failing_methods(context.judged) if name in set(rows.method)]
    sound = rows[~rows.method.isin(failed)]
    excluded = ""
    if failed:
        each = ", ".join(title_of(name) for name in failed)
        excluded = f" Excluded, because they fail a check: {each}."
    if sound.empty:
        return f"{base} Every method fails a check, so that no conclusion rests on a heat map.{excluded}"
    base = " ".join((base, *above_controls(context.judged)))
    best = sound.sort_values("value", ascending=False).iloc[0]
    highest = measured(best.value, best.low, best.high, int(best.n))
    among = " among methods that fail no check" if failed else ""
    kinds = sorted(set(context.judged.summary.versus.text_kind))
    over = f", over {' and '.join(kind_words(kind) for kind in kinds)} together," if len(kinds) > 1 else ""
    alike = int(((sound.high >= best.value) & (sound.method != best.method)).sum())
    whose = "the interval of one other method includes" if alike == 1 else f"the intervals of {alike} others include"
    others = f"; {whose} this value, and differences between methods are not tested" if alike else ""
    held_by = f"The highest mean faithfulness{among}{over} is that of {title_of(best.method)}"
    return f"{base} {held_by}: {highest}{others}.{excluded}"


def _on_explanations(context: ReportContext) -> str:
    """The findings that gate the maps, by severity; empty if there are none."""
    findings = [one for one in context.findings if one.status == "finding" and one.subject == TRUST]
    each = "; ".join(f"{one.title} ({SEVERITY_TITLES[one.severity]})" for one in findings[:3])
    return f" Findings on the explanations: {each}." if findings else ""


def _default_actions(word: str) -> tuple[str, ...]:
    if word == "Cannot conclude":
        return (
            "Do not rely on the heat maps yet; add images or complete the run, and evaluate it again.",
            "The section on findings lists the inconclusive checks and what they lacked.",
        )
    return ("Read the limitations, and repeat the audit when the model, its texts or the kind of images change.",)
