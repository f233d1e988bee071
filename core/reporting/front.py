"""The cover and the one-page summary."""

from __future__ import annotations

from collections.abc import Sequence

from core.content.charts import severity_chart, to_svg
from core.content.context import ReportContext
from core.content.parts import Chart, Cover, Fact, Headline, Overview
from core.content.words import SEVERITY_TITLES, first_sentences, measured, moment, plural, share
from core.findings import (
    Finding,
    failing_methods,
)
from core.findings.opinion import SCALE, TRUST, by_concern, dismissed_sentence, opinion
from core.languages import say
from core.reporting.assurance import dismissed, signatories, status_line
from core.reporting.gallery import Plates
from core.reporting.limitations import warning
from core.reporting.trust import above_controls
from core.reporting.versions import Version
from core.rules.parts import kind_words, title_of
from core.runs.review import load_review

# The name of the fact on the cover that states the hash of the bundle.
EVIDENCE_SHA256 = "Evidence SHA-256"  # messages
# Characters of a condition on the summary page, which is one page; the finding itself has all of it.
MOST_CONDITION = 180
# Limitations of the summary, which keeps to one page; their chapter has all.
IN_SUMMARY = 2


def cover(context: ReportContext, date: str, evidence_sha256: str, versions: tuple[Fact, ...]) -> Cover:
    """The cover and control page."""
    run = context.run
    plan, manifest = run.plan, run.manifest
    declared = plan.declared
    model = manifest.get("model", {})
    started, ended = moment(manifest.get("started")), moment(manifest.get("ended"))
    facts = (
        Fact("Model", model.get("title") or plan.model.title),
        Fact(
            "Dataset",
            say("{dataset}, {images} planned", dataset=run.dataset.name, images=plural(len(plan.images), "image")),
        ),
        Fact("Run", run.id, code=True),
        Fact(
            "Processing period",
            say("{start} to {end}", start=started, end=ended),
        ),
        Fact("Report dated", date),
        Fact("Version, status", status_line(context)),
        *versions,
    )
    control = (
        *signatories(context),
        Fact("Plan digest", plan.digest, code=True),
        Fact("Evidence", "evidence.zip", code=True),
        Fact(EVIDENCE_SHA256, evidence_sha256, code=True),
    )
    subtitle = declared.purpose or say("What the model reacts to, and how far its explanations can be trusted")
    return Cover(say(declared.title), subtitle, warning(run), facts, control, declared.confidentiality)


def version_facts(version: Version) -> tuple[Fact, ...]:
    """Which of the PDFs of an audit this one is, and which it replaces, if it replaces one."""
    told = Fact("Revision", say("{number}, counted over all reports of this audit", number=str(version.number)))
    replaced = version.predecessor
    return (told, Fact("Replaces SHA-256", replaced, code=True)) if replaced else (told,)


def overview(context: ReportContext, plates: Plates, limits: Sequence[str]) -> Overview:
    """The one-page summary, from the findings alone."""
    run, findings, assets = context.run, context.findings, context.assets
    word, reason = opinion(run.progress(), findings)
    gone = dismissed([finding for finding in findings if finding.status == "finding"], load_review(run))
    reason = " ".join(part for part in (reason, dismissed_sentence(findings, gone)) if part)
    ranked = by_concern([finding for finding in findings if finding.status == "finding"])
    counts = tuple((title, sum(f.severity == name for f in ranked)) for name, title in SEVERITY_TITLES.items())
    bar = None
    # One severity alone is told by its count.
    if sum(count > 0 for _, count in counts) > 1:
        each = ", ".join(f"{count} {say(title).lower()}" for title, count in counts if count)
        alt = say("Findings by severity: {counts}", counts=each)
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
        word,
        reason,
        say(SCALE),
        counts,
        bar,
        tuple(headlines),
        _confidence(context),
        tuple(limits[:IN_SUMMARY]),
        actions,
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
    base = say(
        "Based on {images} and {pairs}, {share} units completed.",
        images=plural(summary.images, "image"),
        pairs=plural(summary.pairs, "image-text pair"),
        share=share(progress.done, progress.total),
    )
    if rows.empty:
        untested = say("No map was tested against controls, so that no conclusion rests on a heat map.")
        return f"{base} {untested}"
    failed = [name for name in failing_methods(context.judged) if name in set(rows.method)]
    sound = rows[~rows.method.isin(failed)]
    excluded = ""
    if failed:
        each = ", ".join(title_of(name) for name in failed)
        excluded = say(" Excluded, because they fail a check: {names}.", names=each)
    if sound.empty:
        none = say("Every method fails a check, so that no conclusion rests on a heat map.")
        return f"{base} {none}{excluded}"
    base = " ".join((base, *above_controls(context.judged)))
    best = sound.sort_values("value", ascending=False).iloc[0]
    highest = measured(best.value, best.low, best.high, int(best.n))
    among = say(" among methods that fail no check") if failed else ""
    kinds = sorted(set(context.judged.summary.versus.text_kind))
    named = f" {say('and')} ".join(kind_words(kind) for kind in kinds)
    over = say(", over {kinds} together,", kinds=named) if len(kinds) > 1 else ""
    alike = int(((sound.high >= best.value) & (sound.method != best.method)).sum())
    others = ""
    if alike == 1:
        others = say(
            "; the interval of one other method includes this value, and differences between methods are not tested"
        )
    elif alike:
        others = say(
            "; the intervals of {count} others include this value, and differences between methods are not tested",
            count=alike,
        )
    told = say(
        "The highest mean faithfulness{among}{over} is that of {method}: {value}{others}.",
        among=among,
        over=over,
        method=title_of(best.method),
        value=highest,
        others=others,
    )
    return f"{base} {told}{excluded}"


def _on_explanations(context: ReportContext) -> str:
    """The findings that gate the maps, by severity; empty if there are none."""
    findings = [one for one in context.findings if one.status == "finding" and one.subject == TRUST]
    each = "; ".join(f"{one.title} ({say(SEVERITY_TITLES[one.severity])})" for one in findings[:3])
    return say(" Findings on the explanations: {findings}.", findings=each) if findings else ""


def _default_actions(word: str) -> tuple[str, ...]:
    if word == "Cannot conclude":
        return (
            say("Do not rely on the heat maps yet; add images or complete the run, and evaluate it again."),
            say("The section on findings lists the inconclusive checks and what they lacked."),
        )
    return (say("Read the limitations, and repeat the audit when the model, its texts or the kind of images change."),)
