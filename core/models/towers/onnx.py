"""Two ONNX towers behind the interface of all others: they embed, and nothing inside them can be read or derived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.models.onnx_file import OnnxFile, session_of
from core.models.towers.base import OpaqueTower
from core.models.towers.text import OpenClipText

WHY = "its towers are ONNX files, which give embeddings alone"
# The sign-like operators by which the activation of an exported tower can be recognised.
_ACTIVATIONS = {"Gelu": "Gelu", "FastGelu": "FastGelu", "QuickGelu": "QuickGelu", "Erf": "GELU (Erf)", "Relu": "ReLU",
                "Sigmoid": "by Sigmoid", "Tanh": "by Tanh"}  # fmt: skip


class OnnxModule(nn.Module):
    """One file as a module without parameters: tensors in, one embedding `(batch, embedding)` in fp32 out."""

    def __init__(self, file: OnnxFile, output: str) -> None:
        super().__init__()
        self.file = file
        self.output = output
        self.pool_type = "inside the file"
        self.session = session_of(str(file.path), torch.get_num_threads())
        named = [_ACTIVATIONS[name] for name in _ACTIVATIONS if name in file.operators]
        self.activation = ", ".join(named) or "not known"

    def forward(self, *given: Tensor) -> Tensor:
        """`given` are the inputs in the file's order, each with the batch first."""
        arrays = [
            np.ascontiguousarray(values.detach().cpu().numpy().astype(kind))
            for values, (_, kind, _) in zip(given, self.file.inputs, strict=True)
        ]
        count, most = len(arrays[0]), self.file.inputs[0][2][0]
        parts = [self._run([array[at : at + step] for array in arrays], most) for at, step in _steps(count, most)]
        return torch.from_numpy(np.concatenate(parts).astype(np.float32))

    def _run(self, arrays: list[Any], most: int | None) -> Any:
        count = len(arrays[0])
        if most is not None and count < most:
            # A file that was exported for a fixed number gets zeros for those that are missing.
            arrays = [np.concatenate([a, np.zeros((most - count, *a.shape[1:]), a.dtype)]) for a in arrays]
        feed = {name: array for (name, _, _), array in zip(self.file.inputs, arrays, strict=True)}
        (found,) = self.session.run([self.output], feed)
        return found[:count]


def _steps(count: int, most: int | None) -> list[tuple[int, int]]:
    return [(0, count)] if most is None else [(at, most) for at in range(0, count, most)]


class OnnxNet(nn.Module):
    """The pair in the place of a network: no parameter of it can be read, drawn anew or differentiated."""

    def __init__(self, visual: OnnxModule, textual: OnnxModule, logit_scale: float) -> None:
        super().__init__()
        self.visual, self.textual = visual, textual
        self.register_buffer("logit_scale", torch.tensor(float(np.log(logit_scale))))
        self.parameter_count = visual.file.parameters + textual.file.parameters


class OnnxImage(OpaqueTower):
    """The image tower of a pair."""

    family = "ONNX image tower"
    differentiable = False

    def __init__(self, module: OnnxModule) -> None:
        super().__init__(module, WHY)


class OnnxText(OpenClipText):
    """The text tower of a pair. Its tokens are known by its tokenizer, so that words can be left out of a text.

    A second input of the file is an attention mask: the tokens before the padding, and the end token where that is
    the padding as well.
    """

    family = "ONNX text tower"
    capabilities = frozenset({"embeddings", "text_words"})

    def __init__(self, module: OnnxModule, tokenizer: Any, context: int) -> None:
        super().__init__(module, tokenizer, context, module, [])
        self.pool = "not known"
        self.padding = int(self.full([""])[0, -1])

    def plain(self, ids: Tensor) -> Tensor:
        given = []
        for name, _, _ in self.module.file.inputs:
            if "mask" in name:
                given.append(self._mask(ids))
            else:
                given.append(torch.zeros_like(ids) if "type" in name else ids)
        found: Tensor = self.module(*given)
        return found

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        return self.full(texts)

    def content(self, ids: Tensor) -> tuple[list[int], list[str]]:
        row = ids.tolist()
        if hasattr(self.tokenizer, "byte_decoder"):
            end = row.index(self.tokenizer.eot_token_id) if self.tokenizer.eot_token_id in row else len(row)
            positions = list(range(1, end))
            return positions, [self._piece(row[place]) for place in positions]
        return super().content(ids)

    def enter(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.plain(ids), None

    def leave(self, state: Tensor, ids: Tensor) -> Tensor:
        return state

    def readout(self, ids: Tensor) -> Tensor:
        raise NotImplementedError("an ONNX tower cannot be read position by position")

    def _mask(self, ids: Tensor) -> Tensor:
        inner = getattr(self.tokenizer, "tokenizer", None)
        end = getattr(inner, "eos_token_id", None)
        kept = ids != self.padding
        # Everything up to the last token that is no padding.
        length = ids.shape[1] - kept.flip(1).int().argmax(dim=1)
        length = torch.where(kept.any(dim=1), length, 0) + int(end == self.padding)
        return (torch.arange(ids.shape[1])[None, :] < length[:, None]).to(ids.dtype)
