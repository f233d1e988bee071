"""Models exported to ONNX by torch itself, with what a loader needs beside them."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.models.model import Model

# What is copied from the folder of the model that was exported.
BESIDE = (".json", ".txt", ".model")


class Side(nn.Module):
    """One tower as the library runs it, of one or several inputs."""

    def __init__(self, module: nn.Module, run: Any) -> None:
        super().__init__()
        self.module = module
        self.run = run

    def forward(self, given: Tensor) -> Tensor:
        return self.run(given)  # type: ignore[no-any-return]


def export(
    model: Model, source: Path, folder: Path, *, names: tuple[str, str] = ("visual.onnx", "textual.onnx"),
    batch: int | None = None,
) -> Path:  # fmt: skip
    """Write both towers of `model`, which was loaded from `source`, to `folder` and return it.

    With `batch` the files take exactly so many images and texts.
    """
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pixels = torch.zeros(batch or 2, 3, model.preprocessing.height, model.preprocessing.width)
    ids = model.text.full(["a cat"] * (batch or 2))
    write(Side(model.net, model.image.plain), pixels, folder / names[0], "pixels", batch is None)
    write(Side(model.net, model.text.plain), ids, folder / names[1], "tokens", batch is None)
    for path in source.iterdir():
        if path.suffix in BESIDE and source != folder and not path.name.startswith("model.safetensors"):
            shutil.copy(path, folder)
    return folder


def write(side: nn.Module, given: Tensor, path: Path, name: str, dynamic: bool) -> None:
    """One tower as a file."""
    fast = torch.backends.mha.get_fastpath_enabled()
    # The fused attention of torch has no ONNX operator.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                side.eval(),
                (given,),
                str(path),
                input_names=[name],
                output_names=["embedding"],
                dynamic_axes={name: {0: "batch"}, "embedding": {0: "batch"}} if dynamic else None,
                opset_version=17,
                dynamo=False,
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
