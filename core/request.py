"""What an audit is asked to do, as one object, and the one way from there to dataset, plan and run. No torch.

The command line, the form of the app and the demonstration each build an `AuditRequest`; `begin` turns it into a run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from core.applications.registry import APPLICATIONS, application_info, application_plan, planned
from core.applications.sampling import joined, known_paths
from core.content.house_style import HouseStyle, keep_house_style
from core.datasets import (
    Annotations,
    Dataset,
    Remote,
    absent,
    ingest,
    keep_annotations,
    load_dataset,
    read_annotations,
    read_label_maps,
)
from core.drafts import write_whole
from core.errors import InputError
from core.house_styles import style_of
from core.methods import METHODS, method_info
from core.methods.presets import EFFORTS
from core.models.signed.signature import SIGNERS, given_signers
from core.rules.thresholds import Thresholds, load_thresholds
from core.runs import (
    ApplicationPlan,
    Declared,
    MethodPlan,
    ModelSpec,
    Plan,
    Run,
    TextPlan,
    TrustPlan,
    break_seal,
    create_run,
    open_run,
)
from core.runs.access import Actor, actor_here, roles
from core.runs.parts import Part, Seed
from core.runs.plan import first_problem
from core.runs.review import record_start
from core.runs.versions import made_elsewhere
from core.statistics.sampling import stratified_design

THRESHOLDS = "thresholds.toml"
# Where the images that an audit's images are compared with lie in a run.
REFERENCE = "reference"
Options = Mapping[str, Mapping[str, Any]]


class NoTextError(InputError):
    """No image of the audit has a text to be explained with."""


class AuditRequest(Part):
    """What an audit is asked to do. It cannot be changed; `build` says in one line what is wrong with its parts.

    The images are either taken in (`images`, with `table` and `annotations`) or those of a stored `dataset`.
    """

    out: Path = Field(description="run directory; one that holds the same plan already is continued")
    images: tuple[Path | Remote, ...] = Field((), description="folders, ZIP files and images to take in")
    table: Path | Remote | None = Field(None, description="table (CSV, Excel, …): image path, captions, metadata")
    annotations: Path | None = Field(
        None, description="COCO JSON, table of phrases with boxes, or folder of label maps, kept with the images"
    )
    dataset: Path | None = Field(None, description="folder of a stored dataset")
    reference: tuple[Path | Remote, ...] = Field((), description="folders, ZIP files and images to compare with")
    limit: int | None = Field(None, ge=1, description="how many images are audited, drawn at random; None: all")
    model: ModelSpec = ModelSpec()
    texts: TextPlan = TextPlan()
    methods: tuple[MethodPlan, ...] = ()
    applications: tuple[ApplicationPlan, ...] = ()
    trust: TrustPlan = TrustPlan()
    seed: Seed = 0
    declared: Declared = Declared()
    repeats: Plan | None = Field(None, description="a stored plan: its images, if all are given, and its files' hashes")
    thresholds: Path | None = Field(None, description="TOML file that judges the audit; None: the built-in one")
    signers: tuple[Path, ...] = Field((), description="PEM files of keys and issuers, one of whom signed the model")
    compare_with: tuple[Path, ...] = Field((), description="directories of runs of other models on the same images")
    fail_on: Literal["low", "medium", "high"] | None = Field(None, description="severity at which the audit fails")
    language: str | None = Field(None, description="language of the report; None: that of the house style")
    house_style: Path | None = Field(None, description="folder with the house style of the report")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.dataset is None) == (not self.images):
            raise ValueError("images: give files to take in, or a stored dataset")
        if self.dataset is not None and (self.table or self.annotations):
            raise ValueError("dataset: a stored dataset has its table and annotations already")
        return self

    @classmethod
    def build(cls, **parts: Any) -> Self:
        """A request of these parts. Raises `InputError` in one line that names the part and what is wrong with it."""
        try:
            return cls(**parts)
        except ValidationError as error:
            raise InputError(first_problem(error)) from error


def methods_at(
    effort: str, names: Iterable[str] | None = None, options: Options | None = None
) -> tuple[MethodPlan, ...]:
    """The named methods with the options of an effort and those given; None: every one that is not opt-in.

    Raises `InputError` for an unknown name or option.
    """
    given, preset = options or {}, EFFORTS[effort]
    wanted = [info.name for info in METHODS.values() if not info.opt_in] if names is None else names
    return tuple(
        checked(MethodPlan, {"name": name, "options": preset.of(method_info(name).name) | dict(given.get(name, {}))})
        for name in wanted
    )


def applications_at(
    effort: str, names: Iterable[str] | None = None, options: Options | None = None
) -> tuple[ApplicationPlan, ...]:
    """The named applications, likewise; None: every one."""
    given = options or {}
    return tuple(
        application_plan(name, application_info(name).preset(effort) | dict(given.get(name, {})))
        for name in (APPLICATIONS if names is None else names)
    )


def trust_at(effort: str, **changes: Any) -> TrustPlan:
    """The tests of an effort, with changes. Raises `InputError` for one that is out of its bounds."""
    preset = EFFORTS[effort]
    usual = {"steps": preset.steps, "coalitions": preset.coalitions, "again": preset.again}
    plan: TrustPlan = checked(TrustPlan, usual | changes)
    return plan


def checked(kind: Any, parts: Mapping[str, Any]) -> Any:
    """A part of a request. Raises `InputError` in one line that names what is wrong."""
    try:
        return kind(**parts)
    except ValidationError as error:
        raise InputError(first_problem(error)) from error


# -- from a request to a run -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inputs:
    """What was read of the files that a request names, before anything is written."""

    thresholds: Thresholds | None
    annotations: Annotations | None
    others: tuple[Run, ...]
    signers: tuple[str, ...] = ()
    style: HouseStyle | None = None


def read_inputs(request: AuditRequest) -> Inputs:
    """Read every file that a request names, apart from the images. Nothing is written.

    Raises `InputError` or `RunError` in one line for the first that is missing or cannot be used.
    """
    thresholds = load_thresholds(request.thresholds) if request.thresholds else None
    others = tuple(open_run(folder) for folder in request.compare_with)
    for option, paths in (("--images", request.images), ("--reference-images", request.reference)):
        for path in paths:
            if absent(path):
                raise InputError(f"{path} does not exist; {option} takes folders, ZIP, tar or Parquet files, images")
    given = request.annotations
    # Label maps are found by the images of the dataset, so that they are read once these are known.
    annotations = read_annotations(given) if given and not given.is_dir() else None
    if request.out.exists() and not request.out.is_dir():
        raise InputError(f"--out {request.out} is a file; name a folder")
    style = style_of(request.language, request.house_style)
    return Inputs(thresholds, annotations, others, given_signers(request.signers), style)


def begin(request: AuditRequest, inputs: Inputs | None = None, actor: Actor | None = None) -> Run:
    """The run that a request asks for: its dataset is stored, its plan is made, no unit is computed yet.

    `inputs` are those of `read_inputs`, where they were read already. `actor` is who asks, the account of this process
    unless given; where the operator has given people roles, the review log of the run begins with it.

    Raises `InputError` in one line for what cannot be used, `RunError` if the directory holds another run; a new
    directory does not stay then.
    """
    inputs = inputs or read_inputs(request)
    starts = None if roles() is None else actor or actor_here(request.declared.preparer)
    with _nothing_half_written(request.out):
        request = _with_reference(request)
        dataset = _dataset(request, inputs.annotations)
        judged = inputs.thresholds
        run = create_run(request.out, plan_of(request, dataset, judged.sha256 if judged else ""))
        if judged is not None:
            (run.folder / THRESHOLDS).write_bytes(judged.data)
        if inputs.signers:
            break_seal(run)
            write_whole(run.folder / SIGNERS, "".join(inputs.signers).encode())
        if starts is not None:
            record_start(run, starts)
    keep_house_style(run, inputs.style)
    beside = [seen_from(run, other) for other in inputs.others]
    if run.manifest.get("compare_with", []) != beside:
        break_seal(run)
        run.update_manifest(compare_with=beside)
    # What another version of the program made stays as it is, its seal included.
    if run.manifest.get("fail_on") != request.fail_on and made_elsewhere(run) is None:
        break_seal(run)
        run.update_manifest(fail_on=request.fail_on)
    return run


def plan_of(request: AuditRequest, dataset: Dataset, thresholds: str = "") -> Plan:
    """The plan of a request on its dataset; `thresholds` is the SHA-256 of its own thresholds file, if it has one.

    Raises `InputError` if there is nothing to do or a part that this version cannot run, `NoTextError` without a text.
    """
    if not (request.methods or request.applications):
        raise InputError("there is nothing to do: choose methods or applications")
    images = _images(request, dataset)
    if request.methods and not _has_texts(request.texts, dataset, images["images"]):
        raise NoTextError("there is no text to explain: give --texts, --classes or a --table with captions")
    return planned(
        dataset=dataset.id,
        dataset_root=_root(request, dataset),
        model=request.model,
        texts=request.texts,
        methods=request.methods,
        applications=request.applications,
        trust=request.trust,
        seed=request.seed,
        declared=request.declared,
        thresholds=thresholds,
        files={} if request.repeats is None else request.repeats.files,
        **images,
    )


def _with_reference(request: AuditRequest) -> AuditRequest:
    """The request whose applications know the reference images, which are taken in below the run's directory.

    Raises `InputError` if no application of the request compares images with others, or if no image is left.
    """
    if not request.reference:
        return request
    asked = {part.name: application_info(part.name).reference for part in request.applications}
    if not any(asked.values()):
        raise InputError("--reference-images needs an application that compares the images with them")
    reference = ingest(list(request.reference), store=request.out / REFERENCE)
    applications = tuple(
        application_plan(part.name, {**part.options, asked[part.name]: reference.id}) if asked[part.name] else part
        for part in request.applications
    )
    return request.model_copy(update={"applications": applications})


def seen_from(run: Run, other: Run) -> str:
    """Where another run lies, seen from this one."""
    return os.path.relpath(other.folder.resolve(), run.folder.resolve())


def _has_texts(texts: TextPlan, dataset: Dataset, images: Iterable[str]) -> bool:
    chosen = set(images)
    captioned = texts.captions and any(image.captions for image in dataset.images if image.id in chosen)
    return bool(captioned or texts.prompts or (texts.classes and texts.top_classes))


def _dataset(request: AuditRequest, annotations: Annotations | None) -> Dataset:
    if request.dataset is not None:
        return load_dataset(request.dataset)
    dataset = ingest(list(request.images), store=request.out / "dataset", table=request.table, progress=None)
    if request.annotations is not None and request.annotations.is_dir():
        annotations = read_label_maps(request.annotations, dataset)
    if annotations is not None:
        keep_annotations(dataset, annotations)
    return dataset


def _root(request: AuditRequest, dataset: Dataset) -> str:
    """The dataset's folder from the run's, so that both can be moved together and no plan names places above."""
    if request.dataset is None:
        return str(Path("dataset") / dataset.id)
    return os.path.relpath(dataset.root.resolve(), request.out.resolve())


def _images(request: AuditRequest, dataset: Dataset) -> dict[str, Any]:
    """The images of the audit, and how many of a stored plan make a unit."""
    given = tuple(image.id for image in dataset.images)
    stored = request.repeats
    if stored is not None and set(stored.images) <= set(given):
        return {"images": stored.images, "shard": stored.shard}
    count = len(given) if request.limit is None else min(request.limit, len(given))
    return {"images": given if count == len(given) else _drawn(dataset, count, request.seed)}


def _drawn(dataset: Dataset, count: int, seed: int) -> tuple[str, ...]:
    """So many images, drawn at random within strata of class and metadata as far as the dataset holds them.

    They keep the order of the dataset.
    """
    paths, _ = known_paths(dataset.images, dataset.columns)
    chosen = sorted(stratified_design(joined(paths, count), seed).drawn[:count].tolist())
    return tuple(dataset.images[at].id for at in chosen)


@contextmanager
def _nothing_half_written(out: Path) -> Iterator[None]:
    """Leave no new run directory behind when its plan turns out to be impossible."""
    new = next((path for path in (out, out / "dataset") if not path.exists()), None)
    try:
        yield
    except BaseException:
        if new is not None:
            shutil.rmtree(new, ignore_errors=True)
        raise
