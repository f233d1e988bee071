"""shap (Lundberg, Lee, 2017): its two explainers that take any function, on all texts at once.

Both take functions of several outputs and run their samples once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.packages.problem import BATCH, Maps, Problem


def kernel(problem: Problem) -> Maps:
    """KernelExplainer over cells, hidden ones in the mean colour, without its selection of ten features."""
    import shap

    mask, players = problem.cell_mask()[0, 0], problem.cells**2
    model = problem.cosines()

    def cosines(kept: NDArray[Any]) -> NDArray[Any]:
        visible = torch.as_tensor(np.asarray(kept), dtype=torch.float32)[:, mask][:, None]
        return _in_batches(model, problem.pixels * visible)

    np.random.seed(0)
    explainer = shap.KernelExplainer(cosines, np.zeros((1, players)))
    found = explainer.shap_values(np.ones((1, players)), nsamples=problem.samples, l1_reg=0, silent=True)
    values = np.asarray(found)[0].T
    return {"kernel_shap": values.reshape(-1, problem.cells, problem.cells)}


def partition(problem: Problem) -> Maps:
    """PartitionExplainer with its blurring masker, as its pages on images show it; values of pixels."""
    import shap

    model = problem.cosines()
    image = problem.pixels[0].permute(1, 2, 0).numpy()

    def cosines(images: NDArray[Any]) -> NDArray[Any]:
        return _in_batches(model, torch.as_tensor(np.asarray(images)).permute(0, 3, 1, 2).float())

    side = image.shape[0] // 14
    explainer = shap.Explainer(cosines, shap.maskers.Image(f"blur({side},{side})", image.shape), algorithm="partition")
    found = explainer(image[None], max_evals=problem.samples, batch_size=BATCH, silent=True)
    values = torch.as_tensor(np.asarray(found.values))[0].sum(dim=2).permute(2, 0, 1)
    rows, columns = problem.cells, problem.cells
    return {"kernel_shap": torch.nn.functional.adaptive_avg_pool2d(values, (rows, columns)).numpy()}


def _in_batches(model: Callable[[torch.Tensor], torch.Tensor], pixels: torch.Tensor) -> NDArray[Any]:
    with torch.no_grad():
        return torch.cat([model(part) for part in pixels.split(BATCH)]).numpy()
