"""The card of open-vocabulary segmentation, which also recognises labels, proposes points and explains captions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.applications.info import ApplicationInfo
from core.methods.info import MOST_LAYERS, FileOption, Line, Lines, Options

Recipe = Literal["cosine", "softmax", "class_surgery", "best_place"]


class SegmentationOptions(Options):
    """Options of open-vocabulary segmentation."""

    labels: Lines = Field((), description="the label set; empty: the audit's classes, else its prompts")
    background: Lines = Field((), description="words that join the label set and whose places count as background")
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
        description="labels whose share of the whole picture's softmax is smaller take no part in it; 0: all do",
    )
    templates: Literal["ensemble", "audit", "none"] = Field(
        "ensemble", description="ensemble: the method's 85 sentences; audit: the audit's own templates; none: as it is"
    )
    map: Literal["auto", "clip_surgery", "raw"] = Field(
        "auto", description="auto: CLIP Surgery where the model has self-attention, otherwise raw similarity"
    )
    depth: int = Field(6, ge=0, le=MOST_LAYERS, description="how many last blocks use value-value attention")
    temperature: float = Field(2.0, gt=0, le=10_000, description="scale of the softmax that weighs the labels")
    pool: Literal["normalised", "plain"] = Field("normalised", description="value-value attention of a ResNet's pool")
    recipe: Recipe = Field("best_place", description="the score that ranks the labels of a picture")
    truth: FileOption = Field(
        "",
        description="annotations in COCO's form (a JSON file of this machine) with masks and labels; empty: those kept "
        "with the data set, if any",
    )
    labels_column: Line = Field(
        "labels",
        description="the metadata column that holds a picture's true labels, parted by semicolons; where the data set "
        "has no column labels, one called label, classes, class, categories or category is taken",
    )
    kept: int = Field(4, ge=1, le=50, description="how many labels of a picture keep their map and points")
    point_threshold: float = Field(0.8, gt=0, le=1, description="cells above it, of a map from 0 to 1, become points")
    captions: bool = Field(True, description="also show which places the tokens of a caption respond to")
    sam_checkpoint: FileOption = Field(
        "", description="a checkpoint of Segment Anything on this machine; empty: points only"
    )
    sam_type: Line = Field("vit_b", description="the architecture of that checkpoint")


CARD = ApplicationInfo(
    name="segmentation",
    title="Open-vocabulary segmentation",
    paper="Li, Wang, Duan, Zhang, Li: CLIP Surgery for Better Explainability, arXiv:2304.05653",
    year=2023,
    question="Which label does the model see at which place, and which labels in the picture as a whole?",
    idea="Every pixel goes to the label whose map is highest there. The same maps rank the labels of a picture, "
    "propose points for an interactive segmenter, and show which places a caption's tokens respond to.",
    assumes="Every place shows one of the labels, unless background words or a least confidence are given.",
    fails="Every pixel gets a label, also where none is right; absent labels take places from present ones. Maps of "
    "few cells give blocky shapes. Tokens other than the last were never trained to mean anything.",
    differs="The segmentation, recognition and caption parts were never released; their recipes are our reading and "
    "named. Where a model has no self-attention, raw similarity stands in and is named.",
    needs=("places",),
    schema=SegmentationOptions,
    cost_model=lambda options: 1.0 if options.map == "raw" else 1.0 + 0.3 * min(options.depth, 12) / 12,
)
