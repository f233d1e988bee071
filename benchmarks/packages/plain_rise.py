"""RISE as published (Petsiuk et al., 2018), as a plain loop over soft masks through the cosine wrapper."""

from __future__ import annotations

import torch

from benchmarks.packages.problem import BATCH, Maps, Problem, means
from core.attribution.rise import rise_masks
from core.methods import method_info

PUBLISHED = 4000


def published(problem: Problem) -> Maps:
    """sum(s M) / (N p) with `few` masks for all texts: what a loop that keeps every output does."""
    options = method_info("rise").parse({"masks": problem.few, "paper_exact": True})
    model, total = problem.cosines(), torch.zeros(len(problem.texts), *problem.pixels.shape[-2:])
    with torch.no_grad():
        for some in rise_masks(problem.work(), options, *problem.pixels.shape[-2:]):
            for masks in some.split(BATCH):
                scores = model(problem.pixels * masks[:, None])
                total += torch.einsum("nt,nhw->thw", scores, masks)
    return {"rise": means(total / (problem.few * options.keep), problem.grid)}
