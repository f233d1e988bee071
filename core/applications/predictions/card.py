"""Card of the check of predictions."""

from __future__ import annotations

from pydantic import Field

from core.applications.card import ApplicationInfo
from core.methods.info import Options


class PredictionsOptions(Options):
    """Options of the check of predictions."""

    disturbances: int = Field(
        4, ge=0, le=5, description="small changes of each image under which the best class is determined again"
    )
    neighbours: int = Field(5, ge=1, le=50, description="nearest images by embedding that are compared with an image")


def _cost(options: PredictionsOptions) -> float:
    return float(options.disturbances)


CARD = ApplicationInfo(
    name="predictions",
    title="Plausibility of predictions",
    paper="confidence as in Hendrycks and Gimpel: A baseline for detecting misclassified and out-of-distribution "
    "examples, ICLR 2017, arXiv:1610.02136; agreement under changes as in Bahat and Shakhnarovich: Confidence from "
    "invariance to image transformations, 2018, arXiv:1804.00657; agreement of neighbours as in Papernot and McDaniel: "
    "Deep k-nearest neighbors, 2018, arXiv:1803.04765",
    year=2018,
    question="Is the class that the model prefers for each image plausible?",
    idea="The best class of each image is compared with the classes that the caption of the image names, with the best "
    "class under other prompt templates and under small changes of the image, and with the classes of the nearest "
    "images (by the cosine of the embeddings less their mean). These signals, except the agreement of templates, make "
    "a score; above one half a prediction is implausible.",
    assumes="Captions belong to their images and name what is visible; a mirrored, cropped, blurred, darker or "
    "brighter image shows the same class.",
    fails="A model that is wrong with confidence on images without captions looks plausible. A caption may name one "
    "thing and the model another that is also visible; then a right prediction looks implausible.",
    differs="The signals are combined by fixed weights, which were fitted on labelled photographs of other "
    "datasets; no label of the audited images is used.",
    needs=("stored",),
    inputs=({"images": 2}, {"classes": 2, "prompts": 2}),
    schema=PredictionsOptions,
    cost_model=_cost,
    efforts={"quick": {"disturbances": 2}},
    embeds=True,
)
