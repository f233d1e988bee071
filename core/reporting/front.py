"""The cover, the one-page summary and the limits."""

from __future__ import annotations

from collections.abc import Sequence

from core.applications.sanity_record import of_run
from core.evaluation.summary import Summary
from core.findings import Finding, beats, failed_applications, failed_methods, load_thresholds, run_thresholds
from core.methods.applications import application_info
from core.reporting.assets import Assets
from core.reporting.charts import method_title, severity_chart, to_svg
from core.reporting.content import Chart, Cover, Fact, Headline, Overview
from core.reporting.gallery import Plates
from core.reporting.words import SEVERITY_TITLES, STATE_TITLES, measured, moment, opinion, plural, share
from core.runs import FINISHED, Run

_OPEN = "\u2014"
REMOVALS = {
    "drop": "Hidden cells\u2019 tokens left the picture before the first block",
    "mean": "Hidden cells took the mean colour that preprocessing subtracts",
    "black": "Hidden cells became black",
    "blur": "Hidden cells took the colours of a blurred picture",
    "auto": "Hidden cells took what the model allows",
}


def cover(run: Run, date: str, evidence_sha256: str) -> Cover:
    """The cover and control page."""
    plan, manifest = run.plan, run.manifest
    declared = plan.declared
    model = manifest.get("model", {})
    facts = (
        Fact("Model", model.get("title") or plan.model.title),
        Fact("Data set", f"{run.dataset.name}, {plural(len(plan.images), 'picture')} planned"),
        Fact("Run", run.id, code=True),
        Fact("Worked", f"{moment(manifest.get('started'))} to {moment(manifest.get('ended'))}"),
        Fact("Report dated", date),
        Fact("Version, status", "1, draft"),
    )
    control = (
        Fact("Prepared by", declared.preparer or _OPEN),
        Fact("Reviewed by", declared.reviewer or _OPEN),
        Fact("Approved by", _OPEN),
        Fact("Plan SHA-256", plan.digest, code=True),
        Fact("Evidence", "evidence.zip", code=True),
        Fact("Evidence SHA-256", evidence_sha256, code=True),
    )
    subtitle = declared.purpose or "What the model reacts to, and how far its explanations can be trusted"
    return Cover(declared.title, subtitle, warning(run), facts, control, declared.confidentiality)


def warning(run: Run) -> str:
    """What is incomplete about the run in one sentence; empty for a complete one."""
    progress = run.progress()
    left = progress.total - progress.done - progress.failed
    parts = []
    if progress.state not in (*FINISHED, "reporting") or left:
        parts.append(
            f"This run is {STATE_TITLES[progress.state]}: {share(progress.done, progress.total)} units are done."
        )
    if progress.failed:
        parts.append(
            f"{plural(progress.failed, 'unit')} of {progress.total} failed and "
            f"{'is' if progress.failed == 1 else 'are'} "
            "not part of any number."
        )
    failed = failed_applications(run)
    if failed:
        each = ", ".join(application_info(name).title for name in failed)
        parts.append(f"{plural(len(failed), 'application')} of {len(run.plan.applications)} failed: {each}.")
    return " ".join(parts)


def overview(
    run: Run, summary: Summary, findings: Sequence[Finding], plates: Plates, assets: Assets, limits: Sequence[str]
) -> Overview:
    """The one-page summary, from the findings alone."""
    word, reason = opinion(run.progress(), findings)
    found = [finding for finding in findings if finding.status == "finding"]
    counts = tuple((title, sum(f.severity == name for f in found)) for name, title in SEVERITY_TITLES.items())
    bar = None
    if found:
        told = ", ".join(f"{count} {title.lower()}" for title, count in counts if count)
        svg = to_svg(severity_chart(findings), f"Findings by severity: {told}")
        bar = Chart(assets.chart(svg), f"Findings by severity: {told}", "")
    headlines = []
    for finding in found[:3]:
        shown = [*finding.samples, *finding.counter]
        thumbnail = plates.thumbnail(shown[0]) if shown else None
        headlines.append(
            Headline(anchor(finding), finding.title, SEVERITY_TITLES[finding.severity], finding.condition, thumbnail)
        )
    actions = tuple(dict.fromkeys(finding.recommendation for finding in found[:3] if finding.recommendation))
    if not actions:
        actions = _default_actions(word)
    return Overview(word, reason, counts, bar, tuple(headlines), _confidence(run, summary), tuple(limits[:4]), actions)


def limits(run: Run, summary: Summary) -> tuple[str, ...]:
    """What this report can't say, the most important first."""
    plan = run.plan
    out = [
        "No labels were used: nothing here is a statement about accuracy.",
        "Attribution shows what a score is sensitive to in the sense of each method, not why the model is so.",
        f"{plural(summary.images, 'picture')} were examined; nothing is known about pictures that differ from them.",
    ]
    model = run.manifest.get("model", {})
    if model.get("rows") and model.get("columns"):
        out.append(
            f"The model's own grid has {model['rows']} \u00d7 {model['columns']} cells; smaller details can't be "
            "placed."
        )
    if not plan.trust.curves:
        out.append("Deletion and insertion were switched off in the plan, so no map was tested against controls.")
    if not summary.agreement.empty:
        low = summary.agreement.sort_values("value").iloc[0]
        told = measured(low.value, low.low, low.high, int(low.n))
        out.append(f"Methods differ: the least agreement, {method_title(low.a)} with {method_title(low.b)}, is {told}.")
    if len(summary.failures):
        out.append(
            f"{plural(len(summary.failures), 'explanation')} failed and "
            f"{'is' if len(summary.failures) == 1 else 'are'} "
            "in no average (annex B)."
        )
    told = warning(run)
    if told:
        out.append(told)
    out += [
        f"{REMOVALS[run.manifest.get('removal', plan.trust.removal)]}; another way to hide gives other curves.",
        _not_tested(run),
        "The words of a text are the audience's concepts, not necessarily the model's.",
        "The report lapses when the weights, the preprocessing, the texts or the kind of pictures change.",
    ]
    return tuple(out)


def _not_tested(run: Run) -> str:
    checked = of_run(run)
    if checked is None:
        return (
            "Not tested: dependence on the weights (weight randomisation), small changes of the picture, paraphrases "
            "of the text, planted cues, and dependence on the seed."
        )
    return (
        f"The sanity checks rest on {plural(checked.about['pictures'], 'picture')} at most; they don't say that a map "
        "points at the right places. Not tested: planted cues."
    )


def anchor(finding: Finding) -> str:
    """The place of a finding inside the document."""
    return "finding-" + "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in finding.id)


def _confidence(run: Run, summary: Summary) -> str:
    rows = summary.trust[(summary.trust.metric == "faithfulness") & (summary.trust.kind == "method")]
    progress = run.progress()
    base = (
        f"Based on {plural(summary.images, 'picture')} and {plural(summary.pairs, 'picture-text pair')}, "
        f"{share(progress.done, progress.total)} units done."
    )
    if rows.empty:
        return f"{base} No map was tested against controls, so no conclusion rests on a heat map."
    versus, thresholds = summary.versus, load_thresholds(run_thresholds(run))
    won = [
        name
        for name in rows.method
        if len(part := versus[versus.method == name]) and all(beats(row, thresholds) for row in part.itertuples())
    ]
    base = f"{base} {share(len(won), len(rows))} methods are shown to beat every control."
    failed = {name: reason for name, reason in failed_methods(run, thresholds).items() if name in set(rows.method)}
    kept = rows[~rows.method.isin(list(failed))]
    left_out = ""
    if failed:
        each = ", ".join(method_title(name) for name in failed)
        left_out = f" Left out, because they fail a sanity check: {each}."
    if kept.empty:
        return f"{base} No method passes the sanity checks, so no conclusion rests on a heat map.{left_out}"
    best = kept.sort_values("value", ascending=False).iloc[0]
    told = measured(best.value, best.low, best.high, int(best.n))
    among = " among methods that fail no sanity check" if failed else ""
    return f"{base} The highest faithfulness{among} is that of {method_title(best.method)}: {told}.{left_out}"


def _default_actions(word: str) -> tuple[str, ...]:
    if word == "Cannot conclude":
        return (
            "Do not rely on the heat maps yet; give more pictures or finish the run, then read the report again.",
            "See which checks could not be decided, and what they lacked, in the section on findings.",
        )
    return ("Read the limits, then repeat the audit when the model, its texts or the kind of pictures change.",)
