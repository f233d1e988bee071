"""What every kind of tower offers, asked of small random models, and which methods they refuse all the same.

    PYTHONPATH=. python benchmarks/capabilities.py

writes `core/models/capabilities.json` and `docs/capabilities.md`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.support.tiny import EXPORTED, pixels, tiny_model
from core.attribution.contract import Attribution, Work
from core.attribution.explain import attribute
from core.errors import CapabilityError
from core.methods import MethodInfo
from core.methods.info import Side
from core.models.capability_table import STORED, as_markdown, methods_of, tower_kinds
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.settings import ROOT

DOCUMENT = ROOT / "docs" / "capabilities.md"
TEXTS = ("a red bird", "dog")
# Few samples: what counts is whether a method runs, and what shape it gives.
CHEAP: dict[str, Any] = {
    "masks": 16, "extra": 8, "samples": 2, "steps": 2, "channels": 4, "budget": 16, "count": 2, "window": 1,
    "text_layers": 2, "regions": "grid", "preset": "fast",
}  # fmt: skip


class Kind(NamedTuple):
    """One row of the table: the tiny model (by its family) that stands for open_clip's models of this kind."""

    key: str
    title: str
    names: tuple[str, ...] = ()


IMAGE = (
    Kind("vit_quick", "ViT of CLIP, QuickGELU", ("ViT-B-32-quickgelu", "ViT-L-14-quickgelu", "ViT-H-14-quickgelu")),
    Kind("vit", "ViT of open_clip, GELU", ("ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-H-14", "ViT-g-14", "ViT-bigG-14")),
    Kind("vit_layer_scale", "ViT with layer scale", ("ViT-M-16-alt",)),
    Kind("vit_clipa", "ViT with average pool (CLIPA)", ("ViT-L-14-CLIPA", "ViT-H-14-CLIPA", "ViT-bigG-14-CLIPA")),
    Kind("vit_own_attention", "ViT with open_clip's own attention, normed queries, keys, heads"),
    Kind("coca", "ViT with an attentional pooler (CoCa)", ("coca_ViT-B-32", "coca_ViT-L-14")),
    Kind("vit_parallel", "ViT with two attentional poolers, parallel (CoCa)"),
    Kind("vit_cascade", "ViT with two attentional poolers, cascade (CoCa)"),
    Kind("resnet_clip", "ResNet of CLIP, attention pool", ("RN50", "RN101", "RN50x4", "RN50x16", "RN50x64")),
    Kind("siglip", "SigLIP, SigLIP 2: ViT with map pool", ("ViT-B-16-SigLIP", "ViT-SO400M-14-SigLIP-384",
         "ViT-B-16-SigLIP2", "ViT-SO400M-16-SigLIP2-384", "ViT-gopt-16-SigLIP2-384")),
    Kind("timm_cls", "ViT of timm, class token (MobileCLIP 2 L)", ("MobileCLIP2-L-14",)),
    Kind("timm_avg", "ViT of timm, average pool", ("vit_medium_patch16_gap_256",)),
    Kind("registers", "ViT of timm, register tokens, normed queries and keys, layer scale"),
    Kind("dinov2", "ViT like DINOv2: registers, layer scale"),
    Kind("mobileclip_b", "MobileCLIP B: ViT, convolutional stem", ("MobileCLIP-B", "MobileCLIP2-B")),
    Kind("vitamin", "ViTamin: ViT, overlapping convolutional stem", ("ViTamin-S", "ViTamin-B", "ViTamin-L",
         "ViTamin-L2", "ViTamin-XL-384")),
    Kind("relpos", "ViT with relative positions", ("vit_relpos_medium_patch16_cls_224",)),
    Kind("eva01", "EVA-01", ("EVA01-g-14", "EVA01-g-14-plus")),
    Kind("eva02", "EVA-02: rotary positions, SwiGLU, inner norms", ("EVA02-B-16", "EVA02-L-14", "EVA02-L-14-336")),
    Kind("eva02_post_norm", "EVA-02 E: norms behind each part", ("EVA02-E-14", "EVA02-E-14-plus")),
    Kind("pe_core", "Perception Encoder: rotary positions, map pool", ("PE-Core-T-16-384", "PE-Core-S-16-384",
         "PE-Core-B-16", "PE-Core-L-14-336", "PE-Core-bigG-14-448")),
    Kind("dinov3", "ViT like DINOv3: rotary positions, registers, layer scale"),
    Kind("rope_mixed", "ViT with learned rotary positions"),
    Kind("mobileclip_s", "MobileCLIP S: FastViT", ("MobileCLIP-S1", "MobileCLIP-S2", "MobileCLIP2-S0",
         "MobileCLIP2-S2", "MobileCLIP2-S3", "MobileCLIP2-S4")),
    Kind("convnext", "ConvNeXt", ("convnext_base", "convnext_base_w", "convnext_large_d", "convnext_xxlarge")),
    Kind("efficientnet", "EfficientNet"),
    Kind("resnet", "ResNet of timm"),
    Kind("swin", "Swin", ("swin_base_patch4_window7_224",)),
    Kind("byobnet", "any other image tower"),
    Kind(EXPORTED, "ONNX image tower of a pair, whatever was exported"),
)  # fmt: skip
TEXT = (
    Kind("vit", "causal transformer of CLIP", ("ViT-B-32", "ViT-L-14", "RN50", "EVA02-B-16", "PE-Core-B-16")),
    Kind("siglip", "transformer of SigLIP and CLIPA, no mask, last token", ("ViT-B-16-SigLIP", "ViT-B-16-SigLIP2",
         "ViT-L-14-CLIPA")),
    Kind("registers", "causal transformer read at its end token", ("ViT-H-14-worldwide", "ViT-L-14-worldwide")),
    Kind("coca", "CoCa: class token behind the text", ("coca_ViT-B-32", "coca_ViT-L-14")),
    Kind("vit_own_attention", "transformer with open_clip's own attention"),
    Kind("bert_cls", "BERT, first token or pooler"),
    Kind("roberta", "RoBERTa, XLM-RoBERTa, mean", ("roberta-ViT-B-32", "xlm-roberta-base-ViT-B-32",
         "xlm-roberta-large-ViT-H-14")),
    Kind("mt5", "mT5, mean", ("mt5-base-ViT-B-32", "mt5-xl-ViT-H-14")),
    Kind(EXPORTED, "ONNX text tower of a pair, whatever was exported"),
    Kind("nllb", "NLLB (M2M-100), first token", ("nllb-clip-base", "nllb-clip-large", "nllb-clip-base-siglip")),
)  # fmt: skip
KINDS: dict[Side, tuple[Kind, ...]] = {"image": IMAGE, "text": TEXT}


def cheap(info: MethodInfo) -> dict[str, Any]:
    """Options under which the method draws as little as it may."""
    given = {name: value for name, value in CHEAP.items() if name in info.options}
    if "cells" in info.options:
        # A regression needs more coalitions than cells.
        given["cells"] = 2 if "masks" in info.options or "window" in info.options else 4
    return given


def attributed(model: Model, images: torch.Tensor, info: MethodInfo, side: Side, **options: Any) -> Attribution:
    """The method's attribution of that side, for two texts."""
    work = Work(model, ImageTrunk(model, images), TextTrunk(model, TEXTS))
    geometry = model.preprocess(images)[1]
    return attribute(work, info.name, geometry, sides=(side,), **{**cheap(info), **options})


def refusal(model: Model, info: MethodInfo, side: Side) -> str | None:
    """Why the method can't serve the model although its card's needs are met; None if it can."""
    try:
        attributed(model, pixels(model, 1), info, side)
    except CapabilityError as error:
        # What a method says of a model names it; the table is about its kind.
        return str(error).replace(model.title, "such a model").removeprefix(f"{info.name} ")
    return None


def offered(model: Model, side: Side) -> frozenset[str]:
    """What one side of a model offers methods."""
    if side == "text":
        return model.text.capabilities
    return model.image.capabilities | ({"gradients"} if model.image.differentiable else set())


def asked(model: Model, kind: Kind, side: Side) -> dict[str, Any]:
    """One row of the stored table."""
    tower = model.image if side == "image" else model.text
    found = offered(model, side)
    served = [info for info in methods_of(side) if info.reasons(model.capabilities)[side] is None]
    refused = {info.name: reason for info in served if (reason := refusal(model, info, side))}
    return {
        "key": kind.key,
        "title": kind.title,
        "tower": tower.family,
        "names": list(kind.names),
        "capabilities": sorted(found),
        "droppable": bool(model.image.droppable) if side == "image" else False,
        "refused": refused,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stored = {
            side: [asked(tiny_model(kind.key, Path(folder)), kind, side) for kind in kinds]
            for side, kinds in KINDS.items()
        }
    STORED.write_text(json.dumps(stored, indent=1) + "\n")
    tower_kinds.cache_clear()
    DOCUMENT.write_text(as_markdown())
    print(as_markdown())


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
