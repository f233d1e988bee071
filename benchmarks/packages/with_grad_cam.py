"""pytorch-grad-cam (PyPI `grad-cam`), with the wrapper and the reshaping that its page on transformers asks for.

All texts go in one call: the image once for each text, and a target each. Its maps are scaled to 0..1 and enlarged to
the image; for the comparison of ranks they are read again at the middle of each place.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.packages.problem import Maps, Problem, centres


def gradcam(problem: Problem) -> Maps:
    """Grad-CAM at what enters the last block, as ours reads it."""
    from pytorch_grad_cam import GradCAM

    return {"gradcam": _maps(problem, GradCAM, -2)}


def hirescam(problem: Problem) -> Maps:
    """HiResCAM, the element-wise form, one block earlier, where ours reads it."""
    from pytorch_grad_cam import HiResCAM

    return {"gradcam_element": _maps(problem, HiResCAM, -3)}


def scorecam(problem: Problem) -> Maps:
    """Score-CAM of the first text: a forward for every channel, and again for every further text."""
    from pytorch_grad_cam import ScoreCAM

    return {"score_cam": _maps(problem, ScoreCAM, -2, texts=1)}


def _maps(problem: Problem, kind: Any, block: int, texts: int | None = None) -> Any:
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    count = len(problem.texts) if texts is None else texts
    layer = problem.model.net.visual.transformer.resblocks[block]
    prefix, grid = problem.model.image.prefix_tokens, problem.grid

    def reshaped(state: Tensor) -> Tensor:
        return state[:, prefix:].transpose(1, 2).unflatten(-1, grid)

    pixels = problem.pixels.expand(count, -1, -1, -1).clone()
    with kind(model=problem.cosines(), target_layers=[layer], reshape_transform=reshaped) as explainer:
        found = explainer(input_tensor=pixels, targets=[ClassifierOutputTarget(text) for text in range(count)])
    problem.model.net.zero_grad(set_to_none=True)
    return centres(torch.as_tensor(found), grid)
