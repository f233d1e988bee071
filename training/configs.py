"""The configurations of the students, as open_clip reads them."""

from __future__ import annotations

from typing import Any

# The pixels a student sees are normalised as its initial image weights expect.
MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]


def demo_vit(image_size: int = 140) -> dict[str, Any]:
    """A native CLIP: ViT-S/14 without a norm before its blocks, causal text transformer, CLIP's own tokenizer."""
    return {
        "model_cfg": {
            "embed_dim": 512,
            "vision_cfg": {
                "image_size": image_size,
                "layers": 12,
                "width": 384,
                "head_width": 64,
                "patch_size": 14,
                "ls_init_value": 1.0,
                "no_ln_pre": True,
            },
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 256, "heads": 4, "layers": 6},
        },
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"},
    }
