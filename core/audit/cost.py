"""What a plan will cost before it starts, in forward-equivalents and, once this machine has been timed, seconds."""

from __future__ import annotations

import json
from dataclasses import dataclass

from core.datasets import Dataset
from core.methods import METHODS
from core.methods.applications import application_info
from core.models.listing import embedded_models, embedded_name
from core.runs import Plan
from core.runs.manifest import write_json
from core.runs.parts import WORD_SHARES
from core.settings import workspace

CONTROLS = 3
UNKNOWN_DEPTH = 12


@dataclass(frozen=True)
class Estimate:
    """Forward-equivalents of the image and the text tower, and seconds if this model was timed here before."""

    image_forwards: float
    text_forwards: float
    seconds: float | None
    by_method: dict[str, float]


def estimate(plan: Plan, dataset: Dataset) -> Estimate:
    """The cost of `plan` on `dataset`. Methods that the embedded model can't serve cost nothing.

    Methods share one forward a picture and, up to different grids, the first masked images; orders that share cells
    share a curve's steps. So the sum is an upper bound.
    """
    chosen = set(plan.images)
    pictures = [picture for picture in dataset.pictures if picture.id in chosen]
    pairs = sum(_texts(plan, len(picture.captions)) for picture in pictures)
    capabilities, depth, text_depth = _model(plan)
    by_method: dict[str, float] = {}
    text_forwards = float(len(plan.texts.prompts) + len(plan.texts.classes) * len(plan.texts.templates) + pairs)
    explained = worded = 0
    drops = capabilities is not None and "token_dropping" in capabilities
    paid = 0.0
    for method in plan.methods:
        info = METHODS[method.name]
        reasons = info.reasons(capabilities) if capabilities is not None else dict.fromkeys(info.sides)
        cost, text_cost = info.cost(method.options, depth), info.cost(method.options, text_depth)
        by_method[method.name] = 0.0
        if "image" in reasons and reasons["image"] is None:
            pool = (cost.pool - cost.shared + max(cost.shared - paid, 0.0)) * (cost.kept if drops else 1.0)
            paid = max(paid, cost.shared)
            by_method[method.name] = len(pictures) * (max(cost.image - 1.0, 0.0) + pool) + pairs * cost.pair
            explained += 1
        if "text" in reasons and reasons["text"] is None:
            text_forwards += pairs * text_cost.text_pair
            worded += 1
    image_forwards = len(pictures) + sum(by_method.values())
    if plan.trust.curves and explained:
        # All orders of a picture share the whole and the fully hidden one; a control has one order for all texts.
        orders = pairs * explained + CONTROLS * len(pictures)
        share = 0.5 if drops and plan.trust.removal in ("auto", "drop") else 1.0
        by_method["trust: deletion and insertion"] = 2 * share * ((plan.trust.steps - 1) * orders + len(pictures))
        more = max(plan.trust.coalitions - paid, 0.0) * len(pictures)
        by_method["trust: correlation"] = share * more
        for way in plan.trust.again:
            by_method[f"trust: {way}"] = 2.0 * ((plan.trust.again_steps - 1) * orders + len(pictures))
        by_method["trust: confidence"] = float(plan.trust.confidence) * orders
        image_forwards += sum(count for name, count in by_method.items() if name.startswith("trust: "))
    if plan.trust.curves and plan.trust.words and worded:
        # The whole text, and each method's sets beside those of the control.
        text_forwards += pairs * (1 + 2 * len(WORD_SHARES) * (worded + 1))
    for part in plan.applications:
        application = application_info(part.name)
        if capabilities is None or application.reason(capabilities) is None:
            by_method[part.name] = application.cost(part.options, len(pictures))
            image_forwards += by_method[part.name]
    speed = _speeds().get(_speed_key(plan))
    seconds = None if speed is None else image_forwards / speed["image_forwards_a_second"] + speed["start_seconds"]
    return Estimate(image_forwards, text_forwards, seconds, by_method)


def record_speed(plan: Plan, image_forwards: float, seconds: float, start_seconds: float) -> None:
    """Remember how fast this model ran here, for the next estimate."""
    if image_forwards < 50 or seconds <= 0:
        return
    workspace().mkdir(parents=True, exist_ok=True)
    speed = {"image_forwards_a_second": image_forwards / seconds, "start_seconds": start_seconds}
    write_json(workspace() / "speed.json", {**_speeds(), _speed_key(plan): speed})


def _texts(plan: Plan, captions: int) -> int:
    own = min(captions, plan.texts.captions_each) if plan.texts.captions else 0
    return own + len(plan.texts.prompts) + min(plan.texts.top_classes, len(plan.texts.classes))


def _model(plan: Plan) -> tuple[tuple[str, ...] | None, int, int]:
    name = None if plan.model.weights or plan.model.pretrained else embedded_name(plan.model.name)
    for model in embedded_models():
        if model.name == name:
            return model.capabilities, model.image_depth, model.text_depth
    return None, UNKNOWN_DEPTH, UNKNOWN_DEPTH


def _speed_key(plan: Plan) -> str:
    name = embedded_name(plan.model.name) or plan.model.name
    return f"{name}|{plan.model.pretrained or ''}|{plan.model.weights or ''}|{plan.model.device}"


def _speeds() -> dict[str, dict[str, float]]:
    path = workspace() / "speed.json"
    return json.loads(path.read_text()) if path.exists() else {}
