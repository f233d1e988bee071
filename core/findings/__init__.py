"""Rules over a run that give findings, passed checks and what can't be concluded. No torch."""

from __future__ import annotations

from math import isfinite

from pydantic import TypeAdapter

from core.evaluation.summary import Summary
from core.findings import (
    concept_rules,
    control_rules,
    data_rules,
    group_rules,
    map_rules,
    place_rules,
    sanity_rules,
    sum_rules,
    surroundings_rules,
    susceptibility_rules,
    trust_rules,
    word_rules,
    work_rules,
)
from core.findings.control_rules import beats, healthy_methods
from core.findings.finding import Finding, Grade, Number, Sample
from core.findings.sanity_verdicts import failed_methods
from core.findings.thresholds import BUILT_IN, Thresholds, load_thresholds, run_thresholds
from core.findings.work_rules import NOTHING, failed_applications
from core.runs import Run
from core.runs.manifest import write_json

RULES = (
    control_rules.beats_controls,
    trust_rules.methods_agree,
    trust_rules.pictures_agree,
    trust_rules.scores_exist,
    map_rules.maps_vary,
    map_rules.hiding_matters,
    sum_rules.places_add_up,
    sum_rules.parts_add_up,
    concept_rules.concept_surprise,
    concept_rules.concept_dominates,
    place_rules.border_reliance,
    place_rules.background_reliance,
    surroundings_rules.surroundings,
    surroundings_rules.marks,
    susceptibility_rules.typographic,
    susceptibility_rules.template_sensitivity,
    susceptibility_rules.function_word_attribution,
    susceptibility_rules.ignored_words,
    word_rules.merged_words,
    group_rules.groups_differ,
    group_rules.pictures_lie_far,
    sanity_rules.weights_matter,
    sanity_rules.texts_matter,
    sanity_rules.seeds_agree,
    sanity_rules.mirrors_agree,
    sanity_rules.rewording_agrees,
    data_rules.refused,
    data_rules.duplicates,
    data_rules.failures,
    work_rules.nothing_worked,
    work_rules.methods_failed,
    work_rules.applications_failed,
)
_ORDER = {"high": 0, "medium": 1, "low": 2, "note": 3}
_STATUS = {"finding": 0, "cannot_conclude": 1, "passed": 2}
_MANY = TypeAdapter(tuple[Finding, ...])

__all__ = [
    "BUILT_IN",
    "NOTHING",
    "RULES",
    "Finding",
    "Grade",
    "Number",
    "Sample",
    "Thresholds",
    "beats",
    "failed_applications",
    "failed_methods",
    "healthy_methods",
    "judge",
    "load_findings",
    "load_thresholds",
    "run_thresholds",
    "save_findings",
]


def judge(run: Run, summary: Summary, thresholds: Thresholds | None = None) -> tuple[Finding, ...]:
    """Every rule's outcome: findings first (most severe first), then what can't be concluded, then what passed."""
    chosen = thresholds or load_thresholds(run_thresholds(run))
    found = [_held(finding) for rule in RULES for finding in rule(run, summary, chosen)]
    if any(finding.id == NOTHING for finding in found):
        found = [_void(finding) for finding in found]
    return tuple(
        sorted(found, key=lambda f: (_STATUS[f.status], _ORDER[f.severity], -(f.grade.value if f.grade else 0), f.id))
    )


def _held(finding: Finding) -> Finding:
    """A check passes only on values: without a single one it cannot conclude."""
    valued = [part for part in finding.evidence if part.value is not None and isfinite(part.value) and part.n]
    if finding.status != "passed" or not finding.evidence or valued:
        return finding
    told = f"No value was measured. {finding.condition}"
    return finding.model_copy(update={"status": "cannot_conclude", "condition": told})


def _void(finding: Finding) -> Finding:
    """Where nothing worked, no check of the model or of an explanation has passed."""
    if finding.status != "passed" or finding.rule.startswith("data."):
        return finding
    told = f"Nothing worked in this audit, so that this is not shown. {finding.condition}"
    return finding.model_copy(update={"status": "cannot_conclude", "condition": told})


def save_findings(run: Run, findings: tuple[Finding, ...]) -> None:
    """Keep the findings as `findings.json` in the run directory."""
    write_json(run.folder / "findings.json", _MANY.dump_python(findings, mode="json"))


def load_findings(run: Run) -> tuple[Finding, ...]:
    """The findings kept with the run; none if it hasn't been judged."""
    path = run.folder / "findings.json"
    return _MANY.validate_json(path.read_bytes()) if path.exists() else ()
