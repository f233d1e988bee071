"""What `benchmarks/peers.py` measures: every way to some maps, ours and the packages', and which of them are paired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.packages import plain_rise, with_captum, with_grad_cam, with_legrad, with_shap
from benchmarks.packages.problem import Maps, Problem
from benchmarks.work_done import counted
from core.attribution.explain import attribute
from core.methods import METHODS

# Everything that starts from one forward's states and needs no masked image; Grad-CAM in both of its forms.
GROUP: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        name: (name, {})
        for name in (
            *("raw", "clip_surgery", "maskclip", "sclip", "clearclip", "naclip", "gem", "resclip", "last_attention"),
            *("rollout", "clip_prs", "gradcam", "gae", "legrad", "grad_eclip"),
        )
        if name in METHODS
    },
    "gradcam_element": ("gradcam", {"weighting": "element"}),
    # Its other form asks for masked images.
    "gscorecam": ("gscorecam", {"weighting": "selection"}),
}
SAME = ("gradcam", "gradcam_element", "legrad")
# What walks back through the tower's tail once for every text, and the rest.
GRADIENT = ("gradcam", "gradcam_element", "gae", "legrad", "grad_eclip", "gscorecam")
DENSE = tuple(name for name in GROUP if name not in GRADIENT)


@dataclass(frozen=True)
class Way:
    """One way. `factor` is what the measured work is multiplied by to stand for the whole, and `why` says so."""

    package: str
    title: str
    run: Callable[[Problem], Maps]
    factor: Callable[[Problem], float] = lambda problem: 1.0
    why: str = ""


@dataclass(frozen=True)
class Pair:
    """Ways of packages, taken together, beside one of ours."""

    title: str
    theirs: tuple[str, ...]
    ours: str


def _ours(*names: str) -> Callable[[Problem], Maps]:
    def run(problem: Problem) -> Maps:
        work = problem.work()
        return {name: _map(problem, work, *GROUP[name]) for name in names}

    return run


def each_of_the_group(problem: Problem) -> dict[str, dict[str, float]]:
    """What each map of the group adds to those before it, the image's own forward first: forwards and operations."""
    work, told = problem.work(), {}
    with counted(problem.model, problem.pixels) as done:
        assert work.scores.shape == (1, len(problem.texts))
    told["the image itself"] = done
    for name in (*DENSE, *GRADIENT):
        with counted(problem.model, problem.pixels) as done:
            _map(problem, work, *GROUP[name])
        told[name] = done
    return {
        name: {"forwards": round(one.metered, 3), "operations": round(one.operations, 3)} for name, one in told.items()
    }


def _one(method: str, options: Callable[[Problem], dict[str, Any]] = lambda problem: {}) -> Callable[[Problem], Maps]:
    return lambda problem: {method: _map(problem, problem.work(), method, options(problem))}


def _map(problem: Problem, work: Any, method: str, options: dict[str, Any]) -> Any:
    found = attribute(work, method, [], sides=("image",), **options).image
    assert found is not None
    return found[0]


def _sampled(problem: Problem) -> Maps:
    """RISE, KernelSHAP and LIME from one pool."""
    work, masks = problem.work(), {"masks": problem.samples}
    return {name: _map(problem, work, name, masks) for name in ("rise", "kernel_shap", "lime")}


def _each_text(problem: Problem) -> float:
    return len(problem.texts) * problem.samples / problem.few


def _halves(problem: Problem) -> dict[str, Any]:
    """As many coalitions in all as the packages take: half drawn freely, half by size."""
    return {"masks": problem.samples // 2, "extra": problem.samples - problem.samples // 2}


RERUN = "measured on one text with few samples; multiplied, because every text draws and runs its own"
WAYS: dict[str, Way] = {
    "group": Way("Loupe", f"{len(GROUP)} gradient, attention and dense maps", _ours(*GROUP)),
    "dense": Way("Loupe", "those of the group without a gradient", _ours(*DENSE)),
    "same": Way("Loupe", "Grad-CAM, element-wise Grad-CAM, LeGrad", _ours(*SAME)),
    **{name: Way("Loupe", METHODS[GROUP[name][0]].title, _ours(name)) for name in SAME},
    "saliency": Way("Loupe", "Saliency", _one("saliency")),
    "input_gradient": Way("Loupe", "Input x gradient", _one("input_gradient")),
    "integrated_gradients": Way(
        "Loupe", "Integrated gradients",
        _one("integrated_gradients", lambda problem: {"steps": problem.steps, "baseline": "mean"}),
    ),
    "rise": Way("Loupe", "RISE, least squares", _one("rise", lambda problem: {"masks": problem.samples})),
    "kernel_shap": Way("Loupe", "KernelSHAP", _one("kernel_shap", _halves)),
    "lime": Way("Loupe", "LIME", _one("lime", lambda problem: {"masks": problem.samples})),
    "sampled": Way("Loupe", "RISE, KernelSHAP and LIME, one pool", _sampled),
    "score_cam": Way("Loupe", "Score-CAM", _one("score_cam")),
    "grad_cam.gradcam": Way("grad-cam", "GradCAM", with_grad_cam.gradcam),
    "grad_cam.hirescam": Way("grad-cam", "HiResCAM", with_grad_cam.hirescam),
    "grad_cam.scorecam": Way(
        "grad-cam", "ScoreCAM", with_grad_cam.scorecam, lambda problem: len(problem.texts), "measured on one text"
    ),
    "captum.element": Way("captum", "LayerGradientXActivation", with_captum.layer_gradient_x_activation),
    "captum.saliency": Way("captum", "Saliency", with_captum.saliency),
    "captum.input_x_gradient": Way("captum", "InputXGradient", with_captum.input_x_gradient),
    "captum.integrated_gradients": Way("captum", "IntegratedGradients", with_captum.integrated_gradients),
    "captum.kernel_shap": Way("captum", "KernelShap", with_captum.kernel_shap, _each_text, RERUN),
    "captum.lime": Way("captum", "Lime", with_captum.lime, _each_text, RERUN),
    "shap.kernel": Way("shap", "KernelExplainer, all texts at once", with_shap.kernel),
    "shap.partition": Way("shap", "PartitionExplainer, all texts at once", with_shap.partition),
    "legrad_torch.legrad": Way("legrad_torch", "LeGrad, as installed", with_legrad.legrad),
    "rise.once": Way(
        "plain loop", "RISE, 4,000 masks once for all texts", plain_rise.published,
        lambda problem: plain_rise.PUBLISHED / problem.few, "measured with few masks; multiplied",
    ),
    "rise.rerun": Way(
        "plain loop", "RISE, 4,000 masks for every text", plain_rise.published,
        lambda problem: len(problem.texts) * plain_rise.PUBLISHED / problem.few, RERUN,
    ),
}  # fmt: skip

PARTS: dict[str, tuple[Pair, ...]] = {
    "gradient": (
        Pair("Grad-CAM", ("grad_cam.gradcam",), "gradcam"),
        Pair("element-wise Grad-CAM", ("grad_cam.hirescam",), "gradcam_element"),
        Pair("element-wise Grad-CAM", ("captum.element",), "gradcam_element"),
        Pair("LeGrad", ("legrad_torch.legrad",), "legrad"),
        Pair(
            "these methods in one go, beside the packages' sum",
            ("grad_cam.gradcam", "grad_cam.hirescam", "captum.element", "legrad_torch.legrad"),
            "same",
        ),
        Pair(
            "the whole group, beside the packages' sum of what they have of it",
            ("grad_cam.gradcam", "grad_cam.hirescam", "captum.element", "legrad_torch.legrad"),
            "group",
        ),
    ),
    "pixels": (
        Pair("Saliency", ("captum.saliency",), "saliency"),
        Pair("Input x gradient", ("captum.input_x_gradient",), "input_gradient"),
        Pair("Integrated gradients", ("captum.integrated_gradients",), "integrated_gradients"),
    ),
    "sampled": (
        Pair("RISE", ("rise.rerun",), "rise"),
        Pair("RISE", ("rise.once",), "rise"),
        Pair("KernelSHAP", ("captum.kernel_shap",), "kernel_shap"),
        Pair("KernelSHAP", ("shap.kernel",), "kernel_shap"),
        Pair("Shapley values", ("shap.partition",), "kernel_shap"),
        Pair("LIME", ("captum.lime",), "lime"),
        Pair("all three from one pool", ("rise.rerun", "captum.kernel_shap", "captum.lime"), "sampled"),
    ),
    "channels": (Pair("Score-CAM", ("grad_cam.scorecam",), "score_cam"),),
}


# Ways that stand by themselves.
ALONE = {"gradient": ("dense",)}


def ways_of(parts: list[str]) -> list[str]:
    """The ways that the parts need, each once, ours first."""
    pairs = [pair for part in parts for pair in PARTS[part]]
    alone = [way for part in parts for way in ALONE.get(part, ())]
    return list(
        dict.fromkeys([*alone, *(pair.ours for pair in pairs), *(way for pair in pairs for way in pair.theirs)])
    )
