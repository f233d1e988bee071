"""What each command of `python -m core` does. Returns what to print, as text and as data, and the exit code."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.arguments import audit_request
from core.audit.engines import Engine
from core.audit.hold import check_free
from core.comparing import models_side_by_side
from core.copying import check_url, copied, with_lines
from core.demonstration import demonstration
from core.engine_arguments import chosen_engine
from core.errors import InputError, LoupeError
from core.house_styles import restyle
from core.memory import without_collection
from core.outcome import outcome
from core.planted import planted
from core.request import AuditRequest, begin, read_inputs, seen_from
from core.run_commands import Answer, find_run
from core.runs import STOPPED, Run, rewriting
from core.runs.leftovers import sweep_run
from core.runs.seal import seal

DEMO = Path("out")


def demo(chosen: argparse.Namespace) -> Answer:
    """The audits of the demonstration, one after the other, or that of the planted shortcut.

    The answer is that of the last, or of the first to fail.
    """
    from core.reporting import check_renderer

    check_renderer()
    engine = chosen_engine(chosen)
    if chosen.planted:
        return perform(planted(chosen.out or DEMO / "planted", chosen.effort), engine)
    answer: tuple[dict[str, Any], int] = {"text": "", "data": {}}, 0
    for request in demonstration(chosen.out or DEMO / "demo", chosen.effort, short=chosen.short):
        _tell(f"{request.model.name}:")
        answer = perform(request, engine)
        if answer[1]:
            break
    return answer


def audit(chosen: argparse.Namespace) -> Answer:
    """The audit that the arguments ask for."""
    check_url(chosen.copy_to)
    return perform(audit_request(chosen), chosen_engine(chosen), chosen.copy_to)


def perform(request: AuditRequest, engine: Engine, copy_to: str | None = None) -> Answer:
    """Ingest, plan, work, report. Nothing is written before the model and every argument are known to be good.

    copy_to: a URL behind which a copy of the run is kept.
    """
    from core.models.loading import load_model
    from core.reporting import check_renderer

    inputs = read_inputs(request)
    spec = request.model
    check_renderer()
    model = load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
    new = not request.out.exists()
    run = begin(request, inputs)
    try:
        model = model.bound(run.dataset, run.plan.images)
    except LoupeError:
        # A table that lacks an image is wrong input, of which nothing stays.
        if new:
            shutil.rmtree(run.folder, ignore_errors=True)
        raise
    with copied(run, copy_to) as told:
        state = _work()(run, _tell, model, engine=engine)
    return with_lines(outcome(run, state, request.fail_on), told)


def _work() -> Callable[..., str]:
    """What does the work of a run; torch comes with it."""
    with without_collection(lasting=True):
        from core.audit.worker import work
    return work


def resume(chosen: argparse.Namespace) -> Answer:
    """Go on with a run."""
    run, engine = find_run(chosen.run_directory), chosen_engine(chosen)
    check_free(run)
    with copied(run, chosen.copy_to) as told:
        state = _work()(run, _tell, recompute=chosen.recompute, engine=engine)
    return with_lines(outcome(run, state, None), told)


def worker(chosen: argparse.Namespace) -> Answer:
    """What the app starts, and what a worker starts to share its units."""
    run = find_run(chosen.run_directory)
    if chosen.joins:
        from core.audit.engines.member import join

        spent = join(run, chosen.joins, chosen.threads)
        return {"text": "", "data": {"image_forwards": spent.image, "text_forwards": spent.text}}, 0
    return outcome(run, _work()(run, _tell, launched=chosen.launched, engine=chosen_engine(chosen)), None)


def report(chosen: argparse.Namespace) -> Answer:
    """Judge and render again, compared with an earlier run of the same plan if one is named, and seal the run again."""
    from core.findings.earlier import keep_earlier, keep_predecessor

    run = find_run(chosen.run_directory)
    sweep_run(run)
    with rewriting(run):
        if chosen.earlier is not None:
            keep_earlier(run, find_run(chosen.earlier))
        keep_predecessor(run)
        restyle(run, chosen.language, chosen.house_style)
        return _reported(run)


def compare(chosen: argparse.Namespace) -> Answer:
    """Compare a finished run with others and render its report again, or set any number of models side by side."""
    if chosen.models or chosen.out:
        return models_side_by_side(chosen, _tell)
    if len(chosen.runs) < 2:
        raise InputError("name the run whose report is wanted and at least one other, or give --models and --out")
    from core.evaluation.comparison import compare as compared
    from core.evaluation.comparison import save_comparisons

    run, *others = [find_run(name) for name in chosen.runs]
    sweep_run(run)
    with rewriting(run):
        found = [compared(run, other) for other in others]
        restyle(run, chosen.language, chosen.house_style)
        save_comparisons(run, found)
        run.update_manifest(compare_with=[seen_from(run, other) for other in others], comparison_problems=[])
        return _reported(run)


def _reported(run: Run) -> Answer:
    from core.findings import apply_rules, save_findings
    from core.findings.earlier import changes, load_earlier
    from core.reporting import render_report
    from core.reporting.changes import changes_data, counted
    from core.reporting.legibility import font_warning
    from core.rules import Context

    context = Context(run)
    findings = apply_rules(context)
    path = render_report(run, findings, judged=context)
    save_findings(run, findings)
    if run.progress().state in STOPPED:
        seal(run)
    illegible = font_warning(run)
    text = f"{path}\n{illegible}" if illegible else str(path)
    earlier = load_earlier(run)
    data = {"report": str(path), "fonts": illegible, "earlier": changes_data(earlier, findings)}
    if earlier is not None:
        text = f"{text}\n{counted(changes(earlier.findings, findings))}"
    return {"text": text, "data": data}, 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
