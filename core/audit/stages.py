"""What an audit does after its units: applications over all images, and comparisons with other runs."""

from __future__ import annotations

from collections.abc import Callable

from core.applications.registry import application_info
from core.applications.work.stage import embed_again, run_stage
from core.applications.work.subject import Subject
from core.attribution.kept import KeptCrops
from core.audit.outcome import note_failure
from core.audit.steps import Steps
from core.errors import LoupeError, ScopeError, first_line
from core.evaluation.comparison import compare, save_comparisons
from core.models.model import Model
from core.runs import Run, open_run
from core.runs.integrity import APPLICATIONS, application_problems
from core.runs.steps import StepState
from core.storage import is_passing, without_folders

Tell = Callable[[str], None]


def run_applications(
    run: Run,
    model: Model,
    tell: Tell,
    kept: KeptCrops | None = None,
    cancelled: Callable[[], bool] | None = None,
    steps: Steps | None = None,
) -> bool:
    """Run the plan's applications that are not done yet; False if the run is cancelled between two of them.

    One that the model cannot serve is told in the manifest's `not_run`, one that fails in `application_problems`: both
    are printed in the report, neither ends the audit. `kept` holds crops that the methods have embedded.
    """
    subject = Subject(run, model, KeptCrops() if kept is None else kept)
    problems: dict[str, str] = {}
    earlier: list[str] = []

    def ended(name: str, state: StepState) -> None:
        if steps is not None:
            steps.end(name, state)

    for part in run.plan.applications:
        if cancelled() if cancelled else run.store.get("state") == "cancelling":
            return False
        info = application_info(part.name)
        reason = info.reason(model.capabilities)
        if reason is not None:
            _not_run(run, part.name, reason)
            tell(f"{info.title}: not run: {reason}")
            ended(part.name, "left out")
            continue
        if part.name in run.manifest.get(APPLICATIONS, {}) and not application_problems(run, part.name):
            earlier.append(part.name)
            ended(part.name, "done")
            continue
        run.store.set(stage=info.title)
        tell(info.title)
        state: StepState = "done"
        telling = tell
        if steps is not None:
            steps.begin(part.name)
            telling = steps.telling(part.name, tell)
        try:
            while earlier:
                embed_again(subject, earlier.pop(0), tell)
            run_stage(subject, part.name, part.options, telling)
        except ScopeError as error:
            state = "left out"
            _not_run(run, part.name, first_line(error))
            tell(f"{info.title}: not run: {first_line(error)}")
        except Exception as error:
            if is_passing(error):
                raise
            state = "failed"
            line = without_folders(first_line(error))[:300]
            problems[part.name] = line if isinstance(error, LoupeError) else f"{type(error).__name__}: {line}"
            note_failure(run, "application failed", f"{part.name}: {problems[part.name]}")
            tell(f"{info.title} failed: {problems[part.name]}")
        ended(part.name, state)
        if state != "failed":
            run.store.log("analysis " + ("done" if state == "done" else "left out"), info.title)
        # At once: whoever is told of the run after a kill is told of it too.
        run.update_manifest(application_problems=problems)
    run.update_manifest(application_problems=problems)
    return True


def applications_failed(run: Run) -> bool:
    """Whether an application of the run failed, or none of what was planned without a method could be run."""
    problems = run.manifest.get("application_problems", {})
    lacking = {name for name, side, _ in run.manifest.get("not_run", []) if side == "data set"}
    return bool(problems) or (not run.plan.methods and all(part.name in lacking for part in run.plan.applications))


def compare_runs(run: Run) -> None:
    """Compare the run with those that its manifest names under `compare_with`; failures are noted there."""
    made, problems = [], []
    for folder in run.manifest.get("compare_with", []):
        try:
            # Relative ones are meant from the run's folder.
            made.append(compare(run, open_run(run.folder / folder)))
        except LoupeError as error:
            problems.append(without_folders(str(error)))
    if made or problems:
        save_comparisons(run, made)
        run.update_manifest(comparison_problems=problems)


def _not_run(run: Run, name: str, reason: str) -> None:
    told = [entry for entry in run.manifest.get("not_run", []) if entry[0] != name]
    run.update_manifest(not_run=[*told, [name, "data set", without_folders(reason)]])
