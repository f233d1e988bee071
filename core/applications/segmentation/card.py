"""The card of open-vocabulary segmentation, which also recognises labels, proposes points and explains captions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.applications.card import ApplicationInfo
from core.methods.info import MOST_LAYERS, AnnotationsOption, FileOption, Line, Lines, Options

Recipe = Literal["cosine", "softmax", "class_surgery", "best_place"]


class SegmentationOptions(Options):
    """Options of open-vocabulary segmentation."""

    labels: Lines = Field((), description="the label set; empty: the classes of the audit, otherwise its prompts")
    background: Lines = Field(
        (), description="words that are added to the label set and whose regions count as background"
    )
    confidence: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="a pixel whose best label has a smaller share of the softmax over labels is background; 0: none",
    )
    present: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="labels whose share of the whole image's softmax is smaller are excluded; 0: all are included",
    )
    templates: Literal["ensemble", "audit", "none"] = Field(
        "ensemble",
        description="ensemble: the method's 85 sentences; audit: the templates of the audit; none: the "
        "label without a template",
    )
    map: Literal["auto", "clip_surgery", "raw"] = Field(
        "auto", description="auto: CLIP Surgery where the model has self-attention, otherwise raw similarity"
    )
    depth: int = Field(6, ge=0, le=MOST_LAYERS, description="number of last blocks with value-value attention")
    temperature: float = Field(2.0, gt=0, le=10_000, description="scale of the softmax that weights the labels")
    pool: Literal["normalised", "plain"] = Field("normalised", description="value-value attention of a ResNet's pool")
    recipe: Recipe = Field("best_place", description="the score that ranks the labels of an image")
    truth: AnnotationsOption = Field(
        "",
        description="annotations in COCO format (a JSON file on this machine) with masks and labels; empty: those "
        "stored with the dataset, if any",
    )
    labels_column: Line = Field(
        "labels",
        description="the metadata column with the true labels of an image, separated by semicolons; where the "
        "dataset has no column labels, one called label, classes, class, categories or category is used",
    )
    kept: int = Field(4, ge=1, le=50, description="number of labels per image whose map and points are stored")
    point_threshold: float = Field(0.8, gt=0, le=1, description="cells of the map (0 to 1) above it become points")
    captions: bool = Field(True, description="also show the regions to which the tokens of a caption respond")
    sam_checkpoint: FileOption = Field(
        "", description="a Segment Anything checkpoint on this machine; empty: points only"
    )
    sam_type: Line = Field("vit_b", description="the architecture of that checkpoint")


CARD = ApplicationInfo(
    name="segmentation",
    title="Open-vocabulary segmentation",
    paper="Li, Wang, Duan, Zhang, Li: CLIP Surgery for Better Explainability, arXiv:2304.05653",
    year=2023,
    question="Which label does the model assign to each image region, and which labels to the image as a whole?",
    idea="Every pixel gets the label whose map is highest there. The same maps rank the labels of an image, propose "
    "points for an interactive segmenter, and show the regions to which the tokens of a caption respond.",
    assumes="Every region shows one of the labels, unless background words or a minimum confidence are given.",
    fails="Every pixel gets a label, even where none is correct; absent labels compete with present ones for "
    "regions. Maps with few cells give blocky shapes. Tokens other than the last were never trained to have a "
    "meaning.",
    differs="The segmentation, recognition and caption parts were never released; their recipes are interpretations "
    "of the paper and are named. Where a model has no self-attention, raw similarity is used instead and is named.",
    needs=("places",),
    inputs=({"classes": 1, "prompts": 1, "labels": 1},),
    schema=SegmentationOptions,
    cost_model=lambda options: 1.0 if options.map == "raw" else 1.0 + 0.3 * min(options.depth, 12) / 12,
    efforts={"quick": {"templates": "audit"}},
    beside=True,
)
