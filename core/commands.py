"""What each command of `python -m core` does. Returns what to print, as text and as data, and the exit code."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.arguments import picture_parts, plan_parts, thresholds_file
from core.audit.hold import check_free
from core.datasets import Annotations, ingest, keep_annotations, read_annotations
from core.errors import InputError
from core.methods import METHODS
from core.models.listing import DEFAULT, embedded_models
from core.outcome import outcome
from core.run_commands import Answer, find_run
from core.runs import STOPPED, Run, break_seal, check_before_rewriting, create_run, make_plan
from core.runs.leftovers import sweep_run
from core.runs.seal import seal
from core.settings import ROOT

SAMPLE = ROOT / "core" / "sample"
# As many as the findings on trust need. What both embedded models can serve is set side by side for a few methods.
BESIDE = 12
SHARED = ("raw", "gradcam", "m2ib", "rise", "kernel_shap")


def demo(chosen: argparse.Namespace) -> Answer:
    """A full audit of the bundled sample with the default model, set beside every other embedded model.

    The others explain the first `BESIDE` pictures with the same options, by the methods that the default model can't
    serve and by those of `SHARED`; of the applications they run segmentation.
    """
    beside = []
    first, *others = embedded_models()
    for other in others:
        folder = chosen.out / "beside" / other.name
        _tell(f"{other.name}:")
        title = f"Demonstration audit of {other.name}"
        methods = [
            info.name
            for info in METHODS.values()
            if not info.opt_in and (info.name in SHARED or info.reasons(first.capabilities).get("image") is not None)
        ]
        short = {"limit": BESIDE, "methods": ",".join(methods), "applications": "segmentation"}
        answer, code = audit(_demonstration(chosen, folder, other.name, title, [], **short))
        if code:
            return answer, code
        beside.append(str(folder))
    _tell(f"{DEFAULT}:")
    return audit(_demonstration(chosen, chosen.out, DEFAULT, "Demonstration audit", beside))


def _demonstration(
    chosen: argparse.Namespace, out: Path, model: str, title: str, compare_with: list[str], **other: Any
) -> argparse.Namespace:
    made = argparse.Namespace(**vars(chosen))
    made.__dict__.update(
        out=out,
        images=[SAMPLE / "images"],
        table=SAMPLE / "captions.csv",
        texts=None,
        classes=SAMPLE / "classes.txt",
        template=None,
        top_classes=1,
        no_captions=False,
        model=model,
        pretrained=None,
        weights=None,
        device="auto",
        methods=None,
        applications=None,
        option=[],
        annotations=None,
        plan=None,
        again=None,
        no_curves=False,
        limit=None,
        seed=0,
        title=title,
        compare_with=compare_with,
        purpose="Shows what an audit looks like, on the bundled sample and the embedded model.",
        preparer="Loupe demo",
        thresholds=None,
        fail_on=None,
    )
    made.__dict__.update(other)
    return made


def audit(chosen: argparse.Namespace) -> Answer:
    """Ingest, plan, work, report. Nothing is written before the model and every argument are known to be good."""
    from core.audit.worker import work
    from core.findings import load_thresholds
    from core.models.loading import load_model

    parts = plan_parts(chosen)
    judged_by = thresholds_file(chosen)
    judged = load_thresholds(judged_by) if judged_by else None
    parts["thresholds"] = judged.sha256 if judged else ""
    others = [find_run(name) for name in chosen.compare_with]
    for path in chosen.images:
        if not path.exists():
            raise InputError(f"{path} doesn't exist; --images takes folders, ZIP files or pictures")
    labelled = read_annotations(chosen.annotations) if chosen.annotations else None
    if chosen.limit is not None and chosen.limit < 1:
        raise InputError(f"--limit must be 1 or more, not {chosen.limit}")
    if chosen.out.exists() and not chosen.out.is_dir():
        raise InputError(f"--out {chosen.out} is a file; name a folder")
    spec = parts["model"]
    model = load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
    with _nothing_half_written(chosen.out):
        run = _planned(chosen, parts, judged.data if judged else None, labelled)
    beside = [_from(run, other) for other in others]
    if run.manifest.get("compare_with", []) != beside:
        break_seal(run)
        run.update_manifest(compare_with=beside)
    state = work(run, _tell, model)
    return outcome(run, state, chosen.fail_on)


def _planned(
    chosen: argparse.Namespace, parts: dict[str, Any], judged: bytes | None, labelled: Annotations | None
) -> Run:
    dataset = ingest(list(chosen.images), store=chosen.out / "dataset", table=chosen.table, progress=None)
    if labelled is not None:
        keep_annotations(dataset, labelled)
    texts = parts["texts"]
    captioned = texts.captions and any(picture.captions for picture in dataset.pictures)
    if parts["methods"] and not (texts.prompts or texts.classes or captioned):
        raise InputError("there is no text to explain: give --texts, --classes or a --table with captions")
    plan = make_plan(
        dataset=dataset.id,
        dataset_root=str(Path("dataset") / dataset.id),
        **parts,
        **picture_parts(chosen, dataset),
    )
    run = create_run(chosen.out, plan)
    if judged is not None:
        (run.folder / "thresholds.toml").write_bytes(judged)
    return run


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


def resume(chosen: argparse.Namespace) -> Answer:
    """Go on with a run."""
    run = find_run(chosen.run_directory)
    check_free(run)
    from core.audit.worker import work

    return outcome(run, work(run, _tell, recompute=chosen.recompute), None)


def worker(chosen: argparse.Namespace) -> Answer:
    """What the app starts."""
    from core.audit.worker import work

    run = find_run(chosen.run_directory)
    return outcome(run, work(run, _tell, launched=chosen.launched), None)


def report(chosen: argparse.Namespace) -> Answer:
    """Judge and render again, and seal the run again."""
    run = find_run(chosen.run_directory)
    sweep_run(run)
    check_before_rewriting(run)
    return _reported(run)


def compare(chosen: argparse.Namespace) -> Answer:
    """Compare a finished run with others and render its report again."""
    from core.evaluation.comparison import compare as compared
    from core.evaluation.comparison import save_comparisons

    run = find_run(chosen.run_directory)
    others = [find_run(name) for name in chosen.others]
    check_before_rewriting(run)
    save_comparisons(run, [compared(run, other) for other in others])
    run.update_manifest(compare_with=[_from(run, other) for other in others], comparison_problems=[])
    return _reported(run)


def _reported(run: Run) -> Answer:
    from core.evaluation.summary import summarise
    from core.findings import judge, save_findings
    from core.reporting import render_report

    findings = judge(run, summarise(run))
    path = render_report(run, findings)
    save_findings(run, findings)
    if run.progress().state in STOPPED:
        seal(run)
    return {"text": str(path), "data": {"report": str(path)}}, 0


def _from(run: Run, other: Run) -> str:
    """Where another run lies, seen from this one."""
    return os.path.relpath(other.folder.resolve(), run.folder.resolve())


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
