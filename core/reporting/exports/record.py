"""The report as data: the models of `report.json`, from which its published schema and the other exports follow.

Every text is one that the report prints. Nothing depends on the clock, the machine that renders or where the run lies.
A change that a reader of an earlier file has to know about raises `SCHEMA_VERSION`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.reporting.requirements import State
from core.rules import Number, Sample
from core.rules.finding import Severity, Status, Subject
from core.runs.review.entry import Action
from core.runs.review.steps import Decision
from core.runs.review.steps import Status as ReportStatus

SCHEMA_VERSION: Final = "1.2"
SCHEMA_ID = f"urn:loupe:schema:report:{SCHEMA_VERSION}"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, 64 hex digits")]
Level = Literal["low", "medium", "high"]


class Part(BaseModel):
    """Nothing unknown, nothing that changes, no number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Units(Part):
    """How far the work got."""

    planned: int
    completed: int
    failed: int


class RunRecord(Part):
    """The run: what was planned, and when the work was done."""

    id: str = Field(description="name of the run directory")
    title: str = Field(description="as declared")
    purpose: str = Field(description="as declared")
    started: str | None = Field(description="ISO 8601, as recorded by the run")
    ended: str | None = Field(description="ISO 8601, as recorded by the run; null if the run did not end")
    plan_sha256: Sha256
    seed: int
    units: Units
    incomplete: str = Field(description="what makes the run incomplete, in words; empty for a complete run")
    fail_on: Level = Field(description="severity from which a finding fails the audit; medium unless it was given")


class Opinion(Part):
    """The overall opinion and the sentence that it rests on."""

    opinion: Literal["No material concern", "Concerns", "Cannot conclude"]
    reason: str


class Summary(Part):
    """Counts of outcomes, and the limitations of the report, the most important first."""

    high: int
    medium: int
    low: int
    passed: int
    inconclusive: int
    limits: tuple[str, ...]


class Outcome(Part):
    """A finding, a passed check or a check without a conclusion."""

    id: str = Field(description="the rule, and what the outcome is about where a rule has several")
    fingerprint: str = Field(pattern=r"^[0-9a-f]{32}$", description="hash of the id: the same in every audit")
    rule: str
    subject: Subject
    title: str
    verdict: Status
    severity: Severity = Field(description="note for what is not a finding")
    impact: float | None = Field(description="from 0 to 1, from the thresholds; null for what is not a finding")
    likelihood: float | None = Field(description="share of the units that the finding concerns, from 0 to 1")
    condition: str = Field(description="what was measured, in words")
    criterion: str
    thresholds: str = Field(description="thresholds by name, value and version of their file")
    n: int = Field(description="number of independent units")
    unit: str = Field(description="what n counts")
    estimate: Number | None = Field(description="the first piece of evidence")
    evidence: tuple[Number, ...] = Field(description="values with 95 % interval, n and, where tested, adjusted p")
    samples: tuple[Sample, ...] = Field(description="images that show it")
    rule_of_samples: str
    counter_samples: tuple[Sample, ...] = Field(description="images that contradict it")
    rule_of_counter_samples: str
    cause: str
    effect: str
    recommendation: str
    reproduce: str = Field(description="command; RUN stands for the run directory")
    needed: str = Field(description="what would decide a check without a conclusion; empty where that is not known")


class RuleRecord(Part):
    """A rule that was judged in this run."""

    id: str
    subject: Subject
    question: str
    unit: str


class MethodRecord(Part):
    """How much of a planned method was done."""

    name: str
    title: str
    explanations: int = Field(description="image-text pairs with a map or token values")
    failed: int = Field(description="image-text pairs that failed")
    images: int = Field(description="images with at least one explanation")
    not_run: dict[str, str] = Field(description="reason by side (image, text) that was not run")
    fails_check: str = Field(description="why nothing rests on the method; empty if it fails no check")


class ApplicationRecord(Part):
    """What became of a planned application."""

    name: str
    title: str
    state: Literal["completed", "failed", "not run", "open"]
    reason: str = Field(description="why it failed or was not run")


class ImageRecord(Part):
    """An image that a finding shows."""

    id: str = Field(description="content id: hash of the pixels")
    name: str
    sha256: str = Field(description="SHA-256 of the original file")
    format: str
    bytes: int


class DataRecord(Part):
    """The dataset; the SHA-256 of every stored image is in images.csv of the evidence bundle."""

    id: str
    name: str
    sha256: Sha256 = Field(description="of dataset.json, which lists every image with its hash")
    images: int = Field(description="number of stored images")
    planned: int = Field(description="number of images in the plan")
    measured: int = Field(description="number of images with results")
    refused: int = Field(description="number of files that were refused")
    provenance: str = Field(description="as declared")
    licence: str = Field(description="as declared")
    files: dict[str, str] = Field(description="SHA-256 of further files, by the option that named them")
    shown: tuple[ImageRecord, ...] = Field(description="the images that findings show")


class ModelRecord(Part):
    """The identity of the model, as it was loaded."""

    title: str
    name: str
    pretrained: str | None
    architecture: str | None
    digest: str | None = Field(description="SHA-256 of the weights as loaded")
    weights_sha256: str | None = Field(description="SHA-256 of the weights file")
    parameters: int | None
    embed_dim: int | None
    image_family: str | None
    text_family: str | None
    preprocessing: dict[str, Any]
    card: dict[str, Any] = Field(description="the provider's statements")


class ThresholdsRecord(Part):
    """The file that findings were judged by."""

    version: str
    sha256: Sha256


class RequirementRecord(Part):
    """A requirement and the outcomes that bear on it. Nothing here states compliance."""

    id: str
    paraphrase: str
    state: State
    findings: int
    passed: int
    inconclusive: int
    outcomes: tuple[str, ...] = Field(description="ids of the outcomes that bear on it")
    limits: str


class FrameworkRecord(Part):
    """A law or a standard, and when its text was last checked."""

    id: str
    title: str
    edition: str
    source: str
    checked: str
    note: str
    requirements: tuple[RequirementRecord, ...]


class Package(Part):
    """A package that was installed when the work was done."""

    name: str
    version: str
    licence: str = Field(description="as its metadata state it; empty if they do not")


class Environment(Part):
    """The program and its packages when the work was done."""

    loupe: str
    code_sha256: str | None
    commit: str | None
    python: str | None
    packages: tuple[Package, ...]
    complete: bool = Field(description="whether every installed package is listed; earlier versions recorded a few")


class DecisionRecord(Part):
    """What the review log holds about one finding."""

    finding: str = Field(description="id of the finding")
    decision: Decision
    by: str = Field(description="who accepted or dismissed it, as entered; empty where nobody did")
    at: str | None = Field(description="when, ISO 8601 in UTC")
    reason: str
    owner: str
    due: str | None = Field(description="date, ISO 8601")
    response: str
    action: Action


class ReviewRecord(Part):
    """Where the review of the report stood when this file was made."""

    version: int = Field(description="number of the version under review")
    status: ReportStatus
    entries: int = Field(description="number of entries of the review log")
    decisions: tuple[DecisionRecord, ...] = Field(description="of the findings about which anything was entered")


class FlawRecord(Part):
    """A kind of planted flaw: in how many models it was found, and on how many clean ones it was reported."""

    flaw: str
    rules: tuple[str, ...] = Field(description="rules of which one had to find it; * stands for any text")
    found: Number = Field(description="share of the models with the flaw in which it was found; n counts these models")
    false_alarms: Number = Field(description="share of the clean models in which it was reported; n counts these")
    found_count: int
    false_alarm_count: int
    weakest: float | None = Field(description="weakest strength at which half were found; null if not tested")
    scale: str = Field(description="what strength is")
    thresholds: str = Field(description="version of the thresholds with which this was measured")


class DetectionLimitsRecord(Part):
    """What the checks of this report are known to find, by the file `detection.toml` of the bundle."""

    version: str
    sha256: Sha256
    measured: str = Field(description="date, ISO 8601")
    flaws: tuple[FlawRecord, ...] = Field(description="those that bear on a rule of this report")


class ReportRecord(Part):
    """A report of Loupe as data."""

    schema_version: Literal["1.0", "1.1", "1.2"] = SCHEMA_VERSION
    run: RunRecord
    opinion: Opinion
    summary: Summary
    findings: tuple[Outcome, ...] = Field(description="most severe first")
    passed: tuple[Outcome, ...]
    inconclusive: tuple[Outcome, ...]
    rules: tuple[RuleRecord, ...]
    methods: tuple[MethodRecord, ...]
    applications: tuple[ApplicationRecord, ...]
    data: DataRecord
    model: ModelRecord
    thresholds: ThresholdsRecord
    requirements: tuple[FrameworkRecord, ...]
    environment: Environment
    review: ReviewRecord | None = Field(default=None, description="null in files of version 1.0, which do not state it")
    detection_limits: DetectionLimitsRecord | None = Field(
        default=None, description="null in files of version 1.0 and 1.1, which do not state them"
    )

    def decision(self, finding: str) -> DecisionRecord | None:
        """What was decided about a finding, if anything was entered about it."""
        decisions = self.review.decisions if self.review is not None else ()
        return next((one for one in decisions if one.finding == finding), None)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Every outcome, in the order of the report."""
        return (*self.findings, *self.inconclusive, *self.passed)

    @property
    def dated(self) -> str:
        """When the content was made, from the record of the run, as ISO 8601 in UTC; 1970 where nothing is recorded."""
        return self.run.ended or self.run.started or "1970-01-01T00:00:00Z"


def schema_json() -> bytes:
    """The published schema of `report.json`, as `docs/schema/` has it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    schema |= ReportRecord.model_json_schema(mode="serialization")
    schema["title"] = f"Report of Loupe, version {SCHEMA_VERSION}"
    return (json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
