"""Cards of the methods that read the map off the projected features: no gradient, no masked image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from core.methods.info import MOST_LAYERS, Cost, MethodInfo, Options, Side


class RawOptions(Options):
    """Options of the raw similarity map."""

    negate: bool = Field(False, description="invert the sign: many ViTs score the background higher")


class ClipSurgeryOptions(Options):
    """Options of CLIP Surgery."""

    mode: Literal["auto", "labels", "single"] = Field(
        "auto",
        description="labels: the texts form one label set; single: each text on its own against the empty text; "
        "auto: labels for two or more texts, single for one",
    )
    depth: int = Field(
        6, ge=0, le=MOST_LAYERS, description="number of last blocks with value-value attention; 0 gives the raw map"
    )
    temperature: float = Field(2.0, gt=0, le=10_000, description="scale of the softmax that weights the labels")
    pool: Literal["normalised", "plain"] = Field(
        "normalised",
        description="value-value attention of a ResNet's pool: normalised (values of unit length, scale times 8) is "
        "what the authors intend, plain is what their release runs",
    )


@dataclass(frozen=True)
class SurgeryInfo(MethodInfo):
    """The card of CLIP Surgery, which also serves models whose only self-attention is a pool over all places."""

    def reasons(self, capabilities: Iterable[str]) -> dict[Side, str | None]:
        """For each side, None if a model with these capabilities can serve it, otherwise why not."""
        offered = set(capabilities)
        return super().reasons(offered | ({"image_attention"} if "attention_pool" in offered else set()))


RAW = MethodInfo(
    name="raw",
    title="Raw similarity",
    paper="Cosine similarity map (ITSM); described as a baseline in Li et al., CLIP Surgery, arXiv:2304.05653",
    year=2021,
    family="similarity",
    idea="Projects the features at each position of the image into the joint space and takes the cosine with the "
    "text. What you see is how similar each patch is to the text.",
    assumes="The projection trained for the pooled feature is also meaningful at a single position.",
    fails="On most ViT CLIP models the map is inverted: the background scores higher than the object. Check the sign.",
    differs="None; the sign is kept and the negated map is an option.",
    unit="cosine similarity",
    sides={"image": ("places",)},
    schema=RawOptions,
    cost_model=lambda options, depth: Cost(image=1.0, text=1.0),
    signed=True,
    representative=True,
)

CLIP_SURGERY = SurgeryInfo(
    name="clip_surgery",
    title="CLIP Surgery",
    paper="Li, Wang, Duan, Zhang, Li: CLIP Surgery for Better Explainability, arXiv:2304.05653",
    year=2023,
    family="similarity",
    idea="Replaces query-key attention by value-value attention in the last blocks, so that each patch attends to "
    "patches of the same meaning, and subtracts what all labels (or the empty text) have in common.",
    assumes="Redundant features are common to all labels, and the label set is the one that the application uses.",
    fails="Depends on the label set: near-duplicate labels cancel each other. An absent object still yields a map; "
    "read the score.",
    differs="Feature surgery is computed in closed form (one matrix product) and equals the release. The class token "
    "is that of the unmodified model, also on ResNets, where the release replaces it. On ResNets the attention that "
    "the authors intend is the default; the one that their release runs is pool=plain. Templates are an explicit "
    "argument.",
    unit="difference of weighted cosine similarities",
    sides={"image": ("places", "image_attention")},
    schema=ClipSurgeryOptions,
    cost_model=lambda options, depth: Cost(image=1.0 + 0.3 * options.depth / max(depth, 1), text=1.0),
    label_set=True,
    signed=True,
)

CARDS = (RAW, CLIP_SURGERY)
