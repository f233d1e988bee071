"""What an audit asks of every plug-in, as tests that pytest collects from one import.

    from loupe.testing import *

They cover all parts that allowed plug-ins bring (`LOUPE_PLUGINS=NAME` leaves out others), on the embedded model and
the bundled images. Besides Loupe they need pytest.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.applications.registry import APPLICATIONS
from core.attribution.contract import Attribution
from core.attribution.explain import explain
from core.audit.plugged import plugin_problems
from core.audit.worker import work
from core.findings.judgement import apply, every_rule, origin
from core.methods import METHODS
from core.models.loading import load_model
from core.models.model import Model, state_digest
from core.plugins import FRAMEWORKS, active, provider
from core.reporting.requirements import Framework, frameworks
from core.request import AuditRequest, applications_at, begin, methods_at, trust_at
from core.rules import Context, Rule
from core.runs import Run, TextPlan
from core.runs.integrity import application_problems
from core.settings import ROOT

PROBLEMS = plugin_problems()
METHOD_NAMES = sorted(METHODS.plugged())
APPLICATION_NAMES = sorted(APPLICATIONS.plugged())
RULES = [rule for rule in every_rule() if origin(rule) is not None]
OWN_FRAMEWORKS = [one for one in frameworks() if provider(FRAMEWORKS, one.id.replace("-", "_")) is not None]
IMAGES = [ROOT / "core" / "sample" / "images" / f"{name}.jpg" for name in ("alpaca", "lake", "bison")]
TEXTS = ("an alpaca", "a lake between mountains", "a bison")
# Relative to the largest value; sums over other batches round otherwise.
TOLERANCE = 1e-4

each_method = pytest.mark.parametrize("plugged_method", METHOD_NAMES)
each_application = pytest.mark.parametrize("plugged_application", APPLICATION_NAMES)
each_rule = pytest.mark.parametrize("plugged_rule", RULES, ids=[rule.id for rule in RULES])
each_framework = pytest.mark.parametrize("plugged_framework", OWN_FRAMEWORKS, ids=[one.id for one in OWN_FRAMEWORKS])


def close(a: NDArray[Any] | None, b: NDArray[Any] | None, tolerance: float = TOLERANCE) -> None:
    """Raise `AssertionError` unless two arrays have one shape and differ by that share of the largest value at most."""
    assert a is not None and b is not None
    assert a.shape == b.shape
    error = np.abs(a - b).max() / max(np.abs(b).max(), 1e-12)
    assert error <= tolerance, f"off by {error:.1e} of the largest value"


def fingerprint(model: Model) -> tuple[Any, ...]:
    """Everything that a method must leave as it was: weights, flags, hooks, buffers, random state."""
    net = model.net
    return (
        state_digest(net),
        [value.requires_grad for value in net.parameters()],
        [value.grad is None for value in net.parameters()],
        [part.training for part in net.modules()],
        [(len(part._forward_hooks), len(part._forward_pre_hooks), len(part._backward_hooks)) for part in net.modules()],
        [len(vars(part)) for part in net.modules()],
        [type(part) for part in net.modules()],
        torch.get_rng_state().tolist(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
    )


@pytest.fixture(scope="module")
def loupe_model() -> Model:
    """The embedded model."""
    return load_model("demo")


@pytest.fixture(scope="module")
def loupe_maps(loupe_model: Model) -> Callable[..., Attribution]:
    """`explain` on the embedded model at the quick effort, on the given images and texts."""

    def maps(method: str, images: Any = IMAGES, texts: Any = TEXTS, seed: int = 0) -> Attribution:
        return explain(loupe_model, images, texts, method, seed=seed, **METHODS[method].preset("quick"))

    return maps


@pytest.fixture(scope="module")
def loupe_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished audit of three images with every method and application of the plug-ins, its report included."""
    request = AuditRequest.build(
        out=tmp_path_factory.mktemp("plugged") / "run",
        images=tuple(IMAGES),
        texts=TextPlan(prompts=TEXTS[:2], classes=TEXTS),
        methods=methods_at("quick", [next(iter(METHODS)), *METHOD_NAMES]),
        applications=applications_at("quick", APPLICATION_NAMES),
        trust=trust_at("quick", curves=False),
    )
    run = begin(request)
    assert work(run, lambda line: None) == "done"
    return run


def test_plug_ins_are_installed_and_can_be_used() -> None:
    """Some plug-in is allowed, and no part of one is left out."""
    assert active(), "no installed package brings a part of Loupe, or none is allowed (LOUPE_PLUGINS)"
    assert PROBLEMS == []


@pytest.mark.parametrize("module", sorted({entry.module for entry in active()}))
def test_what_the_app_reads_does_not_load_torch(module: str) -> None:
    """Cards, rules and frameworks are read by the app, which never loads torch."""
    told = f"import sys, {module}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


@each_method
def test_every_option_has_a_description(plugged_method: str) -> None:
    """The forms of the app show it."""
    assert all(option.description for option in METHODS[plugged_method].options.values())


@each_method
def test_maps_have_the_shape_and_are_finite(plugged_method: str, loupe_maps: Callable[..., Attribution]) -> None:
    """Float values for each image and text, on each side that the card names."""
    found = loupe_maps(plugged_method)
    assert found.unit == METHODS[plugged_method].unit
    for side, values in (("image", found.image), ("text", found.text)):
        assert (values is not None) == (side in METHODS[plugged_method].sides and side not in found.not_run)
        if values is not None:
            assert values.shape[:2] == (len(IMAGES), len(TEXTS)) and values.dtype == np.float32
            assert np.isfinite(values).all()


@each_method
def test_a_batch_is_one_by_one(plugged_method: str, loupe_maps: Callable[..., Attribution]) -> None:
    """The values of an image do not depend on the images beside it."""
    together = loupe_maps(plugged_method)
    for index, image in enumerate(IMAGES):
        alone = loupe_maps(plugged_method, [image])
        for one, all_of_them in ((alone.image, together.image), (alone.text, together.text)):
            if all_of_them is not None:
                close(one, all_of_them[index : index + 1])


@each_method
def test_many_texts_are_one_by_one(plugged_method: str, loupe_maps: Callable[..., Attribution]) -> None:
    """The values of a text do not depend on the texts beside it."""
    if METHODS[plugged_method].label_set:
        pytest.skip("its maps depend on the set of labels, as its card says")
    together = loupe_maps(plugged_method)
    for index, text in enumerate(TEXTS):
        alone = loupe_maps(plugged_method, texts=[text])
        if together.image is not None:
            close(alone.image, together.image[:, index : index + 1])
        if alone.text is not None and together.text is not None:
            close(alone.text, together.text[:, index : index + 1, : alone.text.shape[2]])


@each_method
def test_a_seed_repeats(plugged_method: str, loupe_maps: Callable[..., Attribution]) -> None:
    """A seed gives the same values again; another gives others where the card says that chance is used."""
    first = loupe_maps(plugged_method, IMAGES[:1], seed=1)
    torch.manual_seed(12345)
    again = loupe_maps(plugged_method, IMAGES[:1], seed=1)
    other = loupe_maps(plugged_method, IMAGES[:1], seed=2)
    side = "image" if first.image is not None else "text"
    assert np.array_equal(getattr(first, side), getattr(again, side))
    assert np.array_equal(getattr(first, side), getattr(other, side)) == METHODS[plugged_method].deterministic


@each_method
def test_the_model_is_left_as_it_was(
    plugged_method: str, loupe_model: Model, loupe_maps: Callable[..., Attribution]
) -> None:
    """No hook, flag, buffer or weight changes, nor the random state."""
    before = fingerprint(loupe_model)
    loupe_maps(plugged_method)
    assert fingerprint(loupe_model) == before


@each_method
def test_an_audit_has_the_maps(plugged_method: str, loupe_run: Run) -> None:
    """The audit has rows of the method, and none of them failed."""
    rows = loupe_run.results(["method", "kind", "status", "message"])
    own = rows[rows.method == plugged_method]
    assert len(own) and list(own[own.status != "ok"].message) == []


@each_application
def test_an_application_is_computed(plugged_application: str, loupe_run: Run) -> None:
    """The application wrote its record, whole."""
    assert plugged_application not in loupe_run.manifest.get("application_problems", {})
    assert not application_problems(loupe_run, plugged_application)


@each_rule
def test_a_rule_judges_a_run(plugged_rule: Rule, loupe_run: Run) -> None:
    """The rule comes to an outcome, or to none, without an error."""
    failed = [one.condition for one in apply(plugged_rule, Context(loupe_run)) if one.title.endswith("failed")]
    assert failed == []


@each_framework
def test_a_framework_names_rules_that_exist(plugged_framework: Framework) -> None:
    """Each rule or pattern of a requirement fits a rule."""
    known = [rule.id for rule in every_rule()]
    for requirement in plugged_framework.requirements:
        for pattern in requirement.rules:
            assert any(fnmatchcase(name, pattern) for name in known), f"no rule is called {pattern}"


def test_the_report_of_such_an_audit_names_the_plug_ins(loupe_run: Run) -> None:
    """Manifest and report name each distribution."""
    told = {one["distribution"] for one in loupe_run.manifest["environment"].get("plugins", [])}
    assert told == {entry.distribution for entry in active()}
    page = Path(loupe_run.report / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in told)


__all__ = [name for name in dir() if name.startswith(("test_", "loupe_"))]
