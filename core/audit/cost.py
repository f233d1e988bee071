"""What a plan will cost before it starts, in forward-equivalents and, once this machine has been timed, seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from core.applications.registry import application_info
from core.audit.timings import Timings, ending_seconds, model_key, read_timings, remember
from core.datasets import Dataset
from core.methods import METHODS
from core.methods.crops import held_images
from core.models.listing import embedded_models, embedded_name
from core.runs import ModelSpec, Plan
from core.runs.parts import WORD_SHARES

CONTROLS = 3
UNKNOWN_DEPTH = 12
SPEEDS = "speed.json"  # in the workspace


@dataclass(frozen=True)
class Estimate:
    """Forward-equivalents of the image and the text tower, and seconds if this model was timed here before.

    `seconds` is the whole audit with its report, `pass_seconds` the forward passes and what goes before them.
    `measured` holds the number of images that each application draws whose budget does not pay for all. `timed` says
    what the seconds rest on.
    """

    image_forwards: float
    text_forwards: float
    seconds: float | None
    by_method: dict[str, float]
    measured: dict[str, int] = field(default_factory=dict)
    timed: Literal["", "run", "probe"] = ""
    pass_seconds: float | None = None

    @property
    def sampled(self) -> str:
        """Which applications measure a sample within their budget, in one sentence; empty where none does."""
        parts = [f"{application_info(name).title} {count:,}" for name, count in self.measured.items()]
        return f"Images drawn within the budgets of applications: {', '.join(parts)}." if parts else ""


def estimate(plan: Plan, dataset: Dataset, capabilities: Sequence[str] | None = None) -> Estimate:
    """The cost of `plan` on `dataset`. Methods that the model cannot serve cost nothing.

    `capabilities` are those of the model where they are known; those of embedded models always are.

    Methods share one forward an image and, up to different grids, the first masked images; orders that share cells
    share a curve's steps. So the sum is an upper bound, of a run that is not interrupted: crops that an application
    takes over from a method are embedded again after an interruption.
    """
    chosen = set(plan.images)
    images = [image for image in dataset.images if image.id in chosen]
    pairs = sum(texts_of(plan, len(image.captions)) for image in images)
    listed, depth, text_depth = _model(plan)
    capabilities = listed if capabilities is None else tuple(capabilities)
    by_method: dict[str, float] = {}
    text_forwards = float(len(plan.texts.prompts) + len(plan.texts.classes) * len(plan.texts.templates) + pairs)
    measured: dict[str, int] = {}
    explained = worded = 0
    drops = capabilities is not None and "token_dropping" in capabilities
    paid = 0.0
    crops: dict[str, int] = {}
    for method in plan.methods:
        info = METHODS[method.name]
        reasons = dict.fromkeys(info.sides) if capabilities is None else info.reasons(capabilities)
        options = info.parse(method.options)
        unfit = info.unfit(options, {"image": depth, "text": text_depth})
        reasons = {side: reason or unfit.get(side) for side, reason in reasons.items()}
        cost, text_cost = info.cost(method.options, depth), info.cost(method.options, text_depth)
        by_method[method.name] = 0.0
        if "image" in reasons and reasons["image"] is None:
            pool = (cost.pool - cost.shared + max(cost.shared - paid, 0.0)) * (cost.kept if drops else 1.0)
            paid = max(paid, cost.shared)
            by_method[method.name] = len(images) * (max(cost.image - 1.0, 0.0) + pool) + pairs * cost.pair
            explained += 1
            crops |= info.crops(options) if info.crops else {}
        if "text" in reasons and reasons["text"] is None:
            text_forwards += pairs * text_cost.text_pair
            worded += 1
    image_forwards = len(images) + sum(by_method.values())
    if plan.trust.curves and explained:
        # All orders of an image share the whole and the fully hidden one; a control has one order for all texts.
        orders = pairs * explained + CONTROLS * len(images)
        share = 0.5 if drops and plan.trust.removal in ("auto", "drop") else 1.0
        by_method["trust: deletion and insertion"] = 2 * share * ((plan.trust.steps - 1) * orders + len(images))
        more = max(plan.trust.coalitions - paid, 0.0) * len(images)
        by_method["trust: correlation"] = share * more
        for way in plan.trust.again:
            by_method[f"trust: {way}"] = 2.0 * ((plan.trust.again_steps - 1) * orders + len(images))
        by_method["trust: confidence"] = float(plan.trust.confidence) * orders
        image_forwards += sum(count for name, count in by_method.items() if name.startswith("trust: "))
    if plan.trust.curves and plan.trust.words and worded:
        # The whole text, and each method's sets beside those of the control.
        text_forwards += pairs * (1 + 2 * len(WORD_SHARES) * (worded + 1))
    embedded = 0
    for part in plan.applications:
        application = application_info(part.name)
        if capabilities is None or application.reason(capabilities) is None:
            # The first application that needs the embeddings of all images pays for them.
            shared = len(images) - embedded if application.embeds else 0
            embedded += shared
            by_method[part.name] = application.cost(part.options, len(images)) + shared
            if application.crops:
                asked = application.crops(application.parse(part.options))
                by_method[part.name] -= sum(
                    count * min(len(images), held_images(count)) for grid, count in asked.items() if grid in crops
                )
            image_forwards += by_method[part.name]
            count = application.measured(application.parse(part.options), len(images))
            if application.limit == "images" and count < len(images):
                measured[part.name] = count
    if measured and not embedded:
        by_method["strata of the samples"] = float(len(images))
        image_forwards += len(images)
    speed = _speeds().get(model_key(plan.model))
    if speed is None:
        return Estimate(image_forwards, text_forwards, None, by_method, measured)
    passes = image_forwards / speed["image_forwards_a_second"] + speed["start_seconds"]
    whole = passes + ending_seconds(plan)
    timed: Literal["run", "probe"] = "probe" if _probed(speed) else "run"
    return Estimate(image_forwards, text_forwards, whole, by_method, measured, timed, passes)


def has_speed(model: ModelSpec) -> bool:
    """Whether this machine knows how fast the model runs on it."""
    return model_key(model) in _speeds()


def wants_probe(model: ModelSpec) -> bool:
    """Whether forward passes alone would say more than this machine knows: no run of the model was timed on it."""
    speed = _speeds().get(model_key(model))
    return speed is None or _probed(speed)


def record_probe(model: ModelSpec, image_forwards: float, seconds: float, start_seconds: float) -> None:
    """Remember how fast forward passes of this model alone ran here; a run that was timed says more and stays."""
    if wants_probe(model):
        _remember(model, image_forwards, seconds, start_seconds, probe=True)


def record_speed(plan: Plan, image_forwards: float, seconds: float, start_seconds: float) -> None:
    """Remember how fast this model ran here, for the next estimate."""
    if image_forwards < 50 or seconds <= 0:
        return
    _remember(plan.model, image_forwards, seconds, start_seconds)


def _remember(
    model: ModelSpec, image_forwards: float, seconds: float, start_seconds: float, *, probe: bool = False
) -> None:
    speed = {"image_forwards_a_second": image_forwards / seconds, "start_seconds": start_seconds}
    remember(SPEEDS, model, {**speed, "probe": 1.0} if probe else speed)


def _probed(speed: Mapping[str, float]) -> bool:
    return bool(speed.get("probe"))


def texts_of(plan: Plan, captions: int) -> int:
    """How many texts an image with so many captions is explained with."""
    own = min(captions, plan.texts.captions_each) if plan.texts.captions else 0
    return own + len(plan.texts.prompts) + min(plan.texts.top_classes, len(plan.texts.classes))


def _model(plan: Plan) -> tuple[tuple[str, ...] | None, int, int]:
    name = None if plan.model.weights or plan.model.pretrained else embedded_name(plan.model.name)
    for model in embedded_models():
        if model.name == name:
            return model.capabilities, model.image_depth, model.text_depth
    return None, UNKNOWN_DEPTH, UNKNOWN_DEPTH


def _speeds() -> Timings:
    return read_timings(SPEEDS)
